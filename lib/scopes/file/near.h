/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_NEAR_H_INCLUDED_
#define EVL_FILE_NEAR_H_INCLUDED_

/** Is the open file on a file system that only this machine's kernel keeps?  Then no call on it
 * waits for a server, and fstat(2) returns the latest ctime.  An unknown file system counts as
 * far. */
int evl_near_is(int fd);

#endif
