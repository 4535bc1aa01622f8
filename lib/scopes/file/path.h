/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_PATH_H_INCLUDED_
#define EVL_FILE_PATH_H_INCLUDED_

/* Paths of lock files.  No state. */

/** Returns the path from the root on, so that chdir(2) changes nothing, without empty parts and
 * `.`, so that most spellings of one path are equal.  Symbolic links stay in it, as they may lead
 * elsewhere later.  It ends in a slash if `path` ends in a slash, `.` or `..`: such a path is a
 * folder's.  The caller frees it.  NULL with errno ENOMEM, ENOENT (empty), or as getcwd(3) has
 * it. */
char *evl_path_new(const char *path);

/** Makes the folders above the file that are missing.  Returns 0 or an errno.  `path` is changed
 * meanwhile, and as it was when this returns. */
int evl_path_make_folders(char *path);

#endif
