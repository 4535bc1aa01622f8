/* SPDX-License-Identifier: BSD-3-Clause */

/* fork() in a program whose threads are busy with locks of every kind.  Each child frees what it
 * inherited, in one order or another, or does not.  Then it makes a base and locks of every kind.
 * It must be granted a file that its parent held during fork(), once the parent releases it, and
 * one that the parent's threads compete for.  An alarm ends a child that hangs.  The parent's
 * threads must not be affected. */

#include "../must.h"
#include "../shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/evlock.h>
#include <evlock/file.h>
#include <evlock/owner.h>
#include <evlock/set.h>
#include <evlock/table.h>

#include "../files.h"

#define N_THREADS 3		/* and one that forks */

/* GCC 12's AddressSanitizer does not release its own mutexes in a child, so one in some hundred
 * children hangs in malloc(). */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define PATIENCE 20		/* seconds of a child */
#define MAY_HANG(n) ((n) / 50 + 1)
#else
#define PATIENCE 60
#define MAY_HANG(n) 0
#endif

enum kind { LOOP, LOOP_TABLE, LOOP_SET, SHARED, FILE_LOCK, SET, OWNER, TABLE, N_KINDS };

/* Makes one request after another, of one kind. */
struct cycle {
	struct user *user;
	enum kind kind;
	unsigned long n_granted;
	int is_idle;		/* continues when the timer expires */
};

/* A base and its locks. */
struct user {
	struct event_base *base;
	struct event *timer;
	struct evlock *lock[N_KINDS], *member[2], *plain_member[2];
	struct evlock_table *table[2];	/* of one loop, and of all */
	struct evlock_owner *owner, *loops_owner;
	struct cycle cycle[N_KINDS];
	uint64_t random;
	pthread_t thread;
};

static struct user user[N_THREADS + 1];	/* the last belongs to the thread that forks */
static int is_over;			/* atomic */

static unsigned
draw(struct user *u, unsigned n)
{
	u->random = u->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(u->random >> 33) % n;
}

/* --- Making ------------------------------------------------------------------------------ */

static struct evlock *
new_set(struct evlock *const member[2])
{
	const struct evlock_set_member two[] = {
		{ member[0], EVLOCK_SAME_MODE }, { member[1], EVLOCK_SHARED }
	};

	return evlock_set_new(two, 2, NULL);
}

static const struct evlock_options threadsafe = { .flags = EVLOCK_OPT_THREADSAFE };

/* `first` has the locks to share, or is NULL. */
static void
make(struct user *u, struct user *first, const char *file)
{
	int i;

	u->base = event_base_new();
	for (i = 0; i < 2; i++) {
		u->plain_member[i] = evlock_new(u->base, NULL);
		u->member[i] = first ? evlock_share(first->member[i], u->base)
		    : evlock_new(u->base, &threadsafe);
	}
	u->lock[LOOP] = evlock_new(u->base, NULL);
	u->lock[LOOP_SET] = new_set(u->plain_member);
	u->lock[SHARED] = first ? evlock_share(first->lock[SHARED], u->base)
	    : evlock_new(u->base, &threadsafe);
	u->lock[FILE_LOCK] = evlock_file_new(u->base, file, NULL);
	u->lock[SET] = new_set(u->member);
	u->lock[OWNER] = u->member[0];
	u->table[0] = evlock_table_new(u->base, NULL);
	u->table[1] = first ? evlock_table_share(first->table[1], u->base)
	    : evlock_table_new(u->base, &threadsafe);
	u->lock[LOOP_TABLE] = evlock_table_lock(u->table[0], "a", 1);
	u->lock[TABLE] = evlock_table_lock(u->table[1], "a", 1);
	u->owner = evlock_owner_new("all");
	u->loops_owner = evlock_owner_new("loop");
	for (i = 0; i < N_KINDS; i++) {
		MUST(u->lock[i]);
		u->cycle[i].user = u;
		u->cycle[i].kind = (enum kind)i;
		u->cycle[i].is_idle = 1;
	}
}

