/* SPDX-License-Identifier: BSD-3-Clause */

/* Encodes questions to the cluster; see ask.h. */

#include <stdio.h>
#include <string.h>

#include "scopes/etcd/ask.h"
#include "etcd.pb-c.h"
#include "scopes/etcd/message.h"

#define ADD(out, message) evl_message_add(out, &(message)->base)

/* The values of etcd's enumerations. */
enum { DESCENDING = 2, BY_CREATION = 2, COMPARE_CREATED = 1, COMPARE_CHANGED = 2 };

/* --- Keys ------------------------------------------------------------------------ */

void
evl_ask_root(char *root, const char *prefix, const char *name)
{
	root += sprintf(root, "%s", prefix);
	for (; *name; name++) {
		if (*name == '/' || *name == '%')
			root += sprintf(root, "%%%02X", (unsigned)*name);
		else
			*root++ = *name;
	}
	*root = '\0';
}

size_t
evl_ask_key(char *key, const struct evl_entry *entry, char folder)
{
	return (size_t)snprintf(key, EVL_KEY_MAX + 1, "%s/%c/%s", entry->root, folder, entry->id);
}

static ProtobufCBinaryData
text(const char *string)
{
	ProtobufCBinaryData data = { strlen(string), (uint8_t *)(uintptr_t)string };

	return data;
}

/* --- A transaction --------------------------------------------------------------- */

enum { MOST = 4 };	/* parts of one kind */

/* A transaction, with the parts that its message points to. */
struct txn {
	const struct evl_entry *entry;
	char q[EVL_KEY_MAX + 1], x[EVL_KEY_MAX + 1], g[EVL_KEY_MAX + 1];
	char rivals[EVL_KEY_MAX + 1], rivals_end[EVL_KEY_MAX + 1];
	Evl__TxnRequest request;
	Evl__Compare compare[MOST], *compares[MOST];
	Evl__RequestOp success[MOST], *successes[MOST], failure[MOST], *failures[MOST];
	Evl__RangeRequest range[MOST];
	Evl__PutRequest put[MOST];
	Evl__DeleteRangeRequest deletion[MOST];
	unsigned n_ranges, n_puts, n_deletions;
};

/* An exclusive entry conflicts with every place ahead of it, and a shared one with the exclusive
 * places ahead.  So its rivals lie in one folder, q/ or x/.  The range of a folder ends at the key
 * that has a 0, the character after /, in place of the /. */
static void
begin(struct txn *txn, const struct evl_entry *entry)
{
	char folder = entry->is_exclusive ? 'q' : 'x';

	txn->entry = entry;
	txn->n_ranges = txn->n_puts = txn->n_deletions = 0;
	evl__txn_request__init(&txn->request);
	txn->request.compare = txn->compares;
	txn->request.success = txn->successes;
	txn->request.failure = txn->failures;
	evl_ask_key(txn->q, entry, 'q');
	evl_ask_key(txn->x, entry, 'x');
	evl_ask_key(txn->g, entry, 'g');
	snprintf(txn->rivals, sizeof txn->rivals, "%s/%c/", entry->root, folder);
	snprintf(txn->rivals_end, sizeof txn->rivals_end, "%s/%c0", entry->root, folder);
}

static Evl__Compare *
add_compare(struct txn *txn, const char *key, int target)
{
	size_t n = txn->request.n_compare++;
	Evl__Compare *compare = txn->compares[n] = &txn->compare[n];

	evl__compare__init(compare);
	compare->key = text(key);
	compare->target = target;
	return compare;
}

static Evl__RequestOp *
if_so(struct txn *txn)
{
	size_t n = txn->request.n_success++;

	evl__request_op__init(&txn->success[n]);
	return txn->successes[n] = &txn->success[n];
}

static Evl__RequestOp *
if_not(struct txn *txn)
{
	size_t n = txn->request.n_failure++;

	evl__request_op__init(&txn->failure[n]);
	return txn->failures[n] = &txn->failure[n];
}

/* --- Its parts ------------------------------------------------------------------- */

static void
compare_created(struct txn *txn, const char *key)
{
	add_compare(txn, key, COMPARE_CREATED)->create_revision = txn->entry->revision;
}

static void
compare_guard(struct txn *txn)
{
	add_compare(txn, txn->g, COMPARE_CHANGED)->mod_revision = txn->entry->guard;
}

static void
compare_free(struct txn *txn)
{
	add_compare(txn, txn->rivals, COMPARE_CREATED)->range_end = text(txn->rivals_end);
}

static Evl__RangeRequest *
find(struct txn *txn, Evl__RequestOp *op, const char *key)
{
	Evl__RangeRequest *range = &txn->range[txn->n_ranges++];

	evl__range_request__init(range);
	range->key = text(key);
	range->keys_only = 1;
	return op->request_range = range;
}

/* Finds the next place ahead.  The order is given explicitly, because etcd 3.4 otherwise applies
 * the limit before it sorts.  An entry without a revision is about to be made: all places in the
 * folder are ahead of it. */
