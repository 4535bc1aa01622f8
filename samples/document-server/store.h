/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef STORE_H_INCLUDED_
#define STORE_H_INCLUDED_

/* Documents as files in one folder.
 *
 * Every call blocks on the disk, so workers make them, not the loop.  Nothing
 * is shared between calls but the folder's descriptor, so no mutex is needed;
 * that two calls for one document do not undo each other is the caller's affair,
 * and the reason why this server has locks.
 *
 * All return 0 or an errno value, which travels between threads better than
 * errno itself.
 */

#include <stdbool.h>
#include <stddef.h>

#include <event2/buffer.h>

#define STORE_MAX_DOCUMENT ((size_t)64 << 20)

/** Opens the folder for this process alone, or for all that share it, and if no other has it,
 * removes what a crash left in it.  Fails with EWOULDBLOCK if another server has it, and one of
 * them does not share; one that would share waits some seconds for the other to say so. */
int store_open(const char *path, bool is_shared, int *folder);

/** Adds the document's text to `text`.  ENOENT: there is none; EFBIG. */
int store_read(int folder, const char *name, struct evbuffer *text);

/** Writes `text`, which it empties, to a new file beside the documents, and sees
 * it safe on the disk.  On failure no file stays behind. */
int store_save(int folder, const char *temporary, struct evbuffer *text);

/** Lets that file take the document's place, in one step: readers see the old
 * text or the new.  On failure the file is removed. */
int store_publish(int folder, const char *temporary, const char *name, bool *created);

/** Removes such a file that will not be published. */
void store_remove(int folder, const char *temporary);

#endif
