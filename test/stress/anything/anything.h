/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ANYTHING_H_INCLUDED_
#define ANYTHING_H_INCLUDED_

/* Makes every public call, in random order, from every kind of callback.
 *
 * A run consists of rounds.  A round is a process of its own, and its seed decides everything that
 * is drawn in it.  A round has one to four threads.  A thread has one or two bases, and objects,
 * requests and owners that only it uses.  Each thread performs operations, which are drawn from
 * the tables at the end of each file here.  Callbacks perform operations too.
 *
 *	main.c		options; rounds and their results
 *	round.c		one round: its threads, how they begin and end
 *	calls.c		the state of a thread; errors that a call may give; operations
 *	memory.c	allocations that fail
 *	clock.c		time, in rounds of one thread
 *	canary.c	exclusion: which holders are inside
 *	requests.c	a request from the call that makes it to its end; the callbacks
 *	asking.c	operations: acquire
 *	ending.c	operations: release, convert, owners
 *	records.c	lock objects and things, found and recorded
 *	making.c	operations: lock objects are made
 *	freeing.c	operations: lock objects are shared, closed, freed
 *	looking.c	operations: everything that only looks; events of evlock_notify()
 *	loops.c		operations: nested loops, loopbreak, timers, fork
 *	tray.c		operations: handles and lock objects that pass to other threads
 *	neighbour.c	another process that locks the same files
 *
 * To add a public call, write a function that draws its arguments, puts begin_call() and
 * end_call() around the call, checks errno with may_fail(), and updates the records.  Then add the
 * function, with a weight, to the table of its file. */

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include <evlock/evlock.h>
#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/semaphore.h>
#include <evlock/set.h>
#include <evlock/table.h>

enum {
	THREADS = 4, BASES = 2, OBJECTS = 20, REQUESTS = 40, OWNERS = 2, SHARED_OWNERS = 2,
	WATCHES = 2, KEYS = 5, LEAVES = 12, FILES = 3, DEPTH = 16, STALE = 16, PERMITS = 4
};

/* The settings of a round: drawn, or given by options. */
struct plan {
	uint64_t seed;
	unsigned n_threads;
	long n_operations;	/* of each thread */
	int is_threaded;	/* libevent is set up for threads */
	int is_orderly;		/* the round waits for every request at its end */
	int has_failures;	/* allocations fail */
	int has_neighbour;
	int is_traced;
	const char *only, *without;	/* names of operations, or NULL */
};

extern struct plan plan;
extern char folder[];	/* for lock files, of this round */

enum kind { PLAIN, CUSTOM, SEMAPHORE, FILE_LOCK, KEY, SET, TABLE };

struct thing;

/* A lock in a set or in one of its inner sets. */
struct leaf {
	struct thing *thing;
	struct object *object;	/* through which it is a member */
	int mode;		/* or EVLOCK_SAME_MODE */
};

/* A thing is what is locked: a lock, the lock of a key, a file or a set.  Objects of any thread may
 * belong to it.  It exists until the end of the round. */
struct thing {
	enum kind kind;
	const struct evlock_modes *modes;	/* NULL: of a set */
	uint32_t held[EVLOCK_MAX_MODES];	/* relaxed: units known to be held in each mode */
	uint32_t permits;			/* relaxed: the most a semaphore ever had */
	int has_owners;				/* relaxed: some request had an owner */
	int is_closing, is_closed;		/* relaxed: evlock_close() has begun, has
						     returned */
	int is_far;				/* relaxed: a set that several threads use */
	long value, copy;			/* guarded by the lock, and by nothing else */
	unsigned n_leaves, n_parts;
	struct leaf leaf[LEAVES];		/* of a set */
	struct object *part[LEAVES];		/* the sets in it */
	struct thread *maker;			/* of a set */
	struct thing *key[KEYS];		/* of a table */
	struct thing *next;
};

/* The data that an object guards: evlock_options.value. */
struct guarded {
	int n_freed;			/* relaxed */
	struct guarded *next;
};

