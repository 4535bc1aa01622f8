/* SPDX-License-Identifier: BSD-3-Clause */

/* System calls that wait; see wait.h.
 *
 * The handler jumps if the signal comes while `landing` is set and the wait was stopped.  If the
 * signal comes earlier, the thread checks is_stopped() before it makes the call.  If the signal is
 * still to come after the call, the thread waits for it, so that it interrupts nothing else. */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#include "scopes/file/wait.h"

#define MOST_YIELDS 100000	/* a bound, as the program may have removed the handler */

/* --- The signal ------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t mutex;	/* protects the choice; `number` is atomic */
	int number;		/* 0: not chosen yet */
	int is_installed;
	int error;		/* why there is no handler for fork() */
} the_signal = { PTHREAD_MUTEX_INITIALIZER, 0, 0, 0 };

/* For each thread: where the handler jumps to, or NULL; the wait; and has the signal come? */
static __thread sigjmp_buf *volatile landing;
static __thread const struct evl_wait *volatile waiting;
static __thread volatile sig_atomic_t has_come;

static int
is_stopped(const struct evl_wait *wait)
{
	return __atomic_load_n(&wait->stage, __ATOMIC_ACQUIRE) == EVL_WAIT_STOPPED;
}

static void
on_signal(int number)
{
	sigjmp_buf *place = landing;

	(void)number;
	has_come = 1;
	if (!place || !is_stopped(waiting))
		return;
	landing = NULL;
	siglongjmp(*place, 1);
}

int
evl_wait_signal(void)
{
	return __atomic_load_n(&the_signal.number, __ATOMIC_RELAXED);
}

/* Returns 0 if the signal can be caught and has no handler, else EINVAL or EBUSY. */
static int
judge(int number)
{
	struct sigaction action;

	if (number == SIGKILL || number == SIGSTOP || sigaction(number, NULL, &action))
		return EINVAL;
	return action.sa_flags & SA_SIGINFO || (action.sa_handler != SIG_DFL &&
	    action.sa_handler != SIG_IGN) ? EBUSY : 0;
}

/* Returns the highest real-time signal without a handler.  Leaves out the last one, which valgrind
 * needs. */
static int
find_free(void)
{
#ifdef SIGRTMAX
	int number;

	for (number = SIGRTMAX - 1; number >= SIGRTMIN; number--)
		if (!judge(number))
			return number;
#endif
	return SIGURG;		/* ignored by default */
}

static int
install(int number)
{
	struct sigaction action = { 0 };

	action.sa_handler = on_signal;
	sigemptyset(&action.sa_mask);
	return sigaction(number, &action, NULL) ? errno : 0;
}

/* The mutex is made anew, as a thread that the child does not have may have held it.  The child
 * repeats what that thread did not finish. */
static void
after_fork_in_child(void)
{
	pthread_mutex_init(&the_signal.mutex, NULL);
}

static void
handle_fork(void)
{
	the_signal.error = pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* Locks the mutex.  Returns 0 or an errno. */
static int
enter(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, handle_fork);
	if (!the_signal.error)
		pthread_mutex_lock(&the_signal.mutex);
	return the_signal.error;
}

int
evl_wait_prepare(void)
{
	int error = enter();

	if (error)
		return error;
	if (!the_signal.number)
		__atomic_store_n(&the_signal.number, find_free(), __ATOMIC_RELAXED);
	if (!the_signal.is_installed)
		error = install(the_signal.number);
	the_signal.is_installed = !error;
	pthread_mutex_unlock(&the_signal.mutex);
	return error;
}

int
evl_wait_choose(int number)
{
	int error = enter();

	if (error)
		return error;
	error = judge(number);
	if (!error && the_signal.is_installed)
		error = EBUSY;
	if (!error)
		__atomic_store_n(&the_signal.number, number, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&the_signal.mutex);
	return error;
}

/* --- Waiting ------------------------------------------------------------------------------ */

static int
move_on(struct evl_wait *wait, int from, int to)
{
	return __atomic_compare_exchange_n(&wait->stage, &from, to, 0, __ATOMIC_ACQ_REL,
	    __ATOMIC_ACQUIRE);
}

void
evl_wait_begin(struct evl_wait *wait)
{
	wait->stage = EVL_WAIT_AT_WORK;
}

/* Makes the call until it is not interrupted or the wait is stopped.  The handler may jump out of
 * this function. */
static int
make_until_stopped(const struct evl_wait *wait, const struct evl_call *call)
{
	int error = EINTR;

	while (error == EINTR && !is_stopped(wait))
		error = call->make(call);
	return error;
}

/* The signal is blocked while its handler runs, and stays blocked when the handler jumps. */
static void
unblock_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, evl_wait_signal());
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int
make(const struct evl_wait *wait, const struct evl_call *call)
{
	sigjmp_buf place;
	int error;

	waiting = wait;
	if (sigsetjmp(place, 0)) {
		unblock_signal();
		return ECANCELED;
	}
	landing = &place;
	error = make_until_stopped(wait, call);
	landing = NULL;
	return error;
}

static void
await_signal(void)
{
	long left = MOST_YIELDS;

	while (!has_come && left--)
		sched_yield();
}

int
evl_wait_for(struct evl_wait *wait, const struct evl_call *call)
{
	int error;

	wait->thread = pthread_self();
	has_come = 0;
	if (!move_on(wait, EVL_WAIT_AT_WORK, EVL_WAIT_WAITING))
		return ECANCELED;
	error = make(wait, call);
	if (move_on(wait, EVL_WAIT_WAITING, EVL_WAIT_AT_WORK))
		return error;
	await_signal();
	return ECANCELED;
}

/* Installs the handler again if the program has reset the signal, as the default action would end
 * the process. */
void
evl_wait_stop(struct evl_wait *wait)
{
	int stage = __atomic_exchange_n(&wait->stage, EVL_WAIT_STOPPED, __ATOMIC_ACQ_REL);
	int number = evl_wait_signal();

	if (stage != EVL_WAIT_WAITING)
		return;
	if (!judge(number))
		install(number);
	pthread_kill(wait->thread, number);
}
