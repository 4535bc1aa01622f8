/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/outside.c with a played outside: when this process asks for the lock, gets, shares and
 * gives it back, and in which order others have their turn. */

#include <errno.h>
#include <stdlib.h>

#include <evlock/owner.h>
#include <evlock/set.h>

#include "lock/lock.h"
#include "lock/step.h"
#include "scopes/outside.h"

#include "../shim.h"
#include "../util.h"

/* The calls to the played outside, as letters: wS wX, dropped, weakened, tS tX. */
static char asked[200];
static int is_free = 1;		/* want() and try_now() succeed at once */
static int is_old;		/* this process has a stale hold */

static void
add(char what, unsigned mode)
{
	size_t n = strlen(asked);

	asked[n++] = what;
	if (mode)
		asked[n++] = mode == EVLOCK_EXCLUSIVE ? 'X' : 'S';
	asked[n] = '\0';
}

static const char *
seen(void)
{
	static char copy[sizeof asked];

	strcpy(copy, asked);
	asked[0] = '\0';
	return copy;
}

static int
want(struct evl_outside *o, unsigned mode)
{
	(void)o;
	add('w', mode);
	return is_free;
}

static int
try_now(struct evl_outside *o, unsigned mode)
{
	(void)o;
	add('t', mode);
	return is_free ? 0 : EAGAIN;
}

static void
drop_it(struct evl_outside *o)
{
	(void)o;
	add('d', 0);
}

static void
weaken(struct evl_outside *o)
{
	(void)o;
	add('k', 0);
}

static int
compare(const struct evl_outside *a, const struct evl_outside *b)
{
	return a < b ? -1 : a > b;
}

static int
is_stale(struct evl_outside *o)
{
	(void)o;
	return is_old;
}

static void
free_it(struct evl_outside *o)
{
	add('f', 0);
	free(o);
}

static const struct evl_outside_ops ops = {
	want, try_now, drop_it, weaken, compare, free_it, 1, is_stale, NULL
};

static struct evlock *
play_as(const struct evl_outside_ops *ops_of_scope, int is_guarded)
{
	static const struct evlock_options no_options;
	struct evl_outside *o = calloc(1, sizeof *o);
	struct evlock *l = evl_outside_new(o, ops_of_scope, base, &no_options, is_guarded);

	cr_assert(l);
	asked[0] = '\0';
	is_free = 1;
	is_old = 0;
	return l;
}

static struct evlock *
play_by(const struct evl_outside_ops *ops_of_scope)
{
	return play_as(ops_of_scope, 0);
}

static struct evlock *
play(void)
{
	return play_by(&ops);
}

static void
finish(struct evlock *l)
{
	evlock_free(l);
	cr_assert_str_eq(seen(), "f");
}

LockTest(outside, is_asked_once_and_given_back)
{
	struct evlock *l = play();
	evlock_handle h = ask(l, "a", X);

	cr_assert_str_eq(run(), "a");
	cr_assert_str_eq(seen(), "wX");
	cr_assert_eq(evlock_locked(l), X);
	cr_assert_eq(evlock_waiting(l), 0, "the others do not count");
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "d");
	cr_assert_eq(evlock_locked(l), N);
	cr_assert_eq(evlock_waiting(l), 0);
	finish(l);
}

/* The other holders would give up their share only if this process gave up its own. */
LockTest(outside, owner_that_shares_is_refused_to_be_alone)
{
	struct evlock_owner *owner = evlock_owner_new("owner"), *other = evlock_owner_new("other");
	struct evlock *l = play();
	evlock_handle h;

	h = ASK(l, "s", .mode = S, .owner = owner);
	cr_assert_str_eq(run(), "s");
	assert_refused(ASK(l, "x", .mode = X, .owner = owner), EDEADLK);
	cr_assert_neq(ASK(l, "other", .mode = X, .owner = other), 0);
	drop(l, h);
	cr_assert_str_eq(run(), "other");
	cr_assert_eq(evlock_owner_release_all(other), 1);
	run();
	is_free = 0;
	cr_assert_neq(ASK(l, "s", .mode = S, .owner = owner), 0);
	cr_assert_neq(ASK(l, "x", .mode = X, .owner = owner), 0);
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "x:EDEADLK s");
	evlock_owner_free(owner);
	evlock_owner_free(other);
	run();
	seen();
	finish(l);
}

LockTest(outside, owner_that_has_no_access_waits_for_it)
{
	struct evlock_owner *owner = evlock_owner_new("owner");
	struct evlock *l = play();

	cr_assert_neq(ASK(l, "n", .mode = N, .owner = owner), 0);
	cr_assert_str_eq(run(), "n");
	is_free = 0;
	cr_assert_neq(ASK(l, "x", .mode = X, .owner = owner), 0);
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "x");
	evlock_owner_free(owner);
	run();
	seen();
	finish(l);
}

LockTest(outside, owner_that_is_alone_may_be_so_again)
{
	struct evlock_owner *owner = evlock_owner_new("owner");
	struct evlock *l = play();
	evlock_handle h;

	h = ASK(l, "x", .mode = X, .owner = owner);
	cr_assert_neq(ASK(l, "s", .mode = S, .owner = owner), 0);
	cr_assert_neq(ASK(l, "x2", .mode = X, .owner = owner), 0);
	cr_assert_str_eq(run(), "x s x2");
	drop(l, h);
	evlock_owner_free(owner);
	run();
	seen();
	finish(l);
}

LockTest(outside, waits_until_it_is_got)
{
	struct evlock *l = play();
	evlock_handle h;

	is_free = 0;
	h = ask(l, "a", S);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "wS");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "a");
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "d");
	finish(l);
}

