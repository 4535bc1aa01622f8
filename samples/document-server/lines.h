/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LINES_H_INCLUDED_
#define LINES_H_INCLUDED_

/* What is done to the lines of texts.  Long texts take their time, so workers call
 * this where it can be long.  Both return 0 or an errno value. */

#include <stddef.h>

struct evbuffer;

/** Adds `lines`, which it empties, to `text`, each as a line of its own. */
int lines_append(struct evbuffer *text, struct evbuffer *lines);

/** Takes the lines that are `listed` out of `from`, each as often as it is listed, and
 * appends them to `to` in the order in which they stood.  Those that are not there are
 * none the worse; `n` tells how many were. */
int lines_move(struct evbuffer *from, struct evbuffer *to, struct evbuffer *listed, size_t *n);

#endif