/* A lock object or a table object.  It exists until the end of the round. */
struct object {
	struct thread *thread;
	unsigned number;		/* in traces */
	unsigned base;			/* of the thread's */
	enum kind kind;
	struct evlock *lock;		/* NULL: a table */
	struct evlock_table *table;
	struct thing *thing;		/* NULL: a table */
	struct thing **key;		/* of a table: its keys */
	const void *identity;		/* the same: handles are known through either */
	struct guarded *guarded;
	int is_threadsafe;
	int is_dying;			/* relaxed: it is being freed or was freed */
	int is_shown;			/* under tray_mutex */
	int n_pins;			/* under tray_mutex: in use by other threads */
	struct object *next;
};

struct owner {
	pthread_mutex_t mutex;		/* one thread at a time uses a shared owner */
	struct evlock_owner *owner;
	int is_shared;
	unsigned generation;		/* under the mutex: how often it ended */
};

enum state { NEW, WAITING, HELD, ENDED };

/* A request.  It exists until the end of the round, so that a late callback is noticed. */
struct request {
	struct thread *thread;
	unsigned number;		/* in traces */
	struct object *object;		/* it was made through */
	struct thing *thing;
	const void *identity;
	struct evlock *key_lock;	/* from a callback; NULL: unknown, or not of a key */
	struct owner *owner;		/* NULL: none */
	unsigned generation;		/* of a shared owner */
	evlock_handle handle;
	enum state state;
	unsigned mode, units;
	int was_closed, is_scoped, is_timed, is_named, has_notice;
	int is_doomed;			/* held through an object that is being freed */
	int is_inside;			/* the canary counts it */
	unsigned lost;			/* bit i: leaf i of its set was freed */
	/* A conversion: */
	struct object *converter;	/* or NULL: none */
	unsigned new_mode;
	int is_conversion_timed;
	/* On the tray: */
	int is_given, is_told, is_cut, error, answer;
	struct object *pinned;		/* through which others release it; NULL: their own */
	struct request *next;		/* on the tray, or among the answers */
	struct request *next_made;
};

/* The stack of a thread's current activities, from the outside to the inside. */
enum doing { CALLING, FREEING, LOOPING, CALLED_BACK };

struct failing {
	long next;	/* the number of the next allocation that fails; 0: none; -1: all */
	long n;		/* that have failed */
};

struct context {
	enum doing doing;
	const void *with;		/* the object that is freed, the base that loops */
	const char *text;
	struct failing outer;
};

struct thread {
	pthread_t id;
	unsigned number;
	uint64_t random;
	long n_left;			/* operations */
	int is_ending, is_resting, is_told;
	unsigned n_bases;
	struct event_base *base[BASES];
	const struct timeval *common[BASES];
	int is_broken[BASES];		/* event_base_loopbreak() was called in this loop */
	struct event *watch[BASES][WATCHES], *poke[BASES], *mail;
	struct object *object[OBJECTS];
	unsigned n_objects;
	struct request *live[REQUESTS];
	unsigned n_live;
	struct request *made;
	struct object *made_objects;
	struct owner owner[OWNERS];
	struct context context[DEPTH];
	unsigned depth;
	evlock_handle stale[STALE];
	unsigned n_stale;
	long n_asked, n_ended;
	unsigned n_numbers;
	pthread_mutex_t mutex;		/* protects `answers` */
	struct request *answers;
	unsigned n_given;
	uint64_t sum;			/* of events */
};

extern struct thread thread[THREADS];
extern struct owner shared_owner[SHARED_OWNERS];

/* An operation.  The greater its weight, the more often it is drawn. */
struct operation {
	const char *name;
	unsigned weight;
	void (*perform)(struct thread *t);
};

extern const struct operation asking[], ending[], making[], freeing[], looking[], looping[],
    passing[];

