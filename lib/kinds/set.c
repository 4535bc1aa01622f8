/* SPDX-License-Identifier: BSD-3-Clause */

/* Sets: locks made of other locks.  A request for a set has a seat in the queue of the
 * set and one in the queue of each member.  The rules grant all its seats together.  This
 * file has the list of members, and the memory of the seats in their queues.
 *
 * If a member is itself a set, its members become members of the outer set.  The inner
 * set stays a member without a seat, because closing it closes the outer set too.
 */

#include <errno.h>

#include <evlock/set.h>

#include "base/mem.h"
#include "calls/objects.h"
#include "lock/member.h"
#include "lock/step.h"

/* The modes of a set's own queue conflict with nothing. */
static const struct evlock_mode set_mode[EVLOCK_MAX_MODES];
static const struct evlock_modes set_modes = { set_mode, EVLOCK_MAX_MODES, NULL };

static const struct evl_kind set_kind;

static struct evl_set *
set_of(const struct evl_body *body)
{
	return body->of_kind;
}

/* Returns the set behind a lock, or NULL if the lock is not a set. */
static const struct evl_set *
as_set(const struct evlock *lock)
{
	return lock->body->kind == &set_kind ? set_of(lock->body) : NULL;
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
	return mode >= 0 && !evl_lock_judge(lock, (unsigned)mode, 1);
}

/* Returns the number of members in a set of these locks, or 0 if they cannot make a set. */
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
		if (as_set(lock))
			total += as_set(lock)->n;
	}
	return total;
}

static void
add(struct evl_set *set, struct evlock *lock, int mode)
{
	struct evl_member *m = &set->member[set->n++];

	m->lock = lock;
	m->mode = mode;
	m->is_seated = !as_set(lock);
	evl_list_init(&m->link);
}

/* Adds a lock and, if the lock is a set, its members. */
static void
add_all(struct evl_set *set, const struct evlock_set_member *member)
{
	const struct evl_set *inner = as_set(member->lock);
	const struct evl_member *m;

	add(set, member->lock, member->mode);
	if (!inner)
		return;
	EVL_MEMBERS_EACH(m, inner)
		if (m->lock)
			add(set, m->lock, m->mode == EVLOCK_SAME_MODE ? member->mode : m->mode);
}

/* Sets the mark of a lock and of all its members.  Returns 1 if any was marked before, else 0. */
static int
mark(const struct evlock *lock, uint8_t is_visited)
{
	struct evl_core *core = evl_lock_core(lock);
	const struct evl_set *set = as_set(lock);
	const struct evl_member *m;
	int had = core->is_visited;

	core->is_visited = is_visited;
	if (!set)
		return had;
	EVL_MEMBERS_EACH(m, set)
		if (m->lock) {
			had |= evl_lock_core(m->lock)->is_visited;
			evl_lock_core(m->lock)->is_visited = is_visited;
		}
	return had;
}

/* Is a lock twice among `members` and their members? */
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

/* --- The members' part ---------------------------------------------------- */

static int
make_room_in(struct evl_step *step, const struct evl_member *m, unsigned mode,
    struct evl_look *look)
{
	evl_step_note(step, m->lock->body, 0);	/* the kind looks at the end, even if this fails */
	return m->lock->body->kind->make_room(step, m->lock, mode_in(m, mode), look);
}

/* Makes room in the members that are shared with other processes. */
static int
make_room(struct evl_step *step, struct evlock *lock, unsigned mode, struct evl_look *look)
{
	const struct evl_set *set = set_of(lock->body);
	const struct evl_member *m;
	int error = 0;

	EVL_MEMBERS_EACH(m, set)
		if (!error && evl_member_is_there(m) && m->lock->body->kind->make_room)
			error = make_room_in(step, m, mode, look);
	return error;
}

static void
keep_room(struct evl_step *step, struct evlock *lock, int is_kept)
{
	const struct evl_member *m;

	EVL_MEMBERS_EACH(m, set_of(lock->body))
		if (evl_member_is_there(m) && m->lock->body->kind->keep_room)
			m->lock->body->kind->keep_room(step, m->lock, is_kept);
}

