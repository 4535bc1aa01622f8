/* SPDX-License-Identifier: BSD-3-Clause */

/* One question, repeated until it is answered; see call.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "scopes/etcd/call.h"
#include "scopes/etcd/clock.h"

#define MOST_BYTES	(64 * 1024)	/* of an answer */
#define LONG_FAILURES	5		/* number of failures that leads to a pause of 2 s */

static void on_rpc(struct evl_rpc *rpc, void *arg);

/* --- From state to state --------------------------------------------------------- */

/* Enters a state that the timer ends. */
static void
wait_for(struct evl_call *call, enum evl_call_state state, struct timeval time)
{
	call->state = (uint8_t)state;
	event_add(call->timer, &time);
}

static void
pause(struct evl_call *call, unsigned n_failed)
{
	wait_for(call, EVL_PAUSED, evl_net_pause(n_failed));
}

static void
drop_rpc(struct evl_call *call)
{
	event_del(call->timer);
	if (call->state == EVL_ASKED)
		call->calls->n_open--;
	evl_rpc_free(call->rpc);
	call->rpc = NULL;
	call->state = EVL_CALL_IDLE;
}

static void
enqueue(struct evl_call *call)
{
	struct evl_link *waiting = &call->calls->waiting;

	call->state = EVL_QUEUED_CALL;
	if (call->is_urgent)
		evl_list_insert_after(waiting, &call->link);
	else
		evl_list_push(waiting, &call->link);
}

static void
conclude(struct evl_call *call, const struct evl_reply *reply)
{
	struct evl_calls *calls = call->calls;

	call->state = EVL_CALL_IDLE;
	call->cb(reply, call->arg);
	evl_call_pump_all(calls);
}

/* Asks as soon as there is a line. */
static void
repeat(struct evl_call *call)
{
	enqueue(call);
	evl_call_pump_all(call->calls);
}

/* Reports a call that is stuck.  For calls about the lease, which are urgent, the session does
 * that. */
static void
note_failure(struct evl_call *call, const char *reason)
{
	struct evl_net *net = call->calls->net;
	int is_stuck = !call->is_urgent &&
	    evl_clock_now() - call->begun > net->ttl / 3 * EVL_MILLISECOND;

	evl_net_note_reason(net, reason, is_stuck);
}

/* --- One attempt ----------------------------------------------------------------- */

static int
begin(struct evl_call *call, struct evl_h2 *h2)
{
	struct evl_token *token = call->is_open ? NULL : call->calls->token;
	struct evl_rpc_options options = {
		.path = call->question->path, .authority = evl_net_authority(call->calls->net),
		.token = token ? token->text : NULL, .limit = MOST_BYTES
	};

	call->sent = evl_clock_now();
	call->seen = call->calls->revision;
	call->token_serial = evl_token_serial(token);
	call->rpc = evl_rpc_new(h2, &options, on_rpc, call);
	return call->rpc ? call->question->write(evl_rpc_out(call->rpc), call->arg) : -1;
}

static void
attempt(struct evl_call *call, struct evl_h2 *h2)
{
	call->state = EVL_CALL_IDLE;
	if (begin(call, h2) < 0) {
		if (call->rpc)
			drop_rpc(call);
		pause(call, call->n_failed++);
		return;
	}
	if (!call->n_late)
		call->patience = call->calls->net->patience;
	evl_rpc_send(call->rpc, 1);
	call->calls->n_open++;
	wait_for(call, EVL_ASKED, evl_net_ms(call->patience / 2));
}

static int
is_ready(const struct evl_call *call, int has_token)
{
	return (has_token || call->is_open) &&
	    (call->is_urgent || call->calls->n_open < EVL_MOST_CALLS);
}

void
evl_call_pump_all(struct evl_calls *calls)
{
	int has_token = evl_token_is_ready(calls->token);
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &calls->waiting) {
		struct evl_call *call = EVL_CONTAINER(link, struct evl_call, link);
		struct evl_h2 *h2 = is_ready(call, has_token) ? evl_net_h2(calls->net) : NULL;

		if (h2) {
			evl_list_remove(link);
			attempt(call, h2);
		} else if (is_ready(call, has_token)) {
			return;
		}
	}
	if (!has_token && !evl_list_is_empty(&calls->waiting))
		calls->token->want(calls->token->arg);
}

