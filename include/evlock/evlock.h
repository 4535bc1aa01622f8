/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVLOCK_EVLOCK_H_INCLUDED_
#define EVLOCK_EVLOCK_H_INCLUDED_

/** @file evlock/evlock.h
 *
 * Locks that a libevent program can wait for without blocking its loop.
 *
 * A lock object is attached to one event_base.  acquire() joins the lock's
 * queue and returns a handle at once; when the lock is granted, the callback
 * runs from that base's loop.  release() gives the handle back and wakes
 * whoever is next.  Locks are granted strictly first come, first served,
 * unless a caller asks for something else: a priority,
 * EVLOCK_OPT_PREFER_EXCLUSIVE, an owner, a conversion.
 *
 * The same calls serve four scopes; only the constructor differs:
 *
 *     evlock_new()        one event loop
 *     evlock_share()      several threads, each with its own event_base
 *     evlock_file_new()   several processes     <evlock/file.h>
 *     evlock_etcd_new()   several machines      <evlock/etcd.h>
 *
 * Rules that hold everywhere:
 *  - No call ever blocks.
 *  - A callback runs from the loop of the base that its lock object is
 *    attached to: never inside the call that asked for it, with one
 *    exception, evlock_free().  The outcome of a request is told at most once.
 *  - The callbacks of one base run in the order of the grants, as far as one
 *    thread made them, whatever the lock, and a bounded number of them between
 *    two looks at its descriptors and timers.  event_base_loopbreak() in one
 *    keeps the next from running.
 *  - Every failure of a call is a 0 handle, NULL or -1 with errno set.
 *    Every failure of a request reaches its callback as an errno value.
 *    If several are true of a call, errno is the first of ENOENT, EINVAL, ENOTSUP,
 *    EACCES, ECANCELED, EBUSY, EEXIST, EAGAIN, EDEADLK, ENOBUFS, ENOMEM (but it is
 *    ENOMEM if there is no memory to find out about a deadlock).
 *  - A lock object is used from its base's thread alone; evlock_share() and
 *    evlock_release() of a THREADSAFE lock may be called from any thread.  A base's
 *    thread is the one that runs its loop; before and after that, whoever prepares
 *    and takes down what belongs to it.
 *  - Waiting for someone in the same loop does not keep that loop alive, as
 *    only the loop could end the wait; a timeout does, and so does waiting for
 *    another thread, process or machine.
 *  - Any timeout may be given.  If tv_usec is not in 0..999999, the seconds in it
 *    count as seconds.  A negative timeout then means {0,0}, and one that is too
 *    long for libevent's clock ({LONG_MAX,0}) means no timeout.  The result of
 *    event_base_init_common_timeout() is passed on unchanged.
 *  - No call is a cancellation point: a thread that pthread_cancel() was called for
 *    finishes the call that it is in, and wakes whoever that granted a lock to.
 *    Asynchronous cancellation (PTHREAD_CANCEL_ASYNCHRONOUS) is not supported.
 *  - Free every lock of a base before the base.
 *  - After fork(), the parent goes on.  The child may make bases and locks of its
 *    own, on files that its parent locks too.  What it inherited it may leave alone,
 *    or free, in any order, by evlock_free(), evlock_table_free() and
 *    evlock_owner_free(); no other call may be made for it.  Freeing it closes
 *    descriptors, runs no callbacks and disturbs nothing of the parent's, where those
 *    who wait are told.  It never hangs, whatever the parent's threads were doing:
 *    libevent is not called for a base that another thread than the one that called
 *    fork() was using (had run its loop or called evlock for it last).  A few events of
 *    such a base, and a few requests of locks that a thread was changing, are leaked
 *    in the child.  Nothing of what the child inherited calls back there, or keeps
 *    a loop alive.  event_reinit() works for a base that only the thread that called
 *    fork() used.
 *  - The memory of a request is kept for the next ones of its base, until the
 *    last lock of that base is freed.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event;
struct event_base;

/** A lock, attached to an event_base. */
struct evlock;

/** Names one acquisition of one lock: first waiting, then held, then gone.
 * A handle that is gone stays unknown: it never names a later acquisition,
 * and no two locks of a process make the same one, so a stale, repeated or
 * misdirected release is an error and never frees someone else's lock.
 * 0 names nothing. */
typedef uint64_t evlock_handle;

/** The handle that a caller makes from a pointer of its own, for
 * evlock_request.handle.  Handles that a lock makes never have this form.  It
 * names one acquisition of a lock at a time (of a table, one of all its keys), and
 * may be used again once that is gone. */
