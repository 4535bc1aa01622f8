/* SPDX-License-Identifier: BSD-3-Clause */

/* Decodes answers; see reply.h. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "etcd.pb-c.h"
#include "scopes/etcd/message.h"
#include "scopes/etcd/reply.h"

/* --- Texts ----------------------------------------------------------------------- */

void
evl_reply_copy(char *to, size_t room, const char *text, size_t size)
{
	size_t i;

	if (size > room - 1)
		size = room - 1;
	for (i = 0; i < size; i++)
		to[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	to[size] = '\0';
}

void
evl_reply_fail(struct evl_reply *reply, enum evl_verdict verdict, const char *reason)
{
	memset(reply, 0, sizeof *reply);
	reply->verdict = verdict;
	evl_reply_copy(reply->reason, sizeof reply->reason, reason, strlen(reason));
}

/* --- What a status means --------------------------------------------------------- */

/* The status codes of gRPC. */
enum {
	OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE, NOT_FOUND, ALREADY_EXISTS,
	PERMISSION_DENIED, EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED,
	INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED
};

/* The text decides where a code has several meanings.  The first line that matches counts. */
static const struct {
	int status;
	const char *text;	/* a part of the text; NULL: any text */
	enum evl_verdict verdict;
} meanings[] = {
	{ INVALID_ARGUMENT, "user name is empty", EVL_NO_TOKEN },
	{ INVALID_ARGUMENT, "revision of auth store is old", EVL_OLD_AUTH },
	{ INVALID_ARGUMENT, "authentication failed", EVL_DENIED },
	{ INVALID_ARGUMENT, NULL, EVL_FOREIGN },
	{ NOT_FOUND, "requested lease not found", EVL_NO_LEASE },
	{ PERMISSION_DENIED, NULL, EVL_DENIED },
	{ EXHAUSTED, "database space exceeded", EVL_FULL },
	{ FAILED_PRECONDITION, "lease already exists", EVL_LEASE_EXISTS },
	{ FAILED_PRECONDITION, "authentication is not enabled", EVL_NO_AUTH },
	{ UNAVAILABLE, "no leader", EVL_NO_LEADER },
	{ DATA_LOSS, NULL, EVL_NO_LEADER },
	{ UNAUTHENTICATED, NULL, EVL_NO_TOKEN },
	{ UNIMPLEMENTED, NULL, EVL_FOREIGN },
	{ INTERNAL, NULL, EVL_FOREIGN },
	{ EVL_STATUS_REFUSED, NULL, EVL_REFUSED },
	{ EVL_STATUS_FOREIGN, NULL, EVL_FOREIGN },
};

static enum evl_verdict
verdict_of(int status, const char *text)
{
	size_t i;

	if (status == OK)
		return EVL_ANSWERED;
	for (i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].status == status &&
		    (!meanings[i].text || strstr(text, meanings[i].text)))
			return meanings[i].verdict;
	return EVL_BUSY;
}

/* Without a text, the reason is the number. */
static void
judge(struct evl_reply *reply, const struct evl_ending *ending)
{
	size_t n = strnlen(ending->text, sizeof ending->text);

	reply->verdict = verdict_of(ending->status, ending->text);
	evl_reply_copy(reply->reason, sizeof reply->reason, ending->text, n);
	if (!n)
		snprintf(reply->reason, sizeof reply->reason, "gRPC status %d", ending->status);
}

/* --- The messages ---------------------------------------------------------------- */

static int64_t
revision_of(const Evl__Header *header)
{
	return header && header->revision > 0 ? header->revision : 0;
}

/* May the text become a header? */
static int
is_printable(const ProtobufCBinaryData *data)
{
	size_t i;

	for (i = 0; i < data->len; i++)
		if (data->data[i] <= ' ' || data->data[i] > '~')
			return 0;
	return data->len > 0;
}

static int
read_token(struct evl_reply *reply, const Evl__AuthenticateResponse *message)
{
	if (!is_printable(&message->token) || message->token.len >= sizeof reply->token)
		return -1;
	evl_reply_copy(reply->token, sizeof reply->token, (const char *)message->token.data,
	    message->token.len);
	return 0;
}

static int
read_lease(struct evl_reply *reply, const Evl__LeaseResponse *message)
{
	reply->revision = revision_of(message->header);
	reply->ttl = message->ttl > 0 ? message->ttl : 0;
	return reply->revision ? 0 : -1;
}

static int
read_revoke(struct evl_reply *reply, const Evl__LeaseRevokeResponse *message)
{
	reply->revision = revision_of(message->header);
	return reply->revision ? 0 : -1;
}

static int
read_status(struct evl_reply *reply, const Evl__StatusResponse *message)
{
	reply->leader = message->leader;
	evl_reply_copy(reply->version, sizeof reply->version,
	    message->version.data ? (const char *)message->version.data : "",
	    message->version.len);
	return reply->version[0] ? 0 : -1;
}

static int
read_key(struct evl_reply *reply, const Evl__KeyValue *kv)
{
	if (kv->create_revision <= 0 || !kv->key.len || kv->key.len > EVL_KEY_MAX)
		return -1;
	reply->create_revision = kv->create_revision;
	reply->key_size = kv->key.len;
	memcpy(reply->key, kv->key.data, kv->key.len);
	reply->key[kv->key.len] = '\0';
	return 0;
}