/* --- What comes of it ------------------------------------------------------------ */

/* If a renewed token is refused as well, the call pauses. */
static void
renew_token(struct evl_call *call)
{
	evl_token_expire(call->calls->token, call->token_serial);
	if (call->n_failed++)
		pause(call, call->n_failed);
	else
		enqueue(call);
	evl_call_pump_all(call->calls);
}

/* The answer is not etcd's.  The call fails after as many such answers as there are addresses, and
 * at least two. */
static void
note_foreign(struct evl_call *call, const struct evl_reply *reply)
{
	struct evl_net *net = call->calls->net;

	if (++call->n_foreign >= 2 && call->n_foreign >= evl_route_size(&net->route)) {
		conclude(call, reply);
		return;
	}
	evl_net_be_unfit(net, reply->reason, 1);
	pause(call, call->n_failed++);
}

/* The session reports a full store at once.  The call fails only after a ttl, because somebody may
 * make room. */
static void
wait_for_room(struct evl_call *call, const struct evl_reply *reply)
{
	struct evl_net *net = call->calls->net;

	evl_net_note_reason(net, reply->reason, 1);
	if (evl_clock_now() - call->begun > net->ttl * EVL_MILLISECOND)
		conclude(call, reply);
	else
		pause(call, LONG_FAILURES);
}

/* If the line has died, another one replaces it, and the call goes on there at once.  Otherwise the
 * call pauses. */
static void
ask_again(struct evl_call *call, const struct evl_reply *reply, int is_line_dead)
{
	note_failure(call, reply->reason);
	if (reply->verdict == EVL_NO_LEADER)
		evl_net_be_unfit(call->calls->net, reply->reason, 1);
	if (is_line_dead || (reply->verdict == EVL_REFUSED && !call->n_failed))
		enqueue(call);
	else
		pause(call, call->n_failed);
	call->n_failed++;
	evl_call_pump_all(call->calls);
}

/* The revision decreases only if the cluster has lost data. */
static void
note_revision(struct evl_call *call, const struct evl_reply *reply)
{
	struct evl_calls *calls = call->calls;

	evl_net_note_answer(calls->net, call->sent, call->question->is_ordered);
	if (reply->revision > calls->revision)
		calls->revision = reply->revision;
	if (!call->question->is_ordered || !reply->revision || reply->revision >= call->seen)
		return;
	calls->revision = reply->revision;
	if (calls->went_back)
		calls->went_back(calls->arg);
}

static void
judge(struct evl_call *call, struct evl_reply *reply, int is_line_dead)
{
	int has_token = call->calls->token && !call->is_open;

	call->is_unsure |= reply->verdict == EVL_BUSY || reply->verdict == EVL_NO_LEADER ||
	    reply->verdict == EVL_FOREIGN;
	if (reply->verdict != EVL_FOREIGN)
		call->n_foreign = 0;
	if (reply->verdict == EVL_NO_TOKEN && !has_token)
		reply->verdict = EVL_DENIED;
	switch (reply->verdict) {
	case EVL_FOREIGN:
		note_foreign(call, reply);
		break;
	case EVL_FULL:
		wait_for_room(call, reply);
		break;
	case EVL_NO_TOKEN: case EVL_OLD_AUTH:
		if (has_token) {
			renew_token(call);
			break;
		}
		/* fall through */
	case EVL_BUSY: case EVL_NO_LEADER: case EVL_REFUSED:
		ask_again(call, reply, is_line_dead);
		break;
	default:
		conclude(call, reply);
	}
}

static void
on_rpc(struct evl_rpc *rpc, void *arg)
{
	struct evl_call *call = arg;
	struct evl_ending ending;
	struct evl_reply reply;
	const uint8_t *bytes = NULL;
	size_t size = 0;
	int is_line_dead;

	if (!evl_rpc_is_over(rpc))
		return;
	evl_rpc_peek(rpc, &bytes, &size);
	evl_rpc_end(rpc, &ending);
	evl_reply_read(&reply, call->question->kind, &ending, bytes, size);
	is_line_dead = rpc->stream.h2->state == EVL_H2_DEAD;
	drop_rpc(call);
	if (reply.verdict == EVL_ANSWERED)
		note_revision(call, &reply);
	judge(call, &reply, is_line_dead);
}

