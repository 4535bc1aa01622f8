/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_HELPER_H_INCLUDED_
#define EVL_FILE_HELPER_H_INCLUDED_

/* Helpers: threads that make the calls that may block.  Each runs one job at a time.  When its
 * job is done a helper is kept for a second, and takes the next job of any file, so that a file
 * that is waited for again and again does not make a thread each time.
 *
 * Called by claim.c with any guard entered.  The mutex of helper.c is the last in every
 * order: nothing is entered while it is held. */

struct evl_job {
	/** Runs in the helper's thread, with no mutex held, cancellation disabled, and all signals
	 * blocked but that of wait.h.  May free the job. */
	void (*run)(struct evl_job *job);
};

/** Has a helper run the job.  Returns 0 or an errno: ENOMEM if no thread can be had. */
int evl_helper_start(struct evl_job *job);

#endif
