/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVLOCK_EVLOCK_H_INCLUDED_
#define EVLOCK_EVLOCK_H_INCLUDED_

/** @file evlock/evlock.h
 *
 * Locks that a libevent program can wait for without blocking its event loop.
 *
 * A lock object belongs to one event_base.  evlock_acquire() puts a request into
 * the lock's queue and returns a handle at once.  When the lock is granted, the
 * loop of that base runs the request's callback.  evlock_release() gives the
 * handle back and lets the next waiters in.  A lock serves its requests in the
 * order in which they arrived, unless a caller asks for something else: a
 * priority, EVLOCK_OPT_PREFER_EXCLUSIVE, an owner or a conversion.
 *
 * The same calls serve four scopes.  Only the constructor differs:
 *
 *     evlock_new()        one event loop
 *     evlock_share()      several threads, each with its own event_base
 *     evlock_file_new()   several processes     <evlock/file.h>
 *     evlock_etcd_new()   several machines      <evlock/etcd.h>
 *
 * These rules hold everywhere.
 *
 * Blocking:
 *  - No call ever blocks.
 *
 * Callbacks:
 *  - A callback runs from the loop of the base that its lock object belongs to.
 *    It never runs inside the call that asked for it.  The one exception is
 *    evlock_free().
 *  - The callback of a request runs at most once.
 *  - The callbacks of one base run in the order of the grants, across all its locks,
 *    as far as one thread made those grants.
 *  - Only a bounded number of callbacks run before the loop looks at its descriptors
 *    and timers again.
 *  - After event_base_loopbreak() in a callback, no further callback runs until the
 *    program runs the loop again.
 *
 * Errors:
 *  - A call that fails returns a 0 handle, NULL or -1, and sets errno.
 *  - A request that fails later passes an errno value to its callback.
 *  - If several errors apply to a call, errno is the first of ENOENT, EINVAL, ENOTSUP,
 *    EACCES, ECANCELED, EBUSY, EEXIST, EAGAIN, EDEADLK, ENOBUFS, ENOMEM.  If there is
 *    not enough memory to look for a deadlock, errno is ENOMEM.
 *
 * Threads:
 *  - The thread of a base is the thread that runs its loop.  Before the loop starts and
 *    after it ends, it is the thread that prepares or frees what belongs to the base.
 *  - Only the thread of its base may use a lock object.  evlock_share() and
 *    evlock_release() of a THREADSAFE lock may be called from any thread.
 *  - No call is a cancellation point.  A thread that is canceled by pthread_cancel()
 *    finishes its current call, and wakes every waiter that the call granted a lock to.
 *    Asynchronous cancellation (PTHREAD_CANCEL_ASYNCHRONOUS) is not supported.
 *
 * Loops and timeouts:
 *  - A request that waits for a holder in the same loop does not keep the loop alive,
 *    because only the loop could end that wait.  A timeout keeps it alive, and so does
 *    waiting for another thread, process or machine.
 *  - Every timeout is valid.  If tv_usec is outside 0..999999, the seconds in it are
 *    added to tv_sec.  With {0,0}, a request that is not granted at once fails with
 *    ETIMEDOUT from the loop.  A negative timeout means the same.  A timeout that is too
 *    long for libevent's clock ({LONG_MAX,0}) means no timeout.  The result of
 *    event_base_init_common_timeout() is passed to libevent unchanged.
 *
 * Memory:
 *  - Free all locks of a base before the base.
 *  - A base keeps the memory of its requests for later requests, until its last
 *    lock is freed.
 *
 * After fork():
 *  - The parent goes on as before.
 *  - The child may make bases and locks of its own, even on files that its parent
 *    locks.
 *  - The child may keep what it inherited, or free it in any order with evlock_free(),
 *    evlock_table_free() and evlock_owner_free().  It must not make any other call for
 *    it.  Inherited requests never call back in the child and never keep a loop alive.
 *  - Freeing it closes descriptors, runs no callbacks and does not affect the parent,
 *    whose waiters still get their callbacks.
 *  - Freeing it never hangs, whatever the other threads of the parent were doing.  For
 *    that, the library does not call libevent for a base that another thread was using,
 *    that is, whose last loop run or evlock call was in another thread than the one that
 *    called fork().  The child leaks a few events of such a base, and a few requests of
 *    locks that a thread was changing.
 *  - event_reinit() works for a base that only the thread that called fork() has used.
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

/** A lock object.  It belongs to an event_base. */
struct evlock;

