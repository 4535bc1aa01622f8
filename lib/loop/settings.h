/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SETTINGS_H_INCLUDED_
#define EVL_SETTINGS_H_INCLUDED_

/* What programs set for an event_base.  Settings may be made before the base has a port, and
 * outlive it; evlock_base_end() ends them.  A mutex of their own protects them, which is
 * entered after that of the ports. */

struct event_base;

/** The priority that was set for `base`, or -1. */
int evl_settings_priority(struct event_base *base);

/** Sets it.  Returns -1 with errno ENOMEM. */
int evl_settings_set_priority(struct event_base *base, int priority);

/** Forgets all that was set for `base`. */
void evl_settings_forget(const struct event_base *base);

/** Before and after fork(): no other thread is about to change them. */
void evl_settings_hold(void);
void evl_settings_let_go(void);

#endif
