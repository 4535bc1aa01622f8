/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_STEP_H_INCLUDED_
#define EVL_STEP_H_INCLUDED_

/* A step is one change to one or more locks: what one call, timer or delivery does.
 *
 *	evl_step_begin()	enters the lock's guard, if it has one
 *	...			requests are made, wait, end: the verbs of rules/grant.h
 *	evl_step_end()		grants whoever can be granted, lets each kind of lock look at
 *				what has changed, tells who watches, sends what was granted or
 *				has failed to the loops that deliver it, leaves the guard
 *
 * evl_change_record() records each event of a request.  observe.c calls the lock's observer.
 *
 * So nobody gains by half a step, no author forgets what follows from a change, and no
 * callback runs in between.  Steps of locks without a guard may be nested: whatever the inner
 * one does to a lock that the outer one has touched is seen to by the outer one.
 *
 * The short paths of plain locks are written out in calls/, and begin no step. */

#include "lock/lock.h"
#include "lock/observe.h"
#include "rules/grant.h"


struct evl_step {
	struct evl_change change;
	struct evl_guard *guard;	/**< entered; NULL: none */
};

/** Begins a step in a lock, or in several that have `guard` (NULL: none) in common. */
static inline void
evl_step_begin_in(struct evl_step *step, struct evl_guard *guard)
{
	if (guard)
		evl_guard_enter(guard);
	step->guard = guard;
	evl_change_init(&step->change, evl_observe);
}

static inline void
evl_step_begin(struct evl_step *step, const struct evl_body *body)
{
	evl_step_begin_in(step, body->guard);
}

/** Ends it.  The lock may be gone then.  Keeps errno. */
void evl_step_end(struct evl_step *step);

/** Something has changed in a lock, by which nobody gains who waits for it. */
static inline void
evl_step_note(struct evl_step *step, struct evl_body *body, int has_room)
{
	evl_change_note(&step->change, &body->core, has_room);
}

/** Something has changed in a lock; `has_room`: somebody left it, or took less. */
static inline void
evl_step_touch(struct evl_step *step, struct evl_body *body, int has_room)
{
	evl_change_touch(&step->change, &body->core, has_room);
}

/** Sends a request that was granted as soon as it was made, and has a callback. */
void evl_step_send(struct evl_request *r);

#endif