/* The first range of a transaction finds a place, and the second one the guard. */
static int
read_range(struct evl_reply *reply, const Evl__RangeResponse *range, unsigned n)
{
	if (!range->n_kvs)
		return 0;
	if (n == 0)
		return read_key(reply, range->kvs[0]);
	if (range->kvs[0]->mod_revision <= 0)
		return -1;
	reply->guard_revision = range->kvs[0]->mod_revision;
	return 0;
}

static int
read_txn(struct evl_reply *reply, const Evl__TxnResponse *message)
{
	size_t i;
	unsigned n = 0;

	reply->revision = revision_of(message->header);
	reply->is_succeeded = message->succeeded != 0;
	for (i = 0; i < message->n_responses && n < 2; i++)
		if (message->responses[i]->response_range &&
		    read_range(reply, message->responses[i]->response_range, n++) < 0)
			return -1;
	return reply->revision ? 0 : -1;
}

/* --- Whole answers --------------------------------------------------------------- */

/* The answer to a put, like that to a revocation, consists of its header alone. */
static const ProtobufCMessageDescriptor *
type_of(enum evl_kind_of_reply kind)
{
	switch (kind) {
	case EVL_TOKEN_REPLY: return &evl__authenticate_response__descriptor;
	case EVL_LEASE_REPLY: return &evl__lease_response__descriptor;
	case EVL_TXN_REPLY: return &evl__txn_response__descriptor;
	case EVL_STATUS_REPLY: return &evl__status_response__descriptor;
	default: return &evl__lease_revoke_response__descriptor;
	}
}

static int
read_message(struct evl_reply *reply, enum evl_kind_of_reply kind, const void *message)
{
	switch (kind) {
	case EVL_TOKEN_REPLY: return read_token(reply, message);
	case EVL_LEASE_REPLY: return read_lease(reply, message);
	case EVL_TXN_REPLY: return read_txn(reply, message);
	case EVL_STATUS_REPLY: return read_status(reply, message);
	default: return read_revoke(reply, message);
	}
}

/* If there was no memory to read the message, it may have been valid. */
static void
read_answer(struct evl_reply *reply, enum evl_kind_of_reply kind, const uint8_t *bytes, size_t size)
{
	ProtobufCMessage *message = evl_message_read(type_of(kind), bytes, size);

	if (!message && errno == ENOMEM) {
		evl_reply_fail(reply, EVL_BUSY, "no memory to read an answer");
		return;
	}
	if (!message || read_message(reply, kind, message) < 0)
		evl_reply_fail(reply, EVL_FOREIGN, "not an answer of etcd");
	evl_message_free(message);
}

void
evl_reply_read(struct evl_reply *reply, enum evl_kind_of_reply kind,
    const struct evl_ending *ending, const uint8_t *bytes, size_t size)
{
	memset(reply, 0, sizeof *reply);
	if (ending->status == OK)
		read_answer(reply, kind, bytes, size);
	else
		judge(reply, ending);
}

/* --- Watches --------------------------------------------------------------------- */

static int
read_event(struct evl_watch_reply *reply, const Evl__Event *event)
{
	if (event->type != 1)
		return 0;
	if (!event->kv || event->kv->mod_revision <= 0)
		return -1;
	if (event->kv->mod_revision > reply->deleted)
		reply->deleted = event->kv->mod_revision;
	return 0;
}

static void
read_cancellation(struct evl_watch_reply *reply, const Evl__WatchResponse *message)
{
	const char *text = message->cancel_reason.data
	    ? (const char *)message->cancel_reason.data : "";

	evl_reply_copy(reply->reason, sizeof reply->reason, text, message->cancel_reason.len);
	if (strstr(reply->reason, "permission denied"))
		reply->verdict = EVL_DENIED;
	else if (strstr(reply->reason, "auth token") || strstr(reply->reason, "user name is empty"))
		reply->verdict = EVL_NO_TOKEN;
	else if (strstr(reply->reason, "no leader"))
		reply->verdict = EVL_NO_LEADER;
}

static int
read_watch(struct evl_watch_reply *reply, const Evl__WatchResponse *response)
{
	size_t i;

	reply->id = response->watch_id;
	reply->revision = revision_of(response->header);
	reply->is_created = response->created != 0;
	reply->is_canceled = response->canceled != 0;
	reply->verdict = EVL_BUSY;
	if (reply->is_canceled)
		read_cancellation(reply, response);
	for (i = 0; i < response->n_events; i++)
		if (read_event(reply, response->events[i]) < 0)
			return -1;
	return 0;
}

int
evl_reply_read_watch(struct evl_watch_reply *reply, const uint8_t *bytes, size_t size)
{
	ProtobufCMessage *message = evl_message_read(&evl__watch_response__descriptor, bytes, size);
	int error;

	memset(reply, 0, sizeof *reply);
	if (!message)
		return -1;
	error = read_watch(reply, (const Evl__WatchResponse *)(void *)message);
	evl_message_free(message);
	if (error)
		errno = EPROTO;
	return error;
}
