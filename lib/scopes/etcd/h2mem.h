/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_H2MEM_H_INCLUDED_
#define EVL_H2MEM_H_INCLUDED_

/* The allocator of evlock_set_mem_functions() in the form that nghttp2 needs.  Called by h2. */

#include <nghttp2/nghttp2.h>

nghttp2_mem *evl_h2mem(void);

#endif
