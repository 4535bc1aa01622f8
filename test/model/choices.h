/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHOICES_H_INCLUDED_
#define CHOICES_H_INCLUDED_

/* Where a test's decisions come from.  A run of a test asks for one decision after
 * another; whether they are all tried in turn, drawn, or read from a fuzzer's bytes
 * is none of its business. */

#include <stddef.h>
#include <stdint.h>

#define CHOICES_MOST 32	/* of one run that is to be tried in every way */

struct choices {
	enum { CHOICES_ALL, CHOICES_RANDOM, CHOICES_BYTES } kind;
	unsigned long left;		/**< decisions, in this run */
	uint64_t state;			/**< RANDOM */
	const uint8_t *byte;		/**< BYTES */
	unsigned pos, most;		/**< ALL: at[0] to at[pos - 1] were asked for so far ... */
	unsigned at[CHOICES_MOST];	/**< ... each of them was decided so ... */
	unsigned of[CHOICES_MOST];	/**< ... of so many ways */
};

/** Every way to decide up to `most` times; see choices_again(). */
void choices_all(struct choices *c, unsigned most);

/** A run of `n` decisions, the same for the same seed. */
void choices_random(struct choices *c, uint64_t seed, unsigned long n);

void choices_bytes(struct choices *c, const uint8_t *byte, size_t n);

/** Are there no more decisions in this run? */
int choices_are_over(const struct choices *c);

/** Decides: returns one of 0 to n - 1; 0 when they are over. */
unsigned choose(struct choices *c, unsigned n);

/** The next run of CHOICES_ALL; returns 0 if that was the last one. */
int choices_again(struct choices *c);

#endif
