/* SPDX-License-Identifier: BSD-3-Clause */

/* See model.h.  Nothing here is meant to be fast. */

#include <errno.h>
#include <string.h>

#include <evlock/set.h>

#include "model.h"

#define M(mode)	(1u << EVLOCK_##mode)

static const struct evlock_mode standard[] = {
	{ .conflicts = M(EXCLUSIVE) },
	{ .conflicts = M(EXCLUSIVE), .access = EVLOCK_READ },
	{ .conflicts = M(UPGRADABLE) | M(EXCLUSIVE), .access = EVLOCK_READ },
	{ .conflicts = M(SHARED) | M(UPGRADABLE) | M(EXCLUSIVE), .access = EVLOCK_WRITE }
};
const struct evlock_modes model_standard_modes = { standard, 4, NULL };

#define NOBODY	(2 * MODEL_REQUESTS)

/* A waiter has a number: that of the request, or MODEL_REQUESTS more for its conversion. */
#define WHO(e)		((e) % MODEL_REQUESTS)
#define IS_CONVERSION(e) ((e) >= MODEL_REQUESTS)
#define BIT(e)		((uint32_t)1 << (e))
#define EACH_REQUEST(w, m) for ((w) = 0; (w) < (m)->n_requests; (w)++)
#define EACH_ENTRY(e, m) \
	for ((e) = 0; (e) < MODEL_REQUESTS + (m)->n_requests; \
	    (e) = (e) + 1 == (m)->n_requests ? MODEL_REQUESTS : (e) + 1)
#define EACH_SEAT(s, r) for ((s) = (r)->seat; (s) < (r)->seat + (r)->n_seats; (s)++)

/* --- Making ----------------------------------------------------------------- */

void
model_init(struct model *m, unsigned n_requests)
{
	unsigned i;

	memset(m, 0, sizeof *m);
	m->n_requests = n_requests;
	for (i = 0; i < MODEL_LOCKS; i++)
		m->order[i] = (uint8_t)i;
}

unsigned
model_add_lock(struct model *m, const struct evlock_modes *modes, int prefers_last)
{
	m->lock[m->n_locks].modes = modes ? modes : &model_standard_modes;
	m->lock[m->n_locks].prefers_last = prefers_last;
	return m->n_locks++;
}

unsigned
model_add_set(struct model *m)
{
	return m->n_locks++;
}

void
model_add_member(struct model *m, unsigned set, unsigned lock, int mode)
{
	struct model_lock *l = &m->lock[set];

	l->member[l->n_members] = (uint8_t)lock;
	l->member_mode[l->n_members++] = mode;
}

static uint32_t play_on(const struct model *m, int dream);

/* --- Seats ------------------------------------------------------------------ */

static void
add_seat(struct model_request *r, unsigned lock, unsigned mode, uint32_t units, int is_fixed)
{
	struct model_seat *s = &r->seat[r->n_seats++];

	s->lock = (uint8_t)lock;
	s->mode = (uint8_t)mode;
	s->units = is_fixed ? 1 : units;
	s->is_fixed = (uint8_t)is_fixed;
}

/* Adds the seats in the members.  Members of an inner set count as members of the outer one. */
static void
add_member_seats(const struct model *m, struct model_request *r, unsigned set, unsigned mode,
    uint32_t units, int is_fixed)
{
	const struct model_lock *l = &m->lock[set];
	unsigned i;

	for (i = 0; i < l->n_members; i++) {
		int is_own = l->member_mode[i] != EVLOCK_SAME_MODE;
		unsigned in = is_own ? (unsigned)l->member_mode[i] : mode;

		if (m->lock[l->member[i]].modes)
			add_seat(r, l->member[i], in, units, is_own || is_fixed);
		else
			add_member_seats(m, r, l->member[i], in, units, is_own || is_fixed);
	}
}

static inline const struct model_seat *
seat_in(const struct model_request *r, unsigned lock)
{
	const struct model_seat *s;

	EACH_SEAT(s, r)
		if (s->lock == lock)
			return s;
	return NULL;
}