static void
find_ahead(struct txn *txn)
{
	Evl__RangeRequest *range = find(txn, if_so(txn), txn->rivals);

	range->range_end = text(txn->rivals_end);
	range->sort_target = BY_CREATION;
	range->sort_order = DESCENDING;
	range->limit = 1;
	if (txn->entry->revision)
		range->max_create_revision = txn->entry->revision - 1;
}

static void
find_own(struct txn *txn)
{
	find(txn, if_not(txn), txn->q);
	find(txn, if_not(txn), txn->g);
}

static Evl__PutRequest *
put(struct txn *txn, const char *key)
{
	Evl__PutRequest *request = if_so(txn)->request_put = &txn->put[txn->n_puts++];

	evl__put_request__init(request);
	request->key = text(key);
	request->lease = txn->entry->lease;
	return request;
}

static void
put_place(struct txn *txn)
{
	put(txn, txn->g);
	put(txn, txn->q)->value = text(txn->entry->holder);
	if (txn->entry->is_exclusive)
		put(txn, txn->x);
}

static void
delete(struct txn *txn, const char *key)
{
	Evl__DeleteRangeRequest *request = &txn->deletion[txn->n_deletions++];

	evl__delete_range_request__init(request);
	request->key = text(key);
	if_so(txn)->request_delete_range = request;
}

/* --- Whole transactions ---------------------------------------------------------- */

int
evl_ask_guard(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin(&txn, entry);
	put(&txn, txn.g);
	return ADD(out, &txn.request);
}

static void
begin_entry(struct txn *txn, const struct evl_entry *entry)
{
	begin(txn, entry);
	compare_guard(txn);
	find_own(txn);
}

int
evl_ask_enter(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin_entry(&txn, entry);
	find_ahead(&txn);
	put_place(&txn);
	return ADD(out, &txn.request);
}

int
evl_ask_try(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin_entry(&txn, entry);
	compare_free(&txn);
	put_place(&txn);
	return ADD(out, &txn.request);
}

static void
begin_held(struct txn *txn, const struct evl_entry *entry)
{
	begin(txn, entry);
	compare_created(txn, txn->q);
	if (entry->is_exclusive)
		compare_created(txn, txn->x);
}

int
evl_ask_check(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin_held(&txn, entry);
	find_ahead(&txn);
	return ADD(out, &txn.request);
}

int
evl_ask_weaken(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin(&txn, entry);
	compare_created(&txn, txn.q);
	delete(&txn, txn.x);
	return ADD(out, &txn.request);
}

int
evl_ask_leave(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin(&txn, entry);
	compare_guard(&txn);
	delete(&txn, txn.q);
	delete(&txn, txn.x);
	return ADD(out, &txn.request);
}

int
evl_ask_clear(struct evbuffer *out, const struct evl_entry *entry)
{
	struct txn txn;

	begin(&txn, entry);
	delete(&txn, txn.q);
	delete(&txn, txn.x);
	delete(&txn, txn.g);
	return ADD(out, &txn.request);
}

/* --- Other questions ------------------------------------------------------------- */

int
evl_ask_authenticate(struct evbuffer *out, const char *user, const char *password)
{
	Evl__AuthenticateRequest request = EVL__AUTHENTICATE_REQUEST__INIT;

	request.name = text(user);
	request.password = text(password);
	return ADD(out, &request);
}

int
evl_ask_status(struct evbuffer *out)
{
	Evl__StatusRequest request = EVL__STATUS_REQUEST__INIT;

	return ADD(out, &request);
}

int
evl_ask_grant(struct evbuffer *out, int64_t lease, unsigned ttl)
{
	Evl__LeaseGrantRequest request = EVL__LEASE_GRANT_REQUEST__INIT;

	request.id = lease;
	request.ttl = ttl;
	return ADD(out, &request);
}

int
evl_ask_lease(struct evbuffer *out, int64_t lease)
{
	Evl__LeaseRequest request = EVL__LEASE_REQUEST__INIT;

	request.id = lease;
	return ADD(out, &request);
}

int
evl_ask_watch(struct evbuffer *out, const char *key, size_t size, int64_t id)
{
	Evl__WatchCreateRequest create = EVL__WATCH_CREATE_REQUEST__INIT;
	Evl__WatchRequest request = EVL__WATCH_REQUEST__INIT;
	int32_t no_puts = 0;

	create.key = (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)key };
	create.filters = &no_puts;
	create.n_filters = 1;
	create.watch_id = id;
	request.create_request = &create;
	return ADD(out, &request);
}

int
evl_ask_unwatch(struct evbuffer *out, int64_t id)
{
	Evl__WatchCancelRequest cancel = EVL__WATCH_CANCEL_REQUEST__INIT;
	Evl__WatchRequest request = EVL__WATCH_REQUEST__INIT;

	cancel.watch_id = id;
	request.cancel_request = &cancel;
	return ADD(out, &request);
}
