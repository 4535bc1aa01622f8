/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_WATCH_H_INCLUDED_
#define EVL_WATCH_H_INCLUDED_

struct evlock;

/** The events that watch a lock through this object do so no more.  In the thread of its
 * base. */
void evl_watch_forget_all(struct evlock *lock);

/** The same in a forked child. */
void evl_watch_forget_inherited(struct evlock *lock);

#endif
