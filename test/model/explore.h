/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EXPLORE_H_INCLUDED_
#define EXPLORE_H_INCLUDED_

/* Every sequence of operations on a core_pair, of a menu. */

#include "core_pair.h"

struct explored {
	unsigned long states;	/**< different ones */
	unsigned long steps;	/**< taken and compared */
	unsigned depth;		/**< operations that the last new state takes */
};

/** Sequences of any length: goes on until no new state turns up.  The core is pure, so
 * what it does depends on its state alone, all of which, byte for byte, tells states apart. */
struct explored explore_states(const struct pair_menu *menu);

/** The same without that argument: each sequence of up to `depth` operations is gone
 * through by itself. */
struct explored explore_sequences(const struct pair_menu *menu, unsigned depth);

#endif