static inline int
holds(const struct model_request *r, unsigned lock)
{
	return r->state == MODEL_HOLDING && seat_in(r, lock);
}

/* --- Fitting ---------------------------------------------------------------- */

/* The units that are held in `lock`, by mode.  `all` leaves out those of `who`, and `others` also
 * leaves out those of the same owner. */
struct count {
	uint32_t all[EVLOCK_MAX_MODES], others[EVLOCK_MAX_MODES];
};

static struct count
count(const struct model *m, unsigned lock, unsigned who)
{
	const struct model_request *r = &m->request[who];
	struct count n;
	unsigned w;

	memset(&n, 0, sizeof n);
	EACH_REQUEST(w, m) {
		const struct model_request *q = &m->request[w];
		const struct model_seat *s = seat_in(q, lock);

		if (w == who || !s || q->state != MODEL_HOLDING)
			continue;
		n.all[s->mode] += s->units;
		if (!r->owner || q->owner != r->owner)
			n.others[s->mode] += s->units;
	}
	return n;
}

static int
conflicts(const struct evlock_modes *modes, unsigned mode, const uint32_t *held)
{
	unsigned k;

	for (k = 0; k < modes->n_modes; k++)
		if (held[k] && modes->mode[mode].conflicts >> k & 1)
			return 1;
	return 0;
}

static int
is_within_limit(const struct evlock_mode *mode, uint64_t units)
{
	return units <= (mode->limit ? mode->limit : UINT32_MAX);
}

static int
is_allowed(const struct evlock_modes *modes, unsigned mode, uint32_t units, const uint32_t *held)
{
	const struct evlock_mode *asked = &modes->mode[mode];

	return !asked->is_compatible || asked->is_compatible(mode, units, held, modes->arg);
}

/* Does a condition refuse the request even when nothing is held?  Then the request waits for no
 * holder, and counts as one that ends when the model plays on. */
static int
is_hopeless(const struct evlock_modes *modes, unsigned mode, uint32_t units)
{
	static const uint32_t nothing[EVLOCK_MAX_MODES];

	return !is_allowed(modes, mode, units, nothing);
}

/* May `who` hold the lock of the seat in `mode`, given what is held?  A set's own queue excludes
 * no request. */
static int
may_hold(const struct model *m, unsigned who, const struct model_seat *seat, unsigned mode)
{
	const struct evlock_modes *modes = m->lock[seat->lock].modes;
	struct count n;

	if (!modes || (m->dream && is_hopeless(modes, mode, seat->units)))
		return 1;
	n = count(m, seat->lock, who);
	return !conflicts(modes, mode, n.others)
	    && is_within_limit(&modes->mode[mode], (uint64_t)n.all[mode] + seat->units)
	    && is_allowed(modes, mode, seat->units, n.others);
}

static int
fits(const struct model *m, unsigned e)
{
	const struct model_request *r = &m->request[WHO(e)];
	const struct model_seat *s;

	EACH_SEAT(s, r) {
		unsigned mode = IS_CONVERSION(e) ? r->conversion_mode : s->mode;

		if (IS_CONVERSION(e) && (s->is_fixed || s->mode == mode))
			continue;
		if (!may_hold(m, WHO(e), s, mode))
			return 0;
	}
	return 1;
}

/* --- Order in the queue ----------------------------------------------------- */

static inline int
waits(const struct model *m, unsigned e)
{
	const struct model_request *r = &m->request[WHO(e)];

	return (IS_CONVERSION(e) ? r->conversion : r->state) == MODEL_WAITING;
}

static inline int
waits_in(const struct model *m, unsigned e, unsigned lock)
{
	const struct model_seat *s;

	if (!waits(m, e))
		return 0;
	s = seat_in(&m->request[WHO(e)], lock);
	return s && !(IS_CONVERSION(e) && s->is_fixed);
}

static inline int
is_ahead(const struct model *m, unsigned e)
{
	return IS_CONVERSION(e) || m->request[e].is_ahead;
}

static inline unsigned
arrival(const struct model *m, unsigned e)
{
	const struct model_request *r = &m->request[WHO(e)];

	return IS_CONVERSION(e) ? r->conversion_arrival : r->arrival;
}

