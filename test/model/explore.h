/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EXPLORE_H_INCLUDED_
#define EXPLORE_H_INCLUDED_

/* Every sequence of operations of a menu, up to a length, or however long.
 *
 * A state of the model stands for the sequences that lead to it, together with the places in
 * the library's queues of those that have withdrawn.  Of sequences that lead to the same state
 * only the first is gone on with.  Requests, and owners, are told apart by what they do, not by
 * their numbers. */

#include "pair.h"

struct explored {
	unsigned long states;	/**< different ones */
	unsigned long steps;	/**< taken and compared */
	unsigned depth;		/**< operations that the last new state takes */
};

/** With at most `depth` operations; 0: until no new state turns up.  The loop runs after each
 * operation, unless the menu has PAIR_LOOP for an operation like the others.  `is_symmetric`:
 * the first two locks are alike, too. */
struct explored explore(const struct pair_menu *menu, unsigned depth, int is_symmetric);

#endif
