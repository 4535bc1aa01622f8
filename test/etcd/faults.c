/* SPDX-License-Identifier: BSD-3-Clause */

/* A real etcd does not fail on demand.  These tests use one that keeps silent, lies, talks
 * nonsense, or is another program. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/dns.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <sys/resource.h>

#include "../shim.h"
#include "scopes/etcd/clock.h"
#include "fake.h"
#include "fake_tls.h"
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

/* The usual start of a test. */
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
	cr_assert_str_eq(fake_asked(other), "grant grant", "it may have been lost on the way");
	end();
}

Test(etcd_faults, a_silent_connection_then_the_next)
{
	begin(fake_be_nice);
	other = fake_new(base, fake_be_nice);
	fake_behave(other, (struct fake_manners){ .is_silent = 1 });
	open_both(other, fake);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_eq(fake_connections(other), 1);
	end();
}

/* A slow address keeps its chance to connect while the next one is tried. */
Test(etcd_faults, silent_then_itself)
{
	begin(fake_be_nice);
	fake_behave(fake, (struct fake_manners){ .is_silent = 1 });
	open_fake();
	run_for(100);
	fake_behave(fake, (struct fake_manners){ .is_silent = 0 });
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

/* --- Another server in etcd's place ------------------------------------------------------- */

/* Waiters fail with EPROTO.  The session reports the reason at once, and again when the first full
 * round of attempts has failed. */
static void
assert_met(const char *why)
{
	open_fake();
	want_in();
	cr_assert_str_eq(run_until_all(3), "a:Protocol error s:connecting s:connecting");
	cr_assert_not_null(strstr(reason, why), "%s", reason);
	end();
}

static void
meet(struct fake_manners manners, const char *why)
{
	begin(fake_be_nice);
	fake_behave(fake, manners);
	assert_met(why);
}

Test(etcd_faults, a_plain_answer_of_http_1)
{
	meet((struct fake_manners){ .greeting = "HTTP/1.1 400 Bad Request\r\n"
	    "Content-Length: 15\r\n\r\n400 Bad Request" }, "HTTP/2");
}

Test(etcd_faults, not_http)
{
	meet((struct fake_manners){ .greeting = "SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n" }, "HTTP/2");
}

Test(etcd_faults, too_few_streams)
{
	meet((struct fake_manners){ .max_streams = 1 }, "too few streams");
}

/* Such a server answers PINGs, but no request can be sent to it. */
Test(etcd_faults, a_window_that_is_never_opened)
{
	begin(fake_be_nice);
	other = fake_new(base, fake_be_nice);
	fake_behave(other, (struct fake_manners){ .is_window_shut = 1 });
	open_both(other, fake);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(other), "");
	end();
}

Test(etcd_faults, a_flood_of_pings)
{
	begin(fake_be_nice);
	fake_behave(fake, (struct fake_manners){ .n_pings = 5000 });
	open_fake();
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	end();
}

/* The server would continue with HTTP/1.1. */
static void
meet_tls(int has_no_h2, const char *story)
{
	char path[] = "/tmp/evlock-faults.XXXXXX";
	struct fake_certificate certificate = { "x", "IP:127.0.0.1", has_no_h2 };
	struct evlock_etcd_options options = { .ca_file = path, .ttl = 2 };
	SSL_CTX *tls;

	close(mkstemp(path));
	tls = fake_tls_new(&certificate, path);
	begin(fake_be_nice);
	fake_behave(fake, (struct fake_manners){ .tls = tls });
	options.endpoints = fake_url(fake);
	session = open_session("s", &options);
	want_in();
	cr_assert_str_eq(run_until_all(has_no_h2 ? 3 : 2), story);
	unlink(path);
	SSL_CTX_free(tls);
}

Test(etcd_faults, tls_without_http_2)
{
	meet_tls(1, "a:Protocol error s:connecting s:connecting");
	cr_assert_not_null(strstr(reason, "ALPN"), "%s", reason);
	end();
}

Test(etcd_faults, tls_with_http_2)
{
	meet_tls(0, "a:in s:ready");
	end();
}

static struct fake_reply strange;

static void
be_strange(struct fake_request *q)
{
	if (q->kind == FAKE_STATUS)
		fake_be_nice(q);
	else
		fake_send(q, &strange);
}

static void
meet_answers(struct fake_reply reply, const char *why)
{
	strange = reply;
	begin(be_strange);
	assert_met(why);
}

Test(etcd_faults, a_web_site)
{
	meet_answers((struct fake_reply){ .content_type = "text/html", .bytes = "<html>", .size = 6,
	    .grpc_status = "0" }, "does not speak gRPC");
}

Test(etcd_faults, a_redirection)
{
	meet_answers((struct fake_reply){ .http_status = "301" }, "HTTP status 301");
}

Test(etcd_faults, a_service_that_it_does_not_have)
{
	meet_answers((struct fake_reply){ .grpc_status = "12",
	    .grpc_message = "unknown%20service%zz%" }, "unknown service%zz%");
}

Test(etcd_faults, a_message_of_another_kind)
{
	meet_answers((struct fake_reply){ .bytes = "\0\0\0\0\3abc", .size = 8,
	    .grpc_status = "0" }, "not an answer of etcd");
}

Test(etcd_faults, a_status_and_no_message)
{
	meet_answers((struct fake_reply){ .grpc_status = "0" }, "not an answer of etcd");
}

