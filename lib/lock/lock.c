/* SPDX-License-Identifier: BSD-3-Clause */

/* Bodies: what all objects of a lock have in common.  Called in a step, where not said
 * otherwise. */

#include <errno.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "lock/lock.h"

#define BIT(mode) ((uint32_t)1 << (mode))

static const struct evlock_mode standard_mode[] = {
	{ "none", BIT(EVLOCK_EXCLUSIVE), 0, EVLOCK_NO_ACCESS, NULL },
	{ "shared", BIT(EVLOCK_EXCLUSIVE), 0, EVLOCK_READ, NULL },
	{ "upgradable", BIT(EVLOCK_UPGRADABLE) | BIT(EVLOCK_EXCLUSIVE), 0, EVLOCK_READ, NULL },
	{ "exclusive", BIT(EVLOCK_SHARED) | BIT(EVLOCK_UPGRADABLE) | BIT(EVLOCK_EXCLUSIVE), 0,
	    EVLOCK_WRITE, NULL },
};

const struct evlock_modes evl_lock_standard_modes = { standard_mode, 4, NULL };

int
evl_lock_takes(const struct evlock_options *options)
{
	const struct evlock_modes *modes = options->modes;

	if (options->flags & ~(EVLOCK_OPT_THREADSAFE | EVLOCK_OPT_PREFER_EXCLUSIVE) ||
	    options->file_mode)
		return 0;
	return !modes || (modes->mode && modes->n_modes && modes->n_modes <= EVLOCK_MAX_MODES);
}

/* --- Bodies --------------------------------------------------------------- */

static int
name_body(struct evl_body *body, const char *name)
{
	if (!name)
		return 0;
	body->name = evl_mem_strdup(name);
	return body->name ? 0 : -1;
}

/* Gives a body its guard, if it needs one. */
static int
guard_body(struct evl_body *body, const struct evlock_options *options, struct evl_guard *guard)
{
	body->guard = guard;
	if (guard)
		evl_guard_keep(guard);
	else if (options->flags & EVLOCK_OPT_THREADSAFE)
		body->guard = evl_guard_new();
	else
		return 0;
	return body->guard ? 0 : -1;
}

struct evl_body *
evl_lock_create(const struct evlock_options *options, const struct evlock_modes *modes,
    struct evl_guard *guard)
{
	size_t size = offsetof(struct evl_body, core) + evl_core_size(modes->n_modes);
	struct evl_body *body = evl_mem_zalloc(size);

	if (!body)
		return NULL;
	body->kind = &evl_kind_plain;
	evl_core_init(&body->core, modes, !!(options->flags & EVLOCK_OPT_PREFER_EXCLUSIVE));
	evl_list_init(&body->objects);
	evl_list_init(&body->sets);
	evl_list_init(&body->notifies);
	evl_list_init(&body->notices);
	body->n_objects = 1;	/* whoever creates it */
	if (name_body(body, options->name) == 0 && guard_body(body, options, guard) == 0)
		return body;
	evl_mem_free(body->name);
	evl_mem_free(body);
	errno = ENOMEM;
	return NULL;
}

/* Frees the kind's part of the body, which may close descriptors. */
static void
destroy(struct evl_body *body)
{
	int state = evl_cancel_disable();

	body->kind->destroy(body);
	evl_cancel_restore(state);
}

void
evl_lock_drop(struct evl_body *body)
{
	if (__atomic_sub_fetch(&body->n_objects, 1, __ATOMIC_ACQ_REL))
		return;
	if (body->observer && body->observer->free)
		body->observer->free(body->observer);
	if (body->kind->destroy)
		destroy(body);
	if (body->guard)
		evl_guard_drop(body->guard);
	evl_mem_free(body->name);
	evl_mem_free(body);
}

/* --- Watchers, and waiting for other threads -------------------------------- */

static unsigned
watched_by(const struct evl_body *body)
{
	const struct evl_kind *kind = body->kind;
	int is_told = !evl_list_is_empty(&body->notifies) || !evl_list_is_empty(&body->notices);

	return (is_told ? EVL_IS_TOLD : 0)
	    | (kind->look ? EVL_IS_LOOKED_AT : 0)
	    | (!evl_list_is_empty(&body->sets) || kind->bind ? EVL_IS_IN_SET : 0)
	    | (kind->retire ? EVL_IS_RETIRED : 0)
	    | (body->observer ? EVL_IS_OBSERVED : 0);
}

void
evl_lock_update_watched(struct evl_body *body)
{
	evl_core_unmark(&body->core, EVL_IS_WATCHED);
	evl_core_mark(&body->core, watched_by(body));
}

void
evl_lock_await(struct evlock *lock)
{
	if (!lock->body->guard)
		return;
	lock->n_queued++;
	if (!lock->body->is_far)
		return;
	evl_letters_await(lock->port, 1);
	evl_letters_keep(lock->port);
}

void
evl_lock_unawait(struct evlock *lock)
{
	if (!lock->body->guard)
		return;
	lock->n_queued--;
	if (lock->body->is_far && evl_letters_await(lock->port, (uint32_t)-1) == 0)
		evl_letters_poke(lock->port);
}

/* --- Plain locks ---------------------------------------------------------- */

int
evl_lock_judge_plain(const struct evlock *lock, unsigned mode, uint32_t units)
{
	const struct evl_core *core = evl_lock_core(lock);

	return mode >= core->n_modes || (core->mode[mode].limit && units > core->mode[mode].limit)
	    ? EINVAL : 0;
}

const struct evl_kind evl_kind_plain = { .judge = evl_lock_judge_plain };

static void
let_go(struct evl_step *step, struct evl_body *body)
{
	if (body->kind->let_go)
		body->kind->let_go(step, body);
}

void
evl_lock_let_go(struct evl_step *step, struct evl_body *body, const struct evl_seat *seat)
{
	const struct evl_ties *t;

	if (!seat->ties) {
		let_go(step, body);
		return;
	}
	EVL_TIES_EACH(t, (const struct evl_ties *)seat->ties)
		let_go(step, EVL_CONTAINER(t->core, struct evl_body, core));
}

/* --- Requests --------------------------------------------------------------- */

struct evl_extra *
evl_lock_need_extra(struct evl_request *r, const struct evl_port *here)
{
	struct evl_port *port = r->lock->port;

	return evl_extra_need(r, evl_lock_core(r->lock), &port->extras, port == here);
}