static void
free_locks(struct user *u, int is_reversed)
{
	int i;

	if (is_reversed) {
		evlock_owner_free(u->owner);
		evlock_table_free(u->table[1]);
		evlock_table_free(u->table[0]);
	}
	for (i = 0; i < N_KINDS; i++) {
		int k = is_reversed ? N_KINDS - 1 - i : i;

		if (k != OWNER)
			evlock_free(u->lock[k]);
	}
	for (i = 0; i < 2; i++) {
		evlock_free(u->member[i]);
		evlock_free(u->plain_member[i]);
	}
	if (!is_reversed) {
		evlock_owner_free(u->owner);
		evlock_table_free(u->table[0]);
		evlock_table_free(u->table[1]);
	}
	evlock_owner_free(u->loops_owner);
}

/* --- Threads ------------------------------------------------------------------------------- */

static void
on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)lock;
	(void)handle;
	(void)error;
	(void)arg;
}

static void on_told(struct evlock *lock, evlock_handle handle, int error, void *arg);

/* Every second request has an option that few requests have. */
static void
ask(struct cycle *c)
{
	struct user *u = c->user;
	struct timeval timeout = { 0, (long)draw(u, 2000) };
	struct evlock_request q = { .mode = EVLOCK_EXCLUSIVE, .cb = on_told, .arg = c };
	char key = (char)('a' + draw(u, 4));
	evlock_handle handle;

	q.mode = draw(u, 3) ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
	q.owner = c->kind == OWNER ? u->owner : c->kind == LOOP_SET ? u->loops_owner : NULL;
	q.timeout = draw(u, 4) ? NULL : &timeout;
	q.handle = draw(u, 4) ? 0 : EVLOCK_HANDLE_FROM(c);
	q.notice_cb = draw(u, 4) ? NULL : on_notice;
	if (c->kind == LOOP && draw(u, 2))
		handle = evlock_acquire(u->lock[LOOP], q.mode, NULL, on_told, c);
	else if ((c->kind == TABLE || c->kind == LOOP_TABLE) && draw(u, 4))
		handle = evlock_table_acquire_request(u->table[c->kind == TABLE], &key, 1, &q);
	else
		handle = evlock_acquire_request(u->lock[c->kind], &q);
	MUST(handle);
	c->is_idle = 0;
}

static void
on_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct cycle *c = arg;

	MUST(error == 0 || error == ETIMEDOUT || error == ECANCELED);
	if (!error) {
		__atomic_add_fetch(&c->n_granted, 1, __ATOMIC_RELAXED);
		evlock_release(lock, handle);
	}
	c->is_idle = draw(c->user, 16) == 0 || __atomic_load_n(&is_over, __ATOMIC_RELAXED);
	if (!c->is_idle)
		ask(c);
}

static void
begin(struct user *u)
{
	int i;

	for (i = 0; i < N_KINDS; i++)
		if (u->cycle[i].is_idle)
			ask(&u->cycle[i]);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct user *u = arg;

	(void)fd;
	(void)what;
	if (__atomic_load_n(&is_over, __ATOMIC_RELAXED))
		event_base_loopbreak(u->base);
	else
		begin(u);
}

static void *
work(void *arg)
{
	struct user *u = arg;

	begin(u);
	event_base_dispatch(u->base);
	return NULL;
}

static void
start(struct user *u)
{
	struct timeval often = { 0, 1000 };

	u->random = (uint64_t)(uintptr_t)u;
	u->timer = event_new(u->base, -1, EV_PERSIST, on_timer, u);
	event_add(u->timer, &often);
	MUST(pthread_create(&u->thread, NULL, work, u) == 0);
}

/* --- Children -------------------------------------------------------------------------------- */

static void
count(struct evlock *lock, evlock_handle handle, int error, void *n)
{
	if (!error) {
		evlock_release(lock, handle);
		++*(int *)n;
	}
}

static struct evlock *gate;	/* the parent holds its file when it forks */

static void
free_inherited(int how)
{
	int i;

	if (how == 3)
		MUST(event_reinit(user[N_THREADS].base) == 0);
	for (i = 0; i <= N_THREADS; i++)
		free_locks(&user[how == 2 ? N_THREADS - i : i], how == 2);
	evlock_free(gate);
	event_base_free(user[N_THREADS].base);
}

