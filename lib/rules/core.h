/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_CORE_H_INCLUDED_
#define EVL_CORE_H_INCLUDED_

/* The rules of one lock: its holders, its queue, and which request may be granted.
 *
 * Pure: no libevent, no clock, no thread, no malloc.  The caller owns the
 * memory of cores and seats and serializes the calls.  Rules that involve more than
 * one queue are in change.h, bound.h and grant.h.
 *
 * The grant rule: a seat is granted when it fits beside the holders and no request
 * ahead of it still waits.  A request may have several seats, each in another lock.
 * All its seats are granted at once, as soon as each of them could be.  Until then,
 * a seat that is first in its queue blocks that queue.
 *
 * A conversion stands ahead of the queue, and so does a request whose owner already
 * holds the lock.  Each is granted as soon as it fits.  In the queue, it would stand
 * behind waiters that wait for its own owner, and so wait for itself.
 */

#include <limits.h>

#include <evlock/evlock.h>

#include "rules/ties.h"

#define EVL_PRIORITIES	4
#define EVL_RANKS	(2 * EVL_PRIORITIES)

/** The unusual properties of a lock.  Each short path tests the whole mask once. */
enum evl_unusual {
	EVL_IS_COUNTED = 1 << 0,	/**< some mode has a limit or a predicate, or some request
				     is for several units */
	EVL_IS_CLOSED = 1 << 1,	/**< refuses every new request */
	EVL_NEEDS_STEP = 1 << 2, /**< has a guard, or a kind that takes part in every call */
	EVL_IS_TOLD = 1 << 3,	/**< some object has a notice or an evlock_notify() event */
	EVL_IS_LOOKED_AT = 1 << 4,	/**< its kind looks at what changes */
	EVL_IS_IN_SET = 1 << 5,	/**< is a member of sets */
	EVL_IS_RETIRED = 1 << 6,	/**< is freed as soon as it is unused */
	EVL_PREFERS = 1 << 7,	/**< requests in one mode are queued before others */
	EVL_IS_OBSERVED = 1 << 8,	/**< has an observer, which sees all that happens */
	EVL_IS_WATCHED = EVL_IS_TOLD | EVL_IS_LOOKED_AT | EVL_IS_IN_SET | EVL_IS_RETIRED |
	    EVL_IS_OBSERVED
};

/** One lock.  The counts of units held in each mode follow the struct: evl_core_held(). */
struct evl_core {
	const struct evlock_mode *mode;
	uint32_t n_modes;
	uint16_t unusual;		/**< enum evl_unusual; atomic: read without the mutex */
	uint8_t is_conditional;		/**< some mode has a predicate */
	uint8_t preferred;		/**< mode of EVLOCK_OPT_PREFER_EXCLUSIVE; without that
					     option, EVLOCK_MAX_MODES */
	uint32_t held_mask;		/**< bit m: some units are held in mode m */
	uint32_t n_waiting;		/**< seats in `queue` and `ahead` that are QUEUED */
	uint32_t n_over;		/**< requests that are over and not yet discarded */
	uint32_t n_gone;		/**< GONE seats in `queue`; at most n_waiting */
	struct evl_link queue;		/**< by rank, then by arrival; the first is not GONE */
	struct evl_link ahead;		/**< waiters ahead of the queue, by arrival */
	struct evl_link holders;	/**< ties of the seats that hold and have an owner */
	uint32_t n_bound;		/**< waiting seats that are bound to others */
	uint8_t is_dirty;		/**< change.c: its waiters have to be looked at */
	uint8_t is_touched;		/**< change.c: the step under way has touched it */
	uint8_t is_changed;		/**< change.c: its kind has not looked at that yet */
	uint8_t has_room;		/**< change.c: a request left it, or took a weaker mode */
	uint8_t is_doubted;		/**< change.c: a request of a doubted owner has left it */
	uint8_t is_visited;		/**< scratch of a walk that visits each lock once */
	uint8_t is_seen;		/**< scratch of deadlock.c, as next_seen */
	struct evl_core *next_dirty, *next_touched, *next_doubted, *next_seen;
	struct evl_seat *last[EVL_RANKS]; /**< the last queued of each rank, from 1 up */
	void *arg;			/**< for is_compatible */
	struct evl_link **free;		/**< the stack, linked by next, that takes back GONE seats;
					     NULL: no seat is ever GONE */
};

/** Bytes of a core with `n_modes` modes. */
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

/** Is any of the bits of `what` set? */
static inline unsigned
evl_core_is(const struct evl_core *core, unsigned what)
{
	return core->unusual & what;
}

/** The whole mask, read without the mutex.  A lock with a mutex always has EVL_NEEDS_STEP, so the
 * caller makes a step there even if the other bits are stale. */
static inline unsigned
evl_core_unusual(const struct evl_core *core)
{
	return __atomic_load_n(&core->unusual, __ATOMIC_RELAXED);
}

