/* SPDX-License-Identifier: BSD-3-Clause */

/* What a real etcd will not do on demand: silence, lies, nonsense, and being somebody else. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <event2/http.h>
#include <jansson.h>
#include <netinet/in.h>

#include "../shim.h"
#include "etcd/clock.h"
#include "fake.h"
#include "story.h"

static struct fake *fake, *other;
static struct evlock_etcd *session;
static struct player a;

/* --- Beginning and ending ------------------------------------------------------------ */

static void
begin(void (*answer)(struct fake_request *))
{
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	fake = fake_new(base, answer);
}

static void
open_at(const char *endpoints)
{
	struct evlock_etcd_options options = { .endpoints = endpoints, .ttl = 2 };

	session = open_session("s", &options);
}

static void
open_fake(void)
{
	open_at(fake_url(fake));
}

static void
open_both(const struct fake *first, const struct fake *second)
{
	char urls[100];

	snprintf(urls, sizeof urls, "%s,%s", fake_url(first), fake_url(second));
	open_at(urls);
}

static void
want_in(void)
{
	a = new_player("a", session, "x", &a);
	want(&a, EXCLUSIVE);
}

/* What most tests begin with. */
static void
play(void (*answer)(struct fake_request *))
{
	begin(answer);
	open_fake();
	want_in();
}

static void
end_closed(void)
{
	cr_assert_str_eq(run_until(1), "s:closed");
	fake_free(fake);
	if (other)
		fake_free(other);
	event_base_free(base);
}

static void
end(void)
{
	if (a.place)
		evl_place_free(a.place);
	evlock_etcd_close(session);
	end_closed();
}

#define HEADER "\"header\":{\"revision\":\"9\"}"
#define NOT_ENTERED "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":[{\"key\":\"YQ==\"," \
	"\"create_revision\":\"4\"}]}}]}"
#define BEHIND "{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_range\":{\"kvs\":[{" \
	"\"key\":\"YQ==\",\"create_revision\":\"3\"}]}}]}"

/* --- Finding an etcd ------------------------------------------------------------------- */

Test(etcd_faults, all_is_well)
{
	begin(fake_be_nice);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "grant");
	end();
}