Test(etcd_faults, compressed_messages)
{
	meet_answers((struct fake_reply){ .bytes = "\1\0\0\0\1a", .size = 6,
	    .grpc_status = "0" }, "compressed");
}

Test(etcd_faults, a_message_of_four_gigabytes)
{
	meet_answers((struct fake_reply){ .bytes = "\0\377\377\377\377aaa", .size = 8,
	    .is_open = 1 }, "too large");
}

Test(etcd_faults, endless_small_messages)
{
	static char nothing[400000];

	meet_answers((struct fake_reply){ .bytes = nothing, .size = sizeof nothing,
	    .is_open = 1 }, "too many messages");
}

/* The member may have belonged to another cluster, and that has been repaired: the session need not
 * be opened again. */
static void
be_strange_at_first(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n < 5)
		fake_fail(q, 12, "unknown service");
	else
		fake_be_nice(q);
}

Test(etcd_faults, what_was_no_etcd_may_become_one)
{
	begin(be_strange_at_first);
	open_fake();
	cr_assert_str_eq(run_until(4), "s:connecting s:connecting s:connecting s:ready");
	end();
}

/* --- Answers that are missing, or incomplete ------------------------------------ */

static void
break_the_first(struct fake_request *q)
{
	struct fake_reply half = { .bytes = "\0\0\0\0\144abc", .size = 8, .is_open = 1 },
	    no_status = { .bytes = "\0\0\0\0\0", .size = 5 }, busy = { .http_status = "503" };

	if (q->kind != FAKE_GRANT || q->n > 6) {
		fake_be_nice(q);
	} else if (q->n == 1) {
		fake_send(q, &half);
		fake_hang_up(q);
	} else if (q->n == 2) {
		fake_hang_up(q);
	} else if (q->n == 3) {
		fake_send(q, &busy);
	} else if (q->n == 4) {
		fake_send(q, &no_status);
	} else if (q->n == 5) {
		fake_reset(q, NGHTTP2_INTERNAL_ERROR);
	} else {
		fake_fail(q, 14, "etcdserver: request timed out");
	}
}

Test(etcd_faults, half_an_answer_is_none)
{
	begin(break_the_first);
	open_fake();
	while (session->state != EVLOCK_ETCD_READY)
		run_until(1);
	cr_assert_str_eq(fake_asked(fake), "grant grant grant grant grant grant grant");
	end();
}

/* The server processes neither request, so nothing is uncertain and there is nothing to wait
 * for. */
static void
refuse_the_first(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n == 1)
		fake_reset(q, NGHTTP2_REFUSED_STREAM);
	else if (q->kind == FAKE_GRANT && q->n == 2)
		fake_go_away(q, fake_stream_id(q) - 2);
	else
		fake_be_nice(q);
}

Test(etcd_faults, what_was_not_carried_out_is_asked_again_at_once)
{
	begin(refuse_the_first);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "grant grant grant");
	cr_assert(!session->call.is_unsure);
	cr_assert_eq(fake_connections(fake), 2);
	end();
}

/* A member that shuts down finishes what it has begun.  The session makes another connection. */
static void
leave_politely(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT)
		fake_go_away(q, fake_stream_id(q));
	fake_be_nice(q);
}

Test(etcd_faults, a_member_that_goes_is_left)
{
	begin(leave_politely);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(100);
	cr_assert_eq(fake_connections(fake), 2);
	cr_assert_str_eq(fake_asked(fake), "grant");
	end();
}

Test(etcd_faults, a_member_that_goes_at_once_is_tried_again)
{
	begin(fake_be_nice);
	fake_behave(fake, (struct fake_manners){ .is_leaving = 1 });
	open_fake();
	run_for(300);
	cr_assert_lt(fake_connections(fake), 10, "without a pause");
	fake_behave(fake, (struct fake_manners){ .is_leaving = 0 });
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

/* The server carries out the first attempt but does not answer it.  The second attempt fails
 * because the lease exists already.  Then a keepalive finds out how long the lease is valid. */
#define EXISTS 9, "etcdserver: lease already exists"

static void
grant_without_a_word(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n == 1)
		fake_hang_up(q);
	else if (q->kind == FAKE_GRANT)
		fake_fail(q, EXISTS);
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
		fake_fail(q, 12, "unknown service");
	else
		grant_without_a_word(q);
}

Test(etcd_faults, granted_without_a_word_by_what_is_no_etcd)
{
	play(grant_without_a_word_and_turn_strange);
	cr_assert_str_eq(run_until_all(5), "a:Protocol error s:connecting s:connecting s:ready");
	end();
}

static int64_t numbers[3];

static void
know_the_first_number(struct fake_request *q)
{
	if (q->kind == FAKE_GRANT && q->n <= 2)
		numbers[q->n] = q->id;
	if (q->kind == FAKE_GRANT && q->n == 1)
		fake_fail(q, EXISTS);
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_number_that_another_has_is_not_taken)
{
	begin(know_the_first_number);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(fake_asked(fake), "grant grant");
	cr_assert_gt(numbers[1], 0);
	cr_assert_gt(numbers[2], 0);
	cr_assert_neq(numbers[1], numbers[2]);
	end();
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
	run_for(50);
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
	run_for(50);
	is_mute = 1;
	before = session->valid_until;
	cr_assert_str_eq(run_until(1), "s:suspect");
	cr_assert_not_null(strstr(reason, "no answer"), "%s", reason);
	cr_assert_eq(session->valid_until, before);
	is_mute = 0;
	fake_asked(fake);
	end();
}

