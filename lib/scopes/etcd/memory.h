/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MEMORY_H_INCLUDED_
#define EVL_MEMORY_H_INCLUDED_

/* The allocator of evlock_set_mem_functions(), for this library, which does not see mem.h. */

#include <string.h>

#include "scopes/outside.h"

/** Zeroed.  NULL with errno ENOMEM, as the next. */
static inline void *
evl_memory_alloc(size_t size)
{
	void *ptr = evl_outside_malloc(size);

	return ptr ? memset(ptr, 0, size) : NULL;
}

static inline char *
evl_memory_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = evl_outside_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

static inline void
evl_memory_free(void *ptr)
{
	evl_outside_mfree(ptr);
}

#endif
