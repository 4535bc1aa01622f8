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
	struct evl_owner *doubted;	/**< owners of whom some may wait in vain now ... */
	struct evl_core *doubted_cores;	/**< ... in one of these */
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

/** Something has happened in a core, by which nobody gains who waits there.  It is noted only
 * where somebody watches.  `has_room`: somebody left it, or took less. */
void evl_change_note_watched(struct evl_change *change, struct evl_core *core, int has_room);
static inline void
evl_change_note(struct evl_change *change, struct evl_core *core, int has_room)
{
	if (evl_core_is(core, EVL_IS_WATCHED) || EVL_IS_CHECKED)
		evl_change_note_watched(change, core, has_room);
}

/** The same, and those who wait there have to be looked at. */
void evl_change_touch(struct evl_change *change, struct evl_core *core, int has_room);

/** Takes the first core off that has to be promoted.  NULL: there is none. */
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

/** Takes the first core off that was touched.  NULL: there is none. */
struct evl_core *evl_change_next_touched(struct evl_change *change);

/** A seat leaves its queue, and its owner does not come to hold the lock by it. */
void evl_change_give_up(struct evl_change *change, struct evl_ties *ties);

/** Whoever else of the owner waits in that lock may do so in vain now. */
void evl_change_doubt(struct evl_change *change, const struct evl_ties *ties);

/** A request that waits would do so for ever, and gives up. */
void evl_change_deny(struct evl_change *change, struct evl_ties *ties);

/** The same for those who are doubted, and do wait in vain. */
void evl_change_deny_doubted(struct evl_change *change);

#endif
