/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/scopes/etcd/ask.c, message.c and reply.c: how requests are written, and how answers are
 * read.  An answer may contain anything. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "etcd.pb-c.h"
#include "scopes/etcd/message.h"
#include "scopes/etcd/reply.h"

#include "../shim.h"

static struct evl_reply reply;
static uint8_t bytes[20000];
static size_t size;

/* --- Reading ------------------------------------------------------------------------- */

static void
pack(const ProtobufCMessage *message)
{
	size = protobuf_c_message_pack(message, bytes);
	cr_assert_leq(size, sizeof bytes);
}

static enum evl_verdict
read_bytes(enum evl_kind_of_reply kind)
{
	struct evl_ending ending = { 0, "" };

	evl_reply_read(&reply, kind, &ending, bytes, size);
	return reply.verdict;
}

static enum evl_verdict
verdict_of(enum evl_kind_of_reply kind, const ProtobufCMessage *message)
{
	pack(message);
	return read_bytes(kind);
}

static Evl__Header header = EVL__HEADER__INIT;

static ProtobufCBinaryData
text(const char *string)
{
	return (ProtobufCBinaryData){ strlen(string), (uint8_t *)(uintptr_t)string };
}

/* --- Answers ---------------------------------------------------------------------------- */

static Evl__LeaseResponse
new_lease(int64_t ttl)
{
	Evl__LeaseResponse lease = EVL__LEASE_RESPONSE__INIT;

	header.revision = 1234567890123456789;
	lease.header = &header;
	lease.id = 77;
	lease.ttl = ttl;
	return lease;
}

Test(etcd_reply, lease)
{
	Evl__LeaseResponse lease = new_lease(5);

	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, &lease.base), EVL_ANSWERED);
	cr_assert_eq(reply.ttl, 5);
	cr_assert_eq(reply.revision, 1234567890123456789);
}

Test(etcd_reply, keepalive_of_a_lease_that_is_gone_has_no_ttl)
{
	Evl__LeaseResponse lease = new_lease(0);

	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, &lease.base), EVL_ANSWERED);
	cr_assert_eq(reply.ttl, 0);
	lease.ttl = -5;
	cr_assert_eq(verdict_of(EVL_LEASE_REPLY, &lease.base), EVL_ANSWERED);
	cr_assert_eq(reply.ttl, 0);
}

/* The answer to a transaction with two ranges, which found what the arguments say. */
static enum evl_verdict
read_txn(const char *key, int64_t create_revision, int64_t guard_revision)
{
	Evl__KeyValue kv = EVL__KEY_VALUE__INIT, guard = kv, *kvs[] = { &kv },
	    *guards[] = { &guard };
	Evl__RangeResponse range = EVL__RANGE_RESPONSE__INIT, guard_range = range;
	Evl__ResponseOp put = EVL__RESPONSE_OP__INIT, op = put, guard_op = put,
	    *ops[] = { &put, &op, &guard_op };
	Evl__TxnResponse txn = EVL__TXN_RESPONSE__INIT;

	header.revision = 9;
	kv.key = text(key);
	kv.create_revision = create_revision;
	guard.mod_revision = guard_revision;
	range.kvs = kvs;
	range.n_kvs = 1;
	guard_range.kvs = guards;
	guard_range.n_kvs = guard_revision != 0;
	op.response_range = &range;
	guard_op.response_range = &guard_range;
	txn.header = &header;
	txn.succeeded = 1;
	txn.responses = ops;
	txn.n_responses = 3;
	return verdict_of(EVL_TXN_REPLY, &txn.base);
}

Test(etcd_reply, transaction)
{
	Evl__TxnResponse txn = EVL__TXN_RESPONSE__INIT;

	cr_assert_eq(read_txn("p/q/1", 2, 3), EVL_ANSWERED);
	cr_assert(reply.is_succeeded);
	cr_assert_eq(reply.revision, 9);
	cr_assert_eq(reply.create_revision, 2);
	cr_assert_str_eq(reply.key, "p/q/1");
	cr_assert_eq(reply.key_size, 5);
	cr_assert_eq(reply.guard_revision, 3);
	txn.header = &header;
	cr_assert_eq(verdict_of(EVL_TXN_REPLY, &txn.base), EVL_ANSWERED);
	cr_assert_not(reply.is_succeeded);
	cr_assert_eq(reply.create_revision, 0);
}