Test(etcd_faults, names_are_looked_up)
{
	char url[64];

	begin(fake_be_nice);
	snprintf(url, sizeof url, "http://localhost%s", strrchr(fake_url(fake), ':'));
	open_at(url);
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

Test(etcd_faults, nobody_there_then_the_next)
{
	char urls[100];

	begin(fake_be_nice);
	snprintf(urls, sizeof urls, "http://127.0.0.1:1,%s", fake_url(fake));
	open_at(urls);
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

static void
be_silent(struct fake_request *q)
{
	(void)q;
}

Test(etcd_faults, silent_then_the_next)
{
	begin(fake_be_nice);
	other = fake_new(base, be_silent);
	open_both(other, fake);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(other), "grant");
	end();
}

/* --- Being somebody else ------------------------------------------------------------------ */

static const char *nonsense;

static void
answer_nonsense(struct fake_request *q)
{
	fake_raw(q, nonsense);
}

/* Those who wait are told EPROTO, and it is tried again: at last an etcd is there. */
static void
meet(const char *bytes)
{
	nonsense = bytes;
	play(answer_nonsense);
	cr_assert_str_eq(run_until(2), "a:Protocol error s:connecting");
	end();
}

Test(etcd_faults, a_web_site)
{
	meet("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<html>It works!</html>");
	cr_assert_str_eq(reason, "closed");
}

Test(etcd_faults, a_redirection)
{
	meet("HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
}

Test(etcd_faults, a_version_without_v3)
{
	meet("HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found\n");
}

Test(etcd_faults, not_http)
{
	meet("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n");
}

Test(etcd_faults, json_of_another_kind)
{
	meet("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"ok\": true}");
}

Test(etcd_faults, too_long_an_answer)
{
	static char bytes[100000];

	strcpy(bytes, "HTTP/1.1 200 OK\r\nContent-Length: 99000\r\n\r\n");
	memset(bytes + strlen(bytes), ' ', 99000);
	meet(bytes);
}

Test(etcd_faults, endless_headers)
{
	static char bytes[100000];

	strcpy(bytes, "HTTP/1.1 200 OK\r\nX: ");
	memset(bytes + strlen(bytes), 'x', 90000);
	meet(bytes);
}

/* It may have been a member of another cluster, which is put right: no need to open it again. */
static void
be_strange_at_first(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n < 5)
		fake_answer(q, 200, "{\"ok\":true}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, what_was_no_etcd_may_become_one)
{
	begin(be_strange_at_first);
	open_fake();
	cr_assert_str_eq(run_until(3), "s:connecting s:connecting s:ready");
	end();
}

/* --- Answers that do not come, or half ------------------------------------------ */

static void
break_the_first(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n == 1)
		fake_raw(q, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"header\":{");
	else if (q->kind == FAKE_GRANT && q->n == 2)
		fake_hang_up(q);
	else if (q->kind == FAKE_GRANT && q->n == 3)
		fake_raw(q, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
	else
		fake_be_nice(q);
}

Test(etcd_faults, half_an_answer_is_none)
{
	begin(break_the_first);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "grant grant grant grant");
	end();
}

/* The first attempt was carried out, but not answered; the second is told that there is such a
 * lease.  Then a keepalive tells for how long it is good. */
static void
grant_without_a_word(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n == 1)
		fake_hang_up(q);
	else if (q->kind == FAKE_GRANT)
		fake_answer(q, 412,
		    "{\"error\":\"\",\"message\":\"etcdserver: lease already exists\",\"code\":9}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, granted_without_a_word)
{
	begin(grant_without_a_word);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "grant grant keepalive");
	end();
}

static void
grant_without_a_word_and_turn_strange(struct fake_request *q)
{
	if (q->kind == FAKE_KEEPALIVE && q->n < 3)
		fake_answer(q, 200, "{\"ok\":true}");
	else
		grant_without_a_word(q);
}

Test(etcd_faults, granted_without_a_word_by_what_is_no_etcd)
{
	play(grant_without_a_word_and_turn_strange);
	cr_assert_str_eq(run_until(4), "a:Protocol error s:connecting s:ready");
	end();
}

static char numbers[3][40];

static void
know_the_first_number(struct fake_request *q)
{
	const char *id = strstr(q->text, "\"ID\":\"");

	if (q->kind == FAKE_GRANT && q->n <= 2)
		sscanf(id, "\"ID\":\"%39[0-9]", numbers[q->n]);
	if (q->kind == FAKE_GRANT && q->n == 1)
		fake_answer(q, 412,
		    "{\"error\":\"\",\"message\":\"etcdserver: lease already exists\",\"code\":9}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_number_that_another_has_is_not_taken)
{
	begin(know_the_first_number);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "grant grant");
	cr_assert_neq(numbers[1][0], '\0');
	cr_assert_str_neq(numbers[1], numbers[2]);
	end();
}

/* A connection that was closed while idle says nothing about the member. */
static void
close_after_each(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT)
		fake_raw(q, "HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n"
		    "{\"header\":{\"revision\":\"5\"},\"ID\":\"7\",\"TTL\":\"2\"}     ");
	else
		fake_be_nice(q);
}

/* Until the lease has been renewed, by the last of so many keepalives. */
static void
live_beside_another(void (*answer)(struct fake_request *), unsigned n_keepalives)
{
	int64_t before;

	begin(answer);
	other = fake_new(base, fake_be_nice);
	open_both(fake, other);
	cr_assert_str_eq(run_until(1), "s:ready");
	before = session->valid_until;
	while (session->valid_until == before)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_str_eq(told(), "");
	cr_assert_str_eq(fake_asked(other), "");
	cr_assert_eq(fake_count(fake, FAKE_KEEPALIVE), n_keepalives);
	end();
}

Test(etcd_faults, connections_may_be_closed_when_idle)
{
	live_beside_another(close_after_each, 1);
}

static void
close_as_it_is_used(struct fake_request *q)
{
	if (q->kind == FAKE_KEEPALIVE && q->n == 1)
		fake_hang_up(q);
	else
		fake_be_nice(q);
}

Test(etcd_faults, connections_may_be_closed_as_they_are_used)
{
	live_beside_another(close_as_it_is_used, 2);
}

/* --- Keeping a lease ------------------------------------------------------------ */

static int is_mute;

static void
be_mute_on_demand(struct fake_request *q)
{
	if (!is_mute)
		fake_be_nice(q);
}

Test(etcd_faults, silence_is_suspect_and_then_a_loss)
{
	play(be_mute_on_demand);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	is_mute = 1;
	cr_assert_str_eq(run_until(3), "s:suspect a:ESTALE s:lost");
	fake_asked(fake);
	is_mute = 0;
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "revoke grant", "the old lease may live on");
	end();
}

Test(etcd_faults, silence_that_ends_in_time_is_no_loss)
{
	int64_t before;

	play(be_mute_on_demand);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	is_mute = 1;
	before = session->valid_until;
	cr_assert_str_eq(run_until(1), "s:suspect");
	cr_assert_not_null(strstr(reason, "no answer"), "%s", reason);
	cr_assert_eq(session->valid_until, before);
	is_mute = 0;
	fake_asked(fake);
	end();
}

/* All connections are in use, by places that get no answer. */
static void
answer_about_the_lease(struct fake_request *q)
{
	if (q->kind != FAKE_ENTER)
		fake_be_nice(q);
}

static struct player many[EVL_MOST_WIRES + 1];

static void
fill_connections(void)
{
	unsigned i;

	begin(answer_about_the_lease);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	for (i = 0; i < EVL_MOST_WIRES + 1; i++) {
		many[i] = new_player("p", session, "x", &many[i]);
		want(&many[i], EXCLUSIVE);
	}
}

static void
end_many(void)
{
	unsigned i;

	for (i = 0; i < EVL_MOST_WIRES + 1; i++)
		evl_place_free(many[i].place);
	end();
}

Test(etcd_faults, a_lease_is_renewed_with_all_connections_in_use)
{
	fill_connections();
	while (session->call.state == EVL_CALL_IDLE)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_eq(session->call.state, EVL_ASKED);
	end_many();
}

Test(etcd_faults, a_lease_is_lost_with_all_connections_in_use)
{
	fill_connections();
	evl_session_lose(session, "the end");
	run_until(EVL_MOST_WIRES + 2);
	cr_assert_str_eq(run_until(1), "s:ready");
	end_many();
}

/* Validity counts from when the keepalive was sent, not from when it was answered. */
static struct fake_request late;
static struct event *late_timer;

static void
answer_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fake_be_nice(&late);
}

