/* SPDX-License-Identifier: BSD-3-Clause */

/* Owners, each of which has a set of requests.  Makes and frees owners, and releases all their
 * requests at once.  The rules for owners are in rules/bound.c and rules/deadlock.c. */

#include <errno.h>

#include "base/mem.h"
#include "calls/end.h"
#include "calls/owner.h"
#include "lock/step.h"
#include "loop/ports.h"

struct evlock_owner {
	struct evl_owner core;	/* protected by evl_guard_tied, if is_shared */
	unsigned n_forks;	/* evl_ports_n_forks when it was made */
	int is_shared;		/* its locks have guards; changes only while it has no request */
	char *name;
};

#define TIES(l) EVL_CONTAINER(l, struct evl_ties, owner_link)

struct evlock_owner *
evlock_owner_new(const char *name)
{
	struct evlock_owner *owner = evl_mem_zalloc(sizeof *owner);

	if (!owner)
		return NULL;
	evl_ties_init_owner(&owner->core);
	owner->n_forks = evl_ports_n_forks;
	if (name && !(owner->name = evl_mem_strdup(name))) {
		evl_mem_free(owner);
		return NULL;
	}
	return owner;
}

struct evl_owner *
evl_owner_core(struct evlock_owner *owner)
{
	return &owner->core;
}

const char *
evl_owner_name(const struct evl_owner *owner)
{
	return EVL_CONTAINER(owner, struct evlock_owner, core)->name;
}

/* The guard that the owner's locks share, or NULL. */
static struct evl_guard *
guard_of(const struct evlock_owner *owner)
{
	return owner->is_shared ? &evl_guard_tied : NULL;
}

static void
enter(const struct evlock_owner *owner)
{
	if (owner->is_shared)
		evl_guard_enter(&evl_guard_tied);
}

static void
leave(const struct evlock_owner *owner)
{
	evl_lock_leave(guard_of(owner));
}

static int
has_nothing(const struct evl_owner *owner)
{
	return evl_list_is_empty(&owner->ties) && evl_list_is_empty(&owner->over);
}

int
evl_owner_may_ask(struct evlock_owner *owner, struct evl_guard *guard)
{
	int has_none;

	if (!owner)
		return 1;
	if (guard)
		evl_guard_tie(guard);
	if (owner->is_shared == (guard != NULL))
		return 1;
	enter(owner);
	has_none = has_nothing(&owner->core);
	leave(owner);
	if (has_none)
		owner->is_shared = guard != NULL;
	return has_none;
}

/* Returns the request to end for a seat.  For a conversion, that is the converted request. */
static struct evl_request *
acquisition_of(const struct evl_ties *ties)
{
	const struct evl_seat *lead = ties->lead;

	if (lead->ties->of)
		lead = lead->ties->of;
	return EVL_REQUEST(lead);
}

/* Returns the number of requests that it has ended. */
static size_t
end_each(struct evl_step *step, struct evl_link *list)
{
	size_t n;

	for (n = 0; !evl_list_is_empty(list); n++)
		evl_end_request(step, acquisition_of(TIES(list->next)));
	return n;
}

/* Ends all requests in one step, so that no grant happens half-way. */
size_t
evlock_owner_release_all(struct evlock_owner *owner)
{
	struct evl_step step;
	size_t n;

	evl_step_begin_in(&step, guard_of(owner));
	n = end_each(&step, &owner->core.ties) + end_each(&step, &owner->core.over);
	evl_step_end(&step);
	return n;
}

/* In a forked child: the owner's requests are the parent's. */
static void
forget_each(struct evl_link *list)
{
	while (!evl_list_is_empty(list))
		evl_ties_disown(TIES(list->next));
}

void
evlock_owner_free(struct evlock_owner *owner)
{
	if (!owner)
		return;
	if (owner->n_forks == evl_ports_n_forks) {
		evlock_owner_release_all(owner);
	} else {
		forget_each(&owner->core.ties);
		forget_each(&owner->core.over);
	}
	evl_mem_free(owner->name);
	evl_mem_free(owner);
}

int
evlock_owner_mode(const struct evlock_owner *owner, const struct evlock *lock)
{
	const struct evl_link *link;
	int strongest = -1;

	enter(owner);
	EVL_LIST_EACH(link, &owner->core.ties) {
		const struct evl_ties *ties = TIES(link);

		if (ties->core == evl_lock_core(lock) && !ties->of &&
		    evl_ties_are_held(ties->seat) && ties->seat->mode > strongest)
			strongest = ties->seat->mode;
	}
	leave(owner);
	if (strongest < 0)
		errno = ENOENT;
	return strongest;
}
