/* SPDX-License-Identifier: BSD-3-Clause */

/* Exclusion.  Each thing counts what its holders surely hold, and has a plain variable that
 * ThreadSanitizer watches.  All counting is relaxed, so that only the lock itself orders the
 * threads.
 *
 * A holder that another thread may end at any time (see is_loose()) is not counted. */

#include "anything.h"

/* --- Tables of modes -------------------------------------------------------------- */

#define MODE(name, conflicts, limit, access) { name, conflicts, limit, access, NULL }

static const struct evlock_mode standard[] = {
	MODE("none", 8, 0, EVLOCK_NO_ACCESS), MODE("shared", 8, 0, EVLOCK_READ),
	MODE("upgradable", 12, 0, EVLOCK_READ), MODE("exclusive", 14, 0, EVLOCK_WRITE),
};
const struct evlock_modes standard_modes = { standard, 4, NULL };
const struct evlock_modes file_modes = { standard, 4, NULL };

static const struct evlock_mode permit[] = { MODE("permit", 0, PERMITS, EVLOCK_NO_ACCESS) };
const struct evlock_modes semaphore_modes = { permit, 1, NULL };

/* Intentions: IS IX S SIX X. */
static const struct evlock_mode intention[] = {
	MODE("IS", 0x10, 0, EVLOCK_NO_ACCESS), MODE("IX", 0x1C, 0, EVLOCK_NO_ACCESS),
	MODE("S", 0x1A, 0, EVLOCK_READ), MODE("SIX", 0x1E, 0, EVLOCK_READ),
	MODE("X", 0x1F, 0, EVLOCK_WRITE),
};
static const struct evlock_modes intention_modes = { intention, 5, NULL };

/* Three units for readers, or a writer. */
static const struct evlock_mode limited[] = {
	MODE("some", 2, 3, EVLOCK_READ), MODE("all", 3, 0, EVLOCK_WRITE),
};
static const struct evlock_modes limited_modes = { limited, 2, NULL };

/* Mode 1 waits for mode 0 to go, and mode 0 for nobody. */
static const struct evlock_mode one_way[] = {
	MODE(NULL, 0, 0, EVLOCK_NO_ACCESS), MODE("late", 1, 0, EVLOCK_NO_ACCESS),
};
static const struct evlock_modes one_way_modes = { one_way, 2, NULL };

/* Two modes that share five units. */
static int
is_room(unsigned mode, uint32_t units, const uint32_t *held, void *arg)
{
	(void)mode;
	return held[0] + held[1] + units <= *(const uint32_t *)arg;
}

static uint32_t five = 5;
static const struct evlock_mode pooled[] = {
	{ "small", 0, 0, EVLOCK_NO_ACCESS, is_room }, { "large", 0, 5, EVLOCK_NO_ACCESS, is_room },
};
static const struct evlock_modes pooled_modes = { pooled, 2, &five };

static const struct evlock_mode alone[] = { MODE("alone", 1, 0, EVLOCK_WRITE) };
static const struct evlock_modes alone_modes = { alone, 1, NULL };

const struct evlock_modes *const custom_modes[] = { &intention_modes, &limited_modes,
    &one_way_modes, &pooled_modes, &alone_modes };
const unsigned n_custom_modes = sizeof custom_modes / sizeof *custom_modes;

/* --- Parts of a request ----------------------------------------------------------- */

/* The units that a request holds in one lock. */
struct part {
	struct thing *thing;
	unsigned mode, units;
};

static unsigned
n_parts(const struct request *r)
{
	return r->thing->kind == SET ? r->thing->n_leaves : 1;
}

static struct part
part_of(const struct request *r, unsigned i)
{
	const struct leaf *leaf = &r->thing->leaf[i];

	if (r->thing->kind != SET)
		return (struct part){ r->thing, r->mode, r->units };
	if (leaf->mode != EVLOCK_SAME_MODE)
		return (struct part){ leaf->thing, (unsigned)leaf->mode, 1 };
	return (struct part){ leaf->thing, r->mode, r->units };
}

/* Returns the units of a thing that the owner of `r` surely holds. */
static uint32_t
held_by_owner(const struct request *r, const struct thing *thing, unsigned mode)
{
	const struct thread *t = r->thread;
	uint32_t held = 0;
	unsigned i, j;

	for (i = 0; i < t->n_live; i++) {
		const struct request *other = t->live[i];

		if (!other->is_inside || (other != r && (!r->owner || other->owner != r->owner)))
			continue;
		for (j = 0; j < n_parts(other); j++) {
			struct part p = part_of(other, j);

			if (p.thing == thing && p.mode == mode && !(other->lost >> j & 1))
				held += p.units;
		}
	}
	return held;
}

