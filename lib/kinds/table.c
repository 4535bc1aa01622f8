/* SPDX-License-Identifier: BSD-3-Clause */

/* Tables: a lock for every key.  The lock of a key is made with the first request for
 * it, and freed as soon as the table has no request for it and the caller no object of
 * it.  A table that several threads use has one guard for all its keys. */

#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <evlock/table.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/siphash.h"

static void
free_sized(void *ptr, size_t size)
{
	(void)size;
	evl_mem_free(ptr);
}

/* An attacker may choose the keys, so they are hashed with a secret of the process. */
static unsigned char secret[16];

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, len, hash) ((hash) = (unsigned)evl_siphash(secret, (key), (len)))
#define uthash_malloc(size) evl_mem_new(size)
#define uthash_free(ptr, size) free_sized(ptr, size)
#define uthash_nonfatal_oom(keyed) ((keyed)->table = NULL)

#include "base/text.h"
#include "calls/acquire.h"
#include "calls/close.h"
#include "calls/deliver.h"
#include "calls/end.h"
#include "calls/forget.h"
#include "calls/objects.h"
#include "calls/owner.h"
#include "lock/step.h"
#include "loop/ports.h"
#include "requests/chosen.h"

#define LONGEST_KEY 65536
#define MOST_SHOWN 100

/** The table itself, shared by its objects.  Protected by its guard, if it has one. */
struct evl_table {
	struct evl_guard *guard;
	struct evlock_options options;
	char *name;
	struct evl_keyed *keys;		/* uthash */
	uint64_t scope;			/* of chosen handles */
	size_t n_objects;
};

/** A table object. */
struct evlock_table {
	struct evl_table *common;
	struct evl_port *port;
	struct evl_family family;	/* in port->families, so that a dump finds the locks */
	struct evl_link locks;		/* its objects for keys, by evlock.link */
	int is_ending;			/* is being freed: refuses every new request */
};

/** The lock of one key. */
struct evl_keyed {
	UT_hash_handle hh;
	struct evl_table *table;
	struct evl_body *body;
	size_t n_users;			/* requests through tables, and the caller's objects */
	size_t len;
	unsigned char key[];
};

/* --- Keys ----------------------------------------------------------------- */

static const struct evl_kind key_kind;

static struct evl_keyed *
keyed_of(const struct evl_body *body)
{
	return body->of_kind;
}

static struct evl_keyed *
find(const struct evl_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed;

	HASH_FIND(hh, table->keys, key, len, keyed);
	return keyed;
}

/* Returns -1 with errno ENOMEM. */
static int
insert(struct evl_table *table, struct evl_keyed *keyed)
{
	HASH_ADD_KEYPTR(hh, table->keys, keyed->key, keyed->len, keyed);
	return keyed->table ? 0 : -1;
}

/* Removes a key from its table.  The lock stays until its last object is freed. */
static void
forget(struct evl_keyed *keyed)
{
	HASH_DELETE(hh, keyed->table->keys, keyed);
	keyed->body->kind = &evl_kind_plain;
	evl_mem_free(keyed);
}

/* Frees a table's object for a key. */
static void
free_object(struct evlock *lock)
{
	struct evl_body *body = lock->body;

	evl_list_remove(&lock->link);
	evl_objects_destroy(lock);
	evl_lock_drop(body);
}

/* Frees the lock of a key that has no users.  All its objects belong to tables then. */
static void
destroy(struct evl_keyed *keyed)
{
	struct evl_body *body = keyed->body;

	forget(keyed);
	evl_lock_keep(body);
	while (!evl_list_is_empty(&body->objects))
		free_object(EVL_OBJECT(body->objects.next));
	evl_lock_drop(body);
}

static const struct evlock_modes *
modes_of(const struct evl_table *table)
{
	return table->options.modes ? table->options.modes : &evl_lock_standard_modes;
}

static struct evl_body *
create_body(const struct evl_table *table)
{
	struct evl_body *body = evl_lock_create(&table->options, modes_of(table), table->guard);

	if (!body)
		return NULL;
	body->identity.scope = table->scope;
	evl_core_mark(&body->core, EVL_IS_COUNTED);	/* off the short paths: users are counted */
	return body;
}

static struct evl_keyed *
create(struct evl_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed = evl_mem_zalloc(sizeof *keyed + len);

	if (!keyed)
		return NULL;
	keyed->table = table;
	keyed->len = len;
	if (len)
		memcpy(keyed->key, key, len);
	keyed->body = create_body(table);
	if (keyed->body && insert(table, keyed) == 0) {
		keyed->body->kind = &key_kind;
		keyed->body->of_kind = keyed;
		evl_lock_update_watched(keyed->body);
		return keyed;
	}
	if (keyed->body)
		evl_lock_drop(keyed->body);
	evl_mem_free(keyed);
	errno = ENOMEM;
	return NULL;
}

