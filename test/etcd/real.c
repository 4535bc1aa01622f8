/* SPDX-License-Identifier: BSD-3-Clause */

/* Sessions and places on a real etcd, whose URL is in EVLOCK_ETCD_URL; see real.sh.  Each test has
 * its own keys, under a unique prefix. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scopes/etcd/clock.h"

#include "../shim.h"
#include "story.h"

/* --- Beginning and ending --------------------------------------------------------------- */

static void
begin(void)
{
	begin_on_etcd();
	cr_assert_str_eq(run_until_all(2), "one:ready two:ready");
}

/* Returns the keys that a test has left in the store. */
static long
count_keys(void)
{
	char command[300];
	long n = -1;
	FILE *pipe;

	snprintf(command, sizeof command, "ETCDCTL_API=3 etcdctl --endpoints=%s get --prefix %s"
	    " --keys-only | grep -c .", getenv("EVLOCK_ETCD_URL"), prefix);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	cr_assert_eq(fscanf(pipe, "%ld", &n), 1);
	pclose(pipe);
	return n;
}

static void
end(void)
{
	end_on_etcd();
	cr_assert_eq(count_keys(), 0);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static void
enter(struct player *p, int is_exclusive)
{
	char is_in[20];

	want(p, is_exclusive);
	snprintf(is_in, sizeof is_in, "%s:in", p->name);
	cr_assert_str_eq(run_until(1), is_in);
}

static void
wait_behind(struct player *p, int is_exclusive)
{
	want(p, is_exclusive);
	cr_assert_str_eq(run_for(300), "");
}

/* Drops the place, then returns the next recorded outcome. */
static const char *
leave(struct player *p)
{
	evl_place_drop(p->place);
	return run_until(1);
}

#define FREE(...) free_places((struct player *[]){ __VA_ARGS__, NULL })

static void
free_places(struct player **p)
{
	for (; *p; p++)
		evl_place_free((*p)->place);
}

/* --- Places --------------------------------------------------------------------------------- */

EtcdTest(etcd_place, exclusive_ones_take_turns)
{
	PLAYER(a, one);
	PLAYER(b, two);
	uint64_t token;

	enter(&a, EXCLUSIVE);
	token = evl_place_token(a.place);
	wait_behind(&b, EXCLUSIVE);
	cr_assert_str_eq(leave(&a), "b:in");
	cr_assert_gt(evl_place_token(b.place), token);
	cr_assert_eq(evl_place_token(a.place), 0);
	FREE(&a, &b);
}

EtcdTest(etcd_place, first_come_first_served)
{
	PLAYER(a, one);
	PLAYER(b, two);
	PLAYER(c, one);
	PLAYER(d, two);

	enter(&a, EXCLUSIVE);
	wait_behind(&b, SHARED);
	wait_behind(&c, EXCLUSIVE);
	wait_behind(&d, SHARED);
	cr_assert_str_eq(leave(&a), "b:in");
	cr_assert_str_eq(run_for(200), "", "another place went ahead");
	cr_assert_str_eq(leave(&b), "c:in");
	cr_assert_str_eq(leave(&c), "d:in");
	FREE(&a, &b, &c, &d);
}

EtcdTest(etcd_place, shared_ones_share)
{
	PLAYER(a, one);
	PLAYER(b, two);
	PLAYER(c, one);

	enter(&a, SHARED);
	enter(&b, SHARED);
	wait_behind(&c, EXCLUSIVE);
	evl_place_drop(b.place);
	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(leave(&a), "c:in");
	FREE(&a, &b, &c);
}

/* A waiter that leaves the middle of the queue wakes those behind it.  They find that it is not
 * their turn. */
EtcdTest(etcd_place, a_waiter_that_leaves_lets_nobody_in_too_early)
{
	PLAYER(a, one);
	PLAYER(b, two);
	PLAYER(c, one);

	enter(&a, EXCLUSIVE);
	wait_behind(&b, EXCLUSIVE);
	wait_behind(&c, EXCLUSIVE);
	evl_place_drop(b.place);
	cr_assert_str_eq(run_for(300), "");
	cr_assert_str_eq(leave(&a), "c:in");
	FREE(&a, &b, &c);
}

EtcdTest(etcd_place, weakened_lets_shared_ones_in_and_no_others)
{
	PLAYER(a, one);
	PLAYER(b, two);
	PLAYER(c, two);
	uint64_t token;

	enter(&a, EXCLUSIVE);
	token = evl_place_token(a.place);
	wait_behind(&b, SHARED);
	evl_place_weaken(a.place);
	cr_assert_str_eq(run_until(1), "b:in");
	cr_assert_eq(evl_place_token(a.place), token);
	want(&c, EXCLUSIVE);
	evl_place_drop(b.place);
	cr_assert_str_eq(run_for(200), "");
	evl_place_free(a.place);
	cr_assert_str_eq(run_until(1), "c:in");
	FREE(&b, &c);
}

EtcdTest(etcd_place, try_asks_once)
{
	PLAYER(a, one);
	PLAYER(b, two);

	evl_place_want(a.place, EVL_A_TRY, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "a:in");
	evl_place_want(b.place, EVL_A_TRY, SHARED);
	cr_assert_str_eq(run_until(1), "b:EAGAIN");
	evl_place_weaken(a.place);
	run_for(100);
	evl_place_want(b.place, EVL_A_TRY, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "b:EAGAIN");
	evl_place_want(b.place, EVL_A_TRY, SHARED);
	cr_assert_str_eq(run_until(1), "b:in");
	FREE(&a, &b);
}

EtcdTest(etcd_place, wanted_again_at_once_goes_behind)
{
	PLAYER(a, one);
	PLAYER(b, two);

	enter(&a, EXCLUSIVE);
	wait_behind(&b, EXCLUSIVE);
	evl_place_drop(a.place);
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "b:in");
	cr_assert_str_eq(run_for(100), "");
	cr_assert_str_eq(leave(&b), "a:in");
	FREE(&a, &b);
}