/* Returns the exit status. */
static int
live(int how, int report)
{
	struct timeval patience = { PATIENCE - 10, 0 };
	struct user own = { .random = 1 };
	struct evlock *file;
	int i, n_granted = 0;

	if (how)
		free_inherited(how);
	make(&own, NULL, "busy");
	file = evlock_file_new(own.base, "gate", NULL);
	evlock_acquire(file, EVLOCK_EXCLUSIVE, NULL, count, &n_granted);
	if (report >= 0 && write(report, "x", 1) != 1)
		return 3;
	for (i = 0; i < N_KINDS; i++) {
		struct evlock_request q = { .mode = EVLOCK_EXCLUSIVE, .cb = count, .arg = &n_granted };

		q.owner = i == OWNER ? own.owner : i == LOOP_SET ? own.loops_owner : NULL;
		evlock_acquire_request(own.lock[i], &q);
	}
	event_base_loopexit(own.base, &patience);
	while (n_granted < N_KINDS + 1 && !event_base_got_exit(own.base))
		event_base_loop(own.base, EVLOOP_ONCE);
	if (n_granted < N_KINDS + 1)
		return 4;
	free_locks(&own, how & 1);
	evlock_free(file);
	event_base_free(own.base);
	return 0;
}

/* --- The thread that forks ------------------------------------------------------------------- */

/* Runs its own loop for a while, because what is granted there excludes the others. */
static void
turn(void)
{
	int i;

	for (i = 0; i < 3; i++)
		event_base_loop(user[N_THREADS].base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	begin(&user[N_THREADS]);
	usleep(100);
}

static void
await_word(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0)
		turn();
}

static int
await_end(pid_t child)
{
	int status;

	while (waitpid(child, &status, WNOHANG) == 0)
		turn();
	return status;
}

/* The parent releases the file when the child waits for it, or at any time.  Returns whether the
 * child hung. */
static int
fork_once(int how, int is_awaited)
{
	evlock_handle held = evlock_acquire_nowait(gate, EVLOCK_EXCLUSIVE);
	int ends[2], status;
	pid_t child;

	cr_assert_neq(held, 0, "the child before has left something");
	cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
	child = fork();
	if (child == 0) {
		alarm(PATIENCE);
		close(ends[0]);
		_exit(live(how, is_awaited ? ends[1] : -1));
	}
	close(ends[1]);
	if (is_awaited)
		await_word(ends[0]);
	close(ends[0]);
	cr_assert_eq(evlock_release(gate, held), 0);
	status = await_end(child);
	cr_assert(status == 0 || status == SIGALRM, "wait status %#x, freed %d", status, how);
	return status == SIGALRM;
}

static void
check_progress(void)
{
	int i, k;

	for (i = 0; i < N_THREADS; i++)
		for (k = 0; k < N_KINDS; k++)
			cr_assert_neq(user[i].cycle[k].n_granted, 0, "thread %d, kind %d", i, k);
}

/* By default, ThreadSanitizer ends children of a process with threads when they make threads. */
const char *__tsan_default_options(void);
const char *
__tsan_default_options(void)
{
	return "die_after_fork=0";
}

Test(forks, each_child_is_granted, .timeout = 3600)
{
	int i, n = (int)must_times(40, 300, 10000), n_hung = 0;

	if (!can_wait())
		return;
	enter_folder();
	evthread_use_pthreads();
	for (i = 0; i <= N_THREADS; i++)
		make(&user[i], i ? &user[0] : NULL, "busy");
	gate = evlock_file_new(user[N_THREADS].base, "gate", NULL);
	for (i = 0; i < N_THREADS; i++)
		start(&user[i]);
	user[N_THREADS].random = 1;
	begin(&user[N_THREADS]);
	for (i = 0; i < n; i++)
		n_hung += fork_once(i % 4, i / 4 % 2);
	cr_assert_leq(n_hung, MAY_HANG(n));
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	for (i = 0; i < N_THREADS; i++) {
		pthread_join(user[i].thread, NULL);
		event_free(user[i].timer);
	}
	check_progress();
	evlock_free(gate);
	for (i = 0; i <= N_THREADS; i++) {
		free_locks(&user[i], i & 1);
		event_base_free(user[i].base);
	}
	leave_folder();
}