LockTest(outside, stops_asking_when_nobody_waits)
{
	struct evlock *l = play();
	evlock_handle h;

	is_free = 0;
	h = ask(l, "a", S);
	drop(l, h);
	cr_assert_str_eq(seen(), "wSd");
	finish(l);
}

LockTest(outside, has_its_turn_after_those_who_waited)
{
	struct evlock *l = play();
	evlock_handle a, b, c;

	is_free = 0;
	a = ask(l, "a", X);
	b = ask(l, "b", X);
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "a");
	c = ask(l, "c", X);
	drop(l, a);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "wX");
	drop(l, b);
	cr_assert_str_eq(run(), "", "c came later than the batch");
	cr_assert_str_eq(seen(), "dwX");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "c");
	drop(l, c);
	run();
	seen();
	finish(l);
}

LockTest(outside, lets_readers_join_while_it_allows_it)
{
	struct evlock *l = play();
	evlock_handle a = ask(l, "a", S), b, c;

	cr_assert_str_eq(run(), "a");
	b = ask(l, "b", S);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "wStS");
	is_free = 0;
	c = ask(l, "c", S);
	cr_assert_str_eq(run(), "", "another waits outside");
	drop(l, a);
	is_free = 1;
	drop(l, b);
	cr_assert_str_eq(run(), "c");
	drop(l, c);
	run();
	seen();
	finish(l);
}

/* Counts the requests that follow each other without a gap before the others have their turn. */
static int
count_joining(struct evlock *l, evlock_handle (*next)(struct evlock *))
{
	evlock_handle before = next(l), h;
	int n;

	run();
	for (n = 0; n < 200 && (h = next(l)) && !strchr(seen(), 'd'); n++) {
		run();
		if (evlock_waiting(l))
			break;
		drop(l, before);
		before = h;
	}
	drop(l, before);
	if (h && h != before) {
		run();
		drop(l, h);
	}
	run();
	seen();
	return n;
}

static evlock_handle
share(struct evlock *l)
{
	return ask(l, "", S);
}

static evlock_handle
share_nowait(struct evlock *l)
{
	return evlock_acquire_nowait(l, S);
}

/* And as many again when the lock is acquired anew. */
static void
see_that_joining_ends(evlock_handle (*next)(struct evlock *))
{
	struct evlock *l = play();
	int n = count_joining(l, next);

	cr_assert_gt(n, 10);
	cr_assert_lt(n, 200);
	cr_assert_eq(count_joining(l, next), n);
	finish(l);
}

LockTest(outside, does_not_let_readers_join_for_ever)
{
	see_that_joining_ends(share);
}

LockTest(outside, does_not_let_readers_join_for_ever_that_do_not_wait)
{
	see_that_joining_ends(share_nowait);
}

LockTest(outside, is_asked_anew_for_a_writer_behind_readers)
{
	struct evlock *l = play();
	evlock_handle a, b;

	is_free = 0;
	a = ask(l, "a", S);
	b = ask(l, "b", X);
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "a");
	is_free = 1;
	drop(l, a);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "wSdwX");
	drop(l, b);
	run();
	seen();
	finish(l);
}

LockTest(outside, nowait_tries_and_gives_back)
{
	struct evlock *l = play();
	evlock_handle h = evlock_acquire_nowait(l, X);

	cr_assert(h);
	cr_assert_str_eq(seen(), "tX");
	assert_refused(evlock_acquire_nowait(l, S), EAGAIN);
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "d");
	is_free = 0;
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	seen();
	finish(l);
}

LockTest(outside, converting_down_weakens)
{
	struct evlock *l = play();
	evlock_handle h = evlock_acquire_nowait(l, X);

	seen();
	assert_fails(evlock_convert_nowait(l, h, U), EINVAL);
	cr_assert_eq(evlock_convert_nowait(l, h, S), 0);
	run();
	cr_assert_str_eq(seen(), "k");
	assert_fails(evlock_convert_nowait(l, h, X), ENOTSUP);
	cr_assert_eq(evlock_convert_nowait(l, h, N), 0);
	run();
	cr_assert_str_eq(seen(), "d");
	drop(l, h);
	finish(l);
}

LockTest(outside, converting_down_lets_readers_join_while_others_wait)
{
	struct evlock *l = play();
	evlock_handle h = hold(l, X), b;

	ask(l, "x", X);
	cr_assert_eq(evlock_convert_nowait(l, h, S), 0);
	run();
	cr_assert_str_eq(seen(), "tXk", "a waiter behind the others does not need it");
	evlock_close(l);
	cr_assert_str_eq(run(), "x:ECANCELED");
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "d");
	finish(l);
	l = play();
	h = hold(l, X);
	cr_assert_eq(evlock_convert_nowait(l, h, S), 0);
	b = ask(l, "b", S);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "tXktS");
	drop(l, b);
	drop(l, h);
	run();
	seen();
	finish(l);
}

LockTest(outside, converting_down_does_not_weaken_while_a_writer_of_the_batch_waits)
{
	struct evlock *l = play();
	evlock_handle h, b;

	is_free = 0;
	h = ask(l, "a", X);
	b = ask(l, "b", X);
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "a");
	cr_assert_eq(evlock_convert_nowait(l, h, S), 0);
	run();
	drop(l, h);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "wX");
	drop(l, b);
	run();
	seen();
	finish(l);
}

static void
see_that_a_stale_batch_ends(struct evlock *whole, struct evlock *member)
{
	evlock_handle a, b;

	is_free = 0;
	a = ask(whole, "a", X);
	b = ask(member, "b", X);
	evl_outside_got(evl_outside_of(member));
	cr_assert_str_eq(run(), "a");
	seen();
	is_old = 1;
	drop(whole, a);
	cr_assert_str_eq(run(), "", "b belongs to the batch");
	cr_assert_str_eq(seen(), "dwX");
	drop(member, b);
	run();
	seen();
}

