/* SPDX-License-Identifier: BSD-3-Clause */

/* The locks of documents: from a table, which has one for each document that is in use.
 * With several loops, each has an object of its own for the same table. */

#include <stdlib.h>
#include <string.h>

#include <evlock/table.h>

#include "locks.h"
#include "options.h"

struct locks {
	struct evlock_table *table;
};

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
	locks->table = first ? evlock_table_share(first->table, base) : make_table(options, base);
	if (locks->table)
		return locks;
	free(locks);
	return NULL;
}

struct evlock *
locks_open(struct locks *locks, const char *name)
{
	return evlock_table_lock(locks->table, name, strlen(name));
}

void
locks_free(struct locks *locks)
{
	if (locks == NULL)
		return;
	evlock_table_free(locks->table);
	free(locks);
}
