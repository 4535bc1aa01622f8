/* SPDX-License-Identifier: BSD-3-Clause */

/* The kernel's lock on an open file; see kernel.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scopes/file/kernel.h"

/* --- flock(2) ---------------------------------------------------------------- */

struct flock_call {
	struct evl_call call;
	int fd, operation;
};

static int
make_flock(const struct evl_call *call)
{
	const struct flock_call *c = (const struct flock_call *)call;

	return flock(c->fd, c->operation) ? errno : 0;
}

static int
flock_operation(int is_exclusive)
{
	return is_exclusive ? LOCK_EX : LOCK_SH;
}

static int
try_flock(int fd, int is_exclusive)
{
	if (flock(fd, flock_operation(is_exclusive) | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? EAGAIN : errno;
}

static int
wait_for_flock(int fd, int is_exclusive, struct evl_wait *wait)
{
	struct flock_call call = { { make_flock }, fd, flock_operation(is_exclusive) };

	return evl_wait_for(wait, &call.call);
}

/* --- fcntl(2) ---------------------------------------------------------------- */

#ifdef F_OFD_SETLKW

enum part { DATA, GATE, BOTH };

#define LAST_BYTE ((off_t)INT64_MAX)	/* configure: off_t has 64 bits */

static struct flock
range_of(enum part part, int type)
{
	struct flock range = { 0 };

	range.l_type = (short)type;
	range.l_whence = SEEK_SET;
	range.l_start = part == GATE ? LAST_BYTE : 0;
	range.l_len = part == DATA ? LAST_BYTE : 0;	/* 0: to the end */
	return range;
}

static int
type_of(int is_exclusive)
{
	return is_exclusive ? F_WRLCK : F_RDLCK;
}

static int
set(int fd, enum part part, int type)
{
	struct flock range = range_of(part, type);

	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return 0;
	return errno == EACCES ? EAGAIN : errno;	/* POSIX allows both */
}

struct fcntl_call {
	struct evl_call call;
	int fd;
	struct flock range;
};

static int
make_fcntl(const struct evl_call *call)
{
	const struct fcntl_call *c = (const struct fcntl_call *)call;

	return fcntl(c->fd, F_OFD_SETLKW, &c->range) ? errno : 0;
}

static int
wait_for_part(int fd, enum part part, int type, struct evl_wait *wait)
{
	struct fcntl_call call = { { make_fcntl }, fd, range_of(part, type) };

	return evl_wait_for(wait, &call.call);
}

/* Returns 0 if a lock of this type on the gate would succeed, EAGAIN if not, or another errno. */
static int
look_at_gate(int fd, int type)
{
	struct flock range = range_of(GATE, type);

	if (fcntl(fd, F_OFD_GETLK, &range))
		return errno;
	return range.l_type == F_UNLCK ? 0 : EAGAIN;
}

static int
probe_fcntl(int fd)
{
	int error = sizeof(off_t) < 8 ? ENOTSUP : look_at_gate(fd, F_RDLCK);

	return error == EINVAL ? ENOTSUP : error == EAGAIN ? 0 : error;
}

static int
take_fcntl(int fd, int is_exclusive)
{
	return set(fd, DATA, type_of(is_exclusive));
}

static int
look_at_gate_fcntl(int fd, int is_exclusive)
{
	return look_at_gate(fd, type_of(is_exclusive));
}

/* Changes the ctime, so that processes that would take the data look at the gate.  Fails without
 * permission; then they notice this process later. */
static void
touch(int fd)
{
	if (futimens(fd, NULL))
		return;
}

static int
wait_for_data(int fd, int type, int touches, struct evl_wait *wait)
{
	int error = touches ? set(fd, DATA, type) : EAGAIN;

	if (error != EAGAIN)
		return error;
	if (touches)
		touch(fd);
	return wait_for_part(fd, DATA, type, wait);
}

static int
wait_for_fcntl(int fd, int is_exclusive, int touches, struct evl_wait *wait)
{
	int error = wait_for_part(fd, GATE, type_of(is_exclusive), wait);

	return error ? error : wait_for_data(fd, type_of(is_exclusive), touches, wait);
}

static int
leave_gate_fcntl(int fd)
{
	return set(fd, GATE, F_UNLCK);
}

static int
weaken_fcntl(int fd)
{
	return set(fd, DATA, F_RDLCK);
}

static int
drop_fcntl(int fd)
{
	return set(fd, BOTH, F_UNLCK);
}

#else /* no F_OFD_SETLKW */

static int
probe_fcntl(int fd)
{
	(void)fd;
	return ENOTSUP;
}

static int
take_fcntl(int fd, int is_exclusive)
{
	(void)is_exclusive;
	return probe_fcntl(fd);
}

#define look_at_gate_fcntl take_fcntl
#define wait_for_fcntl(fd, is_exclusive, touches, wait) \
	((void)(touches), (void)(wait), take_fcntl(fd, is_exclusive))
#define leave_gate_fcntl probe_fcntl
#define weaken_fcntl	probe_fcntl
#define drop_fcntl	probe_fcntl

#endif

/* --- Either kind of lock ------------------------------------------------------- */

int
evl_kernel_probe(int fd, int is_flock)
{
	return is_flock ? 0 : probe_fcntl(fd);
}

int
evl_kernel_take(int fd, int is_flock, int is_exclusive)
{
	return is_flock ? try_flock(fd, is_exclusive) : take_fcntl(fd, is_exclusive);
}

int
evl_kernel_look_at_gate(int fd, int is_flock, int is_exclusive)
{
	return is_flock ? 0 : look_at_gate_fcntl(fd, is_exclusive);
}

int
evl_kernel_wait(int fd, int is_flock, int is_exclusive, int touches, struct evl_wait *wait)
{
	return is_flock ? wait_for_flock(fd, is_exclusive, wait)
	    : wait_for_fcntl(fd, is_exclusive, touches, wait);
}

int
evl_kernel_leave_gate(int fd, int is_flock)
{
	return is_flock ? 0 : leave_gate_fcntl(fd);
}

int
evl_kernel_weaken(int fd, int is_flock)
{
	return is_flock ? 0 : weaken_fcntl(fd);
}

int
evl_kernel_drop(int fd, int is_flock)
{
	if (!is_flock)
		return drop_fcntl(fd);
	return flock(fd, LOCK_UN) ? errno : 0;
}