static struct evlock *
find_object(const struct evlock_table *table, const struct evl_body *body)
{
	const struct evl_link *link;

	EVL_LIST_EACH(link, &body->objects)
		if (EVL_OBJECT(link)->table == table)
			return EVL_OBJECT(link);
	return NULL;
}

static struct evlock *
create_object(struct evlock_table *table, struct evl_body *body)
{
	struct evlock *lock = evl_objects_create(body, table->port, &body->identity, table);

	if (lock)
		evl_list_push(&table->locks, &lock->link);
	return lock;
}

/* Makes a lock for a key.  Returns the table's object for it. */
static struct evlock *
create_lock(struct evlock_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed = create(table->common, key, len);
	struct evl_body *body;
	struct evlock *lock;

	if (!keyed)
		return NULL;
	body = keyed->body;
	lock = create_object(table, body);
	if (!lock)
		forget(keyed);
	evl_lock_drop(body);	/* the object keeps it */
	return lock;
}

static int
is_key(const void *key, size_t len)
{
	return len <= LONGEST_KEY && (!len || key);
}

static struct evlock *
find_or_create(struct evlock_table *table, const void *key, size_t len)
{
	struct evl_keyed *keyed = find(table->common, key, len);
	struct evlock *lock;

	if (!keyed)
		return create_lock(table, key, len);
	lock = find_object(table, keyed->body);
	return lock ? lock : create_object(table, keyed->body);
}

/* Returns the table's object for the lock of a key, or NULL with errno.  Makes the lock if there is
 * none.  If nothing uses it then, the end of the step retires it. */
static struct evlock *
need(struct evl_step *step, struct evlock_table *table, const void *key, size_t len)
{
	struct evlock *lock = NULL;

	if (!is_key(key, len))
		errno = EINVAL;
	else if (table->is_ending)
		errno = ECANCELED;
	else if ((lock = find_or_create(table, len ? key : "", len)))
		evl_step_note(step, lock->body, 0);
	return lock;
}

/* --- The lock of a key as a kind of lock ---------------------------------- */

/* Called for each request through a table's object, and for each object of the caller. */
static void
use(struct evl_body *body)
{
	keyed_of(body)->n_users++;
}

static void
unuse(struct evl_body *body)
{
	keyed_of(body)->n_users--;
}

static void
retire(struct evl_body *body)
{
	if (!keyed_of(body)->n_users)
		destroy(keyed_of(body));
}

static void
leave(struct evl_step *step, struct evl_body *body)
{
	evl_step_note(step, body, 0);
	unuse(body);
}

/* Leaks the key if the table is not whole; see calls/forget.h. */
static void
forget_body(struct evl_body *body, int is_whole)
{
	if (is_whole)
		forget(keyed_of(body));
}

static void
dump_name(const struct evl_body *body, struct evl_text *text)
{
	const struct evl_keyed *keyed = keyed_of(body);
	size_t shown = keyed->len < MOST_SHOWN ? keyed->len : MOST_SHOWN;

	evl_text_add(text, " \"");
	evl_text_add_escaped(text, keyed->key, shown);
	evl_text_add(text, shown < keyed->len ? "...\"" : "\"");
}

static const struct evl_kind key_kind = {
	.judge = evl_lock_judge_plain,
	.use = use,
	.unuse = unuse,
	.retire = retire,
	.leave = leave,
	.forget = forget_body,
	.dump_name = dump_name
};

/* --- Tables --------------------------------------------------------------- */

/* Draws the secret, once, before the first key. */
static void
draw_secret(void)
{
	struct timespec now;

	if (getentropy(secret, sizeof secret) == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);	/* better than nothing */
	memcpy(secret, &now, sizeof now < sizeof secret ? sizeof now : sizeof secret);
}

static int
is_valid(const struct evlock_options *options)
{
	return !options->value && !options->free_value && evl_lock_takes(options);
}

static int
set_name(struct evl_table *table)
{
	if (!table->options.name)
		return 0;
	table->name = evl_mem_strdup(table->options.name);
	table->options.name = table->name;
	return table->name ? 0 : -1;
}

static int
set_guard(struct evl_table *table)
{
	if (!(table->options.flags & EVLOCK_OPT_THREADSAFE))
		return 0;
	table->guard = evl_guard_new();
	return table->guard ? 0 : -1;
}

