/* SPDX-License-Identifier: BSD-3-Clause */

/* Looking at a lock; changes nothing.  Called in the thread of its base. */

#include <errno.h>
#include <inttypes.h>

#include "lock.h"
#include "outside.h"
#include "owner.h"

unsigned
evlock_locked(const struct evlock *lock)
{
	struct evl_guard *guard = evl_body_enter(lock->body);
	unsigned mode = lock->body->set ? evl_set_strongest(lock)
	    : evl_core_strongest(evl_core_of(lock));

	evl_body_leave(guard);
	return mode;
}

uint32_t
evlock_held(const struct evlock *lock, unsigned mode)
{
	const struct evl_core *core = evl_core_of(lock);
	struct evl_guard *guard = evl_body_enter(lock->body);
	uint32_t held = mode < core->n_modes ? evl_core_held(core)[mode] : 0;

	evl_body_leave(guard);
	return held;
}

size_t
evlock_waiting(const struct evlock *lock)
{
	struct evl_guard *guard = evl_body_enter(lock->body);
	size_t n = evl_core_of(lock)->n_waiting - evl_outside_waits(lock->body->outside);

	evl_body_leave(guard);
	return n;
}

/* --- Of one handle -------------------------------------------------------- */

/* The mode that a handle holds, or -1. */
static int
mode_of(const struct evlock *lock, evlock_handle handle)
{
	struct evl_guard *guard = evl_body_enter(lock->body);
	const struct evl_seat *seat = evl_seat_find(lock, handle);
	int mode = seat && evl_seat_holds(seat) ? seat->mode : -1;

	evl_body_leave(guard);
	return mode;
}

int
evlock_mode_of(const struct evlock *lock, evlock_handle handle)
{
	int mode = mode_of(lock, handle);

	if (mode < 0)
		errno = ENOENT;
	return mode;
}

static void *
value(const struct evlock *lock, evlock_handle handle, enum evlock_access needed)
{
	int mode = mode_of(lock, handle);

	if (mode >= 0 && evl_core_of(lock)->mode[mode].access >= needed)
		return lock->identity->value;
	errno = EPERM;
	return NULL;
}

const void *
evlock_value(const struct evlock *lock, evlock_handle handle)
{
	return value(lock, handle, EVLOCK_READ);
}

void *
evlock_value_mut(const struct evlock *lock, evlock_handle handle)
{
	return value(lock, handle, EVLOCK_WRITE);
}

/* --- Dumping -------------------------------------------------------------- */

static void
dump_mode(const struct evl_core *core, unsigned mode, FILE *out)
{
	if (core->mode[mode].name)
		fputs(core->mode[mode].name, out);
	else
		fprintf(out, "mode %u", mode);
}

static void
dump_units(const struct evl_seat *seat, FILE *out)
{
	if (seat->units != 1)
		fprintf(out, " x%" PRIu32, seat->units);
}

static void
dump_owner(const struct evl_seat *seat, FILE *out)
{
	const char *name;

	if (!seat->ties || !seat->ties->owner || seat->ties->owner->is_self)
		return;
	name = evl_owner_name(seat->ties->owner);
	fprintf(out, " of %s", name ? name : "(unnamed owner)");
}

/* A seat, by the handle of the request that it is of. */
static void
dump_seat(const struct evl_core *core, const struct evl_seat *seat, const char *what, FILE *out)
{
	const struct evl_seat *lead = seat->kind == EVL_MEMBER ? seat->ties->lead : seat;
	const struct evl_seat *of = seat->ties ? seat->ties->of : NULL;

	if (lead->ties && lead->ties->of)
		lead = lead->ties->of;
	fprintf(out, "  %-8s %#018" PRIx64 " ", what, evl_request_handle(EVL_REQUEST(lead)));
	if (of) {
		dump_mode(core, of->mode, out);
		fputs(" -> ", out);
	}
	dump_mode(core, seat->mode, out);
	dump_units(seat, out);
	if (seat->rank > 1)
		fprintf(out, " priority %u", seat->rank / 2u);
	dump_owner(seat, out);
	fputs(seat->kind == EVL_MEMBER ? " in a set\n" : "\n", out);
}

static void
dump_list(const struct evl_core *core, const struct evl_link *list, const char *what, FILE *out)
{
	struct evl_link *link;

	EVL_WAITING_EACH(link, list)
		if (EVL_SEAT(link)->kind == EVL_OUTSIDE)
			fprintf(out, "  %-8s others\n", what);
		else
			dump_seat(core, EVL_SEAT(link), what, out);
}

static void
dump_held_by_set(const struct evl_seat *seat, FILE *out)
{
	if (evl_seat_holds(seat))
		dump_seat(seat->ties->core, seat, "held", out);
}

/* Those granted whose callbacks have not run yet. */
static void
dump_granted(const struct evl_port *port, const struct evl_body *body, FILE *out)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &port->fifo) {
		const struct evl_seat *seat = EVL_SEAT(link);

		if (seat->kind < EVL_CONVERSION && seat->state == EVL_GRANTED &&
		    EVL_REQUEST(seat)->lock->body == body)
			dump_seat(&body->core, seat, "granted", out);
	}
}

/* What is held through the objects of a lock. */
static void
dump_held(const struct evl_body *body, FILE *out)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &body->objects) {
		evl_lock_gather(EVL_OBJECT(link));
		dump_list(&body->core, &EVL_OBJECT(link)->held, "held", out);
	}
}

/* Is it the first of the lock's objects on its base? */
static int
is_first_object(const struct evlock *lock)
{
	const struct evl_link *link;

	EVL_LIST_EACH(link, &lock->body->objects)
		if (EVL_OBJECT(link)->port == lock->port)
			return EVL_OBJECT(link) == lock;
	return 1;
}

static void
dump_title(const struct evlock *lock, FILE *out)
{
	const struct evl_core *core = evl_core_of(lock);

	fprintf(out, "lock %s", lock->body->name ? lock->body->name : "(unnamed)");
	if (lock->body->keyed)
		evl_keyed_dump(lock->body, out);
	fprintf(out, " (%p): ", (const void *)lock);
	if (lock->body->outside && lock->body->outside->has == EVLOCK_NONE)
		fputs("not ours", out);
	else if (core->held_mask)
		dump_mode(core, evl_core_strongest(core), out);
	else
		fputs("free", out);
	fprintf(out, ", %" PRIu32 " waiting%s\n", core->n_waiting,
	    core->is_closed ? ", closed" : "");
}

void
evl_lock_dump(struct evlock *lock, FILE *out)
{
	const struct evl_core *core = evl_core_of(lock);

	if (!is_first_object(lock))
		return;
	dump_title(lock, out);
	dump_held(lock->body, out);
	evl_set_see_holders(lock, dump_held_by_set, out);
	dump_granted(lock->port, lock->body, out);
	dump_list(core, &core->ahead, "ahead", out);
	dump_list(core, &core->queue, "waits", out);
}

static void
dump_lock(struct evlock *lock, FILE *out)
{
	struct evl_guard *guard = evl_body_enter(lock->body);

	evl_lock_dump(lock, out);
	evl_body_leave(guard);
}

void
evlock_dump(struct event_base *base, FILE *out)
{
	struct evl_port *port = evl_port_find(base);
	struct evl_link *link;

	if (!port)
		return;
	evl_port_collect(port);
	for (link = &port->locks; (link = evl_port_next(port, &port->locks, link)); )
		dump_lock(EVL_LOCK(link), out);
	for (link = &port->tables; (link = evl_port_next(port, &port->tables, link)); )
		evl_table_dump(link, out);
}