/** Names one acquisition of one lock, first while it waits and then while it holds
 * the lock.
 * A handle that has ended stays unknown: it never names a later acquisition, and no
 * two locks of a process make the same handle.  So a release that is late, repeated or
 * sent to the wrong lock fails, and never releases a lock that somebody else holds.
 * 0 names nothing. */
typedef uint64_t evlock_handle;

/** Makes a handle from a pointer of the caller's, for evlock_request.handle.  A lock never
 * makes such a handle itself.  The handle names one acquisition of a lock at a time, or of a
 * table: one of all its keys together.  It may be used again after that acquisition has
 * ended. */
#define EVLOCK_HANDLE_FROM(ptr) \
	((evlock_handle)(uintptr_t)(ptr) | (evlock_handle)1 << 63)


/* --- Modes -------------------------------------------------------------- */

/** The modes of a lock that was made without a mode table.
 *
 *                     may be granted while others hold
 *                     NONE   SHARED   UPGRADABLE   EXCLUSIVE
 *      NONE            yes     yes       yes          no
 *      SHARED          yes     yes       yes          no
 *      UPGRADABLE      yes     yes       no           no
 *      EXCLUSIVE       yes     no        no           no
 *
 * NONE gives no access to the guarded value.  SHARED and UPGRADABLE give READ access.
 * EXCLUSIVE gives WRITE access.
 */
enum {
	EVLOCK_NONE = 0,	/**< waits until no holder is exclusive, and keeps nobody out */
	EVLOCK_SHARED = 1,
	EVLOCK_UPGRADABLE = 2,	/**< shared, but held by one handle at a time; while only such
				     handles convert to EXCLUSIVE, no conversion fails with
				     EDEADLK */
	EVLOCK_EXCLUSIVE = 3
};

#define EVLOCK_MAX_MODES 32

/** The access of a mode: how its holder may use the value that the lock guards. */
enum evlock_access { EVLOCK_NO_ACCESS, EVLOCK_READ, EVLOCK_WRITE };

/** One mode of a lock. */
struct evlock_mode {
	const char *name;
	/** Bit m: this mode is not granted while mode m is held. */
	uint32_t conflicts;
	/** The most units that all owners together may hold in this mode; 0: no limit. */
	uint32_t limit;
	enum evlock_access access;
	/** A further condition, or NULL.
	 * Returns nonzero if `units` more units may be granted in `mode` while held[m] units
	 * are held in each mode m.  held[] does not count what the request's own owner holds,
	 * nor, in a conversion, what the converted handle holds.
	 * The result must depend on the arguments alone.  It must be monotonic: a request that
	 * is refused must also be refused when more is held.  The function must not call evlock.
	 * It runs inside evlock calls, and for a THREADSAFE lock in any thread. */
	int (*is_compatible)(unsigned mode, uint32_t units, const uint32_t *held, void *arg);
};

/** The modes of a lock.  A mode number is an index into `mode`.  The strongest mode is the
 * last. */
struct evlock_modes {
	const struct evlock_mode *mode;
	unsigned n_modes;		/**< 1 to EVLOCK_MAX_MODES */
	void *arg;			/**< passed to is_compatible */
};


/* --- Making and freeing -------------------------------------------------- */

#define EVLOCK_OPT_THREADSAFE		(1u << 0)	/**< evlock_share() takes the lock */
/** Requests in the last mode of the table are queued ahead of other requests of the same
 * priority. */
#define EVLOCK_OPT_PREFER_EXCLUSIVE	(1u << 1)

/** Zero-filled: the four modes above, one event loop, no guarded value. */
struct evlock_options {
	unsigned flags;				/**< EVLOCK_OPT_ flags */
	const struct evlock_modes *modes;	/**< not copied, must outlive the lock; NULL: the
						     four modes above */
	const char *name;			/**< for reports; copied; NULL: none */
	void *value;				/**< what the lock guards; see evlock_value() */
	void (*free_value)(void *value);	/**< called when the lock is gone; or NULL */
	unsigned file_mode;			/**< permission bits; see evlock_file_new() */
};

