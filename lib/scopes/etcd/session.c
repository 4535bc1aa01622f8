/* SPDX-License-Identifier: BSD-3-Clause */

/* A session; see session.h.
 *
 * The lease counts as valid from the moment when a keepalive was sent, for the ttl in the answer,
 * less a tenth of it because clocks differ in speed.  The cluster starts to count later, so the
 * lease never ends there earlier than here.  If no answer comes in that time, the session loses
 * everything, whatever the cluster's state.  It revokes the old lease as soon as it can reach the
 * cluster, and then asks for another one. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/event.h>
#include <sys/timerfd.h>

#include "scopes/etcd/clock.h"
#include "scopes/etcd/memory.h"
#include "scopes/etcd/session.h"

#define TENANT(l) EVL_CONTAINER(l, struct evl_tenant, link)

/* --- Questions ------------------------------------------------------------------- */

static int
write_grant(struct evbuffer *out, void *arg)
{
	const struct evlock_etcd *session = arg;

	return evl_ask_grant(out, session->lease, session->ttl);
}

static int
write_lease(struct evbuffer *out, void *arg)
{
	return evl_ask_lease(out, ((struct evlock_etcd *)arg)->lease);
}

static const struct evl_question
    to_grant = { "/etcdserverpb.Lease/LeaseGrant", EVL_LEASE_REPLY, 1, write_grant },
    to_keep = { "/etcdserverpb.Lease/LeaseKeepAlive", EVL_LEASE_REPLY, 0, write_lease },
    to_revoke = { "/etcdserverpb.Lease/LeaseRevoke", EVL_REVOKE_REPLY, 0, write_lease };

int
evl_session_error(enum evl_verdict verdict)
{
	return verdict == EVL_DENIED ? EACCES : verdict == EVL_FULL ? ENOSPC : EPROTO;
}

/* --- Callbacks ------------------------------------------------------------------- */

static void
tell(struct evlock_etcd *session, enum evlock_etcd_state state, const char *reason)
{
	session->state = state;
	if (session->cb)
		session->cb(session, state, reason, session->arg);
}

/* Visits all tenants.  Any tenant may be freed meanwhile; new tenants are not visited. */
struct visit {
	struct evlock_etcd *session;
	struct evl_link rest;
};

static void
begin_visit(struct visit *visit, struct evlock_etcd *session)
{
	visit->session = session;
	evl_list_init(&visit->rest);
	if (!evl_list_is_empty(&session->tenants))
		evl_list_move(&session->tenants, &visit->rest);
}

static struct evl_tenant *
next_visit(struct visit *visit)
{
	struct evl_link *link = evl_list_pop(&visit->rest);

	if (!link)
		return NULL;
	evl_list_push(&visit->session->tenants, link);
	return TENANT(link);
}

static void
let_go(struct evlock_etcd *session)
{
	struct evl_tenant *tenant;
	struct visit visit;

	begin_visit(&visit, session);
	while ((tenant = next_visit(&visit)))
		tenant->ops->go(tenant);
}

static void
lose_all(struct evlock_etcd *session)
{
	struct evl_tenant *tenant;
	struct visit visit;

	begin_visit(&visit, session);
	while ((tenant = next_visit(&visit)))
		tenant->ops->lose(tenant, ESTALE);
}

static void
refuse_all(struct evlock_etcd *session, int error)
{
	struct evl_tenant *tenant;
	struct visit visit;

	begin_visit(&visit, session);
	while ((tenant = next_visit(&visit)))
		tenant->ops->refuse(tenant, error);
}

static void
abandon_all(struct evlock_etcd *session)
{
	while (!evl_list_is_empty(&session->tenants)) {
		struct evl_tenant *tenant = TENANT(session->tenants.next);

		tenant->ops->abandon(tenant);
	}
}

/* --- Complaints, which a person should learn of at once -------------------------- */

/* The same complaint is not repeated until the lease has been extended. */
static void
complain(void *arg, const char *reason)
{
	struct evlock_etcd *session = arg;

	if (session->phase >= EVL_CLOSING || !strcmp(session->complaint, reason))
		return;
	snprintf(session->complaint, sizeof session->complaint, "%s", reason);
	session->has_complaint = 1;
	event_active(session->announce, EV_READ, 1);
}

static void
go_back(void *arg)
{
	struct evlock_etcd *session = arg;

	session->has_gone_back = 1;
	event_active(session->announce, EV_READ, 1);
}

static const char back_in_time[] =
    "the cluster has gone back in time: it has lost data";

