/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SIPHASH_H_INCLUDED_
#define EVL_SIPHASH_H_INCLUDED_

#include <stddef.h>
#include <stdint.h>

/** Returns SipHash-2-4 of `len` bytes under a key of 16 bytes.  Without the key, nobody can
 * find collisions.  J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF,
 * INDOCRYPT 2012. */
uint64_t evl_siphash(const unsigned char *key, const void *data, size_t len);

#endif