static void
destroy_common(struct evl_table *table)
{
	if (table->guard)
		evl_guard_drop(table->guard);
	evl_mem_free(table->name);
	evl_mem_free(table);
}

static struct evl_table *
create_common(const struct evlock_options *options)
{
	struct evl_table *table = evl_mem_zalloc(sizeof *table);

	if (!table)
		return NULL;
	if (options)
		table->options = *options;
	if (set_name(table) == 0 && set_guard(table) == 0)
		return table;
	destroy_common(table);
	errno = ENOMEM;
	return NULL;
}

static struct evl_guard *
enter(const struct evlock_table *table)
{
	if (table->common->guard)
		evl_guard_enter(table->common->guard);
	return table->common->guard;
}

static void
each(struct evl_family *family, void (*visit)(const struct evlock *, void *), void *arg)
{
	const struct evlock_table *table = EVL_CONTAINER(family, struct evlock_table, family);
	struct evl_guard *guard = enter(table);
	const struct evl_link *link;

	EVL_LIST_EACH(link, &table->locks)
		visit(EVL_LOCK(link), arg);
	evl_lock_leave(guard);
}

/* Makes one more object for a table. */
static struct evlock_table *
attach(struct evl_table *common, struct event_base *base)
{
	struct evlock_table *table = evl_mem_zalloc(sizeof *table);

	if (!table)
		return NULL;
	table->port = evl_ports_get(base, &evl_deliver_calls);
	if (!table->port) {
		evl_mem_free(table);
		return NULL;
	}
	table->common = common;
	common->n_objects++;
	evl_list_init(&table->locks);
	table->family.each = each;
	evl_ports_add(table->port, &table->port->families, &table->family.link);
	return table;
}

static struct evl_pool *
pool_of(const struct evlock_table *table)
{
	return table->common->guard ? &table->common->guard->pool : &table->port->pool;
}

struct evlock_table *
evlock_table_new(struct event_base *base, const struct evlock_options *options)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct evl_table *common;
	struct evlock_table *table;

	if (!base || (options && !is_valid(options))) {
		errno = EINVAL;
		return NULL;
	}
	pthread_once(&once, draw_secret);
	common = create_common(options);
	if (!common)
		return NULL;
	table = attach(common, base);
	if (!table) {
		destroy_common(common);
		errno = ENOMEM;
		return NULL;
	}
	common->scope = ++pool_of(table)->n_scopes;
	return table;
}

struct evlock_table *
evlock_table_share(struct evlock_table *table, struct event_base *base)
{
	struct evl_guard *guard;
	struct evlock_table *object;

	if (!evl_ports_is_sharable(table->port, table->common->guard, base))
		return NULL;
	guard = enter(table);
	object = attach(table->common, base);
	evl_lock_leave(guard);
	return object;
}

/* Ends all requests through a table object, for all keys at once.  Keeps the locks meanwhile, as a
 * callback may end the last use of a key. */
static void
end_requests(struct evlock_table *table)
{
	struct evl_guard *guard = enter(table);
	struct evl_link *link;

	table->is_ending = 1;
	EVL_LIST_EACH(link, &table->locks) {
		evl_lock_keep(EVL_LOCK(link)->body);
		use(EVL_LOCK(link)->body);
	}
	evl_lock_leave(guard);
	evl_close_objects(&table->locks);
}

static void
free_objects(struct evlock_table *table)
{
	struct evl_link *link;

	while ((link = table->locks.next) != &table->locks) {
		struct evl_body *body = EVL_LOCK(link)->body;

		free_object(EVL_LOCK(link));
		unuse(body);
		retire(body);
		evl_lock_drop(body);
	}
}

/* Takes one object away from a table.  After the last one, removes the remaining keys, which are
 * those that the caller has objects of.  Returns 1 for the last object, else 0. */
static int
leave_common(struct evl_table *common, int has_keys)
{
	int is_last = !--common->n_objects;

	while (is_last && has_keys && common->keys)
		forget(common->keys);
	return is_last;
}

static int
end_objects(struct evlock_table *table)
{
	struct evl_guard *guard;
	int is_last;

	end_requests(table);
	guard = enter(table);
	free_objects(table);
	is_last = leave_common(table->common, 1);
	evl_lock_leave(guard);
	return is_last;
}

/* The same in a forked child. */
static int
forget_objects(struct evlock_table *table)
{
	int is_whole = evl_forget_requests(pool_of(table), table->common->guard, table->port);

	while (!evl_list_is_empty(&table->locks)) {
		struct evlock *lock = EVL_LOCK(table->locks.next);
		struct evl_body *body = lock->body;

		evl_forget_object(lock);
		evl_lock_drop(body);
	}
	return leave_common(table->common, is_whole);
}