static void
on_announce(evutil_socket_t fd, short what, void *arg)
{
	struct evlock_etcd *session = arg;

	(void)fd;
	(void)what;
	if (session->phase >= EVL_CLOSING)
		return;
	if (session->has_gone_back) {
		session->has_gone_back = 0;
		evl_session_lose(session, back_in_time);
	} else if (session->has_complaint) {
		session->has_complaint = 0;
		tell(session, session->state, session->complaint);
	}
}

/* --- Time ------------------------------------------------------------------------ */

static struct timeval
timeval(int64_t ns)
{
	struct timeval tv = { 0, 0 };

	if (ns > 0) {
		tv.tv_sec = ns / EVL_SECOND;
		tv.tv_usec = ns % EVL_SECOND / 1000;
	}
	return tv;
}

static int64_t
third(const struct evlock_etcd *session)
{
	return session->ttl * EVL_SECOND / 3;
}

static void
set_beat(struct evlock_etcd *session, int64_t time)
{
	struct timeval tv = timeval(time - evl_clock_now());

	event_add(session->beat, &tv);
}

static void
set_deadline(struct evlock_etcd *session, int64_t time)
{
	struct itimerspec at = { { 0, 0 }, { time / EVL_SECOND, time % EVL_SECOND } };

	timerfd_settime(event_get_fd(session->deadline), TFD_TIMER_ABSTIME, &at, NULL);
	session->valid_until = time;
}

/* --- The life of a lease --------------------------------------------------------- */

/* Returns a random id for a lease.  etcd wants it positive. */
static int64_t
new_number(void)
{
	uint64_t number;

	do {
		evl_net_random(&number, sizeof number);
		number >>= 1;
	} while (!number);
	return (int64_t)number;
}

static void
ask(struct evlock_etcd *session, enum evl_phase phase, const struct evl_question *question)
{
	int64_t patience_ns = phase == EVL_KEEPING ? third(session) : session->ttl * EVL_SECOND;
	struct timeval tv = timeval(patience_ns);

	session->phase = phase;
	event_add(session->doubt, &tv);
	evl_call_start(&session->call, question);
}

static void
seek(struct evlock_etcd *session)
{
	session->lease = new_number();
	ask(session, EVL_SEEKING, &to_grant);
}

static void
extend(struct evlock_etcd *session, int64_t ttl)
{
	enum evlock_etcd_state before = session->state;
	int64_t sent = session->call.sent;
	int is_new = !session->valid_until;

	event_del(session->doubt);
	session->complaint[0] = '\0';
	if (ttl > session->ttl)
		ttl = session->ttl;
	session->phase = EVL_KEEPING;
	set_deadline(session, sent + ttl * EVL_SECOND - ttl * EVL_SECOND / 10);
	set_beat(session, sent + third(session));
	if (before != EVLOCK_ETCD_READY)
		tell(session, EVLOCK_ETCD_READY, is_new ? "the lease is granted"
		    : "the cluster answers again");
	if (is_new && evl_session_is_alive(session))	/* `cb` may have closed it */
		let_go(session);
}

/* From here on there is no valid lease.  Revoking it later deletes its keys in the cluster. */
static void
forget_lease(struct evlock_etcd *session)
{
	static const struct itimerspec never;

	evl_call_stop(&session->call);
	event_del(session->beat);
	event_del(session->doubt);
	timerfd_settime(event_get_fd(session->deadline), 0, &never, NULL);
	session->valid_until = 0;
}

void
evl_session_lose(struct evlock_etcd *session, const char *reason)
{
	if (session->phase != EVL_KEEPING)
		return;
	forget_lease(session);
	ask(session, EVL_REVOKING, &to_revoke);
	lose_all(session);
	tell(session, EVLOCK_ETCD_LOST, reason);
}

/* The cluster refuses the session, or is no etcd.  Waiting requests fail; the session tries
 * again. */
static void
give_up(struct evlock_etcd *session, const struct evl_reply *reply,
    const struct evl_question *question)
{
	event_del(session->doubt);
	evl_call_start_later(&session->call, question);
	refuse_all(session, evl_session_error(reply->verdict));
	tell(session, session->state, reply->reason);
}

/* --- Answers --------------------------------------------------------------------- */

/* If an earlier attempt has created the lease, a keepalive tells its ttl. */
static void
on_grant(struct evlock_etcd *session, const struct evl_reply *reply)
{
	if (reply->verdict == EVL_ANSWERED && reply->ttl)
		extend(session, reply->ttl);
	else if (reply->verdict == EVL_LEASE_EXISTS && session->call.is_unsure)
		ask(session, EVL_KEEPING, &to_keep);
	else if (reply->verdict == EVL_LEASE_EXISTS)
		seek(session);
	else
		give_up(session, reply, &to_grant);
}

