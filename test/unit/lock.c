/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_new() and its options. */

#include <string.h>

#include "../shim.h"
#include "../util.h"

LockTest(lock, options_may_be_left_out)
{
	static const struct evlock_options zeros;
	struct evlock *a = evlock_new(base, NULL), *b = evlock_new(base, &zeros);

	cr_assert_not_null(a);
	cr_assert_not_null(b);
	hold(a, X);
	hold(b, X);
	evlock_free(a);
	evlock_free(b);
}

LockTest(lock, flags)
{
	struct evlock_options options = {
		.flags = EVLOCK_OPT_THREADSAFE | EVLOCK_OPT_PREFER_EXCLUSIVE
	};
	struct evlock *l;
	unsigned bit;

	for (bit = 0; bit < 32; bit++) {
		options.flags = 1u << bit;
		if (options.flags & (EVLOCK_OPT_THREADSAFE | EVLOCK_OPT_PREFER_EXCLUSIVE)) {
			l = evlock_new(base, &options);
			cr_assert_not_null(l);
			evlock_free(l);
		} else {
			assert_refused(evlock_new(base, &options), EINVAL);
		}
	}
}

LockTest(lock, name_is_copied)
{
	char name[] = "first";
	struct evlock *l = evlock_new(base, &(struct evlock_options){ .name = name });

	strcpy(name, "other");
	cr_assert_not_null(strstr(state(), "first"));
	cr_assert_null(strstr(state(), "other"));
	evlock_free(l);
}

LockTest(lock, options_are_copied)
{
	static const struct evlock_mode mode = { .name = "mutex", .conflicts = 1 };
	struct evlock_modes modes = { .mode = &mode, .n_modes = 1 };
	struct evlock_options options = { .modes = &modes, .value = &modes };
	struct evlock *l = evlock_new(base, &options);

	memset(&options, 0xff, sizeof options);
	hold(l, 0);
	assert_refused(evlock_acquire_nowait(l, 0), EAGAIN);
	assert_refused(evlock_acquire_nowait(l, 1), EINVAL);
	evlock_free(l);
}

LockTest(lock, bad_modes)
{
	static const struct evlock_mode mode[EVLOCK_MAX_MODES + 1];
	struct evlock_modes modes = { .mode = mode, .n_modes = 0 };
	struct evlock_options options = { .modes = &modes };

	assert_refused(evlock_new(base, &options), EINVAL);
	modes.n_modes = EVLOCK_MAX_MODES + 1;
	assert_refused(evlock_new(base, &options), EINVAL);
	modes.n_modes = UINT32_MAX;
	assert_refused(evlock_new(base, &options), EINVAL);
	modes.n_modes = 1;
	modes.mode = NULL;
	assert_refused(evlock_new(base, &options), EINVAL);
}

LockTest(lock, bad_base)
{
	assert_refused(evlock_new(NULL, NULL), EINVAL);
}

LockTest(lock, many)
{
	struct evlock *l[300];
	unsigned i;

	for (i = 0; i < 300; i++) {
		l[i] = evlock_new(base, NULL);
		hold(l[i], X);
	}
	for (i = 0; i < 300; i += 2)
		evlock_free(l[i]);
	for (i = 1; i < 300; i += 2) {
		cr_assert_eq(evlock_locked(l[i]), X);
		evlock_free(l[i]);
	}
}

LockTest(lock, many_bases)
{
	struct event_base *b[50];
	struct evlock *l[50];
	unsigned i;

	for (i = 0; i < 50; i++) {
		b[i] = event_base_new();
		l[i] = evlock_new(b[i], NULL);
		ask(l[i], "a", X);
	}
	for (i = 0; i < 50; i++) {
		event_base_dispatch(b[i]);
		cr_assert_str_eq(told(), "a");
		evlock_free(l[i]);
		event_base_free(b[i]);
	}
}

/* --- What is not there yet ------------------------------------------------ */

LockTest(lock, share_is_not_supported)
{
	struct evlock *l = evlock_new(base,
	    &(struct evlock_options){ .flags = EVLOCK_OPT_THREADSAFE });

	assert_refused(evlock_share(l, base), ENOTSUP);
	evlock_free(l);
}
