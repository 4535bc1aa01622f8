/* SPDX-License-Identifier: BSD-3-Clause */

/* An etcd that does what a test wants; see fake.h. */

#define SHIM_ASSERTS_ONLY
#include "../shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>

#include "scopes/etcd/message.h"
#include "fake.h"

#define MOST_CONNECTIONS 200
#define PREFIX EVL_MESSAGE_PREFIX

struct connection {
	struct fake *fake;
	struct bufferevent *be;		/* NULL: it was closed */
	nghttp2_session *session;
	struct event *pump;
	struct fake_stream *streams;
	int is_dead;			/* the event must close it */
};

struct fake_stream {
	struct fake_stream *next;
	struct connection *connection;
	int32_t id;
	char path[64], token[1000], authority[100];
	int is_for_leader;
	struct evbuffer *in, *out;
	char status[16], text[200];	/* sent at the end; "": none */
	int is_answered, is_ending, is_closed;
};

struct fake {
	struct event_base *base;
	struct evconnlistener *listener;
	void (*answer)(struct fake_request *);
	struct fake_manners manners;
	struct connection connections[MOST_CONNECTIONS];
	unsigned n_connections, n_pings;
	unsigned counts[FAKE_OTHER + 1];
	int64_t revision, ttl;
	unsigned port;
	char url[64];
	char asked[8000];
};

static const char *const kind_names[] = {
	"grant", "keepalive", "revoke", "authenticate", "status", "guard", "enter", "try", "check",
	"weaken", "leave", "clear", "watch", "unwatch", "other"
};

/* --- Requests ----------------------------------------------------------------------- */

static enum fake_kind
kind_of_txn(const Evl__TxnRequest *txn)
{
	if (txn->n_failure)
		return txn->n_compare == 2 ? FAKE_TRY : FAKE_ENTER;
	if (txn->n_success == 1 && txn->success[0]->request_put)
		return FAKE_GUARD;
	if (txn->n_success && txn->success[0]->request_range)
		return FAKE_CHECK;
	return txn->n_success == 1 ? FAKE_WEAKEN : txn->n_compare ? FAKE_LEAVE : FAKE_CLEAR;
}

static const struct {
	const char *path;
	enum fake_kind kind;
	const ProtobufCMessageDescriptor *type;
} methods[] = {
	{ "/etcdserverpb.Lease/LeaseGrant", FAKE_GRANT, &evl__lease_grant_request__descriptor },
	{ "/etcdserverpb.Lease/LeaseKeepAlive", FAKE_KEEPALIVE, &evl__lease_request__descriptor },
	{ "/etcdserverpb.Lease/LeaseRevoke", FAKE_REVOKE, &evl__lease_request__descriptor },
	{ "/etcdserverpb.Auth/Authenticate", FAKE_AUTHENTICATE,
	    &evl__authenticate_request__descriptor },
	{ "/etcdserverpb.Maintenance/Status", FAKE_STATUS, &evl__status_request__descriptor },
	{ "/etcdserverpb.KV/Txn", FAKE_OTHER, &evl__txn_request__descriptor },
	{ "/etcdserverpb.Watch/Watch", FAKE_WATCH, &evl__watch_request__descriptor }
};

static void
hand_over(struct fake_request *q)
{
	struct fake *fake = q->fake;
	size_t n = strlen(fake->asked);

	q->n = ++fake->counts[q->kind];
	if (q->kind != FAKE_STATUS && q->kind != FAKE_UNWATCH)
		snprintf(fake->asked + n, sizeof fake->asked - n, "%s%s", n ? " " : "",
		    kind_names[q->kind]);
	fake->answer(q);
}

static void
read_watch(struct fake_request *q, const Evl__WatchRequest *watch, char *key)
{
	if (watch->create_request) {
		q->id = watch->create_request->watch_id;
		snprintf(key, 500, "%.*s", (int)watch->create_request->key.len,
		    (char *)watch->create_request->key.data);
		q->key = key;
	} else {
		q->kind = FAKE_UNWATCH;
		q->id = watch->cancel_request->watch_id;
	}
}

static void
read_grant(struct fake_request *q, const Evl__LeaseGrantRequest *grant)
{
	q->id = grant->id;
	q->fake->ttl = grant->ttl;
}

