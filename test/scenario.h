/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SCENARIO_H_INCLUDED_
#define SCENARIO_H_INCLUDED_

/* What the tests share that run out of memory: a scenario that is played again and again, with
 * the first of its allocations failing, the second, ... and the last.  Included after util.h. */

/** What is played, on a `base` of its own. */
struct scenario {
	void (*begin)(void);	/**< before memory may run out */
	void (*use)(void);	/**< calls by TRY() */
	void (*end)(void);	/**< frees what use() made */
	void (*clear)(void);	/**< frees what begin() made, when there is memory again */
	size_t (*count)(void);	/**< of what evlock_dump() does not know; or NULL */
};

/** Plays it until all its allocations have failed, more than `least`.  Once: only one at a time
 * fails.  For ever: all that come after it fail, too. */
void fail_each_allocation(const struct scenario *scenario, int for_ever, long least);

extern int is_for_ever;
extern int is_out;		/**< it happened, in this round */

#define MOST_ASKED 1000

/** Of each request that was asked: is it to be told, and how often was it? */
extern unsigned n_asked;
extern int is_due[MOST_ASKED], was_told[MOST_ASKED];

/** An evlock_cb: its `arg` is one of was_told. */
void count_told(struct evlock *lock, evlock_handle handle, int error, void *arg);

/** What should be the same after a call that fails. */
struct picture {
	const char *state;
	size_t count;
};

struct picture picture(void);
void look_at_failure(struct picture before);

/** Calls.  If that fails, once: it works the second time.  For ever: it fails again, which ends
 * the scenario. */
#define TRY(call, failure) \
	do { \
		struct picture before = picture(); \
		errno = 0; \
		if ((call) != failure) \
			break; \
		look_at_failure(before); \
		errno = 0; \
		if ((call) != failure) { \
			cr_assert_not(is_for_ever); \
			break; \
		} \
		cr_assert(is_for_ever, "failed again: %s", #call); \
		look_at_failure(before); \
		return; \
	} while (0)

/** Acquires something that will be called back at count_told(), with `arg`. */
#define TRY_TO_ASK(call) \
	do { \
		int *arg = &was_told[n_asked]; \
		cr_assert_lt(n_asked, MOST_ASKED); \
		is_due[n_asked] = 0; \
		TRY(call, 0); \
		is_due[n_asked++] = 1; \
	} while (0)

#endif
