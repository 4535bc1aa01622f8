/* SPDX-License-Identifier: BSD-3-Clause */

/* Delivery; see port.h.
 *
 * `wake` is made active, which costs no system call; but an event that is made
 * active from a callback runs in the same pass of the loop, and two that take
 * turns would keep it from its descriptors for ever.  So only a drain by `turn` has
 * a new budget, as the loop looks at descriptors before it runs a timer; when the
 * budget is spent, all wait for it.  It is added when a quarter of the budget is left: it
 * goes off at whatever look comes next, and a loop that looks often enough by itself
 * need not look once more.  What is drained until then may come after that look, and
 * counts.  They are two events, as libevent 2.1.12 may lose the
 * activation of an event whose timer expires as well.
 *
 * `wake` is persistent, or libevent would delete it each time that it runs.  It has the
 * priority at which callbacks run, which is set each time that it is made active: libevent
 * asserts that an event it makes active has a priority that its base still has.  The events
 * that libevent or other threads make active are of priority 0, which every base has.
 *
 * Other threads leave letters, and wake the loop by one event for all of them.  A loop
 * that is kept alive for others listens for the bell meanwhile, a descriptor, as libevent's
 * own way of waking takes twice as long between two threads: it writes to a descriptor as
 * well, but with the base locked.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include <event2/event.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/threads.h"
#include "loop/port.h"
#include "loop/settings.h"

unsigned evl_port_n_forks;

static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
} ports = { PTHREAD_MUTEX_INITIALIZER, { &ports.list, &ports.list } };

#define PORT(l) EVL_CONTAINER(l, struct evl_port, link)

static void destroy(struct evl_port *port);

static uint64_t n_threads;	/* atomic: that have used ports */

/* A number for each thread, which no later one gets. */
static uint64_t
self(void)
{
	static __thread uint64_t number;

	if (!number)
		number = __atomic_add_fetch(&n_threads, 1, __ATOMIC_RELAXED);
	return number;
}

/* Has any other thread ever been told of?  Saves a port without such locks the mutex. */
static int
is_shared(const struct evl_port *port)
{
	return __atomic_load_n(&port->is_shared, __ATOMIC_RELAXED);
}

/* --- Draining ------------------------------------------------------------- */

/* Sees to it that a new budget comes. */
static void
ask_for_turn(struct evl_port *port)
{
	static const struct timeval now = { 0, 0 };

	if (!port->coming && event_add(port->turn, &now) == 0)
		port->coming = EVL_BUDGET - port->left;
}

void
evl_port_use(struct evl_port *port)
{
	__atomic_store_n(&port->user, self(), __ATOMIC_RELAXED);
}

static void
begin_drain(struct evl_port *port)
{
	evl_port_use(port);
	if (is_shared(port))
		evl_port_collect(port);
	port->is_armed = 1;
	__atomic_store_n(&port->is_draining, 1, __ATOMIC_RELEASE);	/* behind its user */
}

static void
end_drain(struct evl_port *port)
{
	__atomic_store_n(&port->is_draining, 0, __ATOMIC_RELAXED);
	port->is_armed = 0;
}

static void
drain(struct evl_port *port)
{
	struct evl_link *link;
	uint32_t left;

	begin_drain(port);
	left = port->left;
	while (left && (link = evl_list_pop(&port->fifo))) {
		left--;
		port->deliver(EVL_SEAT(link));
		if (event_base_got_break(port->base))
			break;
	}
	port->left = left;
	end_drain(port);
	if (port->is_ended) {
		destroy(port);
		return;
	}
	if (left < EVL_BUDGET / 4)
		ask_for_turn(port);
	evl_port_wake(port);
	if (is_shared(port))
		evl_port_keep(port);
}

/* The priority of callbacks: what was set, or else the base's default, as the base is now. */
static int
priority(const struct evl_port *port)
{
	int n = event_base_get_npriorities(port->base);
	int wanted = __atomic_load_n(&port->priority, __ATOMIC_RELAXED);

	return wanted < 0 ? n / 2 : wanted < n ? wanted : n - 1;
}

/* Called by an event of priority 0. */
static void
drain_at_priority(struct evl_port *port)
{
	if (priority(port) == 0)
		drain(port);
	else
		evl_port_arm(port);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drain(arg);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct evl_port *port = arg;

	(void)fd;
	(void)what;
	port->left += port->coming;
	port->coming = 0;
	drain_at_priority(port);
}

void
evl_port_arm(struct evl_port *port)
{
	port->is_armed = 1;
	if (!port->left && port->coming)
		return;
	if (!port->left)	/* no memory for the timer: better late descriptors than none told */
		port->left = EVL_BUDGET;
	event_priority_set(port->wake, priority(port));	/* or it is active, with one that exists */
	event_active(port->wake, EV_TIMEOUT, 0);
}