LockTest(outside, batch_ends_when_what_it_has_is_stale)
{
	struct evlock *l = play();
	struct evlock *set = evlock_set_new(&(struct evlock_set_member){ l, X }, 1, NULL);

	see_that_a_stale_batch_ends(l, l);
	see_that_a_stale_batch_ends(set, l);
	evlock_free(set);
	finish(l);
}

LockTest(outside, none_waits_and_holds_nothing)
{
	struct evlock *l = play();
	evlock_handle h = ask(l, "a", N);

	cr_assert_str_eq(run(), "a");
	run();
	cr_assert_str_eq(seen(), "wSd");
	drop(l, h);
	finish(l);
}

/* A request that arrives while this process holds the lock waits behind the others. */
static void
see_that_others_have_their_turn(struct evlock *l)
{
	evlock_handle a = hold(l, X), b;

	is_free = 0;
	b = ask(l, "b", X);
	drop(l, a);
	cr_assert_str_eq(run(), "");
	drop(l, b);
	is_free = 1;
	cr_assert_str_eq(seen(), "tXdwXd");
}

LockTest(outside, failure_is_told_to_all_who_wait)
{
	struct evlock *l = play();

	is_free = 0;
	ask(l, "a", S);
	ask(l, "b", X);
	evl_outside_failed(evl_outside_of(l), ENOLCK);
	cr_assert_str_eq(run(), "a:ENOLCK b:ENOLCK");
	cr_assert_str_eq(seen(), "wS");
	is_free = 1;
	see_that_others_have_their_turn(l);
	finish(l);
}

LockTest(outside, close_stops_asking_and_holders_release)
{
	struct evlock *l = play();
	evlock_handle h = evlock_acquire_nowait(l, X);

	ask(l, "a", S);
	evlock_close(l);
	cr_assert_str_eq(run(), "a:ECANCELED");
	seen();
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "d");
	finish(l);
}

LockTest(outside, freed_while_it_is_held_is_given_back)
{
	struct evlock *l = play();

	cr_assert(evlock_acquire_nowait(l, X));
	seen();
	evlock_free(l);
	cr_assert_str_eq(seen(), "df");
}

/* The lock is being granted to the request, which is not called back yet. */
LockTest(outside, what_nobody_waits_for_any_more_is_given_back)
{
	struct evlock *l = play();
	evlock_handle h;

	is_free = 0;
	h = ask(l, "a", X);
	evl_outside_got(evl_outside_of(l));
	drop(l, h);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "wXd");
	finish(l);
}

LockTest(outside, freed_when_others_are_about_to_have_their_turn)
{
	struct evlock *l = play();
	evlock_handle h = ask(l, "a", X);

	cr_assert_str_eq(run(), "a");
	seen();
	drop(l, h);
	evlock_free(l);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "df");
}

LockTest(outside, lost_when_others_have_it)
{
	struct evlock *l = play();
	evlock_handle h = ask(l, "a", X);

	cr_assert_str_eq(run(), "a");
	drop(l, h);
	evl_outside_lost(evl_outside_of(l), ESTALE);
	h = ask(l, "b", X);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "wXdwX", "others have had their turn at the release");
	drop(l, h);
	run();
	seen();
	finish(l);
}

LockTest(outside, lost_when_it_has_just_been_got)
{
	struct evlock *l = play();
	evlock_handle h;

	is_free = 0;
	ask(l, "a", X);
	evl_outside_got(evl_outside_of(l));
	evl_outside_lost(evl_outside_of(l), ESTALE);
	cr_assert_str_eq(run(), "a:ESTALE");
	is_free = 1;
	h = hold(l, X);
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "wXtXd");
	see_that_others_have_their_turn(l);
	finish(l);
}

LockTest(outside, lost_is_asked_for_anew)
{
	struct evlock *l = play();
	evlock_handle h;

	hold(l, X);
	evl_outside_lost(evl_outside_of(l), ESTALE);
	cr_assert_eq(evlock_waiting(l), 0);
	cr_assert_str_eq(seen(), "tX");
	is_free = 0;
	h = ask(l, "a", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "wX");
	evl_outside_lost(evl_outside_of(l), ESTALE);
	cr_assert_str_eq(run(), "a:ESTALE");
	h = ask(l, "b", X);
	cr_assert_str_eq(seen(), "wX");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "b");
	drop(l, h);
	run();
	seen();
	finish(l);
}

LockTest(outside, loss_is_told_to_who_has_just_been_granted)
{
	struct evlock *l = play();

	ask(l, "a", S);
	turn();
	ask(l, "b", S);
	cr_assert_eq(evlock_locked(l), S);
	evl_outside_lost(evl_outside_of(l), ESTALE);
	cr_assert_eq(evlock_locked(l), N);
	cr_assert_str_eq(run(), "b:ESTALE");
	seen();
	finish(l);
}

static void
on_notice(struct evlock *l, evlock_handle h, int error, void *who)
{
	(void)l;
	(void)h;
	(void)who;
	write_down(error == ESTALE ? "notice:ESTALE" : "notice");
}

LockTest(outside, loss_is_noticed_by_holders)
{
	struct evlock *l = play();

	ASK(l, "a", .mode = X, .notice_cb = on_notice);
	cr_assert_str_eq(run(), "a");
	evl_outside_lost(evl_outside_of(l), EIO);
	cr_assert_str_eq(run(), "notice:ESTALE");
	seen();
	finish(l);
}