/* As many calls as possible are in progress, made by places that get no answer. */
static void
answer_about_the_lease(struct fake_request *q)
{
	if (q->kind < FAKE_GUARD)
		fake_be_nice(q);
}

static struct player many[EVL_MOST_CALLS + 1];

static void
fill_calls(void)
{
	unsigned i;

	begin(answer_about_the_lease);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	for (i = 0; i < EVL_MOST_CALLS + 1; i++) {
		many[i] = new_player("p", session, "x", &many[i]);
		want(&many[i], EXCLUSIVE);
	}
	cr_assert_eq(session->calls.n_open, EVL_MOST_CALLS);
}

static void
end_many(void)
{
	unsigned i;

	for (i = 0; i < EVL_MOST_CALLS + 1; i++)
		evl_place_free(many[i].place);
	end();
}

Test(etcd_faults, a_lease_is_renewed_with_all_calls_in_use)
{
	fill_calls();
	while (session->call.state == EVL_CALL_IDLE)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_eq(session->call.state, EVL_ASKED);
	end_many();
}

Test(etcd_faults, a_lease_is_lost_with_all_calls_in_use)
{
	fill_calls();
	evl_session_lose(session, "the end");
	run_until(EVL_MOST_CALLS + 3);
	cr_assert_eq(session->state, EVLOCK_ETCD_READY);
	end_many();
}

/* A lease's validity counts from when the keepalive was sent, not from when it was answered. */
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

/* A key that cannot be deleted ends with its lease, so closing takes no longer than the lease. */
Test(etcd_faults, closing_ends_without_an_answer)
{
	begin(be_mute_on_demand);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	is_mute = 1;
	end();
}

/* Closing ends at once: a lease whose id the session never learned expires by itself. */
Test(etcd_faults, closing_what_was_never_open)
{
	struct evlock_etcd_options options = { .ttl = 60 };

	begin(be_silent);
	options.endpoints = fake_url(fake);
	session = open_session("s", &options);
	run_for(100);
	evlock_etcd_close(session);
	cr_assert_str_eq(told(), "", "inside the call");
	end_closed();
}

/* --- Entering a queue ----------------------------------------------------------- */

/* The server carries out the first attempt: it creates the place, and the guard that is written
 * with it. */
static void
enter_without_a_word(struct fake_request *q)
{
	if ((q->kind == FAKE_ENTER || q->kind == FAKE_TRY) && q->n == 1)
		fake_hang_up(q);
	else if ((q->kind == FAKE_ENTER || q->kind == FAKE_TRY) && q->n == 2)
		fake_txn(q, 0, 9, 9);
	else
		fake_be_nice(q);
}

Test(etcd_faults, entered_without_a_word)
{
	play(enter_without_a_word);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_eq(evl_place_token(a.place), 9);
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter enter check watch watch");
	evl_place_drop(a.place);
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "leave");
	end();
}

Test(etcd_faults, entered_by_a_try_without_a_word)
{
	begin(enter_without_a_word);
	open_fake();
	a = new_player("a", session, "x", &a);
	evl_place_want(a.place, EVL_A_TRY, EXCLUSIVE);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard try try check watch watch");
	end();
}

/* Another client deleted or wrote the guard, or a late copy of the session's own request did.  The
 * session reads the guard again. */
static void
move_the_guard(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n < 3)
		fake_txn(q, 0, 0, q->n == 1 ? 77 : 0);
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_guard_that_has_changed_is_learned_anew)
{
	play(move_the_guard);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter enter guard enter watch watch");
	end();
}

static void
do_not_answer_entries(struct fake_request *q)
{
	if (q->kind != FAKE_ENTER)
		fake_be_nice(q);
}

/* An attempt in progress may be carried out at any time.  The session removes the guard that the
 * attempt needs, and never uses the id again. */
Test(etcd_faults, dropped_while_it_enters_leaves_no_way_in)
{
	char id[EVL_ID_MAX + 1];

	begin(do_not_answer_entries);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	want_in();
	run_for(100);
	strcpy(id, a.place->entry.id);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter");
	evl_place_drop(a.place);
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "clear");
	want(&a, EXCLUSIVE);
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "guard enter");
	cr_assert_str_neq(a.place->entry.id, id);
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

/* After the first time, acquire and release cost two round trips. */
Test(etcd_faults, the_second_time_costs_two_questions)
{
	play(fake_be_nice);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	evl_place_drop(a.place);
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch watch leave");
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "a:in");
	evl_place_drop(a.place);
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "enter leave");
	end();
}

/* Keys that no session would look at again are deleted, the guard included. */
Test(etcd_faults, freed_is_cleared)
{
	play(fake_be_nice);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	evl_place_drop(a.place);
	run_for(50);
	fake_asked(fake);
	evl_place_free(a.place);
	a.place = NULL;
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "clear");
	cr_assert(evl_list_is_empty(&session->tenants));
	end();
}

static void
meddle_with_the_guard(struct fake_request *q)
{
	if (q->kind == FAKE_LEAVE)
		fake_txn(q, 0, 0, 0);
	else
		fake_be_nice(q);
}

