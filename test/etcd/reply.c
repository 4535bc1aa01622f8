/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/etcd/reply.c and ask.c: what is made of what is answered, which may be anything. */

#include <string.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "etcd/reply.h"

#include "../shim.h"

static struct evl_reply reply;

static enum evl_verdict
verdict_of(enum evl_kind_of_reply kind, int status, const char *text)
{
	evl_reply_read(&reply, kind, status, text, strlen(text));
	return reply.verdict;
}

#define HEADER "\"header\":{\"cluster_id\":\"14841639068965178418\"," \
	"\"revision\":\"1234567890123456789\",\"raft_term\":\"2\"}"

/* --- Answers, as etcd 3.4.23 gave them ---------------------------------------------- */

Test(etcd_reply, lease)
{
	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, 200, "{" HEADER ",\"ID\":\"77\",\"TTL\":\"5\"}"),
	    EVL_ANSWERED);
	cr_assert_eq(reply.ttl, 5);
	cr_assert_eq(reply.revision, 1234567890123456789);
}

Test(etcd_reply, keepalive_of_a_lease_that_is_gone_has_status_200)
{
	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, 200,
	    "{\"result\":{" HEADER ",\"ID\":\"77\",\"TTL\":\"9\"}}\n"),
	    EVL_ANSWERED);
	cr_assert_eq(reply.ttl, 9);
	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, 200, "{\"result\":{" HEADER ",\"ID\":\"78\"}}\n"),
	    EVL_ANSWERED);
	cr_assert_eq(reply.ttl, 0);
}

Test(etcd_reply, transaction)
{
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200, "{" HEADER ",\"succeeded\":true,\"responses\":["
	    "{\"response_range\":{\"header\":{\"revision\":\"1\"}}},"
	    "{\"response_put\":{\"header\":{\"revision\":\"2\"}}}]}"), EVL_ANSWERED);
	cr_assert(reply.is_succeeded);
	cr_assert_eq(reply.create_revision, 0);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200,
	    "{" HEADER ",\"responses\":[{\"response_range\":{"
	    "\"header\":{\"revision\":\"2\"},\"kvs\":[{\"key\":\"cC9xLzE=\","
	    "\"create_revision\":\"2\",\"mod_revision\":\"2\",\"version\":\"1\","
	    "\"lease\":\"77\"}],\"count\":\"1\"}}]}"),
	    EVL_ANSWERED);
	cr_assert_not(reply.is_succeeded);
	cr_assert_eq(reply.create_revision, 2);
	cr_assert_str_eq(reply.key64, "cC9xLzE=");
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200, "{" HEADER "}"), EVL_ANSWERED);
	cr_assert_not(reply.is_succeeded);
}

Test(etcd_reply, watch)
{
	cr_assert_eq(verdict_of(EVL_WATCH_REPLY, 200, "{\"result\":{" HEADER ",\"created\":true}}"),
	    EVL_ANSWERED);
	cr_assert(reply.is_created && !reply.is_deleted && !reply.is_canceled);
	cr_assert_eq(verdict_of(EVL_WATCH_REPLY, 200,
	    "{\"result\":{" HEADER ",\"events\":[{\"type\":\"DELETE\","
	    "\"kv\":{\"key\":\"cC9xLzE=\",\"mod_revision\":\"3\"}}]}}"), EVL_ANSWERED);
	cr_assert(reply.is_deleted && !reply.is_created);
	cr_assert_eq(verdict_of(EVL_WATCH_REPLY, 200, "{\"result\":{" HEADER ",\"canceled\":true,"
	    "\"compact_revision\":\"12\"}}"), EVL_ANSWERED);
	cr_assert(reply.is_canceled);
	cr_assert_eq(reply.compact_revision, 12);
	cr_assert_eq(verdict_of(EVL_WATCH_REPLY, 200,
	    "{\"error\":{\"grpc_code\":14,\"http_code\":503,"
	    "\"message\":\"etcdserver: no leader\",\"http_status\":\"Service Unavailable\"}}"),
	    EVL_BUSY);
}

Test(etcd_reply, token)
{
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, 200, "{" HEADER ",\"token\":\"abc.9\"}"),
	    EVL_ANSWERED);
	cr_assert_str_eq(reply.token, "abc.9");
}

/* --- Errors ---------------------------------------------------------------------------- */

#define ERROR(code, text) "{\"error\":\"" text "\",\"message\":\"" text "\",\"code\":" #code "}"

