/* SPDX-License-Identifier: BSD-3-Clause */

/* Finds things by name; see names.h. */

#include <string.h>

#include <event2/util.h>

#include "scopes/etcd/memory.h"

static void
free_sized(void *ptr, size_t size)
{
	(void)size;
	evl_memory_free(ptr);
}

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) evl_outside_malloc(size)
#define uthash_free(ptr, size) free_sized(ptr, size)
#define uthash_nonfatal_oom(name) ((name)->hh.tbl = NULL)

#include "scopes/etcd/names.h"

static unsigned
hash(const struct evl_names *names, const char *text)
{
	return (unsigned)evl_outside_hash(names->secret, text, strlen(text));
}

/* An empty table draws a new secret, as no entry depends on the old one. */
int
evl_names_add(struct evl_names *names, struct evl_name *name)
{
	if (!names->all)
		evutil_secure_rng_get_bytes(names->secret, sizeof names->secret);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, names->all, name->text, strlen(name->text),
	    hash(names, name->text), name);
	return name->hh.tbl ? 0 : -1;
}

void
evl_names_remove(struct evl_names *names, struct evl_name *name)
{
	if (!name->hh.tbl)
		return;
	HASH_DELETE(hh, names->all, name);
	name->hh.tbl = NULL;
}

struct evl_name *
evl_names_find(struct evl_names *names, const char *text)
{
	struct evl_name *found;

	HASH_FIND_BYHASHVALUE(hh, names->all, text, strlen(text), hash(names, text), found);
	return found;
}