Test(etcd_faults, without_its_guard_it_leaves_all_the_same)
{
	play(meddle_with_the_guard);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	evl_place_drop(a.place);
	want(&a, SHARED);
	cr_assert_str_eq(run_until(1), "a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake),
	    "grant guard enter watch watch leave clear guard enter watch");
	end();
}

static void
lose_the_lease(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 1)
		fake_fail(q, 5, "etcdserver: requested lease not found");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_lease_that_is_gone_is_noticed_by_who_uses_it)
{
	play(lose_the_lease);
	cr_assert_str_eq(run_until(4), "s:ready a:ESTALE s:lost s:ready");
	end();
}

#define DENIED 7, "etcdserver: permission denied"

static void
deny(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER)
		fake_fail(q, DENIED);
	else
		fake_be_nice(q);
}

Test(etcd_faults, what_is_not_allowed_is_told)
{
	play(deny);
	cr_assert_str_eq(run_until(2), "s:ready a:Permission denied");
	run_for(100);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter", "nothing to leave");
	end();
}

static void
deny_leaving(struct fake_request *q)
{
	if (q->kind == FAKE_LEAVE)
		fake_fail(q, DENIED);
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

/* Otherwise other clients would wait for as long as this process lives. */
Test(etcd_faults, a_release_that_is_refused_costs_the_lease_in_the_end)
{
	const char *story;

	play(deny_leaving);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	evl_place_drop(a.place);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_not_null(strstr(reason, "a release is refused: etcdserver: permission"), "%s",
	    reason);
	do
		story = run_until(1);
	while (!strcmp(story, "s:ready"));
	cr_assert_str_eq(story, "s:lost");
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

/* --- A cluster in trouble -------------------------------------------------------------- */

static int is_full;

static void
be_full(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && is_full)
		fake_fail(q, 8, "etcdserver: mvcc: database space exceeded");
	else
		fake_be_nice(q);
}

/* The session reports a full store at once; a waiter fails only if the store stays full. */
Test(etcd_faults, a_full_store_is_told_at_once)
{
	is_full = 1;
	play(be_full);
	cr_assert_str_eq(run_until(2), "s:ready s:ready");
	cr_assert_not_null(strstr(reason, "space exceeded"), "%s", reason);
	is_full = 0;
	cr_assert_str_eq(run_until(1), "a:in");
	end();
}

Test(etcd_faults, a_store_that_stays_full_is_told_to_those_who_wait)
{
	const char *story;

	is_full = 1;
	play(be_full);
	cr_assert_str_eq(run_until(1), "s:ready");
	do
		story = run_until(1);
	while (!strcmp(story, "s:ready"));
	cr_assert(!strncmp(story, "a:No space left on device", 25), "%s", story);
	end();
}

static void
answer_with_a_history_lost(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 2)
		fake_set_revision(q->fake, 2);
	fake_be_nice(q);
}

Test(etcd_faults, a_cluster_that_goes_back_in_time_is_told)
{
	play(answer_with_a_history_lost);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	evl_place_drop(a.place);
	run_for(50);
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(3), "a:in a:ESTALE s:lost");
	cr_assert_not_null(strstr(reason, "back in time"), "%s", reason);
	cr_assert_str_eq(run_until(1), "s:ready");
	end();
}

static void
forget_the_lease(struct fake_request *q)
{
	Evl__Header header = EVL__HEADER__INIT;
	Evl__LeaseResponse gone = EVL__LEASE_RESPONSE__INIT;

	header.revision = 1;
	gone.header = &header;
	if (q->kind == FAKE_KEEPALIVE)
		fake_answer(q, &gone.base);
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_cluster_that_goes_back_in_time_has_no_lease)
{
	begin(forget_the_lease);
	open_fake();
	cr_assert_str_eq(run_until(2), "s:ready s:lost");
	cr_assert_not_null(strstr(reason, "back in time"), "%s", reason);
	end();
}

/* --- Health ------------------------------------------------------------------------------- */

static int is_slow_once;

static void
be_slow_once(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && is_slow_once)
		is_slow_once = 0;
	else
		fake_be_nice(q);
}

/* During an election a request may be lost.  The session repeats it on the same connection, but
 * only after the member has shown that it is alive. */
Test(etcd_faults, a_question_that_was_lost_is_asked_again)
{
	struct evlock_etcd_options options = { .ttl = 6 };

	is_slow_once = 1;
	begin(be_slow_once);
	options.endpoints = fake_url(fake);
	session = open_session("s", &options);
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter enter watch watch");
	cr_assert_geq(fake_pings(fake), 1);
	cr_assert_eq(fake_connections(fake), 1);
	end();
}

/* The delay of every answer. */
static unsigned delay_ms, n_delayed;

static struct delayed {
	struct fake_request q;
	struct event *timer;
} delayed[50];

static void
answer_delayed(evutil_socket_t fd, short what, void *arg)
{
	struct delayed *d = arg;

	(void)fd;
	(void)what;
	fake_be_nice(&d->q);
}

static void
be_slow_always(struct fake_request *q)
{
	struct timeval time = { delay_ms / 1000, delay_ms % 1000 * 1000 };
	struct delayed *d = &delayed[n_delayed++];

	cr_assert_leq(n_delayed, sizeof delayed / sizeof *delayed);
	d->q = *q;
	d->timer = event_new(base, -1, 0, answer_delayed, d);
	event_add(d->timer, &time);
}