/* Twice the priority, plus one for the preferred mode.  A set has no preferred mode. */
static inline unsigned
rank(const struct model *m, const struct model_request *r)
{
	const struct model_lock *l = &m->lock[r->lock];

	return 2u * r->priority
	    + (l->prefers_last && r->seat[0].mode == l->modes->n_modes - 1);
}

static inline int
precedes(const struct model *m, unsigned e, unsigned f)
{
	unsigned p = rank(m, &m->request[WHO(e)]), q = rank(m, &m->request[WHO(f)]);

	if (is_ahead(m, e) || is_ahead(m, f))
		return is_ahead(m, e) && (!is_ahead(m, f) || arrival(m, e) < arrival(m, f));
	return p > q || (p == q && arrival(m, e) < arrival(m, f));
}

/* Returns the waiter behind `e` in `lock`, or the first one if `e` is NOBODY. */
static unsigned
next_in_line(const struct model *m, unsigned lock, unsigned e)
{
	unsigned f, best = NOBODY;

	EACH_ENTRY(f, m)
		if (waits_in(m, f, lock) && (e == NOBODY || precedes(m, e, f)) &&
		    (best == NOBODY || precedes(m, f, best)))
			best = f;
	return best;
}

/* Is `e` the first in every queue that it stands in, or ahead of the queue? */
static int
is_turn(const struct model *m, unsigned e)
{
	const struct model_seat *s;

	if (is_ahead(m, e))
		return 1;
	EACH_SEAT(s, &m->request[e])
		if (next_in_line(m, s->lock, NOBODY) != e)
			return 0;
	return 1;
}

static int
owner_holds(const struct model *m, unsigned owner, unsigned lock)
{
	unsigned w;

	EACH_REQUEST(w, m)
		if (m->request[w].owner == owner && holds(&m->request[w], lock))
			return 1;
	return 0;
}

/* A request for a single lock passes the queue if its owner holds that lock. */
static int
is_privileged(const struct model *m, const struct model_request *r)
{
	return r->owner && r->n_seats == 1 && owner_holds(m, r->owner, r->lock);
}

/* Would a new request have no waiter ahead of it? */
static int
is_next(const struct model *m, const struct model_request *r)
{
	const struct model_seat *s;

	EACH_SEAT(s, r) {
		unsigned first = next_in_line(m, s->lock, NOBODY);

		if (first != NOBODY &&
		    (is_ahead(m, first) || rank(m, &m->request[first]) >= rank(m, r)))
			return 0;
	}
	return 1;
}

/* --- Ends of waits ---------------------------------------------------------- */

static void
tell_later(struct model *m, unsigned e, int error)
{
	struct model_outcome *o;

	if (m->dream)
		return;
	o = &m->outcome[m->n_outcomes++];
	o->who = (uint8_t)WHO(e);
	o->is_conversion = IS_CONVERSION(e);
	o->error = error;
	o->step = m->step;
}

/* `e` has left its locks: it waited and was not granted, or it held them.  Other requests of its
 * owner that wait in these locks may never be granted now.  A conversion leaves the former mode
 * behind, which may exclude requests that the owner waits for in any lock. */
static void
give_up(struct model *m, unsigned e)
{
	struct model_request *r = &m->request[WHO(e)];
	const struct model_seat *s;

	if (r->state == MODEL_FAILED)
		return;
	if (IS_CONVERSION(e))
		m->given_up[r->owner] = ~(uint32_t)0;
	EACH_SEAT(s, r)
		m->given_up[r->owner] |= BIT(s->lock);
}

static void
fail(struct model *m, unsigned e, int error)
{
	struct model_request *r = &m->request[WHO(e)];

	give_up(m, e);
	if (IS_CONVERSION(e))
		r->conversion = MODEL_FAILED;
	else
		r->state = MODEL_FAILED;
	tell_later(m, e, error);
}

/* Does the request wait in one queue only? */
static int
is_queued_alone(const struct model_request *r)
{
	return r->state == MODEL_WAITING && !r->is_ahead && r->n_seats == 1;
}