Test(etcd_reply, a_transaction_that_makes_no_sense)
{
	static char key[EVL_KEY_MAX + 2];

	cr_assert_eq(read_txn("", 2, 3), EVL_FOREIGN);
	cr_assert_eq(read_txn("a", 0, 3), EVL_FOREIGN);
	cr_assert_eq(read_txn("a", -1, 3), EVL_FOREIGN);
	cr_assert_eq(read_txn("a", 2, -3), EVL_FOREIGN);
	memset(key, 'k', EVL_KEY_MAX + 1);
	cr_assert_eq(read_txn(key, 2, 3), EVL_FOREIGN);
	key[EVL_KEY_MAX] = '\0';
	cr_assert_eq(read_txn(key, 2, 3), EVL_ANSWERED);
}

Test(etcd_reply, status)
{
	Evl__StatusResponse status = EVL__STATUS_RESPONSE__INIT;

	status.version = text("3.4.23");
	cr_assert_eq(verdict_of(EVL_STATUS_REPLY, &status.base), EVL_ANSWERED);
	cr_assert_str_eq(reply.version, "3.4.23");
	cr_assert_eq(reply.leader, 0);
	status.version = text("a version that is far too long to be kept");
	status.leader = UINT64_MAX;
	cr_assert_eq(verdict_of(EVL_STATUS_REPLY, &status.base), EVL_ANSWERED);
	cr_assert_eq(strlen(reply.version), EVL_VERSION_SIZE - 1);
	cr_assert_eq(reply.leader, UINT64_MAX);
}

/* The token is sent in a header. */
Test(etcd_reply, token)
{
	static char longest[EVL_TOKEN_SIZE + 1];
	Evl__AuthenticateResponse token = EVL__AUTHENTICATE_RESPONSE__INIT;

	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, &token.base), EVL_FOREIGN);
	token.token = text("abc.9");
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, &token.base), EVL_ANSWERED);
	cr_assert_str_eq(reply.token, "abc.9");
	token.token = text("a\r\nx-evil: 1");
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, &token.base), EVL_FOREIGN);
	memset(longest, 'a', EVL_TOKEN_SIZE);
	token.token = text(longest);
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, &token.base), EVL_FOREIGN);
	longest[EVL_TOKEN_SIZE - 1] = '\0';
	token.token = text(longest);
	cr_assert_eq(verdict_of(EVL_TOKEN_REPLY, &token.base), EVL_ANSWERED);
}

/* Every answer has a revision, except those that etcd gives without asking the store. */
Test(etcd_reply, without_a_revision_it_is_none)
{
	static const enum evl_kind_of_reply kinds[] = { EVL_LEASE_REPLY, EVL_REVOKE_REPLY,
	    EVL_PUT_REPLY, EVL_TXN_REPLY };
	unsigned i;

	size = 0;
	for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
		cr_assert_eq(read_bytes(kinds[i]), EVL_FOREIGN, "%u", i);
}

/* No prefix of an answer is valid unless it ends at the end of a field.  Then it is a shorter
 * answer. */
Test(etcd_reply, truncated)
{
	Evl__LeaseResponse lease = new_lease(500);
	size_t whole;

	pack(&lease.base);
	whole = size;
	for (size = 0; size < whole; size++)
		cr_assert(read_bytes(EVL_LEASE_REPLY) == EVL_FOREIGN || reply.ttl == 0, "%zu",
		    size);
}

/* --- Memory ----------------------------------------------------------------------------- */

/* Empty events take two bytes each on the wire, and sixty times that in memory. */
Test(etcd_reply, a_message_gets_so_much_memory_and_no_more)
{
	struct evl_watch_reply watch;
	size_t i;

	for (i = 0; i < sizeof bytes; i += 2) {
		bytes[i] = 11 << 3 | 2;
		bytes[i + 1] = 0;
	}
	errno = 0;
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, sizeof bytes), -1);
	cr_assert_eq(errno, EPROTO);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, 20), 0);
}

/* --- Watches ------------------------------------------------------------------------------ */

