/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LOCK_H_INCLUDED_
#define EVL_LOCK_H_INCLUDED_

/* A lock consists of one body and of one or more objects, which are what callers have. */

#include "loop/letters.h"
#include "requests/extra.h"
#include "lock/guard.h"
#include "lock/kind.h"
#include "loop/port.h"
#include "rules/change.h"

struct evl_step;

/** The first member of an observer's own structure. */
struct evl_observer {
	/** Called for each event of a request of the lock.  `error` is 0 or an errno. */
	void (*observe)(struct evl_observer *observer, struct evl_request *r,
	    enum evl_event event, int error);

	/** Frees the observer when its lock is gone.  NULL: the caller frees it.  Called in no
	 * step. */
	void (*free)(struct evl_observer *observer);
};

/** Objects that evlock_share() made of one another share an identity: handles and the value. */
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
	uint8_t is_far;			/**< its waiters may wait for another thread */
	const struct evl_kind *kind;	/**< what it does otherwise than a plain lock */
	void *of_kind;			/**< what its kind keeps of it */
	struct evl_identity identity;	/**< of the first object, and those made from it */
	struct evl_link objects;	/**< struct evlock, by body_link */
	struct evl_link sets;		/**< the sets that have it as a member: struct evl_member */
	struct evl_link notifies;	/**< the events of evlock_notify(): evl_watch */
	struct evl_link notices;	/**< holders that want notices of waiters: evl_extra */
	struct evl_observer *observer;	/**< NULL: none; see observe.h */
	struct evl_core core;		/**< last: the units held lie behind it */
};

/** A lock object. */
struct evlock {
	struct evl_body *body;
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
	uint32_t n_sent;		/**< requests that its port has to deliver; guard only */
	struct evl_link due;		/**< while it is freed: requests to call back */
	uint8_t is_ending;		/**< is being freed: refuses requests */
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
evl_lock_core(const struct evlock *lock)
{
	return &lock->body->core;
}

/** Any object of the lock, which has one. */
static inline struct evlock *
evl_lock_object(const struct evl_body *body)
{
	return EVL_OBJECT(body->objects.next);
}

/** Lock objects that are made and freed as they are used, those of a table: they are walked
 * through together, with the guard entered that they have in common. */
struct evl_family {
	struct evl_link link;		/**< in port->families */
	void (*each)(struct evl_family *family,
	    void (*visit)(const struct evlock *lock, void *arg), void *arg);
};

#define EVL_FAMILY(l) EVL_CONTAINER(l, struct evl_family, link)

/** Enters the guard of a lock that may have one, to look at it.  Returns the guard, or NULL. */
static inline struct evl_guard *
evl_lock_enter(const struct evl_body *body)
{
	if (body->guard)
		evl_guard_enter(body->guard);
	return body->guard;
}

static inline void
evl_lock_leave(struct evl_guard *guard)
{
	if (guard)
		evl_guard_leave(guard);
}

/* --- Bodies ---------------------------------------------------------------- */

/** Makes a body with the modes given, and what else `options` has, which is valid.  Its guard
 * may be `guard`, which gets a user more, or is made if the options say THREADSAFE.  NULL with
 * errno ENOMEM.  Ends by evl_lock_drop(). */
struct evl_body *evl_lock_create(const struct evlock_options *options,
    const struct evlock_modes *modes, struct evl_guard *guard);

/** Keeps a body from being freed, and ends that. */
static inline void
evl_lock_keep(struct evl_body *body)
{
	__atomic_add_fetch(&body->n_objects, 1, __ATOMIC_RELAXED);
}

/** Not in a step, when it may be the last. */
void evl_lock_drop(struct evl_body *body);

/** The modes of a lock that has no table of its own. */
extern const struct evlock_modes evl_lock_standard_modes;

/** Are these options that evlock_new() takes? */
int evl_lock_takes(const struct evlock_options *options);

/** Sets or clears the bits of EVL_IS_WATCHED after a watcher has come or gone. */
void evl_lock_update_watched(struct evl_body *body);

/* --- What a lock is asked --------------------------------------------------- */

/** The errno that a request for so much deserves, or 0. */
static inline int
evl_lock_judge(const struct evlock *lock, unsigned mode, uint32_t units)
{
	return lock->body->kind->judge(lock, mode, units);
}

/** The same of a plain lock. */
int evl_lock_judge_plain(const struct evlock *lock, unsigned mode, uint32_t units);

/** A seat in the lock, with others of a set perhaps, is about to let go. */
void evl_lock_let_go(struct evl_step *step, struct evl_body *body, const struct evl_seat *seat);

/** A request made through `lock` begins to wait, or does not wait any more and has not been
 * granted. */
void evl_lock_await(struct evlock *lock);
void evl_lock_unawait(struct evlock *lock);

/** Sends a request, or what is left of one, to its loop.  The lock has a guard. */
static inline void
evl_lock_post(struct evlock *lock, struct evl_seat *seat)
{
	lock->n_sent++;
	evl_letters_post(lock->port, seat);
}

/* --- Requests --------------------------------------------------------------- */

/** Gives `r` an extra, if it has none yet.  NULL with errno ENOMEM.  Called in the thread of
 * `here`, which may not be that of the request. */
struct evl_extra *evl_lock_need_extra(struct evl_request *r, const struct evl_port *here);

/** The handle that the caller knows `r` by. */
static inline evlock_handle
evl_lock_handle(const struct evl_request *r)
{
	return r->handle & EVL_HIDDEN ? evl_extra_of(r)->own.handle : r->handle;
}

#endif
