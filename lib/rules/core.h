/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CORE_H_INCLUDED_
#define EVL_CORE_H_INCLUDED_

/* The rules of one lock: what is held, who is queued, who may be granted.
 *
 * Pure: no libevent, no clock, no thread, no malloc.  The caller owns the
 * memory of cores and seats and serializes the calls.  What concerns more than one
 * queue is in change.h, bound.h and grant.h.
 *
 * The grant rule: a seat is granted when it fits what is held, and nobody ahead
 * of it still waits.  A request may have several seats, each in another lock; it
 * is granted, all at once, when each of them could be, and one that is first in
 * its queue and waits for the others holds that queue back.
 *
 * Conversions, and requests for what their owner holds already, stand ahead of
 * the queue, and each is granted as soon as it fits: those in the queue wait for
 * their owners, who would be waiting for themselves otherwise.
 */

#include <limits.h>

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
	uint8_t rank;		/**< higher ones are queued first, see evl_core_rank() */
	uint8_t state;		/**< enum evl_state */
	uint8_t role;		/**< the caller's; the core does not look at it */
	struct evl_ties *ties;	/**< NULL: none */
};

#define EVL_SEAT(l) EVL_CONTAINER(l, struct evl_seat, link)

#define EVL_PRIORITIES	4
#define EVL_RANKS	(2 * EVL_PRIORITIES)

/** One lock.  The units held in each mode lie behind it: evl_core_held(). */
struct evl_core {
	const struct evlock_mode *mode;
	uint32_t n_modes;
	uint8_t is_closed;
	uint8_t is_counted;		/**< some mode has a limit or a predicate, or someone asks
					     for several units */
	uint8_t is_conditional;		/**< some mode has a predicate */
	uint8_t is_watched;		/**< the caller's: someone is to be told of changes */
	uint8_t preferred;		/**< mode of EVLOCK_OPT_PREFER_EXCLUSIVE; no mode: none */
	uint32_t held_mask;		/**< bit m: some units are held in mode m */
	uint32_t n_waiting;		/**< seats in `queue` and `ahead` that are QUEUED */
	uint32_t n_over;		/**< requests that are over, until they are discarded */
	uint32_t n_gone;		/**< seats in `queue` that are not: no more than wait */
	struct evl_link queue;		/**< by rank, then by arrival; the first is not GONE */
	struct evl_link ahead;		/**< those who need not stand in the queue, by arrival */
	struct evl_link holders;	/**< ties of those who hold and have an owner */
	uint32_t n_bound;		/**< waiting seats that are bound to others */
	uint8_t is_dirty;		/**< change.c: those who wait have to be looked at */
	uint8_t is_touched;		/**< change.c: the step under way has touched it */
	uint8_t is_changed;		/**< and its kind has not looked at that yet */
	uint8_t has_room;		/**< somebody left it, or took less */
	uint8_t is_doubted;		/**< change.c: a doubted owner has left it */
	uint8_t is_visited;		/**< scratch of whoever goes through locks once */
	uint8_t is_seen;		/**< scratch of deadlock.c, as next_seen */
	struct evl_core *next_dirty, *next_touched, *next_doubted, *next_seen;
	struct evl_seat *last[EVL_RANKS]; /**< the last queued of each rank, from 1 up */
	void *arg;			/**< for is_compatible */
	struct evl_link **free;		/**< the stack, by next, that seats of those who are gone
					     go back to; NULL: nobody is ever GONE */
};

/** Bytes of a core with so many modes. */
static inline size_t
evl_core_size(unsigned n_modes)
{
	return sizeof(struct evl_core) + n_modes * sizeof(uint32_t);
}

static inline uint32_t *
evl_core_held(const struct evl_core *core)
{
	return (uint32_t *)(core + 1);
}

void evl_core_init(struct evl_core *core, const struct evlock_modes *modes, int prefers_last);

/** Does nothing that is held conflict with `mode`? */
static inline int
evl_core_is_compatible(const struct evl_core *core, unsigned mode)
{
	return !(core->mode[mode].conflicts & core->held_mask);
}

/** May so many units be added to `held`?  Without a limit, as many as can be counted. */
static inline int
evl_core_is_within(const struct evlock_mode *m, uint32_t held, uint32_t units)
{
	uint32_t limit = m->limit ? m->limit : UINT32_MAX;

	return units <= limit && held <= limit - units;
}

/** May `units` more be held in `mode`? */
static inline int
evl_core_fits(const struct evl_core *core, unsigned mode, uint32_t units)
{
	const struct evlock_mode *m = &core->mode[mode];
	uint32_t *held = evl_core_held(core);

	if (!evl_core_is_compatible(core, mode))
		return 0;
	if (!core->is_counted)
		return 1;
	if (!evl_core_is_within(m, held[mode], units))
		return 0;
	return !m->is_compatible || m->is_compatible(mode, units, held, core->arg);
}

/** Would nobody who waits be ahead of a newcomer of this rank? */
static inline int
evl_core_is_next(const struct evl_core *core, unsigned rank)
{
	if (!core->n_waiting)
		return 1;
	return evl_list_is_empty(&core->ahead) && EVL_SEAT(core->queue.next)->rank < rank;
}

/** Would a newcomer be granted at once? */
static inline int
evl_core_admits(const struct evl_core *core, unsigned mode, uint32_t units, unsigned rank)
{
	return evl_core_is_next(core, rank) && evl_core_fits(core, mode, units);
}

/** The same for a request without other seats, by what its owner holds. */
int evl_core_admits_owner(struct evl_core *core, struct evl_owner *owner, unsigned mode,
    uint32_t units, unsigned rank);

