/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TIES_H_INCLUDED_
#define EVL_TIES_H_INCLUDED_

/* Seats, which are requests' places in locks, and what ties them to each other: the other
 * seats of a request for a set, an owner, a conversion and what it converts.
 *
 * Pure, as the core, which has the rules.  The caller owns the memory and serializes the
 * calls. */

#include <evlock/evlock.h>

#include "base/list.h"

#define EVL_OWNED(l) EVL_CONTAINER(l, struct evl_ties, owner_link)

/** Where a seat stands.
 *
 *	          enqueue            promote             the callback runs
 *	(FREE) ------------> QUEUED ---------> GRANTED ------------------> HELD
 *	                        |                 |                          |
 *	                        | withdraw        | release                  | release
 *	                        +-----> (FREE) <--+--------------------------+
 *	                        |
 *	                        | timeout, close     the callback runs
 *	                        +------> FAILED -------------------> (FREE)
 *	                        |
 *	                        | mark_gone          the queue passes it, or is swept
 *	                        +------> GONE ---------------------> (FREE)
 *
 * A plain seat in the middle of a queue is not taken out when it is withdrawn, since
 * that would fetch its neighbours' memory, for a long queue from afar.  Nobody waits
 * there any more, and its memory goes back when the queue comes to it.
 *
 * A request that ends where another thread may be about to look at it is VOID until
 * its own thread has seen it.
 *
 * A conversion is a seat of its own that holds nothing: once GRANTED, the seat
 * that it converts holds in the new mode.
 */
enum evl_state {
	EVL_FREE,
	EVL_GONE,	/**< is nobody's, still linked in a core's queue */
	EVL_QUEUED,	/**< linked in a core's queue */
	EVL_GRANTED,	/**< holds, is linked in a port's FIFO */
	EVL_HELD,	/**< holds, its callback has run, is linked in its lock object's list */
	EVL_FAILED,	/**< holds nothing, `units` is the errno, is linked in a port's FIFO */
	EVL_VOID	/**< has ended, and is linked in a port's FIFO: not to be told of */
};

struct evl_core;
struct evl_owner;
struct evl_seat;

/** What binds a seat to other seats; most have nothing of the sort. */
struct evl_ties {
	struct evl_seat *seat;		/**< whose ties these are */
	struct evl_core *core;		/**< the lock that it is a place in */
	struct evl_seat *lead;		/**< the seat that stands for the request */
	struct evl_ties *next;		/**< of the request's next seat, in a ring */
	struct evl_seat *of;		/**< in a conversion: the seat that is to be converted */
	struct evl_seat *conversion;	/**< in a held seat: its conversion, until that is told */
	struct evl_owner *owner;	/**< NULL: none */
	struct evl_link owner_link;	/**< in owner->ties or owner->over */
	struct evl_link holder_link;	/**< in core->holders, while it holds and has an owner */
	struct evl_link *behind;	/**< while it is pulled out of the queue, to go ahead of
					     it: where it stood */
	uint8_t is_bound;		/**< has other seats, an owner, or a seat to convert, or
					     was put ahead of somebody who does */
	uint8_t is_ahead;		/**< in core->ahead, not core->queue, while QUEUED */
	uint8_t mode_before;		/**< in a conversion that was given: the mode before */
	uint8_t passes, is_settled;	/**< scratch of deadlock.c */
};

/** Whoever a set of requests belongs to. */
struct evl_owner {
	struct evl_link ties;		/**< of its seats that wait or hold, by owner_link */
	struct evl_link over;		/**< of its requests whose end is not told yet: nothing in
					     here leads to a lock that may be gone */
	struct evl_owner *next_seen;	/**< scratch of deadlock.c, as the rest */
	uint8_t is_seen, is_stuck;
	uint8_t is_doubted;		/**< is in the list of a step */
	struct evl_owner *next_doubted;
	uint8_t is_self;		/**< no owner of the caller's: a handle by itself */
};

/** One request's place in one lock. */
struct evl_seat {
	struct evl_link link;	/**< the state says in which list */
	uint32_t units;
	uint8_t mode;
	uint8_t state;		/**< enum evl_state */
	uint8_t rank;		/**< higher ones are queued first, see evl_core_rank() */
	uint8_t role;		/**< the caller's; the core does not look at it */
	struct evl_ties *ties;	/**< NULL: none */
};

#define EVL_SEAT(l) EVL_CONTAINER(l, struct evl_seat, link)

/** A seat's ties, to none so far. */
void evl_ties_init(struct evl_ties *ties, struct evl_seat *seat, struct evl_core *core);

/** Makes `ties` those of one more seat of the request that `lead` stands for. */
void evl_ties_join(struct evl_ties *ties, struct evl_ties *lead);

/** Does the seat hold units of its lock?  A conversion never does. */
static inline int
evl_ties_hold(const struct evl_ties *ties)
{
	return !ties->of && (ties->seat->state == EVL_GRANTED || ties->seat->state == EVL_HELD);
}

/** An owner of nothing. */
void evl_ties_init_owner(struct evl_owner *owner);

/** Gives a seat an owner, and takes it away again, before and after it has a place. */
void evl_ties_own(struct evl_ties *ties, struct evl_owner *owner);

void evl_ties_disown(struct evl_ties *ties);

/** The request that `lead` stands for neither waits nor holds any more, or is a conversion that
 * was given: it leaves its other seats, whose locks may be freed before its end is told. */
void evl_ties_part(struct evl_ties *lead);

/** Has the request no other seat? */
static inline int
evl_ties_are_single(const struct evl_ties *ties)
{
	return ties->next == ties;
}

static inline int
evl_ties_are_bound(const struct evl_seat *seat)
{
	return seat->ties && seat->ties->is_bound;
}

/** Goes through the seats of a bound request: their ties. */
#define EVL_TIES_EACH(t, first_ties) \
	for ((t) = (first_ties); (t); (t) = (t)->next == (first_ties) ? NULL : (t)->next)

/** Has a request failed, or is it a conversion that was given, and only to be told? */
static inline int
evl_ties_are_over(const struct evl_seat *seat)
{
	return seat->state == EVL_FAILED ||
	    (seat->state == EVL_GRANTED && seat->ties && seat->ties->of);
}

/** Does a seat hold units of its lock, or has a conversion been given? */
static inline int
evl_ties_are_held(const struct evl_seat *seat)
{
	return seat->state == EVL_GRANTED || seat->state == EVL_HELD;
}

#endif