/* --- Other threads ---------------------------------------------------------- */

/* If it is another thread that drains, its number is seen. */
int
evl_port_is_home(struct evl_port *port)
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

static void
close_bell(struct evl_port *port)
{
	if (port->bell >= 0)
		close(port->bell);
	port->bell = -1;
}

static void
let_go_of_memory(struct evl_port *port)
{
	if (__atomic_sub_fetch(&port->n_refs, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&port->waking);
	close_bell(port);
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
	let_go_of_memory(port);
}

void
evl_port_wake_others(void)
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
evl_port_poke(struct evl_port *port)
{
	pthread_mutex_lock(&port->mutex);
	poke(port);
	pthread_mutex_unlock(&port->mutex);
}

void
evl_port_post(struct evl_port *port, struct evl_seat *seat)
{
	if (evl_port_is_home(port)) {
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
evl_port_collect(struct evl_port *port)
{
	if (!is_shared(port))
		return;
	pthread_mutex_lock(&port->mutex);
	take_letters(port);
	pthread_mutex_unlock(&port->mutex);
}

static void
on_post(evutil_socket_t fd, short what, void *arg)
{
	struct evl_port *port = arg;
	uint64_t n;

	(void)what;
	if (fd >= 0 && read(fd, &n, sizeof n) < 0)
		return;
	pthread_mutex_lock(&port->mutex);	/* before the letters are taken */
	__atomic_store_n(&port->is_posted, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&port->mutex);
	drain_at_priority(port);
}

void
evl_port_add(struct evl_port *port, struct evl_link *list, struct evl_link *link)
{
	pthread_mutex_lock(&port->mutex);
	evl_list_push(list, link);
	pthread_mutex_unlock(&port->mutex);
}

void
evl_port_remove(struct evl_port *port, struct evl_link *link)
{
	pthread_mutex_lock(&port->mutex);
	evl_list_remove(link);
	pthread_mutex_unlock(&port->mutex);
}

struct evl_link *
evl_port_next(struct evl_port *port, const struct evl_link *list, const struct evl_link *link)
{
	struct evl_link *next;

	pthread_mutex_lock(&port->mutex);
	next = link->next;
	pthread_mutex_unlock(&port->mutex);
	return next == list ? NULL : next;
}

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
		    on_post, port);
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
evl_port_keep(struct evl_port *port)
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

/* --- Making and freeing --------------------------------------------------- */

static void
free_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

/* Nobody sends any more: what could be sent to, has gone. */
static void
destroy(struct evl_port *port)
{
	int state = evl_cancel_disable();

	pthread_mutex_lock(&port->waking);
	port->is_deaf = 1;
	pthread_mutex_unlock(&port->waking);
	free_event(port->wake);
	free_event(port->turn);
	free_event(port->post);
	free_event(port->sentinel);
	pthread_mutex_destroy(&port->mutex);
	evl_extra_free_spare(&port->extras);
	evl_own_clear(&port->pool);
	evl_pool_clear(&port->pool);
	let_go_of_memory(port);
	evl_cancel_restore(state);
}

/* In a forked child: the events stay in a base that another thread of the parent ran, which may
 * have had the base's mutex, and the port that they lead to stays with them. */
static void
abandon(struct evl_port *port)
{
	evl_extra_free_spare(&port->extras);
	evl_pool_clear(&port->pool);
	close_bell(port);
}

static int
create_events(struct evl_port *port)
{
	port->wake = event_new(port->base, -1, EV_PERSIST, on_wake, port);
	port->turn = event_new(port->base, -1, 0, on_turn, port);
	port->post = event_new(port->base, -1, 0, on_post, port);
	port->sentinel = event_new(port->base, -1, EV_READ, on_post, port);
	if (!port->wake || !port->turn || !port->post || !port->sentinel)
		return -1;
	event_priority_set(port->turn, 0);
	event_priority_set(port->post, 0);
	event_priority_set(port->sentinel, 0);
	return 0;
}

static struct evl_port *
create(struct event_base *base, const struct evl_port_calls *calls)
{
	struct evl_port *port = evl_mem_zalloc(sizeof *port);

	if (!port)
		return NULL;
	pthread_mutex_init(&port->mutex, NULL);	/* cannot fail for want of memory */
	pthread_mutex_init(&port->waking, NULL);
	port->n_refs = 1;
	port->bell = -1;
	evl_list_init(&port->fifo);
	evl_list_init(&port->locks);
	evl_list_init(&port->families);
	evl_list_init(&port->letters);
	evl_pool_init(&port->pool, 64);
	port->base = port->extras.base = base;
	port->deliver = calls->deliver;
	port->extras.expire = calls->expire;
	port->left = EVL_BUDGET;
	port->priority = evl_settings_priority(base);
	port->pid = getpid();
	port->maker = self();
	if (create_events(port) == 0)
		return port;
	destroy(port);
	errno = ENOMEM;
	return NULL;
}

/* --- After fork() ----------------------------------------------------------- */

static void
before_fork(void)
{
	pthread_mutex_lock(&ports.mutex);
	evl_settings_hold();
	evl_ranges_hold();
}

static void
after_fork(void)
{
	evl_ranges_let_go();
	evl_settings_let_go();
	pthread_mutex_unlock(&ports.mutex);
}

/* A bell of the child's own by the same number, which libevent knows: event_reinit() would
 * fail if nothing had it, and watch whatever got it next.  It rings, so that the loop, if the
 * child ever runs it, finds that nothing is to be waited for.  The parent's is closed first, so
 * that there is a number to be had. */
static void
replace_bell(struct evl_port *port)
{
	int bell = port->bell, fresh;

	close_bell(port);
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

/* Is the calling thread, which has forked, that of the port's base?  Who makes locks for a base
 * may do so for another thread, which may run that loop without any use of them. */
static int
is_users(const struct evl_port *port)
{
	return port->user ? port->user == self() : port->maker == self() && n_threads == 1;
}

/* Other threads, which may have held a port's mutex, are no more, and the letters that they
 * left are the parent's to deliver, as is all else: nothing waits here, and no loop is kept
 * alive for it. */
static void
inherit(struct evl_port *port)
{
	pthread_mutex_init(&port->mutex, NULL);
	pthread_mutex_init(&port->waking, NULL);
	evl_list_init(&port->fifo);
	evl_list_init(&port->letters);
	port->is_posted = 0;
	port->n_awaited = 0;
	port->n_refs = 1;
	port->is_deaf = 1;
	port->is_inherited = 1;
	port->is_foreign |= !is_users(port);
	port->extras.is_foreign = port->is_foreign;
	replace_bell(port);
}

static void
after_fork_in_child(void)
{
	struct evl_link *link;

	evl_port_n_forks++;
	EVL_LIST_EACH(link, &ports.list)
		inherit(PORT(link));
	after_fork();
}

static void
watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* --- The list of ports ------------------------------------------------------- */

static struct evl_port *
find(struct event_base *base)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &ports.list)
		if (PORT(link)->base == base && !PORT(link)->is_inherited)
			return PORT(link);
	return NULL;
}

struct evl_port *
evl_port_find(struct event_base *base)
{
	struct evl_port *port;

	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	pthread_mutex_unlock(&ports.mutex);
	return port;
}

void
evl_port_heed_settings(struct event_base *base)
{
	struct evl_port *port;

	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	if (port)
		__atomic_store_n(&port->priority, evl_settings_priority(base),
		    __ATOMIC_RELAXED);
	pthread_mutex_unlock(&ports.mutex);
}

int
evl_port_is_sharable(const struct evl_port *port, const struct evl_guard *guard,
    struct event_base *base)
{
	int error = !base || !guard ? EINVAL
	    : !evl_base_is_threaded(base) || !evl_base_is_threaded(port->base) ? ENOTSUP : 0;

	errno = error ? error : errno;
	return !error;
}

int
evl_port_is_ours(const struct evl_port *port)
{
	return port->pid == getpid();
}

void
evl_port_handle_fork(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
}

struct evl_port *
evl_port_get(struct event_base *base, const struct evl_port_calls *calls)
{
	struct evl_port *port;

	evl_port_handle_fork();
	pthread_mutex_lock(&ports.mutex);
	port = find(base);
	if (!port && (port = create(base, calls)))
		evl_list_push(&ports.list, &port->link);
	if (port)
		port->n_users++;
	pthread_mutex_unlock(&ports.mutex);
	return port;
}

/* Returns 1 if it was the last. */
static int
let_go(struct evl_port *port)
{
	int is_last;

	pthread_mutex_lock(&ports.mutex);
	is_last = !--port->n_users;
	if (is_last)
		evl_list_remove(&port->link);
	pthread_mutex_unlock(&ports.mutex);
	return is_last;
}

void
evl_port_put(struct evl_port *port)
{
	if (!let_go(port))
		return;
	if (port->is_foreign)
		abandon(port);
	else if (port->is_draining)
		port->is_ended = 1;
	else
		destroy(port);
}
