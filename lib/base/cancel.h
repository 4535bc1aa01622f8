/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CANCEL_H_INCLUDED_
#define EVL_CANCEL_H_INCLUDED_

/* Disables cancellation where a call must not end half-way: while a thread holds a mutex of
 * the library, or has granted a lock and not yet woken its loop.  write(), open() and close()
 * are cancellation points.  So is event_active(), which writes to wake a loop of another
 * thread.  The library does not support asynchronous cancellation, which can come between
 * any two instructions. */

#include <pthread.h>

/** Disables cancellation.  Returns the argument for evl_cancel_restore(). */
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
