/* SPDX-License-Identifier: BSD-3-Clause */

/* One HTTP/2 connection; see h2.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>

#include "scopes/etcd/clock.h"
#include "scopes/etcd/h2.h"
#include "scopes/etcd/h2mem.h"
#include "scopes/etcd/memory.h"
#include "scopes/etcd/tls.h"

#define MOST_OUTPUT	(256 * 1024)	/* in the bufferevent; more stays with nghttp2 */
#define MOST_INPUT	(64 * 1024)
#define MOST_HEADERS	8192
#define FEWEST_STREAMS	4		/* watches, their successor, the lease and a call */
#define PING_PAUSE	(6 * EVL_SECOND)	/* etcd allows one in 5 s, and two more */
#define FREE_PINGS	2

/* --- Notes ----------------------------------------------------------------------- */

static void
wake(struct evl_h2 *h2)
{
	if (!h2->is_awake)
		event_active(h2->wake, EV_READ, 1);
}

static void
change(struct evl_h2 *h2, enum evl_h2_state state)
{
	h2->state = state;
	h2->is_changed = 1;
	wake(h2);
}

static void
note(struct evl_h2_stream *stream)
{
	struct evl_h2 *h2 = stream->h2;

	if (!stream->has_news) {
		stream->has_news = 1;
		evl_list_push(&h2->news, &stream->news);
	}
	wake(h2);
}

static void
end_stream(struct evl_h2_stream *stream, uint32_t error)
{
	evl_list_remove(&stream->link);
	stream->is_closed = 1;
	stream->error = error;
	note(stream);
}

/* Ends all streams.  Whether their requests were carried out is unknown. */
static void
end_streams(struct evl_h2 *h2)
{
	while (!evl_list_is_empty(&h2->streams))
		end_stream(EVL_CONTAINER(h2->streams.next, struct evl_h2_stream, link),
		    NGHTTP2_CANCEL);
}

static void
die(struct evl_h2 *h2, enum evl_h2_fault fault, const char *reason)
{
	if (h2->state == EVL_H2_DEAD)
		return;
	bufferevent_setcb(h2->be, NULL, NULL, NULL, NULL);
	bufferevent_disable(h2->be, EV_READ | EV_WRITE);
	h2->fault = fault;
	evl_reply_copy(h2->reason, sizeof h2->reason, reason, strlen(reason));
	end_streams(h2);
	change(h2, EVL_H2_DEAD);
}

static void
die_of(struct evl_h2 *h2, int error)
{
	char reason[EVL_REASON_SIZE];

	snprintf(reason, sizeof reason, "HTTP/2: %s", nghttp2_strerror(error));
	die(h2, error == NGHTTP2_ERR_NOMEM ? EVL_H2_BROKEN : EVL_H2_FOREIGN, reason);
}

/* --- Callbacks of nghttp2, which only make notes --------------------------------- */

static struct evl_h2_stream *
stream_of(nghttp2_session *session, int32_t id)
{
	return id ? nghttp2_session_get_stream_user_data(session, id) : NULL;
}

static void
on_settings(struct evl_h2 *h2)
{
	if (h2->state != EVL_H2_DIALING)
		return;
	if (nghttp2_session_get_remote_settings(h2->session,
	    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) < FEWEST_STREAMS)
		die(h2, EVL_H2_FOREIGN, "the member allows too few streams");
	else
		change(h2, EVL_H2_OPEN);
}

static void
on_pong(struct evl_h2 *h2)
{
	if (!h2->is_pinging)
		return;
	h2->is_pinging = 0;
	h2->heard = h2->ping_sent;
	h2->is_changed = 1;
	wake(h2);
}

static void
leave(struct evl_h2 *h2, const char *reason)
{
	if (h2->state != EVL_H2_OPEN)
		return;
	snprintf(h2->reason, sizeof h2->reason, "%s", reason);
	change(h2, EVL_H2_LEAVING);
}

/* If the peer has ended its side of a stream and we have not, the stream would stay open. */
static void
on_last_frame(nghttp2_session *session, int32_t id)
{
	if (id && nghttp2_session_get_stream_local_close(session, id) == 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

static void
on_answer_frame(nghttp2_session *session, const nghttp2_frame *frame, struct evl_h2 *h2)
{
	h2->n_quiet_pings = 0;
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		on_last_frame(session, frame->hd.stream_id);
}

static int
on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct evl_h2 *h2 = arg;

	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		on_settings(h2);
	else if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
		on_pong(h2);
	else if (frame->hd.type == NGHTTP2_GOAWAY)
		leave(h2, "the member is closing the connection");
	else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)
		on_answer_frame(session, frame, h2);
	return 0;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *arg)
{
	struct evl_h2_stream *stream = stream_of(session, frame->hd.stream_id);

	(void)flags;
	(void)arg;
	if (stream)
		stream->ops->header(stream, name, name_size, value, value_size);
	return 0;
}

static int
on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t size,
    void *arg)
{
	struct evl_h2_stream *stream = stream_of(session, id);

	(void)flags;
	(void)arg;
	if (!stream)
		return 0;
	stream->ops->data(stream, bytes, size);
	note(stream);
	return 0;
}