/* The member is alive but does not answer: the question may have been lost in an election.  Calls
 * about the lease, which are urgent, have no time to ask the same member twice. */
static void
give_up_attempt(struct evl_call *call)
{
	struct evl_net *net = call->calls->net;

	drop_rpc(call);
	note_failure(call, "no answer, although the member is alive");
	call->is_unsure = 1;
	call->patience = 2 * call->patience < net->ttl / 3 ? 2 * call->patience : net->ttl / 3;
	if (++call->n_late >= 2 || call->is_urgent)
		evl_net_be_unfit(net, "the member is alive, but does not answer", 0);
	repeat(call);
}

static void
be_late(struct evl_call *call)
{
	struct evl_net *net = call->calls->net;

	if (evl_net_is_heard(net, call->sent) &&
	    evl_clock_now() - call->sent >= call->patience * EVL_MILLISECOND) {
		give_up_attempt(call);
		return;
	}
	note_failure(call, "no answer yet");
	evl_net_suspect(net);
	wait_for(call, EVL_ASKED, evl_net_ms(call->patience / 2));
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct evl_call *call = arg;

	(void)fd;
	(void)what;
	if (call->state == EVL_ASKED)
		be_late(call);
	else
		repeat(call);
}

/* --- Starting and stopping ------------------------------------------------------- */

int
evl_call_init(struct evl_call *call, struct evl_calls *calls, evl_call_cb cb, void *arg)
{
	memset(call, 0, sizeof *call);
	call->calls = calls;
	call->cb = cb;
	call->arg = arg;
	call->timer = event_new(calls->net->base, -1, 0, on_timer, call);
	if (!call->timer)
		errno = ENOMEM;
	return call->timer ? 0 : -1;
}

void
evl_call_clear(struct evl_call *call)
{
	if (!call->timer)
		return;
	evl_call_stop(call);
	event_free(call->timer);
	call->timer = NULL;
}

static void
prepare(struct evl_call *call, const struct evl_question *question, unsigned n_failed)
{
	call->question = question;
	call->begun = evl_clock_now();
	call->n_failed = n_failed;
	call->n_late = call->n_foreign = 0;
	call->is_unsure = 0;
}

void
evl_call_start(struct evl_call *call, const struct evl_question *question)
{
	prepare(call, question, 0);
	repeat(call);
}

void
evl_call_start_later(struct evl_call *call, const struct evl_question *question)
{
	prepare(call, question, call->n_failed + 1);
	pause(call, call->n_failed);
}

void
evl_call_stop(struct evl_call *call)
{
	switch (call->state) {
	case EVL_CALL_IDLE:
		return;
	case EVL_QUEUED_CALL:
		evl_list_remove(&call->link);
		break;
	case EVL_ASKED:
		call->is_unsure = 1;
		drop_rpc(call);
		break;
	default:
		event_del(call->timer);
	}
	call->state = EVL_CALL_IDLE;
}

/* --- All calls ------------------------------------------------------------------- */

void
evl_call_fail_all(struct evl_calls *calls, const struct evl_reply *reply)
{
	struct evl_link waiting, *link;

	evl_list_init(&waiting);
	if (!evl_list_is_empty(&calls->waiting))
		evl_list_move(&calls->waiting, &waiting);
	while ((link = evl_list_pop(&waiting)))
		conclude(EVL_CONTAINER(link, struct evl_call, link), reply);
}

static void
on_opened(void *arg)
{
	evl_call_pump_all(arg);
}

static void
on_failed(void *arg, const struct evl_reply *reply)
{
	evl_call_fail_all(arg, reply);
}

void
evl_call_init_all(struct evl_calls *calls, struct evl_net *net, struct evl_token *token)
{
	calls->net = net;
	calls->token = token;
	evl_list_init(&calls->waiting);
	calls->listener.opened = on_opened;
	calls->listener.failed = on_failed;
	calls->listener.arg = calls;
	evl_net_listen(net, &calls->listener);
}