static void
answer_no_more(void)
{
	while (n_delayed)
		event_free(delayed[--n_delayed].timer);
}

/* The session's timeouts grow with the member's response time, so no request is repeated and no
 * failure is reported. */
Test(etcd_faults, a_slow_member_is_let_be)
{
	struct evlock_etcd_options options = { .ttl = 12 };

	begin(be_slow_always);
	delay_ms = 800;
	options.endpoints = fake_url(fake);
	session = open_session("s", &options);
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	cr_assert_eq(fake_connections(fake), 1);
	cr_assert_leq(fake_count(fake, FAKE_GRANT) + fake_count(fake, FAKE_GUARD) +
	    fake_count(fake, FAKE_ENTER), 4);
	cr_assert_geq(session->net.patience, 1500);
	answer_no_more();
	end();
}

/* A request may still be on its way until the member answers a PING that was sent after it, however
 * late. */
static void
be_far_away(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 1) {
		late = *q;
		fake_be_deaf(q->stream, 1);
	} else {
		fake_be_nice(q);
	}
}

Test(etcd_faults, a_question_on_its_way_is_not_asked_again)
{
	struct evlock_etcd_options options = { .ttl = 60 };

	begin(be_far_away);
	options.endpoints = fake_url(fake);
	session = open_session("s", &options);
	cr_assert_str_eq(run_until(1), "s:ready");
	session->net.patience = 4000;
	want_in();
	cr_assert_str_eq(run_for(5000), "");
	fake_be_nice(&late);
	fake_be_deaf(late.stream, 0);
	cr_assert_str_eq(run_until(1), "a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch watch");
	end();
}

static void
have_no_leader(struct fake_request *q)
{
	Evl__StatusResponse status = EVL__STATUS_RESPONSE__INIT;

	status.version = (ProtobufCBinaryData){ 5, (uint8_t *)(uintptr_t)"3.6.0" };
	if (q->kind == FAKE_STATUS)
		fake_answer(q, &status.base);
}

Test(etcd_faults, a_member_without_a_leader_is_told_and_left)
{
	begin(fake_be_nice);
	other = fake_new(base, have_no_leader);
	open_both(other, fake);
	cr_assert_str_eq(run_until(2), "s:connecting s:ready");
	end();
}

/* --- A shortage on this machine ------------------------------------------------------------ */

static void
be_nice_and_noted(struct fake_request *q)
{
	late = *q;
	fake_be_nice(q);
}

static void
limit_descriptors(rlim_t n)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n ? n : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Such a failure says nothing about the member.  The session tries the same member again, and no
 * other. */
Test(etcd_faults, without_descriptors_there_is_a_pause)
{
	struct evlock_etcd_options options = { .ttl = 60 };
	char urls[100];

	begin(be_nice_and_noted);
	other = fake_new(base, fake_be_nice);
	snprintf(urls, sizeof urls, "%s,%s", fake_url(fake), fake_url(other));
	options.endpoints = urls;
	session = open_session("s", &options);
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(50);
	limit_descriptors(3);
	fake_hang_up(&late);
	run_for(500);
	cr_assert_gt(session->net.n_failed, 2);
	cr_assert_lt(session->net.n_failed, 12, "without a pause");
	cr_assert_eq(session->net.route.n_rounds, 0);
	limit_descriptors(0);
	while (!session->net.now)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_eq(session->net.route.n_rounds, 0);
	end();
}

/* --- Watching ------------------------------------------------------------------- */

static struct fake_stream *watching;	/* the stream of watches */
static int64_t watched;			/* the id of the last watch that waits for somebody */
static unsigned n_behind;		/* looks that find another client ahead */
static int64_t set_revision;		/* reported to the first watch; 0: that of the store */
static int is_first_denied;

static void
wait_behind(struct fake_request *q)
{
	if (q->kind == FAKE_WATCH) {
		watching = q->stream;
		watched = q->id;
	}
	if (q->kind == FAKE_ENTER || (q->kind == FAKE_CHECK && q->n < n_behind))
		fake_txn(q, 1, 3, 0);
	else if (q->kind == FAKE_WATCH && q->n == 1 && is_first_denied)
		fake_tell_canceled(q->stream, -1, 1, "rpc error: etcdserver: permission denied");
	else if (q->kind == FAKE_WATCH && q->n == 1 && set_revision)
		fake_tell_created(q->stream, q->id, set_revision);
	else
		fake_be_nice(q);
}

static void
wait_in_row(void)
{
	play(wait_behind);
	cr_assert_str_eq(run_until(1), "s:ready");
	cr_assert_str_eq(run_for(200), "");
}

static void
let_in(void)
{
	fake_tell_deleted(watching, watched, 3);
	cr_assert_str_eq(run_until(1), "a:in");
}

Test(etcd_faults, a_deletion_is_seen)
{
	wait_in_row();
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch");
	let_in();
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "check watch watch", "our own keys are watched");
	end();
}

/* A router or firewall may drop a connection that is silent for long, and notifies neither side. */
Test(etcd_faults, a_silent_connection_is_seen_to_be_alive)
{
	int fd, is_on = 0, time = 0;
	socklen_t n = sizeof is_on;

	begin(fake_be_nice);
	open_fake();
	cr_assert_str_eq(run_until(1), "s:ready");
	fd = bufferevent_getfd(session->net.now->h2->be);
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &is_on, &n), 0);
	cr_assert(is_on);
	cr_assert_eq(getsockopt(fd, IPPROTO_TCP, 18 /* TCP_USER_TIMEOUT */, &time, &n), 0);
	cr_assert_gt(time, 0);
	end();
}

