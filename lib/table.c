/* SPDX-License-Identifier: BSD-3-Clause */

/* Tables: a lock for every key, made when it is first asked for, and freed when
 * nothing needs it any more: no request through the table, and no object of the
 * caller's.  Called in the thread of the table's base. */

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <evlock/table.h>

#include "mem.h"
#include "siphash.h"

static void
free_sized(void *ptr, size_t size)
{
	(void)size;
	evl_mem_free(ptr);
}

/* Keys may be chosen by an enemy: hashed with a secret of the process. */
static unsigned char secret[16];

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)evl_siphash(secret, (key), (len)))
#define uthash_malloc(size) evl_mem_new(size)
#define uthash_free(ptr, size) free_sized(ptr, size)
#define uthash_nonfatal_oom(keyed) ((keyed)->table = NULL)

#include "lock.h"

#define LONGEST_KEY 65536
#define MOST_SHOWN 100

struct evlock_table {
	struct evlock_options options;
	char *name;
	struct event_base *base;
	struct evl_port *port;
	struct evl_keyed *keys;		/* uthash */
	uint64_t scope;			/* of callers' own handles */
	int is_dying;
};

/** The lock of one key. */
struct evl_keyed {
	UT_hash_handle hh;
	struct evlock_table *table;
	struct evlock *lock;		/* the table's own object */
	size_t n_users;			/* requests through that, and objects of the caller's */
	size_t len;
	unsigned char key[];
};

/* --- Keys ----------------------------------------------------------------- */

static struct evl_keyed *
find(const struct evlock_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed;

	HASH_FIND(hh, table->keys, key, len, keyed);
	return keyed;
}

/* Returns -1 with errno ENOMEM. */
static int
insert(struct evlock_table *table, struct evl_keyed *keyed)
{
	HASH_ADD_KEYPTR(hh, table->keys, keyed->key, keyed->len, keyed);
	return keyed->table ? 0 : -1;
}

static void
destroy(struct evl_keyed *keyed)
{
	struct evlock *lock = keyed->lock;

	HASH_DELETE(hh, keyed->table->keys, keyed);
	lock->body->keyed = NULL;
	evlock_free(lock);
	evl_mem_free(keyed);
}

static struct evlock *
create_lock(const struct evlock_table *table)
{
	const struct evlock_options *options = &table->options;

	return evl_lock_create(table->base, options,
	    options->modes ? options->modes : &evl_standard_modes);
}

static struct evl_keyed *
create(struct evlock_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed = evl_mem_zalloc(sizeof *keyed + len);

	if (!keyed)
		return NULL;
	keyed->table = table;
	keyed->len = len;
	if (len)
		memcpy(keyed->key, key, len);
	keyed->lock = create_lock(table);
	if (!keyed->lock || insert(table, keyed) < 0) {
		evlock_free(keyed->lock);
		evl_mem_free(keyed);
		errno = ENOMEM;
		return NULL;
	}
	keyed->lock->body->keyed = keyed;
	keyed->lock->body->scope = table->scope;
	keyed->lock->body->core.is_counted = 1;	/* no short cuts: users are counted */
	evl_tell_update(keyed->lock->body);
	return keyed;
}

/* The lock of a key, which may be a new one that has to be retired again. */
static struct evl_keyed *
need(struct evlock_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed;

	if (len > LONGEST_KEY || (len && !key)) {
		errno = EINVAL;
		return NULL;
	}
	if (!len)
		key = "";
	keyed = find(table, key, len);
	return keyed ? keyed : create(table, key, len);
}

void
evl_keyed_use(struct evl_body *body, const struct evlock *lock)
{
	body->keyed->n_users += lock == body->keyed->lock;
}

void
evl_keyed_unuse(struct evl_body *body, const struct evlock *lock)
{
	body->keyed->n_users -= lock == body->keyed->lock;
}

void
evl_keyed_retire(struct evl_body *body)
{
	struct evl_keyed *keyed = body->keyed;

	if (!keyed->n_users && !keyed->table->is_dying)
		destroy(keyed);
}

void
evl_keyed_free_object(struct evl_body *body)
{
	body->keyed->n_users--;
	evl_keyed_retire(body);
}

