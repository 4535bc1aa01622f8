/* SPDX-License-Identifier: BSD-3-Clause */

/* Several processes acquire sets of the same lock files, and single files, at random.  No process
 * may hold what excludes another's hold, and there must always be progress.  If there is none,
 * each process dumps its locks.
 *
 * EVLOCK_TEST_SEED, if it is set, decides what a client does.  When it does it is up to the
 * kernel.  The process of the test never uses evlock itself. */

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/file.h>
#include <evlock/set.h>

#include "../must.h"
#include "../shim.h"

#include "files.h"

#define MOST_FILES 4
#define MOST_PROCESSES 4
#define MOST_PLACES (3 << MOST_FILES)
#define CLIENTS 12		/* of each process */
#define PATIENCE 20		/* seconds without progress until the test fails */

/** The parameters of a run. */
struct scene {
	uint64_t seed;
	unsigned n_processes, n_files;
	unsigned n_requests;	/* of each client */
	int gives_up;		/* some requests have a timeout or are withdrawn */
};

/** Shared by all processes. */
static struct {
	int n_writers[MOST_FILES], n_readers[MOST_FILES];
	unsigned n_done, n_clashes;
} *all;

/* --- Sets and files ------------------------------------------------------------------ */

/** A file, or a set of several. */
struct place {
	struct evlock *lock;
	unsigned files;		/* bit i: file i is in it */
	unsigned shared;	/* bit i: the file is always shared */
};

static const struct scene *scene;
static struct event_base *base;
static struct evlock *file[MOST_FILES];
static struct place place[MOST_PLACES];
static unsigned n_places, n_busy;

static void
must(int is_true)
{
	if (!is_true)
		_exit(1);
}

/* Last file first, so that the order of the members is not that of the files. */
static void
make_set(struct place *p)
{
	struct evlock_set_member member[MOST_FILES];
	size_t n = 0;
	unsigned i;

	for (i = scene->n_files; i-- > 0; )
		if (p->files >> i & 1) {
			member[n].lock = file[i];
			member[n++].mode = p->shared >> i & 1 ? EVLOCK_SHARED : EVLOCK_SAME_MODE;
		}
	p->lock = evlock_set_new(member, n, NULL);
	must(p->lock != NULL);
}

static void
add_place(unsigned files, unsigned shared)
{
	struct place *p = &place[n_places++];

	p->files = files;
	p->shared = shared;
	make_set(p);
}

/* Every file, and every set of two or more, also with the first or the last file always shared. */
static void
make_places(void)
{
	unsigned files, rest;

	for (files = 1; files < 1u << scene->n_files; files++) {
		rest = files & (files - 1);
		add_place(files, 0);
		if (rest) {
			add_place(files, files & ~rest);
			add_place(files, rest & ~(rest & (rest - 1)));
		}
	}
}

static void
make_files(void)
{
	unsigned i;

	for (i = 0; i < scene->n_files; i++) {
		char name[] = { (char)('a' + i), '\0' };

		file[i] = evlock_file_new(base, name, NULL);
		must(file[i] != NULL);
	}
}

/* --- Exclusion -------------------------------------------------------------------------- */

static void
expect(int is_so)
{
	if (!is_so)
		__atomic_add_fetch(&all->n_clashes, 1, __ATOMIC_SEQ_CST);
}

static void
count_reader(unsigned i, int by)
{
	__atomic_add_fetch(&all->n_readers[i], by, __ATOMIC_SEQ_CST);
	expect(!__atomic_load_n(&all->n_writers[i], __ATOMIC_SEQ_CST));
}

static void
count_writer(unsigned i, int by)
{
	int n = __atomic_add_fetch(&all->n_writers[i], by, __ATOMIC_SEQ_CST);

	expect(n == (by > 0) && !__atomic_load_n(&all->n_readers[i], __ATOMIC_SEQ_CST));
}

/* --- A client ------------------------------------------------------------------------------ */

struct client {
	uint64_t random;
	unsigned n_left;
	const struct place *place;
	unsigned mode;
	evlock_handle handle;
	int holds;
	struct event *end;	/* of a hold or a wait */
};

static void next(struct client *c);

/* A number below n. */
static unsigned
draw(struct client *c, unsigned n)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return (unsigned)(c->random >> 33) % n;
}

static void
count(const struct client *c, int by)
{
	unsigned i;

	for (i = 0; i < scene->n_files; i++)
		if (c->place->files >> i & 1) {
			if (c->mode == EVLOCK_SHARED || c->place->shared >> i & 1)
				count_reader(i, by);
			else
				count_writer(i, by);
		}
}

/* In the next turn of the loop, or now and then within two milliseconds. */
static void
end_soon(struct client *c)
{
	struct timeval soon = { 0, draw(c, 4) ? 0 : (int)draw(c, 2000) };

	event_add(c->end, &soon);
}

static void
on_granted(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct client *c = arg;

	(void)lock;
	(void)handle;
	event_del(c->end);
	if (error) {
		must(error == ETIMEDOUT);
		next(c);
		return;
	}
	c->holds = 1;
	count(c, 1);
	end_soon(c);
}

/* Ends the client's hold, or its wait. */
static void
on_end(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (c->holds)
		count(c, -1);
	c->holds = 0;
	must(!c->handle || evlock_release(c->place->lock, c->handle) == 0);
	next(c);
}

static void
acquire_nowait(struct client *c)
{
	c->handle = evlock_acquire_nowait(c->place->lock, c->mode);
	must(c->handle || errno == EAGAIN);
	c->holds = c->handle != 0;
	if (c->holds)
		count(c, 1);
	end_soon(c);
}

