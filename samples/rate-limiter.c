/* SPDX-License-Identifier: BSD-3-Clause */

/* rate-limiter: a limit for the number of calls in any tenth of a second.
 * A semaphore has that many permits.  A call takes one permit, or as many as its weight,
 * and gives them back a period later, not when it ends.  So the number of permits is the
 * rate.  evlock_semaphore_resize() changes it while calls wait.  If the rate falls, calls
 * keep the permits that they have until their period is over.  If it rises, the next calls
 * begin at once.  Light calls do not pass a heavy call that waits before them.
 *
 * Compile: cc rate-limiter.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <evlock/semaphore.h>

#define N_CALLS 12

struct call {
	struct limiter *limiter;
	unsigned number;
	unsigned weight;		/* the permits that it takes */
	evlock_handle handle;
	struct event *period_over;
};

struct limiter {
	struct evlock *permits;
	unsigned load, peak;		/* the weight of the calls begun in the last period */
	struct call call[N_CALLS];
};

/* --- A call --------------------------------------------------------------- */

static void
set_rate(struct limiter *limiter, unsigned permits, const char *why)
{
	printf("%s: %u in a period from now on\n", why, permits);
	if (evlock_semaphore_resize(limiter->permits, permits) < 0)
		perror("evlock_semaphore_resize");
}

/* Pretends that the other side answers, as this sample makes no real calls. */
static void
hear_answer(struct call *call)
{
	if (call->number == 4)
		set_rate(call->limiter, 1, "  the other side is busy");
	if (call->number == 7)
		set_rate(call->limiter, 4, "  the other side is idle");
}

static void
give_back(evutil_socket_t fd, short what, void *arg)
{
	struct call *call = arg;

	(void)fd;
	(void)what;
	call->limiter->load -= call->weight;
	evlock_release(call->limiter->permits, call->handle);
}

static void
make_call(struct evlock *permits, evlock_handle handle, int error, void *arg)
{
	static const struct timeval period = { 0, 100000 };
	struct call *call = arg;
	struct limiter *limiter = call->limiter;

	(void)permits;
	(void)handle;
	if (error) {
		printf("call %u: %s\n", call->number, strerror(error));
		return;
	}
	limiter->load += call->weight;
	if (limiter->load > limiter->peak)
		limiter->peak = limiter->load;
	printf("call %u%s\n", call->number, call->weight > 1 ? ", a heavy one" : "");
	event_add(call->period_over, &period);
	hear_answer(call);
}

/* --- All of them ---------------------------------------------------------- */

static void
ask(struct limiter *limiter, unsigned i)
{
	struct call *call = &limiter->call[i];
	struct evlock_request request = { .mode = EVLOCK_PERMIT, .cb = make_call, .arg = call };

	call->limiter = limiter;
	call->number = i + 1;
	call->weight = call->number == 9 ? 3 : 1;
	call->period_over = evtimer_new(evlock_get_base(limiter->permits), give_back, call);
	request.units = call->weight;
	call->handle = evlock_acquire_request(limiter->permits, &request);
	if (call->handle == 0)
		perror("evlock_acquire_request");
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct limiter limiter = { .permits = evlock_semaphore_new(base, 2, NULL) };
	unsigned i;

	if (limiter.permits == NULL)
		return 1;
	for (i = 0; i < N_CALLS; i++)
		ask(&limiter, i);
	printf("%d calls are asked for: 2 in a period\n", N_CALLS);
	event_base_dispatch(base);	/* returns when all permits are back */
	printf("at most %u in any period; permits now: %u\n", limiter.peak,
	    evlock_semaphore_available(limiter.permits));

	for (i = 0; i < N_CALLS; i++)
		event_free(limiter.call[i].period_over);
	evlock_free(limiter.permits);
	event_base_free(base);
	return 0;
}
