/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NUMBERS_H_INCLUDED_
#define NUMBERS_H_INCLUDED_

/* Numbers on the command line, read as flock(1) reads them: blanks and a sign may stand ahead
 * of a number, and nothing behind it.  A number that makes no sense is refused with a message
 * and exit status 64. */

#include <sys/types.h>

/** Decimal fractions and exponents are allowed.  The result may be negative, infinite or NaN. */
double number_seconds(const char *text);

/** An exit status, 0 to 255. */
int number_status(const char *text);

/** Any int: the kernel knows which descriptors are open. */
int number_descriptor(const char *text);

/** A number of bytes, which may end in K, M, G or T (of 1024), or in KiB..., or in KB... (of
 * 1000). */
off_t number_bytes(const char *text);

#endif
