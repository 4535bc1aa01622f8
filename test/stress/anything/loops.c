/* SPDX-License-Identifier: BSD-3-Clause */

/* Operations on loops: turning, nesting, breaking, resting; a base that is replaced; a child. */

#include <sys/wait.h>
#include <unistd.h>

#include "anything.h"

/* --- In any place ----------------------------------------------------------------- */

void
on_poke(evutil_socket_t fd, short what, void *arg)
{
	const struct watcher *w = arg;

	(void)fd;
	(void)what;
	begin_event(w->thread, w->base);
	operate_in_callback(w->thread);
	end_callback(w->thread);
}

static void
turn(struct thread *t)
{
	loop(t, draw(t, t->n_bases), EVLOOP_NONBLOCK);
}

static void
poke(struct thread *t)
{
	static const struct timeval soon = { 0, 1 };
	struct event *ev = t->poke[draw(t, t->n_bases)];

	if (chance(t, 2))
		event_active(ev, EV_TIMEOUT, 0);
	else
		MUST(event_add(ev, &soon) == 0);
}

/* Breaks a running loop.  It runs no more callbacks until it has returned. */
static void
break_loop(struct thread *t)
{
	unsigned base = draw(t, t->n_bases);

	if (!is_looping(t, base))
		return;
	MUST(event_base_loopbreak(t->base[base]) == 0);
	t->is_broken[base] = 1;
}

static void
end_loop(struct thread *t)
{
	struct event_base *base = t->base[draw(t, t->n_bases)];

	if (chance(t, 2))
		MUST(event_base_loopexit(base, NULL) == 0);
	else
		MUST(event_base_loopcontinue(base) == 0);
}

/* --- Outside all loops ------------------------------------------------------------ */

void
turn_all(struct thread *t)
{
	unsigned i;

	for (i = 0; i < t->n_bases; i++)
		loop(t, i, EVLOOP_NONBLOCK);
	usleep(50);
}

/* Runs until everything that was given away has been taken back or answered.  That does not keep a
 * loop alive. */
void
wait_for_answers(struct thread *t)
{
	while (take_everything_back(t), t->n_given)
		turn_all(t);
}

/* Releases everything and then only waits for a callback.  If a wake-up is lost, the thread stays
 * there, or its loop ends early.  Callbacks make no calls meanwhile: after
 * event_base_loopcontinue() in a callback, EVLOOP_ONCE waits again if only libevent's own events
 * are still active. */
static void
rest(struct thread *t)
{
	struct request *r;

	if (t->depth)
		return;
	wait_for_answers(t);
	give_permits(t);
	release_all_held(t);
	r = find_request(t, WAITING);
	if (!r || t->n_given)
		return;
	trace(t, "  until request %u is told", r->number);
	t->is_resting = 1;
	t->is_told = 0;
	while (!t->is_told && r->state == WAITING)
		if (t->n_bases == 1) {
			int result = loop(t, 0, EVLOOP_ONCE);

			MUST(result == 0 || r->state != WAITING);
		} else {
			turn_all(t);
		}
	t->is_resting = 0;
}

static void
unnotify_all(struct thread *t, unsigned base)
{
	unsigned i, j;

	for (i = 0; i < t->n_objects; i++)
		for (j = 0; t->object[i]->lock && j < WATCHES; j++) {
			begin_call(t, "evlock_unnotify");
			evlock_unnotify(t->object[i]->lock, t->watch[base][j]);
			end_call(t);
		}
}

/* Replaces the second base, with everything on it, by a new one. */
static void
replace_base(struct thread *t)
{
	unsigned i;

	if (t->depth || t->n_bases == 1)
		return;
	for (i = t->n_objects; i-- > 0; )
		if (i < t->n_objects && t->object[i]->base == 1 && !free_object(t, t->object[i]))
			return;
	for (i = 0; i < t->n_objects; i++)
		if (t->object[i]->base == 1)
			return;		/* made meanwhile by callbacks */
	unnotify_all(t, 1);
	free_events(t, 1);
	event_base_free(t->base[1]);
	t->base[1] = event_base_new();
	make_events(t, 1);
}

/* A child frees what it inherited, which must not affect the parent. */
static void
fork_child(struct thread *t)
{
	int status;
	pid_t pid;

	if (t->depth || plan.is_threaded)
		return;
	pid = fork();
	MUST(pid >= 0);
	if (pid > 0) {
		MUST(waitpid(pid, &status, 0) == pid && status == 0);
		return;
	}
	while (t->n_objects) {
		struct object *o = t->object[--t->n_objects];

		evlock_free(o->lock);
		evlock_table_free(o->table);
	}
	_exit(0);
}

const struct operation looping[] = {
	{ "turn", 30, turn },
	{ "poke", 8, poke },
	{ "break_loop", 4, break_loop },
	{ "end_loop", 2, end_loop },
	{ "rest", 6, rest },
	{ "replace_base", 1, replace_base },
	{ "fork_child", 1, fork_child },
	{ NULL, 0, NULL }
};
