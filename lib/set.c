/* SPDX-License-Identifier: BSD-3-Clause */

/* Sets: a lock made of other locks.  A request for a set has a seat in the set's
 * own queue, and one in that of each member; the core grants them together.  Here
 * is who the members are, and the memory of the seats.
 *
 * A set that is itself a member is taken apart: its members become members.  It
 * is remembered as well, without a seat, since its end is the end of the outer set.
 */

#include <errno.h>

#include <evlock/set.h>

#include "lock.h"
#include "mem.h"
#include "outside.h"

/** One lock of a set. */
struct evl_member {
	struct evlock *lock;	/* NULL: freed */
	struct evl_body *body;	/* the set */
	int mode;		/* to acquire it in, or EVLOCK_SAME_MODE */
	int is_seated;		/* not a set */
	struct evl_link link;	/* in lock->body->sets */
};

#define MEMBER(l) EVL_CONTAINER(l, struct evl_member, link)

/** The seats of a request in the members, by the members' numbers. */
struct evl_group {
	struct evl_group *next;	/* among the set's spare ones */
	struct evl_link link;	/* in set->groups, while used */
	struct evl_request *request;
	struct {
		struct evl_seat seat;
		struct evl_ties ties;
	} part[];
};

struct evl_set {
	struct evl_group *spare;
	struct evl_link groups;
	int has_same_mode;	/* some member is acquired in the set's mode */
	size_t n;
	struct evl_member member[];
};

/* A set's own queue keeps nobody out. */
static const struct evlock_mode set_mode[EVLOCK_MAX_MODES];
static const struct evlock_modes set_modes = { set_mode, EVLOCK_MAX_MODES, NULL };

#define EACH_MEMBER(m, set) \
	for ((m) = (set)->member; (m) < (set)->member + (set)->n; (m)++)

static inline int
is_there(const struct evl_member *m)
{
	return m->lock && m->is_seated;
}

struct evlock *
evl_member_set(const struct evl_link *link)
{
	return EVL_OBJECT(MEMBER(link)->body->objects.next);
}

static unsigned
mode_in(const struct evl_member *m, unsigned mode)
{
	return m->mode == EVLOCK_SAME_MODE ? mode : (unsigned)m->mode;
}

/* --- Making --------------------------------------------------------------- */

/* Does `lock` know the mode? */
static int
knows_mode(const struct evlock *lock, int mode)
{
	if (mode == EVLOCK_SAME_MODE)
		return 1;
	return mode >= 0 && (lock->body->set ? !evl_set_judge(lock, (unsigned)mode, 1)
	    : evl_lock_knows(lock, (unsigned)mode));
}

/* How many members a set of these has, or 0: they cannot make a set. */
static size_t
count(const struct evlock_set_member *members, size_t n)
{
	size_t i, total = n;

	for (i = 0; i < n; i++) {
		const struct evlock *lock = members[i].lock;

		if (!lock || lock->table || lock->port != members[0].lock->port ||
		    !lock->body->guard != !members[0].lock->body->guard ||
		    !knows_mode(lock, members[i].mode))
			return 0;
		if (lock->body->set)
			total += lock->body->set->n;
	}
	return total;
}

static void
add(struct evl_set *set, struct evlock *lock, int mode)
{
	struct evl_member *m = &set->member[set->n++];

	m->lock = lock;
	m->mode = mode;
	m->is_seated = !lock->body->set;
	evl_list_init(&m->link);
	set->has_same_mode |= mode == EVLOCK_SAME_MODE;
}

/* Adds a lock, and if it is a set, its members. */
static void
add_all(struct evl_set *set, const struct evlock_set_member *member)
{
	const struct evl_set *inner = member->lock->body->set;
	const struct evl_member *m;

	add(set, member->lock, member->mode);
	if (!inner)
		return;
	EACH_MEMBER(m, inner)
		if (m->lock)
			add(set, m->lock, m->mode == EVLOCK_SAME_MODE ? member->mode : m->mode);
}

