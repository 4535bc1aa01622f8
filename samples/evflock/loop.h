/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOOP_H_INCLUDED_
#define LOOP_H_INCLUDED_

#include <event2/event.h>

/** Makes the event base.  Returns 0, or EX_OSERR after a message. */
int loop_new(struct event_base **base);

#endif
