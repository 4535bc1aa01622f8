/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef API_PAIR_H_INCLUDED_
#define API_PAIR_H_INCLUDED_

/* Locks made and used by the public calls on one event_base, and a model of them,
 * that go through the same operations.  Operations are done from outside of the loop
 * and from inside every callback.  Each ends with a comparison of all that the
 * library shows, and each callback is checked: that it was due, once, with this
 * handle and this error, in the order of the grants, and never inside the call that
 * asked for it.  What differs ends the program.
 *
 * Link with API_PAIR_WRAP, -Wl,--wrap=evl_end_expire: the model has to know the
 * moment at which a timer goes off, which no public call tells. */

#include <evlock/evlock.h>

#include "choices.h"
#include "model.h"

#define API_ACTORS	12	/* they stand for requests */
#define API_LOCKS	3
#define API_WATCHERS	3	/* events for evlock_notify() */

enum api_kind {
	API_NOTHING,
	API_LOOP,		/* until all that is due was told; not from a callback */
	API_ACQUIRE,
	API_NOWAIT,
	API_WITH,
	API_REQUEST,		/* evlock_acquire_request() */
	API_REQUEST_NOWAIT,
	API_END,
	API_CONVERT,
	API_CONVERT_NOWAIT,
	API_CLOSE,
	API_FREE,
	API_NEW,
	API_NOTIFY,
	API_UNNOTIFY,
	API_STRAY,		/* calls with handles that are gone, or of another lock */
	API_BREAK,		/* event_base_loopbreak(); from a callback */
	API_KINDS
};

enum api_timeout { API_FOR_EVER, API_AT_ONCE, API_BRIEFLY, API_AN_HOUR, API_NEGATIVE,
    API_TIMEOUTS };

struct api_op {
	uint8_t kind;
	uint8_t who;		/* or the watcher */
	uint8_t lock;
	uint8_t mode;
	uint8_t units;
	uint8_t priority;
	uint8_t timeout;	/* enum api_timeout */
	uint8_t is_own;		/* with a handle of the caller's */
	uint8_t has_notice;
};

#define API_BIT(kind) (1u << (kind))

/* What there is to do. */
struct api_menu {
	const struct evlock_modes *modes[API_LOCKS];
	int prefers_last[API_LOCKS];
	unsigned n_locks;
	unsigned n_actors;
	unsigned outside, inside;	/* API_BIT()s: from outside of the loop, from callbacks */
	uint32_t asked;			/* modes that are asked for, a bit for each; 0: all */
	unsigned timeouts;		/* bits, too */
	unsigned most_units, n_priorities;
	unsigned long most_inside;	/* operations from callbacks in one API_LOOP; 0: no bound */
	int is_listed;			/* decide by a list of all; for choices_all() */
};

/* Draws locks of some kinds and what is to be done to them. */
void api_draw(struct api_menu *menu, struct choices *choices, unsigned timeouts);

/* Does what `choices` says until they are over, frees everything, and sees to it that
 * nothing is left. */
struct event_base;
void api_run(struct event_base *base, const struct api_menu *menu, struct choices *choices);

/* How much was done since the program began. */
struct api_counts {
	unsigned long ops[API_KINDS];
	unsigned long callbacks, errors, notices, rooms, expired, comparisons;
};
extern struct api_counts api_counts;
void api_print_counts(void);

#endif
