/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BOUND_PAIR_H_INCLUDED_
#define BOUND_PAIR_H_INCLUDED_

/* Locks, sets and owners of the library, and the model of them, go through the same
 * operations; after each everything that can be seen of the two must be the same. */

#include "bound_model.h"

struct event_base;

enum bound_kind {
	BOUND_ACQUIRE,
	BOUND_NOWAIT,
	BOUND_END,
	BOUND_CONVERT,
	BOUND_CONVERT_NOWAIT,
	BOUND_RELEASE_ALL,
	BOUND_CLOSE,
	BOUND_STRAY,		/* the release of a handle that is gone */
	BOUND_LOOP,		/* all that is due is told */
	BOUND_KINDS
};

struct bound_op {
	uint8_t kind;
	uint8_t who;		/* in acquisitions: a place that is GONE */
	uint8_t owner, lock, mode, priority;
	uint8_t is_brief;	/* with a timeout of {0,0} */
};

/* The model; to be looked at. */
extern struct bound_model bound_model;

/* How often something was seen. */
extern struct bound_counts {
	unsigned long ops[BOUND_KINDS], waited, refused, callbacks, errors[2], expired, denied;
	unsigned long reordered;
} bound_counts;

/* Makes the locks that `plan` has, and owners, on `base`; `plan` is a model of which only
 * the locks are looked at. */
void bound_begin(struct event_base *base, const struct bound_model *plan);

/* Does `op` to both, and compares; nobody may wait for ever after it. */
void bound_step(const struct bound_op *op);

/* The same without looking, to come back to a state that was looked at before. */
void bound_repeat(const struct bound_op *op);

/* Does it depend on the order in which locks are looked at, whether somebody waits for ever?
 * The two may then answer differently: do not go on. */
int bound_is_unsure(void);

/* Ends every acquisition, so that all begins anew. */
void bound_clear(void);

/* Frees all. */
void bound_finish(void);

/* A place that is GONE. */
unsigned bound_place(void);

void bound_print_counts(void);

#endif