static void
read_request(struct fake_stream *stream, const uint8_t *bytes, size_t size)
{
	struct fake_request q = { stream->connection->fake, stream, FAKE_OTHER, 0, stream->token,
	    stream->is_for_leader, 0, NULL };
	ProtobufCMessage *message;
	char key[500];
	unsigned i = 0;

	while (strcmp(methods[i].path, stream->path))
		cr_assert_lt(++i, sizeof methods / sizeof *methods, "%s", stream->path);
	message = protobuf_c_message_unpack(methods[i].type, NULL, size, bytes);
	cr_assert_not_null(message);
	q.kind = methods[i].kind;
	if (q.kind == FAKE_OTHER)
		q.kind = kind_of_txn((Evl__TxnRequest *)(void *)message);
	else if (q.kind == FAKE_GRANT)
		read_grant(&q, (Evl__LeaseGrantRequest *)(void *)message);
	else if (q.kind == FAKE_KEEPALIVE || q.kind == FAKE_REVOKE)
		q.id = ((Evl__LeaseRequest *)(void *)message)->id;
	else if (q.kind == FAKE_WATCH)
		read_watch(&q, (Evl__WatchRequest *)(void *)message, key);
	hand_over(&q);
	protobuf_c_message_free_unpacked(message, NULL);
}

static void
read_requests(struct fake_stream *stream)
{
	uint8_t prefix[PREFIX];

	while (!stream->is_closed &&
	    evbuffer_copyout(stream->in, prefix, PREFIX) == PREFIX) {
		size_t n = (size_t)prefix[3] << 8 | prefix[4];
		uint8_t *bytes;

		cr_assert(!prefix[0] && !prefix[1] && !prefix[2]);
		if (evbuffer_get_length(stream->in) < PREFIX + n)
			return;
		bytes = malloc(PREFIX + n);
		evbuffer_remove(stream->in, bytes, PREFIX + n);
		read_request(stream, bytes + PREFIX, n);
		free(bytes);
	}
}

/* --- HTTP/2 --------------------------------------------------------------------------- */

static void
wake(struct connection *c)
{
	if (c->be)
		event_active(c->pump, EV_READ, 1);
}

static int
on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct connection *c = arg;
	struct fake_stream *stream;

	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	stream = calloc(1, sizeof *stream);
	stream->id = frame->hd.stream_id;
	stream->connection = c;
	stream->in = evbuffer_new();
	stream->out = evbuffer_new();
	stream->next = c->streams;
	c->streams = stream;
	nghttp2_session_set_stream_user_data(session, stream->id, stream);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t size, uint8_t flags, void *arg)
{
	struct fake_stream *stream =
	    nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	const char *n = (const char *)name;

	(void)arg;
	(void)name_size;
	if (!strcmp(n, ":path"))
		snprintf(stream->path, sizeof stream->path, "%.*s", (int)size, value);
	else if (!strcmp(n, ":authority"))
		snprintf(stream->authority, sizeof stream->authority, "%.*s", (int)size, value);
	else if (!strcmp(n, "content-type"))
		cr_assert_str_eq((const char *)value, "application/grpc");
	else if (!strcmp(n, "token")) {
		cr_assert(flags & NGHTTP2_NV_FLAG_NO_INDEX, "a token goes into the tables");
		snprintf(stream->token, sizeof stream->token, "%.*s", (int)size, value);
	} else if (!strcmp(n, "hasleader"))
		stream->is_for_leader = 1;
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t size,
    void *arg)
{
	struct fake_stream *stream = nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	if (stream)
		evbuffer_add(stream->in, bytes, size);
	wake(arg);
	return 0;
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct connection *c = arg;

	(void)session;
	if (frame->hd.type == NGHTTP2_PING && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		c->fake->n_pings++;
	return 0;
}

static int
on_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct fake_stream *stream = nghttp2_session_get_stream_user_data(session, id);

	(void)arg;
	(void)error;
	if (stream)
		stream->is_closed = 1;
	return 0;
}

static void
hang_up(struct connection *c)
{
	struct fake_stream *stream;

	if (!c->be)
		return;
	bufferevent_free(c->be);
	event_free(c->pump);
	nghttp2_session_del(c->session);
	c->be = NULL;
	while ((stream = c->streams)) {
		c->streams = stream->next;
		evbuffer_free(stream->in);
		evbuffer_free(stream->out);
		free(stream);
	}
}

static void
send_all(struct connection *c)
{
	const uint8_t *bytes;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->session, &bytes)) > 0)
		bufferevent_write(c->be, bytes, (size_t)n);
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	struct fake_stream *stream;

	(void)fd;
	(void)what;
	if (c->session && !c->fake->manners.is_silent)
		for (stream = c->streams; stream; stream = stream->next)
			read_requests(stream);
	if (c->session)
		send_all(c);
	if (c->is_dead)
		hang_up(c);
}

