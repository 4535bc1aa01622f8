/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UTIL3_H_INCLUDED_
#define UTIL3_H_INCLUDED_

/* Shared by the tests of semaphores, owners, sets and tables, beside util.h.  Include it after
 * that. */

#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>

/** As ASK(), now or not at all: NOW(lock, .mode = S, .units = 2). */
#define NOW(lock, ...) \
	evlock_acquire_request(lock, &(struct evlock_request){ __VA_ARGS__ })

/** Acquires the lock at once for an owner. */
evlock_handle hold_by(struct evlock_owner *owner, struct evlock *lock, unsigned mode);

/** Makes a request for an owner, whose callback records `who`. */
evlock_handle ask_by(struct evlock_owner *owner, struct evlock *lock, const char *who,
    unsigned mode);

/** Releases everything of an owner, then returns run(). */
const char *let_all_go(struct evlock_owner *owner);

/** evlock_convert() with a callback that records `who`.  May fail. */
int try_to_convert(struct evlock *lock, const char *who, evlock_handle handle, unsigned mode);

struct evlock *new_lock(const char *name);
struct evlock_owner *new_owner(const char *name);

/** Makes a set of two locks, each in the given mode or EVLOCK_SAME_MODE. */
struct evlock *new_set(struct evlock *a, int a_mode, struct evlock *b, int b_mode);

/** Makes a set of any number of locks, all in EVLOCK_SAME_MODE. */
#define SET(...) \
	set_of((struct evlock *[]){ __VA_ARGS__ }, \
	    sizeof (struct evlock *[]){ __VA_ARGS__ } / sizeof (struct evlock *))
struct evlock *set_of(struct evlock **locks, size_t n);

/** As assert_refused(), without comparing the dump. */
#define assert_errno(call, failure, error) \
	do { \
		errno = 0; \
		cr_assert((call) == failure, #call " does not fail"); \
		cr_assert(errno == (error), "errno is %s, not " #error, strerror(errno)); \
	} while (0)

/** Could the lock be acquired at once in `mode`? */
int could_hold(struct evlock *lock, unsigned mode);

#endif
