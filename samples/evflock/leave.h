/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LEAVE_H_INCLUDED_
#define LEAVE_H_INCLUDED_

#include "locks.h"

/** Ends the process with an exit status, after locks_take() has failed.  Nothing that the caller
 * of evflock has open is left locked by a wait that was given up. */
void leave(const struct locks *locks, int status);

#endif