/* The session watches again after a compaction, and after a watch has ended for any other
 * reason. */
Test(etcd_faults, a_watch_that_is_canceled_is_put_in_place_again)
{
	wait_in_row();
	fake_asked(fake);
	fake_tell_canceled(watching, watched, 0, NULL);
	run_for(300);
	cr_assert_str_eq(fake_asked(fake), "watch");
	let_in();
	end();
}

/* The stream ends, and the session creates its watches again.  The store has not changed meanwhile,
 * so the session need not look. */
Test(etcd_faults, a_stream_that_ends_is_begun_again)
{
	wait_in_row();
	fake_asked(fake);
	fake_end_stream(watching, NULL, NULL);
	run_for(300);
	cr_assert_str_eq(fake_asked(fake), "watch");
	cr_assert_eq(fake_connections(fake), 1, "the member is not blamed");
	let_in();
	end();
}

/* The store has changed meanwhile. */
Test(etcd_faults, what_happened_while_nobody_watched_is_looked_for)
{
	n_behind = 2;
	wait_in_row();
	fake_asked(fake);
	fake_set_revision(fake, 8);
	fake_end_stream(watching, NULL, NULL);
	run_for(300);
	cr_assert_str_eq(fake_asked(fake), "watch check");
	let_in();
	end();
}

Test(etcd_faults, a_watch_that_begins_late_looks_once_more)
{
	n_behind = 2;
	set_revision = 10;
	wait_in_row();
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch check");
	let_in();
	end();
}

/* The key is deleted after the look was carried out.  The watch reports that before the look is
 * answered. */
static void
delete_during_a_look(struct fake_request *q)
{
	if (q->kind == FAKE_CHECK && q->n == 1) {
		late = *q;
		fake_tell_deleted(watching, watched, 3);
	} else {
		wait_behind(q);
	}
}

Test(etcd_faults, a_deletion_that_is_told_during_a_look_is_not_missed)
{
	set_revision = 10;
	play(delete_during_a_look);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch check check watch watch");
	end();
}

/* etcd 3.4 reports late what happens around the beginning of a watch. */
static void
be_old(struct fake_request *q)
{
	Evl__StatusResponse status = EVL__STATUS_RESPONSE__INIT;

	status.version = (ProtobufCBinaryData){ 6, (uint8_t *)(uintptr_t)"3.4.23" };
	status.leader = 1;
	if (q->kind == FAKE_STATUS)
		fake_answer(q, &status.base);
	else
		wait_behind(q);
}

Test(etcd_faults, an_old_member_is_always_asked_once_more)
{
	n_behind = 2;
	play(be_old);
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(200);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch check");
	let_in();
	end();
}

Test(etcd_faults, a_watch_that_is_not_allowed_is_told)
{
	is_first_denied = 1;
	play(wait_behind);
	cr_assert_str_eq(run_until(2), "s:ready a:Permission denied");
	end();
}

static unsigned n_streams;

static void
have_no_leader_for_watches(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER)
		fake_txn(q, 1, 3, 0);
	else if (q->kind == FAKE_WATCH && n_streams++ == 0)
		fake_fail(q, 14, "etcdserver: no leader");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_stream_without_a_leader_is_begun_elsewhere)
{
	begin(have_no_leader_for_watches);
	other = fake_new(base, have_no_leader_for_watches);
	open_both(fake, other);
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready s:ready");
	cr_assert_not_null(strstr(reason, "no leader"), "%s", reason);
	run_for(1000);
	cr_assert_eq(fake_count(other, FAKE_WATCH), 1);
	end();
}

static void
look_for_leader(struct fake_request *q)
{
	if (q->kind == FAKE_WATCH)
		write_down("watch", q->is_for_leader ? "leader" : "none");
	wait_behind(q);
}

Test(etcd_faults, a_watch_wants_a_leader)
{
	play(look_for_leader);
	cr_assert_str_eq(run_until(2), "s:ready watch:leader");
	end();
}

static void
do_not_begin_watches(struct fake_request *q)
{
	if (q->kind != FAKE_WATCH)
		wait_behind(q);
}

Test(etcd_faults, a_watch_that_does_not_begin_is_begun_elsewhere)
{
	begin(do_not_begin_watches);
	other = fake_new(base, wait_behind);
	n_behind = 1000;
	open_both(fake, other);
	want_in();
	cr_assert_str_eq(run_until(1), "s:ready");
	while (!fake_count(other, FAKE_WATCH))
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_str_eq(told(), "s:ready");
	cr_assert_not_null(strstr(reason, "start a watch"), "%s", reason);
	end();
}

static void
tell_nonsense(struct fake_request *q)
{
	unsigned i;

	wait_behind(q);
	if (q->kind == FAKE_WATCH && q->n == 1)
		for (i = 0; i < 2000; i++)
			fake_tell_deleted(q->stream, 4711, 3);
}

Test(etcd_faults, nonsense_on_a_stream_ends_it)
{
	play(tell_nonsense);
	cr_assert_str_eq(run_until(2), "s:ready s:ready");
	cr_assert_not_null(strstr(reason, "unknown watches"), "%s", reason);
	run_for(300);
	let_in();
	end();
}