/* The lease has run out, or somebody has revoked it, or the cluster has lost data and the lease
 * with it. */
static const char *
end_of_lease(struct evlock_etcd *session, const struct evl_reply *reply)
{
	if (!reply->revision || reply->revision >= session->call.seen)
		return "the cluster has ended the lease";
	session->calls.revision = reply->revision;
	return back_in_time;
}

static void
on_keepalive(struct evlock_etcd *session, const struct evl_reply *reply)
{
	if (reply->verdict == EVL_ANSWERED && reply->ttl) {
		extend(session, reply->ttl);
	} else if (reply->verdict == EVL_ANSWERED || reply->verdict == EVL_NO_LEASE) {
		evl_session_lose(session, end_of_lease(session, reply));
	} else if (session->valid_until) {	/* the deadline is still to come */
		evl_call_start_later(&session->call, &to_keep);
		evl_net_note_reason(&session->net, reply->reason, 1);
	} else {
		give_up(session, reply, &to_keep);
	}
}

static void
finish(struct evlock_etcd *session)
{
	struct timeval now = { 0, 0 };

	event_add(session->beat, &now);
}

static void
on_reply(const struct evl_reply *reply, void *arg)
{
	struct evlock_etcd *session = arg;

	switch (session->phase) {
	case EVL_SEEKING:
		on_grant(session, reply);
		break;
	case EVL_KEEPING:
		on_keepalive(session, reply);
		break;
	case EVL_REVOKING:
		seek(session);
		break;
	default:
		finish(session);
	}
}

/* --- Events ---------------------------------------------------------------------- */

/* A session that is not READY keeps its state; `cb` learns why nothing happens. */
static void
on_doubt(evutil_socket_t fd, short what, void *arg)
{
	struct evlock_etcd *session = arg;
	char reason[EVL_REASON_SIZE + 32];

	(void)fd;
	(void)what;
	snprintf(reason, sizeof reason, "no answer in time: %s",
	    session->net.reason[0] ? session->net.reason : "the member is slow");
	tell(session, session->state == EVLOCK_ETCD_READY ? EVLOCK_ETCD_SUSPECT : session->state,
	    reason);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct evlock_etcd *session = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof n) < 0 || !session->valid_until)
		return;
	if (evl_clock_now() >= session->valid_until)
		evl_session_lose(session, "the lease was not renewed in time");
}

static void
disconnect(struct evlock_etcd *session)
{
	abandon_all(session);
	evl_member_clear(&session->member);
	evl_call_clear(&session->call);
	evl_auth_clear(&session->auth);
	evl_watches_clear(&session->watches);
	evl_net_clear(&session->net);
}

static void
free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void
destroy(struct evlock_etcd *session)
{
	if (session->deadline)
		close(event_get_fd(session->deadline));
	free_event(session->deadline);
	free_event(session->beat);
	free_event(session->doubt);
	free_event(session->announce);
	evl_memory_free(session->prefix);
	evl_memory_free(session->holder);
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct evlock_etcd *session = arg;

	(void)fd;
	(void)what;
	if (session->phase == EVL_KEEPING) {
		ask(session, EVL_KEEPING, &to_keep);
	} else if (session->phase == EVL_CLOSING) {
		disconnect(session);
		session->phase = EVL_CLOSED;
		finish(session);
	} else if (session->phase == EVL_CLOSED) {
		destroy(session);
		tell(session, EVLOCK_ETCD_CLOSED, "closed");
		evl_memory_free(session);
	}
}

/* --- Opening and closing --------------------------------------------------------- */

int
evl_session_is_inherited(const struct evlock_etcd *session)
{
	return session->pid != getpid();
}

static struct event *
new_deadline(struct evlock_etcd *session)
{
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	struct event *ev = fd < 0 ? NULL
	    : event_new(session->net.base, fd, EV_READ | EV_PERSIST, on_deadline, session);

	if (ev && event_add(ev, NULL) == 0)
		return ev;
	if (ev)
		event_free(ev);
	if (fd >= 0)
		close(fd);
	return NULL;
}

/* "HOST PID PROGRAM" */
static char *
default_holder(void)
{
	char host[65] = "", text[EVL_HOLDER_MAX + 1], clean[sizeof text];

	gethostname(host, sizeof host - 1);
	snprintf(text, sizeof text, "%s %ld %s", host, (long)getpid(),
	    program_invocation_short_name);
	evl_reply_copy(clean, sizeof clean, text, strlen(text));
	return evl_memory_strdup(clean);
}

