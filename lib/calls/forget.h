/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FORGET_H_INCLUDED_
#define EVL_FORGET_H_INCLUDED_

/* What a child made by fork() inherited is forgotten: its memory is freed, without a step, a
 * callback, or a call of libevent on a base that another thread of the parent ran.  All is
 * called by the child's one thread, that which called fork(), with no guard entered.
 *
 * Whole is what no other thread was about to change when the child was forked: what belongs
 * to a guard that nobody had entered or, without a guard, to a base that the thread itself
 * used.  Of the rest, the links of lists can be trusted from one to the next, and no more;
 * what would have to be found through it otherwise is leaked: what few requests have, and
 * the keys of tables. */

struct evl_guard;
struct evl_pool;
struct evl_port;
struct evlock;

/** Forgets all requests of a pool, which is that of `guard` or, without one, of `port`.  May be
 * repeated.  Returns whether that was whole. */
int evl_forget_requests(struct evl_pool *pool, struct evl_guard *guard,
    const struct evl_port *port);

/** Forgets an object, but not its body, identity and port. */
void evl_forget_object(struct evlock *lock);

#endif
