/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_DELIVER_H_INCLUDED_
#define EVL_DELIVER_H_INCLUDED_

#include "loop/port.h"

/** The functions that a port calls from its loop. */
extern const struct evl_port_calls evl_deliver_calls;

#endif
