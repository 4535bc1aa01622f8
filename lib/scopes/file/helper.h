/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_HELPER_H_INCLUDED_
#define EVL_FILE_HELPER_H_INCLUDED_

/* Helpers: threads that make the calls that may block.  Each runs one job at a time.  After its
 * job, a helper waits for a second and takes the next job of any file, so repeated waits do not
 * make a thread each.
 *
 * Called by claim.c, with any guard entered.  No other mutex is entered while the mutex of
 * helper.c is held. */

struct evl_job {
	/** Runs in the helper's thread, with no mutex held, cancellation disabled, and all signals
	 * blocked except the one of wait.h.  May free the job. */
	void (*run)(struct evl_job *job);
};

/** Gives the job to a helper.  Returns 0 or an errno: ENOMEM if there is no thread for it. */
int evl_helper_start(struct evl_job *job);

#endif
