/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PAIR_H_INCLUDED_
#define PAIR_H_INCLUDED_

/* Locks, sets and owners of the library on one event_base, and the model of them, go
 * through the same operations.  An operation comes from outside the loop or from inside a
 * callback.  After each, everything that the library shows is compared with the model.  Each
 * callback is checked: it was due, it runs once, with this handle and this error, in the order
 * of the grants, and never inside the call that asked for it.  A difference ends the program.
 *
 * Link with -Wl,--wrap=evl_end_expire: the model has to know the moment at which a timer
 * expires, which no public call tells. */

#include <evlock/evlock.h>

#include "choices.h"
#include "model.h"

#define PAIR_WATCHERS	3	/* events for evlock_notify() */

enum pair_kind {
	PAIR_NOTHING,
	PAIR_LOOP,		/* until all that is due was called back; not from a callback */
	PAIR_ACQUIRE,
	PAIR_NOWAIT,
	PAIR_WITH,
	PAIR_REQUEST,		/* evlock_acquire_request() */
	PAIR_REQUEST_NOWAIT,
	PAIR_END,		/* evlock_release() */
	PAIR_CONVERT,
	PAIR_CONVERT_NOWAIT,
	PAIR_EXPIRE,		/* as if a timer had expired; not from a callback */
	PAIR_RELEASE_ALL,
	PAIR_CLOSE,
	PAIR_FREE,
	PAIR_NEW,
	PAIR_NOTIFY,
	PAIR_UNNOTIFY,
	PAIR_STRAY,		/* calls with handles that are gone, or of another lock */
	PAIR_BREAK,		/* event_base_loopbreak(); from a callback */
	PAIR_KINDS
};

enum pair_timeout { PAIR_FOR_EVER, PAIR_AT_ONCE, PAIR_BRIEFLY, PAIR_AN_HOUR, PAIR_NEGATIVE,
    PAIR_TIMEOUTS };

struct pair_op {
	uint8_t kind;
	uint8_t who;		/* the request, which is GONE if it is to be made; or the watcher */
	uint8_t owner, lock, mode, units, priority;
	uint8_t timeout;	/* enum pair_timeout */
	uint8_t is_own;		/* with a handle of the caller's */
	uint8_t has_notice;
};

#define PAIR_BIT(kind) (1u << (kind))

/* What there is to do. */
struct pair_menu {
	struct model plan;	/* which locks there are, and how many requests */
	unsigned n_owners;
	unsigned outside, inside; /* PAIR_BIT()s: from outside of the loop, from callbacks */
	uint32_t asked;		/* modes that are asked for, a bit for each; 0: all */
	unsigned timeouts;	/* bits, too */
	unsigned most_units, n_priorities;
	unsigned long most_inside; /* operations from callbacks in one PAIR_LOOP; 0: no bound */
	int is_threadsafe;	/* all locks */
	int is_listed;		/* decide by a list of all, for choices_all() */
};

/* --- One operation after another ------------------------------------------------------- */

struct event_base;

/* The model; to be looked at. */
extern struct model pair_model;

/* Makes the locks of menu->plan, and owners. */
void pair_begin(struct event_base *base, const struct pair_menu *menu, struct choices *choices);

/* Does `op` to both, and compares; no request may wait for ever after it. */
void pair_step(const struct pair_op *op);

/* The same without looking, to come back to a state that was looked at before. */
void pair_repeat(const struct pair_op *op);

/* May `op` be done now? */
int pair_is_possible(const struct pair_op *op);

/* Is there a callback that has still to run? */
int pair_is_due(void);

/* Does it depend on how the contract is read whether a request waits for ever?  The two may
 * then answer differently: do not go on. */
int pair_is_unsure(void);

/* A number that the library's queues have in common when they look alike from inside. */
uint64_t pair_shape(unsigned lock);

/* Ends every request, so that all begins anew. */
void pair_clear(void);

/* Frees all, and sees to it that nothing is left. */
void pair_finish(void);

void pair_print_counts(void);

/* How many callbacks ran since the program began. */
extern unsigned long pair_callbacks;

/* --- Decisions: decide.c ---------------------------------------------------------------- */

#define PAIR_MOST_OPS 2048

/* Lists what can be done now, of these kinds.  Idle requests are all alike: only the first of
 * them is listed. */
unsigned pair_list(const struct pair_menu *menu, unsigned kinds, struct pair_op *ops);

/* Decides what to do now. */
struct pair_op pair_decide(const struct pair_menu *menu, unsigned kinds, struct choices *c);

/* Does what `choices` says until they are over.  Frees everything. */
void pair_run(struct event_base *base, const struct pair_menu *menu, struct choices *choices);

/* Draws locks, and what is to be done to them; with owners and sets, or without. */
void pair_draw(struct pair_menu *menu, struct choices *c, unsigned timeouts, int has_ties);

#endif