/* --- Holders inside --------------------------------------------------------------- */

/* If only one of two modes conflicts with the other, it is unknown which holder came first. */
static int
conflict(const struct evlock_modes *modes, unsigned a, unsigned b)
{
	return modes->mode[a].conflicts >> b & modes->mode[b].conflicts >> a & 1;
}

static void
check_limits(struct thing *thing, unsigned mode, uint32_t held)
{
	uint32_t limit = thing->kind == SEMAPHORE ? READ(thing->permits)
	    : thing->modes->mode[mode].limit;

	MUST(!limit || held <= limit);
	if (thing->modes == &pooled_modes && !READ(thing->has_owners))
		MUST(READ(thing->held[0]) + READ(thing->held[1]) <= five);
}

static void
touch(struct thing *thing, enum evlock_access access)
{
	if (access == EVLOCK_NO_ACCESS)
		return;
	MUST(thing->value == thing->copy);
	if (thing->kind == FILE_LOCK)
		check_neighbour(thing);
	if (access == EVLOCK_READ)
		return;
	thing->value++;
	thing->copy++;
}

/* Prints the holders of this thread, to help to find the reason. */
static void
print_insiders(const struct request *r, const struct thing *thing)
{
	const struct thread *t = r->thread;
	unsigned i, j;

	for (i = 0; i < t->n_live; i++)
		for (j = 0; j < n_parts(t->live[i]); j++)
			if (part_of(t->live[i], j).thing == thing)
				fprintf(stderr, "# request %u: mode %u, %s%s%s\n", t->live[i]->number,
				    part_of(t->live[i], j).mode,
				    t->live[i]->is_inside ? "inside" : "outside",
				    t->live[i]->lost >> j & 1 ? ", has lost it" : "",
				    t->live[i] == r ? ": this one" : "");
}

static void
check_conflict(const struct request *r, struct thing *thing, unsigned mode)
{
	if (READ(thing->held[mode]) == held_by_owner(r, thing, mode))
		return;
	print_insiders(r, thing);
	MUST(!"a conflicting mode is held");
}

static void
enter_part(const struct request *r, struct part p)
{
	uint32_t held = __atomic_add_fetch(&p.thing->held[p.mode], p.units, __ATOMIC_RELAXED);
	unsigned mode;

	check_limits(p.thing, p.mode, held);
	for (mode = 0; mode < p.thing->modes->n_modes; mode++)
		if (conflict(p.thing->modes, mode, p.mode))
			check_conflict(r, p.thing, mode);
	touch(p.thing, p.thing->modes->mode[p.mode].access);
}

static void
leave_part(struct part p)
{
	__atomic_sub_fetch(&p.thing->held[p.mode], p.units, __ATOMIC_RELAXED);
}

void
enter(struct request *r)
{
	unsigned i;

	if (is_loose(r) || READ(r->thing->is_far) || r->is_inside || r->is_doomed)
		return;
	r->is_inside = 1;
	for (i = 0; i < n_parts(r); i++)
		if (!(r->lost >> i & 1))
			enter_part(r, part_of(r, i));
}

void
leave(struct request *r)
{
	unsigned i;

	if (!r->is_inside)
		return;
	for (i = 0; i < n_parts(r); i++)
		if (!(r->lost >> i & 1))
			leave_part(part_of(r, i));
	r->is_inside = 0;
}

void
lose(struct request *r, unsigned i)
{
	if (r->is_inside && !(r->lost >> i & 1))
		leave_part(part_of(r, i));
	r->lost |= 1u << i;
}

/* --- Closed ----------------------------------------------------------------------- */

/* May the thing be closed by now? */
int
is_closing(const struct thing *thing)
{
	unsigned i;

	if (READ(thing->is_closing))
		return 1;
	for (i = 0; i < thing->n_leaves; i++)
		if (READ(thing->leaf[i].thing->is_closing) || READ(thing->leaf[i].object->is_dying))
			return 1;
	for (i = 0; i < thing->n_parts; i++)
		if (READ(thing->part[i]->is_dying) || is_closing(thing->part[i]->thing))
			return 1;
	return 0;
}

/* Is the thing surely closed?  The lock of a key or a file may have been made again since. */
int
is_closed(const struct thing *thing)
{
	return thing->kind != KEY && thing->kind != FILE_LOCK && READ(thing->is_closed);
}