static int
refuses(const struct evlock *lock, unsigned mode)
{
	const struct evl_member *m;
	int error = 0;

	EVL_MEMBERS_EACH(m, set_of(lock->body))
		if (!error && evl_member_is_there(m) && m->lock->body->kind->refuses)
			error = m->lock->body->kind->refuses(m->lock, mode_in(m, mode));
	return error;
}

static int
is_fixed(const struct evl_body *body)
{
	const struct evl_member *m;

	EVL_MEMBERS_EACH(m, set_of(body))
		if (evl_member_is_there(m) && m->mode == EVLOCK_SAME_MODE && m->lock->body->kind->is_fixed)
			return 1;
	return 0;
}

static int
is_far(const struct evl_body *body)
{
	const struct evl_member *m;

	EVL_MEMBERS_EACH(m, set_of(body))
		if (m->lock && m->lock->body->is_far)
			return 1;
	return 0;
}

static void
destroy(struct evl_body *body)
{
	struct evl_set *set = set_of(body);
	struct evl_member *m;

	EVL_MEMBERS_EACH(m, set) {
		evl_list_remove(&m->link);
		if (m->lock)
			evl_lock_update_watched(m->lock->body);
	}
	while (set->spare) {
		struct evl_group *group = set->spare;

		set->spare = group->next;
		evl_mem_free(group);
	}
	evl_mem_free(set);
	body->kind = &evl_kind_plain;
}

/* Has the set an object on another port than `port`? */
static int
is_elsewhere(const struct evl_body *body, const struct evl_port *port)
{
	const struct evl_link *link;

	EVL_LIST_EACH(link, &body->objects)
		if (EVL_OBJECT(link)->port != port)
			return 1;
	return 0;
}

/* Updates is_far of the members.  A waiter for a member may wait for a holder of the set, whose
 * base may be another one.  The update looks at all sets of the member, so it is skipped where it
 * changes nothing. */
static void
spread(struct evl_body *body)
{
	struct evl_member *m;

	EVL_MEMBERS_EACH(m, set_of(body))
		if (m->lock && (m->lock->body->is_far || is_elsewhere(body, m->lock->port)))
			evl_member_update_far(m->lock->body);
}

/* Frees the set with its last object. */
static void
leave(struct evl_step *step, struct evl_body *body)
{
	(void)step;
	if (evl_list_is_empty(&body->objects))
		destroy(body);
}

static void
forget(struct evl_body *body, int is_whole)
{
	(void)is_whole;
	destroy(body);
}

/* --- Asking --------------------------------------------------------------- */

static int
judge(const struct evlock *lock, unsigned mode, uint32_t units)
{
	const struct evl_member *m;

	EVL_MEMBERS_EACH(m, set_of(lock->body))
		if (evl_member_is_there(m) && m->mode == EVLOCK_SAME_MODE && evl_lock_judge(m->lock, mode, units))
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

/* Gives `lead` a seat in member number `i`.  `of`: the seat that it converts there, or NULL. */
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
	s->role = EVL_MEMBER;
	s->state = EVL_FREE;
	evl_ties_init(ties, s, evl_lock_core(m->lock));
	evl_ties_join(ties, lead->ties);
	ties->of = of;
	if (lead->ties->owner)
		evl_ties_own(ties, lead->ties->owner);
}

/* Gives a request its seats in the members.  A conversion has seats only in the members that are
 * held in the set's own mode. */
static int
bind(struct evlock *lock, struct evl_request *r)
{
	struct evl_set *set = set_of(lock->body);
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
		if (!evl_member_is_there(&set->member[i]))
			continue;
		if (!from)
			seat(set, i, group, &r->seat, NULL);
		else if (set->member[i].mode == EVLOCK_SAME_MODE)
			seat(set, i, group, &r->seat, &from->part[i].seat);
	}
	return 0;
}