/* Sets the mark of all that is reached by a lock.  Returns whether some had it. */
static int
mark(const struct evlock *lock, uint8_t is_visited)
{
	struct evl_core *core = evl_core_of(lock);
	const struct evl_set *set = lock->body->set;
	const struct evl_member *m;
	int had = core->is_visited;

	core->is_visited = is_visited;
	if (!set)
		return had;
	EACH_MEMBER(m, set)
		if (m->lock) {
			had |= evl_core_of(m->lock)->is_visited;
			evl_core_of(m->lock)->is_visited = is_visited;
		}
	return had;
}

/* Is a lock reached twice? */
static int
has_twins(const struct evlock_set_member *members, size_t n)
{
	int has = 0;
	size_t i;

	for (i = 0; i < n; i++)
		mark(members[i].lock, 0);
	for (i = 0; i < n; i++)
		has |= mark(members[i].lock, 1);
	return has;
}

static struct evl_set *
create(const struct evlock_set_member *members, size_t n)
{
	size_t i, total = members && n ? count(members, n) : 0;
	struct evl_set *set;

	if (!total || has_twins(members, n)) {
		errno = EINVAL;
		return NULL;
	}
	set = evl_mem_zalloc(sizeof *set + total * sizeof set->member[0]);
	if (!set)
		return NULL;
	evl_list_init(&set->groups);
	for (i = 0; i < n; i++)
		add_all(set, &members[i]);
	return set;
}

/* The members learn of the set. */
static void
join(struct evlock *lock)
{
	struct evl_member *m;

	EACH_MEMBER(m, lock->body->set) {
		m->body = lock->body;
		evl_list_push(&m->lock->body->sets, &m->link);
		evl_tell_update(m->lock->body);
		if (evl_core_of(m->lock)->is_closed)
			evl_lock_close(lock);
	}
	if (lock->body->guard)
		evl_body_update_far(lock->body);
}

/* A set and its members have one guard, if they have any. */
static struct evl_guard *
tie(const struct evlock_set_member *members, size_t n)
{
	struct evl_guard *guard = NULL;
	size_t i;

	for (i = 0; members && i < n; i++)
		if (members[i].lock && (guard = members[i].lock->body->guard))
			evl_guard_tie(guard);
	return guard;
}

static int
is_only_a_name(const struct evlock_options *options)
{
	return !options->flags && !options->modes && !options->value && !options->free_value;
}

/* Makes the lock that is the set.  In a step, if there is a guard. */
static struct evlock *
create_lock(struct evl_set *set, struct event_base *base, const struct evlock_options *options,
    int is_guarded)
{
	struct evlock_options all = *options;
	struct evlock *lock;

	all.flags |= is_guarded ? EVLOCK_OPT_THREADSAFE : 0;
	lock = evl_lock_create(base, &all, &set_modes);
	if (!lock)
		return NULL;
	lock->body->set = set;
	lock->body->core.is_counted = 1;	/* no short cuts */
	evl_tell_update(lock->body);
	return lock;
}

struct evlock *
evlock_set_new(const struct evlock_set_member *members, size_t n,
    const struct evlock_options *options)
{
	static const struct evlock_options no_options;
	struct evl_guard *guard;
	struct evl_set *set;
	struct evlock *lock;

	if (!options)
		options = &no_options;
	if (!is_only_a_name(options)) {
		errno = EINVAL;
		return NULL;
	}
	guard = tie(members, n);
	if (guard)
		evl_guard_enter(guard);
	set = create(members, n);
	lock = set ? create_lock(set, members[0].lock->port->base, options, guard != NULL) : NULL;
	if (lock && guard)
		evl_guard_tie_in_step(lock->body->guard);
	if (lock)
		join(lock);
	else
		evl_mem_free(set);
	evl_body_leave(guard);
	return lock;
}

int
evl_set_try(struct evlock *lock, unsigned mode)
{
	const struct evl_set *set = lock->body->set;
	const struct evl_member *m;
	int error = 0;

	EACH_MEMBER(m, set)
		if (!error && is_there(m) && m->lock->body->outside)
			error = evl_outside_try(m->lock->body->outside, mode_in(m, mode));
	return error;
}

void
evl_set_look(struct evlock *lock)
{
	const struct evl_member *m;

	EACH_MEMBER(m, lock->body->set)
		if (is_there(m) && m->lock->body->outside)
			evl_outside_look(m->lock->body->outside);
}

