/* SPDX-License-Identifier: BSD-3-Clause */

/* The public calls for the settings of an event_base.  Called from any thread. */

#include <evlock/evlock.h>

#include "base/fail.h"
#include "loop/ports.h"
#include "loop/settings.h"

int
evlock_base_set_priority(struct event_base *base, int priority)
{
	if (!base || priority < 0)
		return evl_fail(EINVAL);
	evl_ports_handle_fork();
	if (evl_settings_set_priority(base, priority) < 0)
		return -1;
	evl_ports_heed_settings(base);
	return 0;
}

void
evlock_base_end(struct event_base *base)
{
	evl_ports_handle_fork();
	evl_settings_forget(base);
	evl_ports_heed_settings(base);
}
