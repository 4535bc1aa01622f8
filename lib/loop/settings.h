/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_SETTINGS_H_INCLUDED_
#define EVL_SETTINGS_H_INCLUDED_

/* The settings that programs make for an event_base.  They may be made before the base has a port,
 * and outlive the port, until evlock_base_end().  A separate mutex protects them, which is entered
 * after ports.mutex. */

struct event_base;

/** Returns the priority that was set for `base`, or -1. */
int evl_settings_priority(struct event_base *base);

/** Sets the priority for `base`.  Returns 0, or -1 with errno ENOMEM. */
int evl_settings_set_priority(struct event_base *base, int priority);

/** Forgets the settings of `base`. */
void evl_settings_forget(const struct event_base *base);

/** Called before and after fork(), so that no other thread is changing settings meanwhile. */
void evl_settings_hold(void);
void evl_settings_let_go(void);

#endif
