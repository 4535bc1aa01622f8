/* SPDX-License-Identifier: BSD-3-Clause */

/* Holders of a lock file are killed, one after another.  Each time the next waiter must get the
 * lock.  Every second holder has forked a child that lives on.
 *
 * The process of the test never uses evlock itself, because it forks the processes that do. */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include <evlock/file.h>

#include "../must.h"
#include "../shim.h"

#include "files.h"

#define PATIENCE 60	/* seconds until a test fails */

struct holder {
	pid_t pid;
	int said;		/* a pipe, to report that it holds the lock */
};

struct news {
	pid_t child;		/* forked while the lock was held, or 0 */
};

/* --- The holder ------------------------------------------------------------------- */

static void
sleep_for_ever(void)
{
	for (;;)
		pause();
}

static pid_t
fork_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		alarm(2 * patient(PATIENCE));	/* alarms are not inherited */
		sleep_for_ever();
	}
	return child;
}

struct task {
	int said;
	int forks;
};

static void
on_held(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct task *task = arg;
	struct news news = { 0 };

	(void)lock;
	(void)handle;
	if (error)
		_exit(1);
	if (task->forks)
		news.child = fork_child();
	if (write(task->said, &news, sizeof news) != sizeof news)
		_exit(1);
}

static void
be_holder(struct task *task)
{
	struct event_base *base;
	struct evlock *lock;

	alarm(2 * patient(PATIENCE));
	if (evthread_use_pthreads() < 0)
		_exit(1);
	base = event_base_new();
	lock = evlock_file_new(base, "file", NULL);
	if (!lock || !evlock_acquire(lock, EVLOCK_EXCLUSIVE, NULL, on_held, task))
		_exit(1);
	event_base_dispatch(base);
	sleep_for_ever();
}

static struct holder
start_holder(int forks)
{
	struct holder holder;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	holder.said = ends[0];
	holder.pid = fork();
	cr_assert_geq(holder.pid, 0);
	if (holder.pid == 0) {
		struct task task = { ends[1], forks };

		close(ends[0]);
		be_holder(&task);
	}
	close(ends[1]);
	return holder;
}

/* --- Killing -------------------------------------------------------------------------- */

static int
has_said(const struct holder *holder, int milliseconds)
{
	struct pollfd p = { holder->said, POLLIN, 0 };

	return poll(&p, 1, milliseconds) == 1;
}

static struct news
hear(const struct holder *holder)
{
	struct news news;

	cr_assert(has_said(holder, (int)patient(PATIENCE) * 1000), "the next one does not have the lock");
	cr_assert_eq(read(holder->said, &news, sizeof news), sizeof news, "it has failed");
	return news;
}

static void
end(const struct holder *holder)
{
	cr_assert_eq(kill(holder->pid, SIGKILL), 0);
	cr_assert_eq(waitpid(holder->pid, NULL, 0), holder->pid);
	close(holder->said);
}

/* A process that is dying may have released the lock already, so `since` is taken before. */
static double
hand_over(const struct holder *from, const struct holder *to, struct news *news)
{
	double since = now(), took;

	cr_assert_eq(kill(from->pid, SIGKILL), 0);
	*news = hear(to);
	took = now() - since;
	cr_assert_eq(waitpid(from->pid, NULL, 0), from->pid);
	close(from->said);
	return took;
}

static void
end_child(pid_t child)
{
	if (child)
		cr_assert_eq(kill(child, SIGKILL), 0, "a child of a dead holder did not live on");
}

Test(file_kills, the_next_waiter_has_the_lock, .timeout = 160)
{
	struct holder holder, next;
	struct news news, news_of_next;
	double took, worst = 0;
	int i, n = can_wait() ? (int)must_times(50, 300, 10000) : 0;

	enter_folder();
	holder = start_holder(0);
	news = hear(&holder);
	for (i = 0; i < n; i++) {
		next = start_holder(i % 2);
		if (i % 4 < 2)	/* otherwise the process could be anywhere */
			await_blocked("file", 1);
		cr_assert(!has_said(&next, 0), "two hold at a time");
		took = hand_over(&holder, &next, &news_of_next);
		worst = took > worst ? took : worst;
		end_child(news.child);
		holder = next;
		news = news_of_next;
	}
	end(&holder);
	end_child(news.child);
	holder = start_holder(0);	/* not at once, because that child may still have been
					     forking */
	hear(&holder);
	end(&holder);
	fprintf(stderr, "# %d killed; the worst hand-over took %.1f ms\n", n, worst * 1e3);
	leave_folder();
}