EtcdTest(etcd_place, of_other_names_do_not_meet)
{
	PLAYER(a, one);
	struct player b = new_player("b", two, "a", &b);

	enter(&a, EXCLUSIVE);
	enter(&b, EXCLUSIVE);
	FREE(&a, &b);
}

/* --- Holders -------------------------------------------------------------------- */

/* Returns the value of the session's place, as another client reads it from the store. */
static const char *
value_of_place(void)
{
	static char value[300];
	char command[300];
	FILE *pipe;

	snprintf(command, sizeof command, "ETCDCTL_API=3 etcdctl --endpoints=%s get --prefix "
	    "%sa%%2Fb/q/ --print-value-only", getenv("EVLOCK_ETCD_URL"), prefix);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	cr_assert_not_null(fgets(value, sizeof value, pipe));
	pclose(pipe);
	return strtok(value, "\n");
}

EtcdTest(etcd_place, says_who_has_it)
{
	struct evlock_etcd_options options = { .endpoints = getenv("EVLOCK_ETCD_URL"),
	    .prefix = prefix, .ttl = 60, .holder = "the night job" };
	struct evlock_etcd *three = open_session("three", &options);
	PLAYER(a, one);
	PLAYER(b, three);
	char pid[20];

	cr_assert_str_eq(run_until(1), "three:ready");
	enter(&a, EXCLUSIVE);
	snprintf(pid, sizeof pid, " %ld ", (long)getpid());
	cr_assert_not_null(strstr(value_of_place(), pid));
	evl_place_free(a.place);
	enter(&b, EXCLUSIVE);
	cr_assert_str_eq(value_of_place(), "the night job");
	evl_place_free(b.place);
	evlock_etcd_close(three);
	cr_assert_str_eq(run_until(1), "three:closed");
}

/* --- Leases --------------------------------------------------------------------- */

EtcdTest(etcd_session, closing_lets_the_next_in)
{
	PLAYER(a, one);
	PLAYER(b, two);

	enter(&a, EXCLUSIVE);
	wait_behind(&b, EXCLUSIVE);
	evl_place_free(a.place);
	evlock_etcd_close(one);
	cr_assert_str_eq(run_until_all(2), "b:in one:closed");
	evl_place_free(b.place);
	one = open_on_etcd("one");
	cr_assert_str_eq(run_until(1), "one:ready");
}

LeaseTest(etcd_session, lives_longer_than_the_ttl)
{
	PLAYER(a, one);

	enter(&a, EXCLUSIVE);
	cr_assert_str_eq(run_for(ttl * 1000 + 1000), "");
	cr_assert_gt(one->valid_until, evl_clock_now());
	evl_place_free(a.place);
}

/* Another client revokes the lease.  The keepalive's answer then has no ttl, although the HTTP
 * status is OK. */
LeaseTest(etcd_session, revoked_is_lost_and_begins_anew)
{
	PLAYER(a, one);
	PLAYER(b, two);

	enter(&a, EXCLUSIVE);
	wait_behind(&b, EXCLUSIVE);
	revoke_lease_of(one);
	cr_assert_str_eq(run_until_all(4), "a:ESTALE b:in one:lost one:ready");
	cr_assert_eq(evl_place_token(a.place), 0);
	evl_place_free(b.place);
	enter(&a, EXCLUSIVE);
	evl_place_free(a.place);
}

/* Another client deletes keys of this session.  The place is lost, and its other keys are deleted.
 * A waiter learns of it when it looks whether it is its turn. */
EtcdTest(etcd_session, a_place_that_was_deleted_is_lost)
{
	PLAYER(a, one);
	PLAYER(b, two);

	enter(&a, SHARED);
	wait_behind(&b, EXCLUSIVE);
	etcdctl("del --prefix %sa", prefix);
	cr_assert_str_eq(run_until_all(2), "a:ESTALE b:ESTALE");
	enter(&b, EXCLUSIVE);
	FREE(&a, &b);
}

/* The process was stopped for longer than the lease lasts: its loop runs late. */
LeaseTest(etcd_session, late_by_more_than_the_ttl_is_lost)
{
	PLAYER(a, one);
	PLAYER(b, two);
	const char *story;
	int64_t until;

	enter(&a, EXCLUSIVE);
	until = one->valid_until;
	while (evl_clock_now() < until)
		usleep(100000);
	cr_assert_str_eq(told(), "");
	want(&b, EXCLUSIVE);
	cr_assert_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
	story = told();
	cr_assert_not_null(strstr(story, "a:ESTALE one:lost"), "%s", story);
	run_for(500);
	FREE(&a, &b);
}