static void
be_slow(struct fake_request *q)
{
	struct timeval half = { 0, 500000 };

	if (q->kind != FAKE_GRANT) {
		fake_be_nice(q);
		return;
	}
	late = *q;
	late_timer = event_new(base, -1, 0, answer_late, NULL);
	event_add(late_timer, &half);
}

Test(etcd_faults, validity_counts_from_the_question)
{
	int64_t before;

	begin(be_slow);
	before = evl_clock_now();
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_geq(evl_clock_now() - before, 400 * EVL_MILLISECOND);
	cr_assert_leq(session->valid_until, session->call.sent + 1800 * EVL_MILLISECOND);
	cr_assert_geq(session->valid_until, before + 1800 * EVL_MILLISECOND);
	cr_assert_leq(session->call.sent, evl_clock_now() - 400 * EVL_MILLISECOND);
	event_free(late_timer);
	end();
}

/* What cannot be given back ends with its lease: closing takes no longer than that. */
Test(etcd_faults, closing_ends_without_an_answer)
{
	begin(be_mute_on_demand);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	is_mute = 1;
	end();
}

Test(etcd_faults, closing_what_was_never_open)
{
	begin(be_silent);
	open_fake();
	evlock_etcd_close(session);
	cr_assert_str_eq(told(), "", "inside the call");
	end_closed();
}

