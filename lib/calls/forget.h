/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FORGET_H_INCLUDED_
#define EVL_FORGET_H_INCLUDED_

/* Frees what a forked child inherited, without a step or a callback, and without a call of
 * libevent on a base that another thread of the parent ran.  Called by the child's only thread,
 * the one that called fork(), with no guard entered.
 *
 * An inherited object is whole if no other thread can have been changing it during fork(): its
 * guard was free or, without a guard, the forking thread itself used its base.  In an object that
 * is not whole, only the `next` links of lists can be trusted.  The rest is leaked: the extras of
 * requests, and the keys of tables. */

struct evl_guard;
struct evl_pool;
struct evl_port;
struct evlock;

/** Forgets all requests of a pool, which belongs to `guard` or, if that is NULL, to `port`.
 * Idempotent.  Returns 1 if the pool is whole, else 0. */
int evl_forget_requests(struct evl_pool *pool, struct evl_guard *guard,
    const struct evl_port *port);

/** Frees a lock object, but not its body, identity and port. */
void evl_forget_object(struct evlock *lock);

#endif
