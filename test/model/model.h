/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MODEL_H_INCLUDED_
#define MODEL_H_INCLUDED_

/* What locks must do, written to be obvious: the tests run it beside the library
 * and compare.  It keeps a plain list of requests and no count, queue or order of
 * any kind: whatever it needs to know, it works out from all the requests anew.
 *
 * Knows the contract (evlock/evlock.h) and nothing of lib/.  Where the contract
 * leaves a choice, a comment at the place says which one was made.
 *
 * A request is named by its place in the list, `who`, which the test chooses.  It
 * has a seat in each lock that it asks for; those of today have one.
 */

#include <stdint.h>

#include <evlock/evlock.h>

#define MODEL_LOCKS	4
#define MODEL_REQUESTS	16
#define MODEL_SEATS	2	/* of one request */

enum model_state {
	MODEL_GONE,
	MODEL_WAITING,
	MODEL_HOLDING,
	MODEL_FAILED	/* and not yet told */
};

struct model_seat {
	unsigned lock;
	unsigned mode;
	uint32_t units;
};

/* HOLDING means given, and not yet told. */
struct model_conversion {
	enum model_state state;
	unsigned mode;
	unsigned arrival;
};

struct model_request {
	enum model_state state;
	unsigned priority;
	unsigned arrival;
	unsigned n_seats;
	struct model_seat seat[MODEL_SEATS];
	struct model_conversion conversion;
};

struct model_lock {
	const struct evlock_modes *modes;	/* NULL: no such lock */
	int prefers_last;			/* EVLOCK_OPT_PREFER_EXCLUSIVE */
	int is_closed;
};

/* What a callback has still to be told. */
struct model_outcome {
	unsigned who;
	int is_conversion;
	int error;
};

struct model {
	struct model_lock lock[MODEL_LOCKS];
	struct model_request request[MODEL_REQUESTS];
	unsigned next_arrival;
	unsigned n_outcomes;
	struct model_outcome outcome[2 * MODEL_REQUESTS];	/* in the order they came about */
};

/* The four modes of a lock made without a table. */
extern const struct evlock_modes model_standard_modes;

/* --- What happens: 0, or the errno that the caller is to see ---------------- */

void model_make(struct model *m, unsigned lock, const struct evlock_modes *modes, int prefers_last);

/* `who` must be GONE.  With a callback, the outcome is told later; nowait has none. */
int model_acquire(struct model *m, unsigned who, struct model_seat seat, unsigned priority);
int model_acquire_nowait(struct model *m, unsigned who, struct model_seat seat, unsigned priority);

/* Released, or withdrawn. */
int model_end(struct model *m, unsigned who);

int model_convert(struct model *m, unsigned who, unsigned mode);
int model_convert_nowait(struct model *m, unsigned who, unsigned mode);

/* A timer went off. */
void model_expire(struct model *m, unsigned who, int is_conversion);

void model_close(struct model *m, unsigned lock);

/* A lock is freed: what is due in it are errors from now on, all of them to be told
 * before it is buried.  Returns how many were not. */
void model_free(struct model *m, unsigned lock);
unsigned model_bury(struct model *m, unsigned lock);

/* A callback runs.  Returns NULL, or what is wrong with that. */
const char *model_tell(struct model *m, unsigned who, int is_conversion, int error);

/* --- What can be seen -------------------------------------------------------- */

uint32_t model_held(const struct model *m, unsigned lock, unsigned mode);
unsigned model_locked(const struct model *m, unsigned lock);
size_t model_waiting(const struct model *m, unsigned lock);
int model_mode_of(const struct model *m, unsigned who);	/* -1: none */

/* Is there such a mode, and may so many units be asked for? */
int model_is_valid(const struct model *m, struct model_seat seat);

/* Would nowait succeed, in one unit? */
int model_admits(const struct model *m, unsigned lock, unsigned mode);

/* Is there someone who waits for what `who` keeps from them? */
int model_keeps_out(const struct model *m, unsigned who);

/* Is `a` ahead of `b` in the queue of `lock`, if both are WAITING for it? */
int model_is_ahead(const struct model *m, unsigned lock, unsigned a, unsigned b);

#endif
