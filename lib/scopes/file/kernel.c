/* SPDX-License-Identifier: BSD-3-Clause */

/* The kernel's lock on an open file; see kernel.h. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/file.h>
#include <unistd.h>

#include "scopes/file/kernel.h"

/* --- Waiting ---------------------------------------------------------------- */

struct call {
	int (*make)(int fd, int operation, struct flock *range);
	int fd;
	int operation;
	struct flock *range;
};

static int
move_on(struct evl_wait *wait, int from, int to)
{
	return __atomic_compare_exchange_n(&wait->stage, &from, to, 0, __ATOMIC_ACQ_REL,
	    __ATOMIC_ACQUIRE);
}

/* The thread can be cancelled here and nowhere else.  Asynchronously, as flock(2) is
 * no cancellation point, nor is fcntl(2) with these locks in every C library.
 *
 * In glibc 2.36 a cancellation that was sent just before it was disabled still ends the next
 * system call that is a cancellation point.  So it is sent only while the thread cannot leave
 * this place, and one that was sent is waited for. */
static int
wait_for(const struct call *call, struct evl_wait *wait)
{
	int error, state, type;

	if (!move_on(wait, EVL_WAIT_AT_WORK, EVL_WAIT_WAITING))
		return ECANCELED;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	do
		error = call->make(call->fd, call->operation, call->range) ? errno : 0;
	while (error == EINTR);
	pthread_setcanceltype(type, NULL);
	while (!move_on(wait, EVL_WAIT_WAITING, EVL_WAIT_AT_WORK)) {
		pthread_testcancel();
		sched_yield();
	}
	pthread_setcancelstate(state, NULL);
	return error;
}

void
evl_kernel_stop(struct evl_wait *wait)
{
	int stage = __atomic_exchange_n(&wait->stage, EVL_WAIT_STOPPED, __ATOMIC_ACQ_REL);

	if (stage == EVL_WAIT_WAITING)
		pthread_cancel(wait->thread);
}

/* --- flock(2) ---------------------------------------------------------------- */

static int
make_flock(int fd, int operation, struct flock *range)
{
	(void)range;
	return flock(fd, operation);
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
	struct call call = { make_flock, fd, flock_operation(is_exclusive), NULL };

	return wait_for(&call, wait);
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

static int
make_fcntl(int fd, int operation, struct flock *range)
{
	return fcntl(fd, operation, range);
}

static int
wait_for_part(int fd, enum part part, int type, struct evl_wait *wait)
{
	struct flock range = range_of(part, type);
	struct call call = { make_fcntl, fd, F_OFD_SETLKW, &range };

	return wait_for(&call, wait);
}

/* Would a lock of this type be had on the gate? */
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
try_fcntl(int fd, int is_exclusive)
{
	int error = look_at_gate(fd, type_of(is_exclusive));

	return error ? error : set(fd, DATA, type_of(is_exclusive));
}

static int
wait_for_fcntl(int fd, int is_exclusive, struct evl_wait *wait)
{
	int error = wait_for_part(fd, GATE, type_of(is_exclusive), wait);

	if (!error)
		error = wait_for_part(fd, DATA, type_of(is_exclusive), wait);
	return error ? error : set(fd, GATE, F_UNLCK);
}

static int
may_join_fcntl(int fd)
{
	return look_at_gate(fd, F_RDLCK);
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
try_fcntl(int fd, int is_exclusive)
{
	(void)is_exclusive;
	return probe_fcntl(fd);
}

#define wait_for_fcntl(fd, is_exclusive, wait) ((void)(wait), try_fcntl(fd, is_exclusive))
#define may_join_fcntl	probe_fcntl
#define weaken_fcntl	probe_fcntl
#define drop_fcntl	probe_fcntl

#endif

/* --- Either ------------------------------------------------------------------- */

int
evl_kernel_probe(int fd, int is_flock)
{
	return is_flock ? 0 : probe_fcntl(fd);
}

int
evl_kernel_try(int fd, int is_flock, int is_exclusive)
{
	return is_flock ? try_flock(fd, is_exclusive) : try_fcntl(fd, is_exclusive);
}

int
evl_kernel_wait(int fd, int is_flock, int is_exclusive, struct evl_wait *wait)
{
	return is_flock ? wait_for_flock(fd, is_exclusive, wait)
	    : wait_for_fcntl(fd, is_exclusive, wait);
}

int
evl_kernel_may_join(int fd, int is_flock)
{
	return is_flock ? 0 : may_join_fcntl(fd);
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