/* Pulls those requests of an owner out of the queue whose lock the owner holds now. */
static void
pull(struct model *m, unsigned owner)
{
	unsigned w;

	EACH_REQUEST(w, m)
		if (owner && m->request[w].owner == owner && is_queued_alone(&m->request[w]) &&
		    is_privileged(m, &m->request[w]))
			m->request[w].state = MODEL_PULLED;
}

/* Returns the pulled request that arrived first, or NOBODY. */
static unsigned
next_pulled(const struct model *m)
{
	unsigned w, first = NOBODY;

	EACH_REQUEST(w, m)
		if (m->request[w].state == MODEL_PULLED &&
		    (first == NOBODY || m->request[w].arrival < m->request[first].arrival))
			first = w;
	return first;
}

/* A pulled request is treated as if it were made now.  It keeps its new place even if the owner
 * releases the lock. */
static void
advance_pulled(struct model *m)
{
	unsigned w;

	while ((w = next_pulled(m)) != NOBODY) {
		m->request[w].state = MODEL_WAITING;
		m->request[w].is_ahead = 1;
		m->request[w].arrival = m->next_arrival++;
		if (!m->dream && play_on(m, 2))
			fail(m, w, EDEADLK);
	}
}

static void
give(struct model *m, unsigned e)
{
	struct model_request *r = &m->request[WHO(e)];
	struct model_seat *s;

	if (!IS_CONVERSION(e)) {
		r->state = MODEL_HOLDING;
		r->is_ahead = 0;
		return;
	}
	r->conversion = MODEL_HOLDING;
	EACH_SEAT(s, r)
		if (!s->is_fixed)
			s->mode = r->conversion_mode;
}

/* Grants `e`.  Returns 0 if a request would then wait for ever. */
static int
try_to_grant(struct model *m, unsigned e)
{
	give(m, e);
	pull(m, m->request[WHO(e)].owner);
	return m->dream > 1 || !play_on(m, 2);
}

/* Grants `e`, or denies it with EDEADLK: by waiting it has come before requests that arrived
 * earlier. */
static void
grant(struct model *m, unsigned e)
{
	struct model before;

	if (m->dream < 2)
		before = *m;
	if (!try_to_grant(m, e)) {
		*m = before;
		fail(m, e, EDEADLK);
		return;
	}
	tell_later(m, e, 0);
	advance_pulled(m);
}

/* Returns the next waiter of `lock` that can be granted, or NOBODY.  Of the waiters ahead of the
 * queue, that is the first one that fits.  If there are none, it can only be the first in the
 * queue. */
static unsigned
grantable(const struct model *m, unsigned lock)
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
promote_once(struct model *m)
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
promote(struct model *m)
{
	while (promote_once(m))
		;
}

/* --- Deadlocks -------------------------------------------------------------- */

static uint32_t
waiting_mask(const struct model *m)
{
	uint32_t mask = 0;
	unsigned e;

	EACH_ENTRY(e, m)
		if (waits(m, e))
			mask |= BIT(e);
	return mask;
}

/* Does `who` or another request of the same owner wait? */
static int
is_kept(const struct model *m, unsigned who)
{
	const struct model_request *r = &m->request[who];
	unsigned w;

	EACH_REQUEST(w, m)
		if ((w == who || (r->owner && m->request[w].owner == r->owner)) &&
		    (waits(m, w) || waits(m, w + MODEL_REQUESTS)))
			return 1;
	return 0;
}

/* Every holder whose owner waits for nothing releases all that it holds. */
static int
end_free(struct model *m)
{
	unsigned w, n = 0;

	EACH_REQUEST(w, m)
		if (m->request[w].state == MODEL_HOLDING && !is_kept(m, w)) {
			m->request[w].state = MODEL_GONE;
			n++;
		}
	return n > 0;
}

/* Requests for plain locks without an owner wait for holders that wait for nothing. */
static int
may_be_stuck(const struct model *m)
{
	unsigned e;

	EACH_ENTRY(e, m)
		if (waits(m, e) && (IS_CONVERSION(e) || m->request[e].owner
		    || m->request[e].n_seats > 1))
			return 1;
	return 0;
}

