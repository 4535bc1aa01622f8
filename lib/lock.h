/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LOCK_H_INCLUDED_
#define EVL_LOCK_H_INCLUDED_

/* What a lock is made of: the body, and one or more objects that stand for it. */

#include "extra.h"
#include "port.h"

struct evl_keyed;
struct evl_set;

/** The lock itself, shared by its objects. */
struct evl_body {
	char *name;			/**< NULL: none */
	void *value;
	void (*free_value)(void *);
	uint32_t n_objects;		/**< and who else keeps it */
	uint64_t scope;			/**< what callers' own handles are unique in: a lock, or a table */
	struct evl_set *set;		/**< if it is a set */
	struct evl_keyed *keyed;	/**< if it is the lock of a table's key */
	struct evlock_mode *permit;	/**< if it is a semaphore: its mode, which belongs to it */
	struct evl_link sets;		/**< the sets that have it as a member: struct evl_member */
	struct evl_link notifies;	/**< who wants to know that it could be had: struct evl_watch */
	struct evl_link notices;	/**< holders who want to know that someone waits: evl_extra */
	struct evl_core core;		/**< last: the units held lie behind it */
};

/** A lock object. */
struct evlock {
	struct evl_body *body;
	struct evl_pool *pool;		/**< of its requests */
	struct evl_port *port;
	struct evl_request *sole;	/**< a request made through it, in state HELD, or NULL */
	struct evl_link held;		/**< the others */
	struct evl_link link;		/**< in port->locks */
};

/** Puts the sole holder among the others, for whoever goes through all. */
static inline void
evl_lock_gather(struct evlock *lock)
{
	if (lock->sole)
		evl_list_push(&lock->held, &lock->sole->seat.link);
	lock->sole = NULL;
}

#define EVL_LOCK(l) EVL_CONTAINER(l, struct evlock, link)

static inline struct evl_core *
evl_core_of(const struct evlock *lock)
{
	return &lock->body->core;
}

/** Makes a lock with the modes given, and what else `options` has, which is valid.
 * NULL with errno ENOMEM. */
struct evlock *evl_lock_create(struct event_base *base, const struct evlock_options *options,
    const struct evlock_modes *modes);

/** Makes one more object for the body of `lock`, on the same base. */
struct evlock *evl_lock_object(struct evlock *lock);

/** Keeps a body from being freed, and ends that. */
static inline void
evl_body_keep(struct evl_body *body)
{
	body->n_objects++;
}

void evl_body_drop(struct evl_body *body);

/** The modes of a lock that has no table of its own. */
extern const struct evlock_modes evl_standard_modes;

/** Are these options that evlock_new() takes? */
int evl_options_are_valid(const struct evlock_options *options);

/* --- The life of a request: acquire.c, release.c, end.c --------------------  */

/** The seat in `lock` of the request that `handle` names, which may have been made
 * through a set that `lock` is a member of; or NULL. */
struct evl_seat *evl_seat_find(const struct evlock *lock, evlock_handle handle);

/** evlock_acquire_request(), for one of the kinds that acquire. */
evlock_handle evl_request_ask(struct evlock *lock, const struct evlock_request *q,
    enum evl_kind kind);

/** Ends a request, whatever its state, as evlock_release() does. */
void evl_request_end(struct evl_request *r);

/** The handle that the caller knows `r` by. */
static inline evlock_handle
evl_request_handle(const struct evl_request *r)
{
	return r->handle & EVL_HIDDEN ? evl_extra_of(r)->own.handle : r->handle;
}

static inline int
evl_seat_holds(const struct evl_seat *seat)
{
	return seat->state == EVL_GRANTED || seat->state == EVL_HELD;
}

/** Ends every wait for `lock` with `error`, as part of a step. */
void evl_request_fail_all(struct evl_step *step, struct evlock *lock, int error);

/** Ends everything made through `lock`.  If `is_told`, runs the callbacks that
 * are still due, with ECANCELED. */
void evl_request_end_all(struct evlock *lock, int is_told);

/** Something changed: whoever watches is told, and what is granted is delivered.
 * `has_room`: someone left, or holds less. */
void evl_lock_settle(struct evlock *lock, int has_room);

/* --- In set.c ------------------------------------------------------------- */

/** The errno of a request for a set in `mode`, or 0. */
int evl_set_judge(const struct evlock *lock, unsigned mode, uint32_t units);

/** Gives a request for a set its seats in the members; if it is a conversion, in
 * those that are asked for the same mode.  Returns -1 with errno ENOMEM. */
int evl_set_bind(struct evlock *lock, struct evl_request *r);
void evl_set_unbind(struct evlock *lock, struct evl_extra *extra);

/** The set that a link in body->sets belongs to. */
struct evlock *evl_member_set(const struct evl_link *link);

/** Would a newcomer be granted at once? */
int evl_set_admits(const struct evlock *lock, unsigned mode);
unsigned evl_set_strongest(const struct evlock *lock);

/** Closes a lock and the sets above it, of which it may be one. */
void evl_set_close_from(struct evlock *lock);

/** One of a member's objects is freed. */
void evl_set_lose(struct evlock *member);

/** Shows the seats of those who hold `lock` through a set. */
void evl_set_see_holders(const struct evlock *lock, void (*see)(const struct evl_seat *, FILE *),
    FILE *out);

/** Calls `visit` for each lock that a step in `lock` may concern: the members, the
 * sets that have it, or a member, and the members of those.  Some more than once. */
void evl_set_visit(struct evlock *lock, void (*visit)(struct evlock *, int), int has_room);

/** What a set needs to be freed. */
void evl_set_destroy(struct evlock *lock);

/* --- In tell.c ------------------------------------------------------------ */

/** Tells whoever watches what has changed.  `has_room`: someone left, or took less. */
void evl_tell(struct evlock *lock, int has_room);
void evl_tell_deliver(struct evl_seat *seat);
void evl_tell_holds(struct evlock *lock, struct evl_extra *extra);
void evl_tell_ends(struct evlock *lock, struct evl_extra *extra);
void evl_tell_forget_all(struct evlock *lock);

/** Sets core.is_watched. */
void evl_tell_update(struct evl_body *body);

/* --- In table.c ----------------------------------------------------------- */

/** A request for the lock of a key was made through `lock`, or is gone. */
void evl_keyed_use(struct evl_body *body, const struct evlock *lock);
void evl_keyed_unuse(struct evl_body *body, const struct evlock *lock);

/** One of the objects for a key has been freed. */
void evl_keyed_free_object(struct evl_body *body);

/** Frees the lock of a key if nothing needs it any more. */
void evl_keyed_retire(struct evl_body *body);

/** Writes the key for a person to read. */
void evl_keyed_dump(const struct evl_body *body, FILE *out);

/* --- In check.c: asserts the invariants, if EVLOCK_DEBUG is defined. -------- */

#ifdef EVLOCK_DEBUG
void evl_check(const struct evlock *lock);
#else
#define evl_check(lock) ((void)0)
#endif

#endif
