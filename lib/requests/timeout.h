/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TIMEOUT_H_INCLUDED_
#define EVL_TIMEOUT_H_INCLUDED_

struct event_base;
struct timeval;

/** Turns a caller's timeout into one that event_add() accepts on `base`: `wanted` itself or
 * `*room`, filled in.  Returns NULL if the timeout is too long for libevent's clock: the
 * request then waits without one.  Called in the thread of `base`. */
const struct timeval *evl_timeout_fit(struct event_base *base, const struct timeval *wanted,
    struct timeval *room);

#endif