#define MUST(condition) \
	do { \
		if (!(condition)) \
			give_up(__FILE__, __LINE__, #condition); \
	} while (0)

#define READ(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define WRITE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

/* In calls.c. */
__attribute__((noreturn)) void give_up(const char *file, int line, const char *what);
unsigned draw(struct thread *t, unsigned n);
int chance(struct thread *t, unsigned one_in);
void trace(struct thread *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Put these around each call.  Only evlock_free() may run callbacks in between.  `text` names the
 * call. end_call() keeps errno. */
void begin_call(struct thread *t, const char *text);
void end_call(struct thread *t);
void begin_free(struct thread *t, const struct object *o);
void end_free(struct thread *t);

/** Runs the loop of a base; returns what event_base_loop() does. */
int loop(struct thread *t, unsigned base, int flags);
int is_looping(const struct thread *t, unsigned base);

/** Call these at the beginning and end of each callback, of libevent and of evlock. */
void begin_event(struct thread *t, unsigned base);
void begin_callback(struct thread *t, const struct object *o, int error);
void end_callback(struct thread *t);

/** Checks the errno of the call that has just failed: one of these, a list that ends with 0, or
 * ENOMEM if an allocation has failed in the call. */
void may_fail(struct thread *t, ...);

/** Performs one or a few operations. */
void operate(struct thread *t);
void operate_in_callback(struct thread *t);

/* In memory.c. */
extern long n_allocated;	/* relaxed */
void use_memory_that_fails(void);
struct failing fail_from_now(long next);
struct failing fail_as_before(struct failing before);

/* In canary.c. */
extern const struct evlock_modes standard_modes, semaphore_modes, file_modes;
extern const struct evlock_modes *const custom_modes[];
extern const unsigned n_custom_modes;
void enter(struct request *r);
void leave(struct request *r);
/** A set of this thread has lost its leaf `i`, and no longer holds it. */
void lose(struct request *r, unsigned i);
int is_closing(const struct thing *thing);
int is_closed(const struct thing *thing);

/* In requests.c. */
struct request *new_request(struct thread *t, struct object *o, struct thing *thing);
/** The call that made the request has returned.  `handle` is 0 if the call failed. */
void note(struct request *r, evlock_handle handle, evlock_cb cb, int is_bad);
void end_request(struct request *r);
/** Another thread may end the request at any time. */
int is_loose(const struct request *r);
struct request *find_request(struct thread *t, enum state state);
int release(struct request *r);
void on_outcome(struct evlock *lock, evlock_handle handle, int error, void *arg);
void on_conversion(struct evlock *lock, evlock_handle handle, int error, void *arg);
void on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg);

/* In asking.c. */
const struct timeval *draw_timeout(struct thread *t, unsigned base, int *is_timed);
unsigned draw_mode(struct thread *t, const struct thing *thing);

/* In ending.c. */
void release_all_held(struct thread *t);
struct owner *draw_owner(struct thread *t, int is_threadsafe);
struct evlock_owner *borrow(struct owner *o);
void give_back(struct owner *o);

/* In records.c. */
struct object *find_object(struct thread *t);
struct object *find_lock(struct thread *t);
struct object *find_open_lock(struct thread *t);
struct object *find_kind(struct thread *t, enum kind kind);
/** Returns an object that knows the same handles: of the same lock, or the table of a key. */
struct object *find_twin(struct thread *t, const void *identity);
struct object *add_object(struct thread *t, const struct object *like);
void forget_object(struct thread *t, const struct object *o);
struct thing *new_thing(enum kind kind, const struct evlock_modes *modes);
struct thing *file_thing(unsigned i);
struct guarded *new_guarded(void);
void on_free_value(void *value);
void forget_things(void);

/* In making.c. */
void make_common_objects(struct thread *t);
void file_path(unsigned i, char *path, size_t size);
int file_flags(unsigned i);

/* In freeing.c. */
/** Gives every semaphore its maximum of permits. */
void give_permits(struct thread *t);
/** Other threads will use the lock, if it is a set. */
void make_far(struct thread *t, struct thing *set);
/** Returns 0 if other threads use it. */
int free_object(struct thread *t, struct object *o);
void free_one(struct thread *t);
void free_all_objects(struct thread *t);

/* In looking.c. */
/** The argument of an event. */
struct watcher {
	struct thread *thread;
	unsigned base;
};

void make_events(struct thread *t, unsigned base);
void free_events(struct thread *t, unsigned base);

/* In loops.c. */
void turn_all(struct thread *t);
void wait_for_answers(struct thread *t);
void on_poke(evutil_socket_t fd, short what, void *arg);

/* In tray.c. */
extern pthread_mutex_t tray_mutex;
void on_mail(evutil_socket_t fd, short what, void *arg);
void take_everything_back(struct thread *t);
void hide(struct object *o);
void visit(struct thread *t);
void show(struct object *o);

/* In neighbour.c. */
void start_neighbour(void);
void stop_neighbour(void);
void check_neighbour(const struct thing *thing);

/* In round.c. */
void run_round(void);

#endif
