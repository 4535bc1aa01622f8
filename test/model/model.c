/* SPDX-License-Identifier: BSD-3-Clause */

/* The model; see model.h.  Nothing in here is meant to be fast. */

#include <errno.h>
#include <string.h>

#include "model.h"

#define EACH(who)	for ((who) = 0; (who) < MODEL_REQUESTS; (who)++)
#define NOBODY		MODEL_REQUESTS

static const struct evlock_mode standard_mode[] = {
	{ "NONE", 1 << EVLOCK_EXCLUSIVE, 0, EVLOCK_NO_ACCESS, NULL },
	{ "SHARED", 1 << EVLOCK_EXCLUSIVE, 0, EVLOCK_READ, NULL },
	{ "UPGRADABLE", 1 << EVLOCK_UPGRADABLE | 1 << EVLOCK_EXCLUSIVE, 0, EVLOCK_READ, NULL },
	{ "EXCLUSIVE", 1 << EVLOCK_SHARED | 1 << EVLOCK_UPGRADABLE | 1 << EVLOCK_EXCLUSIVE, 0,
	    EVLOCK_WRITE, NULL },
};

const struct evlock_modes model_standard_modes = { standard_mode, 4, NULL };

/* --- Who holds what ---------------------------------------------------------- */

/* The seat of `who` in `lock`, or NULL. */
static const struct model_seat *
seat_in(const struct model *m, unsigned who, unsigned lock)
{
	const struct model_request *r = &m->request[who];
	unsigned i;

	if (r->state != MODEL_GONE)
		for (i = 0; i < r->n_seats; i++)
			if (r->seat[i].lock == lock)
				return &r->seat[i];
	return NULL;
}

static int
holds_in(const struct model *m, unsigned who, unsigned lock)
{
	return m->request[who].state == MODEL_HOLDING && seat_in(m, who, lock);
}

static int
waits_in(const struct model *m, unsigned who, unsigned lock)
{
	return m->request[who].state == MODEL_WAITING && seat_in(m, who, lock);
}

static int
converts_in(const struct model *m, unsigned who, unsigned lock)
{
	return m->request[who].conversion.state == MODEL_WAITING && seat_in(m, who, lock);
}

/* Sets of requests, a bit for each. */
typedef uint32_t people;

static const people everyone = ~(people)0;

static people
only(unsigned who)
{
	return (people)1 << who;
}

/* What is held in `lock`, as far as those in `holders` hold it. */
static void
count(const struct model *m, unsigned lock, people holders, uint32_t *held)
{
	unsigned who;

	memset(held, 0, EVLOCK_MAX_MODES * sizeof *held);
	EACH(who)
		if (holders & only(who) && holds_in(m, who, lock)) {
			const struct model_seat *seat = seat_in(m, who, lock);

			held[seat->mode] += seat->units;
		}
}

/* --- The grant rule ------------------------------------------------------------ */

/* May `units` more be held in `mode`, while those in `holders` keep what they hold? */
static int
fits(const struct model *m, unsigned lock, unsigned mode, uint32_t units, people holders)
{
	const struct evlock_modes *modes = m->lock[lock].modes;
	const struct evlock_mode *asked = &modes->mode[mode];
	uint64_t limit = asked->limit ? asked->limit : UINT32_MAX;
	uint32_t held[EVLOCK_MAX_MODES];
	unsigned k;

	count(m, lock, holders, held);
	for (k = 0; k < modes->n_modes; k++)
		if (held[k] && asked->conflicts >> k & 1)
			return 0;
	if ((uint64_t)held[mode] + units > limit)
		return 0;
	return !asked->is_compatible || asked->is_compatible(mode, units, held, modes->arg);
}

/* Twice the priority, and one more for the preferred mode. */
static unsigned
rank(const struct model *m, unsigned lock, unsigned who)
{
	const struct model_request *r = &m->request[who];
	int is_preferred = m->lock[lock].prefers_last && r->n_seats == 1 &&
	    seat_in(m, who, lock)->mode == m->lock[lock].modes->n_modes - 1;

	return 2 * r->priority + (is_preferred ? 1 : 0);
}

int
model_is_ahead(const struct model *m, unsigned lock, unsigned a, unsigned b)
{
	if (rank(m, lock, a) != rank(m, lock, b))
		return rank(m, lock, a) > rank(m, lock, b);
	return m->request[a].arrival < m->request[b].arrival;
}

static int
is_first(const struct model *m, unsigned lock, unsigned who)
{
	unsigned other;

	EACH(other)
		if (converts_in(m, other, lock) ||
		    (other != who && waits_in(m, other, lock)
		    && model_is_ahead(m, lock, other, who)))
			return 0;
	return 1;
}

