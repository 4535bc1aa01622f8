/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_LOOP_H_INCLUDED_
#define BENCH_LOOP_H_INCLUDED_

/* The loop of a program of the bench that has one.  Included after bench.h. */

#include <event2/event.h>

static struct event_base *base;

static void
run_loop(void)
{
	bench_require(event_base_loop(base, 0) >= 0, "event_base_loop");
}

/** Runs `fn` from the loop, as a server would, and then the loop until nothing
 * is left to do. */
static void
run_in_loop(event_callback_fn fn)
{
	static const struct timeval at_once = { 0, 0 };

	bench_require(!event_base_once(base, -1, EV_TIMEOUT, fn, NULL, &at_once),
	    "event_base_once");
	run_loop();
}

#endif
