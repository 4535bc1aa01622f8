/* SPDX-License-Identifier: BSD-3-Clause */

/* Claims to the kernel's lock on a file; see claim.h for who calls and what is entered.
 *
 * A helper that is cancelled may have been granted the lock a moment before, or the
 * gate alone.  So it gives back all that the descriptor has, and nobody else touches
 * that until it has ended. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <dlfcn.h>
#endif

#include "base/mem.h"

#include "scopes/file/claim.h"
#include "scopes/file/kernel.h"

/* --- Locking, in whichever thread the file belongs to ------------------------------- */

static void
unlock(struct evl_opened *file)
{
	if (file->fd >= 0 && evl_kernel_drop(file->fd, file->is_flock))
		evl_opened_close(file);
}

static int
lock_once(struct evl_opened *file, struct evl_wait *wait, int is_exclusive)
{
	int error = evl_opened_need(file);

	if (!error)
		error = wait ? evl_kernel_wait(file->fd, file->is_flock, is_exclusive, wait)
		    : evl_kernel_try(file->fd, file->is_flock, is_exclusive);
	return error ? error : evl_opened_check(file);
}

/* Locks the file that the path leads to once it is locked.  No `wait`: if it is to be had now. */
static int
lock(struct evl_opened *file, struct evl_wait *wait, int is_exclusive)
{
	int error;

	do {
		error = lock_once(file, wait, is_exclusive);
		if (error && error != EAGAIN)
			evl_opened_close(file);	/* with all that was locked of it */
	} while (error == EVL_FILE_MOVED);
	return error;
}

/* --- The helper --------------------------------------------------------------------- */

/* The one before has given back what it had. */
static void
ask_again(struct evl_claim *claim)
{
	int error = evl_claim_try(claim, claim->wants_exclusive);

	if (error == EAGAIN)
		error = evl_claim_ask(claim, claim->wants_exclusive);
	else if (!error)
		claim->user->got(claim);
	if (error)
		claim->user->failed(claim, error);
}

static void
take_note(struct evl_claim *claim)
{
	claim->device = claim->file.device;
	claim->inode = claim->file.inode;
}

static void
hold(struct evl_claim *claim)
{
	claim->state = EVL_CLAIM_HELD;
	take_note(claim);
}

/* The helper was told to end. */
static void
leave_off(struct evl_claim *claim)
{
	unlock(&claim->file);
	claim->state = EVL_CLAIM_IDLE;
	if (claim->is_wanted && !claim->is_over)
		ask_again(claim);
}

static void
report(struct evl_claim *claim, int error)
{
	if (error) {
		claim->state = EVL_CLAIM_IDLE;
		claim->user->failed(claim, error);
	} else {
		hold(claim);
		claim->user->got(claim);
	}
}

static void
close_down(struct evl_claim *claim)
{
	evl_opened_end(&claim->file);
	claim->user->gone(claim);
}

static void
finish(struct evl_claim *claim, int error)
{
	int is_over;

	claim->user->enter(claim);
	if (claim->state == EVL_CLAIM_LEAVING)
		leave_off(claim);
	else
		report(claim, error);
	is_over = claim->is_over;
	claim->user->leave(claim);
	if (is_over)
		close_down(claim);
}

/* AddressSanitizer does not see that a thread that is cancelled has left its frames. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
void __asan_handle_no_return(void);
#define forget_frames() __asan_handle_no_return()
#else
#define forget_frames() ((void)0)
#endif

static void
on_cancel(void *claim)
{
	forget_frames();
	finish(claim, ECANCELED);
}

/* Can be cancelled in evl_kernel_wait() alone. */
static void *
run_helper(void *arg)
{
	struct evl_claim *claim = arg;
	int error;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_push(on_cancel, claim);
	error = lock(&claim->file, &claim->helper, claim->is_exclusive);
	pthread_cleanup_pop(0);
	finish(claim, error);
	return NULL;
}

/* --- Starting it ---------------------------------------------------------------------- */

/* What a step of a lock needs, with room to spare. */
#define STACK_SIZE ((size_t)256 * 1024)