/** Would a seat of a request that has others fit, be it a newcomer's or the conversion of `of`
 * (NULL: none)?  `owner` may be NULL. */
int evl_core_could_hold(struct evl_core *core, struct evl_owner *owner, unsigned mode,
    uint32_t units, struct evl_seat *of);

static inline void
evl_core_take(struct evl_core *core, unsigned mode, uint32_t units)
{
	evl_core_held(core)[mode] += units;
	core->held_mask |= (uint32_t)1 << mode;
}

static inline void
evl_core_drop(struct evl_core *core, unsigned mode, uint32_t units)
{
	if (!(evl_core_held(core)[mode] -= units))
		core->held_mask &= ~((uint32_t)1 << mode);
}

/** The place in line of a request, for evl_seat.rank. */
static inline uint8_t
evl_core_rank(const struct evl_core *core, unsigned mode, unsigned priority)
{
	return (uint8_t)(2 * priority + (mode == core->preferred));
}

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
void evl_owner_init(struct evl_owner *owner);

/** Gives a seat an owner, and takes it away again, before and after it has a place. */
void evl_ties_own(struct evl_ties *ties, struct evl_owner *owner);

/** The same for a seat that holds already. */
void evl_ties_own_held(struct evl_ties *ties, struct evl_owner *owner);
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

/** Need the seat not stand in the queue? */
int evl_ties_are_privileged(const struct evl_ties *ties);

static inline int
evl_seat_is_bound(const struct evl_seat *seat)
{
	return seat->ties && seat->ties->is_bound;
}

/** Goes through the seats of a bound request: their ties. */
#define EVL_TIES_EACH(t, first_ties) \
	for ((t) = (first_ties); (t); (t) = (t)->next == (first_ties) ? NULL : (t)->next)

/* The calls below are given the seat that leads a request, and do as they say for
 * all its seats. */

/** As evl_core_enqueue(), for a seat with a rank or ties. */
void evl_core_enqueue_special(struct evl_core *core, struct evl_seat *seat);

/** Makes a request wait. */
static inline void
evl_core_enqueue(struct evl_core *core, struct evl_seat *seat)
{
	if (seat->rank || seat->ties) {
		evl_core_enqueue_special(core, seat);
		return;
	}
	seat->state = EVL_QUEUED;
	core->n_waiting++;
	evl_list_push(&core->queue, &seat->link);
}

/** Goes through those who wait in `list`, a core's queue or those ahead of it. */
#define EVL_WAITING_EACH(link, list) \
	EVL_LIST_EACH(link, list) \
		if (EVL_SEAT(link)->state == EVL_GONE) {} else

/** Takes one who is gone out of the queue; its memory goes back.  Returns the next. */
static inline struct evl_link *
evl_core_bury(struct evl_core *core, struct evl_seat *seat)
{
	struct evl_link *next = seat->link.next;

	evl_list_remove(&seat->link);
	seat->state = EVL_FREE;
	seat->link.next = *core->free;
	*core->free = &seat->link;
	core->n_gone--;
	return next;
}

/** Takes those who are gone out of the queue. */
void evl_core_sweep(struct evl_core *core);

/** The same where they may not stay: at its front, or outnumbering those who wait.
 * More than half of what is swept is swept out, so it costs no more than to take each
 * out when it goes. */
void evl_core_tidy(struct evl_core *core);

/** May a QUEUED seat without ties be left where it is? */
static inline int
evl_core_may_mark_gone(const struct evl_core *core, const struct evl_seat *seat)
{
	return core->free && !seat->rank && seat->link.prev != &core->queue;
}

/** Withdraws such a seat, by which nobody gains: it is nobody's from now on. */
static inline void
evl_core_mark_gone(struct evl_core *core, struct evl_seat *seat)
{
	seat->state = EVL_GONE;
	core->n_waiting--;
	if (++core->n_gone > core->n_waiting)
		evl_core_tidy(core);
}

/** `seat` was the last queued of its rank. */
void evl_core_forget_last(struct evl_core *core, struct evl_seat *seat);

/** Takes one QUEUED seat out of the queue.  Promotes nobody. */
static inline void
evl_core_leave(struct evl_core *core, struct evl_seat *seat)
{
	if (seat->rank && core->last[seat->rank] == seat)
		evl_core_forget_last(core, seat);
	evl_list_remove(&seat->link);
	core->n_waiting--;
	if (core->n_gone)
		evl_core_tidy(core);
}

/** The same for a seat that is bound. */
static inline void
evl_core_leave_bound(struct evl_core *core, struct evl_ties *ties)
{
	evl_core_leave(core, ties->seat);
	core->n_bound--;
	ties->seat->state = EVL_FREE;
}

/** Has a request failed, or is it a conversion that was given, and only to be told? */
static inline int
evl_seat_is_over(const struct evl_seat *seat)
{
	return seat->state == EVL_FAILED ||
	    (seat->state == EVL_GRANTED && seat->ties && seat->ties->of);
}

/** The request that `lead` stands for has failed.  It is in no list, and goes to the end of
 * `out`, from where it is told. */
void evl_core_conclude(struct evl_core *core, struct evl_seat *lead, int error,
    struct evl_link *out);

/** Does a seat, with its ties, fit into what is held? */
int evl_core_seat_fits(struct evl_core *core, const struct evl_seat *seat);

/** Has its mode's predicate, if there is one, nothing against it, beside what others hold? */
int evl_core_is_allowed(struct evl_core *core, const struct evl_seat *seat);

/** The strongest mode held, or 0. */
unsigned evl_core_strongest(const struct evl_core *core);

#endif