/* (a) It does not conflict with what is held, and (b) no one ahead waits: in each lock. */
static int
may_be_granted(const struct model *m, unsigned who)
{
	const struct model_request *r = &m->request[who];
	unsigned i;

	for (i = 0; i < r->n_seats; i++) {
		const struct model_seat *s = &r->seat[i];

		if (!is_first(m, s->lock, who) || !fits(m, s->lock, s->mode, s->units, everyone))
			return 0;
	}
	return 1;
}

/* Conversions do not queue behind each other.  One to the mode that is held already
 * changes nothing, so it is always given. */
static int
may_be_converted(const struct model *m, unsigned who, unsigned mode)
{
	const struct model_seat *s = &m->request[who].seat[0];

	return mode == s->mode || fits(m, s->lock, mode, s->units, everyone & ~only(who));
}

static void
add_outcome(struct model *m, unsigned who, int is_conversion, int error)
{
	struct model_outcome *o = &m->outcome[m->n_outcomes++];

	o->who = who;
	o->is_conversion = is_conversion;
	o->error = error;
}

/* The waiting conversion that is given next, or NOBODY: the first come that fits. */
static unsigned
next_conversion(const struct model *m)
{
	unsigned who, best = NOBODY;

	EACH(who) {
		const struct model_conversion *c = &m->request[who].conversion;

		if (c->state == MODEL_WAITING && may_be_converted(m, who, c->mode) &&
		    (best == NOBODY || c->arrival < m->request[best].conversion.arrival))
			best = who;
	}
	return best;
}

static unsigned
next_request(const struct model *m)
{
	unsigned who;

	EACH(who)
		if (m->request[who].state == MODEL_WAITING && may_be_granted(m, who))
			return who;
	return NOBODY;
}

static int
grant_one(struct model *m)
{
	unsigned who;

	if ((who = next_conversion(m)) != NOBODY) {
		m->request[who].seat[0].mode = m->request[who].conversion.mode;
		m->request[who].conversion.state = MODEL_HOLDING;
		add_outcome(m, who, 1, 0);
		return 1;
	}
	if ((who = next_request(m)) != NOBODY) {
		m->request[who].state = MODEL_HOLDING;
		add_outcome(m, who, 0, 0);
		return 1;
	}
	return 0;
}

static void
grant_all(struct model *m)
{
	while (grant_one(m))
		;
}

/* --- Outcomes ------------------------------------------------------------------ */

/* Its place in the list, or n_outcomes. */
static unsigned
find_outcome(const struct model *m, unsigned who, int is_conversion)
{
	unsigned i;

	for (i = 0; i < m->n_outcomes; i++)
		if (m->outcome[i].who == who && m->outcome[i].is_conversion == is_conversion)
			break;
	return i;
}

static void
drop_outcome(struct model *m, unsigned who, int is_conversion)
{
	unsigned i = find_outcome(m, who, is_conversion);

	if (i == m->n_outcomes)
		return;
	m->n_outcomes--;
	memmove(&m->outcome[i], &m->outcome[i + 1], (m->n_outcomes - i) * sizeof m->outcome[0]);
}

/* The callbacks of grants run in the order of the grants.  That of failures among
 * them is open. */
static int
is_grant_ahead(const struct model *m, unsigned i)
{
	while (i-- > 0)
		if (!m->outcome[i].error)
			return 1;
	return 0;
}

const char *
model_tell(struct model *m, unsigned who, int is_conversion, int error)
{
	unsigned i = find_outcome(m, who, is_conversion);
	struct model_request *r = &m->request[who];

	if (i == m->n_outcomes)
		return "a callback without an outcome";
	if (m->outcome[i].error != error)
		return "another error";
	if (!error && is_grant_ahead(m, i))
		return "before its turn";
	drop_outcome(m, who, is_conversion);
	if (is_conversion)
		memset(&r->conversion, 0, sizeof r->conversion);
	else if (error && find_outcome(m, who, 1) == m->n_outcomes)
		memset(r, 0, sizeof *r);	/* or else, its lock is being freed */
	return NULL;
}

/* --- Asking and ending --------------------------------------------------------- */

void
model_make(struct model *m, unsigned lock, const struct evlock_modes *modes, int prefers_last)
{
	m->lock[lock].modes = modes ? modes : &model_standard_modes;
	m->lock[lock].prefers_last = prefers_last;
	m->lock[lock].is_closed = 0;
}

int
model_is_valid(const struct model *m, struct model_seat seat)
{
	const struct evlock_modes *modes = m->lock[seat.lock].modes;

	return seat.mode < modes->n_modes && (!modes->mode[seat.mode].limit ||
	    seat.units <= modes->mode[seat.mode].limit);
}

