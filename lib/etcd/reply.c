/* SPDX-License-Identifier: BSD-3-Clause */

/* Replies; see reply.h. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "reply.h"

/* --- What is no answer ------------------------------------------------------- */

void
evl_reply_fail(struct evl_reply *reply, enum evl_verdict verdict, const char *reason)
{
	char *c;

	reply->verdict = verdict;
	snprintf(reply->reason, sizeof reply->reason, "%s", reason);
	for (c = reply->reason; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
}

static void
be_foreign(struct evl_reply *reply, const char *reason)
{
	evl_reply_fail(reply, EVL_FOREIGN, reason);
}

/* What else a status may mean, of something that need not be etcd. */
static enum evl_verdict
judge_status(int status)
{
	if (status >= 500 || status == 429 || status == 408)
		return EVL_BUSY;
	return status == 401 || status == 403 ? EVL_DENIED : EVL_FOREIGN;
}

/* Codes of gRPC. */
enum {
	CANCELLED = 1, UNKNOWN = 2, INVALID_ARGUMENT = 3, DEADLINE_EXCEEDED = 4, NOT_FOUND = 5,
	PERMISSION_DENIED = 7, RESOURCE_EXHAUSTED = 8, FAILED_PRECONDITION = 9, ABORTED = 10,
	INTERNAL = 13, UNAVAILABLE = 14, UNAUTHENTICATED = 16
};

static enum evl_verdict
judge_argument(const char *message)
{
	if (strstr(message, "auth store is old") || strstr(message, "user name is empty"))
		return EVL_NO_TOKEN;
	return strstr(message, "authentication failed") ? EVL_DENIED : EVL_FOREIGN;
}

static enum evl_verdict
judge_precondition(const char *message)
{
	if (strstr(message, "authentication is not enabled"))
		return EVL_NO_AUTH;
	return strstr(message, "lease already exists") ? EVL_LEASE_EXISTS : EVL_FOREIGN;
}

/* What an error of etcd means; one code has several meanings, which only the text tells apart. */
static enum evl_verdict
judge(long long code, const char *message)
{
	switch (code) {
	case INVALID_ARGUMENT:
		return judge_argument(message);
	case FAILED_PRECONDITION:
		return judge_precondition(message);
	case NOT_FOUND:
		return strstr(message, "lease not found") ? EVL_NO_LEASE : EVL_FOREIGN;
	case PERMISSION_DENIED:
		return EVL_DENIED;
	case UNAUTHENTICATED:
		return EVL_NO_TOKEN;
	case CANCELLED: case UNKNOWN: case DEADLINE_EXCEEDED: case RESOURCE_EXHAUSTED:
	case ABORTED: case INTERNAL: case UNAVAILABLE:
		return EVL_BUSY;
	default:
		return EVL_FOREIGN;
	}
}

/* --- Parts of an answer -------------------------------------------------------- */

/* A 64-bit number, which stands in a string, as those of JSON have 53 bits; 0 is left out.
 * Returns -1 if it is something else. */
static int
read_number(const json_t *object, const char *name, int64_t *number)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);
	char *end;

	*number = json_integer_value(value);
	if (!value || json_is_integer(value))
		return *number < 0 ? -1 : 0;
	if (!text || !isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return *end || errno ? -1 : 0;
}

static int
read_text(const json_t *object, const char *name, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, name));

	return value && (size_t)snprintf(text, size, "%s", value) < size ? 0 : -1;
}

