/* SPDX-License-Identifier: BSD-3-Clause */

/* See bound_model.h. */

#include <errno.h>
#include <string.h>

#include <evlock/set.h>

#include "bound_model.h"

#define M(mode)	(1u << EVLOCK_##mode)

static const struct evlock_mode standard[] = {
	{ .conflicts = M(EXCLUSIVE) },
	{ .conflicts = M(EXCLUSIVE) },
	{ .conflicts = M(UPGRADABLE) | M(EXCLUSIVE) },
	{ .conflicts = M(SHARED) | M(UPGRADABLE) | M(EXCLUSIVE) }
};
const struct evlock_modes bound_standard_modes = { standard, 4, NULL };

#define NOWHERE	BOUND_SEATS
#define NOBODY	(2 * BOUND_REQUESTS)

/* Whoever may wait has a number: a request its own, a conversion one of those above. */
#define WHO(e)		((e) % BOUND_REQUESTS)
#define IS_CONVERSION(e) ((e) >= BOUND_REQUESTS)
#define BIT(e)		((uint32_t)1 << (e))
#define EACH_REQUEST(w, m) for ((w) = 0; (w) < (m)->n_requests; (w)++)
#define EACH_ENTRY(e, m) \
	for ((e) = 0; (e) < BOUND_REQUESTS + (m)->n_requests; \
	    (e) = (e) + 1 == (m)->n_requests ? BOUND_REQUESTS : (e) + 1)
#define EACH_SEAT(s, r) for ((s) = (r)->seat; (s) < (r)->seat + (r)->n_seats; (s)++)

/* --- Making ----------------------------------------------------------------- */

void
bound_init(struct bound_model *m, unsigned n_requests)
{
	unsigned i;

	memset(m, 0, sizeof *m);
	m->n_requests = n_requests;
	for (i = 0; i < BOUND_LOCKS; i++)
		m->order[i] = (uint8_t)i;
}

unsigned
bound_add_lock(struct bound_model *m, const struct evlock_modes *modes)
{
	m->lock[m->n_locks].modes = modes;
	return m->n_locks++;
}

unsigned
bound_add_set(struct bound_model *m)
{
	return bound_add_lock(m, NULL);
}

void
bound_add_member(struct bound_model *m, unsigned set, unsigned lock, int mode)
{
	struct bound_lock *l = &m->lock[set];

	l->member[l->n_members] = (uint8_t)lock;
	l->member_mode[l->n_members++] = mode;
}

/* --- Seats ------------------------------------------------------------------ */

static void
add_seat(struct bound_request *r, unsigned lock, unsigned mode, int is_fixed)
{
	r->seat[r->n_seats].lock = (uint8_t)lock;
	r->seat[r->n_seats].mode = (uint8_t)mode;
	r->seat[r->n_seats++].is_fixed = (uint8_t)is_fixed;
}

/* In the members; those of a set in a set are as good as the set's own. */
static void
add_member_seats(const struct bound_model *m, struct bound_request *r, unsigned set,
    unsigned mode, int is_fixed)
{
	const struct bound_lock *l = &m->lock[set];
	unsigned i;

	for (i = 0; i < l->n_members; i++) {
		int is_own = l->member_mode[i] != EVLOCK_SAME_MODE;
		unsigned in = is_own ? (unsigned)l->member_mode[i] : mode;

		if (m->lock[l->member[i]].modes)
			add_seat(r, l->member[i], in, is_own || is_fixed);
		else
			add_member_seats(m, r, l->member[i], in, is_own || is_fixed);
	}
}

static inline const struct bound_seat *
seat_in(const struct bound_request *r, unsigned lock)
{
	const struct bound_seat *s;

	EACH_SEAT(s, r)
		if (s->lock == lock)
			return s;
	return NULL;
}

static inline int
holds(const struct bound_request *r, unsigned lock)
{
	return r->state == BOUND_HOLDING && seat_in(r, lock);
}

/* --- Fitting ---------------------------------------------------------------- */

static uint32_t
conflicts(const struct bound_model *m, unsigned lock, unsigned mode)
{
	return m->lock[lock].modes ? m->lock[lock].modes->mode[mode].conflicts : 0;
}

static uint32_t
limit(const struct bound_model *m, unsigned lock, unsigned mode)
{
	return m->lock[lock].modes ? m->lock[lock].modes->mode[mode].limit : 0;
}