/** Makes a lock for one event loop.
 * @param base     the base that runs the callbacks; must outlive the lock
 * @param options  not kept after the call; NULL: the same as zero-filled
 * Returns the lock, which the caller frees with evlock_free(), or NULL with errno EINVAL
 * (invalid flags or modes) or ENOMEM. */
struct evlock *evlock_new(struct event_base *base, const struct evlock_options *options);

/** Makes another object for the same lock, for the thread that runs another base.
 *
 * A request calls back on the base of the object that it was made through.  Its handle may
 * be released through any object of the lock.  The call that makes room decides which
 * requests are granted, in whatever thread it runs, and wakes the bases of those requests.
 * One wake-up serves all grants until the base handles it.  A base with requests that wait
 * for another thread stays alive until no other base has an object of this lock.
 *
 * @param lock  any object of a lock that was made with EVLOCK_OPT_THREADSAFE
 * @param base  like the lock's own base, it must have been made after
 *              evthread_use_pthreads() (or its equivalent), and without
 *              EVENT_BASE_FLAG_NOLOCK
 * Returns the object, which the caller frees with evlock_free() in the thread of `base`, or
 * NULL with errno EINVAL (the lock is not THREADSAFE), ENOTSUP (libevent is not set up for
 * threads, where the library can find out) or ENOMEM.
 * May be called from any thread. */
struct evlock *evlock_share(struct evlock *lock, struct event_base *base);

/** Frees a lock object and releases everything that was acquired through it.
 *
 * Callbacks that are still due for requests made through this object run inside this call,
 * with ECANCELED.  That concerns requests that wait, and requests that were granted and not
 * yet called back.  These callbacks must not use `lock`.  A conversion is called back with 0
 * if it was granted and its handle was acquired through another object: that handle holds its
 * new mode.
 *
 * @param lock  NULL: nothing happens
 * May be called from any callback. */
void evlock_free(struct evlock *lock);

/** Ends all waiting, through every object of the lock, for an orderly shutdown.
 * Requests and conversions that wait are called back with ECANCELED, from their loops.  Requests
 * that were granted before are still called back with 0.  Later requests, and later conversions to
 * any mode, fail with ECANCELED.  Holders keep what they hold, and release it as usual. */
void evlock_close(struct evlock *lock);

/** Returns the base that the lock object belongs to. */
struct event_base *evlock_get_base(const struct evlock *lock);

/** Sets the libevent priority at which the callbacks of evlock run on `base`.
 *
 * The priority may be set before the base has a lock or later, and before or after
 * event_base_priority_init().  Callbacks that are already due may still run at the former
 * priority.  Without this call they run at the base's default priority, the middle one, as
 * event_base_priority_init() has set it by then.
 *
 * Only callbacks wait for their turn: the library notices expired timeouts and wake-ups from
 * other threads at priority 0.  libevent runs a lower priority only when no event of a higher
 * one is active.  So a busy lock starves all events of lower priority than its callbacks, and
 * busy events of higher priority starve the callbacks.
 *
 * @param priority  0 is the highest; if the base does not have this priority when callbacks
 *                  become due, they run at its lowest
 * Returns 0, or -1 with errno EINVAL (`base` is NULL, or `priority` is negative) or ENOMEM.
 * May be called from any thread. */
int evlock_base_set_priority(struct event_base *base, int priority);

/** Forgets what was set for `base`: its priority.
 * Call this before event_base_free() if anything was set; otherwise a later base at the same
 * address inherits it.  Locks that the base still has go on with the defaults.  If nothing was
 * set, the call does nothing.
 * May be called from any thread. */
void evlock_base_end(struct event_base *base);

/** Replaces the allocator of the library, as event_set_mem_functions() does for libevent.
 * Call it before any other evlock call, or not at all.
 * @param malloc_fn, free_fn  NULL: the standard function.  They must be safe in every thread
 *                            that uses evlock, and return memory aligned as malloc() does
 * @param realloc_fn          accepted for symmetry with libevent; unused */
void evlock_set_mem_functions(void *(*malloc_fn)(size_t),
    void *(*realloc_fn)(void *, size_t), void (*free_fn)(void *));


/* --- Acquiring and releasing --------------------------------------------- */