/* --- Entering a queue ----------------------------------------------------------- */

static char last_leave[4000];

static void
enter_without_a_word(struct fake_request *q)
{
	if (q->kind == FAKE_LEAVE)
		snprintf(last_leave, sizeof last_leave, "%s", q->text);
	if ((q->kind == FAKE_ENTER || q->kind == FAKE_TRY) && q->n == 1)
		fake_hang_up(q);
	else if (q->kind == FAKE_ENTER || q->kind == FAKE_TRY)
		fake_answer(q, 200, NOT_ENTERED);
	else
		fake_be_nice(q);
}

/* As a late attempt might enter again once we have left, the id is barred. */
Test(etcd_faults, entered_without_a_word)
{
	play(enter_without_a_word);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_eq(evl_place_token(a.place), 4);
	cr_assert_str_eq(fake_asked(fake), "grant enter enter check");
	evl_place_drop(a.place);
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "leave");
	cr_assert_not_null(strstr(last_leave, "request_put"));
	end();
}

Test(etcd_faults, entered_by_a_try_without_a_word)
{
	begin(enter_without_a_word);
	open_fake();
	a = new_player("a", session, "x", &a);
	evl_place_want(a.place, EVL_A_TRY, EXCLUSIVE);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_str_eq(fake_asked(fake), "grant try try check");
	end();
}

static void
note_leaving(struct fake_request *q)
{
	if (q->kind == FAKE_LEAVE)
		snprintf(last_leave, sizeof last_leave, "%s", q->text);
	if (q->kind != FAKE_ENTER)
		fake_be_nice(q);
}

Test(etcd_faults, dropped_while_it_enters_is_barred)
{
	begin(note_leaving);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	want_in();
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "grant enter");
	evl_place_drop(a.place);
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "leave");
	cr_assert_not_null(strstr(last_leave, "request_put"));
	end();
}

Test(etcd_faults, dropped_before_anything_was_asked_asks_nothing)
{
	play(fake_be_nice);
	evl_place_drop(a.place);
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "grant");
	end();
}

Test(etcd_faults, what_went_smoothly_is_not_barred)
{
	begin(enter_without_a_word);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	a = new_player("a", session, "x", &a);
	want(&a, SHARED);
	cr_assert_str_eq(run_until(1), "a:in");
	evl_place_drop(a.place);
	run_for(50);
	cr_assert_not_null(strstr(last_leave, "request_put"));
	want(&a, SHARED);
	cr_assert_str_eq(run_until(1), "a:in");
	evl_place_drop(a.place);
	run_for(50);
	cr_assert_null(strstr(last_leave, "request_put"));
	end();
}