static inline void
evl_core_mark(struct evl_core *core, unsigned what)
{
	__atomic_store_n(&core->unusual, (uint16_t)(core->unusual | what), __ATOMIC_RELAXED);
}

static inline void
evl_core_unmark(struct evl_core *core, unsigned what)
{
	__atomic_store_n(&core->unusual, (uint16_t)(core->unusual & ~what), __ATOMIC_RELAXED);
}

void evl_core_init(struct evl_core *core, const struct evlock_modes *modes, int prefers_last);

/** Is `mode` compatible with each mode that is held? */
static inline int
evl_core_is_compatible(const struct evl_core *core, unsigned mode)
{
	return !(core->mode[mode].conflicts & core->held_mask);
}

/** May `units` be added to `held`?  A mode without a limit takes up to UINT32_MAX units. */
static inline int
evl_core_is_within(const struct evlock_mode *m, uint32_t held, uint32_t units)
{
	uint32_t limit = m->limit ? m->limit : UINT32_MAX;

	return units <= limit && held <= limit - units;
}

/** Do `units` in `mode` fit beside the holders? */
static inline int
evl_core_fits(const struct evl_core *core, unsigned mode, uint32_t units)
{
	const struct evlock_mode *m = &core->mode[mode];
	uint32_t *held = evl_core_held(core);

	if (!evl_core_is_compatible(core, mode))
		return 0;
	if (!evl_core_is(core, EVL_IS_COUNTED))
		return 1;
	if (!evl_core_is_within(m, held[mode], units))
		return 0;
	return !m->is_compatible || m->is_compatible(mode, units, held, core->arg);
}

/** Would a newcomer of this rank be ahead of all waiters? */
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

/** The same for a request with a single seat, whose owner may already hold the lock. */
int evl_core_admits_owner(struct evl_core *core, struct evl_owner *owner, unsigned mode,
    uint32_t units, unsigned rank);

/** Would one seat of a request with several seats fit?  `of`: the seat that the request would
 * convert, or NULL.  `owner` may be NULL. */
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

/** The rank of a request, for evl_seat.rank. */
static inline uint8_t
evl_core_rank(const struct evl_core *core, unsigned mode, unsigned priority)
{
	return (uint8_t)(2 * priority + (mode == core->preferred));
}

/** Does the seat stand ahead of the queue, as a conversion or as a further request of a holder? */
int evl_core_is_privileged(const struct evl_ties *ties);

/* evl_core_enqueue_special() and evl_core_enqueue() take the seat that leads a request, and
 * enqueue all seats of the request. */

/** As evl_core_enqueue(), for a seat with a rank or ties. */
void evl_core_enqueue_special(struct evl_core *core, struct evl_seat *seat);

/** Puts a request into the queue. */
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

/** Visits the waiters in `list`, which is core->queue or core->ahead.  Skips GONE seats. */
#define EVL_WAITING_EACH(link, list) \
	EVL_LIST_EACH(link, list) \
		if (EVL_SEAT(link)->state == EVL_GONE) {} else

/** Takes a GONE seat out of the queue and gives its memory back.  Returns the next link. */
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

/** Takes all GONE seats out of the queue. */
void evl_core_sweep(struct evl_core *core);

/** Takes GONE seats out of the queue where they may not stay: at its front, and everywhere once
 * they outnumber the waiters.  A sweep then removes more than half of the seats that it visits,
 * so it costs no more than removing each seat when its request withdraws. */
void evl_core_tidy(struct evl_core *core);

/** May a QUEUED seat without ties stay linked, as GONE, when its request withdraws? */
static inline int
evl_core_may_mark_gone(const struct evl_core *core, const struct evl_seat *seat)
{
	return core->free && !seat->rank && seat->link.prev != &core->queue;
}

/** Withdraws such a seat: it becomes GONE.  No other request can be granted because of it. */
static inline void
evl_core_mark_gone(struct evl_core *core, struct evl_seat *seat)
{
	seat->state = EVL_GONE;
	core->n_waiting--;
	if (++core->n_gone > core->n_waiting)
		evl_core_tidy(core);
}

/** Updates core->last when `seat`, the last queued of its rank, leaves the queue. */
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

/** Makes the request that `lead` stands for FAILED with `error`, and appends it to `out`, from
 * where its callback is run.  The request must be in no list. */
void evl_core_conclude(struct evl_core *core, struct evl_seat *lead, int error,
    struct evl_link *out);

/** Gives an owner to a seat that already holds. */
void evl_core_own_held(struct evl_ties *ties, struct evl_owner *owner);

/** Does a seat fit beside the holders, taking into account its owner and the seat that it
 * converts? */
int evl_core_seat_fits(struct evl_core *core, const struct evl_seat *seat);

/** Does the predicate of the seat's mode allow it beside what others hold?  Yes if the mode has
 * no predicate. */
int evl_core_is_allowed(struct evl_core *core, const struct evl_seat *seat);

/** The strongest mode held, or 0. */
unsigned evl_core_strongest(const struct evl_core *core);

#endif
