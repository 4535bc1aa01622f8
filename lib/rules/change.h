/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CHANGE_H_INCLUDED_
#define EVL_CHANGE_H_INCLUDED_

/* The changes of one step.  A step may change many locks.  Each lock that it touches is noted
 * here, so that the step grants that lock's waiters when it ends, and not earlier.  Pure, as the
 * core.  The caller serializes the calls for all locks that the step touches. */

#include "rules/core.h"

/** Is each core that was touched checked at the end of the step? */
#ifdef EVLOCK_DEBUG
#define EVL_IS_CHECKED 1
#else
#define EVL_IS_CHECKED 0
#endif

/** The events in a request's life.  A conversion is a request of its own. */
enum evl_event {
	EVL_QUEUES,	/**< the request begins to wait */
	EVL_GAINS,	/**< the request is granted, at once or after a wait */
	EVL_WITHDRAWS,	/**< the caller ends the wait */
	EVL_FAILS,	/**< the wait ends with an errno, which the callback gets */
	EVL_LEAVES	/**< the hold ends; with an errno if the lock was lost, else 0 */
};

struct evl_change {
	struct evl_link done;		/**< seats that were granted, or failed, in order */
	struct evl_core *dirty;		/**< the last of a ring of cores to be promoted */
	struct evl_core *touched;	/**< the last of a ring of cores that were noted */
	unsigned unusual;		/**< of all of those */
	struct evl_owner *doubted;	/**< owners with requests that may now wait for ever ... */
	struct evl_core *doubted_cores;	/**< ... in one of these locks */
	void (*record)(struct evl_seat *lead, enum evl_event event, int error);
};

static inline void
evl_change_init(struct evl_change *change,
    void (*record)(struct evl_seat *lead, enum evl_event event, int error))
{
	change->record = record;
	evl_list_init(&change->done);
	change->dirty = change->touched = NULL;
	change->unusual = 0;
	change->doubted = NULL;
	change->doubted_cores = NULL;
}

/** Records an event of the request that `lead` stands for: every event of every request, once.
 * The seat's mode, units and ties are still those of the request.  `error` is 0 or an errno. */
static inline void
evl_change_record(struct evl_change *change, const struct evl_core *core,
    struct evl_seat *lead, enum evl_event event, int error)
{
	if (evl_core_is(core, EVL_IS_OBSERVED))
		change->record(lead, event, error);
}

/** Makes a request fail whose wait was ended by evl_grant_withdraw(): its callback gets `error`. */
void evl_change_fail(struct evl_change *change, struct evl_core *core, struct evl_seat *lead,
    int error);

/** Notes a change in a core that grants no waiter.  Nothing is noted unless somebody watches the
 * lock.  `has_room`: a holder left the core, or took a weaker mode. */
void evl_change_note_watched(struct evl_change *change, struct evl_core *core, int has_room);
static inline void
evl_change_note(struct evl_change *change, struct evl_core *core, int has_room)
{
	if (evl_core_is(core, EVL_IS_WATCHED) || EVL_IS_CHECKED)
		evl_change_note_watched(change, core, has_room);
}

/** Notes a change in a core that may grant waiters: the step looks at them when it ends. */
void evl_change_touch(struct evl_change *change, struct evl_core *core, int has_room);

/** Removes and returns the first core whose waiters the step must look at, or NULL. */
struct evl_core *evl_change_next_dirty(struct evl_change *change);

/** Goes through the cores that were touched, in order, and those touched meanwhile. */
#define EVL_TOUCHED_EACH(core, change) \
	for ((core) = evl_change_first(change); (core); (core) = evl_change_after(change, core))

static inline struct evl_core *
evl_change_first(const struct evl_change *change)
{
	return change->touched ? change->touched->next_touched : NULL;
}

static inline struct evl_core *
evl_change_after(const struct evl_change *change, const struct evl_core *core)
{
	return core == change->touched ? NULL : core->next_touched;
}

/** Removes and returns the first core that was touched, or NULL. */
struct evl_core *evl_change_next_touched(struct evl_change *change);

/** Takes a seat out of its queue, not granted. */
void evl_change_give_up(struct evl_change *change, struct evl_ties *ties);

/** Marks the owner's other requests in that lock: they may now wait for ever. */
void evl_change_doubt(struct evl_change *change, const struct evl_ties *ties);

/** Makes a waiting request fail with EDEADLK, because it would wait for ever. */
void evl_change_deny(struct evl_change *change, struct evl_ties *ties);

/** Does so for each marked request that would wait for ever. */
void evl_change_deny_doubted(struct evl_change *change);

#endif