/* May `who` hold `lock` in `mode`, for all that others hold, and all that count to limits? */
static int
may_hold(const struct bound_model *m, unsigned who, unsigned lock, unsigned mode)
{
	const struct bound_request *r = &m->request[who];
	uint32_t n = 0, most = limit(m, lock, mode);
	unsigned w;

	EACH_REQUEST(w, m) {
		const struct bound_request *q = &m->request[w];
		unsigned held;

		if (w == who || !holds(q, lock))
			continue;
		held = seat_in(q, lock)->mode;
		n += held == mode;
		if ((!r->owner || q->owner != r->owner) && conflicts(m, lock, mode) >> held & 1)
			return 0;
	}
	return !most || n < most;
}

static int
fits(const struct bound_model *m, unsigned e)
{
	const struct bound_request *r = &m->request[WHO(e)];
	const struct bound_seat *s;

	EACH_SEAT(s, r) {
		unsigned mode = IS_CONVERSION(e) ? r->conversion_mode : s->mode;

		if (IS_CONVERSION(e) && (s->is_fixed || s->mode == mode))
			continue;
		if (!may_hold(m, WHO(e), s->lock, mode))
			return 0;
	}
	return 1;
}

/* --- Order ------------------------------------------------------------------ */

static inline int
waits(const struct bound_model *m, unsigned e)
{
	const struct bound_request *r = &m->request[WHO(e)];

	return (IS_CONVERSION(e) ? r->conversion : r->state) == BOUND_WAITING;
}

static inline int
waits_in(const struct bound_model *m, unsigned e, unsigned lock)
{
	const struct bound_seat *s;

	if (!waits(m, e))
		return 0;
	s = seat_in(&m->request[WHO(e)], lock);
	return s && !(IS_CONVERSION(e) && s->is_fixed);
}

static inline int
is_ahead(const struct bound_model *m, unsigned e)
{
	return IS_CONVERSION(e) || m->request[e].is_ahead;
}

static inline unsigned
arrival(const struct bound_model *m, unsigned e)
{
	const struct bound_request *r = &m->request[WHO(e)];

	return IS_CONVERSION(e) ? r->conversion_arrival : r->arrival;
}

static inline int
precedes(const struct bound_model *m, unsigned e, unsigned f)
{
	unsigned p = m->request[WHO(e)].priority, q = m->request[WHO(f)].priority;

	if (is_ahead(m, e) || is_ahead(m, f))
		return is_ahead(m, e) && (!is_ahead(m, f) || arrival(m, e) < arrival(m, f));
	return p > q || (p == q && arrival(m, e) < arrival(m, f));
}

/* The next in line after `e` (NOBODY: the first) of those who wait in `lock`. */
static unsigned
next_in_line(const struct bound_model *m, unsigned lock, unsigned e)
{
	unsigned f, best = NOBODY;

	EACH_ENTRY(f, m)
		if (waits_in(m, f, lock) && (e == NOBODY || precedes(m, e, f)) &&
		    (best == NOBODY || precedes(m, f, best)))
			best = f;
	return best;
}

/* Is the first in line of every queue it stands in, or need not stand in one? */
static int
is_turn(const struct bound_model *m, unsigned e)
{
	const struct bound_seat *s;

	if (is_ahead(m, e))
		return 1;
	EACH_SEAT(s, &m->request[e])
		if (next_in_line(m, s->lock, NOBODY) != e)
			return 0;
	return 1;
}

static int
owner_holds(const struct bound_model *m, unsigned owner, unsigned lock)
{
	unsigned w;

	EACH_REQUEST(w, m)
		if (m->request[w].owner == owner && holds(&m->request[w], lock))
			return 1;
	return 0;
}

/* A request in one place of an owner who holds that lock need not stand in the queue. */
static int
is_privileged(const struct bound_model *m, const struct bound_request *r)
{
	return r->owner && r->n_seats == 1 && owner_holds(m, r->owner, r->lock);
}

/* Does nobody wait ahead of a newcomer? */
static int
is_next(const struct bound_model *m, const struct bound_request *r)
{
	const struct bound_seat *s;

	EACH_SEAT(s, r) {
		unsigned first = next_in_line(m, s->lock, NOBODY);

		if (first != NOBODY &&
		    (is_ahead(m, first) || m->request[first].priority >= r->priority))
			return 0;
	}
	return 1;
}