/* Returns the waiters that are left when no holder ends any more.  If `dream` is 1, a grant that
 * would make a request wait for ever is denied on the way, as in reality.  If it is 2, no grant is
 * denied. */
static uint32_t
play_on(const struct model *m, int dream)
{
	struct model copy;
	unsigned w;

	if (!may_be_stuck(m))
		return 0;
	copy = *m;
	copy.dream = dream;
	EACH_REQUEST(w, m)
		if (m->request[w].state == MODEL_PULLED)
			copy.request[w].state = MODEL_GONE;	/* judged later */
	if (m->reading & MODEL_HASTY)
		end_free(&copy);
	do
		promote(&copy);
	while (waiting_mask(&copy) && end_free(&copy));
	return waiting_mask(&copy);
}

uint32_t
model_stuck(const struct model *m)
{
	return play_on(m, m->reading & MODEL_LENIENT ? 1 : 2);
}

/* Restores `m` and returns EDEADLK if a request would wait for ever. */
static int
judge(struct model *m, const struct model *before)
{
	if (!model_stuck(m))
		return 0;
	*m = *before;
	return EDEADLK;
}

/* --- Requests that leave ---------------------------------------------------- */

/* Does `e` wait in a lock that a request of its owner has left? */
static int
is_doubted(const struct model *m, unsigned e)
{
	unsigned lock;

	for (lock = 0; lock < m->n_locks; lock++)
		if (m->given_up[m->request[WHO(e)].owner] >> lock & 1 && waits_in(m, e, lock))
			return 1;
	return 0;
}

static unsigned
made(const struct model *m, unsigned e)
{
	const struct model_request *r = &m->request[WHO(e)];

	return IS_CONVERSION(e) ? r->conversion_arrival : r->made;
}

/* Returns the newest of the owner's requests that wait for ever in a lock that another request of
 * the owner has left, or NOBODY. */
static unsigned
last_in_vain(const struct model *m, unsigned owner)
{
	uint32_t stuck = play_on(m, 2);
	unsigned e, last = NOBODY;

	EACH_ENTRY(e, m)
		if (stuck & BIT(e) && m->request[WHO(e)].owner == owner && is_doubted(m, e) &&
		    (last == NOBODY || made(m, e) > made(m, last)))
			last = e;
	return last;
}

/* Fails requests that wait for ever because another request of their owner has left. */
static void
deny_doubted(struct model *m)
{
	unsigned owner, w;

	for (owner = 1; owner <= MODEL_OWNERS; owner++)
		while (m->given_up[owner] && (w = last_in_vain(m, owner)) != NOBODY)
			fail(m, w, EDEADLK);
	memset(m->given_up, 0, sizeof m->given_up);
}

static int
is_any_doubted(const struct model *m)
{
	unsigned owner;

	for (owner = 1; owner <= MODEL_OWNERS; owner++)
		if (m->given_up[owner])
			return 1;
	return 0;
}

/* Follows every end of a request. */
static void
settle(struct model *m)
{
	do {
		deny_doubted(m);
		promote(m);
	} while (is_any_doubted(m));
}

/* --- Asking ----------------------------------------------------------------- */

static void
ask(struct model *m, unsigned who, struct model_asked asked)
{
	struct model_request *r = &m->request[who];

	memset(r, 0, sizeof *r);
	r->owner = asked.owner;
	r->lock = asked.lock;
	r->priority = asked.priority;
	r->made = m->next_arrival++;
	add_seat(r, asked.lock, asked.mode, asked.units, 0);
	add_member_seats(m, r, asked.lock, asked.mode, asked.units, 0);
}

/* Does every lock that is asked for the caller's mode have it, with enough units? */
static int
is_valid(const struct model *m, const struct model_request *r, unsigned mode)
{
	const struct model_seat *s;

	EACH_SEAT(s, r) {
		const struct evlock_modes *modes = m->lock[s->lock].modes;

		if (modes && !s->is_fixed && (mode >= modes->n_modes
		    || !is_within_limit(&modes->mode[mode], s->units)))
			return 0;
	}
	return 1;
}