/* A member that no longer answers may keep its connections open, but its watches are useless. */
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
	fake_set_revision(other, 6);
	while (!a.place || a.place->state != EVL_IN)
		event_base_loop(base, EVLOOP_ONCE);
	told();
	is_stuck = 0;
	end();
}

/* --- The session's own keys -------------------------------------------------------------- */

static int64_t own;			/* the watch of the place; that of the mark is the next */

static void
note_own(struct fake_request *q)
{
	if (q->kind == FAKE_WATCH && strstr(q->key, "/q/")) {
		own = q->id;
		watching = q->stream;
	} else if (q->kind == FAKE_WATCH) {
		watched = q->id;
	}
	fake_be_nice(q);
}

static void
hold(void)
{
	play(note_own);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch watch");
}

Test(etcd_faults, a_key_that_somebody_deletes_is_a_loss)
{
	hold();
	fake_tell_deleted(watching, own, 6);
	cr_assert_str_eq(run_until(1), "a:ESTALE");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "leave");
	end();
}

Test(etcd_faults, so_is_the_mark_beside_it)
{
	hold();
	fake_tell_deleted(watching, watched, 6);
	cr_assert_str_eq(run_until(1), "a:ESTALE");
	end();
}

Test(etcd_faults, unless_it_was_weakened)
{
	hold();
	evl_place_weaken(a.place);
	fake_tell_deleted(watching, watched, 6);
	cr_assert_str_eq(run_for(100), "");
	cr_assert_str_eq(fake_asked(fake), "weaken");
	end();
}

/* A late report about earlier keys of this session is not a loss. */
Test(etcd_faults, a_key_of_an_earlier_time_is_no_loss)
{
	hold();
	fake_tell_deleted(watching, own, 4);
	cr_assert_str_eq(run_for(100), "");
	end();
}

/* The watch of the place lasts, and may report before the next entry is answered. */
static void
delete_before_the_answer(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 2) {
		fake_tell_deleted(watching, own, 8);
		fake_tell_deleted(watching, watched, 6);
		fake_set_revision(fake, 7);
	}
	note_own(q);
}

Test(etcd_faults, a_key_that_is_deleted_before_we_know_of_it_is_a_loss)
{
	play(delete_before_the_answer);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	evl_place_drop(a.place);
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "a:ESTALE");
	end();
}

/* In a cluster that has lost its data, revisions start again. */
Test(etcd_faults, what_was_deleted_in_another_history_is_no_loss)
{
	hold();
	fake_tell_deleted(watching, own, 6);
	cr_assert_str_eq(run_until(1), "a:ESTALE");
	run_for(50);
	fake_set_revision(fake, 3);
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(3), "a:ESTALE s:lost s:ready");
	want(&a, EXCLUSIVE);
	cr_assert_str_eq(run_until(1), "a:in");
	end();
}

static int is_gone;

static void
be_gone(struct fake_request *q)
{
	if (q->kind == FAKE_CHECK && is_gone)
		fake_txn(q, 0, 0, 0);
	else
		note_own(q);
}

/* The session looks for what happened while it had no watch. */
static void
begin_to_watch_anew(void)
{
	fake_set_revision(fake, 8);
	fake_end_stream(watching, NULL, NULL);
}

Test(etcd_faults, a_key_that_was_deleted_while_nobody_watched_is_a_loss)
{
	play(be_gone);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	begin_to_watch_anew();
	cr_assert_str_eq(run_for(300), "");
	is_gone = 1;
	fake_set_revision(fake, 9);
	fake_end_stream(watching, NULL, NULL);
	cr_assert_str_eq(run_until(1), "a:ESTALE");
	end();
}

static void
assert_one_look(const char *asked)
{
	fake_asked(fake);
	begin_to_watch_anew();
	run_for(300);
	cr_assert_str_eq(fake_asked(fake), asked);
}

Test(etcd_faults, one_look_will_do_for_both_keys)
{
	hold();
	assert_one_look("watch watch check");
	end();
}

/* The watch of the place's mark stays for the next time, but its reports are ignored. */
Test(etcd_faults, a_weakened_place_looks_for_its_only_key)
{
	hold();
	evl_place_weaken(a.place);
	run_for(50);
	assert_one_look("watch watch check");
	end();
}

static void
deny_the_mark(struct fake_request *q)
{
	if (q->kind == FAKE_WATCH && !strstr(q->key, "/q/"))
		fake_tell_canceled(q->stream, -1, 1, "rpc error: etcdserver: permission denied");
	else
		note_own(q);
}

Test(etcd_faults, also_if_one_of_them_cannot_be_watched)
{
	play(deny_the_mark);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter watch watch check");
	assert_one_look("watch check");
	end();
}

static void
look_late(struct fake_request *q)
{
	if (q->kind == FAKE_CHECK && q->n == 1)
		late = *q;
	else
		note_own(q);
}

/* The look may have been carried out before the reported event. */
Test(etcd_faults, what_is_told_during_a_look_leads_to_another)
{
	play(look_late);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	begin_to_watch_anew();
	run_for(300);
	fake_set_revision(fake, 9);
	fake_end_stream(watching, NULL, NULL);
	run_for(300);
	fake_asked(fake);
	fake_txn(&late, 1, 0, 0);
	run_for(50);
	cr_assert_not_null(strstr(fake_asked(fake), "check"));
	end();
}

