/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UTIL_H_INCLUDED_
#define UTIL_H_INCLUDED_

/* What the unit tests share: a lock to play with, callbacks that write down what
 * they are told, and an allocator that counts and fails.  Included after shim.h. */

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <event2/event.h>

#include <evlock/evlock.h>
#include <evlock/semaphore.h>
#include <evlock/table.h>

/** Short for the modes of a lock made without a mode table. */
enum { N = EVLOCK_NONE, S = EVLOCK_SHARED, U = EVLOCK_UPGRADABLE, X = EVLOCK_EXCLUSIVE };

/** What most tests use: a lock named "lock" on a base. */
extern struct event_base *base;
extern struct evlock *lock;

/** A Test() that has `base` and `lock`.  Checked at its end: all that was told has
 * been looked at by told(), and all memory was freed.  That is part of the test
 * itself, as Criterion does not hear of what fails in a .fini. */
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

/** The same for one of a row of tests, which only differ in a mode: what is behind
 * the macro is their body, and `mode` is theirs. */
#define LockTestInMode(suite, name, mode_) \
	LockTest(suite, name##_##mode_) { suite##_##name(mode_); }

/** A row of them, or of others like LockTestInMode(). */
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

/* --- Asking --------------------------------------------------------------- */

/** Acquires at once. */
evlock_handle hold(struct evlock *lock, unsigned mode);

/** Acquires, and when called back writes down `who`. */
evlock_handle ask(struct evlock *lock, const char *who, unsigned mode);

/** The same with a timeout, in milliseconds. */
evlock_handle ask_for(struct evlock *lock, const char *who, unsigned mode, long ms);

/** Acquires, and is called back at `cb`, with `who`. */
evlock_handle ask_then(struct evlock *lock, const char *who, unsigned mode, evlock_cb cb);

/** As ask(), by an evlock_request: ASK(lock, "a", .mode = S, .priority = 3).
 * A `cb` may be given, too.  May fail. */
#define ASK(lock, who, ...) \
	evlock_acquire_request(lock, request_by(who, &(struct evlock_request){ __VA_ARGS__ }))

struct evlock_request *request_by(const char *who, struct evlock_request *request);

/** Converts, and when called back writes down `who`. */
void convert(struct evlock *lock, const char *who, evlock_handle handle, unsigned mode);

/** Releases what must be known. */
void drop(struct evlock *lock, evlock_handle handle);

struct timeval milliseconds(long ms);

/* --- Being told ----------------------------------------------------------- */

/** An evlock_cb: writes down the name that is its `arg`, and how the request ended:
 * "a" for granted, "a:ETIMEDOUT". */
void note(struct evlock *lock, evlock_handle handle, int error, void *who);

/** The same, and releases what was granted. */
void note_and_drop(struct evlock *lock, evlock_handle handle, int error, void *who);

/** "ETIMEDOUT" and the like. */
const char *error_name(int error);

/** An event on `base` that writes down `who` when it is activated. */
struct event *new_event(const char *who);

/** Writes down a word. */
void write_down(const char *word);

/** What was written down since the last look, in one line. */
const char *told(void);

/** Runs the loop until nothing is left to run or to wait for, then as told(). */
const char *run(void);

/** Releases what must be known, then as run(). */
const char *let_go(struct evlock *lock, evlock_handle handle);

/** Runs the loop until nothing is ready, without waiting; then as told(). */
const char *turn(void);

/* --- Looking -------------------------------------------------------------- */

/** Everything that evlock_dump() knows of `base`; good for four calls.  Its allocations neither
 * fail nor count. */
const char *state(void);

/** The call returns `failure`, with errno, and nothing changes. */
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

/** `n`, or a tenth of it where everything is slow. */
unsigned scaled(unsigned n);

/* --- As threads use them ---------------------------------------------------- */

/** Are the tests run with EVLOCK_TEST_THREADSAFE in the environment?  Then all locks,
 * semaphores and tables that they make are THREADSAFE, which must make no difference. */
int is_threadsafe(void);

/** Then lets the loop see what has ended: it may have been another thread that ended it, and
 * the memory goes back in the base's own.  Nobody is told of anything by that. */
void settle(void);

/** Such options, or the same; good for eight calls. */
const struct evlock_options *in_scope(const struct evlock_options *options);

#define evlock_new(base, ...) evlock_new(base, in_scope(__VA_ARGS__))
#define evlock_semaphore_new(base, n, ...) evlock_semaphore_new(base, n, in_scope(__VA_ARGS__))
#define evlock_table_new(base, ...) evlock_table_new(base, in_scope(__VA_ARGS__))

/* --- Memory --------------------------------------------------------------- */

/** What evlock and libevent have allocated, from begin() on. */
struct memory {
	long live;		/**< allocations not yet freed */
	long made;		/**< allocations ever; counts those that fail, too */
	long first_bad;		/**< from this one on they fail, ... */
	long last_bad;		/**< ... to this one; 0: none */
};

extern struct memory memory;

#endif
