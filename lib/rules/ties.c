/* SPDX-License-Identifier: BSD-3-Clause */

/* Ties between seats; see ties.h.  The caller must hold the mutex of each lock involved. */

#include <string.h>

#include "rules/ties.h"

void
evl_ties_init(struct evl_ties *ties, struct evl_seat *seat, struct evl_core *core)
{
	memset(ties, 0, sizeof *ties);
	ties->seat = ties->lead = seat;
	ties->core = core;
	ties->next = ties;
	seat->ties = ties;
}

void
evl_ties_join(struct evl_ties *ties, struct evl_ties *lead)
{
	ties->lead = lead->seat;
	ties->next = lead->next;
	lead->next = ties;
	ties->is_bound = lead->is_bound = 1;
}

void
evl_ties_init_owner(struct evl_owner *owner)
{
	memset(owner, 0, sizeof *owner);
	evl_list_init(&owner->ties);
	evl_list_init(&owner->over);
}

void
evl_ties_own(struct evl_ties *ties, struct evl_owner *owner)
{
	ties->owner = owner;
	ties->is_bound = 1;
	evl_list_push(&owner->ties, &ties->owner_link);
}

void
evl_ties_disown(struct evl_ties *ties)
{
	if (ties->owner)
		evl_list_remove(&ties->owner_link);
	ties->owner = NULL;
}

void
evl_ties_part(struct evl_ties *lead)
{
	struct evl_ties *t, *next = lead->next;

	lead->next = lead;
	while ((t = next) != lead) {
		next = t->next;
		t->next = t;
		evl_ties_disown(t);
	}
	if (!lead->owner)
		return;
	evl_list_remove(&lead->owner_link);
	evl_list_push(&lead->owner->over, &lead->owner_link);
}