/* Why nobody may ask for this, or 0. */
static int
objection(const struct model *m, struct model_seat seat, unsigned priority)
{
	if (!model_is_valid(m, seat) || priority > 3)
		return EINVAL;
	return m->lock[seat.lock].is_closed ? ECANCELED : 0;
}

static void
join(struct model *m, unsigned who, struct model_seat seat, unsigned priority)
{
	struct model_request *r = &m->request[who];

	memset(r, 0, sizeof *r);
	r->state = MODEL_WAITING;
	r->priority = priority;
	r->arrival = m->next_arrival++;
	r->n_seats = 1;
	r->seat[0] = seat;
}

int
model_acquire(struct model *m, unsigned who, struct model_seat seat, unsigned priority)
{
	int error = objection(m, seat, priority);

	if (error)
		return error;
	join(m, who, seat, priority);
	grant_all(m);
	return 0;
}

int
model_acquire_nowait(struct model *m, unsigned who, struct model_seat seat, unsigned priority)
{
	int error = objection(m, seat, priority);

	if (error)
		return error;
	join(m, who, seat, priority);
	if (may_be_granted(m, who)) {
		m->request[who].state = MODEL_HOLDING;
		return 0;
	}
	memset(&m->request[who], 0, sizeof m->request[who]);
	return EAGAIN;
}

int
model_end(struct model *m, unsigned who)
{
	if (m->request[who].state == MODEL_GONE)
		return ENOENT;
	drop_outcome(m, who, 0);
	drop_outcome(m, who, 1);
	memset(&m->request[who], 0, sizeof m->request[who]);
	grant_all(m);
	return 0;
}

static void
fail_request(struct model *m, unsigned who, int error)
{
	m->request[who].state = MODEL_FAILED;
	add_outcome(m, who, 0, error);
}

static void
fail_conversion(struct model *m, unsigned who, int error)
{
	m->request[who].conversion.state = MODEL_FAILED;
	add_outcome(m, who, 1, error);
}

void
model_expire(struct model *m, unsigned who, int is_conversion)
{
	if (is_conversion && m->request[who].conversion.state == MODEL_WAITING)
		fail_conversion(m, who, ETIMEDOUT);
	if (!is_conversion && m->request[who].state == MODEL_WAITING)
		fail_request(m, who, ETIMEDOUT);
	grant_all(m);
}

static void
fail_waiting(struct model *m, unsigned lock)
{
	unsigned who;

	EACH(who) {
		if (converts_in(m, who, lock))
			fail_conversion(m, who, ECANCELED);
		if (waits_in(m, who, lock))
			fail_request(m, who, ECANCELED);
	}
}

void
model_close(struct model *m, unsigned lock)
{
	m->lock[lock].is_closed = 1;
	fail_waiting(m, lock);
}

/* What has failed before keeps its error.  The contract speaks only of those that wait
 * and those granted. */
void
model_free(struct model *m, unsigned lock)
{
	unsigned who, i;

	fail_waiting(m, lock);
	for (i = 0; i < m->n_outcomes; i++)
		if (seat_in(m, m->outcome[i].who, lock) && !m->outcome[i].error)
			m->outcome[i].error = ECANCELED;
	EACH(who)
		if (holds_in(m, who, lock))
			m->request[who].state = MODEL_FAILED;
	m->lock[lock].is_closed = 1;
}

unsigned
model_bury(struct model *m, unsigned lock)
{
	unsigned who, untold = 0;

	EACH(who)
		if (seat_in(m, who, lock)) {
			untold += find_outcome(m, who, 0) < m->n_outcomes;
			untold += find_outcome(m, who, 1) < m->n_outcomes;
			memset(&m->request[who], 0, sizeof m->request[who]);
		}
	memset(&m->lock[lock], 0, sizeof m->lock[lock]);
	return untold;
}

/* --- Converting ---------------------------------------------------------------- */

/* Those whose conversions wait in `lock`. */
static people
converting(const struct model *m, unsigned lock)
{
	people set = 0;
	unsigned who;

	EACH(who)
		if (converts_in(m, who, lock))
			set |= only(who);
	return set;
}

/* Does the conversion of `who` end one day, if those in `others` do not let go?  One
 * that a condition refuses whatever is held waits in vain, but for nobody: it counts as
 * one that is withdrawn. */
static int
ends(const struct model *m, unsigned lock, unsigned who, people others)
{
	const struct model_request *r = &m->request[who];

	return fits(m, lock, r->conversion.mode, r->seat[0].units, others) ||
	    !fits(m, lock, r->conversion.mode, r->seat[0].units, 0);
}