/* --- Ends of waits ---------------------------------------------------------- */

static void
tell_later(struct bound_model *m, unsigned e, int error)
{
	struct bound_outcome *o;

	if (m->is_dream)
		return;
	o = &m->outcome[m->n_outcomes++];
	o->who = (uint8_t)WHO(e);
	o->is_conversion = IS_CONVERSION(e);
	o->error = error;
	o->step = m->step;
}

/* `e` no longer waits, and was not granted, or no longer holds: what its owner waits for in
 * those locks may have become hopeless by that. */
static void
give_up(struct bound_model *m, unsigned e)
{
	struct bound_request *r = &m->request[WHO(e)];
	const struct bound_seat *s;

	if (r->state == BOUND_FAILED)
		return;
	EACH_SEAT(s, r)
		if (!(IS_CONVERSION(e) && s->is_fixed))
			m->given_up[r->owner] |= BIT(s->lock);
}

static void
fail(struct bound_model *m, unsigned e, int error)
{
	struct bound_request *r = &m->request[WHO(e)];

	give_up(m, e);
	if (IS_CONVERSION(e))
		r->conversion = BOUND_FAILED;
	else
		r->state = BOUND_FAILED;
	tell_later(m, e, error);
}

/* Is it a request in one place, waiting in a queue? */
static int
is_queued_alone(const struct bound_request *r)
{
	return r->state == BOUND_WAITING && !r->is_ahead && r->n_seats == 1;
}

/* Those of an owner who has come to hold what they stand in the queue for. */
static void
pull(struct bound_model *m, unsigned owner)
{
	unsigned w;

	EACH_REQUEST(w, m)
		if (owner && m->request[w].owner == owner && is_queued_alone(&m->request[w]) &&
		    is_privileged(m, &m->request[w]))
			m->request[w].state = BOUND_PULLED;
}

/* The first to come of those that were pulled, or NOBODY. */
static unsigned
next_pulled(const struct bound_model *m)
{
	unsigned w, first = NOBODY;

	EACH_REQUEST(w, m)
		if (m->request[w].state == BOUND_PULLED &&
		    (first == NOBODY || m->request[w].arrival < m->request[first].arrival))
			first = w;
	return first;
}

/* Each of them is treated as one made now.  (It keeps that place if the owner releases.) */
static void
advance_pulled(struct bound_model *m)
{
	unsigned w;

	while ((w = next_pulled(m)) != NOBODY) {
		m->request[w].state = BOUND_WAITING;
		m->request[w].is_ahead = 1;
		m->request[w].arrival = m->next_arrival++;
		if (!m->is_dream && bound_stuck(m))
			fail(m, w, EDEADLK);
	}
}

static void
give(struct bound_model *m, unsigned e)
{
	struct bound_request *r = &m->request[WHO(e)];
	struct bound_seat *s;

	if (!IS_CONVERSION(e)) {
		r->state = BOUND_HOLDING;
		r->is_ahead = 0;
		return;
	}
	r->conversion = BOUND_HOLDING;
	EACH_SEAT(s, r)
		if (!s->is_fixed)
			s->mode = r->conversion_mode;
}

/* If somebody would wait for ever by that, it is denied: it was let wait, and comes before
 * others who came earlier. */
static void
grant(struct bound_model *m, unsigned e)
{
	struct bound_model before = *m;

	give(m, e);
	pull(m, m->request[WHO(e)].owner);
	if (!m->is_dream && bound_stuck(m)) {
		*m = before;
		fail(m, e, EDEADLK);
		return;
	}
	tell_later(m, e, 0);
	advance_pulled(m);
}

/* The next of `lock` who can be granted, or NOBODY: of those ahead of the queue the
 * first who fits, and the first of the queue if none are. */
static unsigned
grantable(const struct bound_model *m, unsigned lock)
{
	unsigned e = next_in_line(m, lock, NOBODY);

	for (; e != NOBODY; e = next_in_line(m, lock, e)) {
		if (is_turn(m, e) && fits(m, e))
			return e;
		if (!is_ahead(m, e))
			break;
	}
	return NOBODY;
}

