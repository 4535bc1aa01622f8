/* SPDX-License-Identifier: BSD-3-Clause */

/* Threads that take tasks from one queue, for all loops, and report to the mailbox of
 * the loop that each task comes from.
 *
 * `mutex` protects the queue and `ending`, and is not held while a task runs. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "workers.h"

STAILQ_HEAD(tasks, task);

struct workers {
	pthread_mutex_t mutex;
	pthread_cond_t wanted;	/* `todo` is not empty, or `ending` */
	struct tasks todo;	/* mutex */
	bool ending;		/* mutex */
	unsigned n_threads;
	pthread_t thread[];
};

void
workers_submit(struct workers *workers, struct task *task)
{
	pthread_mutex_lock(&workers->mutex);
	STAILQ_INSERT_TAIL(&workers->todo, task, link);
	pthread_mutex_unlock(&workers->mutex);
	pthread_cond_signal(&workers->wanted);
}

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

static void *
work(void *arg)
{
	struct task *task;

	while ((task = take(arg)) != NULL) {
		task->run(task->arg);
		mailbox_send(task->home, &task->done);
	}
	return NULL;
}

/* --- Making and freeing --------------------------------------------------- */

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
workers_new(unsigned n)
{
	struct workers *workers = calloc(1, sizeof(*workers) + n * sizeof(workers->thread[0]));

	if (workers == NULL)
		return NULL;
	pthread_mutex_init(&workers->mutex, NULL);
	pthread_cond_init(&workers->wanted, NULL);
	STAILQ_INIT(&workers->todo);
	if (start(workers, n) == 0)
		return workers;
	workers_free(workers);
	return NULL;
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
	pthread_cond_destroy(&workers->wanted);
	pthread_mutex_destroy(&workers->mutex);
	free(workers);
}
