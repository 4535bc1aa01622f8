/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EXPLORE_H_INCLUDED_
#define EXPLORE_H_INCLUDED_

/* Explores every sequence of the operations of a menu, up to some length or without a limit.
 *
 * Sequences that lead to the same state have the same continuations, so only the first of them is
 * continued.  A state is that of the model, and the places of withdrawn waiters in the library's
 * queues.  States that differ only in the numbers of requests and owners count as one. */

#include "pair.h"

struct explored {
	unsigned long states;	/**< different ones */
	unsigned long steps;	/**< taken and compared */
	unsigned depth;		/**< of the last new state, in operations */
};

/** Explores sequences of at most `depth` operations; 0: until no new state is found.  The loop runs
 * after each operation, unless the menu has PAIR_LOOP as an operation like the others.
 * `is_symmetric`: the first two locks are alike. */
struct explored explore(const struct pair_menu *menu, unsigned depth, int is_symmetric);

#endif
