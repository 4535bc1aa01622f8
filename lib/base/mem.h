/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MEM_H_INCLUDED_
#define EVL_MEM_H_INCLUDED_

/* The allocator: malloc() and its kin unless evlock_set_mem_functions()
 * replaced them.  Called from everywhere; needs no mutex. */

#include <stddef.h>

/** All three return NULL with errno ENOMEM if there is no memory. */
void *evl_mem_new(size_t size);
void *evl_mem_zalloc(size_t size);
char *evl_mem_strdup(const char *text);
void evl_mem_free(void *ptr);

#endif
