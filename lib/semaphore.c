/* SPDX-License-Identifier: BSD-3-Clause */

/* Semaphores: locks with one mode, whose limit can be changed. */

#include <errno.h>

#include <evlock/semaphore.h>

#include "lock.h"
#include "mem.h"

static const struct evlock_options no_options;

/* A limit of 0 means none, so that none at all needs a predicate. */
static int
is_never(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	(void)mode;
	(void)units;
	(void)held;
	(void)arg;
	return 0;
}

static void
set_permits(struct evlock_mode *mode, uint32_t permits)
{
	mode->limit = permits;
	mode->is_compatible = permits ? NULL : is_never;
}

static struct evlock_mode *
create_mode(uint32_t permits)
{
	struct evlock_mode *mode = evl_mem_zalloc(sizeof *mode);

	if (!mode)
		return NULL;
	mode->name = "permit";
	set_permits(mode, permits);
	return mode;
}

struct evlock *
evlock_semaphore_new(struct event_base *base, uint32_t permits,
    const struct evlock_options *options)
{
	struct evlock_modes modes = { NULL, 1, NULL };
	struct evlock_mode *mode;
	struct evlock *lock;

	if (!options)
		options = &no_options;
	if (!base || options->modes || !evl_options_are_valid(options)) {
		errno = EINVAL;
		return NULL;
	}
	mode = create_mode(permits);
	if (!mode)
		return NULL;
	modes.mode = mode;
	lock = evl_lock_create(base, options, &modes);
	if (!lock) {
		evl_mem_free(mode);
		return NULL;
	}
	lock->body->core.is_counted = 1;
	lock->body->permit = mode;
	return lock;
}

int
evlock_semaphore_resize(struct evlock *semaphore, uint32_t permits)
{
	struct evl_body *body = semaphore->body;
	struct evl_guard *guard;

	if (!body->permit) {
		errno = EINVAL;
		return -1;
	}
	guard = evl_body_enter(body);
	set_permits(body->permit, permits);
	body->core.is_conditional = !permits;
	evl_core_promote(&body->core, evl_lock_fifo(semaphore));
	evl_lock_settle(semaphore, 1);
	evl_body_leave(guard);
	return 0;
}

uint32_t
evlock_semaphore_available(const struct evlock *semaphore)
{
	const struct evl_body *body = semaphore->body;
	struct evl_guard *guard = evl_body_enter(body);
	uint32_t held = evl_core_held(&body->core)[EVLOCK_PERMIT];
	uint32_t limit = body->permit ? body->permit->limit : 0;

	evl_body_leave(guard);
	return limit > held ? limit - held : 0;
}
