/* SPDX-License-Identifier: BSD-3-Clause */

/* Letters are the seats that other threads leave at a port.  One event wakes the loop for all of
 * them.  While a loop is kept alive for other threads, it listens to the bell, a descriptor.
 * libevent also wakes a loop by writing to a descriptor, but with the base locked, and takes twice
 * as long between two threads.
 *
 * Called from any thread, in a step.  A thread that needs both mutexes of a port enters `mutex`
 * before `waking`. */

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

static uint64_t n_threads;	/* atomic: the number of threads that have used ports */

/* Returns the number of the calling thread.  Numbers are never reused. */
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

/* Is the calling thread, which has forked, the thread of the port's base?  The maker of the port
 * may have made it for another thread, so it counts only if there was no other thread. */
int
evl_letters_is_users(const struct evl_port *port)
{
	return port->user ? port->user == self() : port->maker == self() && n_threads == 1;
}

/* If another thread drains the port, the acquire load makes that thread's number visible. */
int
evl_letters_is_home(struct evl_port *port)
{
	return __atomic_load_n(&port->is_draining, __ATOMIC_ACQUIRE) &&
	    __atomic_load_n(&port->user, __ATOMIC_RELAXED) == self();
}

/* The ports that the calling thread has to wake.  It wakes them after its step.  A thread that is
 * woken enters the guard at once, often before the waking call has returned, and would go back to
 * sleep if the guard were not free.  A port is in at most one of these lists: the list of the
 * thread that set its is_posted. */
static __thread struct evl_port *to_wake;

/* The port's events may be freed already; is_deaf says so. */
static void
activate(struct evl_port *port)
{
	pthread_mutex_lock(&port->waking);
	if (!port->is_deaf)
		event_active(port->post, EV_TIMEOUT, 0);
	pthread_mutex_unlock(&port->waking);
}

/* Called with the port's mutex held.  A loop that is not kept alive is woken at once, because it
 * might end before it sees its letters. */
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

/* Called with no mutex held.  (libevent holds the mutex of the base while it wakes a loop, and that
 * loop enters this mutex first.) */
static void
ring(const struct evl_port *port)
{
	static const uint64_t one = 1;
	ssize_t n = write(port->bell, &one, sizeof one);

	(void)n;	/* cannot fail: the bell is rung at most once before it is read */
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
		evl_list_push(&port->fifo, &seat->link);	/* the present drain delivers it */
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

/* Does a request wait for another thread, or may a letter for one still be there?  A request is
 * sent as a letter before it stops counting in n_awaited. */
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

/* Makes the bell, when the port waits for other threads for the first time.  Without a bell, `post`
 * wakes the loop. */
static void
hang_bell(struct evl_port *port)
{
	port->bell = new_bell(0);
	if (port->bell >= 0)
		event_assign(port->sentinel, port->base, port->bell, EV_READ | EV_PERSIST,
		    event_get_callback(port->sentinel), port);
	event_priority_set(port->sentinel, 0);
}

/* Called with the port's mutex held, because other threads read is_kept. */
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

/* Gives the child a fresh bell under the same descriptor number, because libevent has that number:
 * event_reinit() would fail if the number were closed, and watch another file if the number were
 * reused.  The fresh bell rings, so that the loop, if the child runs it, finds that it need not
 * wait for other threads.  The parent's bell is closed first, so that a descriptor number is
 * free. */
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