LockTest(outside, refusal_is_told_to_one_who_waits)
{
	struct evlock *l = play();
	evlock_handle a, b;

	is_free = 0;
	a = ask(l, "a", X);
	b = ask(l, "b", X);
	evl_outside_refuse(evl_outside_of(l), a, ENOLCK);
	evl_outside_refuse(evl_outside_of(l), a, ENOLCK);
	cr_assert_str_eq(run(), "a:ENOLCK");
	evl_outside_refuse(evl_outside_of(l), a, ENOLCK);
	cr_assert_str_eq(run(), "");
	drop(l, b);
	seen();
	finish(l);
}

LockTest(outside, nowait_does_not_try_in_vain)
{
	struct evlock *l = play();
	struct event *ev = new_event("ev");

	assert_refused(evlock_acquire_nowait(l, U), EINVAL);
	is_free = 0;
	evlock_notify(l, X, ev);
	cr_assert_str_eq(seen(), "wX");
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	cr_assert_str_eq(seen(), "", "it is asked for");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(seen(), "d", "it is not kept for a watcher");
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	cr_assert_str_eq(seen(), "tXwX");
	evlock_unnotify(l, ev);
	event_free(ev);
	run();
	seen();
	evlock_close(l);
	assert_refused(evlock_acquire_nowait(l, X), ECANCELED);
	cr_assert_str_eq(seen(), "", "it is closed");
	finish(l);
}

LockTest(outside, is_there_for_an_object_that_is_made_when_the_last_one_is_freed)
{
	static const struct evlock_options no_options;
	struct evlock *l = play();
	struct evl_outside *o = evl_outside_of(l);
	evlock_handle h;

	hold(l, X);
	cr_assert(evl_outside_keep(o));
	evlock_free(l);
	l = evl_outside_object(o, base, &no_options);
	evl_outside_drop(o);
	is_free = 0;
	ask(l, "a", X);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "tXdwX");
	cr_assert(evl_outside_keep(o));
	evlock_free(l);
	cr_assert_str_eq(told(), "a:ECANCELED");
	l = evl_outside_object(o, base, &no_options);
	evl_outside_drop(o);
	ask(l, "b", X);
	cr_assert_str_eq(seen(), "dwX");
	evl_outside_got(o);
	cr_assert(evl_outside_keep(o));
	evlock_free(l);
	cr_assert_str_eq(told(), "b:ECANCELED");
	l = evl_outside_object(o, base, &no_options);
	evl_outside_drop(o);
	h = ask(l, "c", X);
	cr_assert_str_eq(seen(), "dwX");
	drop(l, h);
	seen();
	finish(l);
}

LockTest(outside, event_is_activated_after_a_shared_hold)
{
	struct evlock *l = play();
	struct event *ev = new_event("ev");
	evlock_handle h = hold(l, S);

	is_free = 0;
	cr_assert_eq(evlock_notify(l, S, ev), 0);
	run();
	drop(l, h);
	cr_assert_str_eq(seen(), "tSdwS");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "ev");
	evlock_unnotify(l, ev);
	event_free(ev);
	seen();
	finish(l);
}

LockTest(outside, event_is_activated_when_it_could_be_had)
{
	struct evlock *l = play();
	struct event *ev = new_event("ev");
	evlock_handle h;

	is_free = 0;
	cr_assert_eq(evlock_notify(l, X, ev), 0);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "wX");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "ev");
	cr_assert_str_eq(seen(), "d", "it is not kept, and not asked for again");
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	cr_assert_str_eq(seen(), "tXwX");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "ev");
	is_free = 1;
	h = evlock_acquire_nowait(l, X);
	cr_assert_str_eq(run(), "");
	drop(l, h);
	cr_assert_str_eq(run(), "ev");
	cr_assert_eq(evlock_unnotify(l, ev), 0);
	event_free(ev);
	seen();
	finish(l);
}

LockTest(outside, event_that_cannot_be_had_is_not_asked_for_for_ever)
{
	struct evlock *l = play();
	struct event *ev = new_event("ev");

	is_free = 0;
	cr_assert_eq(evlock_notify(l, X, ev), 0);
	evl_outside_failed(evl_outside_of(l), EIO);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "wX");
	evlock_unnotify(l, ev);
	event_free(ev);
	finish(l);
}

LockTest(outside, set_asks_in_order)
{
	struct evlock *l = play(), *m = play(), *first, *second, *set;
	struct evlock_set_member members[2];
	evlock_handle h;

	first = evl_outside_of(l) < evl_outside_of(m) ? l : m;
	second = first == l ? m : l;
	members[0].lock = second;
	members[1].lock = first;
	members[0].mode = members[1].mode = EVLOCK_SAME_MODE;
	set = evlock_set_new(members, 2, NULL);
	is_free = 0;
	h = ask(set, "a", X);
	run();
	cr_assert_str_eq(seen(), "wX", "only the first is asked for");
	evl_outside_got(evl_outside_of(first));
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "wX");
	evl_outside_got(evl_outside_of(second));
	cr_assert_str_eq(run(), "a");
	drop(set, h);
	run();
	cr_assert_str_eq(seen(), "dd");
	evlock_free(set);
	finish(l);
	finish(m);
}

static void
in_order(struct evlock **l, struct evlock **m)
{
	struct evlock *a = play(), *b = play();

	*l = evl_outside_of(a) < evl_outside_of(b) ? a : b;
	*m = *l == a ? b : a;
}

