/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_WAIT_H_INCLUDED_
#define EVL_FILE_WAIT_H_INCLUDED_

/* A system call that waits in one thread, and that another thread can stop.
 *
 * The other thread sends a signal.  A signal just before the call would interrupt nothing, so the
 * handler jumps out of the code around the call.  Cancelling the thread is no alternative: musl
 * runs the handlers of an asynchronously cancelled thread on a misaligned stack, and flock(2), and
 * fcntl(2) with some commands, are no cancellation points. */

#include <pthread.h>

/** The stages of a wait.
 *
 *	AT_WORK <--------> WAITING		evl_wait_for(), in the thread that waits
 *	   |                  |
 *	   +----> STOPPED <---+			evl_wait_stop()
 *
 * The signal is sent to a thread that was WAITING, and to no other. */
enum evl_wait_stage { EVL_WAIT_AT_WORK, EVL_WAIT_WAITING, EVL_WAIT_STOPPED };

struct evl_wait {
	pthread_t thread;	/**< set before it is WAITING */
	int stage;		/**< enum evl_wait_stage; atomic */
};

/** A system call, which is repeated when other signals interrupt it.  make() returns 0 or an
 * errno. */
struct evl_call {
	int (*make)(const struct evl_call *call);
};

/** Begins a wait that may be stopped from now on. */
void evl_wait_begin(struct evl_wait *wait);

/** Makes the call in the calling thread.  Returns the result of the call, or ECANCELED if the wait
 * was stopped.  Then the call may have succeeded all the same. */
int evl_wait_for(struct evl_wait *wait, const struct evl_call *call);

/** Stops the wait.  Called once.  The waiting thread must not end before this returns. */
void evl_wait_stop(struct evl_wait *wait);

/** Installs the handler, once for the process.  Returns 0 or an errno. */
int evl_wait_prepare(void);

/** Returns the number of the signal, or 0 before evl_wait_prepare(). */
int evl_wait_signal(void);

/** Chooses the signal.  Returns 0 or an errno: EINVAL if it cannot be caught, or EBUSY if it has a
 * handler, or if evl_wait_prepare() was called before. */
int evl_wait_choose(int signal);

#endif
