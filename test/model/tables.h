/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TABLES_H_INCLUDED_
#define TABLES_H_INCLUDED_

/* Mode tables for the model tests, and random ones. */

#include <evlock/evlock.h>

#include "choices.h"

extern const struct evlock_modes table_semaphore;	/**< one mode, limit 2 */
extern const struct evlock_modes table_limits;		/**< a limit each, and an exclusive mode */
extern const struct evlock_modes table_intention;	/**< IS IX S SIX X */
extern const struct evlock_modes table_oneway;		/**< conflicts that are not mutual */
extern const struct evlock_modes table_weights;		/**< a condition on what all modes hold */

/** A table of up to EVLOCK_MAX_MODES modes. */
struct table {
	struct evlock_modes modes;
	struct evlock_mode mode[EVLOCK_MAX_MODES];
	/** The condition: the units that are held and asked for in each mode k, times
	 * weight[mode][k], add up to at most most[mode]. */
	uint8_t weight[EVLOCK_MAX_MODES][EVLOCK_MAX_MODES];
	uint32_t most[EVLOCK_MAX_MODES];
};

/** Draws a table with any conflicts, and with limits and conditions for some modes. */
void table_draw(struct table *t, struct choices *c);

#endif