static void
unbind(struct evlock *lock, struct evl_extra *extra)
{
	struct evl_set *set = set_of(lock->body);
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

/* Could a request hold the member, regardless of the others and of the queue? */
static int
could_hold(const struct evl_member *m, struct evl_owner *owner, unsigned mode, uint32_t units)
{
	return evl_core_could_hold(evl_lock_core(m->lock), owner, mode_in(m, mode),
	    m->mode == EVLOCK_SAME_MODE ? units : 1, NULL);
}

static int
admits(const struct evlock *lock, struct evl_owner *owner, unsigned mode, uint32_t units,
    unsigned rank)
{
	const struct evl_set *set = set_of(lock->body);
	const struct evl_member *m;

	if (!evl_core_is_next(evl_lock_core(lock), rank))
		return 0;
	EVL_MEMBERS_EACH(m, set)
		if (evl_member_is_there(m) && (!evl_core_is_next(evl_lock_core(m->lock), rank) ||
		    !could_hold(m, owner, mode, units)))
			return 0;
	return 1;
}

static int
admits_conversion(const struct evlock *lock, const struct evl_request *r, unsigned mode)
{
	struct evl_group *group = evl_extra_of(r)->group;
	struct evl_set *set = set_of(lock->body);
	size_t i;

	for (i = 0; i < set->n; i++)
		if (evl_member_is_there(&set->member[i]) && set->member[i].mode == EVLOCK_SAME_MODE &&
		    !evl_core_could_hold(evl_lock_core(set->member[i].lock), r->seat.ties->owner,
		    mode, r->seat.units, &group->part[i].seat))
			return 0;
	return 1;
}

static unsigned
strongest(const struct evlock *lock)
{
	const struct evl_member *m;
	unsigned highest = 0;

	EVL_MEMBERS_EACH(m, set_of(lock->body)) {
		unsigned mode = evl_member_is_there(m) ? evl_core_strongest(evl_lock_core(m->lock)) : 0;

		if (mode > highest)
			highest = mode;
	}
	return highest;
}

static const struct evl_kind set_kind = {
	.judge = judge,
	.make_room = make_room,
	.keep_room = keep_room,
	.refuses = refuses,
	.bind = bind,
	.unbind = unbind,
	.is_fixed = is_fixed,
	.spread = spread,
	.leave = leave,
	.forget = forget,
	.admits = admits,
	.admits_conversion = admits_conversion,
	.strongest = strongest,
	.is_far = is_far
};

/* --- Making the lock ------------------------------------------------------ */

/* Links the set into the list of each member. */
static void
join(struct evlock *lock)
{
	struct evl_member *m;

	EVL_MEMBERS_EACH(m, set_of(lock->body)) {
		m->body = lock->body;
		evl_list_push(&m->lock->body->sets, &m->link);
		evl_lock_update_watched(m->lock->body);
		evl_core_mark(evl_lock_core(lock), evl_core_is(evl_lock_core(m->lock), EVL_IS_CLOSED));
	}
	if (lock->body->guard)
		evl_member_update_far(lock->body);
}

/* Ties the members' guards to one mutex, and returns one of the guards, or NULL if the members have
 * none. */
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
	return !options->flags && !options->modes && !options->value && !options->free_value &&
	    !options->file_mode;
}

/* Makes the lock of the set.  Called with the tied guard entered, if the members have guards. */
static struct evlock *
create_lock(struct evl_set *set, struct event_base *base, const struct evlock_options *options,
    int is_guarded)
{
	struct evlock_options all = *options;
	struct evlock *lock;

	all.flags |= is_guarded ? EVLOCK_OPT_THREADSAFE : 0;
	lock = evl_objects_create_lock(base, &all, &set_modes);
	if (!lock)
		return NULL;
	lock->body->kind = &set_kind;
	lock->body->of_kind = set;
	evl_core_mark(&lock->body->core, EVL_IS_COUNTED);	/* keeps off the short paths */
	evl_lock_update_watched(lock->body);
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
	evl_lock_leave(guard);
	return lock;
}