#define EVLOCK_HANDLE_FROM(ptr) \
	((evlock_handle)(uintptr_t)(ptr) | (evlock_handle)1 << 63)


/* --- Modes -------------------------------------------------------------- */

/** The modes of a lock made without a mode table.
 *
 *                     may be granted while others hold
 *                     NONE   SHARED   UPGRADABLE   EXCLUSIVE
 *      NONE            yes     yes       yes          no
 *      SHARED          yes     yes       yes          no
 *      UPGRADABLE      yes     yes       no           no
 *      EXCLUSIVE       yes     no        no           no
 *
 * NONE gives no access to the guarded value, SHARED and UPGRADABLE give READ,
 * EXCLUSIVE gives WRITE.
 */
enum {
	EVLOCK_NONE = 0,	/**< waits out an exclusive holder, keeps no one out */
	EVLOCK_SHARED = 1,
	EVLOCK_UPGRADABLE = 2,	/**< shared, and one at a time; if only such holders convert to
				     exclusive, none is ever refused */
	EVLOCK_EXCLUSIVE = 3
};

#define EVLOCK_MAX_MODES 32

/** What a holder of a mode may do with the value that a lock guards. */
enum evlock_access { EVLOCK_NO_ACCESS, EVLOCK_READ, EVLOCK_WRITE };

/** One mode of a lock. */
struct evlock_mode {
	const char *name;
	/** Bit m set: not granted while mode m is held. */
	uint32_t conflicts;
	/** The most units held in this mode at once, by all owners together; 0: no limit. */
	uint32_t limit;
	enum evlock_access access;
	/** Further condition, or NULL: may `units` more be granted in `mode`,
	 * while held[m] units are held in mode m?  held[] leaves out those of the
	 * request's own owner and, in a conversion, of the converting handle.
	 * Returns nonzero for yes.  Depends on its arguments alone, calls no
	 * evlock function, and what it refuses it refuses with more held as well. */
	int (*is_compatible)(unsigned mode, uint32_t units, const uint32_t *held, void *arg);
};

/** The modes of a lock: mode numbers index `mode`, the strongest last. */
struct evlock_modes {
	const struct evlock_mode *mode;
	unsigned n_modes;		/**< 1 to EVLOCK_MAX_MODES */
	void *arg;			/**< for is_compatible */
};


/* --- Making and freeing -------------------------------------------------- */

#define EVLOCK_OPT_THREADSAFE		(1u << 0)	/**< may be given to evlock_share() */
/** Requests in the table's last mode pass waiting others of their priority. */
#define EVLOCK_OPT_PREFER_EXCLUSIVE	(1u << 1)

/** Zero-filled means: shared/exclusive modes, one loop, nothing guarded. */
struct evlock_options {
	unsigned flags;
	const struct evlock_modes *modes;	/**< must outlive the lock; NULL: the four above */
	const char *name;			/**< for reports; copied; NULL: none */
	void *value;				/**< what the lock guards; see evlock_value() */
	void (*free_value)(void *value);	/**< called when the lock is gone; may be NULL */
	unsigned file_mode;			/**< permission bits; see evlock_file_new() */
};

/** Makes a lock attached to `base`; `options` may be NULL.
 * Returns NULL with errno EINVAL (bad flags or modes) or ENOMEM. */
struct evlock *evlock_new(struct event_base *base, const struct evlock_options *options);

/** Makes another object for the same lock, attached to another base, for the
 * thread that runs it.  Requests made through an object call back on its base;
 * a handle may be released through any of them.  A grant is decided in the call
 * that makes room for it, in whatever thread, and wakes the waiter's base; one
 * wake-up serves all that is granted until that base gets to it.  A base whose
 * requests wait for another thread is kept alive, until there is none that has an
 * object of the lock.
 * Both bases must have been made after evthread_use_pthreads() (or its like), and
 * without EVENT_BASE_FLAG_NOLOCK.  Conditions (is_compatible) are asked from any
 * thread.
 * Returns NULL with errno EINVAL (not THREADSAFE), ENOMEM, or, where it can be
 * told, ENOTSUP (libevent was not set up for threads). */
struct evlock *evlock_share(struct evlock *lock, struct event_base *base);

/** Frees a lock object; NULL is fine.  What was acquired through it is released.
 * Callbacks of the requests made through it that still wait, or were granted
 * and not yet called back, run now, inside this call, with ECANCELED; they may
 * not use `lock`.  A conversion that was given, of a handle that was acquired
 * through another object, is called back with 0: the handle holds its new mode.
 * May be called from any callback. */