static int
is_base64(const char *text)
{
	return *text && !text[strspn(text,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")];
}

/* Every answer has a header, with the revision that the store is at. */
static int
read_header(struct evl_reply *reply, const json_t *root)
{
	const json_t *header = json_object_get(root, "header");

	return json_is_object(header) && !read_number(header, "revision", &reply->revision) &&
	    reply->revision > 0 ? 0 : -1;
}

/* The first key of a range, if there is any. */
static int
read_key(struct evl_reply *reply, const json_t *range)
{
	const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);

	if (!kv)
		return json_object_get(range, "kvs") ? -1 : 0;
	if (read_number(kv, "create_revision", &reply->create_revision) < 0 ||
	    !reply->create_revision)
		return -1;
	return read_text(kv, "key", reply->key64, sizeof reply->key64) == 0 &&
	    is_base64(reply->key64) ? 0 : -1;
}

/* --- Answers ------------------------------------------------------------------- */

static int
read_token(struct evl_reply *reply, const json_t *root)
{
	const char *c;

	if (read_text(root, "token", reply->token, sizeof reply->token) < 0)
		return -1;
	for (c = reply->token; *c; c++)
		if (*c <= ' ' || *c > '~')	/* it goes into a header */
			return -1;
	return reply->token[0] ? 0 : -1;
}

static int
read_lease(struct evl_reply *reply, const json_t *root)
{
	int64_t id;

	return read_header(reply, root) || read_number(root, "ID", &id) || !id ||
	    read_number(root, "TTL", &reply->ttl) ? -1 : 0;
}

static int
read_txn(struct evl_reply *reply, const json_t *root)
{
	const json_t *responses = json_object_get(root, "responses"), *response;
	size_t i;

	reply->is_succeeded = json_is_true(json_object_get(root, "succeeded"));
	if (read_header(reply, root) < 0 || (responses && !json_is_array(responses)))
		return -1;
	json_array_foreach(responses, i, response) {
		const json_t *range = json_object_get(response, "response_range");

		if (!json_is_object(response) || (range && read_key(reply, range) < 0))
			return -1;
	}
	return 0;
}

static int
read_watch(struct evl_reply *reply, const json_t *root)
{
	const json_t *event;
	size_t i;

	reply->is_created = json_is_true(json_object_get(root, "created"));
	reply->is_canceled = json_is_true(json_object_get(root, "canceled"));
	json_array_foreach(json_object_get(root, "events"), i, event) {
		const char *type = json_string_value(json_object_get(event, "type"));

		reply->is_deleted |= type && !strcmp(type, "DELETE");
	}
	return read_header(reply, root) ||
	    read_number(root, "compact_revision", &reply->compact_revision) ? -1 : 0;
}

static int
read_answer(struct evl_reply *reply, enum evl_kind_of_reply kind, const json_t *root)
{
	switch (kind) {
	case EVL_TOKEN_REPLY:
		return read_token(reply, root);
	case EVL_LEASE_REPLY:
		return read_lease(reply, root);
	case EVL_TXN_REPLY:
		return read_txn(reply, root);
	case EVL_WATCH_REPLY:
		return read_watch(reply, root);
	default:
		return read_header(reply, root);
	}
}

/* --- Errors --------------------------------------------------------------------- */

/* {"error":TEXT,"code":N,"message":TEXT}, without the first in later versions; and
 * {"error":{"grpc_code":N,"message":TEXT}} where several answers may come. */
static int
read_error(struct evl_reply *reply, int status, const json_t *root)
{
	const json_t *error = json_object_get(root, "error");
	const json_t *where = json_is_object(error) ? error : root;
	const char *message = json_string_value(json_object_get(where, "message"));
	const json_t *code = json_object_get(where, "code");

	if (!code)
		code = json_object_get(where, "grpc_code");
	if (!code && !error)
		return -1;
	if (!message)
		message = json_string_value(error);
	if (!message || !*message)
		message = "an error without a message";
	evl_reply_fail(reply, code || status == 200 ? judge(json_integer_value(code), message)
	    : judge_status(status), message);
	return 0;
}

static void
read_json(struct evl_reply *reply, enum evl_kind_of_reply kind, int status, const json_t *root)
{
	const json_t *result = json_object_get(root, "result");
	char reason[64];

	if (read_error(reply, status, root) == 0)
		return;
	snprintf(reason, sizeof reason, "HTTP status %d", status);
	if (status != 200)
		evl_reply_fail(reply, judge_status(status), reason);
	else if (read_answer(reply, kind, result ? result : root) < 0)
		be_foreign(reply, "not an answer of etcd");
}

void
evl_reply_read(struct evl_reply *reply, enum evl_kind_of_reply kind, int status,
    const char *text, size_t size)
{
	json_t *root = json_loadb(text, size, 0, NULL);
	char reason[64];

	memset(reply, 0, sizeof *reply);
	snprintf(reason, sizeof reason, "HTTP status %d, and not JSON", status);
	if (json_is_object(root))
		read_json(reply, kind, status, root);
	else
		evl_reply_fail(reply, status == 200 ? EVL_FOREIGN : judge_status(status), reason);
	json_decref(root);
}