static void
lose_the_lease(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 1)
		fake_answer(q, 404, "{\"error\":\"\",\"code\":5,"
		    "\"message\":\"etcdserver: requested lease not found\"}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_lease_that_is_gone_is_noticed_by_who_uses_it)
{
	play(lose_the_lease);
	cr_assert_str_eq(run_until(4), "s:ready a:ESTALE s:lost s:ready");
	end();
}

static void
deny(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER)
		fake_answer(q, 403,
		    "{\"error\":\"\",\"message\":\"etcdserver: permission denied\",\"code\":7}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, what_is_not_allowed_is_told)
{
	play(deny);
	cr_assert_str_eq(run_until(2), "s:ready a:Permission denied");
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "grant enter", "nothing to leave");
	end();
}

static void
deny_leaving(struct fake_request *q)
{
	if (q->kind == FAKE_LEAVE)
		fake_answer(q, 403,
		    "{\"error\":\"\",\"message\":\"etcdserver: permission denied\",\"code\":7}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, who_comes_after_one_that_may_not_leave_is_told)
{
	play(deny_leaving);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	evl_place_drop(a.place);
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "a:Permission denied");
	end();
}

/* --- Watching ------------------------------------------------------------------- */

static struct bufferevent *watch;
static const char *watch_json;		/* told at once by the first watch */
static unsigned n_behind;		/* looks that find somebody ahead */

static void
wait_behind(struct fake_request *q)
{
	if (q->kind == FAKE_WATCH)
		watch = q->connection;
	if (q->kind == FAKE_WATCH && q->n == 1 && watch_json && !*watch_json)
		return;
	if (q->kind == FAKE_ENTER || (q->kind == FAKE_CHECK && q->n < n_behind))
		fake_answer(q, 200, BEHIND);
	else
		fake_be_nice(q);
	if (q->kind == FAKE_WATCH && q->n == 1 && watch_json)
		fake_tell(q->connection, watch_json);
}

#define DELETED "{\"result\":{" HEADER ",\"events\":[{\"type\":\"DELETE\"," \
	"\"kv\":{\"key\":\"YQ==\"}}]}}"

Test(etcd_faults, a_deletion_is_seen)
{
	play(wait_behind);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(fake_asked(fake), "grant enter watch");
	fake_tell(watch, DELETED);
	cr_assert_str_eq(run_until(1), "a:in");
	cr_assert_str_eq(fake_asked(fake), "check");
	end();
}

/* What lies between may forget a connection that is silent for long, and tells nobody. */
Test(etcd_faults, a_silent_watch_is_seen_to_be_alive)
{
	int fd, is_on = 0;
	socklen_t n = sizeof is_on;

	play(wait_behind);
	cr_assert_str_eq(run_until(1), "s:ready");
	while (!a.place->watch.wire || event_pending(a.place->watch.timer, EV_TIMEOUT, NULL))
		event_base_loop(base, EVLOOP_ONCE);
	fd = bufferevent_getfd(evhttp_connection_get_bufferevent(a.place->watch.wire->http));
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &is_on, &n), 0);
	cr_assert(is_on);
	fake_tell(watch, DELETED);
	cr_assert_str_eq(run_until(1), "a:in");
	end();
}

/* What was compacted away cannot be watched: a look at the store tells instead. */
Test(etcd_faults, a_compaction_is_no_end)
{
	watch_json = "{\"result\":{" HEADER ",\"canceled\":true,\"compact_revision\":\"8\"}}";
	n_behind = 2;
	play(wait_behind);
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(300);
	cr_assert_str_eq(fake_asked(fake), "grant enter watch check watch");
	fake_tell(watch, DELETED);
	cr_assert_str_eq(run_until(1), "a:in");
	end();
}

Test(etcd_faults, a_member_without_a_leader_is_left)
{
	watch_json = "{\"error\":{\"grpc_code\":14,\"message\":\"etcdserver: no leader\"}}";
	play(wait_behind);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_str_eq(fake_asked(fake), "grant enter watch check");
	cr_assert_eq(session->net.n_turns, 1);
	end();
}

/* Looked for in what is sent, as only a member that has lost the others would show its absence. */
static void
look_for_leader(struct fake_request *q)
{
	if (q->kind == FAKE_WATCH)
		write_down("watch", strstr(q->text, "\r\nGrpc-Metadata-hasleader: true\r\n")
		    ? "leader" : "none");
	wait_behind(q);
}

Test(etcd_faults, a_watch_wants_a_leader)
{
	play(look_for_leader);
	cr_assert_str_eq(run_until(2), "s:ready watch:leader");
	end();
}

Test(etcd_faults, a_watch_that_does_not_begin_is_begun_elsewhere)
{
	watch_json = "";
	play(wait_behind);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_eq(session->net.n_turns, 1);
	end();
}