Test(etcd_reply, errors_of_etcd)
{
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 404,
	    ERROR(5, "etcdserver: requested lease not found")),
	    EVL_NO_LEASE);
	cr_assert_str_eq(reply.reason, "etcdserver: requested lease not found");
	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, 412, ERROR(9, "etcdserver: lease already exists")),
	    EVL_LEASE_EXISTS);
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, 412,
	    ERROR(9, "etcdserver: authentication is not enabled")),
	    EVL_NO_AUTH);
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, 400,
	    ERROR(3, "etcdserver: authentication failed, invalid user ID or password")),
	    EVL_DENIED);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 400, ERROR(3, "etcdserver: user name is empty")),
	    EVL_NO_TOKEN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 400,
	    ERROR(3, "etcdserver: revision of auth store is old")),
	    EVL_NO_TOKEN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 401, ERROR(16, "etcdserver: invalid auth token")),
	    EVL_NO_TOKEN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 403, ERROR(7, "etcdserver: permission denied")),
	    EVL_DENIED);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 503, ERROR(14, "etcdserver: no leader")), EVL_BUSY);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 504, ERROR(4, "context deadline exceeded")),
	    EVL_BUSY);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 429,
	    ERROR(8, "etcdserver: mvcc: database space exceeded")),
	    EVL_BUSY);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 400, ERROR(3, "invalid character 'b'")),
	    EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 501, ERROR(12, "unknown service")), EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 404, ERROR(5, "Not Found")), EVL_FOREIGN);
}

Test(etcd_reply, statuses_of_something_else)
{
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 404, "Not Found"), EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200, "<html>It works!</html>"), EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200, ""), EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 301, ""), EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 502, "<html>Bad Gateway</html>"), EVL_BUSY);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 503, "{}"), EVL_BUSY);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 403, "{\"error\":\"no\"}"), EVL_DENIED);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200, "{\"error\":\"no\"}"), EVL_FOREIGN);
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 200, "{\"error\":\"\"}"), EVL_FOREIGN);
	cr_assert_str_neq(reply.reason, "");
}

/* --- What is not as it should be ------------------------------------------------------------ */

Test(etcd_reply, badly_formed)
{
	static const struct {
		enum evl_kind_of_reply kind;
		const char *text;
	} bad[] = {
		{ EVL_LEASE_REPLY, "null" }, { EVL_LEASE_REPLY, "[]" }, { EVL_LEASE_REPLY, "{}" },
		{ EVL_LEASE_REPLY, "{" HEADER "}" },
		{ EVL_LEASE_REPLY, "{" HEADER ",\"ID\":\"7x\",\"TTL\":\"5\"}" },
		{ EVL_LEASE_REPLY, "{" HEADER ",\"ID\":\"7\",\"TTL\":\"-5\"}" },
		{ EVL_LEASE_REPLY, "{" HEADER ",\"ID\":\"7\",\"TTL\":\"99999999999999999999\"}" },
		{ EVL_LEASE_REPLY, "{" HEADER ",\"ID\":\"7\",\"TTL\":[]}" },
		{ EVL_LEASE_REPLY, "{" HEADER ",\"ID\":\"7\",\"TTL\":-5}" },
		{ EVL_LEASE_REPLY, "{\"header\":{\"revision\":\"0\"},\"ID\":\"7\",\"TTL\":\"5\"}" },
		{ EVL_LEASE_REPLY, "{\"header\":7,\"ID\":\"7\",\"TTL\":\"5\"}" },
		{ EVL_TXN_REPLY, "{\"succeeded\":true}" },
		{ EVL_TXN_REPLY, "{" HEADER ",\"succeeded\":true,\"responses\":{}}" },
		{ EVL_TXN_REPLY, "{" HEADER ",\"responses\":[7]}" },
		{ EVL_TXN_REPLY, "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":7}}]}" },
		{ EVL_TXN_REPLY,
		    "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":[{}]}}]}" },
		{ EVL_TXN_REPLY, "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":["
		    "{\"create_revision\":\"2\"}]}}]}" },
		{ EVL_TXN_REPLY, "{" HEADER ",\"responses\":[{\"response_range\":{\"kvs\":["
		    "{\"create_revision\":\"2\",\"key\":\"a\\\"b\"}]}}]}" },
		{ EVL_TOKEN_REPLY, "{" HEADER "}" }, { EVL_TOKEN_REPLY, "{\"token\":\"\"}" },
		{ EVL_TOKEN_REPLY, "{\"token\":\"a\\r\\nX-Evil: 1\"}" },
		{ EVL_WATCH_REPLY, "{\"result\":{\"created\":true}}" },
		{ EVL_REVOKE_REPLY, "{}" }
	};
	unsigned i;

	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(verdict_of(bad[i].kind, 200, bad[i].text), EVL_FOREIGN, "%s",
		    bad[i].text);
}

/* Any beginning of an answer is not an answer. */
Test(etcd_reply, truncated)
{
	static const char text[] = "{" HEADER ",\"ID\":\"77\",\"TTL\":\"5\"}";
	size_t n;

	for (n = 0; n < strlen(text); n++) {
		evl_reply_read(&reply, EVL_LEASE_REPLY, 200, text, n);
		cr_assert_eq(reply.verdict, EVL_FOREIGN, "%zu bytes", n);
	}
}

Test(etcd_reply, keys_and_tokens_have_a_longest)
{
	static char text[3 * EVL_TOKEN_SIZE];
	size_t n;

	strcpy(text, "{\"token\":\"");
	n = strlen(text);
	memset(text + n, 'a', EVL_TOKEN_SIZE - 1);
	strcpy(text + n + EVL_TOKEN_SIZE - 1, "\"}");
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, 200, text), EVL_ANSWERED);
	memset(text + n, 'a', EVL_TOKEN_SIZE);
	strcpy(text + n + EVL_TOKEN_SIZE, "\"}");
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, 200, text), EVL_FOREIGN);
}