/* Grants `e` at once, with or without a callback later. */
static int
take(struct model *m, const struct model *before, unsigned e, int is_told)
{
	give(m, e);
	if (is_told)
		tell_later(m, e, 0);
	else
		m->request[WHO(e)].conversion = MODEL_GONE;
	if (!IS_CONVERSION(e))
		pull(m, m->request[WHO(e)].owner);
	if (judge(m, before))
		return EDEADLK;
	advance_pulled(m);
	settle(m);
	return 0;
}

int
model_acquire(struct model *m, unsigned who, struct model_asked asked, int is_nowait)
{
	struct model_request *r = &m->request[who];
	struct model before;
	int is_passing;

	m->step++;
	before = *m;
	ask(m, who, asked);
	if (!is_valid(m, r, asked.mode) || m->lock[asked.lock].is_closed) {
		int error = is_valid(m, r, asked.mode) ? ECANCELED : EINVAL;

		*m = before;
		return error;
	}
	is_passing = is_privileged(m, r);
	if ((is_passing || is_next(m, r)) && fits(m, who))
		return take(m, &before, who, !is_nowait);
	if (is_nowait) {
		*m = before;
		return EAGAIN;
	}
	r->state = MODEL_WAITING;
	r->is_ahead = (uint8_t)is_passing;
	r->arrival = m->next_arrival++;
	return judge(m, &before);
}

int
model_convert(struct model *m, unsigned who, unsigned mode, int is_nowait)
{
	struct model_request *r = &m->request[who];
	struct model before;

	m->step++;
	if (r->state != MODEL_HOLDING)
		return ENOENT;
	if (!is_valid(m, r, mode))
		return EINVAL;
	if (m->lock[r->lock].is_closed)
		return ECANCELED;
	if (r->conversion)
		return EBUSY;
	before = *m;
	r->conversion_mode = (uint8_t)mode;
	if (fits(m, who + MODEL_REQUESTS))
		return take(m, &before, who + MODEL_REQUESTS, !is_nowait);
	if (is_nowait)
		return EAGAIN;
	r->conversion = MODEL_WAITING;
	r->conversion_arrival = m->next_arrival++;
	return judge(m, &before);
}

/* --- Ends ------------------------------------------------------------------- */

static void
forget_outcome(struct model *m, unsigned i)
{
	memmove(&m->outcome[i], &m->outcome[i + 1],
	    (--m->n_outcomes - i) * sizeof m->outcome[0]);
}

static void
bury(struct model *m, unsigned who)
{
	unsigned i;

	give_up(m, who);
	for (i = m->n_outcomes; i-- > 0; )
		if (m->outcome[i].who == who)
			forget_outcome(m, i);
	memset(&m->request[who], 0, sizeof m->request[who]);
}

int
model_end(struct model *m, unsigned who)
{
	m->step++;
	if (m->request[who].state == MODEL_GONE)
		return ENOENT;
	bury(m, who);
	settle(m);
	return 0;
}

/* All requests of the owner end together: no waiter is granted before the last has ended. */
unsigned
model_release_all(struct model *m, unsigned owner)
{
	unsigned w, n = 0;

	m->step++;
	EACH_REQUEST(w, m)
		if (m->request[w].state != MODEL_GONE && m->request[w].owner == owner) {
			bury(m, w);
			n++;
		}
	settle(m);
	return n;
}

void
model_expire(struct model *m, unsigned who, int is_conversion)
{
	m->step++;
	if (!waits(m, who + (is_conversion ? MODEL_REQUESTS : 0)))
		return;
	fail(m, who + (is_conversion ? MODEL_REQUESTS : 0), ETIMEDOUT);
	settle(m);
}

/* Closes the lock and the sets that have it as a member. */
static void
mark_closed(struct model *m, unsigned lock)
{
	unsigned set, i;

	m->lock[lock].is_closed = 1;
	for (set = 0; set < m->n_locks; set++)
		for (i = 0; i < m->lock[set].n_members; i++)
			if (m->lock[set].member[i] == lock)
				mark_closed(m, set);
}

