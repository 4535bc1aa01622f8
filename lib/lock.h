/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LOCK_H_INCLUDED_
#define EVL_LOCK_H_INCLUDED_

/* What a lock is made of: the body, and one or more objects that stand for it. */

#include "extra.h"
#include "guard.h"
#include "port.h"

struct evl_keyed;
struct evl_set;
struct evl_text;

/** What objects have in common if one was made from the other: handles, and the value. */
struct evl_identity {
	void *value;
	void (*free_value)(void *);
	uint64_t scope;			/**< what own handles are unique in: this, or a table */
	uint32_t n_objects;
};

/** The lock itself, shared by its objects.  Protected by its guard, if it has one. */
struct evl_body {
	struct evl_guard *guard;	/**< NULL: one loop uses it */
	char *name;			/**< NULL: none */
	uint32_t n_objects;		/**< atomic: and who else keeps it */
	uint32_t n_ports;		/**< that its objects are on, if it has a guard */
	uint8_t is_far;			/**< who waits for it may wait for another thread */
	struct evl_set *set;		/**< if it is a set */
	struct evl_keyed *keyed;	/**< if it is the lock of a table's key */
	struct evl_identity identity;	/**< of the first object, and those made from it */
	struct evl_outside *outside;	/**< if it is shared with other processes */
	struct evlock_mode *permit;	/**< if it is a semaphore: its mode, which belongs to it */
	struct evl_link objects;	/**< struct evlock, by body_link */
	struct evl_link sets;		/**< the sets that have it as a member: struct evl_member */
	struct evl_link notifies;	/**< who wants to know if it could be had: evl_watch */
	struct evl_link notices;	/**< holders who want to know of waiters: evl_extra */
	struct evl_core core;		/**< last: the units held lie behind it */
};

/** A lock object. */
struct evlock {
	struct evl_body *body;
	struct evl_pool *quick;		/**< `pool`, if one loop uses the lock; else the empty
					     one, so that nothing is done without the guard */
	struct evl_pool *pool;		/**< of its requests */
	struct evl_port *port;
	struct evl_identity *identity;
	struct evl_request *sole;	/**< a request made through it, in state HELD, or NULL; the
					     guard's locks have none */
	struct evl_link held;		/**< the others */
	struct evl_link body_link;	/**< in body->objects */
	struct evl_link link;		/**< in port->locks, or those of the table */
	struct evlock_table *table;	/**< which has it for a key, or NULL */
	uint32_t n_queued;		/**< waiting requests made through it; with a guard only */
	uint32_t n_sent;		/**< those that its port has to deliver; with a guard only */
	struct evl_link due;		/**< while it is freed: requests that are to be told so */
	uint8_t is_ending;		/**< is being freed: takes no more requests */
};

/** Puts the sole holder among the others, for whoever goes through all.  Writes nothing where
 * there is none: any thread may look at `sole` of a lock with a guard, which has none ever. */
static inline void
evl_lock_gather(struct evlock *lock)
{
	if (!lock->sole)
		return;
	evl_list_push(&lock->held, &lock->sole->seat.link);
	lock->sole = NULL;
}

#define EVL_LOCK(l) EVL_CONTAINER(l, struct evlock, link)
#define EVL_OBJECT(l) EVL_CONTAINER(l, struct evlock, body_link)

static inline struct evl_core *
evl_core_of(const struct evlock *lock)
{
	return &lock->body->core;
}

/** A step begins in a lock that may have a guard, which is returned, or NULL. */
static inline struct evl_guard *
evl_body_enter(const struct evl_body *body)
{
	if (body->guard)
		evl_guard_enter(body->guard);
	return body->guard;
}

/** It ends; the body may be gone by now. */
static inline void
evl_body_leave(struct evl_guard *guard)
{
	if (guard)
		evl_guard_leave(guard);
}

/** Where what is granted goes. */
static inline struct evl_link *
evl_lock_fifo(const struct evlock *lock)
{
	return lock->body->guard ? lock->body->guard->out : evl_port_fifo(lock->port);
}

/** Makes a lock with the modes given, and what else `options` has, which is valid.
 * NULL with errno ENOMEM. */
struct evlock *evl_lock_create(struct event_base *base, const struct evlock_options *options,
    const struct evlock_modes *modes);