LockTest(outside, set_asks_for_no_more_while_others_have_their_turn_before_it)
{
	struct evlock *first, *second, *set;
	evlock_handle a, h;

	in_order(&first, &second);
	set = evlock_set_new((struct evlock_set_member[]){ { first, EVLOCK_SAME_MODE },
	    { second, EVLOCK_SAME_MODE } }, 2, NULL);
	is_free = 0;
	a = ask(first, "a", S);
	evl_outside_got(evl_outside_of(first));
	cr_assert_str_eq(run(), "a");
	seen();
	h = ask(set, "set", S);
	run();
	cr_assert_null(strchr(seen(), 'w'), "it is not the set's turn in the first");
	drop(first, a);
	run();
	cr_assert_str_eq(seen(), "dwS");
	drop(set, h);
	run();
	seen();
	evlock_free(set);
	finish(first);
	finish(second);
}

/* Three locks, in the order in which sets ask for them. */
static struct evlock *first, *second, *third;

static int
by_outside(const void *a, const void *b)
{
	return compare(evl_outside_of(*(struct evlock *const *)a),
	    evl_outside_of(*(struct evlock *const *)b));
}

static void
play_three(void)
{
	struct evlock *l[] = { play(), play(), play() };

	qsort(l, 3, sizeof l[0], by_outside);
	first = l[0];
	second = l[1];
	third = l[2];
	is_free = 0;
}

static void
finish_three(void)
{
	run();
	seen();
	finish(first);
	finish(second);
	finish(third);
}

/* A lock without an outside, but used by one loop as the outside ones are.  Otherwise no set could
 * have both. */
static struct evlock *
make_inside(void)
{
	return (evlock_new)(base, NULL);
}

static struct evlock *
pair(struct evlock *a, struct evlock *b)
{
	return evlock_set_new((struct evlock_set_member[]){ { a, EVLOCK_SAME_MODE },
	    { b, EVLOCK_SAME_MODE } }, 2, NULL);
}

static int
is_asked_for(const struct evlock *l)
{
	return evl_outside_of(l)->is_asking;
}

static int
is_ours(const struct evlock *l)
{
	return evl_outside_of(l)->has != EVLOCK_NONE;
}

/* Another process might hold the first lock and wait for the second. */
LockTest(outside, set_keeps_nothing_behind_one_that_waits_for_an_earlier_member)
{
	struct evlock *before, *behind;
	evlock_handle a, b;

	play_three();
	before = pair(first, third);
	behind = pair(second, third);
	a = ask(before, "before", X);
	b = ask(behind, "behind", X);
	cr_assert(is_asked_for(first));
	cr_assert(!is_asked_for(second), "its holder waits for the first");
	drop(before, a);
	cr_assert(is_asked_for(second));
	drop(behind, b);
	evlock_free(before);
	evlock_free(behind);
	finish_three();
}

LockTest(outside, set_keeps_nothing_when_one_that_waits_for_an_earlier_member_passes_it)
{
	struct evlock *passing, *passed;
	evlock_handle a, b;

	play_three();
	passing = pair(first, third);
	passed = pair(second, third);
	b = ask(passed, "passed", X);
	evl_outside_got(evl_outside_of(second));
	cr_assert_str_eq(run(), "");
	cr_assert(is_ours(second));
	cr_assert(is_asked_for(third));
	a = ASK(passing, "passing", .mode = X, .priority = 1);
	cr_assert(!is_ours(second));
	cr_assert(!is_asked_for(third));
	drop(passing, a);
	cr_assert(is_asked_for(second));
	drop(passed, b);
	evlock_free(passing);
	evlock_free(passed);
	finish_three();
}

/* The grant concerns a lock that only a set leads to. */
LockTest(outside, set_asks_for_more_when_one_before_it_is_granted)
{
	struct evlock *before, *behind;
	evlock_handle a, b;

	play_three();
	before = pair(first, second);
	behind = pair(first, third);
	a = ask(before, "before", S);
	b = ask(behind, "behind", S);
	evl_outside_got(evl_outside_of(first));
	cr_assert_str_eq(run(), "");
	cr_assert(!is_asked_for(third));
	evl_outside_got(evl_outside_of(second));
	cr_assert_str_eq(run(), "before");
	cr_assert(is_asked_for(third));
	drop(before, a);
	drop(behind, b);
	evlock_free(before);
	evlock_free(behind);
	finish_three();
}

/* The set asks as the last member is looked at, after its other members. */
LockTest(outside, set_asks_for_more_when_it_joins_those_who_share)
{
	struct evlock *inside = make_inside(), *set;
	evlock_handle a, b, c = hold(inside, X);

	play_three();
	set = evlock_set_new((struct evlock_set_member[]){ { second, EVLOCK_SAME_MODE },
	    { first, EVLOCK_SAME_MODE }, { inside, EVLOCK_SAME_MODE } }, 3, NULL);
	a = ask(first, "a", S);
	evl_outside_got(evl_outside_of(first));
	cr_assert_str_eq(run(), "a");
	b = ask(set, "b", S);
	cr_assert_str_eq(run(), "");
	is_free = 1;
	drop(inside, c);
	cr_assert_str_eq(run(), "b");
	drop(set, b);
	drop(first, a);
	evlock_free(set);
	evlock_free(inside);
	finish_three();
}

LockTest(outside, failure_is_told_to_those_who_wait_for_a_set)
{
	struct evlock *set;

	play_three();
	set = pair(first, second);
	ask(set, "a", S);
	evl_outside_failed(evl_outside_of(first), ENOLCK);
	cr_assert_str_eq(run(), "a:ENOLCK");
	cr_assert(!is_asked_for(first));
	evlock_free(set);
	finish_three();
}

