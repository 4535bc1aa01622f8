/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TIES_H_INCLUDED_
#define EVL_TIES_H_INCLUDED_

/* A seat is the place of one request in one lock.  Ties connect a seat to other seats: those of
 * the same request for a set, those of the same owner, and a conversion to the seat that it
 * converts.
 *
 * Pure, like core.h, which has the rules.  The caller owns the memory and serializes the
 * calls. */

#include <evlock/evlock.h>

#include "base/list.h"

#define EVL_OWNED(l) EVL_CONTAINER(l, struct evl_ties, owner_link)

/** The state of a seat.
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
 *	                        | mark_gone          bury
 *	                        +------> GONE ---------------------> (FREE)
 *
 * Unlinking a seat in the middle of a queue loads its neighbours' memory, which is slow in
 * a long queue.  So a plain seat that is withdrawn there stays linked, as GONE.  Its memory
 * goes back when the seat comes to the front of the queue, or when the queue is swept.
 *
 * A request that ends while another thread may be about to look at it is VOID until the
 * thread of its own base has seen it.
 *
 * A conversion is a separate seat that holds nothing.  When it is GRANTED, the seat that it
 * converts holds in the new mode.
 */
enum evl_state {
	EVL_FREE,
	EVL_GONE,	/**< withdrawn; still linked in a core's queue */
	EVL_QUEUED,	/**< waits; linked in a core's queue */
	EVL_GRANTED,	/**< holds; linked in a port's FIFO */
	EVL_HELD,	/**< holds, and its callback has run; linked in its lock object's list */
	EVL_FAILED,	/**< holds nothing; `units` is the errno; linked in a port's FIFO */
	EVL_VOID	/**< has ended without a callback; linked in a port's FIFO */
};

struct evl_core;
struct evl_owner;
struct evl_seat;

/** Binds a seat to other seats.  Most seats have no ties. */
struct evl_ties {
	struct evl_seat *seat;		/**< the seat that has these ties */
	struct evl_core *core;		/**< the lock of that seat */
	struct evl_seat *lead;		/**< the seat that stands for the request */
	struct evl_ties *next;		/**< the ties of the request's next seat, in a ring */
	struct evl_seat *of;		/**< in a conversion: the seat that it converts */
	struct evl_seat *conversion;	/**< in a held seat: its conversion, until the callback of
					     the conversion runs */
	struct evl_owner *owner;	/**< NULL: none */
	struct evl_link owner_link;	/**< in owner->ties or owner->over */
	struct evl_link holder_link;	/**< in core->holders, while it holds and has an owner */
	struct evl_link *behind;	/**< the link before the seat, while it is pulled out of the
					     queue to go ahead of it; else NULL */
	uint8_t is_bound;		/**< has other seats, an owner, or a seat to convert, or
					     was put ahead of a seat that does */
	uint8_t is_ahead;		/**< while QUEUED: in core->ahead, not core->queue */
	uint8_t mode_before;		/**< in a granted conversion: the mode before */
	uint8_t passes, is_settled;	/**< scratch of deadlock.c */
};

/** The owner of a set of requests. */
struct evl_owner {
	struct evl_link ties;		/**< ties of its seats that wait or hold, by owner_link */
	struct evl_link over;		/**< ties of its requests that are over and not called back
					     yet; their locks may be freed */
	struct evl_owner *next_seen;	/**< scratch of deadlock.c, as is_seen and is_stuck */
	uint8_t is_seen, is_stuck;
	uint8_t is_doubted;		/**< is in evl_change.doubted of the step under way */
	struct evl_owner *next_doubted;
	uint8_t is_self;		/**< stands for a single handle, not for an evlock_owner */
};

/** One request's place in one lock. */
struct evl_seat {
	struct evl_link link;	/**< in the list that enum evl_state names */
	uint32_t units;
	uint8_t mode;
	uint8_t state;		/**< enum evl_state */
	uint8_t rank;		/**< higher ranks are queued first; see evl_core_rank() */
	uint8_t role;		/**< for the caller's use; the core does not look at it */
	struct evl_ties *ties;	/**< NULL: none */
};

#define EVL_SEAT(l) EVL_CONTAINER(l, struct evl_seat, link)

/** Gives `seat` ties that connect it to no other seat yet. */
void evl_ties_init(struct evl_ties *ties, struct evl_seat *seat, struct evl_core *core);

/** Adds the seat of `ties` to the request that `lead` stands for. */
void evl_ties_join(struct evl_ties *ties, struct evl_ties *lead);

/** Does the seat hold units of its lock?  A conversion never does. */
static inline int
evl_ties_hold(const struct evl_ties *ties)
{
	return !ties->of && (ties->seat->state == EVL_GRANTED || ties->seat->state == EVL_HELD);
}

/** Makes an owner without requests. */
void evl_ties_init_owner(struct evl_owner *owner);

/** Gives a seat an owner.  The seat must not be queued yet. */
void evl_ties_own(struct evl_ties *ties, struct evl_owner *owner);

/** Takes the owner away from a seat that neither waits nor holds. */
void evl_ties_disown(struct evl_ties *ties);

/** Separates the request that `lead` stands for from its other seats, because their locks may be
 * freed before its callback runs.  The request must be a granted conversion, or neither wait nor
 * hold. */
void evl_ties_part(struct evl_ties *lead);

/** Does the request have a single seat? */
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

/** Visits the ties of each seat of a bound request. */
#define EVL_TIES_EACH(t, first_ties) \
	for ((t) = (first_ties); (t); (t) = (t)->next == (first_ties) ? NULL : (t)->next)

/** Is only the callback of the request left to run: has it failed, or is it a granted
 * conversion? */
static inline int
evl_ties_are_over(const struct evl_seat *seat)
{
	return seat->state == EVL_FAILED ||
	    (seat->state == EVL_GRANTED && seat->ties && seat->ties->of);
}

/** Does a seat hold units of its lock, or is it a granted conversion? */
static inline int
evl_ties_are_held(const struct evl_seat *seat)
{
	return seat->state == EVL_GRANTED || seat->state == EVL_HELD;
}

#endif