int
evl_set_is_outside(const struct evl_set *set)
{
	const struct evl_member *m;

	EACH_MEMBER(m, set)
		if (is_there(m) && m->mode == EVLOCK_SAME_MODE && m->lock->body->outside)
			return 1;
	return 0;
}

int
evl_set_is_far(const struct evl_set *set)
{
	const struct evl_member *m;

	EACH_MEMBER(m, set)
		if (m->lock && m->lock->body->is_far)
			return 1;
	return 0;
}

void
evl_set_destroy(struct evl_body *body)
{
	struct evl_set *set = body->set;
	struct evl_member *m;

	EACH_MEMBER(m, set) {
		evl_list_remove(&m->link);
		if (m->lock)
			evl_tell_update(m->lock->body);
	}
	while (set->spare) {
		struct evl_group *group = set->spare;

		set->spare = group->next;
		evl_mem_free(group);
	}
	evl_mem_free(set);
	body->set = NULL;
}

/* --- Asking --------------------------------------------------------------- */

static int
is_too_much(const struct evlock *lock, unsigned mode, uint32_t units)
{
	const struct evl_core *core = evl_core_of(lock);

	return !evl_lock_knows(lock, mode) ||
	    (core->mode[mode].limit && units > core->mode[mode].limit && !lock->body->permit);
}

int
evl_set_judge(const struct evlock *lock, unsigned mode, uint32_t units)
{
	const struct evl_set *set = lock->body->set;
	const struct evl_member *m;

	EACH_MEMBER(m, set)
		if (is_there(m) && m->mode == EVLOCK_SAME_MODE && is_too_much(m->lock, mode, units))
			return EINVAL;
	return 0;
}

static struct evl_group *
get_group(struct evl_set *set)
{
	struct evl_group *group = set->spare;

	if (!group)
		return evl_mem_new(sizeof *group + set->n * sizeof group->part[0]);
	set->spare = group->next;
	return group;
}

/* Gives `lead` a seat in member number `i`; `of` is what it is to convert there, or NULL. */
static void
seat(struct evl_set *set, size_t i, struct evl_group *group, struct evl_seat *lead,
    struct evl_seat *of)
{
	const struct evl_member *m = &set->member[i];
	struct evl_seat *s = &group->part[i].seat;
	struct evl_ties *ties = &group->part[i].ties;

	s->mode = (uint8_t)mode_in(m, lead->mode);
	s->units = m->mode == EVLOCK_SAME_MODE ? lead->units : 1;
	s->rank = lead->rank;
	s->kind = EVL_MEMBER;
	s->state = EVL_FREE;
	evl_ties_init(ties, s, evl_core_of(m->lock));
	evl_ties_join(ties, lead->ties);
	ties->of = of;
	if (lead->ties->owner)
		evl_ties_own(ties, lead->ties->owner);
}

int
evl_set_bind(struct evlock *lock, struct evl_request *r)
{
	struct evl_set *set = lock->body->set;
	struct evl_seat *of = r->seat.ties->of;
	struct evl_group *from = of ? evl_extra_of(EVL_REQUEST(of))->group : NULL;
	struct evl_group *group = get_group(set);
	size_t i;

	if (!group)
		return -1;
	evl_extra_of(r)->group = group;
	group->request = r;
	evl_list_push(&set->groups, &group->link);
	for (i = set->n; i-- > 0; ) {	/* the last to join comes first */
		group->part[i].ties.seat = NULL;
		if (!is_there(&set->member[i]))
			continue;
		if (!from)
			seat(set, i, group, &r->seat, NULL);
		else if (set->member[i].mode == EVLOCK_SAME_MODE)
			seat(set, i, group, &r->seat, &from->part[i].seat);
	}
	return 0;
}

void
evl_set_unbind(struct evlock *lock, struct evl_extra *extra)
{
	struct evl_set *set = lock->body->set;
	struct evl_group *group = extra->group;
	size_t i;

	for (i = 0; i < set->n; i++)
		if (group->part[i].ties.seat)
			evl_ties_disown(&group->part[i].ties);
	extra->group = NULL;
	evl_list_remove(&group->link);
	group->next = set->spare;
	set->spare = group;
}