/** The same without an object: its guard may be `guard`, which gets a user more, or is
 * made if the options say THREADSAFE.  Ends by evl_body_drop(). */
struct evl_body *evl_body_create(const struct evlock_options *options,
    const struct evlock_modes *modes, struct evl_guard *guard);

/** Makes one more object for a body, on the port of `table`.  In a step. */
struct evlock *evl_object_create(struct evl_body *body, struct evl_port *port,
    struct evl_identity *identity, struct evlock_table *table);

/** The same for the caller, on `base`, with an identity of its own. */
struct evlock *evl_lock_attach(struct evl_body *body, struct event_base *base,
    const struct evlock_options *options);

/** Does the lock have the mode? */
int evl_lock_knows(const struct evlock *lock, unsigned mode);

/** Frees an object, without a callback; it has no requests.  In a step. */
void evl_object_destroy(struct evlock *lock);

/** Makes one more object for the body of `lock`, on `base`, for the caller.  In a step. */
struct evlock *evl_lock_object(struct evlock *lock, struct event_base *base);

/** evlock_close(), in a step. */
void evl_lock_close(struct evlock *lock);

/** A member of the set `body` has come to be used by other threads, or is no longer. */
void evl_body_update_far(struct evl_body *body);

/** A request made through `lock` begins to wait, or does not wait any more (and was not
 * granted: evl_lock_send() knows). */
void evl_lock_await(struct evlock *lock);
void evl_lock_unawait(struct evlock *lock);

/** Something may be in the FIFO now. */
static inline void
evl_lock_wake(const struct evlock *lock)
{
	if (!lock->body->guard)
		evl_port_wake(lock->port);
}

/** Sends a request, or what is left of one, to the loop that it is told from.  With a guard. */
static inline void
evl_lock_post(struct evlock *lock, struct evl_seat *seat)
{
	lock->n_sent++;
	evl_port_post(lock->port, seat);
}

/** Sends a seat that was granted or has failed to the port of its request. */
void evl_lock_send(struct evl_seat *seat);

/** Keeps a body from being freed, and ends that. */
static inline void
evl_body_keep(struct evl_body *body)
{
	__atomic_add_fetch(&body->n_objects, 1, __ATOMIC_RELAXED);
}

/** Not in a step, when it may be the last. */
void evl_body_drop(struct evl_body *body);

/** The modes of a lock that has no table of its own. */
extern const struct evlock_modes evl_standard_modes;

/** Are these options that evlock_new() takes? */
int evl_options_are_valid(const struct evlock_options *options);

/* --- The life of a request: acquire.c, release.c, end.c -----------------------
 *
 * Called in a step: with the lock's guard entered, if it has one. */

/** The seat in `lock` of the request that `handle` names, which may have been made
 * through a set that `lock` is a member of; or NULL. */
struct evl_seat *evl_seat_find(const struct evlock *lock, evlock_handle handle);

/** evlock_acquire_request(), for one of the kinds that acquire. */
evlock_handle evl_request_ask(struct evlock *lock, const struct evlock_request *q,
    enum evl_kind kind);

/** Its parts, for whoever has no object of the lock before it makes one.  The errno that a
 * request deserves for what it is, or 0, in the order of <evlock/evlock.h>: EINVAL (its mode and
 * units are judged by others), ECANCELED, EEXIST. */
int evl_request_judge_terms(const struct evlock_request *q, int is_closed,
    const struct evl_pool *pool, uint64_t scope);

/** Would a request that has been judged, and does not wait, fail with EAGAIN? */
int evl_request_is_busy(const struct evlock *lock, const struct evlock_request *q);

