/* SPDX-License-Identifier: BSD-3-Clause */

/* Looking at a lock; changes nothing.  Called in the thread of its base. */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>

#include "lock.h"
#include "outside.h"
#include "owner.h"
#include "text.h"

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

/* --- Dumping --------------------------------------------------------------
 *
 * A dump is written to memory, each lock with its guard entered, and from there to the
 * caller's FILE: that may block for as long as its reader likes. */

static void
dump_mode(const struct evl_core *core, unsigned mode, struct evl_text *text)
{
	if (core->mode[mode].name)
		evl_text_add_name(text, core->mode[mode].name);
	else
		evl_text_printf(text, "mode %u", mode);
}

static void
dump_units(const struct evl_seat *seat, struct evl_text *text)
{
	if (seat->units != 1)
		evl_text_printf(text, " x%" PRIu32, seat->units);
}

static void
dump_owner(const struct evl_seat *seat, struct evl_text *text)
{
	const char *name;

	if (!seat->ties || !seat->ties->owner || seat->ties->owner->is_self)
		return;
	name = evl_owner_name(seat->ties->owner);
	evl_text_add(text, " of ");
	if (name)
		evl_text_add_name(text, name);
	else
		evl_text_add(text, "(unnamed owner)");
}

/* A seat, by the handle of the request that it is of. */
static void
dump_seat(const struct evl_core *core, const struct evl_seat *seat, const char *what,
    struct evl_text *text)
{
	const struct evl_seat *lead = seat->kind == EVL_MEMBER ? seat->ties->lead : seat;
	const struct evl_seat *of = seat->ties ? seat->ties->of : NULL;

	if (lead->ties && lead->ties->of)
		lead = lead->ties->of;
	evl_text_printf(text, "  %-8s %#018" PRIx64 " ", what, evl_request_handle(EVL_REQUEST(lead)));
	if (of) {
		dump_mode(core, of->mode, text);
		evl_text_add(text, " -> ");
	}
	dump_mode(core, seat->mode, text);
	dump_units(seat, text);
	if (seat->rank > 1)
		evl_text_printf(text, " priority %u", seat->rank / 2u);
	dump_owner(seat, text);
	evl_text_add(text, seat->kind == EVL_MEMBER ? " in a set\n" : "\n");
}

static void
dump_list(const struct evl_core *core, const struct evl_link *list, const char *what,
    struct evl_text *text)
{
	struct evl_link *link;

	EVL_WAITING_EACH(link, list)
		if (EVL_SEAT(link)->kind == EVL_OUTSIDE)
			evl_text_printf(text, "  %-8s others\n", what);
		else
			dump_seat(core, EVL_SEAT(link), what, text);
}

static void
dump_held_by_set(const struct evl_seat *seat, void *text)
{
	if (evl_seat_holds(seat))
		dump_seat(seat->ties->core, seat, "held", text);
}

/* Those granted whose callbacks have not run yet.  The state of another lock's request may be
 * changed by another thread meanwhile, and is not looked at. */
static void
dump_granted(const struct evl_port *port, const struct evl_body *body, struct evl_text *text)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &port->fifo) {
		const struct evl_seat *seat = EVL_SEAT(link);

		if (seat->kind < EVL_CONVERSION && EVL_REQUEST(seat)->lock->body == body &&
		    seat->state == EVL_GRANTED)
			dump_seat(&body->core, seat, "granted", text);
	}
}

/* What is held through the objects of a lock. */
static void
dump_held(const struct evl_body *body, struct evl_text *text)
{
	const struct evl_link *link;

	EVL_LIST_EACH(link, &body->objects) {
		const struct evlock *object = EVL_OBJECT(link);

		dump_list(&body->core, &object->held, "held", text);
		if (object->sole)
			dump_seat(&body->core, &object->sole->seat, "held", text);
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
dump_name(const struct evl_body *body, struct evl_text *text)
{
	evl_text_add(text, "lock ");
	if (body->name)
		evl_text_add_name(text, body->name);
	else
		evl_text_add(text, "(unnamed)");
	if (body->keyed)
		evl_keyed_dump(body, text);
}

static void
dump_title(const struct evlock *lock, struct evl_text *text)
{
	const struct evl_core *core = evl_core_of(lock);

	dump_name(lock->body, text);
	evl_text_printf(text, " (%p): ", (const void *)lock);
	if (lock->body->outside && lock->body->outside->has == EVLOCK_NONE)
		evl_text_add(text, "not ours");
	else if (core->held_mask)
		dump_mode(core, evl_core_strongest(core), text);
	else
		evl_text_add(text, "free");
	evl_text_printf(text, ", %" PRIu32 " waiting%s\n", core->n_waiting,
	    core->is_closed ? ", closed" : "");
}

void
evl_lock_dump(const struct evlock *lock, struct evl_text *text)
{
	const struct evl_core *core = evl_core_of(lock);

	if (!is_first_object(lock))
		return;
	dump_title(lock, text);
	dump_held(lock->body, text);
	evl_set_see_holders(lock, dump_held_by_set, text);
	dump_granted(lock->port, lock->body, text);
	dump_list(core, &core->ahead, "ahead", text);
	dump_list(core, &core->queue, "waits", text);
}

static void
dump_lock(const struct evlock *lock, struct evl_text *text)
{
	struct evl_guard *guard = evl_body_enter(lock->body);

	evl_lock_dump(lock, text);
	evl_body_leave(guard);
}

/* In no step. */
static void
dump_port(struct evl_port *port, struct evl_text *text)
{
	struct evl_link *link;

	evl_port_collect(port);
	for (link = &port->locks; (link = evl_port_next(port, &port->locks, link)); )
		dump_lock(EVL_LOCK(link), text);
	for (link = &port->tables; (link = evl_port_next(port, &port->tables, link)); )
		evl_table_dump(link, text);
}

static void
clear(void *text)
{
	evl_text_clear(text);
}

/* The thread may be cancelled here. */
static void
write_out(struct evl_text *text, FILE *out)
{
	pthread_cleanup_push(clear, text);
	if (text->is_cut)
		evl_text_drop_unfinished_line(text);
	if (text->length)
		fwrite(text->start, 1, text->length, out);
	if (text->is_cut)
		fputs("(out of memory: the rest is left out)\n", out);
	pthread_cleanup_pop(1);
}

void
evlock_dump(struct event_base *base, FILE *out)
{
	struct evl_port *port = evl_port_find(base);
	struct evl_text text = { 0 };

	if (!port)
		return;
	dump_port(port, &text);
	write_out(&text, out);
}