/* --- Users ---------------------------------------------------------------------- */

static unsigned n_bad_tokens;

static void
want_a_token(struct fake_request *q)
{
	if (q->kind == FAKE_AUTHENTICATE || q->kind == FAKE_STATUS)
		cr_assert_str_eq(q->token, "", "an old token would be refused");
	else
		n_bad_tokens += strcmp(q->token, "secret.1") != 0;
	fake_be_nice(q);
}

static void
open_as_user(void)
{
	struct evlock_etcd_options options = {
		.endpoints = fake_url(fake), .ttl = 2, .user = "u", .password = "p",
		.flags = EVLOCK_ETCD_PLAIN_PASSWORD
	};

	session = open_session("s", &options);
}

Test(etcd_faults, a_token_is_got_first_and_shown_always)
{
	begin(want_a_token);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "authenticate grant guard enter watch watch");
	cr_assert_eq(n_bad_tokens, 0);
	end();
}

static void
forget_tokens(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 1)
		fake_fail(q, 16, "etcdserver: invalid auth token");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_token_is_renewed)
{
	begin(forget_tokens);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake),
	    "authenticate grant guard enter authenticate enter watch watch");
	end();
}

static void
change_users(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER && q->n == 1)
		fake_fail(q, 3, "etcdserver: revision of auth store is old");
	else
		fake_be_nice(q);
}

/* A user with a token gets a new one.  A user known by a certificate repeats the request. */
Test(etcd_faults, users_that_change_are_no_end)
{
	begin(change_users);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake),
	    "authenticate grant guard enter authenticate enter watch watch");
	end();
}

Test(etcd_faults, users_that_change_are_no_end_for_certificates)
{
	play(change_users);
	cr_assert_str_eq(run_until(2), "s:ready a:in");
	run_for(50);
	cr_assert_str_eq(fake_asked(fake), "grant guard enter enter watch watch");
	end();
}

/* A stream keeps its token.  New watches need a new token, and existing watches stay. */
static void
forget_the_token_of_a_stream(struct fake_request *q)
{
	if (q->kind == FAKE_ENTER)
		fake_txn(q, 1, 3, 0);
	else if (q->kind == FAKE_WATCH && q->n == 2)
		fake_tell_canceled(q->stream, -1, 1, "rpc error: etcdserver: invalid auth token");
	else
		fake_be_nice(q);
}

Test(etcd_faults, a_stream_with_an_old_token_runs_dry)
{
	struct player b;

	begin(forget_the_token_of_a_stream);
	open_as_user();
	want_in();
	cr_assert_str_eq(run_until(1), "s:ready");
	run_for(100);
	b = new_player("b", session, "y", &b);
	want(&b, EXCLUSIVE);
	run_for(500);
	cr_assert_str_eq(fake_asked(fake),
	    "authenticate grant guard enter watch guard enter watch authenticate watch");
	cr_assert_neq(a.place->ahead.feed, b.place->ahead.feed);
	evl_place_drop(a.place);
	run_for(100);
	cr_assert(session->watches.feeds.next->next == &session->watches.feeds, "it is dry");
	evl_place_free(b.place);
	end();
}

static void
refuse_the_user(struct fake_request *q)
{
	if (q->kind == FAKE_STATUS)
		fake_be_nice(q);
	else
		fake_fail(q, 3, "etcdserver: authentication failed, invalid user ID or password");
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
		fake_fail(q, 9, "etcdserver: authentication is not enabled");
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

/* A call that fails returns an error.  Later work is repeated until there is memory. */
static void
live_with_a_failure(void)
{
	struct evlock_etcd_options options = { .endpoints = fake_url(fake), .ttl = 2, .user = "u",
	    .password = "p", .flags = EVLOCK_ETCD_PLAIN_PASSWORD };

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

/* The resolver sends its queries to a socket that nobody reads.  Returns that socket. */
static int
be_without_names(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	evdns_base_clear_nameservers_and_suspend(session->net.route.dns);
	evdns_base_nameserver_sockaddr_add(session->net.route.dns, (struct sockaddr *)&address, n,
	    0);
	evdns_base_resume(session->net.route.dns);
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

Test(etcd_faults, without_a_base_or_a_session)
{
	errno = 0;
	cr_assert_null(evlock_etcd_open(NULL, NULL, NULL, NULL));
	cr_assert_eq(errno, EINVAL);
	errno = 0;
	cr_assert_null(evlock_etcd_new(NULL, "lock", NULL));
	cr_assert_eq(errno, EINVAL);
	evlock_etcd_close(NULL);
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
	assert_bad((struct evlock_etcd_options){ .user = "u", .password = "p" });
	assert_bad((struct evlock_etcd_options){ .flags = 2 });
	assert_bad((struct evlock_etcd_options){ .holder = longest });
	assert_bad((struct evlock_etcd_options){ .ca_file = "/dev/null" });
	assert_bad((struct evlock_etcd_options){ .endpoints = "https://a", .ca_file = "/nowhere" });
	assert_bad((struct evlock_etcd_options){ .endpoints = "https://a",
	    .cert_file = "/dev/null" });
	assert_bad((struct evlock_etcd_options){ .endpoints = "https://a", .cert_file = "/dev/null",
	    .key_file = "/dev/null" });
	event_base_free(base);
}
