/* SPDX-License-Identifier: BSD-3-Clause */

/* What other threads do to a port: they leave letters, and wake its loop by one event for all
 * of them.  A loop that is kept alive for others listens for the bell meanwhile, a descriptor,
 * as libevent's own way of waking takes twice as long between two threads: it writes to a
 * descriptor as well, but with the base locked.
 *
 * Called from any thread, in a step; the mutexes of a port are its `mutex`, then `waking`. */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include <event2/event.h>

#include "base/mem.h"
#include "loop/letters.h"

/* --- Threads ------------------------------------------------------------------ */

static uint64_t n_threads;	/* atomic: those that have used ports */

/* A number for each thread, which no later one gets. */
static uint64_t
self(void)
{
	static __thread uint64_t number;

	if (!number)
		number = __atomic_add_fetch(&n_threads, 1, __ATOMIC_RELAXED);
	return number;
}

void
evl_letters_use(struct evl_port *port)
{
	__atomic_store_n(&port->user, self(), __ATOMIC_RELAXED);
}

uint64_t
evl_letters_self(void)
{
	return self();
}

/* Is the calling thread, which has forked, that of the port's base?  Who makes locks for a base
 * may do so for another thread, which may run that loop without any use of them. */
int
evl_letters_is_users(const struct evl_port *port)
{
	return port->user ? port->user == self() : port->maker == self() && n_threads == 1;
}

/* If it is another thread that drains, its number is seen. */
int
evl_letters_is_home(struct evl_port *port)
{
	return __atomic_load_n(&port->is_draining, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&port->user, __ATOMIC_RELAXED) == self();
}

/* The ports that the calling thread has to wake.  It does so when its step is over: whoever
 * is woken asks for the guard at once, often before the call that wakes him has returned,
 * and a guard that is not free would send him back to sleep.  A port is in one of these
 * lists at most, that of who set its is_posted. */
static __thread struct evl_port *to_wake;

/* Its event may be gone by now. */
static void
activate(struct evl_port *port)
{
	pthread_mutex_lock(&port->waking);
	if (!port->is_deaf)
		event_active(port->post, EV_TIMEOUT, 0);
	pthread_mutex_unlock(&port->waking);
}

/* Called with the port's mutex held.  A loop that nothing keeps is woken at once: until it is,
 * it may end, with all the letters that others have left meanwhile. */
static void
poke(struct evl_port *port)
{
	if (port->is_posted)
		return;
	__atomic_store_n(&port->is_posted, 1, __ATOMIC_RELAXED);
	if (!port->is_kept) {
		activate(port);
		return;
	}
	__atomic_add_fetch(&port->n_refs, 1, __ATOMIC_RELAXED);
	port->next_to_wake = to_wake;
	to_wake = port;
}

void
evl_letters_close_bell(struct evl_port *port)
{
	if (port->bell >= 0)
		close(port->bell);
	port->bell = -1;
}

void
evl_letters_let_go(struct evl_port *port)
{
	if (__atomic_sub_fetch(&port->n_refs, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&port->waking);
	evl_letters_close_bell(port);
	evl_mem_free(port);
}

/* Rung with no mutex held at all.  (While libevent wakes a loop it holds the mutex of the
 * base, which is what that loop asks for first.) */
static void
ring(const struct evl_port *port)
{
	static const uint64_t one = 1;
	ssize_t n = write(port->bell, &one, sizeof one);

	(void)n;	/* it is rung once until it is answered */
}

static void
wake_other(struct evl_port *port)
{
	if (port->bell >= 0)
		ring(port);
	else
		activate(port);
	evl_letters_let_go(port);
}

void
evl_letters_wake_others(void)
{
	struct evl_port *port;
	int error = errno;

	while ((port = to_wake)) {
		to_wake = port->next_to_wake;
		wake_other(port);
	}
	errno = error;
}

void
evl_letters_poke(struct evl_port *port)
{
	pthread_mutex_lock(&port->mutex);
	poke(port);
	pthread_mutex_unlock(&port->mutex);
}

void
evl_letters_post(struct evl_port *port, struct evl_seat *seat)
{
	if (evl_letters_is_home(port)) {
		evl_list_push(&port->fifo, &seat->link);	/* it is being drained */
		return;
	}
	pthread_mutex_lock(&port->mutex);
	evl_list_push(&port->letters, &seat->link);
	poke(port);
	pthread_mutex_unlock(&port->mutex);
}

static void
take_letters(struct evl_port *port)
{
	if (!evl_list_is_empty(&port->letters))
		evl_list_move(&port->letters, &port->fifo);
}

void
evl_letters_collect(struct evl_port *port)
{
	if (!evl_letters_is_shared(port))
		return;
	pthread_mutex_lock(&port->mutex);
	take_letters(port);
	pthread_mutex_unlock(&port->mutex);
}

/* --- Keeping the loop alive ---------------------------------------------------- */

/* Who waits no more has been sent a letter before, which may not have come yet. */
static int
is_awaited(const struct evl_port *port)
{
	return __atomic_load_n(&port->n_awaited, __ATOMIC_ACQUIRE) != 0
	    || evl_port_is_posted(port);
}

static int
new_bell(int is_rung)
{
#ifdef __linux__
	return eventfd((unsigned)is_rung, EFD_NONBLOCK | EFD_CLOEXEC);
#else
	(void)is_rung;
	return -1;
#endif
}

/* The first time that the port waits for others.  Without one, `post` will do. */
static void
hang_bell(struct evl_port *port)
{
	port->bell = new_bell(0);
	if (port->bell >= 0)
		event_assign(port->sentinel, port->base, port->bell, EV_READ | EV_PERSIST,
		    event_get_callback(port->sentinel), port);
	event_priority_set(port->sentinel, 0);
}

/* Called with the port's mutex held, as others must know whether the bell is heard. */
static void
start_keeping(struct evl_port *port)
{
	if (port->bell < 0)
		hang_bell(port);
	if (event_add(port->sentinel, NULL) == 0)
		port->is_kept = 1;
}

void
evl_letters_keep(struct evl_port *port)
{
	if (is_awaited(port) == port->is_kept)
		return;
	pthread_mutex_lock(&port->mutex);
	if (port->is_kept && !is_awaited(port)) {
		port->is_kept = 0;
		event_del(port->sentinel);
	} else if (!port->is_kept && is_awaited(port))
		start_keeping(port);
	pthread_mutex_unlock(&port->mutex);
}

/* --- After fork() -------------------------------------------------------------- */

/* A bell of the child's own by the same number, which libevent knows: event_reinit() would
 * fail if nothing had it, and watch whatever got it next.  It rings, so that the loop, if the
 * child ever runs it, finds that nothing is to be waited for.  The parent's is closed first, so
 * that there is a number to be had. */
void
evl_letters_replace_bell(struct evl_port *port)
{
	int bell = port->bell, fresh;

	evl_letters_close_bell(port);
	fresh = bell < 0 ? -1 : new_bell(1);
	if (fresh < 0 || fresh == bell) {
		port->bell = fresh;
		return;
	}
	port->bell = dup2(fresh, bell);
	close(fresh);
	if (port->bell >= 0)
		fcntl(bell, F_SETFD, FD_CLOEXEC);
}