/* Once all others have let go: is there an order in which everyone in `set` is
 * converted and lets go, too?  Where one fits it may as well be the first, as less
 * is held after it. */
static int
can_all_end(const struct model *m, unsigned lock, people set)
{
	unsigned who;

	EACH(who)
		if (set & only(who) && ends(m, lock, who, set & ~only(who)))
			return can_all_end(m, lock, set & ~only(who));
	return !set;
}

/* Where several errors apply, the first of these is expected. */
static int
objection_to_conversion(const struct model *m, unsigned who, unsigned mode)
{
	const struct model_request *r = &m->request[who];
	struct model_seat target = r->seat[0];
	int error;

	if (r->state != MODEL_HOLDING)
		return ENOENT;
	target.mode = mode;
	error = objection(m, target, 0);
	if (error)
		return error;
	return r->conversion.state == MODEL_GONE ? 0 : EBUSY;	/* until it has been told */
}

static void
begin_conversion(struct model *m, unsigned who, unsigned mode, enum model_state state)
{
	m->request[who].conversion.state = state;
	m->request[who].conversion.mode = mode;
	m->request[who].conversion.arrival = m->next_arrival++;
}

int
model_convert_nowait(struct model *m, unsigned who, unsigned mode)
{
	int error = objection_to_conversion(m, who, mode);

	if (error)
		return error;
	if (!may_be_converted(m, who, mode))
		return EAGAIN;
	m->request[who].seat[0].mode = mode;
	grant_all(m);
	return 0;
}

int
model_convert(struct model *m, unsigned who, unsigned mode)
{
	struct model_request *r = &m->request[who];
	int error = objection_to_conversion(m, who, mode);
	unsigned lock = r->seat[0].lock;

	if (error)
		return error;
	begin_conversion(m, who, mode, MODEL_WAITING);
	if (may_be_converted(m, who, mode) || can_all_end(m, lock, converting(m, lock))) {
		grant_all(m);
		return 0;
	}
	memset(&r->conversion, 0, sizeof r->conversion);
	return EDEADLK;
}

/* --- Looking ------------------------------------------------------------------- */

uint32_t
model_held(const struct model *m, unsigned lock, unsigned mode)
{
	uint32_t held[EVLOCK_MAX_MODES];

	count(m, lock, everyone, held);
	return held[mode];
}

unsigned
model_locked(const struct model *m, unsigned lock)
{
	unsigned mode, strongest = 0;

	for (mode = 0; mode < m->lock[lock].modes->n_modes; mode++)
		if (model_held(m, lock, mode))
			strongest = mode;
	return strongest;
}

size_t
model_waiting(const struct model *m, unsigned lock)
{
	size_t n = 0;
	unsigned who;

	EACH(who)
		n += waits_in(m, who, lock) + converts_in(m, who, lock);
	return n;
}

int
model_mode_of(const struct model *m, unsigned who)
{
	return m->request[who].state == MODEL_HOLDING ? (int)m->request[who].seat[0].mode : -1;
}

int
model_admits(const struct model *m, unsigned lock, unsigned mode)
{
	struct model copy = *m;
	struct model_seat seat = { lock, mode, 1 };
	unsigned who;

	EACH(who)
		if (copy.request[who].state == MODEL_GONE)
			return !model_acquire_nowait(&copy, who, seat, 0);
	return 0;
}

/* A holder keeps a waiter out if the waiter conflicts with its mode, if they share a
 * limit that does not suffice, or if a condition refuses, whoever is to blame for that. */
static int
keeps_one_out(const struct model *m, const struct model_seat *held, unsigned mode, uint32_t units)
{
	const struct evlock_modes *modes = m->lock[held->lock].modes;
	const struct evlock_mode *asked = &modes->mode[mode];
	uint32_t all[EVLOCK_MAX_MODES];

	count(m, held->lock, everyone, all);
	if (asked->conflicts >> held->mode & 1)
		return 1;
	if (asked->limit && mode == held->mode && (uint64_t)all[mode] + units > asked->limit)
		return 1;
	return asked->is_compatible && !asked->is_compatible(mode, units, all, modes->arg);
}

int
model_keeps_out(const struct model *m, unsigned who)
{
	const struct model_seat *held = &m->request[who].seat[0];
	unsigned other;

	EACH(other) {
		const struct model_request *r = &m->request[other];

		if (other == who)
			continue;
		if (waits_in(m, other, held->lock) &&
		    keeps_one_out(m, held, r->seat[0].mode, r->seat[0].units))
			return 1;
		if (converts_in(m, other, held->lock) &&
		    keeps_one_out(m, held, r->conversion.mode, r->seat[0].units))
			return 1;
	}
	return 0;
}
