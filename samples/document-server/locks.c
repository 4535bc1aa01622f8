/* SPDX-License-Identifier: BSD-3-Clause */

/* The locks of documents: from a table, which has one for each document that is in use.
 * With several loops, each has an object of its own for the same table.
 *
 * Or from an etcd cluster, with --etcd: each loop has a session of its own there.
 * Or, with --lock-file, from files: the lock of the document NAME is kept on .NAME.lock
 * beside it, for all servers of the folder. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <evlock/file.h>
#include <evlock/table.h>
#ifdef WITH_ETCD
#include <evlock/etcd.h>
#endif

#include "locks.h"
#include "options.h"

struct locks {
	struct evlock_table *table;	/* NULL: there is a session, or a folder */
	struct evlock_etcd *session;
	const char *folder;		/* of lock files */
	struct event_base *base;
};

/* --- In a cluster ----------------------------------------------------------- */

#ifdef WITH_ETCD

#define NEEDED_MS 100	/* that a hold has to last for one more step on the disk */

static void
hear(struct evlock_etcd *session, enum evlock_etcd_state state, const char *reason, void *arg)
{
	struct locks *locks = arg;

	(void)session;
	if (state == EVLOCK_ETCD_CLOSED)
		event_base_loopbreak(locks->base);
	else if (state != EVLOCK_ETCD_READY)
		fprintf(stderr, "document-server: etcd: %s\n", reason);
}

static bool
join_cluster(struct locks *locks, const char *endpoints)
{
	const struct evlock_etcd_options options = {
		.endpoints = endpoints, .prefix = "document-server/"
	};

	locks->session = evlock_etcd_open(locks->base, &options, hear, locks);
	return locks->session != NULL;
}

static void
leave_cluster(struct locks *locks)
{
	evlock_etcd_close(locks->session);
	event_base_dispatch(locks->base);
}

static struct evlock *
open_in_cluster(struct locks *locks, const char *name)
{
	return evlock_etcd_new(locks->session, name, NULL);
}

static bool
is_certain(const struct evlock *lock, evlock_handle handle)
{
	struct timespec now, until;
	long long ms;

	if (evlock_etcd_valid_until(lock, handle, &until) < 0)
		return false;
	clock_gettime(CLOCK_BOOTTIME, &now);
	ms = (until.tv_sec - now.tv_sec) * 1000LL + (until.tv_nsec - now.tv_nsec) / 1000000;
	return ms > NEEDED_MS;
}

#else

static bool
join_cluster(struct locks *locks, const char *endpoints)
{
	(void)locks, (void)endpoints;
	fprintf(stderr, "document-server: it was built without etcd\n");
	errno = ENOTSUP;
	return false;
}

static void
leave_cluster(struct locks *locks)
{
	(void)locks;
}

static struct evlock *
open_in_cluster(struct locks *locks, const char *name)
{
	(void)locks, (void)name;
	return NULL;
}

static bool
is_certain(const struct evlock *lock, evlock_handle handle)
{
	(void)lock, (void)handle;
	return true;
}

#endif

/* --- On files --------------------------------------------------------------- */

static struct evlock *
open_file(const struct locks *locks, const char *name)
{
	size_t size = strlen(locks->folder) + strlen(name) + sizeof("/..lock");
	const struct evlock_options options = { .name = name };
	struct evlock *lock = NULL;
	char *path = malloc(size);

	if (path) {
		snprintf(path, size, "%s/.%s.lock", locks->folder, name);
		lock = evlock_file_new(locks->base, path, &options);
	}
	free(path);
	return lock;
}

/* --- Here ------------------------------------------------------------------- */

static struct evlock_table *
make_table(const struct options *options, struct event_base *base)
{
	const struct evlock_options table = {
		.name = "document",
		.flags = options->threads > 1 ? EVLOCK_OPT_THREADSAFE : 0
	};

	return evlock_table_new(base, &table);
}

struct locks *
locks_new(const struct options *options, struct event_base *base, struct locks *first)
{
	struct locks *locks = calloc(1, sizeof(*locks));

	if (locks == NULL)
		return NULL;
	locks->base = base;
	if (options->etcd) {
		if (join_cluster(locks, options->etcd))
			return locks;
		free(locks);
		return NULL;
	}
	if (options->lock_file) {
		locks->folder = options->folder;
		return locks;
	}
	locks->table = first ? evlock_table_share(first->table, base) : make_table(options, base);
	if (locks->table)
		return locks;
	free(locks);
	return NULL;
}

struct evlock *
locks_open(struct locks *locks, const char *name)
{
	if (locks->table)
		return evlock_table_lock(locks->table, name, strlen(name));
	return locks->folder ? open_file(locks, name) : open_in_cluster(locks, name);
}

bool
locks_hold(const struct locks *locks, const struct evlock *lock, evlock_handle handle)
{
	return !locks->session || is_certain(lock, handle);
}

void
locks_free(struct locks *locks)
{
	if (locks == NULL)
		return;
	if (locks->table)
		evlock_table_free(locks->table);
	else if (locks->session)
		leave_cluster(locks);
	free(locks);
}
