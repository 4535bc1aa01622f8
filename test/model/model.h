/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MODEL_H_INCLUDED_
#define MODEL_H_INCLUDED_

/* The required behaviour of locks, sets and owners, written to be obvious.  The tests run the model
 * beside the library and compare the two.
 *
 * The model keeps a list of all requests, and no queue, count or graph.  It works out everything
 * else from that list each time.  To find out which requests wait for ever, it plays on: every
 * owner that waits for nothing ends, and the requests that wait when no owner ends any more wait
 * for ever.
 *
 * The model knows the contract (<evlock/evlock.h>, owner.h, set.h) and nothing of lib/.  Where the
 * contract leaves a choice, a comment names the choice that was made.
 *
 * A request is named by its place in the list, `who`, which the test chooses. */

#include <stdint.h>

#include <evlock/evlock.h>

#define MODEL_LOCKS	8	/* sets are locks */
#define MODEL_OWNERS	4	/* 1 to 4; 0: none */
#define MODEL_REQUESTS	16
#define MODEL_MEMBERS	4	/* of one set */
#define MODEL_SEATS	(1 + MODEL_LOCKS)

enum model_state {
	MODEL_GONE,
	MODEL_PULLED,	/* out of the queue, to go ahead of it in the same step */
	MODEL_WAITING,
	MODEL_HOLDING,	/* of a conversion: granted, but not called back yet */
	MODEL_FAILED	/* but not called back yet */
};

/* A place in the queue of one lock.  A request's first seat is in the lock that was asked. */
struct model_seat {
	uint8_t lock;
	uint8_t mode;
	uint8_t is_fixed;	/* the set has a mode of its own for this member */
	uint32_t units;
};

struct model_request {
	uint8_t state;
	uint8_t owner;
	uint8_t lock;
	uint8_t priority;
	uint8_t is_ahead;	/* of the queue */
	uint8_t n_seats;
	struct model_seat seat[MODEL_SEATS];
	uint8_t conversion;	/* a model_state */
	uint8_t conversion_mode;
	unsigned made;		/* when it was asked for */
	unsigned arrival;	/* in the queue, or ahead of it */
	unsigned conversion_arrival;
};

struct model_lock {
	const struct evlock_modes *modes;	/* NULL: a set */
	int prefers_last;			/* EVLOCK_OPT_PREFER_EXCLUSIVE */
	unsigned n_members;
	uint8_t member[MODEL_MEMBERS];
	int member_mode[MODEL_MEMBERS];
	int is_closed;
	int is_dying;				/* evlock_free() is under way */
};

/* A callback that is due. */
struct model_outcome {
	uint8_t who;
	uint8_t is_conversion;
	int error;
	unsigned step;		/* that made it due */
};

struct model {
	unsigned n_locks, n_requests;
	struct model_lock lock[MODEL_LOCKS];
	struct model_request request[MODEL_REQUESTS];
	unsigned next_arrival, step;
	int dream;		/* 0, or the argument of play_on() for a copy that plays on */
	unsigned n_outcomes;
	struct model_outcome outcome[2 * MODEL_REQUESTS];
	/* The locks that a request of each owner has left in this step. */
	uint32_t given_up[1 + MODEL_OWNERS];
	/* The order in which a step that concerns several locks looks at them.  The contract
	 * allows any. */
	uint8_t order[MODEL_LOCKS];
	unsigned reading;	/* of the contract, see above; 0: the usual one */
};

/* The contract can be read in several ways where it says how deadlocks are found. */
enum {
	/* A call succeeds although a grant that it leads to would make a request wait for ever.
	 * That grant is denied later. */
	MODEL_LENIENT = 1,
	/* Holders that wait for nothing end before the grants of the current step. */
	MODEL_HASTY = 2,
	MODEL_READINGS = 4
};

struct model_asked {
	uint8_t owner, lock, mode, priority;
	uint32_t units;
};

/* The four modes of a lock made without a table. */
extern const struct evlock_modes model_standard_modes;

/* --- Making locks ----------------------------------------------------------- */

void model_init(struct model *m, unsigned n_requests);

/* `modes` NULL: the standard modes. */
unsigned model_add_lock(struct model *m, const struct evlock_modes *modes, int prefers_last);
unsigned model_add_set(struct model *m);
void model_add_member(struct model *m, unsigned set, unsigned lock, int mode);

/* --- Operations: they return 0, or the errno that the caller must see ------- */

/* `who` must be GONE.  A callback follows if `is_nowait` is 0. */
int model_acquire(struct model *m, unsigned who, struct model_asked asked, int is_nowait);
int model_convert(struct model *m, unsigned who, unsigned mode, int is_nowait);
int model_end(struct model *m, unsigned who);
unsigned model_release_all(struct model *m, unsigned owner);
void model_close(struct model *m, unsigned lock);
void model_expire(struct model *m, unsigned who, int is_conversion);

/* Frees a lock that is neither a set nor a member of one.  Its callbacks run with an error before
 * model_bury(), which returns how many did not run.  The lock can then be used as a new one. */
void model_free(struct model *m, unsigned lock);
unsigned model_bury(struct model *m, unsigned lock);

/* A callback runs.  Returns NULL, or what is wrong with it. */
const char *model_tell(struct model *m, unsigned who, int is_conversion, int error);

/* --- What can be seen ------------------------------------------------------- */

uint32_t model_held(const struct model *m, unsigned lock, unsigned mode);
unsigned model_locked(const struct model *m, unsigned lock);
size_t model_waiting(const struct model *m, unsigned lock);
int model_mode_of(const struct model *m, unsigned lock, unsigned who);	/* -1: none */
int model_owner_mode(const struct model *m, unsigned owner, unsigned lock);

/* Is such a request refused whatever is held? */
int model_is_hopeless(const struct model *m, unsigned lock, unsigned mode, uint32_t units);

/* Does the lock have the mode?  Would evlock_acquire_nowait() succeed? */
int model_has_mode(const struct model *m, unsigned lock, unsigned mode);
int model_admits(const struct model *m, unsigned lock, unsigned mode);

/* Does another request wait for what `who` holds? */
int model_keeps_out(const struct model *m, unsigned who);

/* Returns the requests that wait for ever: bit `who`, and bit 16 + `who` for its conversion. */
uint32_t model_stuck(const struct model *m);

/* Returns what is wrong with the state in itself (I1 and I2 of lib/README), or NULL. */
const char *model_fault(const struct model *m);

#endif
