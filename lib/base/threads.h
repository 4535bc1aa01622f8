/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_BASE_H_INCLUDED_
#define EVL_BASE_H_INCLUDED_

struct event_base;

/** Can other threads wake `base`: was libevent set up for threads before it was made? */
int evl_threads_can_wake(struct event_base *base);

#endif
