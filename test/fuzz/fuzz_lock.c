/* SPDX-License-Identifier: BSD-3-Clause */

/* Fuzzing: a byte stream decides what is done to some locks by the public calls, from
 * outside and from inside of callbacks, with the model beside (test/model/pair.h).
 * A program of libFuzzer's, or, with replay.c, one that goes through given inputs. */

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "../model/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No 1 ms timers: what an input does is always the same. */
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