Test(etcd_reply, watch)
{
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;
	Evl__Event put = EVL__EVENT__INIT, deleted = put, *events[] = { &deleted, &put };
	Evl__KeyValue kv = EVL__KEY_VALUE__INIT;
	struct evl_watch_reply watch;

	header.revision = 9;
	message.header = &header;
	message.watch_id = 4711;
	message.created = 1;
	pack(&message.base);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), 0);
	cr_assert(watch.id == 4711 && watch.revision == 9 && watch.is_created && !watch.deleted);
	message.created = 0;
	kv.mod_revision = 8;
	deleted.type = 1;
	deleted.kv = &kv;
	message.events = events;
	message.n_events = 2;
	pack(&message.base);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), 0);
	cr_assert(watch.deleted == 8 && !watch.is_created);
	deleted.type = 0;
	pack(&message.base);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), 0);
	cr_assert_eq(watch.deleted, 0);
}

Test(etcd_reply, the_last_of_several_deletions_counts)
{
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;
	Evl__Event event = EVL__EVENT__INIT, third = event, *events[] = { &event, &third, &event };
	Evl__KeyValue kv = EVL__KEY_VALUE__INIT, later = kv;
	struct evl_watch_reply watch;

	kv.mod_revision = 8;
	later.mod_revision = 11;
	event.type = third.type = 1;
	event.kv = &kv;
	third.kv = &later;
	message.events = events;
	message.n_events = 3;
	pack(&message.base);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), 0);
	cr_assert_eq(watch.deleted, 11);
}

/* Every deletion has a revision. */
Test(etcd_reply, a_deletion_at_no_time_is_no_message)
{
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;
	Evl__Event event = EVL__EVENT__INIT, *events[] = { &event };
	Evl__KeyValue kv = EVL__KEY_VALUE__INIT;
	struct evl_watch_reply watch;

	event.type = 1;
	message.events = events;
	message.n_events = 1;
	pack(&message.base);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), -1);
	cr_assert_eq(errno, EPROTO);
	kv.mod_revision = -1;
	event.kv = &kv;
	pack(&message.base);
	cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), -1);
	cr_assert_eq(errno, EPROTO);
}

Test(etcd_reply, why_a_watch_is_canceled)
{
	static const struct {
		const char *reason;
		enum evl_verdict verdict;
	} reasons[] = {
		{ "", EVL_BUSY },
		{ "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
		    EVL_DENIED },
		{ "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
		    EVL_NO_TOKEN },
		{ "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
		    EVL_NO_TOKEN },
		{ "etcdserver: no leader", EVL_NO_LEADER },
		{ "\033[2J", EVL_BUSY }
	};
	Evl__WatchResponse message = EVL__WATCH_RESPONSE__INIT;
	struct evl_watch_reply watch;
	unsigned i;

	message.watch_id = -1;
	message.canceled = 1;
	for (i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		message.cancel_reason = text(reasons[i].reason);
		pack(&message.base);
		cr_assert_eq(evl_reply_read_watch(&watch, bytes, size), 0);
		cr_assert_eq(watch.verdict, reasons[i].verdict, "%s", reasons[i].reason);
		cr_assert(watch.is_canceled && watch.id == -1 && watch.revision == 0);
	}
	cr_assert_str_eq(watch.reason, "?[2J");
}

/* --- Errors ------------------------------------------------------------------------------- */

