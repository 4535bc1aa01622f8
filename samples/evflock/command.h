/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMMAND_H_INCLUDED_
#define COMMAND_H_INCLUDED_

/** Runs the command and waits until it has ended; SIGHUP, SIGINT, SIGQUIT, SIGTERM,
 * SIGUSR1 and SIGUSR2 are passed on to it meanwhile.  Returns its exit status, or 128
 * more than the signal that ended it, or EX_OSERR after saying why. */
int command_run(char **command);

#endif