/* One that begins in the past is told late by etcd 3.4; so it is looked at, and goes on. */
Test(etcd_faults, a_watch_from_the_past_is_not_relied_on)
{
	watch_json = "{\"result\":{\"header\":{\"revision\":\"10\"},\"created\":true}}";
	n_behind = 2;
	play(wait_behind);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(run_for(200), "");
	cr_assert_str_eq(fake_asked(fake), "grant enter watch check");
	fake_tell(watch, DELETED);
	cr_assert_str_eq(run_until(1), "a:in");
	end();
}

/* A member that does not answer any more may keep its connections open: its watches are of no
 * use. */
static int is_stuck;

static void
be_stuck_on_demand(struct fake_request *q)
{
	if (!is_stuck)
		wait_behind(q);
}

Test(etcd_faults, watches_leave_a_member_that_does_not_answer)
{
	begin(be_stuck_on_demand);
	n_behind = 1000;
	other = fake_new(base, fake_be_nice);
	open_both(fake, other);
	want_in();
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(200);
	is_stuck = 1;
	cr_assert_str_eq(run_until_all(3), "a:in s:ready s:suspect");
	is_stuck = 0;
	end();
}

/* --- Users ---------------------------------------------------------------------- */

static unsigned n_bad_tokens;

static void
want_a_token(struct fake_request *q)
{
	if (q->kind == FAKE_AUTHENTICATE || strstr(q->text, "\r\nAuthorization: secret.1\r\n"))
		fake_be_nice(q);
	else
		n_bad_tokens++;
}

static void
open_as_user(void)
{
	struct evlock_etcd_options options = {
		.endpoints = fake_url(fake), .ttl = 2, .user = "u", .password = "p"
	};

	session = open_session("s", &options);
}

Test(etcd_faults, a_token_is_got_first_and_shown_always)
{
	begin(want_a_token);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_str_eq(fake_asked(fake), "authenticate grant enter");
	cr_assert_eq(n_bad_tokens, 0);
	end();
}

static void
forget_tokens(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 1)
		fake_answer(q, 401,
		    "{\"error\":\"\",\"message\":\"etcdserver: invalid auth token\",\"code\":16}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_token_is_renewed)
{
	begin(forget_tokens);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_str_eq(fake_asked(fake), "authenticate grant enter authenticate enter");
	end();
}

static void
refuse_the_user(struct fake_request *q)
{
	fake_answer(q, 400,
	    "{\"error\":\"\",\"message\":\"etcdserver: authentication failed, invalid user ID or "
	    "password\",\"code\":3}");
}

Test(etcd_faults, a_user_who_is_not_known)
{
	begin(refuse_the_user);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(2), "a:Permission denied s:connecting");
	cr_assert_not_null(strstr(reason, "authentication failed"));
	end();
}