void evlock_free(struct evlock *lock);

/** Ends all waiting, through every object of the lock: the requests and
 * conversions that wait get ECANCELED from their loops, and every later one
 * fails with ECANCELED.  Holders are not disturbed, and release as ever.  For
 * shutting down in order. */
void evlock_close(struct evlock *lock);

struct event_base *evlock_get_base(const struct evlock *lock);

/** Sets the libevent priority at which the callbacks of evlock run on `base`.  May be
 * called before the base has a lock or later, and before or after
 * event_base_priority_init().  Callbacks that are already due may still run at the
 * former priority.
 * @param priority  0 is the highest.  If the base does not have this priority when
 *                  callbacks become due, they run at its lowest.
 * Without this call they run at the base's default priority, the middle one, as
 * event_base_priority_init() has set it by then.  Expiring timeouts and wake-ups from
 * other threads are noticed at priority 0; only the callbacks wait for their turn.
 * libevent runs a lower priority only when no event of a higher one is active: a busy
 * lock starves all events of lower priorities than its callbacks, and they are starved
 * by busy events of higher ones.
 * Returns 0, or -1 with errno EINVAL (`base` is NULL, or `priority` is negative) or
 * ENOMEM.  May be called from any thread. */
int evlock_base_set_priority(struct event_base *base, int priority);

/** Forgets everything that was set for `base`: its priority.  If anything was set, call
 * this before event_base_free(), or a later base at the same address inherits it.
 * Locks that the base still has go on with the defaults.  May be called from any
 * thread; does nothing if nothing was set. */
void evlock_base_end(struct event_base *base);

/** Replaces the allocator of the library, as event_set_mem_functions() does for
 * libevent: call it before anything else of evlock, if at all.  The functions
 * must be safe to call from any thread that uses evlock, and return memory
 * aligned as malloc() does.  NULL stands for the standard one.  `realloc_fn` is
 * taken for likeness, and not called. */
void evlock_set_mem_functions(void *(*malloc_fn)(size_t),
    void *(*realloc_fn)(void *, size_t), void (*free_fn)(void *));


/* --- Acquiring and releasing --------------------------------------------- */

/** Tells how a request ended.
 * @param handle  what acquire() returned
 * @param error   0: granted, `handle` holds the lock until released.
 *                Otherwise the handle is gone: ETIMEDOUT, ECANCELED (the lock
 *                was closed or freed), EDEADLK, or what the scope's own header
 *                lists.  A conversion that fails leaves the handle held, in its
 *                former mode. */
typedef void (*evlock_cb)(struct evlock *lock, evlock_handle handle, int error, void *arg);

/** Acquires the lock in `mode` as soon as everyone ahead has had their turn.
 * @param timeout  longest wait, or NULL to wait for ever; see above for values
 *                 out of range.  A common timeout must be of the lock's base.
 * Returns the request's handle, or 0 with errno EINVAL (`cb` is NULL, or no such
 * mode), ENOMEM or ECANCELED (closed).  From the grant on, even before its
 * callback, the handle is held: evlock_mode_of(), evlock_value() and
 * evlock_convert() work on it. */
evlock_handle evlock_acquire(struct evlock *lock, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg);

/** Acquires the lock now or not at all.
 * Returns 0 with errno EAGAIN if a holder is in its way or someone waits ahead. */
evlock_handle evlock_acquire_nowait(struct evlock *lock, unsigned mode);

/** Acquires the lock, runs `cb` and releases it when `cb` returns, for work that
 * needs no second callback.  Returns and fails as evlock_acquire() does. */
evlock_handle evlock_with(struct evlock *lock, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg);

/** Everything that can be asked of an acquisition.  Zero-filled means the
 * same as the plain calls. */
struct evlock_request {
	unsigned mode;
	unsigned units;			/**< how many units of the mode's limit; 0 means 1 */
	unsigned priority;		/**< 0 to 3; higher is served first; FIFO within one */
	const struct timeval *timeout;
	evlock_handle handle;		/**< EVLOCK_HANDLE_FROM(), else EINVAL; 0: one is made */
	struct evlock_owner *owner;	/**< see <evlock/owner.h>; NULL: none */
	evlock_cb cb;			/**< NULL: now or not at all */
	/** A notice to the holder; NULL: not told.  Called from the loop, as `cb`
	 * is, while the handle holds.  Error 0: someone of this process waits for
	 * what it keeps from them; told when the first such waiter comes, or after
	 * `cb` if one is there by then, and again only after none was left.
	 * ESTALE: the hold is lost, in scopes that can lose one
	 * (<evlock/etcd.h>), and the handle is gone. */
	evlock_cb notice_cb;
	void *arg;			/**< for both callbacks */
};

