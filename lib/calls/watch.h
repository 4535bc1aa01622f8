/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_WATCH_H_INCLUDED_
#define EVL_WATCH_H_INCLUDED_

struct evlock;

/** Removes the events that watch a lock through this object.  Called in the thread of its
 * base. */
void evl_watch_forget_all(struct evlock *lock);

/** The same in a forked child. */
void evl_watch_forget_inherited(struct evlock *lock);

#endif
