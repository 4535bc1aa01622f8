/* SPDX-License-Identifier: BSD-3-Clause */

/* See choices.h.  To try everything, a run follows the wheels of an odometer as far as they have
 * been set, and takes 0 from there on.  Then the last wheel advances by one. */

#include <string.h>

#include "choices.h"

void
choices_all(struct choices *c, unsigned most)
{
	memset(c, 0, sizeof *c);
	c->kind = CHOICES_ALL;
	c->most = most;
	c->left = most;
}

void
choices_random(struct choices *c, uint64_t seed, unsigned long n)
{
	memset(c, 0, sizeof *c);
	c->kind = CHOICES_RANDOM;
	c->state = seed;
	c->left = n;
}

void
choices_bytes(struct choices *c, const uint8_t *byte, size_t n)
{
	memset(c, 0, sizeof *c);
	c->kind = CHOICES_BYTES;
	c->byte = byte;
	c->left = n;
}

int
choices_are_over(const struct choices *c)
{
	return !c->left;
}

/* splitmix64 */
static uint64_t
draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static unsigned
turn(struct choices *c, unsigned n)
{
	c->of[c->pos] = n;
	return c->at[c->pos++];
}

unsigned
choose(struct choices *c, unsigned n)
{
	if (!c->left)
		return 0;
	c->left--;
	switch (c->kind) {
	case CHOICES_RANDOM:
		return (unsigned)(draw(&c->state) % n);
	case CHOICES_BYTES:
		return *c->byte++ % n;	/* n is 1 to 256 */
	default:
		return turn(c, n);
	}
}

int
choices_again(struct choices *c)
{
	while (c->pos > 0 && c->at[c->pos - 1] + 1 >= c->of[c->pos - 1])
		c->at[--c->pos] = 0;
	if (!c->pos)
		return 0;
	c->at[c->pos - 1]++;
	c->pos = 0;
	c->left = c->most;
	return 1;
}
