/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LOCKS_H_INCLUDED_
#define LOCKS_H_INCLUDED_

/* Where the locks of documents come from.  Nothing else in the server knows: whatever
 * locks_open() returns is acquired, put in a set and freed in the same way.  So another
 * kind of lock, in files say, is another branch in locks.c. */

#include <stdbool.h>

#include <evlock/evlock.h>

struct event_base;
struct locks;
struct options;

/** The locks as the loop of `base` uses them.  `first` is NULL, or those of another loop
 * that has the same documents.  Returns NULL with errno set. */
struct locks *locks_new(const struct options *options, struct event_base *base,
    struct locks *first);

/** An object for the lock of the document `name`, to be freed with evlock_free().
 * Returns NULL with errno set. */
struct evlock *locks_open(struct locks *locks, const char *name);

/** Is it certain that `handle` still holds `lock`, if only for some moments?  One that is kept by
 * other machines may be lost. */
bool locks_hold(const struct locks *locks, const struct evlock *lock, evlock_handle handle);

/** NULL is fine; runs the loop for what is to be given back. */
void locks_free(struct locks *locks);

#endif
