/* SPDX-License-Identifier: BSD-3-Clause */

/* Which file systems are near; see near.h. */

#include <stddef.h>
#include <stdint.h>

#ifdef __linux__
#include <sys/vfs.h>
#endif

#include "scopes/file/near.h"

#ifdef __linux__

/* Types from linux/magic.h and statfs(2), without file systems that are mounted over a network or
 * served by another process (FUSE). */
static const uint32_t near_types[] = {
	0xef53,		/* ext2, ext3, ext4 */
	0x01021994,	/* tmpfs */
	0x58465342,	/* XFS */
	0x9123683e,	/* Btrfs */
	0xf2f52010,	/* F2FS */
	0x794c7630,	/* overlayfs */
	0x858458f6	/* ramfs */
};

int
evl_near_is(int fd)
{
	struct statfs fs;
	size_t i;

	if (fstatfs(fd, &fs))
		return 0;
	for (i = 0; i < sizeof near_types / sizeof near_types[0]; i++)
		if ((uint32_t)fs.f_type == near_types[i])
			return 1;
	return 0;
}

#else

int
evl_near_is(int fd)
{
	(void)fd;
	return 0;
}

#endif
