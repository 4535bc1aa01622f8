/* SPDX-License-Identifier: BSD-3-Clause */

/* Threads that take tasks from one queue and put them into another, from where
 * the loop calls them done.  Nothing of libevent is called by a worker: it
 * reports with a byte in a pipe, so libevent need not be set up for threads.
 *
 * `mutex` protects both queues and `ending`, and is held neither while a task
 * runs nor while one is called done. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "workers.h"

STAILQ_HEAD(tasks, task);

struct workers {
	pthread_mutex_t mutex;
	pthread_cond_t wanted;	/* `todo` is not empty, or `ending` */
	struct tasks todo;	/* mutex */
	struct tasks done;	/* mutex; not empty: a byte is in the pipe */
	bool ending;		/* mutex */

	int report[2];		/* the pipe */
	struct event *reported;
	unsigned n_threads;
	pthread_t thread[];
};

/* --- In the workers' threads ---------------------------------------------- */

/* Returns NULL when the thread shall end. */
static struct task *
take(struct workers *workers)
{
	struct task *task;

	pthread_mutex_lock(&workers->mutex);
	while (STAILQ_EMPTY(&workers->todo) && !workers->ending)
		pthread_cond_wait(&workers->wanted, &workers->mutex);
	task = STAILQ_FIRST(&workers->todo);
	if (task)
		STAILQ_REMOVE_HEAD(&workers->todo, link);
	pthread_mutex_unlock(&workers->mutex);
	return task;
}

static void
report(struct workers *workers, struct task *task)
{
	bool first;
	ssize_t n = 0;

	pthread_mutex_lock(&workers->mutex);
	first = STAILQ_EMPTY(&workers->done);
	STAILQ_INSERT_TAIL(&workers->done, task, link);
	pthread_mutex_unlock(&workers->mutex);
	if (first)
		n = write(workers->report[1], "", 1);
	(void)n;	/* the pipe is never full: the loop empties it each time */
}

static void *
work(void *arg)
{
	struct workers *workers = arg;
	struct task *task;

	while ((task = take(workers)) != NULL) {
		task->run(task->arg);
		report(workers, task);
	}
	return NULL;
}

/* --- In the loop's thread ------------------------------------------------- */

void
workers_submit(struct workers *workers, struct task *task)
{
	pthread_mutex_lock(&workers->mutex);
	STAILQ_INSERT_TAIL(&workers->todo, task, link);
	pthread_mutex_unlock(&workers->mutex);
	pthread_cond_signal(&workers->wanted);
}

static void
collect(evutil_socket_t fd, short what, void *arg)
{
	struct workers *workers = arg;
	struct tasks done = STAILQ_HEAD_INITIALIZER(done);
	struct task *task;
	char bytes[64];

	(void)what;
	while (read(fd, bytes, sizeof(bytes)) > 0)
		continue;
	pthread_mutex_lock(&workers->mutex);
	STAILQ_CONCAT(&done, &workers->done);
	pthread_mutex_unlock(&workers->mutex);
	while ((task = STAILQ_FIRST(&done)) != NULL) {
		STAILQ_REMOVE_HEAD(&done, link);
		task->done(task->arg);
	}
}

/* --- Making and freeing --------------------------------------------------- */

static int
listen_to(struct workers *workers, struct event_base *base)
{
	if (pipe(workers->report) < 0)
		return -1;
	fcntl(workers->report[0], F_SETFD, FD_CLOEXEC);
	fcntl(workers->report[1], F_SETFD, FD_CLOEXEC);
	fcntl(workers->report[0], F_SETFL, O_NONBLOCK);
	workers->reported = event_new(base, workers->report[0], EV_READ | EV_PERSIST,
	    collect, workers);
	if (workers->reported == NULL)
		return -1;
	return event_add(workers->reported, NULL);
}

/* Signals are for the loop: a worker's system calls shall not be interrupted. */
static int
start(struct workers *workers, unsigned n)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!error && workers->n_threads < n) {
		error = pthread_create(&workers->thread[workers->n_threads], NULL, work, workers);
		workers->n_threads += !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error ? -1 : 0;
}

struct workers *
workers_new(struct event_base *base, unsigned n)
{
	struct workers *workers = calloc(1, sizeof(*workers) + n * sizeof(workers->thread[0]));

	if (workers == NULL)
		return NULL;
	pthread_mutex_init(&workers->mutex, NULL);
	pthread_cond_init(&workers->wanted, NULL);
	STAILQ_INIT(&workers->todo);
	STAILQ_INIT(&workers->done);
	workers->report[0] = workers->report[1] = -1;
	if (listen_to(workers, base) < 0 || start(workers, n) < 0) {
		workers_free(workers);
		return NULL;
	}
	return workers;
}

static void
end_threads(struct workers *workers)
{
	unsigned i;

	pthread_mutex_lock(&workers->mutex);
	workers->ending = true;
	pthread_mutex_unlock(&workers->mutex);
	pthread_cond_broadcast(&workers->wanted);
	for (i = 0; i < workers->n_threads; i++)
		pthread_join(workers->thread[i], NULL);
}

void
workers_free(struct workers *workers)
{
	if (workers == NULL)
		return;
	end_threads(workers);
	if (workers->reported)
		event_free(workers->reported);
	close(workers->report[0]);
	close(workers->report[1]);
	pthread_cond_destroy(&workers->wanted);
	pthread_mutex_destroy(&workers->mutex);
	free(workers);
}