LockTest(outside, failure_of_a_set_lets_those_behind_it_in)
{
	struct evlock *l = play(), *inside = make_inside(), *set = pair(l, inside);
	evlock_handle h;

	is_free = 0;
	ask(set, "set", X);
	h = ask(inside, "behind", X);
	evl_outside_failed(evl_outside_of(l), ENOLCK);
	cr_assert_str_eq(run(), "set:ENOLCK behind");
	drop(inside, h);
	ask(set, "set", X);
	h = ask(inside, "behind", X);
	evl_outside_lost(evl_outside_of(l), ESTALE);
	cr_assert_str_eq(run(), "set:ESTALE behind");
	drop(inside, h);
	evlock_free(set);
	evlock_free(inside);
	seen();
	finish(l);
}

LockTest(outside, set_asks_when_one_before_it_has_failed)
{
	struct evlock *before, *behind;
	evlock_handle h;

	play_three();
	before = pair(first, third);
	behind = pair(second, third);
	ask(before, "before", X);
	h = ask(behind, "behind", X);
	evl_outside_failed(evl_outside_of(first), ENOLCK);
	cr_assert_str_eq(run(), "before:ENOLCK");
	cr_assert(is_asked_for(second));
	drop(behind, h);
	evlock_free(before);
	evlock_free(behind);
	finish_three();
}

LockTest(outside, loss_is_told_to_those_who_wait_for_a_set)
{
	struct evlock *set;
	evlock_handle h;

	play_three();
	is_free = 1;
	set = pair(first, second);
	h = hold(set, X);
	ask(set, "a", S);
	is_free = 0;
	evl_outside_lost(evl_outside_of(first), ESTALE);
	cr_assert_str_eq(run(), "a:ESTALE");
	assert_fails(evlock_release(set, h), ENOENT);
	evlock_free(set);
	finish_three();
}

static int
come_last(const struct evl_outside *a, const struct evl_outside *b)
{
	(void)a;
	(void)b;
	return 1;
}

static int
come_first(const struct evl_outside *a, const struct evl_outside *b)
{
	(void)a;
	(void)b;
	return -1;
}

/* Each scope compares only its own objects. */
LockTest(outside, set_asks_one_scope_after_another)
{
	static const struct evl_outside_ops near = {
		want, try_now, drop_it, weaken, come_last, free_it, 1, NULL, NULL
	}, far = {
		want, try_now, drop_it, weaken, come_first, free_it, 2, NULL, NULL
	};
	struct evlock *l = play_by(&near), *m = play_by(&far), *set = pair(m, l);
	evlock_handle h;

	is_free = 0;
	h = ask(set, "a", X);
	cr_assert(is_asked_for(l));
	cr_assert(!is_asked_for(m));
	drop(set, h);
	evlock_free(set);
	seen();
	finish(l);
	finish(m);
}

/* --- The short paths of a lock that has a guard ------------------------------------------- */

/* A request that needs memory takes a step.  So the memory is made first. */
static struct evlock *
play_alone(void)
{
	struct evlock *l = play_as(&ops, 1);
	evlock_handle a = hold(l, S), b = hold(l, S);

	drop(l, a);
	drop(l, b);
	cr_assert_str_eq(seen(), "tStSd");
	return l;
}

LockTest(outside, alone_leaves_the_lock_as_a_step_does)
{
	struct evlock *l = play_alone();
	evlock_handle h = hold(l, X), late;

	cr_assert_str_eq(seen(), "tX");
	cr_assert_eq(evlock_waiting(l), 0);
	cr_assert_eq(evlock_locked(l), X);
	late = ask(l, "late", X);
	is_free = 0;
	drop(l, h);
	cr_assert_str_eq(seen(), "dwX", "the others have their turn first");
	cr_assert_eq(evlock_waiting(l), 1);
	drop(l, late);
	cr_assert_str_eq(seen(), "d");
	finish(l);
}

LockTest(outside, alone_who_shares_is_joined)
{
	struct evlock *l = play_alone();
	evlock_handle a = hold(l, S), b;

	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	b = hold(l, S);
	cr_assert_str_eq(seen(), "tStS");
	drop(l, a);
	cr_assert_str_eq(seen(), "", "given back while it is held");
	drop(l, b);
	cr_assert_str_eq(seen(), "d");
	finish(l);
}

LockTest(outside, alone_but_for_one_who_holds_none)
{
	struct evlock *l = play_alone();
	evlock_handle none = hold(l, N), h;

	drop(l, none);
	cr_assert_str_eq(seen(), "tSd", "NONE keeps nothing");
	none = hold(l, N);
	h = hold(l, S);
	drop(l, none);
	cr_assert_str_eq(seen(), "tSdtS");
	none = hold(l, N);
	drop(l, h);
	cr_assert_str_eq(seen(), "tSd");
	drop(l, none);
	finish(l);
}

LockTest(outside, alone_is_refused_at_once)
{
	struct evlock *l = play_alone();
	evlock_handle h;

	is_free = 0;
	assert_refused(evlock_acquire_nowait(l, X), EAGAIN);
	cr_assert_str_eq(seen(), "tX", "tried twice");
	assert_refused(evlock_acquire_nowait(l, EVLOCK_UPGRADABLE), EINVAL);
	assert_refused(evlock_acquire_nowait(l, 99), EINVAL);
	h = ask(l, "a", S);
	cr_assert_str_eq(seen(), "wS");
	is_free = 1;
	assert_refused(evlock_acquire_nowait(l, S), EAGAIN);
	cr_assert_str_eq(seen(), "", "tried while it is asked for");
	drop(l, h);
	seen();
	evlock_close(l);
	assert_refused(evlock_acquire_nowait(l, X), ECANCELED);
	cr_assert_str_eq(seen(), "");
	finish(l);
}