void
model_close(struct model *m, unsigned lock)
{
	unsigned e;

	m->step++;
	mark_closed(m, lock);
	EACH_ENTRY(e, m)
		if (waits(m, e) && m->lock[m->request[WHO(e)].lock].is_closed)
			fail(m, e, ECANCELED);
	settle(m);
}

/* Requests that have failed before keep their error: the contract speaks only of requests that
 * wait or were granted. */
void
model_free(struct model *m, unsigned lock)
{
	unsigned i;

	model_close(m, lock);
	m->lock[lock].is_dying = 1;
	for (i = 0; i < m->n_outcomes; i++)
		if (m->request[m->outcome[i].who].lock == lock && !m->outcome[i].error)
			m->outcome[i].error = ECANCELED;
	EACH_REQUEST(i, m)
		if (holds(&m->request[i], lock))
			m->request[i].state = MODEL_FAILED;
}

unsigned
model_bury(struct model *m, unsigned lock)
{
	unsigned w, n = m->n_outcomes;

	EACH_REQUEST(w, m)
		if (m->request[w].state != MODEL_GONE && m->request[w].lock == lock)
			bury(m, w);
	m->lock[lock].is_closed = m->lock[lock].is_dying = 0;
	return n - m->n_outcomes;
}

/* --- Calling back ----------------------------------------------------------- */

/* Must `o` be called back before the outcome `p`?  The callbacks of an earlier step come first.
 * Within a step the grants of one lock have an order, those of several locks have none. */
static int
is_told_before(const struct model *m, const struct model_outcome *o,
    const struct model_outcome *p)
{
	if (o->step != p->step)
		return o->step < p->step;
	return o < p && !o->error && !p->error &&
	    m->request[o->who].lock == m->request[p->who].lock;
}

static unsigned
find_outcome(const struct model *m, unsigned who, int is_conversion)
{
	unsigned i;

	for (i = 0; i < m->n_outcomes; i++)
		if (m->outcome[i].who == who && m->outcome[i].is_conversion == is_conversion)
			break;
	return i;
}

static const char *
objection(const struct model *m, unsigned i, int error)
{
	unsigned j;

	if (i == m->n_outcomes)
		return "nothing to tell";
	if (m->outcome[i].error != error)
		return "another error";
	for (j = 0; j < m->n_outcomes && !m->lock[m->request[m->outcome[i].who].lock].is_dying; j++)
		if (is_told_before(m, &m->outcome[j], &m->outcome[i]))
			return "out of turn";
	return NULL;
}

const char *
model_tell(struct model *m, unsigned who, int is_conversion, int error)
{
	unsigned i = find_outcome(m, who, is_conversion);
	const char *wrong = objection(m, i, error);

	if (wrong)
		return wrong;
	forget_outcome(m, i);
	if (is_conversion)
		m->request[who].conversion = MODEL_GONE;
	else if (error && find_outcome(m, who, 1) == m->n_outcomes)
		bury(m, who);
	else if (error)
		m->request[who].owner = 0;	/* its lock is dying, and the callback of the
						     conversion comes next */
	return NULL;
}

/* --- Looking ---------------------------------------------------------------- */

uint32_t
model_held(const struct model *m, unsigned lock, unsigned mode)
{
	uint32_t n = 0;
	unsigned w;

	EACH_REQUEST(w, m)
		if (model_mode_of(m, lock, w) == (int)mode)
			n += seat_in(&m->request[w], lock)->units;
	return n;
}

static int
strongest_in(const struct model *m, unsigned lock)
{
	int strongest = 0;
	unsigned w;

	EACH_REQUEST(w, m)
		if (model_mode_of(m, lock, w) > strongest)
			strongest = model_mode_of(m, lock, w);
	return strongest;
}

unsigned
model_locked(const struct model *m, unsigned lock)
{
	const struct model_lock *l = &m->lock[lock];
	unsigned i, strongest = 0;

	if (l->modes)
		return (unsigned)strongest_in(m, lock);
	for (i = 0; i < l->n_members; i++)
		if (model_locked(m, l->member[i]) > strongest)
			strongest = model_locked(m, l->member[i]);
	return strongest;
}