static void
on_read(struct bufferevent *be, void *arg)
{
	struct connection *c = arg;
	struct evbuffer *in = bufferevent_get_input(be);
	size_t size;

	while (c->session && (size = evbuffer_get_contiguous_space(in))) {
		if (nghttp2_session_mem_recv(c->session, evbuffer_pullup(in, (ev_ssize_t)size),
		    size) < 0)
			c->is_dead = 1;
		evbuffer_drain(in, size);
	}
	wake(c);
}

static void
on_event(struct bufferevent *be, short what, void *arg)
{
	if (what & BEV_EVENT_CONNECTED)
		return;
	bufferevent_disable(be, EV_READ | EV_WRITE);
	((struct connection *)arg)->is_dead = 1;
	wake(arg);
}

/* --- Connections ------------------------------------------------------------------------- */

static void
greet(struct connection *c)
{
	const struct fake_manners *manners = &c->fake->manners;
	nghttp2_settings_entry settings[2];
	size_t n = 0;
	unsigned i;

	if (manners->max_streams)
		settings[n++] = (nghttp2_settings_entry){
		    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, manners->max_streams };
	if (manners->is_window_shut)
		settings[n++] = (nghttp2_settings_entry){
		    NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0 };
	nghttp2_submit_settings(c->session, 0, settings, n);
	for (i = 0; i < manners->n_pings; i++)
		nghttp2_submit_ping(c->session, 0, NULL);
	if (manners->is_leaving)
		nghttp2_submit_goaway(c->session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
}

static void
begin(struct connection *c)
{
	nghttp2_session_callbacks *callbacks;

	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_server_new(&c->session, callbacks, c);
	nghttp2_session_callbacks_del(callbacks);
	greet(c);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int n,
    void *arg)
{
	struct fake *fake = arg;
	struct connection *c = &fake->connections[fake->n_connections++];

	(void)listener;
	(void)from;
	(void)n;
	cr_assert_lt(fake->n_connections, MOST_CONNECTIONS);
	c->fake = fake;
	c->be = fake->manners.tls
	    ? bufferevent_openssl_socket_new(fake->base, fd, SSL_new(fake->manners.tls),
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE)
	    : bufferevent_socket_new(fake->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->pump = event_new(fake->base, -1, 0, on_pump, c);
	bufferevent_setcb(c->be, on_read, NULL, on_event, c);
	bufferevent_enable(c->be, EV_READ | EV_WRITE);
	if (fake->manners.greeting) {
		cr_assert_geq(send(fd, fake->manners.greeting, strlen(fake->manners.greeting),
		    MSG_NOSIGNAL), 0);
		hang_up(c);
	} else if (!fake->manners.is_silent) {
		begin(c);
		wake(c);
	}
}

/* --- Making and freeing ----------------------------------------------------------------- */

struct fake *
fake_new(struct event_base *base, void (*answer)(struct fake_request *))
{
	struct fake *fake = calloc(1, sizeof *fake);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof address;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake->base = base;
	fake->answer = answer;
	fake->revision = 5;
	fake->ttl = 2;
	fake->listener = evconnlistener_new_bind(base, on_accept, fake, LEV_OPT_CLOSE_ON_FREE, -1,
	    (struct sockaddr *)&address, sizeof address);
	cr_assert_not_null(fake->listener);
	getsockname(evconnlistener_get_fd(fake->listener), (struct sockaddr *)&address, &n);
	fake->port = ntohs(address.sin_port);
	fake_behave(fake, fake->manners);
	return fake;
}

void
fake_free(struct fake *fake)
{
	unsigned i;

	for (i = 0; i < fake->n_connections; i++)
		hang_up(&fake->connections[i]);
	evconnlistener_free(fake->listener);
	free(fake);
}

void
fake_behave(struct fake *fake, struct fake_manners manners)
{
	fake->manners = manners;
	snprintf(fake->url, sizeof fake->url, "http%s://127.0.0.1:%u", manners.tls ? "s" : "",
	    fake->port);
}

const char *
fake_url(const struct fake *fake)
{
	return fake->url;
}

const char *
fake_asked(struct fake *fake)
{
	static char copy[sizeof fake->asked];

	strcpy(copy, fake->asked);
	fake->asked[0] = '\0';
	return copy;
}

unsigned
fake_count(const struct fake *fake, enum fake_kind kind)
{
	return fake->counts[kind];
}

unsigned
fake_connections(const struct fake *fake)
{
	return fake->n_connections;
}

unsigned
fake_pings(const struct fake *fake)
{
	return fake->n_pings;
}

void
fake_set_revision(struct fake *fake, int64_t revision)
{
	fake->revision = revision;
}

/* --- Answering ------------------------------------------------------------------ */

#define NV(name, value) (nghttp2_nv){ (uint8_t *)(uintptr_t)(name), \
	(uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE }

static ssize_t
read_out(nghttp2_session *session, int32_t id, uint8_t *room, size_t size, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct fake_stream *stream = source->ptr;
	int n = evbuffer_remove(stream->out, room, size);
	nghttp2_nv trailers[] = { NV("grpc-status", stream->status),
	    NV("grpc-message", stream->text) };

	(void)arg;
	if (evbuffer_get_length(stream->out) || (!n && !stream->is_ending))
		return n ? n : NGHTTP2_ERR_DEFERRED;
	if (!stream->is_ending)
		return n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (stream->status[0]) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(session, id, trailers, stream->text[0] ? 2 : 1);
	}
	return n;
}

/* With nothing to say but a status, that is all that is sent. */
static size_t
head(const struct fake_reply *reply, nghttp2_nv *nv)
{
	size_t n = 0;

	nv[n++] = NV(":status", reply->http_status ? reply->http_status : "200");
	nv[n++] = NV("content-type", reply->content_type ? reply->content_type
	    : "application/grpc");
	if (reply->bytes || reply->is_open || !reply->grpc_status)
		return n;
	nv[n++] = NV("grpc-status", reply->grpc_status);
	if (reply->grpc_message)
		nv[n++] = NV("grpc-message", reply->grpc_message);
	return n;
}

void
fake_send(struct fake_request *q, const struct fake_reply *reply)
{
	struct fake_stream *stream = q->stream;
	nghttp2_session *session = stream->connection->session;
	nghttp2_data_provider body = { { .ptr = stream }, read_out };
	nghttp2_nv nv[4];
	size_t n = head(reply, nv);
	int has_body = reply->bytes || reply->is_open;

	evbuffer_add(stream->out, reply->bytes, reply->size);
	stream->is_answered = 1;
	stream->is_ending = !reply->is_open;
	if (reply->grpc_status)
		snprintf(stream->status, sizeof stream->status, "%s", reply->grpc_status);
	if (reply->grpc_message)
		snprintf(stream->text, sizeof stream->text, "%s", reply->grpc_message);
	nghttp2_submit_response(session, stream->id, nv, n, has_body ? &body : NULL);
	wake(stream->connection);
}

void
fake_answer(struct fake_request *q, const ProtobufCMessage *message)
{
	struct evbuffer *bytes = evbuffer_new();
	struct fake_reply reply = { .grpc_status = "0" };

	evl_message_add(bytes, message);
	reply.size = evbuffer_get_length(bytes);
	reply.bytes = evbuffer_pullup(bytes, -1);
	fake_send(q, &reply);
	evbuffer_free(bytes);
}

void
fake_fail(struct fake_request *q, int status, const char *text)
{
	char number[16];
	struct fake_reply reply = { .grpc_status = number, .grpc_message = text };

	snprintf(number, sizeof number, "%d", status);
	fake_send(q, &reply);
}

void
fake_txn(struct fake_request *q, int is_succeeded, int64_t create_revision, int64_t guard_revision)
{
	Evl__Header header = EVL__HEADER__INIT;
	Evl__KeyValue kv = EVL__KEY_VALUE__INIT, guard = EVL__KEY_VALUE__INIT, *kvs[] = { &kv },
	    *guards[] = { &guard };
	Evl__RangeResponse range = EVL__RANGE_RESPONSE__INIT, guard_range = range;
	Evl__ResponseOp op = EVL__RESPONSE_OP__INIT, guard_op = op, *ops[] = { &op, &guard_op };
	Evl__TxnResponse txn = EVL__TXN_RESPONSE__INIT;

	header.revision = q->fake->revision;
	kv.key = (ProtobufCBinaryData){ 1, (uint8_t *)(uintptr_t)"a" };
	kv.create_revision = kv.mod_revision = create_revision;
	guard.mod_revision = guard_revision;
	range.kvs = kvs;
	range.n_kvs = create_revision > 0;
	guard_range.kvs = guards;
	guard_range.n_kvs = guard_revision > 0;
	op.response_range = &range;
	guard_op.response_range = &guard_range;
	txn.header = &header;
	txn.succeeded = is_succeeded;
	txn.responses = ops;
	txn.n_responses = 2;
	fake_answer(q, &txn.base);
}

/* --- The answers of a healthy etcd ------------------------------------------------ */

static void
answer_lease(struct fake_request *q)
{
	Evl__Header header = EVL__HEADER__INIT;
	Evl__LeaseResponse lease = EVL__LEASE_RESPONSE__INIT;

	header.revision = q->fake->revision;
	lease.header = &header;
	lease.id = q->id;
	lease.ttl = q->fake->ttl;
	fake_answer(q, &lease.base);
}

static void
answer_token(struct fake_request *q)
{
	Evl__AuthenticateResponse token = EVL__AUTHENTICATE_RESPONSE__INIT;

	token.token = (ProtobufCBinaryData){ 8, (uint8_t *)(uintptr_t)"secret.1" };
	fake_answer(q, &token.base);
}

static void
answer_status(struct fake_request *q)
{
	Evl__StatusResponse status = EVL__STATUS_RESPONSE__INIT;

	status.version = (ProtobufCBinaryData){ 6, (uint8_t *)(uintptr_t)"3.5.16" };
	status.leader = 1;
	fake_answer(q, &status.base);
}

void
fake_be_nice(struct fake_request *q)
{
	switch (q->kind) {
	case FAKE_GRANT: case FAKE_KEEPALIVE:
		answer_lease(q);
		break;
	case FAKE_AUTHENTICATE:
		answer_token(q);
		break;
	case FAKE_STATUS:
		answer_status(q);
		break;
	case FAKE_WATCH:
		fake_tell_created(q->stream, q->id, q->fake->revision);
		break;
	case FAKE_UNWATCH:
		fake_tell_canceled(q->stream, q->id, 0, NULL);
		break;
	default:
		fake_txn(q, 1, 0, 0);
	}
}

/* --- Events of watches ------------------------------------------------------------ */

/* The first message begins the answer. */
static void
tell(struct fake_stream *stream, Evl__WatchResponse *message, int64_t revision)
{
	static const struct fake_reply open = { .is_open = 1 };
	struct fake_request q = { .fake = stream->connection->fake, .stream = stream };
	Evl__Header header = EVL__HEADER__INIT;

	header.revision = revision;
	message->header = &header;
	evl_message_add(stream->out, &message->base);
	if (stream->is_answered)
		nghttp2_session_resume_data(stream->connection->session, stream->id);
	else
		fake_send(&q, &open);
	wake(stream->connection);
}

void
fake_tell_created(struct fake_stream *stream, int64_t id, int64_t revision)
{
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;

	message.watch_id = id;
	message.created = 1;
	tell(stream, &message, revision);
}

void
fake_tell_canceled(struct fake_stream *stream, int64_t id, int is_created, const char *reason)
{
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;

	message.watch_id = id;
	message.created = is_created;
	message.canceled = 1;
	if (reason)
		message.cancel_reason = (ProtobufCBinaryData){ strlen(reason),
		    (uint8_t *)(uintptr_t)reason };
	tell(stream, &message, stream->connection->fake->revision);
}

void
fake_tell_deleted(struct fake_stream *stream, int64_t id, int64_t revision)
{
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;
	Evl__KeyValue kv = EVL__KEY_VALUE__INIT;
	Evl__Event event = EVL__EVENT__INIT, *events[] = { &event };

	kv.mod_revision = revision;
	event.type = 1;
	event.kv = &kv;
	message.watch_id = id;
	message.events = events;
	message.n_events = 1;
	tell(stream, &message, stream->connection->fake->revision);
}

void
fake_end_stream(struct fake_stream *stream, const char *status, const char *text)
{
	stream->is_ending = 1;
	snprintf(stream->status, sizeof stream->status, "%s", status ? status : "");
	snprintf(stream->text, sizeof stream->text, "%s", text ? text : "");
	nghttp2_session_resume_data(stream->connection->session, stream->id);
	wake(stream->connection);
}

/* --- Breaking ---------------------------------------------------------------------- */

void
fake_reset(struct fake_request *q, uint32_t error)
{
	nghttp2_submit_rst_stream(q->stream->connection->session, 0, q->stream->id, error);
	wake(q->stream->connection);
}

void
fake_hang_up(struct fake_request *q)
{
	q->stream->connection->is_dead = 1;
	wake(q->stream->connection);
}

void
fake_go_away(struct fake_request *q, int32_t last)
{
	nghttp2_submit_goaway(q->stream->connection->session, 0, last, NGHTTP2_NO_ERROR, NULL, 0);
	wake(q->stream->connection);
}

int32_t
fake_stream_id(const struct fake_request *q)
{
	return q->stream->id;
}

void
fake_be_deaf(struct fake_stream *stream, int is_deaf)
{
	if (is_deaf)
		bufferevent_disable(stream->connection->be, EV_READ);
	else
		bufferevent_enable(stream->connection->be, EV_READ);
}