/** Like evlock_acquire(), or evlock_acquire_nowait() if request->cb is NULL.
 * Further errno: EINVAL (more units than the limit can ever give), EEXIST (the
 * caller's handle is in use), EDEADLK. */
evlock_handle evlock_acquire_request(struct evlock *lock, const struct evlock_request *request);

/** Ends an acquisition, whatever its state.  Held: released.  Waiting, or about
 * to be called back with whatever result: withdrawn; its callback will not run.
 * Another thread than its base's may be too late for that: if the callback is not
 * prevented, it is running, or about to take its first step, and finds a handle
 * that is gone: evlock_value() is NULL, a second release fails with ENOENT.
 * Either way, those whose turn it is are granted before this returns.
 * Returns 0, or -1 with errno ENOENT if the handle is not, or no longer, known;
 * then nothing changed. */
int evlock_release(struct evlock *lock, evlock_handle handle);

/** Changes the mode of a held handle without letting go of it.  If the other
 * holders allow the new mode, it is given before this returns, and `cb` tells;
 * otherwise the conversion waits for them, ahead of all who are queued.  If
 * another handle already waits to be converted and the two can never both
 * succeed, it fails at once.  Until it succeeds, and if it does not, the handle
 * holds what it held.  Releasing the handle ends the conversion as well.
 * Returns 0, or -1 with errno ENOENT (not held), EBUSY (it is being converted, or
 * the callback of its last conversion has not run yet), EDEADLK, EINVAL (also:
 * more units than the new mode's limit), ENOMEM, ECANCELED, or ENOTSUP (the scope
 * cannot do this one safely). */
int evlock_convert(struct evlock *lock, evlock_handle handle, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg);

/** The same, now or not at all: -1 with errno EAGAIN. */
int evlock_convert_nowait(struct evlock *lock, evlock_handle handle, unsigned mode);


/* --- Being told ----------------------------------------------------------- */

/** Activates `ev` (with EV_TIMEOUT) when evlock_acquire_nowait() in `mode` would
 * succeed: at once if it would now, and again each time that a release, a
 * withdrawal, a timeout, a conversion or a resize leaves it so, until
 * evlock_unnotify().  Being told reserves nothing.  Activations that come before
 * the event's callback has run are one.  `ev` is any event of the caller's that
 * has no timeout of its own, on any base; the caller removes it before freeing it.
 * Returns 0, or -1 with errno EEXIST (`ev` is already listed here), EINVAL,
 * ENOMEM, or ENOTSUP (the scope cannot tell). */
int evlock_notify(struct evlock *lock, unsigned mode, struct event *ev);

/** Ends evlock_notify(), through the object that `ev` was listed through, or another object of
 * the lock on the same base.  Returns 0, or -1 with errno ENOENT: it is not listed so. */
int evlock_unnotify(struct evlock *lock, struct event *ev);


/* --- Looking -------------------------------------------------------------- */

/** The strongest mode held; EVLOCK_NONE (0) if none is. */
unsigned evlock_locked(const struct evlock *lock);

/** Units held in `mode`. */
uint32_t evlock_held(const struct evlock *lock, unsigned mode);

/** Requests and conversions waiting. */
size_t evlock_waiting(const struct evlock *lock);

/** The mode that `handle` holds, or -1 with errno ENOENT if it holds none
 * (unknown, or still waiting). */
int evlock_mode_of(const struct evlock *lock, evlock_handle handle);

/** The guarded value, for reading: only while `handle` holds a mode with READ
 * or WRITE access.  Otherwise NULL with errno EPERM. */
const void *evlock_value(const struct evlock *lock, evlock_handle handle);

/** The same for writing: only with WRITE access. */
void *evlock_value_mut(const struct evlock *lock, evlock_handle handle);

/** Writes every lock of `base`, with its holders and waiters, for a person to read.
 * Names and keys are escaped: a quotation mark, a backslash and every byte that is
 * not printable ASCII is written as a backslash, an x and two hexadecimal digits.
 * The dump is put together in memory, lock after lock, and then written to `out`
 * with no mutex held: if that blocks, no other thread does.  When memory runs out,
 * the dump ends after its last complete line, with a line that says so; nothing
 * else is affected.  Errors of `out` are left for ferror(). */
void evlock_dump(struct event_base *base, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
