/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_FILE_PATH_H_INCLUDED_
#define EVL_FILE_PATH_H_INCLUDED_

/* Paths of lock files.  No state. */

/** Returns the absolute path, so that chdir(2) does not change it.  Leaves out empty parts and `.`,
 * so that most spellings of one path are equal.  Keeps symbolic links, because they may lead
 * elsewhere later.  The result ends in a slash if `path` ends in a slash, `.` or `..`, because such
 * a path names a folder.  The caller frees it.  Returns NULL with errno ENOMEM, ENOENT (`path` is
 * empty), or an errno of getcwd(3). */
char *evl_path_new(const char *path);

/** Makes the missing folders above the file.  Returns 0 or an errno.  Changes `path` meanwhile, and
 * restores it before it returns. */
int evl_path_make_folders(char *path);

#endif
