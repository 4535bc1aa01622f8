/* SPDX-License-Identifier: BSD-3-Clause */

/* One round: its threads, and how they end.  An orderly end waits for every request, so that a
 * lost one is noticed.  Otherwise each thread frees everything at once while the other threads
 * continue. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <event2/thread.h>

#include "anything.h"

struct plan plan;
struct thread thread[THREADS];
static pthread_barrier_t all_ready, all_ended;

/* --- The end of a thread ---------------------------------------------------------- */

/* Blocks if possible, so that a lost wake-up is noticed. */
static void
wait_for_one(struct thread *t)
{
	if (t->n_bases > 1)
		turn_all(t);
	else
		MUST(loop(t, 0, EVLOOP_ONCE) == 0 || !t->n_live);
}

static void
wait_for_all(struct thread *t)
{
	t->is_ending = 1;
	wait_for_answers(t);
	give_permits(t);
	release_all_held(t);
	while (t->n_live)
		wait_for_one(t);
}

/* When all threads have ended their requests, nothing is held. */
static void
check_nothing_is_held(const struct thread *t)
{
	unsigned i;

	for (i = 0; i < t->n_objects; i++) {
		const struct object *o = t->object[i];

		if (!o->lock)
			continue;
		MUST(evlock_locked(o->lock) == 0 && evlock_held(o->lock, 0) == 0);
		MUST(evlock_waiting(o->lock) == 0);
	}
}

static void
end_owners(struct thread *t)
{
	unsigned i;

	for (i = 0; i < OWNERS; i++)
		evlock_owner_free(t->owner[i].owner);
}

static void
end_thread(struct thread *t)
{
	if (plan.is_orderly) {
		wait_for_all(t);
		pthread_barrier_wait(&all_ended);
		check_nothing_is_held(t);
		pthread_barrier_wait(&all_ended);
	}
	take_everything_back(t);
	free_all_objects(t);
	wait_for_answers(t);
	MUST(!t->n_live && t->n_asked == t->n_ended);
	end_owners(t);
}

static void *
run_thread(void *arg)
{
	struct thread *t = arg;

	t->id = pthread_self();
	pthread_barrier_wait(&all_ready);
	while (t->n_left > 0)
		operate(t);
	end_thread(t);
	pthread_barrier_wait(&all_ended);
	turn_all(t);	/* events that other threads have activated */
	return NULL;
}

/* --- Threads ---------------------------------------------------------------------- */

static void
begin_thread(struct thread *t, unsigned number)
{
	unsigned i;

	memset(t, 0, sizeof *t);
	t->number = number;
	t->id = pthread_self();
	t->random = (plan.seed + number + 1) * 0x9E3779B97F4A7C15u | 1;
	t->n_left = plan.n_operations;
	pthread_mutex_init(&t->mutex, NULL);
	t->n_bases = 1 + draw(t, BASES);
	for (i = 0; i < t->n_bases; i++) {
		t->base[i] = event_base_new();
		make_events(t, i);
	}
}

static void
forget_records(struct thread *t)
{
	while (t->made) {
		struct request *next = t->made->next_made;

		free(t->made);
		t->made = next;
	}
	while (t->made_objects) {
		struct object *next = t->made_objects->next;

		free(t->made_objects);
		t->made_objects = next;
	}
}

static void
free_thread(struct thread *t)
{
	unsigned i;

	forget_records(t);
	for (i = 0; i < t->n_bases; i++) {
		free_events(t, i);
		MUST(event_base_get_num_events(t->base[i], EVENT_BASE_COUNT_ADDED) == 0);
		event_base_free(t->base[i]);
	}
}

static void
begin_owners(void)
{
	unsigned i;

	for (i = 0; i < SHARED_OWNERS; i++) {
		pthread_mutex_init(&shared_owner[i].mutex, NULL);
		shared_owner[i].is_shared = 1;
	}
}

static void
run_threads(void)
{
	unsigned i;

	pthread_barrier_init(&all_ready, NULL, plan.n_threads);
	pthread_barrier_init(&all_ended, NULL, plan.n_threads);
	for (i = 1; i < plan.n_threads; i++)
		MUST(pthread_create(&thread[i].id, NULL, run_thread, &thread[i]) == 0);
	run_thread(&thread[0]);
	for (i = 1; i < plan.n_threads; i++)
		MUST(pthread_join(thread[i].id, NULL) == 0);
	for (i = 0; i < SHARED_OWNERS; i++)
		evlock_owner_free(shared_owner[i].owner);
}

/* --- The round -------------------------------------------------------------------- */

static int
count_descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A thread of the library may not have ended yet. */
static void
check_nothing_is_left(int n_descriptors)
{
	int i;

	for (i = 0; i < 5000; i++) {
		if (READ(n_allocated) == 0 && count_descriptors() == n_descriptors)
			return;
		usleep(1000);
	}
	fprintf(stderr, "# left: %ld allocations, %d descriptors\n", READ(n_allocated),
	    count_descriptors() - n_descriptors);
	MUST(!"nothing is left");
}

/* libevent's warning about nested loops is expected. */
static void
on_log(int severity, const char *text)
{
	(void)severity;
	if (strstr(text, "reentrant invocation"))
		return;
	fprintf(stderr, "# libevent: %s\n", text);
	MUST(!"libevent warns");
}

void
run_round(void)
{
	int n_descriptors;
	unsigned i;

	event_set_log_callback(on_log);
	use_memory_that_fails();
	if (plan.is_threaded)
		MUST(evthread_use_pthreads() == 0);
	start_neighbour();
	n_descriptors = count_descriptors();
	begin_owners();
	for (i = 0; i < FILES; i++)
		file_thing(i);
	for (i = 0; i < plan.n_threads; i++)
		begin_thread(&thread[i], i);
	make_common_objects(&thread[0]);
	run_threads();
	for (i = 0; i < plan.n_threads; i++)
		free_thread(&thread[i]);
	forget_things();
	check_nothing_is_left(n_descriptors);
	stop_neighbour();
	if (plan.n_threads == 1)
		trace(&thread[0], "sum %llx", (unsigned long long)thread[0].sum);
	libevent_global_shutdown();
}