/* Could it be had, if it were all that is asked for? */
static int
could_hold(const struct evl_member *m, struct evl_owner *owner, unsigned mode, uint32_t units)
{
	return evl_core_could_hold(evl_core_of(m->lock), owner, mode_in(m, mode),
	    m->mode == EVLOCK_SAME_MODE ? units : 1, NULL);
}

int
evl_set_admits(const struct evlock *lock, struct evl_owner *owner, unsigned mode, uint32_t units,
    unsigned rank)
{
	const struct evl_set *set = lock->body->set;
	const struct evl_member *m;

	if (!evl_core_is_next(evl_core_of(lock), rank))
		return 0;
	EACH_MEMBER(m, set)
		if (is_there(m) && (!evl_core_is_next(evl_core_of(m->lock), rank) ||
		    !could_hold(m, owner, mode, units)))
			return 0;
	return 1;
}

int
evl_set_admits_conversion(const struct evlock *lock, const struct evl_request *r, unsigned mode)
{
	struct evl_group *group = evl_extra_of(r)->group;
	struct evl_set *set = lock->body->set;
	size_t i;

	for (i = 0; i < set->n; i++)
		if (is_there(&set->member[i]) && set->member[i].mode == EVLOCK_SAME_MODE &&
		    !evl_core_could_hold(evl_core_of(set->member[i].lock), r->seat.ties->owner,
		    mode, r->seat.units, &group->part[i].seat))
			return 0;
	return 1;
}

unsigned
evl_set_strongest(const struct evlock *lock)
{
	const struct evl_set *set = lock->body->set;
	const struct evl_member *m;
	unsigned strongest = 0;

	EACH_MEMBER(m, set) {
		unsigned mode = is_there(m) ? evl_core_strongest(evl_core_of(m->lock)) : 0;

		if (mode > strongest)
			strongest = mode;
	}
	return strongest;
}

/* --- Who is concerned ----------------------------------------------------- */

/* A lock's sets, which have room if it has, and all their members, which may only have
 * lost someone who waited. */
static void
visit_sets(struct evlock *lock, void (*visit)(struct evlock *, int), int has_room)
{
	const struct evl_member *m;
	struct evl_link *link;

	EVL_LIST_EACH(link, &lock->body->sets) {
		visit(evl_member_set(link), has_room);
		EACH_MEMBER(m, MEMBER(link)->body->set)
			if (is_there(m))
				visit(m->lock, 0);
	}
}

void
evl_set_visit(struct evlock *lock, void (*visit)(struct evlock *, int), int has_room)
{
	const struct evl_set *set = lock->body->set;
	const struct evl_member *m;

	visit_sets(lock, visit, has_room);
	if (!set)
		return;
	EACH_MEMBER(m, set)
		if (is_there(m)) {
			visit(m->lock, has_room);
			visit_sets(m->lock, visit, has_room);
		}
}

/* --- Members that end ----------------------------------------------------- */

/* Fails those who wait for a set that has `body` as a member, through `object` or, if that
 * is NULL, through any. */
static void
fail_sets(struct evl_step *step, struct evl_body *body, const struct evlock *object, int error)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->sets)
		if (!object || MEMBER(link)->lock == object)
			evl_request_fail_all(step, evl_member_set(link), error);
}

void
evl_set_fail_around(struct evl_step *step, struct evl_body *body, int error)
{
	fail_sets(step, body, NULL, error);
}

static void
set_visited(const struct evl_body *body, uint8_t is_visited)
{
	const struct evl_member *m;
	const struct evl_link *link;

	EVL_LIST_EACH(link, &body->sets)
		EACH_MEMBER(m, MEMBER(link)->body->set)
			if (m->lock)
				evl_core_of(m->lock)->is_visited = is_visited;
}

/* Those who waited for the set are gone: there may be room in its members, and in their sets. */
static void
settle_set(struct evlock *lock)
{
	const struct evl_member *m;

	evl_tell_own(lock, 1);
	visit_sets(lock, evl_tell_own, 1);
	EACH_MEMBER(m, lock->body->set) {
		if (!is_there(m) || evl_core_of(m->lock)->is_visited)
			continue;
		evl_core_of(m->lock)->is_visited = 1;
		evl_tell_own(m->lock, 1);
		visit_sets(m->lock, evl_tell_own, 1);
	}
	evl_lock_wake(lock);
	evl_check(lock);
}

