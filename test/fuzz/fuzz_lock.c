/* SPDX-License-Identifier: BSD-3-Clause */

/* Fuzzing: a byte stream decides which public calls are made on some locks, from outside the loop
 * and from inside callbacks.  The model runs beside them (test/model/pair.h).  A program for
 * libFuzzer or, with replay.c, a program that replays given inputs. */

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "../model/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Without 1 ms timers an input always does the same. */
#define TIMEOUTS (1 << PAIR_FOR_EVER | 1 << PAIR_AT_ONCE | 1 << PAIR_AN_HOUR | 1 << PAIR_NEGATIVE)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct choices choices;
	struct pair_menu menu;

	if (!base)
		base = event_base_new();
	choices_bytes(&choices, data, size);
	pair_draw(&menu, &choices, TIMEOUTS, (int)choose(&choices, 2));
	pair_run(base, &menu, &choices);
	return 0;
}
