/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_PATH_H_INCLUDED_
#define EVL_FILE_PATH_H_INCLUDED_

/* Paths of lock files.  No state. */

/** The path from the root on, so that chdir(2) changes nothing, and without empty
 * parts and `.`, so that one spelling is one file in most cases; what symbolic links
 * lead to is looked at anew each time.  NULL with errno ENOMEM, ENOENT (empty), or as
 * getcwd(3) has it.  The caller frees it. */
char *evl_path_new(const char *path);

/** Makes the folders above the file that are missing.  Returns 0 or an errno.  The
 * path is as it was when it returns. */
int evl_path_make_folders(char *path);

#endif
