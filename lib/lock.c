/* SPDX-License-Identifier: BSD-3-Clause */

/* Making, sharing, closing and freeing locks. */

#include <errno.h>

#include "cancel.h"
#include "forget.h"
#include "lock.h"
#include "outside.h"
#include "mem.h"

#define BIT(mode) ((uint32_t)1 << (mode))

static const struct evlock_mode standard_mode[] = {
	{ "none", BIT(EVLOCK_EXCLUSIVE), 0, EVLOCK_NO_ACCESS, NULL },
	{ "shared", BIT(EVLOCK_EXCLUSIVE), 0, EVLOCK_READ, NULL },
	{ "upgradable", BIT(EVLOCK_UPGRADABLE) | BIT(EVLOCK_EXCLUSIVE), 0, EVLOCK_READ, NULL },
	{ "exclusive", BIT(EVLOCK_SHARED) | BIT(EVLOCK_UPGRADABLE) | BIT(EVLOCK_EXCLUSIVE), 0,
	    EVLOCK_WRITE, NULL },
};

const struct evlock_modes evl_standard_modes = { standard_mode, 4, NULL };
static const struct evlock_options no_options;

int
evl_options_are_valid(const struct evlock_options *options)
{
	const struct evlock_modes *modes = options->modes;

	if (options->flags & ~(EVLOCK_OPT_THREADSAFE | EVLOCK_OPT_PREFER_EXCLUSIVE))
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
evl_body_create(const struct evlock_options *options, const struct evlock_modes *modes,
    struct evl_guard *guard)
{
	size_t size = offsetof(struct evl_body, core) + evl_core_size(modes->n_modes);
	struct evl_body *body = evl_mem_zalloc(size);

	if (!body)
		return NULL;
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

/* It may close descriptors. */
static void
free_outside(struct evl_outside *outside)
{
	int state = evl_cancel_disable();

	outside->ops->free(outside);
	evl_cancel_restore(state);
}

void
evl_body_drop(struct evl_body *body)
{
	if (__atomic_sub_fetch(&body->n_objects, 1, __ATOMIC_ACQ_REL))
		return;
	if (body->outside)
		free_outside(body->outside);
	if (body->guard)
		evl_guard_drop(body->guard);
	evl_mem_free(body->permit);
	evl_mem_free(body->name);
	evl_mem_free(body);
}

/* --- Who waits for other threads -------------------------------------------- */

/* Is one of the body's objects on the port? */
static int
is_on(const struct evl_body *body, const struct evl_port *port)
{
	const struct evl_link *link;

	EVL_LIST_EACH(link, &body->objects)
		if (EVL_OBJECT(link)->port == port)
			return 1;
	return 0;
}

void
evl_body_update_far(struct evl_body *body)
{
	uint8_t is_far = body->n_ports > 1 || body->outside || (body->set && evl_set_is_far(body->set));
	struct evl_link *link;

	if (is_far == body->is_far)
		return;
	evl_guard_send(body->guard);	/* those wait no more: they are counted by what was so far */
	body->is_far = is_far;
	EVL_LIST_EACH(link, &body->objects) {
		struct evlock *lock = EVL_OBJECT(link);

		if (!lock->n_queued)
			continue;
		evl_port_await(lock->port, is_far ? lock->n_queued : -lock->n_queued);
		evl_port_poke(lock->port);
	}
	EVL_LIST_EACH(link, &body->sets)
		evl_body_update_far(evl_member_set(link)->body);
}

void
evl_lock_await(struct evlock *lock)
{
	if (!lock->body->guard)
		return;
	lock->n_queued++;
	if (!lock->body->is_far)
		return;
	evl_port_await(lock->port, 1);
	evl_port_keep(lock->port);
}

void
evl_lock_unawait(struct evlock *lock)
{
	if (!lock->body->guard)
		return;
	lock->n_queued--;
	if (lock->body->is_far && evl_port_await(lock->port, (uint32_t)-1) == 0)
		evl_port_poke(lock->port);
}

/* A request that was sent has waited, or it would have been sent at once.  It counts as
 * waiting until its letter is there, so that its loop is kept alive by one or the other. */
void
evl_lock_send(struct evl_seat *seat)
{
	struct evlock *lock;

	if (seat->kind == EVL_OUTSIDE) {
		evl_outside_deliver(seat);
		return;
	}
	if (seat->kind >= EVL_NOTICE) {
		evl_port_post(evl_tell_port(seat), seat);
		return;
	}
	lock = EVL_REQUEST(seat)->lock;
	lock->n_queued--;
	evl_lock_post(lock, seat);
	if (lock->body->is_far)
		evl_port_await(lock->port, (uint32_t)-1);
}

/* --- Objects -------------------------------------------------------------- */

static void
identify(struct evlock *lock, const struct evlock_options *options)
{
	lock->identity->scope = ++lock->pool->n_scopes;
	lock->identity->value = options->value;
	lock->identity->free_value = options->free_value;
}

/* What goes with its last object, in no step. */
static void
free_identity(struct evl_identity *identity, const struct evl_body *body)
{
	if (identity->free_value)
		identity->free_value(identity->value);
	if (identity != &body->identity)
		evl_mem_free(identity);
}

static struct evl_identity *
create_identity(struct evl_body *body)
{
	return evl_list_is_empty(&body->objects) && !body->identity.scope
	    ? &body->identity : evl_mem_zalloc(sizeof body->identity);
}

static void
forget_identity(struct evl_identity *identity, const struct evl_body *body)
{
	if (identity != &body->identity)
		evl_mem_free(identity);
}

static void
join_body(struct evlock *lock, struct evl_body *body)
{
	evl_body_keep(body);
	body->n_ports += !is_on(body, lock->port);
	evl_list_push(&body->objects, &lock->body_link);
	if (!body->guard)
		return;
	__atomic_store_n(&lock->port->is_shared, 1, __ATOMIC_RELAXED);
	evl_body_update_far(body);
}

static void
leave_body(struct evlock *lock, struct evl_body *body)
{
	evl_list_remove(&lock->body_link);
	body->n_ports -= !is_on(body, lock->port);
	if (body->guard)
		evl_body_update_far(body);
}

/* Makes an object of zero-filled memory. */
static struct evlock *
set_up(struct evlock *lock, struct evl_body *body, struct evl_port *port,
    struct evl_identity *identity, struct evlock_table *table)
{
	lock->body = body;
	lock->port = port;
	lock->table = table;
	lock->pool = body->guard ? &body->guard->pool : &port->pool;
	lock->quick = body->guard || body->outside ? &evl_no_pool : lock->pool;
	lock->identity = identity;
	identity->n_objects++;
	body->core.free = &lock->pool->free;
	evl_list_init(&lock->held);
	if (!table)
		evl_port_add(port, &port->locks, &lock->link);
	join_body(lock, body);
	return lock;
}

struct evlock *
evl_object_create(struct evl_body *body, struct evl_port *port, struct evl_identity *identity,
    struct evlock_table *table)
{
	struct evlock *lock = evl_mem_zalloc(sizeof *lock);

	return lock ? set_up(lock, body, port, identity, table) : NULL;
}

/* For the caller.  The port comes last: it may be another thread's, which alone may free it,
 * so it cannot be put back here. */
static struct evlock *
create_on(struct event_base *base, struct evl_body *body, struct evl_identity *identity)
{
	struct evlock *lock = evl_mem_zalloc(sizeof *lock);
	struct evl_port *port = lock ? evl_port_get(base) : NULL;

	if (port)
		return set_up(lock, body, port, identity, NULL);
	evl_mem_free(lock);
	errno = ENOMEM;
	return NULL;
}

void
evl_object_destroy(struct evlock *lock)
{
	if (!lock->table)
		evl_port_remove(lock->port, &lock->link);
	leave_body(lock, lock->body);
	lock->identity->n_objects--;
	evl_mem_free(lock);
}

struct evlock *
evl_lock_object(struct evlock *lock, struct event_base *base)
{
	struct evlock *object = create_on(base, lock->body, lock->identity);

	if (object && lock->body->keyed)
		evl_keyed_use(lock->body);
	return object;
}

struct evlock *
evl_lock_attach(struct evl_body *body, struct event_base *base,
    const struct evlock_options *options)
{
	struct evl_identity *identity = create_identity(body);
	struct evlock *object = identity ? create_on(base, body, identity) : NULL;

	if (object)
		identify(object, options);
	else if (identity)
		forget_identity(identity, body);
	return object;
}

struct evlock *
evl_lock_create(struct event_base *base, const struct evlock_options *options,
    const struct evlock_modes *modes)
{
	struct evl_body *body = evl_body_create(options, modes, NULL);
	struct evlock *lock;

	if (!body)
		return NULL;
	lock = evl_lock_attach(body, base, options);
	evl_body_drop(body);	/* the object keeps it */
	return lock;
}

int
evl_lock_knows(const struct evlock *lock, unsigned mode)
{
	return mode < evl_core_of(lock)->n_modes &&
	    (!lock->body->outside || !evl_outside_judge(mode));
}

struct evlock *
evlock_new(struct event_base *base, const struct evlock_options *options)
{
	if (!options)
		options = &no_options;
	if (!base || !evl_options_are_valid(options)) {
		errno = EINVAL;
		return NULL;
	}
	return evl_lock_create(base, options, options->modes ? options->modes : &evl_standard_modes);
}

/* Is it the last object of its lock? */
static int
is_alone(const struct evlock *lock)
{
	return lock->body_link.next == lock->body_link.prev;
}

/* Frees an object, in a step. */
static void
dissolve(struct evlock *lock)
{
	struct evl_body *body = lock->body;

	evl_set_lose(lock);
	evl_tell_forget_all(lock);
	evl_request_end_all(lock);
	if (body->set && is_alone(lock))
		evl_set_destroy(body);
	evl_object_destroy(lock);
	if (body->outside && evl_list_is_empty(&body->objects))
		evl_outside_end(body->outside);
	if (body->keyed)
		evl_keyed_drop(body);
}

/* Frees an object.  Returns its identity, if that goes with it, or NULL. */
static struct evl_identity *
free_object(struct evlock *lock)
{
	struct evl_identity *identity = lock->identity;
	struct evl_guard *guard;
	int is_last;

	if (!evl_port_is_ours(lock->port)) {
		evl_forget_object(lock);
		return identity->n_objects ? NULL : identity;
	}
	guard = evl_body_enter(lock->body);
	dissolve(lock);
	is_last = !identity->n_objects;
	evl_body_leave(guard);
	return is_last ? identity : NULL;
}

void
evlock_free(struct evlock *lock)
{
	struct evl_identity *identity;
	struct evl_port *port;
	struct evl_body *body;

	if (!lock)
		return;
	port = lock->port;
	body = lock->body;
	identity = free_object(lock);
	if (identity)
		free_identity(identity, body);
	evl_body_drop(body);
	evl_port_put(port);
}

void
evlock_close(struct evlock *lock)
{
	struct evl_guard *guard = evl_body_enter(lock->body);

	evl_lock_close(lock);
	evl_body_leave(guard);
}

void
evl_lock_close(struct evlock *lock)
{
	if (!evl_core_of(lock)->is_closed)
		evl_set_close_from(lock);
}

struct evlock *
evlock_share(struct evlock *lock, struct event_base *base)
{
	struct evl_guard *guard;
	struct evlock *object;

	if (!evl_port_is_sharable(lock->port, lock->body->guard, base))
		return NULL;
	guard = evl_body_enter(lock->body);
	object = evl_lock_object(lock, base);
	evl_body_leave(guard);
	return object;
}

struct event_base *
evlock_get_base(const struct evlock *lock)
{
	return lock->port->base;
}
