/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/etcd reads answers that libFuzzer makes.  Whatever an answer contains, its result must
 * be safe to use.  The first byte of an input chooses the kind of answer that is expected, and the
 * second byte its status.  The rest is the message or, if the status is an error, its text. */

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scopes/etcd/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int condition)
{
	if (!condition)
		abort();
}

/* Does a text end within its array, and contain no byte that could do harm where it is printed? */
static void
must_be_text(const char *text, size_t room)
{
	size_t i, n = strnlen(text, room);

	must(n < room);
	for (i = 0; i < n; i++)
		must(isprint((unsigned char)text[i]));
}

static void
must_be_an_answer(const struct evl_reply *reply, enum evl_kind_of_reply kind)
{
	must(kind == EVL_TOKEN_REPLY ? reply->token[0] != '\0'
	    : kind == EVL_STATUS_REPLY ? reply->version[0] != '\0' : reply->revision > 0);
	must(reply->ttl >= 0 && reply->create_revision >= 0 && reply->guard_revision >= 0);
	must(!reply->create_revision || reply->key_size > 0);
	must(reply->key_size < sizeof reply->key && !reply->key[reply->key_size]);
}

static void
read_answer(enum evl_kind_of_reply kind, int status, const uint8_t *bytes, size_t size)
{
	struct evl_ending ending = { status, "" };
	struct evl_reply reply;

	memcpy(ending.text, bytes, size < sizeof ending.text - 1 ? size : sizeof ending.text - 1);
	evl_reply_read(&reply, kind, &ending, bytes, size);
	must(reply.verdict <= EVL_FOREIGN);
	must((reply.verdict == EVL_ANSWERED) == (reply.reason[0] == '\0'));
	must_be_text(reply.reason, sizeof reply.reason);
	must_be_text(reply.token, sizeof reply.token);
	must_be_text(reply.version, sizeof reply.version);
	if (reply.verdict == EVL_ANSWERED)
		must_be_an_answer(&reply, kind);
}

static void
read_watch(const uint8_t *bytes, size_t size)
{
	struct evl_watch_reply watch;

	if (evl_reply_read_watch(&watch, bytes, size) < 0)
		return;
	must(watch.revision >= 0 && watch.deleted >= 0);
	must_be_text(watch.reason, sizeof watch.reason);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned kind;

	if (size < 2)
		return 0;
	kind = data[0] % (EVL_STATUS_REPLY + 2);
	if (kind > EVL_STATUS_REPLY)
		read_watch(data + 2, size - 2);
	else
		read_answer((enum evl_kind_of_reply)kind, data[1] % 24 - 4, data + 2, size - 2);
	return 0;
}