Test(etcd_reply, errors_of_etcd)
{
	static const struct {
		struct evl_ending ending;
		enum evl_verdict verdict;
	} errors[] = {
		{ { 5, "etcdserver: requested lease not found" }, EVL_NO_LEASE },
		{ { 9, "etcdserver: lease already exists" }, EVL_LEASE_EXISTS },
		{ { 9, "etcdserver: authentication is not enabled" }, EVL_NO_AUTH },
		{ { 3, "etcdserver: authentication failed, invalid user ID or password" },
		    EVL_DENIED },
		{ { 3, "etcdserver: user name is empty" }, EVL_NO_TOKEN },
		{ { 3, "etcdserver: revision of auth store is old" }, EVL_OLD_AUTH },
		{ { 16, "etcdserver: invalid auth token" }, EVL_NO_TOKEN },
		{ { 7, "etcdserver: permission denied" }, EVL_DENIED },
		{ { 14, "etcdserver: no leader" }, EVL_NO_LEADER },
		{ { 14, "etcdserver: request timed out" }, EVL_BUSY },
		{ { 4, "context deadline exceeded" }, EVL_BUSY },
		{ { 1, "" }, EVL_BUSY }, { { 2, "" }, EVL_BUSY }, { { 11, "compacted" }, EVL_BUSY },
		{ { 8, "etcdserver: mvcc: database space exceeded" }, EVL_FULL },
		{ { 8, "etcdserver: too many requests" }, EVL_BUSY },
		{ { 15, "etcdserver: corrupt cluster" }, EVL_NO_LEADER },
		{ { 3, "etcdserver: key is not provided" }, EVL_FOREIGN },
		{ { 12, "unknown service" }, EVL_FOREIGN }, { { 13, "" }, EVL_FOREIGN },
		{ { 5, "Not Found" }, EVL_BUSY }, { { 99, "" }, EVL_BUSY },
		{ { EVL_STATUS_LOST, "it broke" }, EVL_BUSY },
		{ { EVL_STATUS_REFUSED, "" }, EVL_REFUSED },
		{ { EVL_STATUS_FOREIGN, "HTTP status 404" }, EVL_FOREIGN }
	};
	unsigned i;

	for (i = 0; i < sizeof errors / sizeof *errors; i++) {
		evl_reply_read(&reply, EVL_TXN_REPLY, &errors[i].ending, NULL, 0);
		cr_assert_eq(reply.verdict, errors[i].verdict, "%d %s", errors[i].ending.status,
		    errors[i].ending.text);
		cr_assert_str_neq(reply.reason, "");
	}
}

