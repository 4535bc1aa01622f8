/* SPDX-License-Identifier: BSD-3-Clause */

/* See proc.h. */

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "proc.h"

FILE *
proc_open(const char *format, ...)
{
	char path[128] = "/proc/";
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path + 6, sizeof(path) - 6, format, arguments);
	va_end(arguments);
	return fopen(path, "re");
}

/* --- Files -------------------------------------------------------------------- */

bool
proc_is_same(const struct proc_file *a, const struct proc_file *b)
{
	return !strcmp(a->name, b->name);
}

/* A process's fdinfo has the number of the mount, and in newer kernels that of the inode. */
static bool
read_fdinfo(const char *pid, const char *fd, int *mount, unsigned long *inode)
{
	FILE *info = proc_open("%s/fdinfo/%s", pid, fd);
	char line[256];
	bool has_mount = false;

	*inode = 0;
	if (!info)
		return false;
	while (fgets(line, sizeof(line), info)) {
		if (sscanf(line, "mnt_id: %d", mount) == 1)
			has_mount = true;
		sscanf(line, "ino: %lu", inode);
	}
	fclose(info);
	return has_mount;
}

/* The device of the file system.  st_dev may be another one: Btrfs has one for each subvolume. */
static bool
find_device(const char *pid, int mount, unsigned *major, unsigned *minor)
{
	FILE *mounts = proc_open("%s/mountinfo", pid);
	char line[4096];
	bool is_found = false;
	int id;

	if (!mounts)
		return false;
	while (!is_found && fgets(line, sizeof(line), mounts))
		is_found = sscanf(line, "%d %*d %u:%u", &id, major, minor) == 3 && id == mount;
	fclose(mounts);
	return is_found;
}

static unsigned long
inode_of_own(const char *fd)
{
	struct stat st;
	int number;

	return sscanf(fd, "%d", &number) == 1 && fstat(number, &st) == 0
	    ? (unsigned long)st.st_ino : 0;
}

bool
proc_find_file(struct proc_file *file, const char *pid, const char *fd)
{
	unsigned major, minor;
	unsigned long inode;
	int mount;

	if (!read_fdinfo(pid, fd, &mount, &inode) || !find_device(pid, mount, &major, &minor))
		return false;
	if (!inode && !strcmp(pid, "self"))
		inode = inode_of_own(fd);
	snprintf(file->name, sizeof(file->name), "%02x:%02x:%lu", major, minor, inode);
	return inode != 0;
}

bool
proc_find_path(struct proc_file *file, const char *path)
{
#ifdef O_PATH
	int fd = open(path, O_PATH | O_CLOEXEC);
	char number[16];
	bool is_found;

	if (fd < 0)
		return false;
	snprintf(number, sizeof(number), "%d", fd);
	is_found = proc_find_file(file, "self", number);
	close(fd);
	return is_found;
#else
	(void)file;
	(void)path;
	return false;
#endif
}

void
proc_path(char *path, size_t size, const char *pid, const char *fd)
{
	char link[64];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%s/fd/%s", pid, fd);
	length = readlink(link, path, size - 1);
	path[length < 0 ? 0 : length] = '\0';
}

/* --- Locks --------------------------------------------------------------------- */

/* 1: -> FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF */
static bool
parse(struct proc_lock *lock, const char *line)
{
	char mode[16];
	unsigned long long start;
	int at = 0;

	if (!strncmp(line, "lock:", 5))		/* of fdinfo */
		line += 5;
	if (sscanf(line, "%*d: %n", &at), at == 0)
		return false;
	lock->is_waiting = !strncmp(line + at, "->", 2);
	if (lock->is_waiting)
		at += 2;
	if (sscanf(line + at, "%15s %*s %15s %ld %63s %llu", lock->kind, mode, &lock->pid,
	    lock->file.name, &start) != 5)
		return false;
	lock->is_exclusive = !strcmp(mode, "WRITE");
	lock->is_gate = start == 0x7fffffffffffffff;
	return true;
}

bool
proc_read_lock(struct proc_lock *lock, FILE *lines)
{
	char line[256];

	while (fgets(line, sizeof(line), lines))
		if (parse(lock, line))
			return true;
	return false;
}

/* --- Processes -------------------------------------------------------------------- */

static size_t
read_text(char *text, size_t size, long pid, const char *what)
{
	FILE *file = proc_open("%ld/%s", pid, what);
	size_t length;

	if (!file)
		return 0;
	length = fread(text, 1, size - 1, file);
	fclose(file);
	while (length && (text[length - 1] == '\0' || text[length - 1] == '\n'))
		length--;
	text[length] = '\0';
	return length;
}

static void
make_printable(char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		if (text[i] == '\0' || text[i] == '\n')
			text[i] = ' ';
		else if (!isprint((unsigned char)text[i]))
			text[i] = '?';
}

void
proc_command(char *text, size_t size, long pid)
{
	size_t length = read_text(text, size, pid, "cmdline");
	char name[32];

	if (!length) {
		read_text(name, sizeof(name), pid, "comm")
		    ? snprintf(text, size, "[%s]", name) : snprintf(text, size, "?");
		length = strlen(text);
	}
	make_printable(text, length);
}

bool
proc_is_in_fcntl(const char *pid, const char *thread, int *fd)
{
#if defined(SYS_fcntl) && defined(F_OFD_SETLKW)
	FILE *file = proc_open("%s/task/%s/syscall", pid, thread);
	long call = -1, command = -1;
	int n = 0;

	if (file) {
		n = fscanf(file, "%ld %x %lx", &call, (unsigned *)fd, (unsigned long *)&command);
		fclose(file);
	}
	return n == 3 && call == SYS_fcntl && command == F_OFD_SETLKW;
#else
	(void)pid;
	(void)thread;
	(void)fd;
	return false;
#endif
}