static int
create_helper(struct evl_claim *claim)
{
	pthread_attr_t attributes;
	int error = pthread_attr_init(&attributes);

	if (error)
		return error;
	error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (!error)
		error = pthread_attr_setstacksize(&attributes, STACK_SIZE);
	if (!error)
		error = pthread_create(&claim->helper.thread, &attributes, run_helper, claim);
	pthread_attr_destroy(&attributes);
	return error == EAGAIN ? ENOMEM : error;	/* EAGAIN has a meaning of its own here */
}

/* Signals are for the program's own threads. */
static int
start_helper(struct evl_claim *claim)
{
	sigset_t every, before;
	int error;

	sigfillset(&every);
	error = pthread_sigmask(SIG_SETMASK, &every, &before);
	if (error)
		return error;
	error = create_helper(claim);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* --- Called by the user ------------------------------------------------------------------ */

/* The first pthread_cancel() of a process loads a library in glibc, and ends the process
 * if it cannot, as when there are no descriptors left.  So load it while there still is
 * somebody who can be told.  It stays. */
static int
prepare_to_cancel(void)
{
#ifdef __GLIBC__
	int fd;

	if (dlopen("libgcc_s.so.1", RTLD_NOW))
		return 0;
	fd = open("/", O_RDONLY | O_CLOEXEC);	/* why?  It does not say in errno */
	if (fd < 0)
		return errno;
	close(fd);
	return ENOTSUP;
#else
	return 0;
#endif
}

int
evl_claim_begin(struct evl_claim *claim, const struct evl_claim_user *user, char *path,
    int is_flock, int makes_folders)
{
	int error = prepare_to_cancel();

	if (error) {
		evl_mem_free(path);
		return error;
	}
	claim->user = user;
	claim->state = EVL_CLAIM_IDLE;
	claim->is_over = 0;
	error = evl_opened_begin(&claim->file, path, is_flock, makes_folders);
	take_note(claim);
	return error;
}

/* Returns whether there is a helper, which will do the rest. */
static int
stop_for_good(struct evl_claim *claim)
{
	int is_helped;

	claim->user->enter(claim);
	evl_claim_drop(claim);
	is_helped = claim->state == EVL_CLAIM_LEAVING;
	claim->is_over = 1;
	claim->user->leave(claim);
	return is_helped;
}

/* In a child there is no helper, even if there was one when it was forked. */
void
evl_claim_end(struct evl_claim *claim)
{
	if (!evl_opened_is_ours(&claim->file) || !stop_for_good(claim))
		close_down(claim);
}

int
evl_claim_try(struct evl_claim *claim, int is_exclusive)
{
	int error;

	if (claim->state == EVL_CLAIM_LEAVING)
		return EAGAIN;
	error = lock(&claim->file, NULL, is_exclusive);
	if (!error)
		hold(claim);
	return error;
}

int
evl_claim_ask(struct evl_claim *claim, int is_exclusive)
{
	int error;

	if (claim->state == EVL_CLAIM_LEAVING) {
		claim->is_wanted = 1;
		claim->wants_exclusive = (uint8_t)is_exclusive;
		return 0;
	}
	claim->is_exclusive = (uint8_t)is_exclusive;
	claim->helper.stage = EVL_WAIT_AT_WORK;
	claim->state = EVL_CLAIM_ASKING;	/* before there is a helper to see it */
	error = start_helper(claim);
	if (error)
		claim->state = EVL_CLAIM_IDLE;
	return error;
}

void
evl_claim_drop(struct evl_claim *claim)
{
	switch (claim->state) {
	case EVL_CLAIM_HELD:
		unlock(&claim->file);
		claim->state = EVL_CLAIM_IDLE;
		break;
	case EVL_CLAIM_ASKING:
		claim->state = EVL_CLAIM_LEAVING;
		evl_kernel_stop(&claim->helper);
		break;
	default:
		break;
	}
	claim->is_wanted = 0;
}

/* If the kernel refuses, it stays exclusive, which keeps out too many, and nobody in. */
void
evl_claim_weaken(struct evl_claim *claim)
{
	evl_kernel_weaken(claim->file.fd, claim->file.is_flock);
}

int
evl_claim_may_join(struct evl_claim *claim)
{
	int error = evl_kernel_may_join(claim->file.fd, claim->file.is_flock);

	if (!error)
		error = evl_opened_check(&claim->file);
	return error == EVL_FILE_MOVED ? EAGAIN : error;
}