void
evl_keyed_dump(const struct evl_body *body, FILE *out)
{
	const struct evl_keyed *keyed = body->keyed;
	size_t i, shown = keyed->len < MOST_SHOWN ? keyed->len : MOST_SHOWN;

	fputs(" \"", out);
	for (i = 0; i < shown; i++) {
		unsigned char c = keyed->key[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputs(shown < keyed->len ? "...\"" : "\"", out);
}

/* --- Tables --------------------------------------------------------------- */

/* The secret is drawn once, before the first key. */
static void
draw_secret(void)
{
	static int is_drawn;
	struct timespec now;

	if (is_drawn)
		return;
	is_drawn = 1;
	if (getentropy(secret, sizeof secret) == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);	/* better than nothing */
	memcpy(secret, &now, sizeof now < sizeof secret ? sizeof now : sizeof secret);
}

static int
is_valid(const struct evlock_options *options)
{
	return !options->value && !options->free_value && evl_options_are_valid(options);
}

static int
set_name(struct evlock_table *table)
{
	if (!table->options.name)
		return 0;
	table->name = evl_mem_strdup(table->options.name);
	table->options.name = table->name;
	return table->name ? 0 : -1;
}

struct evlock_table *
evlock_table_new(struct event_base *base, const struct evlock_options *options)
{
	struct evlock_table *table;

	if (!base || (options && !is_valid(options))) {
		errno = EINVAL;
		return NULL;
	}
	table = evl_mem_zalloc(sizeof *table);
	if (!table)
		return NULL;
	draw_secret();
	table->base = base;
	if (options)
		table->options = *options;
	table->port = evl_port_get(base);
	if (table->port)
		table->scope = ++table->port->n_scopes;
	if (table->port && set_name(table) == 0)
		return table;
	if (table->port)
		evl_port_put(table->port);
	evl_mem_free(table);
	errno = ENOMEM;
	return NULL;
}

void
evlock_table_free(struct evlock_table *table)
{
	struct evl_keyed *keyed, *after;

	if (!table)
		return;
	table->is_dying = 1;
	HASH_ITER(hh, table->keys, keyed, after)
		destroy(keyed);
	evl_port_put(table->port);
	evl_mem_free(table->name);
	evl_mem_free(table);
}

/* --- Requests ------------------------------------------------------------- */

evlock_handle
evlock_table_acquire_request(struct evlock_table *table, const void *key, size_t len,
    const struct evlock_request *request)
{
	struct evl_keyed *keyed = need(table, key, len);
	evlock_handle handle;
	int error;

	if (!keyed)
		return 0;
	handle = evl_request_ask(keyed->lock, request, EVL_ACQUISITION);
	error = errno;
	if (!handle)
		evl_keyed_retire(keyed->lock->body);
	errno = error;
	return handle;
}

evlock_handle
evlock_table_acquire(struct evlock_table *table, const void *key, size_t len,
    unsigned mode, const struct timeval *timeout, evlock_cb cb, void *arg)
{
	struct evlock_request q = { 0 };

	if (!cb) {
		errno = EINVAL;
		return 0;
	}
	q.mode = mode;
	q.timeout = timeout;
	q.cb = cb;
	q.arg = arg;
	return evlock_table_acquire_request(table, key, len, &q);
}

evlock_handle
evlock_table_acquire_nowait(struct evlock_table *table, const void *key, size_t len, unsigned mode)
{
	struct evlock_request q = { 0 };

	q.mode = mode;
	return evlock_table_acquire_request(table, key, len, &q);
}

struct evlock *
evlock_table_lock(struct evlock_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed = need(table, key, len);
	struct evlock *object;

	if (!keyed)
		return NULL;
	object = evl_lock_object(keyed->lock);
	if (object) {
		keyed->n_users++;
		return object;
	}
	evl_keyed_retire(keyed->lock->body);
	errno = ENOMEM;
	return NULL;
}

struct evlock_table *
evlock_table_share(struct evlock_table *table, struct event_base *base)
{
	(void)table;
	(void)base;
	errno = ENOTSUP;
	return NULL;
}

/* --- Handles -------------------------------------------------------------- */

static struct evl_request *
find_request(const struct evlock_table *table, evlock_handle handle)
{
	struct evl_pool *pool = &table->port->pool;
	struct evl_request *r = handle & EVL_HIDDEN ? evl_own_find(pool, table->scope, handle)
	    : evl_pool_find(pool, handle);

	return r && r->lock->body->keyed && r->lock->body->keyed->table == table ? r : NULL;
}

int
evlock_table_release(struct evlock_table *table, evlock_handle handle)
{
	struct evl_request *r = find_request(table, handle);

	if (!r) {
		errno = ENOENT;
		return -1;
	}
	evl_request_end(r);
	return 0;
}

const void *
evlock_table_key(const struct evlock_table *table, evlock_handle handle, size_t *len)
{
	const struct evl_request *r = find_request(table, handle);

	if (!r) {
		errno = ENOENT;
		return NULL;
	}
	*len = r->lock->body->keyed->len;
	return r->lock->body->keyed->key;
}

size_t
evlock_table_count(const struct evlock_table *table)
{
	return HASH_COUNT(table->keys);
}
