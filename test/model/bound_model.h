/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BOUND_MODEL_H_INCLUDED_
#define BOUND_MODEL_H_INCLUDED_

/* What owners, sets and conversions must do, written to be obvious: no queue, count or
 * graph is kept; who is next, what fits and who waits in vain is worked out from a list
 * of all requests anew, the last by dreaming on: whoever waits for nothing ends, and
 * whoever waits still when nobody ends any more, waits for ever.
 *
 * Knows the contract (evlock/evlock.h, owner.h, set.h) and nothing of lib/.  Where the
 * contract leaves a choice, a comment at the place says which one was made.
 *
 * A request is named by its place in the list, `who`, which the test chooses. */

#include <stdint.h>

#include <evlock/evlock.h>

#define BOUND_LOCKS	8	/* sets are locks */
#define BOUND_OWNERS	4	/* 1 to 4; 0: none */
#define BOUND_REQUESTS	16
#define BOUND_MEMBERS	4	/* of one set */
#define BOUND_SEATS	(1 + BOUND_LOCKS)

enum bound_state {
	BOUND_GONE,
	BOUND_PULLED,	/* out of the queue, to go ahead of it in the same step */
	BOUND_WAITING,
	BOUND_HOLDING,	/* of a conversion: given, and not yet told */
	BOUND_FAILED	/* and not yet told */
};

/* A place in the queue of one lock.  The first is in that of the lock that was asked. */
struct bound_seat {
	uint8_t lock;
	uint8_t mode;
	uint8_t is_fixed;	/* the set has a mode of its own for this member */
};

struct bound_request {
	uint8_t state;
	uint8_t owner;
	uint8_t lock;
	uint8_t priority;
	uint8_t is_ahead;	/* of the queue */
	uint8_t n_seats;
	struct bound_seat seat[BOUND_SEATS];
	uint8_t conversion;	/* a bound_state */
	uint8_t conversion_mode;
	unsigned made;		/* when it was asked for */
	unsigned arrival;	/* in the queue, or ahead of it */
	unsigned conversion_arrival;
};

struct bound_lock {
	const struct evlock_modes *modes;	/* NULL: a set */
	unsigned n_members;
	uint8_t member[BOUND_MEMBERS];
	int member_mode[BOUND_MEMBERS];
	int is_closed;
};

/* What a callback has still to be told. */
struct bound_outcome {
	uint8_t who;
	uint8_t is_conversion;
	int error;
	unsigned step;		/* in which it came about */
};

struct bound_model {
	unsigned n_locks, n_requests;
	struct bound_lock lock[BOUND_LOCKS];
	struct bound_request request[BOUND_REQUESTS];
	unsigned next_arrival, step;
	int is_dream;
	unsigned n_outcomes;
	struct bound_outcome outcome[2 * BOUND_REQUESTS];
	/* Locks in whose queue a request of that owner waited, and gave up in this step. */
	uint32_t given_up[1 + BOUND_OWNERS];
	/* In which order locks are looked at when several are left at once.  The contract says
	 * nothing of it: any will do. */
	uint8_t order[BOUND_LOCKS];
};

struct bound_asked {
	uint8_t owner, lock, mode, priority;
};

/* The four modes of a lock made without a table. */
extern const struct evlock_modes bound_standard_modes;

void bound_init(struct bound_model *m, unsigned n_requests);
unsigned bound_add_lock(struct bound_model *m, const struct evlock_modes *modes);
unsigned bound_add_set(struct bound_model *m);
void bound_add_member(struct bound_model *m, unsigned set, unsigned lock, int mode);

/* --- What happens: 0, or the errno that the caller is to see ---------------- */

/* `who` must be GONE.  Without nowait, the outcome is told later. */
int bound_acquire(struct bound_model *m, unsigned who, struct bound_asked asked, int is_nowait);
int bound_convert(struct bound_model *m, unsigned who, unsigned mode, int is_nowait);
int bound_end(struct bound_model *m, unsigned who);
unsigned bound_release_all(struct bound_model *m, unsigned owner);
void bound_close(struct bound_model *m, unsigned lock);
void bound_expire(struct bound_model *m, unsigned who, int is_conversion);

/* A callback runs.  Returns NULL, or what is wrong with that. */
const char *bound_tell(struct bound_model *m, unsigned who, int is_conversion, int error);

/* --- What can be seen -------------------------------------------------------- */

uint32_t bound_held(const struct bound_model *m, unsigned lock, unsigned mode);
unsigned bound_locked(const struct bound_model *m, unsigned lock);
size_t bound_waiting(const struct bound_model *m, unsigned lock);
int bound_mode_of(const struct bound_model *m, unsigned lock, unsigned who);	/* -1: none */
int bound_owner_mode(const struct bound_model *m, unsigned owner, unsigned lock);

/* Those who wait and could never be granted: bit `who`, and for conversions 16 + `who`. */
uint32_t bound_stuck(const struct bound_model *m);

/* What is wrong with a state by itself, or NULL: I1, I2 of lib/README. */
const char *bound_fault(const struct bound_model *m);

#endif