static int
on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct evl_h2_stream *stream = stream_of(session, id);

	(void)arg;
	if (stream)
		end_stream(stream, error);
	return 0;
}

/* Provides the data to send on a stream. */
static ssize_t
read_out(nghttp2_session *session, int32_t id, uint8_t *room, size_t size, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct evl_h2_stream *stream = stream_of(session, id);
	int n;

	(void)source;
	(void)arg;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = evbuffer_remove(stream->out, room, size);
	if (evbuffer_get_length(stream->out) == 0 && stream->is_complete)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	else if (n == 0)
		return NGHTTP2_ERR_DEFERRED;
	return n;
}

/* --- Bytes ----------------------------------------------------------------------- */

/* After an error of the peer's, nghttp2 reports it to the peer and then reads no more. */
static void
look_for_end(struct evl_h2 *h2)
{
	int is_leaving = h2->state == EVL_H2_LEAVING;

	if (h2->state != EVL_H2_DEAD && !nghttp2_session_want_read(h2->session) &&
	    !nghttp2_session_want_write(h2->session))
		die(h2, is_leaving ? EVL_H2_BROKEN : EVL_H2_FOREIGN,
		    is_leaving ? h2->reason : "the server does not speak HTTP/2");
}

static void
flush(struct evl_h2 *h2)
{
	const uint8_t *bytes;
	ssize_t n = 0;

	if (!h2->session || h2->state == EVL_H2_DEAD)
		return;
	while (evbuffer_get_length(bufferevent_get_output(h2->be)) < MOST_OUTPUT &&
	    (n = nghttp2_session_mem_send(h2->session, &bytes)) > 0)
		if (bufferevent_write(h2->be, bytes, (size_t)n) < 0)
			n = NGHTTP2_ERR_NOMEM;
	if (n < 0)
		die_of(h2, (int)n);
	look_for_end(h2);
}

static void
on_read(struct bufferevent *be, void *arg)
{
	struct evl_h2 *h2 = arg;
	struct evbuffer *in = bufferevent_get_input(be);
	size_t size;

	while (h2->session && h2->state != EVL_H2_DEAD &&
	    (size = evbuffer_get_contiguous_space(in)) > 0) {
		ssize_t n = nghttp2_session_mem_recv(h2->session, evbuffer_pullup(in,
		    (ev_ssize_t)size), size);

		if (n < 0)
			die_of(h2, (int)n);
		else
			evbuffer_drain(in, size);
	}
	wake(h2);
}

static void
on_write(struct bufferevent *be, void *arg)
{
	(void)be;
	wake(arg);
}

/* --- Beginning ------------------------------------------------------------------- */

static int
new_session(struct evl_h2 *h2)
{
	nghttp2_session_callbacks *callbacks;
	int error = nghttp2_session_callbacks_new(&callbacks);

	if (error)
		return error;
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	error = nghttp2_session_client_new3(&h2->session, callbacks, h2, NULL, evl_h2mem());
	nghttp2_session_callbacks_del(callbacks);
	return error;
}

static void
begin(struct evl_h2 *h2)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, MOST_HEADERS }
	};
	int error = new_session(h2);

	if (!error)
		error = nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, 2);
	if (error)
		die_of(h2, error);
	wake(h2);
}

/* If TLS did not negotiate HTTP/2, etcd speaks HTTP/1.1. */
static void
on_connected(struct evl_h2 *h2)
{
	if (h2->ssl && !evl_tls_is_h2(h2->ssl))
		die(h2, EVL_H2_FOREIGN, "TLS without HTTP/2 (ALPN)");
	else
		begin(h2);
}

/* The reason may be known to TLS or to the system. */
static void
on_broken(struct evl_h2 *h2, short what)
{
	unsigned long error = h2->ssl ? bufferevent_get_openssl_error(h2->be) : 0;
	const char *complaint = h2->ssl ? evl_tls_complaint(h2->ssl) : NULL;
	const char *why = error ? ERR_reason_error_string(error) : NULL;
	char reason[EVL_REASON_SIZE];

	if (!why)
		why = what & BEV_EVENT_EOF ? "closed by the member"
		    : evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR());
	snprintf(reason, sizeof reason, "the connection broke: %s%s%s", why, complaint ? ": " : "",
	    complaint ? complaint : "");
	if (h2->state != EVL_H2_DIALING)
		die(h2, EVL_H2_BROKEN, reason);
	else if (complaint || (error && !(what & BEV_EVENT_EOF)))
		die(h2, EVL_H2_FOREIGN, reason);
	else if (h2->session && what & BEV_EVENT_EOF)
		die(h2, EVL_H2_MUTE, h2->ssl ? reason
		    : "closed at once by the member: does it need TLS?");
	else
		die(h2, EVL_H2_BROKEN, reason);
}

static void
on_event(struct bufferevent *be, short what, void *arg)
{
	struct evl_h2 *h2 = arg;

	(void)be;
	if (what & BEV_EVENT_CONNECTED)
		on_connected(h2);
	else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		on_broken(h2, what);
}

