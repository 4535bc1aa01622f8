/* SPDX-License-Identifier: BSD-3-Clause */

/* Giving up.
 *
 * A request is refused if it would wait for ever though everyone who can ends.  What was let
 * wait may come to do so for three reasons, and is then denied; nobody ever waits for ever
 * without being told.
 *
 *  - It waits behind others who wait for its owner, and was to go ahead of them as soon as
 *    another one of its owner is granted, since what an owner queued before it came to hold
 *    is treated as made after.  That other one leaves instead.  (Were it refused from the
 *    start, in case that the other leaves, it would not have been treated so.)
 *  - Its owner releases something, by which others are granted before it.
 *  - Others end in an order in which somebody is granted before another who came earlier,
 *    and who keeps the owner of the former waiting: bound.c, deny_granted().
 *
 * For the first two, those of the owner that wait for that lock are doubted, and looked at
 * once the step has done all that it has to do. */

#include <errno.h>

#include "bound.h"

void
evl_step_doubt(struct evl_step *step, const struct evl_ties *ties)
{
	struct evl_owner *owner = ties->owner;
	struct evl_core *core = ties->core;

	if (!owner || !core->n_bound)
		return;
	if (!owner->is_doubted) {
		owner->is_doubted = 1;
		owner->next_doubted = step->doubted;
		step->doubted = owner;
	}
	if (!core->is_doubted) {
		core->is_doubted = 1;
		core->next_doubted = step->doubted_cores;
		step->doubted_cores = core;
	}
}

void
evl_step_give_up(struct evl_step *step, struct evl_ties *ties)
{
	evl_ties_leave(ties);
	evl_step_touch(step, ties->core);
	evl_step_doubt(step, ties);
}

void
evl_step_deny(struct evl_step *step, struct evl_ties *ties)
{
	struct evl_ties *t;

	EVL_TIES_EACH(t, ties)
		evl_step_give_up(step, t);
	evl_core_conclude(ties->lead->ties->core, ties->lead, EDEADLK, step->out);
}

/* The last first: those before it may then no longer be in vain. */
void
evl_step_deny_doubted(struct evl_step *step)
{
	struct evl_owner *owner;
	struct evl_ties *ties;

	while ((owner = step->doubted)) {
		while ((ties = evl_core_last_in_vain(owner)))
			evl_step_deny(step, ties);
		step->doubted = owner->next_doubted;
		owner->is_doubted = 0;
	}
	for (; step->doubted_cores; step->doubted_cores = step->doubted_cores->next_doubted)
		step->doubted_cores->is_doubted = 0;
}