LockTest(outside, not_alone_while_it_is_watched)
{
	struct evlock *l = play_alone();
	struct event *ev = new_event("free");
	evlock_handle h = hold(l, X);

	cr_assert_eq(evlock_notify(l, X, ev), 0);
	cr_assert_str_eq(run(), "");
	drop(l, h);
	cr_assert_str_eq(run(), "free");
	evlock_unnotify(l, ev);
	event_free(ev);
	seen();
	finish(l);
}

LockTest(outside, alone_only_by_its_own_object)
{
	static const struct evlock_options no_options;
	struct evlock *l = play_alone(), *other = evl_outside_object(evl_outside_of(l), base, &no_options);
	evlock_handle h = hold(l, X);

	seen();
	cr_assert_eq(evlock_release(other, h), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_str_eq(seen(), "");
	drop(l, h);
	cr_assert_eq(evlock_release(l, h), -1);
	cr_assert_eq(errno, ENOENT);
	cr_assert_str_eq(seen(), "d");
	evlock_free(other);
	finish(l);
}

LockTest(outside, alone_not_before_its_callback)
{
	struct evlock *l = play_alone();
	evlock_handle h = ask(l, "a", X);

	cr_assert_str_eq(seen(), "wX");
	drop(l, h);
	cr_assert_str_eq(seen(), "d");
	cr_assert_str_eq(run(), "");
	cr_assert_eq(l->n_sent, 0);
	finish(l);
}

/* --- What only a look can tell, and doubt ------------------------------------------------ */

static int seen_by_look;	/* what looked() returns */
static int may_be_had;		/* what may() does */
static struct evlock *asked_meanwhile;
static struct evlock *looked_at_meanwhile;

static int
cannot_tell(struct evl_outside *o, unsigned mode)
{
	(void)o;
	add('t', mode);
	return EVL_LOOK;
}

static void
assert_busy(struct evlock *l)
{
	cr_assert_eq(evlock_acquire_nowait(l, X), 0);
	cr_assert_eq(errno, EAGAIN);
}

/* Meanwhile another thread may ask, as the guard is left. */
static void
look_at(struct evl_outside *o, unsigned mode)
{
	struct evlock *by_another = looked_at_meanwhile;

	add('l', mode);
	o->n_looking++;
	looked_at_meanwhile = NULL;
	if (by_another) {
		assert_busy(by_another);
		cr_assert_eq(evlock_locked(by_another), X);
	} else if (asked_meanwhile)
		ask(asked_meanwhile, "meanwhile", X);
	asked_meanwhile = NULL;
}

static int
look_is_over(struct evl_outside *o)
{
	o->n_looking--;
	return seen_by_look;
}

static int
may_have(const struct evl_outside *o, unsigned mode)
{
	(void)o;
	return mode == EVLOCK_EXCLUSIVE ? may_be_had : 0;
}

static const struct evl_outside_looks looks = { look_at, look_is_over, may_have };

static struct evlock *
play_unsure(void)
{
	static const struct evl_outside_ops unsure = {
		want, cannot_tell, drop_it, weaken, compare, free_it, 1, is_stale, &looks
	};

	seen_by_look = may_be_had = 0;
	asked_meanwhile = looked_at_meanwhile = NULL;
	return play_by(&unsure);
}

LockTest(outside, looks_where_it_cannot_tell)
{
	struct evlock *l = play_unsure();
	evlock_handle h = hold(l, X);

	cr_assert_str_eq(seen(), "tXlX");
	drop(l, h);
	run();
	cr_assert_str_eq(seen(), "d");
	seen_by_look = EAGAIN;
	assert_refused(evlock_acquire_nowait(l, S), EAGAIN);
	seen_by_look = EIO;
	assert_refused(evlock_acquire_nowait(l, S), EIO);
	cr_assert_str_eq(seen(), "tSlStSlS");
	h = ask(l, "a", X);
	cr_assert_str_eq(run(), "a");
	cr_assert_str_eq(seen(), "wX", "a request that may wait does not look");
	drop(l, h);
	run();
	seen();
	finish(l);
}

LockTest(outside, looks_for_one_more_who_shares)
{
	struct evlock *l = play_unsure();
	evlock_handle a = ask(l, "a", S), b;

	cr_assert_str_eq(run(), "a");
	seen();
	b = hold(l, S);
	cr_assert_str_eq(seen(), "tSlS");
	seen_by_look = EAGAIN;
	assert_refused(evlock_acquire_nowait(l, S), EAGAIN);
	drop(l, b);
	drop(l, a);
	run();
	seen();
	finish(l);
}

LockTest(outside, who_asks_during_a_look_follows)
{
	struct evlock *l = play_unsure();

	asked_meanwhile = l;
	assert_busy(l);
	cr_assert_str_eq(seen(), "tXlX", "no request is made during a look");
	cr_assert_str_eq(run(), "meanwhile");
	cr_assert_eq(evlock_locked(l), X);
	evlock_free(l);
	seen();
}

/* Two threads look at once, and a third begins to wait.  The first look to end serves the third. */
LockTest(outside, what_a_look_gets_is_granted_while_another_looks)
{
	struct evlock *l = play_unsure();

	looked_at_meanwhile = asked_meanwhile = l;
	assert_busy(l);
	cr_assert_str_eq(seen(), "tXlXtXlX");
	cr_assert_str_eq(run(), "meanwhile");
	evlock_free(l);
	seen();
}

/* A member that was acquired is not given back while another member is looked at. */
LockTest(outside, set_looks_at_each_member_once)
{
	struct evlock *l = play_unsure(), *m = play_unsure(), *set = pair(l, m);
	evlock_handle h = hold(set, X);

	cr_assert_str_eq(seen(), "tXlXtXlX");
	drop(set, h);
	cr_assert_str_eq(seen(), "dd");
	seen_by_look = EAGAIN;
	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
	cr_assert_str_eq(seen(), "tXlX");
	evlock_free(set);
	finish(l);
	finish(m);
}

LockTest(outside, refuses_what_cannot_be_had)
{
	struct evlock *l = play_unsure(), *set = evlock_set_new(
	    &(struct evlock_set_member){ l, EVLOCK_SAME_MODE }, 1, NULL);

	may_be_had = EACCES;
	assert_refused(evlock_acquire(l, X, NULL, note, NULL), EACCES);
	assert_refused(evlock_acquire(set, X, NULL, note, NULL), EACCES);
	assert_refused(evlock_acquire(l, U, NULL, note, NULL), EINVAL);
	evlock_close(l);
	assert_refused(evlock_acquire_nowait(l, X), EACCES);
	assert_refused(evlock_acquire_nowait(l, S), ECANCELED);
	evlock_free(set);
	seen();
	finish(l);
}

LockTest(outside, who_may_not_write_fails_alone)
{
	struct evlock *l = play();

	is_free = 0;
	ask(l, "a", X);
	ask(l, "b", S);
	evl_outside_failed(evl_outside_of(l), EACCES);
	cr_assert_str_eq(run(), "a:Permission denied");
	cr_assert_str_eq(seen(), "wXwS");
	evl_outside_failed(evl_outside_of(l), EACCES);
	cr_assert_str_eq(run(), "b:Permission denied");
	seen();
	finish(l);
}

/* Three requests of a batch.  The first releases, and the hold that passes on is in doubt. */
static struct evlock *
play_doubt(evlock_handle h[3])
{
	struct evlock *l = play();

	is_free = 0;
	h[0] = ask(l, "a", X);
	h[1] = ask(l, "b", X);
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "a");
	h[2] = ask(l, "late", X);
	is_old = -1;
	drop(l, h[0]);
	cr_assert_str_eq(run(), "", "granted what may be stale");
	seen();
	return l;
}

