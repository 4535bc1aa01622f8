/* SPDX-License-Identifier: BSD-3-Clause */

/* Makes, shares and frees lock objects.  Called in the thread of the object's base, except
 * evlock_share(), which may be called from any thread. */

#include <errno.h>

#include "base/mem.h"
#include "calls/close.h"
#include "calls/deliver.h"
#include "calls/forget.h"
#include "calls/objects.h"
#include "calls/watch.h"
#include "lock/member.h"
#include "lock/step.h"
#include "loop/ports.h"

static const struct evlock_options no_options;

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

static void
identify(struct evlock *lock, const struct evlock_options *options)
{
	lock->identity->scope = ++lock->pool->n_scopes;
	lock->identity->value = options->value;
	lock->identity->free_value = options->free_value;
}

/* Frees an identity after its last object.  Called in no step, because free_value() is the
 * caller's. */
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
update_far(struct evl_body *body)
{
	evl_member_update_far(body);
	if (body->kind->spread)
		body->kind->spread(body);
}

static void
join_body(struct evlock *lock, struct evl_body *body)
{
	evl_lock_keep(body);
	body->n_ports += !is_on(body, lock->port);
	evl_list_push(&body->objects, &lock->body_link);
	if (!body->guard)
		return;
	__atomic_store_n(&lock->port->is_shared, 1, __ATOMIC_RELAXED);
	update_far(body);
}

static void
leave_body(struct evlock *lock, struct evl_body *body)
{
	evl_list_remove(&lock->body_link);
	body->n_ports -= !is_on(body, lock->port);
	if (body->guard)
		update_far(body);
}

/* Sets up an object in zero-filled memory. */
static struct evlock *
set_up(struct evlock *lock, struct evl_body *body, struct evl_port *port,
    struct evl_identity *identity, struct evlock_table *table)
{
	lock->body = body;
	lock->port = port;
	lock->table = table;
	lock->pool = body->guard ? &body->guard->pool : &port->pool;
	if (body->guard || body->kind->has_own_seat)
		evl_core_mark(&body->core, EVL_NEEDS_STEP);
	lock->identity = identity;
	identity->n_objects++;
	body->core.free = &lock->pool->free;
	evl_list_init(&lock->held);
	if (!table)
		evl_ports_add(port, &port->locks, &lock->link);
	join_body(lock, body);
	return lock;
}

struct evlock *
evl_objects_create(struct evl_body *body, struct evl_port *port, struct evl_identity *identity,
    struct evlock_table *table)
{
	struct evlock *lock = evl_mem_zalloc(sizeof *lock);

	return lock ? set_up(lock, body, port, identity, table) : NULL;
}

/* Makes an object for a caller of the library.  Gets the port last, after all that can fail: only
 * the thread of the port's base may put it back, and that may be another thread. */
static struct evlock *
create_on(struct event_base *base, struct evl_body *body, struct evl_identity *identity)
{
	struct evlock *lock = evl_mem_zalloc(sizeof *lock);
	struct evl_port *port = lock ? evl_ports_get(base, &evl_deliver_calls) : NULL;

	if (port)
		return set_up(lock, body, port, identity, NULL);
	evl_mem_free(lock);
	errno = ENOMEM;
	return NULL;
}

void
evl_objects_destroy(struct evlock *lock)
{
	if (!lock->table)
		evl_ports_remove(lock->port, &lock->link);
	leave_body(lock, lock->body);
	lock->identity->n_objects--;
	evl_mem_free(lock);
}

struct evlock *
evl_objects_add(struct evlock *lock, struct event_base *base)
{
	struct evlock *object = create_on(base, lock->body, lock->identity);

	if (object && lock->body->kind->use)
		lock->body->kind->use(lock->body);
	return object;
}

struct evlock *
evl_objects_attach(struct evl_body *body, struct event_base *base,
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
evl_objects_create_lock(struct event_base *base, const struct evlock_options *options,
    const struct evlock_modes *modes)
{
	struct evl_body *body = evl_lock_create(options, modes, NULL);
	struct evlock *lock;

	if (!body)
		return NULL;
	lock = evl_objects_attach(body, base, options);
	evl_lock_drop(body);	/* the object keeps it */
	return lock;
}

struct evlock *
evlock_new(struct event_base *base, const struct evlock_options *options)
{
	if (!options)
		options = &no_options;
	if (!base || !evl_lock_takes(options)) {
		errno = EINVAL;
		return NULL;
	}
	return evl_objects_create_lock(base, options,
	    options->modes ? options->modes : &evl_lock_standard_modes);
}

/* Frees an object that has no requests.  Returns its identity if the object was its last one, else
 * NULL. */
static struct evl_identity *
dissolve(struct evlock *lock)
{
	struct evl_identity *identity = lock->identity;
	struct evl_body *body = lock->body;
	struct evl_step step;
	int is_last;

	evl_step_begin(&step, body);
	evl_objects_destroy(lock);
	is_last = !identity->n_objects;
	if (body->kind->leave)
		body->kind->leave(&step, body);
	evl_step_note(&step, body, 0);
	evl_step_end(&step);
	return is_last ? identity : NULL;
}

static struct evl_identity *
free_object(struct evlock *lock)
{
	evl_close_sets_of(lock);
	evl_watch_forget_all(lock);
	evl_close_object(lock);
	return dissolve(lock);
}

/* The same in a forked child. */
static struct evl_identity *
forget_object(struct evlock *lock)
{
	struct evl_identity *identity = lock->identity;

	evl_forget_object(lock);
	return identity->n_objects ? NULL : identity;
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
	identity = evl_ports_is_ours(port) ? free_object(lock) : forget_object(lock);
	if (identity)
		free_identity(identity, body);
	evl_lock_drop(body);
	evl_ports_put(port);
}

struct evlock *
evlock_share(struct evlock *lock, struct event_base *base)
{
	struct evl_guard *guard;
	struct evlock *object;

	if (!evl_ports_is_sharable(lock->port, lock->body->guard, base))
		return NULL;
	guard = evl_lock_enter(lock->body);
	object = evl_objects_add(lock, base);
	evl_lock_leave(guard);
	return object;
}

struct event_base *
evlock_get_base(const struct evlock *lock)
{
	return lock->port->base;
}