/** Called from the loop of the lock object's base when a request or conversion has ended its
 * wait.
 * @param handle  what the acquiring call returned
 * @param error   0: the lock was granted, and `handle` holds it until it is released.
 *                ETIMEDOUT, ECANCELED (the lock was closed or freed), EDEADLK, or an error that
 *                the header of the scope lists: the request failed, and the handle has ended.
 *                If a conversion failed, the handle still holds its former mode.
 * @param arg     from the request */
typedef void (*evlock_cb)(struct evlock *lock, evlock_handle handle, int error, void *arg);

/** Acquires the lock in `mode` when all requests ahead have had their turn.
 *
 * A granted handle holds the lock from the grant on, even before the callback runs:
 * evlock_mode_of(), evlock_value() and evlock_convert() accept it.
 *
 * @param timeout  the longest wait; NULL: no limit.  See above for values out of range.  A
 *                 common timeout must be one of the lock's base
 * @param cb       called when the lock is granted or the request has failed; must not be NULL
 * Returns the request's handle, or 0 with errno EINVAL (`cb` is NULL, or the lock has no such
 * mode), ECANCELED (the lock is closed) or ENOMEM. */
evlock_handle evlock_acquire(struct evlock *lock, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg);

/** Acquires the lock now or not at all.
 * Returns a handle that holds the lock, or 0 with errno EINVAL, ECANCELED, EAGAIN (a holder is
 * in the way, or a request waits ahead) or ENOMEM. */
evlock_handle evlock_acquire_nowait(struct evlock *lock, unsigned mode);

/** Acquires the lock, calls `cb`, and releases the lock when `cb` returns, unless `cb` has released
 * it already.  For work that does not need the lock any longer than that.
 * Takes the same parameters, returns the same and fails with the same errors as
 * evlock_acquire(). */
evlock_handle evlock_with(struct evlock *lock, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg);

/** All that an acquisition can ask for.  Zero-filled fields mean the same as in the plain
 * calls. */
struct evlock_request {
	unsigned mode;
	unsigned units;			/**< units of the mode's limit; 0 means 1 */
	unsigned priority;		/**< 0 to 3; a higher one is served first; requests of the
					     same priority are served in order of arrival */
	const struct timeval *timeout;	/**< the longest wait; NULL: no limit */
	evlock_handle handle;		/**< from EVLOCK_HANDLE_FROM(); 0: one is made */
	struct evlock_owner *owner;	/**< see <evlock/owner.h>; NULL: none */
	evlock_cb cb;			/**< NULL: acquire now or not at all */
	/** A notice to the holder, or NULL.  It is called from the loop, as `cb` is, and only
	 * while the handle holds the lock.
	 *  - Error 0: a request of this process waits for what this handle holds.  The notice
	 *    comes when the first such waiter arrives, or after `cb` if there is one by then.  It
	 *    comes again only after all those waiters have left.
	 *  - ESTALE: the lock was lost, in scopes where that can happen (<evlock/etcd.h>), and
	 *    the handle has ended. */
	evlock_cb notice_cb;
	void *arg;			/**< passed to both callbacks */
};

/** Acquires the lock as `request` says: like evlock_acquire(), or like
 * evlock_acquire_nowait() if request->cb is NULL.
 * @param request  not kept after the call
 * Returns and fails as these two do.  Further errors: EINVAL (more units than the mode's limit
 * can ever grant, a priority above 3, or a handle that EVLOCK_HANDLE_FROM() did not make),
 * EEXIST (the caller's handle is in use) and EDEADLK (see <evlock/owner.h>). */
evlock_handle evlock_acquire_request(struct evlock *lock, const struct evlock_request *request);

/** Ends an acquisition in any state.  If the handle holds the lock, it is released.  If it
 * waits, or its callback is due with whatever result, it is withdrawn and the callback does
 * not run.  Before the call returns, the requests whose turn it is are granted.
 *
 * When called from another thread than that of the request's base, the callback may already be
 * running or about to run.  Such a callback finds that its handle has ended: evlock_value()
 * returns NULL, and a second release fails with ENOENT.
 *
 * Returns 0, or -1 with errno ENOENT (the handle is not known, or has ended); then nothing has
 * changed.  For a THREADSAFE lock it may be called from any thread. */
int evlock_release(struct evlock *lock, evlock_handle handle);

