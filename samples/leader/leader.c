/* SPDX-License-Identifier: BSD-3-Clause */

/* leader: a job that runs on one of several machines at a time, and what keeps it from harm when
 * that cannot be known for sure.
 *
 * Whoever has the lock, leads.  A leader that is paused, or cut off, leads no more without knowing
 * it; so each of its writes carries the fencing token of its lock, and the store refuses those that
 * are smaller than one it has seen.  Here the store is a file, in store.c.
 *
 * Compile: cc -o leader *.c $(pkg-config --cflags --libs evlock_etcd evlock libevent_core)
 * Try, with an etcd on this machine (apt-get install etcd-server; etcd &):
 *	./leader --name one --store /tmp/store &
 *	./leader --name two --store /tmp/store &
 *	kill -STOP %1; sleep 20; kill -CONT %1	# see who leads, and what becomes of the other
 */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/etcd.h>

#include "store.h"

struct leader {
	const char *name;
	const char *store;
	struct event_base *base;
	struct evlock_etcd *session;
	struct evlock *lock;
	evlock_handle handle;		/* 0: not asked for */
	struct event *work;		/* the next piece of the job, while it leads */
	unsigned n_done;
};

static void lead(struct evlock *lock, evlock_handle handle, int error, void *arg);
static void be_told(struct evlock *lock, evlock_handle handle, int error, void *arg);

static void
say(const struct leader *leader, const char *what)
{
	printf("%s: %s\n", leader->name, what);
}

static void
stand(struct leader *leader)
{
	struct evlock_request request = {
		.mode = EVLOCK_EXCLUSIVE, .cb = lead, .notice_cb = be_told, .arg = leader
	};

	leader->handle = evlock_acquire_request(leader->lock, &request);
	if (!leader->handle)
		perror(leader->name);
}

static void
lead(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct leader *leader = arg;

	if (error == ECANCELED)	/* the lock is freed: we are leaving */
		return;
	if (error) {
		say(leader, strerror(error));
		stand(leader);
		return;
	}
	printf("%s: leads, token %" PRIu64 "\n", leader->name, evlock_etcd_token(lock, handle));
	event_add(leader->work, &now);
}

/* The lease ended: somebody else may lead by now. */
static void
be_told(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	struct leader *leader = arg;

	(void)lock, (void)handle;
	if (error != ESTALE)	/* somebody of this process waits: nobody does */
		return;
	say(leader, "lost the lead");
	event_del(leader->work);
	stand(leader);
}

/* One piece of the job.  There is no need to ask for the time first: the store does not take
 * what comes too late. */
static void
work(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { 0, 200000 };
	struct leader *leader = arg;
	uint64_t token = evlock_etcd_token(leader->lock, leader->handle);
	int error;

	(void)fd, (void)what;
	error = store_write(leader->store, token, leader->name, ++leader->n_done);
	if (error == ESTALE)
		printf("%s: refused, token %" PRIu64 " is old\n", leader->name, token);
	else if (error)
		say(leader, strerror(error));
	event_add(leader->work, &pause);
}

static void
hear(struct evlock_etcd *session, enum evlock_etcd_state state, const char *reason, void *arg)
{
	static const char *const names[] = { "connecting", "ready", "suspect", "lost", "closed" };
	struct leader *leader = arg;

	(void)session;
	printf("%s: %s (%s)\n", leader->name, names[state], reason);
	if (state == EVLOCK_ETCD_CLOSED)
		event_base_loopbreak(leader->base);
}

/* In order: the next one leads at once, and does not wait for the lease to end. */
static void
leave(evutil_socket_t signal, short what, void *arg)
{
	struct leader *leader = arg;

	(void)signal, (void)what;
	event_del(leader->work);
	evlock_free(leader->lock);
	evlock_etcd_close(leader->session);
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: leader --name NAME --store FILE [--etcd URL,...] [--ttl SECONDS]\n");
	exit(2);
}

static void
read_options(struct leader *leader, struct evlock_etcd_options *options, int argc, char **argv)
{
	static const struct option known[] = {
		{ "name", required_argument, NULL, 'n' }, { "store", required_argument, NULL, 's' },
		{ "etcd", required_argument, NULL, 'e' }, { "ttl", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'n': leader->name = optarg; break;
		case 's': leader->store = optarg; break;
		case 'e': options->endpoints = optarg; break;
		case 't': options->ttl = (unsigned)atoi(optarg); break;
		default: usage();
		}
	}
	if (!leader->name || !leader->store || optind != argc)
		usage();
}

int
main(int argc, char **argv)
{
	struct leader leader = { 0 };
	struct evlock_etcd_options options = { 0 };
	struct event *term;

	read_options(&leader, &options, argc, argv);
	signal(SIGPIPE, SIG_IGN);	/* a connection that breaks is an error, not the end */
	setvbuf(stdout, NULL, _IOLBF, 0);
	leader.base = event_base_new();
	leader.session = evlock_etcd_open(leader.base, &options, hear, &leader);
	leader.lock = leader.session ? evlock_etcd_new(leader.session, "leader", NULL) : NULL;
	if (!leader.lock) {
		perror("leader");
		return 1;
	}
	leader.work = event_new(leader.base, -1, 0, work, &leader);
	term = event_new(leader.base, SIGTERM, EV_SIGNAL, leave, &leader);
	event_add(term, NULL);
	stand(&leader);
	event_base_dispatch(leader.base);
	event_free(term);
	event_free(leader.work);
	event_base_free(leader.base);
	return 0;
}