/* Of all sets that have a member, which may have other members in common: each is visited once. */
static void
settle_sets(const struct evl_body *body)
{
	struct evl_link *link;

	set_visited(body, 0);
	EVL_LIST_EACH(link, &body->sets)
		settle_set(evl_member_set(link));
}

/* Closes such sets.  All are closed before anyone who waits for one fails, and nobody is
 * granted before all have failed: they may wait in each other's members. */
static void
close_sets(struct evl_step *step, struct evl_body *body, const struct evlock *object)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->sets)
		if (!object || MEMBER(link)->lock == object)
			MEMBER(link)->body->core.is_closed = 1;
	fail_sets(step, body, object, ECANCELED);
}

void
evl_set_close_from(struct evlock *lock)
{
	struct evl_step step = { .out = evl_lock_fifo(lock) };

	evl_core_of(lock)->is_closed = 1;
	close_sets(&step, lock->body, NULL);
	evl_request_fail_all(&step, lock, ECANCELED);
	evl_step_finish(&step);
	settle_sets(lock->body);
	evl_lock_settle(lock, 1);
}

#define GROUP(l) EVL_CONTAINER(l, struct evl_group, link)

/* What a group holds of a member, or NULL. */
static struct evl_ties *
part_held(struct evl_group *group, size_t i)
{
	struct evl_ties *ties = &group->part[i].ties;

	return ties->seat && evl_ties_hold(ties) ? ties : NULL;
}

/* The requests for the set no longer hold member `m`. */
static void
let_go(struct evl_member *m)
{
	struct evl_set *set = m->body->set;
	struct evl_link *link;

	EVL_LIST_EACH(link, &set->groups) {
		struct evl_ties *ties = part_held(GROUP(link), (size_t)(m - set->member));

		if (ties)
			evl_core_abandon(ties);
	}
}

void
evl_set_lose(struct evlock *member)
{
	struct evl_step step = { .out = evl_lock_fifo(member) };
	struct evl_link *link, *after;

	close_sets(&step, member->body, member);
	evl_step_finish(&step);
	settle_sets(member->body);
	EVL_LIST_EACH_SAFE(link, after, &member->body->sets) {
		struct evl_member *m = MEMBER(link);

		if (m->lock != member)
			continue;
		if (m->is_seated)
			let_go(m);
		m->lock = NULL;
		evl_list_remove(link);
		evl_list_init(link);
		evl_tell_own(evl_member_set(link), 0);	/* nobody waits for that any more */
		evl_lock_wake(evl_member_set(link));
	}
	evl_tell_update(member->body);
}

void
evl_set_forget(struct evlock *lock)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &lock->body->sets) {
		if (MEMBER(link)->lock != lock)
			continue;
		MEMBER(link)->lock = NULL;
		evl_list_remove(link);
		evl_list_init(link);
	}
}

/* --- Looking at what a set holds of a member ------------------------------ */

void
evl_set_see_holders(const struct evlock *lock, void (*see)(const struct evl_seat *, void *),
    void *arg)
{
	const struct evl_link *link, *group;

	EVL_LIST_EACH(link, &lock->body->sets) {
		const struct evl_member *m = MEMBER(link);
		const struct evl_set *set = m->body->set;

		if (!is_there(m))
			continue;
		EVL_LIST_EACH(group, &set->groups) {
			const struct evl_ties *ties = part_held(GROUP(group),
			    (size_t)(m - set->member));

			if (ties)
				see(ties->seat, arg);
		}
	}
}

struct evl_request *
evl_set_first_holder(const struct evl_body *body)
{
	const struct evl_link *link, *group;

	EVL_LIST_EACH(link, &body->sets) {
		const struct evl_member *m = MEMBER(link);

		if (!is_there(m))
			continue;
		EVL_LIST_EACH(group, &m->body->set->groups)
			if (part_held(GROUP(group), (size_t)(m - m->body->set->member)))
				return GROUP(group)->request;
	}
	return NULL;
}