/* The reason is shown to users, on terminals. */
Test(etcd_reply, reasons_are_printable)
{
	struct evl_ending ending = { 14, "\033[2J\n\xff" };

	evl_reply_read(&reply, EVL_TXN_REPLY, &ending, NULL, 0);
	cr_assert_str_eq(reply.reason, "?[2J??");
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

static ProtobufCMessage *
take(struct evbuffer *out, const ProtobufCMessageDescriptor *type)
{
	size_t n = evbuffer_get_length(out);
	uint8_t *start = evbuffer_pullup(out, -1);
	ProtobufCMessage *message;

	cr_assert_gt(n, EVL_MESSAGE_PREFIX);
	cr_assert_eq(n - EVL_MESSAGE_PREFIX, (size_t)start[3] << 8 | start[4]);
	message = protobuf_c_message_unpack(type, NULL, n - EVL_MESSAGE_PREFIX,
	    start + EVL_MESSAGE_PREFIX);
	cr_assert_not_null(message);
	evbuffer_drain(out, n);
	return message;
}

static Evl__TxnRequest *
take_txn(struct evbuffer *out)
{
	return (Evl__TxnRequest *)(void *)take(out, &evl__txn_request__descriptor);
}

static void
assert_key(const ProtobufCBinaryData *key, const char *expected)
{
	cr_assert_eq(key->len, strlen(expected));
	cr_assert(!memcmp(key->data, expected, key->len), "%s", expected);
}

/* Without the sort order, etcd 3.4.23 picks any one key and sorts only that. */
static void
assert_ahead(const Evl__RangeRequest *range, const char *from, const char *to, int64_t max)
{
	assert_key(&range->key, from);
	assert_key(&range->range_end, to);
	cr_assert_eq(range->sort_target, 2);
	cr_assert_eq(range->sort_order, 2);
	cr_assert_eq(range->limit, 1);
	cr_assert_eq(range->max_create_revision, max);
}

static struct evl_entry entry = { .root = "p/a", .id = "1-1", .lease = 7, .holder = "me",
    .guard = 5, .is_exclusive = 1 };

Test(etcd_ask, entering)
{
	struct evbuffer *out = evbuffer_new();
	Evl__TxnRequest *txn;

	cr_assert_eq(evl_ask_enter(out, &entry), 0);
	txn = take_txn(out);
	cr_assert_eq(txn->n_compare, 1);
	cr_assert_eq(txn->compare[0]->target, 2);
	cr_assert_eq(txn->compare[0]->mod_revision, 5);
	assert_key(&txn->compare[0]->key, "p/a/g/1-1");
	cr_assert_eq(txn->n_success, 4);
	assert_ahead(txn->success[0]->request_range, "p/a/q/", "p/a/q0", 0);
	assert_key(&txn->success[1]->request_put->key, "p/a/g/1-1");
	assert_key(&txn->success[2]->request_put->key, "p/a/q/1-1");
	assert_key(&txn->success[2]->request_put->value, "me");
	assert_key(&txn->success[3]->request_put->key, "p/a/x/1-1");
	cr_assert_eq(txn->success[3]->request_put->lease, 7);
	cr_assert_eq(txn->n_failure, 2);
	protobuf_c_message_free_unpacked(&txn->base, NULL);
	evbuffer_free(out);
}

Test(etcd_ask, who_is_ahead_of_a_shared_one)
{
	struct evbuffer *out = evbuffer_new();
	Evl__TxnRequest *txn;

	entry.revision = INT64_MAX;
	entry.is_exclusive = 0;
	cr_assert_eq(evl_ask_check(out, &entry), 0);
	txn = take_txn(out);
	assert_ahead(txn->success[0]->request_range, "p/a/x/", "p/a/x0", INT64_MAX - 1);
	cr_assert_eq(txn->n_compare, 1);
	assert_key(&txn->compare[0]->key, "p/a/q/1-1");
	cr_assert_eq(txn->compare[0]->create_revision, INT64_MAX);
	protobuf_c_message_free_unpacked(&txn->base, NULL);
	evbuffer_free(out);
}

/* A full store accepts no puts, but a holder must still be able to leave. */
Test(etcd_ask, leaving_puts_nothing)
{
	struct evbuffer *out = evbuffer_new();
	unsigned i, k;

	for (i = 0; i < 2; i++) {
		Evl__TxnRequest *txn;

		cr_assert_eq((i ? evl_ask_clear : evl_ask_leave)(out, &entry), 0);
		txn = take_txn(out);
		cr_assert_eq(txn->n_compare, 1 - i);
		cr_assert_eq(txn->n_success, 2 + i);
		cr_assert_eq(txn->n_failure, 0);
		for (k = 0; k < txn->n_success; k++)
			cr_assert_not_null(txn->success[k]->request_delete_range);
		protobuf_c_message_free_unpacked(&txn->base, NULL);
	}
	evbuffer_free(out);
}

Test(etcd_ask, longest_names_fit)
{
	char prefix[EVL_PREFIX_MAX + 1] = "", name[EVL_NAME_MAX + 1] = "";
	static char root[EVL_ROOT_MAX + 1];
	struct evl_entry longest = { .root = root, .holder = "", .lease = INT64_MAX,
	    .is_exclusive = 1 };
	int (*const asks[])(struct evbuffer *, const struct evl_entry *) = { evl_ask_guard,
	    evl_ask_enter, evl_ask_try, evl_ask_check, evl_ask_weaken, evl_ask_leave,
	    evl_ask_clear };
	struct evbuffer *out = evbuffer_new();
	char key[EVL_KEY_MAX + 1];
	unsigned i;

	memset(prefix, 'p', EVL_PREFIX_MAX);
	memset(name, '/', EVL_NAME_MAX);
	memset(longest.id, 'f', EVL_ID_MAX);
	evl_ask_root(root, prefix, name);
	cr_assert_eq(strlen(root), EVL_ROOT_MAX);
	cr_assert_eq(evl_ask_key(key, &longest, 'q'), EVL_KEY_MAX);
	for (i = 0; i < sizeof asks / sizeof *asks; i++) {
		cr_assert_eq(asks[i](out, &longest), 0);
		protobuf_c_message_free_unpacked(&take_txn(out)->base, NULL);
	}
	evbuffer_free(out);
}

Test(etcd_ask, watching)
{
	struct evbuffer *out = evbuffer_new();
	Evl__WatchRequest *watch;

	cr_assert_eq(evl_ask_watch(out, "p/a/q/1-1", 9, 4711), 0);
	watch = (Evl__WatchRequest *)(void *)take(out, &evl__watch_request__descriptor);
	assert_key(&watch->create_request->key, "p/a/q/1-1");
	cr_assert_eq(watch->create_request->watch_id, 4711);
	cr_assert_eq(watch->create_request->n_filters, 1);
	cr_assert_eq(watch->create_request->filters[0], 0, "no puts");
	protobuf_c_message_free_unpacked(&watch->base, NULL);
	evbuffer_free(out);
}