static int
promote_once(struct bound_model *m)
{
	unsigned i, e, n = 0;

	for (i = 0; i < m->n_locks; i++)
		while ((e = grantable(m, m->order[i])) != NOBODY) {
			grant(m, e);
			n++;
		}
	return n > 0;
}

static void
promote(struct bound_model *m)
{
	while (promote_once(m))
		;
}

/* --- For ever --------------------------------------------------------------- */

static uint32_t
waiting_mask(const struct bound_model *m)
{
	uint32_t mask = 0;
	unsigned e;

	EACH_ENTRY(e, m)
		if (waits(m, e))
			mask |= BIT(e);
	return mask;
}

/* Does `who`, or another request of its owner, wait? */
static int
is_kept(const struct bound_model *m, unsigned who)
{
	const struct bound_request *r = &m->request[who];
	unsigned w;

	EACH_REQUEST(w, m)
		if ((w == who || (r->owner && m->request[w].owner == r->owner)) &&
		    (waits(m, w) || waits(m, w + BOUND_REQUESTS)))
			return 1;
	return 0;
}

/* Whoever waits for nothing lets go of everything. */
static int
end_free(struct bound_model *m)
{
	unsigned w, n = 0;

	EACH_REQUEST(w, m)
		if (m->request[w].state == BOUND_HOLDING && !is_kept(m, w)) {
			m->request[w].state = BOUND_GONE;
			n++;
		}
	return n > 0;
}

uint32_t
bound_stuck(const struct bound_model *m)
{
	struct bound_model dream;
	unsigned w;

	if (!waiting_mask(m))
		return 0;
	dream = *m;
	dream.is_dream = 1;
	EACH_REQUEST(w, m)
		if (m->request[w].state == BOUND_PULLED)
			dream.request[w].state = BOUND_GONE;	/* it is judged later */
	do
		promote(&dream);
	while (waiting_mask(&dream) && end_free(&dream));
	return waiting_mask(&dream);
}

/* Undoes `m` with EDEADLK if somebody has come to wait for ever. */
static int
judge(struct bound_model *m, const struct bound_model *before)
{
	if (!bound_stuck(m))
		return 0;
	*m = *before;
	return EDEADLK;
}

/* --- What gives up ------------------------------------------------------------ */

/* Is it one of those that give_up() is about? */
static int
is_doubted(const struct bound_model *m, unsigned e)
{
	unsigned lock;

	for (lock = 0; lock < m->n_locks; lock++)
		if (m->given_up[m->request[WHO(e)].owner] >> lock & 1 && waits_in(m, e, lock))
			return 1;
	return 0;
}

static unsigned
made(const struct bound_model *m, unsigned e)
{
	const struct bound_request *r = &m->request[WHO(e)];

	return IS_CONVERSION(e) ? r->conversion_arrival : r->made;
}

/* The last to be made of the owner's that wait, for ever, where another one gave up; or
 * NOBODY. */
static unsigned
last_in_vain(const struct bound_model *m, unsigned owner)
{
	uint32_t stuck = bound_stuck(m);
	unsigned e, last = NOBODY;

	EACH_ENTRY(e, m)
		if (stuck & BIT(e) && m->request[WHO(e)].owner == owner && is_doubted(m, e) &&
		    (last == NOBODY || made(m, e) > made(m, last)))
			last = e;
	return last;
}

/* Whoever waits in vain since a request of the same owner gave up is told. */
static void
deny_doubted(struct bound_model *m)
{
	unsigned owner, w;

	for (owner = 1; owner <= BOUND_OWNERS; owner++)
		while (m->given_up[owner] && (w = last_in_vain(m, owner)) != NOBODY)
			fail(m, w, EDEADLK);
	memset(m->given_up, 0, sizeof m->given_up);
}

static int
is_any_doubted(const struct bound_model *m)
{
	unsigned owner;

	for (owner = 1; owner <= BOUND_OWNERS; owner++)
		if (m->given_up[owner])
			return 1;
	return 0;
}

/* What every end comes to. */
static void
settle(struct bound_model *m)
{
	do {
		deny_doubted(m);
		promote(m);
	} while (is_any_doubted(m));
}

/* --- Asking ----------------------------------------------------------------- */

