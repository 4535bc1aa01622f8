/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef REPORT_H_INCLUDED_
#define REPORT_H_INCLUDED_

/* What the demo prints. */

#include <stddef.h>

struct run;
struct timeval;

/** How often to show progress: a terminal's line is written over, a file's is not. */
const struct timeval *report_interval(void);
void report_progress(const struct run *run);
void report_progress_done(const struct run *run);

/** Prints the runs side by side. */
void report_runs(const struct run *const runs[], size_t n);

#endif
