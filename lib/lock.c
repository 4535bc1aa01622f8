/* SPDX-License-Identifier: BSD-3-Clause */

/* Making, closing and freeing locks.  Called in the thread of the lock's base. */

#include <errno.h>
#include <unistd.h>

#include "lock.h"
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

static struct evl_body *
create_body(const struct evlock_options *options, const struct evlock_modes *modes)
{
	size_t size = offsetof(struct evl_body, core) + evl_core_size(modes->n_modes);
	struct evl_body *body = evl_mem_zalloc(size);

	if (!body)
		return NULL;
	evl_core_init(&body->core, modes, !!(options->flags & EVLOCK_OPT_PREFER_EXCLUSIVE));
	evl_list_init(&body->sets);
	evl_list_init(&body->notifies);
	evl_list_init(&body->notices);
	body->n_objects = 1;	/* whoever creates it */
	if (name_body(body, options->name) == 0)
		return body;
	evl_mem_free(body);
	return NULL;
}

void
evl_body_drop(struct evl_body *body)
{
	if (--body->n_objects)
		return;
	if (body->free_value)
		body->free_value(body->value);
	evl_mem_free(body->permit);
	evl_mem_free(body->name);
	evl_mem_free(body);
}

/* --- Objects -------------------------------------------------------------- */

/* Makes an object for `body`; `port` becomes its user. */
static struct evlock *
create_object(struct evl_body *body, struct evl_port *port)
{
	struct evlock *lock = evl_mem_zalloc(sizeof *lock);

	if (!lock)
		return NULL;
	lock->body = body;
	lock->port = port;
	lock->pool = &port->pool;
	evl_list_init(&lock->held);
	evl_list_push(&port->locks, &lock->link);
	body->n_objects++;
	return lock;
}

struct evlock *
evl_lock_object(struct evlock *lock)
{
	struct evl_port *port = evl_port_get(lock->port->base);
	struct evlock *object;

	if (!port)
		return NULL;
	object = create_object(lock->body, port);
	if (!object)
		evl_port_put(port);
	return object;
}

static struct evlock *
create_on_port(struct evl_port *port, const struct evlock_options *options,
    const struct evlock_modes *modes)
{
	struct evl_body *body = create_body(options, modes);
	struct evlock *lock;

	if (!body)
		return NULL;
	lock = create_object(body, port);
	evl_body_drop(body);	/* the object keeps it */
	if (!lock)
		return NULL;
	body->scope = ++port->n_scopes;
	body->value = options->value;
	body->free_value = options->free_value;
	return lock;
}

struct evlock *
evl_lock_create(struct event_base *base, const struct evlock_options *options,
    const struct evlock_modes *modes)
{
	struct evl_port *port = evl_port_get(base);
	struct evlock *lock;

	if (!port)
		return NULL;
	lock = create_on_port(port, options, modes);
	if (!lock) {
		evl_port_put(port);
		errno = ENOMEM;
	}
	return lock;
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

void
evlock_free(struct evlock *lock)
{
	struct evl_port *port;
	struct evl_body *body;

	if (!lock)
		return;
	port = lock->port;
	body = lock->body;
	if (port->scoped == lock)
		port->scoped = NULL;
	evl_list_remove(&lock->link);
	evl_set_lose(lock);
	evl_tell_forget_all(lock);
	evl_request_end_all(lock, getpid() == port->pid);
	if (body->set)
		evl_set_destroy(lock);
	evl_mem_free(lock);
	if (body->keyed)
		evl_keyed_free_object(body);
	evl_body_drop(body);
	evl_port_wake(port);
	evl_port_put(port);
}

void
evlock_close(struct evlock *lock)
{
	if (!evl_core_of(lock)->is_closed)
		evl_set_close_from(lock);
}

struct evlock *
evlock_share(struct evlock *lock, struct event_base *base)
{
	(void)lock;
	(void)base;
	errno = ENOTSUP;
	return NULL;
}

struct event_base *
evlock_get_base(const struct evlock *lock)
{
	return lock->port->base;
}
