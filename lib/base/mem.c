/* SPDX-License-Identifier: BSD-3-Clause */

/* The allocator; see mem.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <evlock/evlock.h>

#include "base/mem.h"

static void *(*malloc_fn)(size_t) = malloc;
static void (*free_fn)(void *) = free;

void
evlock_set_mem_functions(void *(*new_malloc)(size_t), void *(*new_realloc)(void *, size_t),
    void (*new_free)(void *))
{
	(void)new_realloc;
	malloc_fn = new_malloc ? new_malloc : malloc;
	free_fn = new_free ? new_free : free;
}

void *
evl_mem_new(size_t size)
{
	void *ptr = malloc_fn(size);

	if (!ptr)
		errno = ENOMEM;
	return ptr;
}

void *
evl_mem_zalloc(size_t size)
{
	void *ptr = evl_mem_new(size);

	return ptr ? memset(ptr, 0, size) : NULL;
}

char *
evl_mem_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = evl_mem_new(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

void
evl_mem_free(void *ptr)
{
	if (ptr)
		free_fn(ptr);
}