static void
ask(struct bound_model *m, unsigned who, struct bound_asked asked)
{
	struct bound_request *r = &m->request[who];

	memset(r, 0, sizeof *r);
	r->owner = asked.owner;
	r->lock = asked.lock;
	r->priority = asked.priority;
	r->made = m->next_arrival++;
	add_seat(r, asked.lock, asked.mode, 0);
	add_member_seats(m, r, asked.lock, asked.mode, 0);
}

/* Grants `e` at once, to be told of it or not. */
static int
take(struct bound_model *m, const struct bound_model *before, unsigned e, int is_told)
{
	give(m, e);
	if (is_told)
		tell_later(m, e, 0);
	else
		m->request[WHO(e)].conversion = BOUND_GONE;
	if (!IS_CONVERSION(e))
		pull(m, m->request[WHO(e)].owner);
	if (judge(m, before))
		return EDEADLK;
	advance_pulled(m);
	settle(m);
	return 0;
}

int
bound_acquire(struct bound_model *m, unsigned who, struct bound_asked asked, int is_nowait)
{
	struct bound_request *r = &m->request[who];
	struct bound_model before;
	int is_passing;

	m->step++;
	if (m->lock[asked.lock].is_closed)
		return ECANCELED;
	before = *m;
	ask(m, who, asked);
	is_passing = is_privileged(m, r);
	if ((is_passing || is_next(m, r)) && fits(m, who))
		return take(m, &before, who, !is_nowait);
	if (is_nowait) {
		*m = before;
		return EAGAIN;
	}
	r->state = BOUND_WAITING;
	r->is_ahead = (uint8_t)is_passing;
	r->arrival = m->next_arrival++;
	return judge(m, &before);
}

int
bound_convert(struct bound_model *m, unsigned who, unsigned mode, int is_nowait)
{
	struct bound_request *r = &m->request[who];
	struct bound_model before;

	m->step++;
	if (r->state != BOUND_HOLDING)
		return ENOENT;
	if (m->lock[r->lock].is_closed)
		return ECANCELED;
	if (r->conversion)
		return EBUSY;
	before = *m;
	r->conversion_mode = (uint8_t)mode;
	if (fits(m, who + BOUND_REQUESTS))
		return take(m, &before, who + BOUND_REQUESTS, !is_nowait);
	if (is_nowait)
		return EAGAIN;
	r->conversion = BOUND_WAITING;
	r->conversion_arrival = m->next_arrival++;
	return judge(m, &before);
}

/* --- Ends ------------------------------------------------------------------- */

static void
forget_outcome(struct bound_model *m, unsigned i)
{
	memmove(&m->outcome[i], &m->outcome[i + 1],
	    (--m->n_outcomes - i) * sizeof m->outcome[0]);
}

static void
bury(struct bound_model *m, unsigned who)
{
	unsigned i;

	give_up(m, who);
	for (i = m->n_outcomes; i-- > 0; )
		if (m->outcome[i].who == who)
			forget_outcome(m, i);
	memset(&m->request[who], 0, sizeof m->request[who]);
}

int
bound_end(struct bound_model *m, unsigned who)
{
	m->step++;
	if (m->request[who].state == BOUND_GONE)
		return ENOENT;
	bury(m, who);
	settle(m);
	return 0;
}

/* All of it ends together: nobody gains before the last has gone. */
unsigned
bound_release_all(struct bound_model *m, unsigned owner)
{
	unsigned w, n = 0;

	m->step++;
	EACH_REQUEST(w, m)
		if (m->request[w].state != BOUND_GONE && m->request[w].owner == owner) {
			bury(m, w);
			n++;
		}
	settle(m);
	return n;
}

void
bound_expire(struct bound_model *m, unsigned who, int is_conversion)
{
	m->step++;
	fail(m, who + (is_conversion ? BOUND_REQUESTS : 0), ETIMEDOUT);
	settle(m);
}

/* Closes the lock, and the sets that it is in. */
static void
mark_closed(struct bound_model *m, unsigned lock)
{
	unsigned set, i;

	m->lock[lock].is_closed = 1;
	for (set = 0; set < m->n_locks; set++)
		for (i = 0; i < m->lock[set].n_members; i++)
			if (m->lock[set].member[i] == lock)
				mark_closed(m, set);
}

void
bound_close(struct bound_model *m, unsigned lock)
{
	unsigned e;

	m->step++;
	mark_closed(m, lock);
	EACH_ENTRY(e, m)
		if (waits(m, e) && m->lock[m->request[WHO(e)].lock].is_closed)
			fail(m, e, ECANCELED);
	settle(m);
}

