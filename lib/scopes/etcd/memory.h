/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MEMORY_H_INCLUDED_
#define EVL_MEMORY_H_INCLUDED_

/* The allocator of evlock_set_mem_functions() for this library, which cannot call base/mem. */

#include <string.h>

#include "scopes/outside.h"

/** Returns zero-filled memory, or NULL with errno ENOMEM. */
static inline void *
evl_memory_alloc(size_t size)
{
	void *ptr = evl_outside_malloc(size);

	return ptr ? memset(ptr, 0, size) : NULL;
}

/** Returns a copy, or NULL with errno ENOMEM. */
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
