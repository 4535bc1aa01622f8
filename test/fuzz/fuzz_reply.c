/* SPDX-License-Identifier: BSD-3-Clause */

/* What lib/etcd makes of answers, steered by libFuzzer: whatever is read, what comes of it is safe
 * to use.  The first byte says which kind of answer is expected, the second what status came with
 * it. */

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int statuses[] = { 200, 400, 401, 403, 404, 412, 503, 0 };

static void
must(int condition)
{
	if (!condition)
		abort();
}

/* Does a text end within its room, and have nothing in it that could do harm where it goes? */
static void
must_be_text(const char *text, size_t size)
{
	size_t i, n = strnlen(text, size);

	must(n < size);
	for (i = 0; i < n; i++)
		must(isprint((unsigned char)text[i]));
}

static void
must_be_an_answer(const struct evl_reply *reply, enum evl_kind_of_reply kind)
{
	must(kind == EVL_TOKEN_REPLY ? reply->token[0] != '\0' : reply->revision > 0);
	must(reply->ttl >= 0 && reply->create_revision >= 0 && reply->compact_revision >= 0);
	must(!reply->create_revision || reply->key64[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evl_reply reply;
	enum evl_kind_of_reply kind;

	if (size < 2)
		return 0;
	kind = (enum evl_kind_of_reply)(data[0] % (EVL_WATCH_REPLY + 1));
	evl_reply_read(&reply, kind, statuses[data[1] % 8], (const char *)data + 2, size - 2);
	must(reply.verdict <= EVL_FOREIGN);
	must_be_text(reply.reason, sizeof reply.reason);
	if (reply.verdict != EVL_ANSWERED) {
		must(reply.reason[0] != '\0');
		return 0;
	}
	must_be_text(reply.token, sizeof reply.token);
	must_be_text(reply.key64, sizeof reply.key64);
	must(!strpbrk(reply.key64, "\"\\"));
	must_be_an_answer(&reply, kind);
	return 0;
}
