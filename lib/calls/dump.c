/* SPDX-License-Identifier: BSD-3-Clause */

/* evlock_dump().  Called in the thread of the base.
 *
 * Writes the dump to memory, with each lock's guard entered, and then to the caller's FILE.
 * Writing to the FILE may block, so no guard is held then. */

#include <inttypes.h>
#include <pthread.h>

#include "base/text.h"
#include "calls/owner.h"
#include "lock/member.h"
#include "loop/ports.h"

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

/* Writes one seat, with the handle of its request. */
static void
dump_seat(const struct evl_core *core, const struct evl_seat *seat, const char *what,
    struct evl_text *text)
{
	const struct evl_seat *lead = seat->role == EVL_MEMBER ? seat->ties->lead : seat;
	const struct evl_seat *of = seat->ties ? seat->ties->of : NULL;

	if (lead->ties && lead->ties->of)
		lead = lead->ties->of;
	evl_text_printf(text, "  %-8s %#018" PRIx64 " ", what, evl_lock_handle(EVL_REQUEST(lead)));
	if (of) {
		dump_mode(core, of->mode, text);
		evl_text_add(text, " -> ");
	}
	dump_mode(core, seat->mode, text);
	dump_units(seat, text);
	if (seat->rank > 1)
		evl_text_printf(text, " priority %u", seat->rank / 2u);
	dump_owner(seat, text);
	evl_text_add(text, seat->role == EVL_MEMBER ? " in a set\n" : "\n");
}

/* Has the request ended?  While an object is being freed, its `held` list keeps such requests until
 * all callbacks have run. */
static int
is_over(const struct evl_seat *seat)
{
	return seat->state != EVL_QUEUED && !evl_ties_are_held(seat);
}

static void
dump_list(const struct evl_core *core, const struct evl_link *list, const char *what,
    struct evl_text *text)
{
	struct evl_link *link;

	EVL_WAITING_EACH(link, list)
		if (EVL_SEAT(link)->role == EVL_OUTSIDE)
			evl_text_printf(text, "  %-8s others\n", what);
		else if (!is_over(EVL_SEAT(link)))
			dump_seat(core, EVL_SEAT(link), what, text);
}

/* Writes what requests for one set hold of its member `m`. */
static void
dump_held_by(const struct evl_member *m, struct evl_text *text)
{
	const struct evl_link *group;

	EVL_LIST_EACH(group, &evl_member_set(m)->groups) {
		const struct evl_ties *ties = evl_member_part_held(m, EVL_GROUP(group));

		if (ties)
			dump_seat(ties->core, ties->seat, "held", text);
	}
}

static void
dump_held_by_sets(const struct evl_body *body, struct evl_text *text)
{
	const struct evl_link *link;

	EVL_LIST_EACH(link, &body->sets)
		if (evl_member_is_there(EVL_MEMBER_LINK(link)))
			dump_held_by(EVL_MEMBER_LINK(link), text);
}

/* Writes the granted requests whose callbacks have not run yet.  Does not read the state of another
 * lock's request, because another thread may be changing it. */
static void
dump_granted(const struct evl_port *port, const struct evl_body *body, struct evl_text *text)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &port->fifo) {
		const struct evl_seat *seat = EVL_SEAT(link);

		if (seat->role < EVL_CONVERSION && EVL_REQUEST(seat)->lock->body == body &&
		    seat->state == EVL_GRANTED)
			dump_seat(&body->core, seat, "granted", text);
	}
}

/* Writes what is held through the objects of a lock. */
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

/* Is `lock` the first object of its body on its base? */
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
	if (body->kind->dump_name)
		body->kind->dump_name(body, text);
}

static void
dump_title(const struct evlock *lock, struct evl_text *text)
{
	const struct evl_core *core = evl_lock_core(lock);

	dump_name(lock->body, text);
	evl_text_printf(text, " (%p): ", (const void *)lock);
	if (lock->body->kind->is_away && lock->body->kind->is_away(lock->body))
		evl_text_add(text, "not ours");
	else if (core->held_mask)
		dump_mode(core, evl_core_strongest(core), text);
	else
		evl_text_add(text, "free");
	evl_text_printf(text, ", %" PRIu32 " waiting%s\n", core->n_waiting,
	    evl_core_is(core, EVL_IS_CLOSED) ? ", closed" : "");
}

/* Writes a lock once for each base, however many objects it has there. */
static void
dump_lock(const struct evlock *lock, void *arg)
{
	struct evl_text *text = arg;
	const struct evl_core *core = evl_lock_core(lock);

	if (!is_first_object(lock))
		return;
	dump_title(lock, text);
	dump_held(lock->body, text);
	dump_held_by_sets(lock->body, text);
	dump_granted(lock->port, lock->body, text);
	dump_list(core, &core->ahead, "ahead", text);
	dump_list(core, &core->queue, "waits", text);
}

static void
enter_and_dump(const struct evlock *lock, struct evl_text *text)
{
	struct evl_guard *guard = evl_lock_enter(lock->body);

	dump_lock(lock, text);
	evl_lock_leave(guard);
}

/* Called with no guard entered. */
static void
dump_port(struct evl_port *port, struct evl_text *text)
{
	struct evl_link *link;

	evl_letters_collect(port);
	for (link = &port->locks; (link = evl_ports_next(port, &port->locks, link)); )
		enter_and_dump(EVL_LOCK(link), text);
	for (link = &port->families; (link = evl_ports_next(port, &port->families, link)); )
		EVL_FAMILY(link)->each(EVL_FAMILY(link), dump_lock, text);
}

static void
clear(void *text)
{
	evl_text_clear(text);
}

/* Frees the text even if the thread is cancelled in fwrite() or fputs(). */
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
	struct evl_port *port = evl_ports_find(base);
	struct evl_text text = { 0 };

	if (!port)
		return;
	dump_port(port, &text);
	write_out(&text, out);
}