static void
acquire(struct client *c)
{
	struct timeval timeout = { 0, 1 + (int)draw(c, 3000) };
	struct evlock_request q = { 0 };
	unsigned way = scene->gives_up ? draw(c, 4) : 0;

	q.mode = c->mode;
	q.priority = draw(c, 8) ? 0 : 1;
	q.timeout = way == 1 ? &timeout : NULL;
	q.cb = on_granted;
	q.arg = c;
	c->handle = evlock_acquire_request(c->place->lock, &q);
	must(c->handle != 0);
	if (way == 2)
		end_soon(c);
}

static void
next(struct client *c)
{
	__atomic_add_fetch(&all->n_done, 1, __ATOMIC_SEQ_CST);
	if (!c->n_left--) {
		n_busy--;
		return;
	}
	c->place = &place[draw(c, n_places)];
	c->mode = draw(c, 3) ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
	if (draw(c, 16))
		acquire(c);
	else
		acquire_nowait(c);
}

/* --- A process -------------------------------------------------------------------------------- */

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	fprintf(stderr, "# --- process %ld\n", (long)getpid());
	evlock_dump(base, stderr);
}

static void
start_client(struct client *c, unsigned number)
{
	memset(c, 0, sizeof *c);
	c->random = (scene->seed * 1000 + number + 1) * 0x9E3779B97F4A7C15u;
	c->n_left = scene->n_requests;
	c->end = evtimer_new(base, on_end, c);
	must(c->end != NULL);
	n_busy++;
	next(c);
}

static void
free_all(struct client *c, struct event *dump)
{
	unsigned i;

	for (i = 0; i < CLIENTS; i++)
		event_free(c[i].end);
	for (i = 0; i < n_places; i++)
		evlock_free(place[i].lock);
	for (i = 0; i < scene->n_files; i++)
		evlock_free(file[i]);
	event_free(dump);
	event_base_free(base);
}

static void
be_process(unsigned number)
{
	struct client client[CLIENTS];
	struct event *dump;
	unsigned i;

	alarm(15 * patient(PATIENCE));
	must(evthread_use_pthreads() == 0);
	base = event_base_new();
	dump = evsignal_new(base, SIGUSR1, on_signal, NULL);
	must(dump && event_add(dump, NULL) == 0);
	make_files();
	make_places();
	for (i = 0; i < CLIENTS; i++)
		start_client(&client[i], number * CLIENTS + i);
	while (n_busy)
		event_base_loop(base, EVLOOP_ONCE);
	free_all(client, dump);
	exit(0);
}

/* --- The watching process -------------------------------------------------------------- */

static pid_t process[MOST_PROCESSES];

static void
start_processes(void)
{
	unsigned i;

	for (i = 0; i < scene->n_processes; i++) {
		process[i] = fork();
		cr_assert_geq(process[i], 0);
		if (process[i] == 0)
			be_process(i);
	}
}

/* Returns the number of processes that have not ended. */
static unsigned
count_running(void)
{
	unsigned i, n = 0;
	int status;

	for (i = 0; i < scene->n_processes; i++) {
		if (process[i] && waitpid(process[i], &status, WNOHANG) == process[i]) {
			cr_assert_eq(status, 0, "a process failed");
			process[i] = 0;
		}
		n += process[i] != 0;
	}
	return n;
}

static void
signal_all(int sig)
{
	unsigned i;

	for (i = 0; i < scene->n_processes; i++)
		if (process[i])
			kill(process[i], sig);
}

static void
report_standstill(void)
{
	fprintf(stderr, "# seed %lu: %u processes stand still with %u files after %u requests\n",
	    (unsigned long)scene->seed, scene->n_processes, scene->n_files, all->n_done);
	signal_all(SIGUSR1);
	sleep(1);
	signal_all(SIGKILL);
}

static void
watch(void)
{
	unsigned done = 0, idle = 0;

	while (count_running()) {
		unsigned now = __atomic_load_n(&all->n_done, __ATOMIC_SEQ_CST);

		idle = now == done ? idle + 1 : 0;
		done = now;
		if (idle == patient(PATIENCE) * 100) {
			report_standstill();
			cr_assert(0, "they stand still");
		}
		usleep(10000);
	}
}

static void
play(const struct scene *played)
{
	scene = played;
	memset(all, 0, sizeof *all);
	enter_folder();
	start_processes();
	watch();
	leave_folder();
	cr_assert_eq(all->n_clashes, 0, "seed %lu", (unsigned long)scene->seed);
	cr_assert_eq(all->n_done, scene->n_processes * CLIENTS * (scene->n_requests + 1));
}

static struct scene
scene_of(uint64_t seed)
{
	struct scene drawn = { seed, 2 + seed % 3, 2 + seed / 3 % 3, 12, seed / 9 % 2 };

	return drawn;
}

Test(file_sets, do_not_stand_still, .timeout = 3000)
{
	const char *text = getenv("EVLOCK_TEST_SEED");
	uint64_t first = text ? strtoull(text, NULL, 10) : 0, i;
	uint64_t n = (uint64_t)must_times(9, 18, 900);	/* 18: each number of both, with and
							     without withdrawals */

	if (!can_wait())
		return;
	all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(all, MAP_FAILED);
	for (i = 0; i < n; i++) {
		struct scene drawn = scene_of(first + i);

		play(&drawn);
	}
	munmap(all, sizeof *all);
}