/** Changes the mode of a held handle without releasing it.
 *
 * If the other holders allow the new mode, the handle has it before the call returns, and `cb`
 * is called later.  Otherwise the conversion waits for these holders, ahead of all queued
 * requests.  If another conversion already waits, and the two can never both succeed, the call
 * fails at once with EDEADLK.  Until the conversion succeeds, and if it fails, the handle holds
 * its former mode.  Releasing the handle ends its conversion too.
 *
 * @param timeout, cb, arg  as for evlock_acquire()
 * Returns 0, or -1 with errno ENOENT (the handle holds nothing), EINVAL (`cb` is NULL, no such
 * mode, or more units than the new mode's limit), ENOTSUP (this scope cannot do this conversion
 * safely), ECANCELED (the lock is closed), EBUSY (the handle is already being converted, or the
 * callback of its last conversion has not run yet), EDEADLK or ENOMEM. */
int evlock_convert(struct evlock *lock, evlock_handle handle, unsigned mode,
    const struct timeval *timeout, evlock_cb cb, void *arg);

/** Changes the mode of a held handle now or not at all.  No callback follows.
 * Returns 0, or -1 with errno EAGAIN (a holder does not allow the new mode; also where
 * evlock_convert() fails with EDEADLK because another conversion waits), or as evlock_convert(). */
int evlock_convert_nowait(struct evlock *lock, evlock_handle handle, unsigned mode);


/* --- Notification --------------------------------------------------------- */

/** Activates `ev` with EV_TIMEOUT when evlock_acquire_nowait() in `mode` would succeed.
 *
 * If it would succeed now, `ev` is activated at once.  It is activated again each time a
 * release, a withdrawal, a timeout, a conversion or a resize leaves the lock in such a state,
 * until evlock_unnotify(), also after the caller's own release.  Pending activations are
 * coalesced.  An activation reserves nothing: when `ev` runs, the lock may be held again.
 *
 * @param ev  an event of the caller's, on any base and without a timeout of its own.  If another
 *            thread runs that base, the base must have been made after libevent was set up for
 *            threads.  The caller ends the notification before freeing `ev`
 * Returns 0, or -1 with errno EINVAL, ENOTSUP (this scope cannot notify), EEXIST (`ev` is
 * already registered for this lock) or ENOMEM. */
int evlock_notify(struct evlock *lock, unsigned mode, struct event *ev);

/** Ends evlock_notify() for `ev`.
 * @param lock  the object that `ev` was registered through, or another object of the same lock
 *              on the same base
 * Returns 0, or -1 with errno ENOENT (`ev` is not registered there). */
int evlock_unnotify(struct evlock *lock, struct event *ev);


/* --- Looking -------------------------------------------------------------- */

/** Returns the strongest mode that is held, or EVLOCK_NONE (0) if none is.  For a semaphore, which
 * has one mode, use evlock_held(). */
unsigned evlock_locked(const struct evlock *lock);

/** Returns the number of units that are held in `mode`. */
uint32_t evlock_held(const struct evlock *lock, unsigned mode);

/** Returns the number of requests and conversions that wait. */
size_t evlock_waiting(const struct evlock *lock);

/** Returns the mode that `handle` holds, or -1 with errno ENOENT if it holds none because it
 * is unknown or still waits. */
int evlock_mode_of(const struct evlock *lock, evlock_handle handle);

/** Returns the guarded value for reading if `handle` holds a mode with READ or WRITE access.
 * Otherwise returns NULL with errno EPERM. */
const void *evlock_value(const struct evlock *lock, evlock_handle handle);

/** Returns the guarded value for writing if `handle` holds a mode with WRITE access.
 * Otherwise returns NULL with errno EPERM. */
void *evlock_value_mut(const struct evlock *lock, evlock_handle handle);

/** Writes a report for people: all locks of `base`, with their holders and waiters.
 *
 * Names and keys are escaped: a quotation mark, a backslash and every byte that is not
 * printable ASCII appear as a backslash, an x and two hexadecimal digits.
 *
 * The report is made in memory, lock after lock, and then written to `out` with no mutex held.
 * If writing blocks, it blocks no other thread.  If memory runs out, the report ends after its
 * last complete line, with a line that says so; nothing else is affected.
 * A lock file that another process has is "not ours".  Must be called in the thread of `base`.
 * @param out  check ferror() for write errors */
void evlock_dump(struct event_base *base, FILE *out);

#ifdef __cplusplus
}
#endif
#endif
