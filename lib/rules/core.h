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

#include "rules/ties.h"

#define EVL_PRIORITIES	4
#define EVL_RANKS	(2 * EVL_PRIORITIES)

/** What is unusual about a lock.  The short paths look at it once. */
enum evl_unusual {
	EVL_IS_COUNTED = 1 << 0,	/**< some mode has a limit or a predicate, or someone asks for
				     several units */
	EVL_IS_CLOSED = 1 << 1,	/**< takes no more requests */
	EVL_NEEDS_STEP = 1 << 2, /**< it has a guard, or a kind that nothing is done without */
	EVL_IS_TOLD = 1 << 3,	/**< someone wants notices, or events when it could be had */
	EVL_IS_LOOKED_AT = 1 << 4,	/**< its kind looks at what changes */
	EVL_IS_IN_SET = 1 << 5,	/**< is a member of sets */
	EVL_IS_RETIRED = 1 << 6,	/**< is freed when nothing uses it any more */
	EVL_PREFERS = 1 << 7,	/**< requests in one mode are queued before others */
	EVL_IS_OBSERVED = 1 << 8,	/**< someone wants to know all that happens to its requests */
	EVL_IS_WATCHED = EVL_IS_TOLD | EVL_IS_LOOKED_AT | EVL_IS_IN_SET | EVL_IS_RETIRED |
	    EVL_IS_OBSERVED
};

/** One lock.  The units held in each mode lie behind it: evl_core_held(). */
struct evl_core {
	const struct evlock_mode *mode;
	uint32_t n_modes;
	uint16_t unusual;		/**< enum evl_unusual; atomic: read without the mutex, too */
	uint8_t is_conditional;		/**< some mode has a predicate */
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

/** Is any of `what` so? */
static inline unsigned
evl_core_is(const struct evl_core *core, unsigned what)
{
	return core->unusual & what;
}

/** All that is, looked at without the mutex: EVL_NEEDS_STEP never changes where there is one. */
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
	if (!evl_core_is(core, EVL_IS_COUNTED))
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

/** Need the seat not stand in the queue? */
int evl_core_is_privileged(const struct evl_ties *ties);

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

/** The request that `lead` stands for has failed.  It is in no list, and goes to the end of
 * `out`, from where it is told. */
void evl_core_conclude(struct evl_core *core, struct evl_seat *lead, int error,
    struct evl_link *out);

/** Gives a seat that holds already an owner. */
void evl_core_own_held(struct evl_ties *ties, struct evl_owner *owner);

/** Does a seat, with its ties, fit into what is held? */
int evl_core_seat_fits(struct evl_core *core, const struct evl_seat *seat);

/** Has its mode's predicate, if there is one, nothing against it, beside what others hold? */
int evl_core_is_allowed(struct evl_core *core, const struct evl_seat *seat);

/** The strongest mode held, or 0. */
unsigned evl_core_strongest(const struct evl_core *core);

#endif