void
evlock_table_free(struct evlock_table *table)
{
	struct evl_table *common;
	struct evl_port *port;

	if (!table)
		return;
	common = table->common;
	port = table->port;
	evl_ports_remove(port, &table->family.link);
	if (evl_ports_is_ours(port) ? end_objects(table) : forget_objects(table))
		destroy_common(common);
	evl_mem_free(table);
	evl_ports_put(port);
}

/* --- Requests ------------------------------------------------------------- */

/* Do the locks of the keys have the mode, with a limit of at least so many units? */
static int
is_of_modes(const struct evl_table *table, const struct evlock_request *q)
{
	const struct evlock_modes *modes = modes_of(table);

	return q->mode < modes->n_modes &&
	    (!modes->mode[q->mode].limit || q->units <= modes->mode[q->mode].limit);
}

/* Checks a request before anything is made for it.  Returns 0 or an errno. */
static int
judge(const struct evlock_table *table, const void *key, size_t len,
    const struct evlock_request *q)
{
	const struct evl_keyed *keyed;
	int error;

	if (!is_key(key, len) || !is_of_modes(table->common, q))
		return EINVAL;
	keyed = find(table->common, len ? key : "", len);
	error = evl_acquire_judge_terms(q,
	    table->is_ending || (keyed && evl_core_is(&keyed->body->core, EVL_IS_CLOSED)),
	    pool_of(table), table->common->scope);
	if (error || q->cb || !keyed)
		return error;
	return evl_acquire_is_busy(evl_lock_object(keyed->body), q) ? EAGAIN : 0;
}

static evlock_handle
ask(struct evl_step *step, struct evlock_table *table, const void *key, size_t len,
    const struct evlock_request *request)
{
	int error = judge(table, key, len, request);
	struct evlock *lock = error ? NULL : need(step, table, key, len);

	errno = error ? error : errno;
	return lock ? evl_acquire_make(step, lock, request, EVL_ACQUISITION) : 0;
}

evlock_handle
evlock_table_acquire_request(struct evlock_table *table, const void *key, size_t len,
    const struct evlock_request *request)
{
	evlock_handle handle;
	struct evl_step step;

	if (!evl_owner_may_ask(request->owner, table->common->guard))
		return evl_fail_handle(EINVAL);
	evl_step_begin_in(&step, table->common->guard);
	handle = ask(&step, table, key, len, request);
	evl_step_end(&step);
	return handle;
}

evlock_handle
evlock_table_acquire(struct evlock_table *table, const void *key, size_t len,
    unsigned mode, const struct timeval *timeout, evlock_cb cb, void *arg)
{
	struct evlock_request q = { 0 };

	if (!cb)
		return evl_fail_handle(EINVAL);
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
	struct evlock *own, *object = NULL;
	struct evl_step step;

	evl_step_begin_in(&step, table->common->guard);
	own = need(&step, table, key, len);
	if (own)
		object = evl_objects_add(own, table->port->base);
	evl_step_end(&step);
	return object;
}

/* --- Handles -------------------------------------------------------------- */

static struct evl_request *
find_request(const struct evlock_table *table, evlock_handle handle)
{
	struct evl_pool *pool = pool_of(table);
	struct evl_request *r = handle & EVL_HIDDEN
	    ? evl_chosen_find(pool, table->common->scope, handle) : evl_handles_find(pool, handle);

	return r && r->lock->body->kind == &key_kind &&
	    keyed_of(r->lock->body)->table == table->common ? r : NULL;
}

int
evlock_table_release(struct evlock_table *table, evlock_handle handle)
{
	struct evl_request *r;
	struct evl_step step;

	evl_step_begin_in(&step, table->common->guard);
	r = find_request(table, handle);
	if (r)
		evl_end_request(&step, r);
	evl_step_end(&step);
	return r ? 0 : evl_fail(ENOENT);
}

const void *
evlock_table_key(const struct evlock_table *table, evlock_handle handle, size_t *len)
{
	struct evl_guard *guard = enter(table);
	const struct evl_request *r = find_request(table, handle);
	const struct evl_keyed *keyed = r ? keyed_of(r->lock->body) : NULL;

	if (keyed)
		*len = keyed->len;
	evl_lock_leave(guard);
	if (keyed)
		return keyed->key;
	errno = ENOENT;
	return NULL;
}

size_t
evlock_table_count(const struct evlock_table *table)
{
	struct evl_guard *guard = enter(table);
	size_t n = HASH_COUNT(table->common->keys);

	evl_lock_leave(guard);
	return n;
}
