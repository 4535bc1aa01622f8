/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_NEAR_H_INCLUDED_
#define EVL_FILE_NEAR_H_INCLUDED_

/** Is the open file on a file system that this machine's kernel keeps by itself?  Then no call on
 * it waits for a server, and fstat(2) tells the latest change.  A file system that is not known
 * counts as far. */
int evl_near_is(int fd);

#endif