/* --- The event ------------------------------------------------------------------- */

static void
tell_streams(struct evl_h2 *h2)
{
	struct evl_link *link;

	while ((link = evl_list_pop(&h2->news))) {
		struct evl_h2_stream *stream = EVL_CONTAINER(link, struct evl_h2_stream, news);

		stream->has_news = 0;
		stream->ops->news(stream);
	}
}

/* The owner is called first, so that streams that are begun anew are begun elsewhere. */
static void
tell(struct evl_h2 *h2)
{
	while (h2->is_changed) {
		h2->is_changed = 0;
		if (h2->cb)
			h2->cb(h2, h2->arg);
	}
	tell_streams(h2);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct evl_h2 *h2 = arg;

	(void)fd;
	(void)what;
	h2->is_awake = 1;
	do {
		tell(h2);
		flush(h2);
	} while (h2->is_changed || !evl_list_is_empty(&h2->news));
	h2->is_awake = 0;
	if (h2->is_closed)
		evl_h2_free(h2);
}

/* --- Creating and closing -------------------------------------------------------- */

struct evl_h2 *
evl_h2_new(struct event_base *base, struct bufferevent *be, SSL *ssl, int is_connected,
    evl_h2_cb cb, void *arg)
{
	struct evl_h2 *h2 = evl_memory_alloc(sizeof *h2);
	struct event *event = h2 ? event_new(base, -1, 0, on_wake, h2) : NULL;

	if (!event) {
		bufferevent_free(be);
		evl_memory_free(h2);
		errno = ENOMEM;
		return NULL;
	}
	evl_list_init(&h2->link);
	evl_list_init(&h2->streams);
	evl_list_init(&h2->news);
	h2->be = be;
	h2->ssl = ssl;
	h2->wake = event;
	h2->cb = cb;
	h2->arg = arg;
	h2->begun = evl_clock_now();
	bufferevent_setcb(be, on_read, on_write, on_event, h2);
	bufferevent_setwatermark(be, EV_READ, 0, MOST_INPUT);
	bufferevent_enable(be, EV_READ | EV_WRITE);
	if (is_connected)
		begin(h2);
	return h2;
}

void
evl_h2_close(struct evl_h2 *h2)
{
	h2->cb = NULL;
	h2->is_closed = 1;
	die(h2, EVL_H2_BROKEN, "another connection is in use");
	wake(h2);
}

void
evl_h2_free(struct evl_h2 *h2)
{
	evl_list_remove(&h2->link);
	event_free(h2->wake);
	nghttp2_session_del(h2->session);
	bufferevent_free(h2->be);
	evl_memory_free(h2);
}

void
evl_h2_ping(struct evl_h2 *h2)
{
	int64_t now = evl_clock_now();

	if (h2->is_pinging || h2->state == EVL_H2_DIALING || h2->state == EVL_H2_DEAD)
		return;
	if (h2->n_quiet_pings >= FREE_PINGS && now - h2->ping_sent < PING_PAUSE)
		return;
	if (nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL) != 0)
		return;
	h2->is_pinging = 1;
	h2->n_quiet_pings++;
	h2->ping_sent = now;
	wake(h2);
}

/* --- Streams --------------------------------------------------------------------- */

static nghttp2_nv
header_of(const struct evl_h2_header *header)
{
	nghttp2_nv nv = { (uint8_t *)(uintptr_t)header->name, (uint8_t *)(uintptr_t)header->value,
	    strlen(header->name), strlen(header->value),
	    header->is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE };

	return nv;
}

int
evl_h2_begin(struct evl_h2 *h2, struct evl_h2_stream *stream, const struct evl_h2_header *headers,
    size_t n)
{
	nghttp2_data_provider body = { { 0 }, read_out };
	nghttp2_nv nv[16];
	size_t i;

	if (h2->state != EVL_H2_OPEN || n > sizeof nv / sizeof *nv)
		return -1;
	for (i = 0; i < n; i++)
		nv[i] = header_of(&headers[i]);
	stream->id = nghttp2_submit_request(h2->session, NULL, nv, n, &body, stream);
	if (stream->id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE)
		leave(h2, "the connection has no stream ids left");
	if (stream->id < 0)
		return -1;
	stream->h2 = h2;
	evl_list_push(&h2->streams, &stream->link);
	wake(h2);
	return 0;
}

void
evl_h2_resume(struct evl_h2_stream *stream)
{
	if (!stream->h2 || stream->is_closed)
		return;
	nghttp2_session_resume_data(stream->h2->session, stream->id);
	wake(stream->h2);
}

void
evl_h2_stop(struct evl_h2_stream *stream)
{
	struct evl_h2 *h2 = stream->h2;

	if (!h2)
		return;
	stream->h2 = NULL;
	if (stream->has_news)
		evl_list_remove(&stream->news);
	if (stream->is_closed)
		return;
	evl_list_remove(&stream->link);
	nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
	nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	wake(h2);
}