static void
answer(struct evlock *l, int is_stale)
{
	struct evl_step step;

	evl_step_begin(&step, l->body);
	evl_outside_checked(&step, evl_outside_of(l), is_stale);
	evl_step_end(&step);
}

LockTest(outside, batch_goes_on_after_a_doubt)
{
	evlock_handle h[3];
	struct evlock *l = play_doubt(h);

	answer(l, 0);
	cr_assert_str_eq(run(), "b");
	cr_assert_str_eq(seen(), "");
	drop(l, h[1]);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "dwX", "the others have their turn before a late request");
	drop(l, h[2]);
	run();
	seen();
	finish(l);
}

LockTest(outside, batch_ends_after_a_doubt)
{
	evlock_handle h[3];
	struct evlock *l = play_doubt(h);

	answer(l, 1);
	cr_assert_str_eq(run(), "");
	cr_assert_str_eq(seen(), "dwX");
	evl_outside_got(evl_outside_of(l));
	cr_assert_str_eq(run(), "b");
	answer(l, 1);	/* too late */
	cr_assert_eq(evlock_locked(l), X);
	drop(l, h[1]);
	cr_assert_str_eq(run(), "", "in doubt");
	drop(l, h[2]);
	run();
	seen();
	finish(l);
}

LockTest(outside, nobody_waits_after_a_doubt)
{
	evlock_handle h[3];
	struct evlock *l = play_doubt(h);

	drop(l, h[2]);
	drop(l, h[1]);
	run();
	cr_assert_str_eq(seen(), "d");
	answer(l, 0);
	is_free = 1;
	drop(l, hold(l, X));
	run();
	seen();
	finish(l);
}

LockTest(outside, set_tries_all_its_members)
{
	struct evlock *earlier, *later, *set;
	evlock_handle h;

	in_order(&earlier, &later);
	set = evlock_set_new((struct evlock_set_member[]){ { earlier, EVLOCK_SAME_MODE },
	    { later, EVLOCK_SHARED } }, 2, NULL);
	h = hold(set, X);
	cr_assert_str_eq(seen(), "tXtS");
	drop(set, h);
	run();
	cr_assert_str_eq(seen(), "dd");
	is_free = 0;
	assert_refused(evlock_acquire_nowait(set, X), EAGAIN);
	seen();
	evlock_free(set);
	finish(earlier);
	finish(later);
}

LockTest(outside, loss_is_told_to_holders)
{
	struct evlock *l = play();
	evlock_handle h = evlock_acquire_nowait(l, X);

	ask(l, "a", S);
	evl_outside_lost(evl_outside_of(l), ESTALE);
	cr_assert_str_eq(run(), "a:ESTALE");
	assert_fails(evlock_release(l, h), ENOENT);
	cr_assert_str_eq(seen(), "tX", "it is not asked for on behalf of a failed request");
	finish(l);
}

/* Counts the requests that pass the others, which have waited since the first was granted. */
static int
count_passing(struct evlock *l)
{
	evlock_handle h = hold(l, X), next;
	int n;

	is_free = 0;
	for (n = 0; n < 200; n++) {
		next = ASK(l, "n", .mode = X, .priority = 3);
		drop(l, h);
		if (!*run())
			break;
		h = next;
	}
	drop(l, next);
	run();
	is_free = 1;
	return n;
}

LockTest(outside, priorities_do_not_pass_it_for_ever)
{
	struct evlock *l = play();
	int n = count_passing(l);

	cr_assert_gt(n, 10);
	cr_assert_lt(n, 200);
	cr_assert_str_eq(seen(), "tXdwXd");
	cr_assert_eq(count_passing(l), n);
	seen();
	finish(l);
}