static void
have_no_users(struct fake_request *q)
{
	if (q->kind == FAKE_AUTHENTICATE)
		fake_answer(q, 412, "{\"error\":\"\",\"code\":9,"
		    "\"message\":\"etcdserver: authentication is not enabled\"}");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_cluster_without_users_needs_no_token)
{
	begin(have_no_users);
	open_as_user();
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

/* --- No memory ------------------------------------------------------------------ */

static long n_allocations, n_live, bad_one;

static void *
failing_malloc(size_t size)
{
	void *p = ++n_allocations == bad_one ? NULL : malloc(size);

	n_live += p != NULL;
	return p;
}

static void
counting_free(void *p)
{
	n_live -= p != NULL;
	free(p);
}

static void
on_closed(struct evlock_etcd *closed, enum evlock_etcd_state state, const char *why, void *who)
{
	(void)closed;
	(void)why;
	if (state == EVLOCK_ETCD_CLOSED)
		write_down(who, "closed");
}

/* A call that fails says so; what happens later is tried again until there is memory. */
static void
live_with_a_failure(void)
{
	struct evlock_etcd_options options = { .endpoints = fake_url(fake), .ttl = 2, .user = "u",
	    .password = "p" };

	a = (struct player){ "a", NULL };
	errno = 0;
	session = evlock_etcd_open(base, &options, on_closed, (void *)(uintptr_t)"s");
	cr_assert(session || errno == ENOMEM);
	if (!session)
		return;
	a.place = evl_place_new(session, "x", on_granted_player, on_ended_player, &a);
	cr_assert(a.place || errno == ENOMEM);
	if (a.place) {
		want(&a, EXCLUSIVE);
		cr_assert_str_eq(run_until(1), "a:in", "%ld", bad_one);
		evl_place_free(a.place);
	}
	evlock_etcd_close(session);
	cr_assert_str_eq(run_until(1), "s:closed");
}

Test(etcd_faults, every_allocation_may_fail)
{
	evlock_set_mem_functions(failing_malloc, NULL, counting_free);
	json_set_alloc_funcs(failing_malloc, counting_free);
	for (bad_one = 1; n_allocations >= bad_one - 1; bad_one++) {
		n_allocations = 0;
		begin(fake_be_nice);
		live_with_a_failure();
		fake_free(fake);
		event_base_free(base);
		cr_assert_eq(n_live, 0, "%ld are left, of the %ldth", n_live, bad_one);
	}
	cr_assert_gt(bad_one, 30);
}

/* --- Names that nobody answers for ------------------------------------------------ */

static void *
counting_realloc(void *p, size_t size)
{
	n_live += !p;
	return realloc(p, size);
}

/* Names are asked for at a socket that nobody reads, which is returned. */
static int
be_without_names(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	evdns_base_clear_nameservers_and_suspend(session->net.dns);
	evdns_base_nameserver_sockaddr_add(session->net.dns, (struct sockaddr *)&address, n, 0);
	evdns_base_resume(session->net.dns);
	return fd;
}

Test(etcd_faults, closing_leaves_no_name_looked_up)
{
	char question[512];
	int fd;

	event_set_mem_functions(failing_malloc, counting_realloc, counting_free);
	base = event_base_new();
	open_at("http://name.invalid");
	fd = be_without_names();
	while (recv(fd, question, sizeof question, 0) < 0)
		event_base_loop(base, EVLOOP_ONCE);
	evlock_etcd_close(session);
	cr_assert_str_eq(run_until(1), "s:closed");
	event_base_free(base);
	libevent_global_shutdown();
	cr_assert_eq(n_live, 0, "%ld are left", n_live);
	close(fd);
}

/* --- Opening -------------------------------------------------------------------- */

static void
assert_bad(struct evlock_etcd_options options)
{
	errno = 0;
	cr_assert_null(evlock_etcd_open(base, &options, NULL, NULL));
	cr_assert_eq(errno, EINVAL);
}

Test(etcd_faults, bad_options)
{
	char longest[400];

	base = event_base_new();
	memset(longest, 'p', sizeof longest);
	longest[256] = '\0';
	assert_bad((struct evlock_etcd_options){ .endpoints = "nonsense" });
	assert_bad((struct evlock_etcd_options){ .ttl = 1 });
	assert_bad((struct evlock_etcd_options){ .prefix = "" });
	assert_bad((struct evlock_etcd_options){ .prefix = longest });
	assert_bad((struct evlock_etcd_options){ .user = "u" });
	assert_bad((struct evlock_etcd_options){ .password = "p" });
	assert_bad((struct evlock_etcd_options){ .ca_file = "/dev/null" });
	assert_bad((struct evlock_etcd_options){ .endpoints = "https://a", .ca_file = "/nowhere" });
	assert_bad((struct evlock_etcd_options){ .endpoints = "https://a",
	    .cert_file = "/dev/null" });
	assert_bad((struct evlock_etcd_options){ .endpoints = "https://a", .cert_file = "/dev/null",
	    .key_file = "/dev/null" });
	event_base_free(base);
}