/* A reason is shown to people, on terminals. */
Test(etcd_reply, reasons_are_printable_and_short)
{
	static const char start[] = "{\"code\":14,\"message\":\"\\u001b[2J\\n";
	char text[1000];
	const char *c;

	memset(text, 'x', sizeof text);
	memcpy(text, start, strlen(start));
	strcpy(text + sizeof text - 3, "\"}");
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, 503, text), EVL_BUSY);
	cr_assert_eq(strlen(reply.reason), EVL_REASON_SIZE - 1);
	for (c = reply.reason; *c; c++)
		cr_assert(*c >= ' ' && *c <= '~');
}

/* --- Questions ------------------------------------------------------------------ */

static const char *
root_of(const char *name)
{
	static char root[EVL_ROOT_MAX + 1];

	evl_ask_root(root, "p/", name);
	return root;
}

Test(etcd_ask, no_lock_lies_among_the_keys_of_another)
{
	cr_assert_str_eq(root_of("a"), "p/a");
	cr_assert_str_eq(root_of("a/q/b"), "p/a%2Fq%2Fb");
	cr_assert_str_eq(root_of("a%2Fq"), "p/a%252Fq");
}

static json_t *
take_json(struct evbuffer *out)
{
	json_t *root;

	root = json_loadb((char *)evbuffer_pullup(out, -1), evbuffer_get_length(out), 0, NULL);
	cr_assert_not_null(root);
	evbuffer_drain(out, evbuffer_get_length(out));
	return root;
}

static json_t *
ahead_in(json_t *root)
{
	json_t *range = json_object_get(json_array_get(json_object_get(root, "success"), 0),
	    "request_range");

	cr_assert_not_null(range);
	return range;
}

static void
assert_text(json_t *object, const char *name, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, name));

	cr_assert_not_null(text, "%s", name);
	cr_assert_str_eq(text, expected);
}

/* Without the order etcd 3.4.23 takes any one key, and sorts that. */
static void
assert_order(json_t *range)
{
	assert_text(range, "sort_target", "CREATE");
	assert_text(range, "sort_order", "DESCEND");
	assert_text(range, "limit", "1");
}

Test(etcd_ask, who_is_ahead_is_asked_in_order)
{
	struct evl_entry entry = { .root = "p/a", .id = "1-1", .lease = 7, .is_exclusive = 1 };
	struct evbuffer *out = evbuffer_new();
	json_t *root;

	cr_assert_eq(evl_ask_enter(out, &entry), 0);
	root = take_json(out);
	assert_order(ahead_in(root));
	cr_assert_null(json_object_get(ahead_in(root), "max_create_revision"));
	assert_text(ahead_in(root), "key", "cC9hL3Ev");	/* p/a/q/ */
	json_decref(root);
	entry.revision = INT64_MAX;
	entry.is_exclusive = 0;
	cr_assert_eq(evl_ask_check(out, &entry), 0);
	root = take_json(out);
	assert_order(ahead_in(root));
	assert_text(ahead_in(root), "max_create_revision", "9223372036854775806");
	assert_text(ahead_in(root), "key", "cC9hL3gv");	/* p/a/x/ */
	json_decref(root);
	evbuffer_free(out);
}

Test(etcd_ask, longest_names_fit)
{
	char prefix[EVL_PREFIX_MAX + 1] = "", name[EVL_NAME_MAX + 1] = "";
	static char root[EVL_ROOT_MAX + 1];
	struct evl_entry entry = { .root = root, .lease = INT64_MAX, .is_exclusive = 1,
	    .is_unsure = 1 };
	struct evbuffer *out = evbuffer_new();

	memset(prefix, 'p', EVL_PREFIX_MAX);
	memset(name, '/', EVL_NAME_MAX);
	memset(entry.id, 'f', EVL_ID_MAX);
	evl_ask_root(root, prefix, name);
	cr_assert_eq(strlen(root), EVL_ROOT_MAX);
	cr_assert_eq(evl_ask_enter(out, &entry), 0);
	json_decref(take_json(out));
	cr_assert_eq(evl_ask_try(out, &entry), 0);
	json_decref(take_json(out));
	cr_assert_eq(evl_ask_leave(out, &entry), 0);
	json_decref(take_json(out));
	evbuffer_free(out);
}

Test(etcd_ask, passwords_stay_in_their_strings)
{
	struct evbuffer *out = evbuffer_new();
	json_t *root;

	cr_assert_eq(evl_ask_authenticate(out, "a\"b", "\\\",\"name\":\"root"), 0);
	root = take_json(out);
	assert_text(root, "name", "a\"b");
	assert_text(root, "password", "\\\",\"name\":\"root");
	json_decref(root);
	evbuffer_free(out);
}