static int
init_events(struct evlock_etcd *session, struct event_base *base)
{
	session->beat = event_new(base, -1, 0, on_beat, session);
	session->doubt = event_new(base, -1, 0, on_doubt, session);
	session->announce = event_new(base, -1, 0, on_announce, session);
	session->deadline = new_deadline(session);
	return session->beat && session->doubt && session->announce && session->deadline ? 0 : -1;
}

/* The order is that in which the parts call each other. */
static int
init_parts(struct evlock_etcd *session, const struct evlock_etcd_options *options)
{
	struct evl_token *token = options->user ? &session->auth.token : NULL;
	struct evl_calls *calls = &session->calls;

	evl_call_init_all(calls, &session->net, token);
	calls->went_back = go_back;
	calls->arg = session;
	return evl_auth_init(&session->auth, calls, options->user, options->password) ||
	    evl_watches_init(&session->watches, &session->net, token) ||
	    evl_member_init(&session->member, calls, &session->watches) ||
	    evl_call_init(&session->call, calls, on_reply, session) ? -1 : 0;
}

static int
init(struct evlock_etcd *session, struct event_base *base,
    const struct evlock_etcd_options *options)
{
	if (evl_net_init(&session->net, base, options, session->ttl) < 0)
		return -1;
	session->net.complain = complain;
	session->net.arg = session;
	session->prefix = evl_memory_strdup(options->prefix ? options->prefix : "evlock/2/");
	session->holder = options->holder ? evl_memory_strdup(options->holder) : default_holder();
	if (session->prefix && session->holder && init_events(session, base) == 0 &&
	    init_parts(session, options) == 0)
		return 0;
	errno = ENOMEM;
	return -1;
}

/* A password over plain http needs its flag. */
static int
are_valid_users(const struct evlock_etcd_options *options)
{
	const char *urls = options->endpoints ? options->endpoints : "http";
	int is_plain = strncasecmp(urls + strspn(urls, " "), "https:", 6) != 0;

	if (!options->user != !options->password)
		return 0;
	return !options->user || !is_plain || options->flags & EVLOCK_ETCD_PLAIN_PASSWORD;
}

static int
are_valid(const struct evlock_etcd_options *options)
{
	if (options->ttl == 1 || options->ttl > 1000000)
		return 0;
	if (options->flags & ~EVLOCK_ETCD_PLAIN_PASSWORD || !are_valid_users(options))
		return 0;
	if (options->holder && strlen(options->holder) > EVL_HOLDER_MAX)
		return 0;
	return !options->prefix || (*options->prefix && strlen(options->prefix) <= EVL_PREFIX_MAX);
}

static struct evlock_etcd *
new_session(const struct evlock_etcd_options *options, evlock_etcd_cb cb, void *arg)
{
	struct evlock_etcd *session = evl_memory_alloc(sizeof *session);

	if (!session)
		return NULL;
	evl_list_init(&session->tenants);
	session->ttl = options->ttl ? options->ttl : 10;
	session->cb = cb;
	session->arg = arg;
	session->pid = getpid();
	return session;
}

static void
start(struct evlock_etcd *session)
{
	session->call.is_urgent = 1;
	seek(session);
}

static void
undo(struct evlock_etcd *session)
{
	int error = errno;

	disconnect(session);
	destroy(session);
	evl_memory_free(session);
	errno = error;
}

struct evlock_etcd *
evlock_etcd_open(struct event_base *base, const struct evlock_etcd_options *options,
    evlock_etcd_cb cb, void *arg)
{
	static const struct evlock_etcd_options none;
	struct evlock_etcd *session;

	if (!options)
		options = &none;
	if (!base || !are_valid(options)) {
		errno = EINVAL;
		return NULL;
	}
	session = new_session(options, cb, arg);
	if (!session)
		return NULL;
	if (init(session, base, options) < 0) {
		undo(session);
		return NULL;
	}
	start(session);
	return session;
}

/* Revoking the lease gives everything back at once.  If the cluster cannot be reached, the lease
 * ends by itself.  A session without a lease closes at once. */
void
evlock_etcd_close(struct evlock_etcd *session)
{
	int is_granted;

	if (!session || evl_session_is_inherited(session))
		return;
	is_granted = session->valid_until || session->phase == EVL_REVOKING;
	forget_lease(session);
	session->phase = EVL_CLOSING;
	if (!is_granted) {
		finish(session);
		return;
	}
	evl_call_start(&session->call, &to_revoke);
	set_beat(session, evl_clock_now() + session->ttl * EVL_SECOND);
}
