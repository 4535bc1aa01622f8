/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PAIR_H_INCLUDED_
#define PAIR_H_INCLUDED_

/* Locks, sets and owners of the library on one event_base, and the model of them, go through the
 * same operations.  An operation comes from outside the loop or from inside a callback.  After
 * each operation, everything that the library shows is compared with the model.  Each callback is
 * checked: it is due, it runs once, with its handle and error, in the order of the grants, and
 * never inside the call that asked for it.  A difference ends the program.
 *
 * Link with -Wl,--wrap=evl_end_expire: the model must know when a timer expires, which no public
 * call shows. */

#include <evlock/evlock.h>

#include "choices.h"
#include "model.h"

#define PAIR_WATCHERS	3	/* events for evlock_notify() */

enum pair_kind {
	PAIR_NOTHING,
	PAIR_LOOP,		/* runs until no callback is due; not from a callback */
	PAIR_ACQUIRE,
	PAIR_NOWAIT,
	PAIR_WITH,
	PAIR_REQUEST,		/* evlock_acquire_request() */
	PAIR_REQUEST_NOWAIT,
	PAIR_END,		/* evlock_release() */
	PAIR_CONVERT,
	PAIR_CONVERT_NOWAIT,
	PAIR_EXPIRE,		/* as if the timer had expired; not from a callback */
	PAIR_RELEASE_ALL,
	PAIR_CLOSE,
	PAIR_FREE,
	PAIR_NEW,
	PAIR_NOTIFY,
	PAIR_UNNOTIFY,
	PAIR_STRAY,		/* calls with handles that have ended, or of another lock */
	PAIR_BREAK,		/* event_base_loopbreak(); from a callback */
	PAIR_KINDS
};

enum pair_timeout { PAIR_FOR_EVER, PAIR_AT_ONCE, PAIR_BRIEFLY, PAIR_AN_HOUR, PAIR_NEGATIVE,
    PAIR_TIMEOUTS };

struct pair_op {
	uint8_t kind;
	uint8_t who;		/* the request, GONE before it is made; or the watcher */
	uint8_t owner, lock, mode, units, priority;
	uint8_t timeout;	/* enum pair_timeout */
	uint8_t is_own;		/* with a handle from EVLOCK_HANDLE_FROM() */
	uint8_t has_notice;
};

#define PAIR_BIT(kind) (1u << (kind))

/* The operations to choose from. */
struct pair_menu {
	struct model plan;	/* which locks there are, and how many requests */
	unsigned n_owners;
	unsigned outside, inside; /* PAIR_BIT()s: outside the loop, in callbacks */
	uint32_t asked;		/* bits of the modes to ask for; 0: all */
	unsigned timeouts;	/* bits of enum pair_timeout */
	unsigned most_units, n_priorities;
	unsigned long most_inside; /* operations in callbacks of one PAIR_LOOP; 0: no bound */
	int is_threadsafe;	/* all locks are */
	int is_listed;		/* one decision for each operation, for choices_all() */
};

/* --- One operation after another -------------------------------------------- */

struct event_base;

/* The model, for reading. */
extern struct model pair_model;

/* Makes the locks of menu->plan and the owners. */
void pair_begin(struct event_base *base, const struct pair_menu *menu, struct choices *choices);

/* Does `op` on both sides and compares them.  Checks that no request waits for ever. */
void pair_step(const struct pair_op *op);

/* Does the same without comparing, to return to a state that was compared before. */
void pair_repeat(const struct pair_op *op);

/* May `op` be done now? */
int pair_is_possible(const struct pair_op *op);

/* Is there a callback that has still to run? */
int pair_is_due(void);

/* Does a request wait for ever by one reading of the contract and not by another?  Then the two
 * sides may differ from now on, and the test must stop. */
int pair_is_unsure(void);

/* Returns a number for the places of withdrawn waiters in the lock's queue. */
uint64_t pair_shape(unsigned lock);

/* Ends every request, to begin again. */
void pair_clear(void);

/* Frees everything and checks that nothing is left. */
void pair_finish(void);

void pair_print_counts(void);

/* The number of callbacks that have run since the program began. */
extern unsigned long pair_callbacks;

/* --- Decisions: decide.c ---------------------------------------------------- */

#define PAIR_MOST_OPS 2048

/* Lists the operations of these kinds that are possible now.  All idle requests are alike, so only
 * the first of them is listed.  Returns their number. */
unsigned pair_list(const struct pair_menu *menu, unsigned kinds, struct pair_op *ops);

/* Decides which operation comes next. */
struct pair_op pair_decide(const struct pair_menu *menu, unsigned kinds, struct choices *c);

/* Does one operation after another until `choices` are over.  Frees everything. */
void pair_run(struct event_base *base, const struct pair_menu *menu, struct choices *choices);

/* Draws the locks and the operations on them, with or without owners and sets. */
void pair_draw(struct pair_menu *menu, struct choices *c, unsigned timeouts, int has_ties);

#endif