/* --- Being told --------------------------------------------------------------- */

/* Must `o` be told before the outcome `p`?  Step by step, and in the order of the grants;
 * of those that one step makes in several locks, in any. */
static int
is_told_before(const struct bound_model *m, const struct bound_outcome *o,
    const struct bound_outcome *p)
{
	if (o->step != p->step)
		return o->step < p->step;
	return o < p && !o->error && !p->error &&
	    m->request[o->who].lock == m->request[p->who].lock;
}

static unsigned
find_outcome(const struct bound_model *m, unsigned who, int is_conversion)
{
	unsigned i;

	for (i = 0; i < m->n_outcomes; i++)
		if (m->outcome[i].who == who && m->outcome[i].is_conversion == is_conversion)
			break;
	return i;
}

static const char *
objection(const struct bound_model *m, unsigned i, int error)
{
	unsigned j;

	if (i == m->n_outcomes)
		return "nothing to tell";
	if (m->outcome[i].error != error)
		return "another error";
	for (j = 0; j < m->n_outcomes; j++)
		if (is_told_before(m, &m->outcome[j], &m->outcome[i]))
			return "out of turn";
	return NULL;
}

const char *
bound_tell(struct bound_model *m, unsigned who, int is_conversion, int error)
{
	unsigned i = find_outcome(m, who, is_conversion);
	const char *wrong = objection(m, i, error);

	if (wrong)
		return wrong;
	forget_outcome(m, i);
	if (is_conversion)
		m->request[who].conversion = BOUND_GONE;
	else if (error)
		bury(m, who);
	return NULL;
}

/* --- Looking -------------------------------------------------------------------- */

uint32_t
bound_held(const struct bound_model *m, unsigned lock, unsigned mode)
{
	uint32_t n = 0;
	unsigned w;

	EACH_REQUEST(w, m)
		n += bound_mode_of(m, lock, w) == (int)mode;
	return n;
}

static int
strongest_in(const struct bound_model *m, unsigned lock)
{
	int strongest = 0;
	unsigned w;

	EACH_REQUEST(w, m)
		if (bound_mode_of(m, lock, w) > strongest)
			strongest = bound_mode_of(m, lock, w);
	return strongest;
}

unsigned
bound_locked(const struct bound_model *m, unsigned lock)
{
	const struct bound_lock *l = &m->lock[lock];
	unsigned i, strongest = 0;

	if (l->modes)
		return (unsigned)strongest_in(m, lock);
	for (i = 0; i < l->n_members; i++)
		if (bound_locked(m, l->member[i]) > strongest)
			strongest = bound_locked(m, l->member[i]);
	return strongest;
}

size_t
bound_waiting(const struct bound_model *m, unsigned lock)
{
	size_t n = 0;
	unsigned e;

	EACH_ENTRY(e, m)
		n += (size_t)waits_in(m, e, lock);
	return n;
}

int
bound_mode_of(const struct bound_model *m, unsigned lock, unsigned who)
{
	const struct bound_request *r = &m->request[who];

	return holds(r, lock) ? seat_in(r, lock)->mode : -1;
}

int
bound_owner_mode(const struct bound_model *m, unsigned owner, unsigned lock)
{
	int strongest = -1;
	unsigned w;

	EACH_REQUEST(w, m)
		if (m->request[w].owner == owner && bound_mode_of(m, lock, w) > strongest)
			strongest = bound_mode_of(m, lock, w);
	return strongest;
}

/* --- Invariants ----------------------------------------------------------------- */

static int
is_within_limits(const struct bound_model *m, unsigned lock)
{
	unsigned mode, n = m->lock[lock].modes ? m->lock[lock].modes->n_modes : 0;

	for (mode = 0; mode < n; mode++)
		if (limit(m, lock, mode) && bound_held(m, lock, mode) > limit(m, lock, mode))
			return 0;
	return 1;
}

const char *
bound_fault(const struct bound_model *m)
{
	unsigned lock;

	for (lock = 0; lock < m->n_locks; lock++) {
		if (!is_within_limits(m, lock))
			return "more is held than a limit allows";
		if (grantable(m, lock) != NOBODY)
			return "somebody waits whose turn it is";
	}
	return NULL;
}
