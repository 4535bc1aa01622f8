/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SCENARIO_H_INCLUDED_
#define SCENARIO_H_INCLUDED_

/* Shared by the tests that run out of memory.  A scenario is played again and again: first its
 * first allocation fails, then its second, and so on to the last.  Include it after util.h. */

/** A scenario, with a `base` of its own. */
struct scenario {
	void (*begin)(void);	/**< before memory may run out */
	void (*use)(void);	/**< calls by TRY() */
	void (*end)(void);	/**< frees what use() made */
	void (*clear)(void);	/**< frees what begin() made, when there is memory again */
	size_t (*count)(void);	/**< counts what evlock_dump() does not show; or NULL */
};

/** Plays the scenario until each of its allocations has failed.  Checks that there are more than
 * `least`.  `for_ever`: all later allocations fail too; otherwise only that one. */
void fail_each_allocation(const struct scenario *scenario, int for_ever, long least);

extern int is_for_ever;
extern int is_out;		/**< an allocation has failed in this round */

#define MOST_ASKED 1000

/** For each request that was made: is its callback due, and how often did it run? */
extern unsigned n_asked;
extern int is_due[MOST_ASKED], was_told[MOST_ASKED];

/** An evlock_cb: its `arg` is one of was_told. */
void count_told(struct evlock *lock, evlock_handle handle, int error, void *arg);

/** The state that must be the same after a call that fails. */
struct picture {
	const char *state;
	size_t count;
};

struct picture picture(void);
void look_at_failure(struct picture before);

/** Makes a call.  If it fails, it is made again.  It must succeed then, unless all later
 * allocations fail: then it must fail again, which ends the scenario. */
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

/** Makes a request that calls back count_told() with `arg`. */
#define TRY_TO_ASK(call) \
	do { \
		int *arg = &was_told[n_asked]; \
		cr_assert_lt(n_asked, MOST_ASKED); \
		is_due[n_asked] = 0; \
		TRY(call, 0); \
		is_due[n_asked++] = 1; \
	} while (0)

#endif
