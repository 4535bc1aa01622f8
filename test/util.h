/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UTIL_H_INCLUDED_
#define UTIL_H_INCLUDED_

/* Shared by the unit tests: a lock, callbacks that record how they were called, and an allocator
 * that counts and fails.  Include it after shim.h. */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <event2/event.h>

#include <evlock/evlock.h>
#include <evlock/semaphore.h>
#include <evlock/table.h>

/** Short for the modes of a lock made without a mode table. */
enum { N = EVLOCK_NONE, S = EVLOCK_SHARED, U = EVLOCK_UPGRADABLE, X = EVLOCK_EXCLUSIVE };

/** A lock named "lock" on a base, for most tests. */
extern struct event_base *base;
extern struct evlock *lock;

/** A Test() that has `base` and `lock`.  At its end it checks that told() has returned everything
 * that was recorded, and that all memory was freed.  This is part of the test itself, because
 * Criterion does not notice what fails in a .fini. */
#define LockTest(suite, name) \
	static void suite##_##name##_body(void); \
	Test(suite, name) \
	{ \
		begin(); \
		suite##_##name##_body(); \
		end(); \
	} \
	static void \
	suite##_##name##_body(void)

/** One of several tests that differ only in a mode.  Their body follows the macro and uses
 * `mode`. */
#define LockTestInMode(suite, name, mode_) \
	LockTest(suite, name##_##mode_) { suite##_##name(mode_); }

/** Such tests for several modes, by LockTestInMode() or a macro like it. */
#define TestInEachMode(test_in_mode, suite, name) \
	static void suite##_##name(unsigned mode); \
	test_in_mode(suite, name, N) \
	test_in_mode(suite, name, S) \
	test_in_mode(suite, name, X) \
	static void \
	suite##_##name(unsigned mode)

#define TestInSharedAndExclusive(test_in_mode, suite, name) \
	static void suite##_##name(unsigned mode); \
	test_in_mode(suite, name, S) \
	test_in_mode(suite, name, X) \
	static void \
	suite##_##name(unsigned mode)

void begin(void);
void end(void);

/* --- Requests ------------------------------------------------------------- */

/** Acquires the lock at once. */
evlock_handle hold(struct evlock *lock, unsigned mode);

/** Makes a request whose callback records `who`. */
evlock_handle ask(struct evlock *lock, const char *who, unsigned mode);

/** The same with a timeout in milliseconds. */
evlock_handle ask_for(struct evlock *lock, const char *who, unsigned mode, long ms);

/** Makes a request whose callback is `cb`, with `who` as `arg`. */
evlock_handle ask_then(struct evlock *lock, const char *who, unsigned mode, evlock_cb cb);

/** As ask(), by an evlock_request: ASK(lock, "a", .mode = S, .priority = 3).  A `cb` may be given.
 * May fail. */
#define ASK(lock, who, ...) \
	evlock_acquire_request(lock, request_by(who, &(struct evlock_request){ __VA_ARGS__ }))

struct evlock_request *request_by(const char *who, struct evlock_request *request);

/** Converts, with a callback that records `who`. */
void convert(struct evlock *lock, const char *who, evlock_handle handle, unsigned mode);

/** Releases a handle, which must be known. */
void drop(struct evlock *lock, evlock_handle handle);

struct timeval milliseconds(long ms);

/* --- Callbacks ------------------------------------------------------------ */

/** An evlock_cb that records the name in `arg` and how the request ended: "a" if it was granted,
 * else "a:ETIMEDOUT". */
void note(struct evlock *lock, evlock_handle handle, int error, void *who);

/** The same; releases the lock if it was granted. */
void note_and_drop(struct evlock *lock, evlock_handle handle, int error, void *who);

/** "ETIMEDOUT" and the like. */
const char *error_name(int error);

/** Makes an event on `base` that records `who` when it is activated. */
struct event *new_event(const char *who);

/** Records a word. */
void write_down(const char *word);

/** Returns all words recorded since the last call, in one line. */
const char *told(void);

/** Runs the loop until it ends by itself, then returns told(). */
const char *run(void);

/** Releases a handle, which must be known, then returns run(). */
const char *let_go(struct evlock *lock, evlock_handle handle);

/** Runs the loop until nothing is ready, without waiting, then returns told(). */
const char *turn(void);

/* --- Looking -------------------------------------------------------------- */

/** Returns the dump of `base`.  The text is valid until the fourth next call.  Its allocations
 * neither fail nor count. */
const char *state(void);

/** Checks that the call returns `failure` with this errno, and changes nothing in the dump. */
#define assert_fails_with(call, failure, error) \
	do { \
		const char *state_before = state(); \
		errno = 0; \
		cr_assert((call) == failure, #call " does not fail"); \
		cr_assert(errno == (error), "errno is %s, not " #error, strerror(errno)); \
		cr_assert_str_eq(state(), state_before); \
	} while (0)

/** The same for calls that return -1, and for those that return a handle or a pointer. */
#define assert_fails(call, error) assert_fails_with(call, -1, error)
#define assert_refused(call, error) assert_fails_with(call, 0, error)

/** Returns `n`, or a tenth of it at scale "small". */
unsigned scaled(unsigned n);

/* --- THREADSAFE locks ------------------------------------------------------- */

/** Is EVLOCK_TEST_THREADSAFE set in the environment?  Then all locks, semaphores and tables of the
 * tests are THREADSAFE, which must make no difference. */
int is_threadsafe(void);

/** Runs the loop once if the locks are THREADSAFE: another thread could have ended a request, so
 * its memory is given back by the loop.  No callback runs. */
void settle(void);

/** Returns `options`, with EVLOCK_OPT_THREADSAFE if the locks are to be.  Valid until the eighth
 * next call. */
const struct evlock_options *in_scope(const struct evlock_options *options);

#define evlock_new(base, ...) evlock_new(base, in_scope(__VA_ARGS__))
#define evlock_semaphore_new(base, n, ...) evlock_semaphore_new(base, n, in_scope(__VA_ARGS__))
#define evlock_table_new(base, ...) evlock_table_new(base, in_scope(__VA_ARGS__))

/* --- Memory --------------------------------------------------------------- */

/** Allocations of evlock and libevent since begin(). */
struct memory {
	long live;		/**< allocations not yet freed */
	long made;		/**< all allocations, including those that failed */
	long first_bad;		/**< the number of the first that fails ... */
	long last_bad;		/**< ... and of the last; 0: none */
};

extern struct memory memory;

#endif
