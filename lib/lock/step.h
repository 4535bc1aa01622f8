/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_STEP_H_INCLUDED_
#define EVL_STEP_H_INCLUDED_

/* A step is one change to one or more locks: the work of one call, timer or delivery.
 *
 *	evl_step_begin()	enters the lock's guard, if it has one
 *	...			requests are made, wait, end: the verbs of rules/grant.h
 *	evl_step_end()		grants the waiters that can be granted, lets each kind of lock
 *				look at the change, sends notices and events, sends requests
 *				that were granted or failed to their loops, leaves the guard
 *
 * evl_change_record() records each event of a request.  observe.c calls the lock's observer.
 *
 * No request is granted by half a step, no caller can forget what follows from a change, and no
 * callback runs in a step.  Steps of locks without a guard may be nested: the outer step completes
 * what the inner step does to a lock that the outer one has touched.
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

/** Ends the step.  The lock may be freed by this.  Keeps errno. */
void evl_step_end(struct evl_step *step);

/** Notes a change in a lock that grants no waiter. */
static inline void
evl_step_note(struct evl_step *step, struct evl_body *body, int has_room)
{
	evl_change_note(&step->change, &body->core, has_room);
}

/** Notes a change in a lock that may grant waiters.  `has_room`: a holder left the lock, or took a
 * weaker mode. */
static inline void
evl_step_touch(struct evl_step *step, struct evl_body *body, int has_room)
{
	evl_change_touch(&step->change, &body->core, has_room);
}

/** Sends a request that was granted at once to the loop that calls it back. */
void evl_step_send(struct evl_request *r);

#endif
