/* SPDX-License-Identifier: BSD-3-Clause */

/* Semaphores: locks with one mode, whose limit can be changed.  Called in the thread of the lock's
 * base. */

#include <evlock/semaphore.h>

#include "base/fail.h"
#include "base/mem.h"
#include "calls/objects.h"
#include "lock/step.h"

static const struct evlock_options no_options;

/* The predicate of a semaphore without permits, because a limit of 0 would mean no limit. */
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

static struct evlock_mode *
permit_of(const struct evl_body *body)
{
	return body->of_kind;
}

/* Does not look at `units`: the semaphore may get more permits later. */
static int
judge(const struct evlock *lock, unsigned mode, uint32_t units)
{
	(void)units;
	return mode < evl_lock_core(lock)->n_modes ? 0 : EINVAL;
}

static void
destroy(struct evl_body *body)
{
	evl_mem_free(permit_of(body));
}

static const struct evl_kind semaphore_kind = {
	.judge = judge,
	.destroy = destroy,
	.has_moving_limits = 1
};

static int
is_semaphore(const struct evl_body *body)
{
	return body->kind == &semaphore_kind;
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
	if (!base || options->modes || !evl_lock_takes(options)) {
		errno = EINVAL;
		return NULL;
	}
	mode = create_mode(permits);
	if (!mode)
		return NULL;
	modes.mode = mode;
	lock = evl_objects_create_lock(base, options, &modes);
	if (!lock) {
		evl_mem_free(mode);
		return NULL;
	}
	evl_core_mark(&lock->body->core, EVL_IS_COUNTED);
	lock->body->of_kind = mode;
	lock->body->kind = &semaphore_kind;
	return lock;
}

/* Returns 0 if the lock is no semaphore.  Checks that in a step, because another thread may be
 * changing the kind of a key's lock, by freeing its table. */
static int
resize(struct evl_step *step, struct evl_body *body, uint32_t permits)
{
	if (!is_semaphore(body))
		return 0;
	set_permits(permit_of(body), permits);
	body->core.is_conditional = !permits;
	evl_step_touch(step, body, 1);
	return 1;
}

int
evlock_semaphore_resize(struct evlock *semaphore, uint32_t permits)
{
	struct evl_body *body = semaphore->body;
	struct evl_step step;
	int is_resized;

	evl_step_begin(&step, body);
	is_resized = resize(&step, body, permits);
	evl_step_end(&step);
	return is_resized ? 0 : evl_fail(EINVAL);
}

uint32_t
evlock_semaphore_available(const struct evlock *semaphore)
{
	const struct evl_body *body = semaphore->body;
	struct evl_guard *guard = evl_lock_enter(body);
	uint32_t held = evl_core_held(&body->core)[EVLOCK_PERMIT];
	uint32_t limit = is_semaphore(body) ? permit_of(body)->limit : 0;

	evl_lock_leave(guard);
	return limit > held ? limit - held : 0;
}
