/* SPDX-License-Identifier: BSD-3-Clause */

/* Many locks that wait in one session, for run.py:
 *
 *	waiters ENDPOINTS COUNT TTL
 *
 * One session holds COUNT locks, and another one waits for all of them.  The program prints "held"
 * when the first session has them all.  On SIGUSR1 it releases them.  When the second session has
 * them all, it prints how long that took: "granted COUNT SECONDS".  Then it frees everything. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>

#include <evlock/etcd.h>

#define MOST 10000

struct party {
	struct evlock_etcd *session;
	struct evlock *locks[MOST];
	evlock_handle handles[MOST];
	int n_held;
};

static struct event_base *base;
static struct party holder, waiter;
static int n_locks, n_closed;
static double released;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "waiters: %s: %s\n", what, why);
	exit(1);
}

static void acquire_all(struct party *p);

static void
leave(struct party *p)
{
	int i;

	for (i = 0; i < n_locks; i++)
		evlock_free(p->locks[i]);
	evlock_etcd_close(p->session);
}

static void
on_granted(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct party *p = arg;

	(void)lock;
	(void)handle;
	if (error)
		fail("not granted", strerror(error));
	if (++p->n_held < n_locks)
		return;
	if (p == &holder) {
		puts("held");
		fflush(stdout);
		acquire_all(&waiter);
	} else {
		printf("granted %d %.3f\n", p->n_held, now() - released);
		leave(&holder);
		leave(&waiter);
	}
}

static void
on_notice(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	(void)lock;
	(void)handle;
	(void)arg;
	if (error)
		fail("lost", strerror(error));
}

static void
acquire_all(struct party *p)
{
	struct evlock_request request = { .mode = EVLOCK_EXCLUSIVE, .cb = on_granted,
	    .notice_cb = on_notice, .arg = p };
	int i;

	for (i = 0; i < n_locks; i++) {
		p->handles[i] = evlock_acquire_request(p->locks[i], &request);
		if (!p->handles[i])
			fail("no request", "");
	}
}

static void
on_signal(evutil_socket_t fd, short what, void *arg)
{
	int i;

	(void)fd;
	(void)what;
	(void)arg;
	released = now();
	for (i = 0; i < n_locks; i++)
		if (evlock_release(holder.locks[i], holder.handles[i]) < 0)
			fail("not held", "");
}

static void
on_state(struct evlock_etcd *session, enum evlock_etcd_state state, const char *reason, void *arg)
{
	(void)session;
	(void)arg;
	fprintf(stderr, "waiters: %d %s\n", (int)state, reason);
	if (state == EVLOCK_ETCD_CLOSED && ++n_closed == 2)
		event_base_loopbreak(base);
}

static void
join(struct party *p, const struct evlock_etcd_options *options)
{
	char name[40];
	int i;

	p->session = evlock_etcd_open(base, options, on_state, NULL);
	if (!p->session)
		fail("no session", "");
	for (i = 0; i < n_locks; i++) {
		snprintf(name, sizeof name, "many-%d", i);
		p->locks[i] = evlock_etcd_new(p->session, name, NULL);
		if (!p->locks[i])
			fail("no lock", name);
	}
}

int
main(int argc, char **argv)
{
	struct evlock_etcd_options options = { 0 };

	if (argc != 4 || (n_locks = atoi(argv[2])) < 1 || n_locks > MOST) {
		fprintf(stderr, "usage: waiters ENDPOINTS COUNT TTL\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	options.endpoints = argv[1];
	options.ttl = (unsigned)atoi(argv[3]);
	base = event_base_new();
	event_add(evsignal_new(base, SIGUSR1, on_signal, NULL), NULL);
	join(&holder, &options);
	join(&waiter, &options);
	acquire_all(&holder);
	event_base_dispatch(base);
	return 0;
}
