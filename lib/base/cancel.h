/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CANCEL_H_INCLUDED_
#define EVL_CANCEL_H_INCLUDED_

/* Cancellation of threads.  What holds a mutex of the library's, or has granted a lock and
 * has not woken its loop yet, is not cut off half-way: cancellation is disabled there, as
 * write(), open() and close() are cancellation points.  So is event_active(), which writes
 * to wake a loop that another thread runs.  Asynchronous cancellation is not provided for:
 * it may come between any two instructions. */

#include <pthread.h>

/** Disables cancellation.  Returns what evl_cancel_restore() is to be given. */
static inline int
evl_cancel_disable(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void
evl_cancel_restore(int state)
{
	int before;

	pthread_setcancelstate(state, &before);
}

#endif
