/* SPDX-License-Identifier: BSD-3-Clause */

/* An allocator for nghttp2; see h2mem.h.  evlock's own has no realloc(), which only nghttp2 needs.
 * So each block begins with its size. */

#include <stdint.h>
#include <string.h>

#include "scopes/etcd/h2mem.h"
#include "scopes/etcd/memory.h"

union head {
	size_t size;
	long double aligned;
};

static void *
allocate(size_t size, void *unused)
{
	union head *head = size < SIZE_MAX - sizeof *head
	    ? evl_outside_malloc(sizeof *head + size) : NULL;

	(void)unused;
	if (!head)
		return NULL;
	head->size = size;
	return head + 1;
}

static void
give(void *ptr, void *unused)
{
	(void)unused;
	if (ptr)
		evl_memory_free((union head *)ptr - 1);
}

static void *
allocate_zeroed(size_t n, size_t size, void *unused)
{
	void *ptr = !size || n <= SIZE_MAX / size ? allocate(n * size, unused) : NULL;

	return ptr ? memset(ptr, 0, n * size) : NULL;
}

static void *
resize(void *old, size_t size, void *unused)
{
	size_t had = old ? ((union head *)old - 1)->size : 0;
	void *ptr = allocate(size, unused);

	if (!ptr)
		return NULL;
	if (old)
		memcpy(ptr, old, had < size ? had : size);
	give(old, unused);
	return ptr;
}

nghttp2_mem *
evl_h2mem(void)
{
	static nghttp2_mem mem = { NULL, allocate, give, allocate_zeroed, resize };

	return &mem;
}