size_t
model_waiting(const struct model *m, unsigned lock)
{
	size_t n = 0;
	unsigned e;

	EACH_ENTRY(e, m)
		n += (size_t)waits_in(m, e, lock);
	return n;
}

int
model_mode_of(const struct model *m, unsigned lock, unsigned who)
{
	const struct model_request *r = &m->request[who];

	return holds(r, lock) ? seat_in(r, lock)->mode : -1;
}

int
model_owner_mode(const struct model *m, unsigned owner, unsigned lock)
{
	int strongest = -1;
	unsigned w;

	EACH_REQUEST(w, m)
		if (m->request[w].owner == owner && model_mode_of(m, lock, w) > strongest)
			strongest = model_mode_of(m, lock, w);
	return strongest;
}

int
model_admits(const struct model *m, unsigned lock, unsigned mode)
{
	struct model copy = *m;
	struct model_asked asked = { 0, (uint8_t)lock, (uint8_t)mode, 0, 1 };

	return !model_acquire(&copy, copy.n_requests++, asked, 1);
}

int
model_has_mode(const struct model *m, unsigned lock, unsigned mode)
{
	struct model copy = *m;
	struct model_asked asked = { 0, (uint8_t)lock, (uint8_t)mode, 0, 1 };

	return model_acquire(&copy, copy.n_requests++, asked, 1) != EINVAL;
}

int
model_is_hopeless(const struct model *m, unsigned lock, unsigned mode, uint32_t units)
{
	struct model copy = *m;
	struct model_request *r = &copy.request[m->n_requests];
	struct model_asked asked = { 0, (uint8_t)lock, (uint8_t)mode, 0, units };
	const struct model_seat *s;

	ask(&copy, m->n_requests, asked);
	EACH_SEAT(s, r) {
		const struct evlock_modes *modes = m->lock[s->lock].modes;

		if (modes && s->mode < modes->n_modes && is_hopeless(modes, s->mode, s->units))
			return 1;
	}
	return 0;
}

/* Does the holder of `held` keep `e` out?  It does if the modes conflict, if both need a limit
 * that does not suffice, or if a condition refuses `e`, whichever holder is the reason. */
static int
keeps_one_out(const struct model *m, const struct model_seat *held, unsigned e)
{
	const struct model_request *r = &m->request[WHO(e)];
	const struct model_seat *s = seat_in(r, held->lock);
	unsigned mode = IS_CONVERSION(e) ? r->conversion_mode : s->mode;
	const struct evlock_modes *modes = m->lock[held->lock].modes;
	struct count n;

	if (!modes)
		return 0;
	n = count(m, held->lock, WHO(e));
	return (modes->mode[mode].conflicts >> held->mode & 1) || (mode == held->mode &&
	    !is_within_limit(&modes->mode[mode], (uint64_t)n.all[mode] + s->units)) ||
	    !is_allowed(modes, mode, s->units, n.others);
}

/* Waiters of the holder's own owner do not count. */
int
model_keeps_out(const struct model *m, unsigned who)
{
	const struct model_request *r = &m->request[who];
	const struct model_seat *s;
	unsigned e;

	EACH_SEAT(s, r)
		EACH_ENTRY(e, m)
			if (waits_in(m, e, s->lock) && WHO(e) != who
			    && !(r->owner && m->request[WHO(e)].owner == r->owner)
			    && keeps_one_out(m, s, e))
				return 1;
	return 0;
}

/* --- Invariants ------------------------------------------------------------- */

static int
is_within_limits(const struct model *m, unsigned lock)
{
	unsigned mode, n = m->lock[lock].modes ? m->lock[lock].modes->n_modes : 0;

	for (mode = 0; mode < n; mode++)
		if (!is_within_limit(&m->lock[lock].modes->mode[mode], model_held(m, lock, mode)))
			return 0;
	return 1;
}

const char *
model_fault(const struct model *m)
{
	unsigned lock;

	for (lock = 0; lock < m->n_locks; lock++) {
		if (!is_within_limits(m, lock))
			return "more is held than a limit allows";
		if (grantable(m, lock) != NOBODY)
			return "a request waits although its turn has come";
	}
	return NULL;
}
