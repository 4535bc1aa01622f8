/* SPDX-License-Identifier: BSD-3-Clause */

/* Helpers; see helper.h.  The struct of a helper is on its own stack. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/list.h"

#include "scopes/file/helper.h"
#include "scopes/file/wait.h"

#define SECONDS_KEPT 1

/* Enough for a step of a lock, with room to spare. */
#define STACK_SIZE ((size_t)256 * 1024)

struct helper {
	struct evl_job *job;		/* NULL while it is idle */
	pthread_cond_t is_needed;
	struct evl_link link;		/* in helpers.idle while it is idle */
};

#define HELPER(l) EVL_CONTAINER(l, struct helper, link)

/* The mutex protects the list, and the `job` of each helper in it.  The helper that became idle
 * last comes first. */
static struct {
	pthread_mutex_t mutex;
	struct evl_link idle;
} helpers = { PTHREAD_MUTEX_INITIALIZER, { &helpers.idle, &helpers.idle } };

/* --- fork(): the child has no helpers ------------------------------------------------- */

/* The mutex is made anew, as a thread that the child does not have may have held it. */
static void
after_fork_in_child(void)
{
	evl_list_init(&helpers.idle);
	pthread_mutex_init(&helpers.mutex, NULL);
}

static int handle_fork_error;

static void
handle_fork(void)
{
	handle_fork_error = pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* --- A helper's life -------------------------------------------------------------------- */

static struct timespec
end_of_patience(void)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SECONDS_KEPT;
	return end;
}

/* Waits for the next job, for SECONDS_KEPT.  Returns NULL if none comes.  Called with the mutex
 * held. */
static struct evl_job *
await_job(struct helper *helper)
{
	const struct timespec end = end_of_patience();
	int error = 0;

	helper->job = NULL;
	evl_list_insert_after(&helpers.idle, &helper->link);
	while (!helper->job && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&helper->is_needed, &helpers.mutex, &end);
	if (!helper->job)
		evl_list_remove(&helper->link);
	return helper->job;
}

static int
begin(struct helper *helper)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (error)
		return error;
	error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (!error)
		error = pthread_cond_init(&helper->is_needed, &attributes);
	pthread_condattr_destroy(&attributes);
	return error;
}

/* A helper without a condition variable runs only its first job. */
static void *
live(void *first)
{
	struct evl_job *job = first;
	struct helper helper;
	int is_kept, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	is_kept = !begin(&helper);
	do {
		job->run(job);
		if (!is_kept)
			return NULL;
		pthread_mutex_lock(&helpers.mutex);
		job = await_job(&helper);
		pthread_mutex_unlock(&helpers.mutex);
	} while (job);
	pthread_cond_destroy(&helper.is_needed);
	return NULL;
}

/* --- Starting -------------------------------------------------------------------------- */

static int
create_thread(struct evl_job *job)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error = pthread_attr_init(&attributes);

	if (error)
		return error;
	error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (!error)
		error = pthread_attr_setstacksize(&attributes, STACK_SIZE);
	if (!error)
		error = pthread_create(&thread, &attributes, live, job);
	pthread_attr_destroy(&attributes);
	return error == EAGAIN ? ENOMEM : error;	/* EAGAIN would mean a busy lock */
}

/* Blocks signals in the helper, because they are for the program's own threads. */
static int
create(struct evl_job *job)
{
	sigset_t most, before;
	int error;

	sigfillset(&most);
	sigdelset(&most, evl_wait_signal());
	error = pthread_sigmask(SIG_SETMASK, &most, &before);
	if (error)
		return error;
	error = create_thread(job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static int
give_to_idle(struct evl_job *job)
{
	struct evl_link *link;

	pthread_mutex_lock(&helpers.mutex);
	link = evl_list_pop(&helpers.idle);
	if (link) {
		HELPER(link)->job = job;
		pthread_cond_signal(&HELPER(link)->is_needed);
	}
	pthread_mutex_unlock(&helpers.mutex);
	return link != NULL;
}

int
evl_helper_start(struct evl_job *job)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, handle_fork);
	if (handle_fork_error)
		return handle_fork_error;
	return give_to_idle(job) ? 0 : create(job);
}