/** Makes one that has been judged, and is not busy. */
evlock_handle evl_request_make(struct evlock *lock, const struct evlock_request *q,
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

/** Ends everything made through `lock`.  Runs the callbacks that are still due, with
 * ECANCELED, and is left for that. */
void evl_request_end_all(struct evlock *lock);

/** The same for all objects of a list, by evlock.link: those of one table object. */
void evl_request_end_each(struct evl_link *locks);

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

/** As evl_request_fail_all(), for those who wait for a set that `body` is a member of. */
void evl_set_fail_around(struct evl_step *step, struct evl_body *body, int error);

/** The set that a link in body->sets belongs to: one of its objects. */
struct evlock *evl_member_set(const struct evl_link *link);

/** Makes room in those members that are shared with other processes for a request that does
 * not wait, and looks at them afterwards: evl_outside_try(), evl_outside_look(). */
int evl_set_try(struct evlock *lock, unsigned mode);
void evl_set_look(struct evlock *lock);

/** Is one of the members that are asked for the set's mode shared with other processes? */
int evl_set_is_outside(const struct evl_set *set);

/** Is one of the members used by other threads? */
int evl_set_is_far(const struct evl_set *set);

/** Would a newcomer be granted at once?  `owner` may be NULL. */
int evl_set_admits(const struct evlock *lock, struct evl_owner *owner, unsigned mode,
    uint32_t units, unsigned rank);

/** Could a holder be converted to `mode` at once? */
int evl_set_admits_conversion(const struct evlock *lock, const struct evl_request *r, unsigned mode);
unsigned evl_set_strongest(const struct evlock *lock);

/** Closes a lock and the sets above it, of which it may be one. */
void evl_set_close_from(struct evlock *lock);

/** One of a member's objects is freed. */
void evl_set_lose(struct evlock *member);

/** Shows the seats of those who hold `lock` through a set. */
void evl_set_see_holders(const struct evlock *lock, void (*see)(const struct evl_seat *, void *),
    void *arg);

/** Calls `visit` for each lock that a step in `lock` may concern: the members, the
 * sets that have it, or a member, and the members of those.  Some more than once. */
void evl_set_visit(struct evlock *lock, void (*visit)(struct evlock *, int), int has_room);

/** A request for a set that holds `body` as a member, or NULL. */
struct evl_request *evl_set_first_holder(const struct evl_body *body);

/** What a set needs to be freed. */
void evl_set_destroy(struct evl_body *body);

/** In a forked child: sets have `lock` as a member no more. */
void evl_set_forget(struct evlock *lock);

/* --- In tell.c ------------------------------------------------------------ */

/** Tells whoever watches what has changed.  `has_room`: someone left, or took less. */
void evl_tell(struct evlock *lock, int has_room);

/** The same for a lock alone, and not for those around it: evl_set_visit(). */
void evl_tell_own(struct evlock *lock, int has_room);
void evl_tell_deliver(struct evl_seat *seat);

/** The port that it is delivered by. */
struct evl_port *evl_tell_port(const struct evl_seat *seat);
void evl_tell_holds(struct evlock *lock, struct evl_extra *extra);
void evl_tell_ends(struct evlock *lock, struct evl_extra *extra);
void evl_tell_forget_all(struct evlock *lock);

/** The same in a forked child. */
void evl_tell_forget(struct evlock *lock);

/** Those of evlock_notify() are to be told, or not, when the lock can be had from outside; the
 * weakest mode that one of them wants to be told of, or EVLOCK_MAX_MODES. */
void evl_tell_arm(struct evl_body *body, int is_armed);
unsigned evl_tell_wanted(const struct evl_body *body);

/** Sets core.is_watched. */
void evl_tell_update(struct evl_body *body);

/* --- In table.c ----------------------------------------------------------- */

/** The lock of a key is used by each request made through a table's object, and by each
 * object that was made for the caller. */
void evl_keyed_use(struct evl_body *body);
void evl_keyed_unuse(struct evl_body *body);

/** As evl_keyed_unuse(), and evl_keyed_retire(). */
void evl_keyed_drop(struct evl_body *body);

/** Frees the lock of a key if nothing needs it any more. */
void evl_keyed_retire(struct evl_body *body);

/** In a forked child: the lock of a key has no object any more. */
void evl_keyed_forget(struct evl_body *body);

/** Writes the key for a person to read. */
void evl_keyed_dump(const struct evl_body *body, struct evl_text *text);

/** Writes the locks of all keys; in no step.  `table` is a link in port->tables. */
void evl_table_dump(struct evl_link *table, struct evl_text *text);

/* In look.c: writes one lock, in a step, unless another object of it on the same base comes
 * before. */
void evl_lock_dump(const struct evlock *lock, struct evl_text *text);

/* --- In check.c: asserts the invariants, if EVLOCK_DEBUG is defined. -------- */

#ifdef EVLOCK_DEBUG
void evl_check(const struct evlock *lock);
#else
#define evl_check(lock) ((void)0)
#endif

#endif
