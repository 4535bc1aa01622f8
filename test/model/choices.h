/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHOICES_H_INCLUDED_
#define CHOICES_H_INCLUDED_

/* The source of a test's decisions.  A run of a test asks for one decision after another.  It does
 * not know whether all decisions are tried in turn, drawn at random, or read from a fuzzer's
 * bytes. */

#include <stddef.h>
#include <stdint.h>

#define CHOICES_MOST 32	/* of one run that is to be tried in every way */

struct choices {
	enum { CHOICES_ALL, CHOICES_RANDOM, CHOICES_BYTES } kind;
	unsigned long left;		/**< decisions that this run has left */
	uint64_t state;			/**< RANDOM */
	const uint8_t *byte;		/**< BYTES */
	unsigned pos, most;		/**< ALL: this run has made pos decisions of `most` */
	unsigned at[CHOICES_MOST];	/**< ALL: what each was */
	unsigned of[CHOICES_MOST];	/**< ALL: of how many ways */
};

/** Tries every way to decide up to `most` times; see choices_again(). */
void choices_all(struct choices *c, unsigned most);

/** Draws `n` decisions, the same ones for the same seed. */
void choices_random(struct choices *c, uint64_t seed, unsigned long n);

void choices_bytes(struct choices *c, const uint8_t *byte, size_t n);

/** Has this run made all its decisions? */
int choices_are_over(const struct choices *c);

/** Returns the next decision, 0 to n - 1; 0 when they are over. */
unsigned choose(struct choices *c, unsigned n);

/** Begins the next run of CHOICES_ALL.  Returns 0 if there is none. */
int choices_again(struct choices *c);

#endif
