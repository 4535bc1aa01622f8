/* SPDX-License-Identifier: BSD-3-Clause */

/* Claims to the kernel's lock on a file; see claim.h for threads and the guard.
 *
 * A helper that is stopped may have got the lock a moment before, or only the gate.  So it
 * releases everything that the descriptor holds, and until then no other thread uses the
 * descriptor. */

#include <errno.h>
#include <string.h>

#include "base/mem.h"

#include "scopes/file/claim.h"
#include "scopes/file/kernel.h"

/* --- Locking, in the thread that the file belongs to --------------------------------- */

/* How long a look at the path is trusted: by a caller that can look again itself, and by a caller
 * that would need a helper to look again. */
#define NOWAIT_MS 5
#define WAIT_MS 1000

static void
unlock(struct evl_opened *file)
{
	if (file->fd >= 0 && evl_kernel_drop(file->fd, file->how.is_flock))
		evl_opened_close(file);
}

/* Takes the lock if it is free and no process waits at the gate.  A quick file is locked first, and
 * the gate is looked at in confirm(). */
static int
take(struct evl_opened *file, int is_exclusive)
{
	int error = evl_opened_is_quick(file) ? 0
	    : evl_kernel_look_at_gate(file->fd, file->how.is_flock, is_exclusive);

	return error ? error : evl_kernel_take(file->fd, file->how.is_flock, is_exclusive);
}

static int
lock_as_opened(struct evl_opened *file, struct evl_wait *wait, int is_exclusive)
{
	return wait ? evl_kernel_wait(file->fd, file->how.is_flock, is_exclusive,
	    evl_opened_is_quick(file), wait) : take(file, is_exclusive);
}

/* After a wait, leaves the gate, which this process holds then.  Without a wait, gives the data
 * back if another process waits at the gate. */
static int
pass_gate(struct evl_opened *file, int has_waited, int is_exclusive)
{
	int error;

	if (has_waited)
		return evl_kernel_leave_gate(file->fd, file->how.is_flock);
	error = evl_opened_is_quick(file)
	    ? evl_kernel_look_at_gate(file->fd, file->how.is_flock, is_exclusive) : 0;
	if (error == EAGAIN)
		unlock(file);
	return error;
}

/* May the file, which is locked now, stay locked?  The ctime is noted before the gate is left,
 * because the next process at the gate touches the file. */
static int
confirm(struct evl_opened *file, int has_waited, int is_exclusive)
{
	struct evl_seen seen = { .is_trusted = 0 };
	int error = evl_opened_is_quick(file) ? evl_seen_begin(&seen, file->fd) : 0;

	if (!error)
		error = pass_gate(file, has_waited, is_exclusive);
	if (!error)
		error = evl_opened_check(file);
	if (error)
		return error;
	evl_seen_gate_is_free(&seen, is_exclusive);
	file->seen = seen;
	return 0;
}

/* On NFS, an exclusive flock(2) is an fcntl(2) lock, and needs a descriptor for writing. */
static int
lock_once(struct evl_opened *file, struct evl_wait *wait, int is_exclusive)
{
	int error = evl_opened_need(file, is_exclusive);

	if (!error)
		error = lock_as_opened(file, wait, is_exclusive);
	if (error == EBADF && file->how.is_flock) {
		error = evl_opened_need_writing(file);
		if (!error)
			error = lock_as_opened(file, wait, is_exclusive);
	}
	return error ? error : confirm(file, wait != NULL, is_exclusive);
}

/* Locks the file, and repeats that if the path leads to another file by then.  `wait` NULL: does
 * not wait. */
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

/* Copies the facts of the file for callers that the file does not belong to. */
static void
take_note(struct evl_claim *claim)
{
	claim->known = claim->file.facts;
}

static void
begin_asking(struct evl_claim *claim, int is_exclusive)
{
	claim->is_exclusive = (uint8_t)is_exclusive;
	evl_wait_begin(&claim->wait);
	claim->state = EVL_CLAIM_ASKING;
}

/* Gives back what the stopped helper got.  Returns 1 if the lock was asked for again meanwhile, so
 * that the helper has to go on. */
static int
leave_off(struct evl_claim *claim)
{
	unlock(&claim->file);
	claim->state = EVL_CLAIM_IDLE;
	if (!claim->is_wanted || claim->is_over)
		return 0;
	claim->is_wanted = 0;
	begin_asking(claim, claim->wants_exclusive);
	return 1;
}

static void
report(struct evl_claim *claim, int error)
{
	claim->state = error ? EVL_CLAIM_IDLE : EVL_CLAIM_HELD;
	if (error)
		claim->user->failed(claim, error);
	else
		claim->user->got(claim);
}

static void
close_down(struct evl_claim *claim)
{
	evl_opened_end(&claim->file);
	claim->user->gone(claim);
}

/* Is the caller the last to use the claim? */
static int
is_last(const struct evl_claim *claim)
{
	return claim->is_over && claim->state != EVL_CLAIM_LEAVING && !claim->has_checker;
}

/* Returns 1 if the helper has to go on.  Otherwise the claim may be freed by now. */
static int
finish(struct evl_claim *claim, int error)
{
	int is_end, goes_on = 0;

	claim->user->enter(claim);
	take_note(claim);
	if (claim->state == EVL_CLAIM_LEAVING)
		goes_on = leave_off(claim);
	else
		report(claim, error);
	is_end = is_last(claim);
	claim->user->leave(claim);
	if (is_end)
		close_down(claim);
	return goes_on;
}

static void
run_helper(struct evl_job *job)
{
	struct evl_claim *claim = EVL_CONTAINER(job, struct evl_claim, asking);

	while (finish(claim, lock(&claim->file, &claim->wait, claim->is_exclusive)))
		;
}

/* --- The checker ---------------------------------------------------------------------- */

/* Called with the guard entered. */
static void
answer(struct evl_claim *claim, int error, const struct evl_file_id *found)
{
	int is_same = !error && evl_opened_is_same(found, &claim->known.id);

	if (claim->is_checked && is_same)
		claim->file.seen = claim->seen;
	if (claim->is_checked)
		claim->user->checked(claim, is_same);
	claim->is_checked = 0;
}

static void
run_checker(struct evl_job *job)
{
	struct evl_claim *claim = EVL_CONTAINER(job, struct evl_claim, checking);
	struct evl_file_id found;
	int error = evl_opened_find(&claim->file, &found), is_end;

	claim->user->enter(claim);
	claim->has_checker = 0;
	answer(claim, error, &found);
	is_end = is_last(claim);
	claim->user->leave(claim);
	if (is_end)
		close_down(claim);
}

/* --- Called by the user ------------------------------------------------------------------ */

static void
set_up(struct evl_claim *claim, const struct evl_claim_user *user)
{
	memset(claim, 0, sizeof *claim);
	claim->user = user;
	claim->asking.run = run_helper;
	claim->checking.run = run_checker;
}

int
evl_claim_begin(struct evl_claim *claim, const struct evl_claim_user *user, char *path,
    const struct evl_how *how)
{
	int error = evl_wait_prepare();

	if (error) {
		evl_mem_free(path);
		return error;
	}
	set_up(claim, user);
	error = evl_opened_begin(&claim->file, path, how);
	take_note(claim);
	return error;
}

int
evl_claim_adopt(struct evl_claim *claim, const struct evl_claim_user *user, int fd, int is_flock)
{
	int error = evl_wait_prepare();

	if (error)
		return error;
	set_up(claim, user);
	error = evl_opened_adopt(&claim->file, fd, is_flock);
	take_note(claim);
	return error;
}

/* Returns 1 if a helper or checker still uses the claim; it then frees the claim. */
static int
stop_for_good(struct evl_claim *claim)
{
	int is_end;

	claim->user->enter(claim);
	evl_claim_drop(claim);
	claim->is_over = 1;
	is_end = is_last(claim);
	claim->user->leave(claim);
	return !is_end;
}

/* A forked child has no helper or checker, whatever the parent had. */
void
evl_claim_end(struct evl_claim *claim)
{
	if (!evl_opened_is_ours(&claim->file) || !stop_for_good(claim))
		close_down(claim);
}

int
evl_claim_may(const struct evl_claim *claim, int is_exclusive)
{
	return evl_opened_serves(&claim->file.how, &claim->known, is_exclusive) ? 0 : EACCES;
}

/* Is there no path to look at, because the caller had the file open? */
static int
is_certain(const struct evl_claim *claim)
{
	return !claim->file.path && claim->known.is_near;
}

static int
is_as_seen(const struct evl_opened *file, long most_ms)
{
	return evl_seen_is_recent(&file->seen, most_ms) && evl_seen_is_same(&file->seen, file->fd);
}

/* Looks at the gate now and then even if the ctime is the same, to notice waiters that did not
 * touch the file. */
static int
look_at_gate(struct evl_opened *file, int is_exclusive)
{
	int error = evl_seen_needs_gate(&file->seen, is_exclusive)
	    ? evl_kernel_look_at_gate(file->fd, file->how.is_flock, is_exclusive) : 0;

	if (!error)
		evl_seen_gate_is_free(&file->seen, is_exclusive);
	return error;
}

/* Is the locked file still as it was seen?  If not, what was seen is not trusted again. */
static int
confirm_quickly(struct evl_opened *file, int is_exclusive)
{
	int error = EVL_CLAIM_UNSURE;

	if (evl_seen_is_same(&file->seen, file->fd))
		error = look_at_gate(file, is_exclusive);
	else
		file->seen.is_trusted = 0;
	if (error)
		unlock(file);
	return error;
}

/* Locks a file by what was seen of it, with two system calls. */
static int
lock_quickly(struct evl_opened *file, int is_exclusive, long most_ms)
{
	int error;

	if (file->fd < 0 || !evl_seen_is_recent(&file->seen, most_ms) ||
	    !evl_opened_serves(&file->how, &file->facts, is_exclusive))
		return EVL_CLAIM_UNSURE;
	error = evl_kernel_take(file->fd, file->how.is_flock, is_exclusive);
	if (!error)
		return confirm_quickly(file, is_exclusive);
	return error == EAGAIN ? EAGAIN : EVL_CLAIM_UNSURE;
}

int
evl_claim_try(struct evl_claim *claim, int is_exclusive, int may_wait)
{
	int error;

	if (claim->state == EVL_CLAIM_LEAVING)
		return EAGAIN;
	if (claim->state == EVL_CLAIM_LOOKING)
		return EVL_CLAIM_UNSURE;
	error = is_certain(claim) ? lock(&claim->file, NULL, is_exclusive)
	    : lock_quickly(&claim->file, is_exclusive, may_wait ? WAIT_MS : NOWAIT_MS);
	if (!error)
		claim->state = EVL_CLAIM_HELD;
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
	begin_asking(claim, is_exclusive);	/* first, because the helper reads this */
	error = evl_helper_start(&claim->asking);
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
		evl_wait_stop(&claim->wait);
		break;
	default:
		break;
	}
	claim->is_wanted = 0;
	claim->is_checked = 0;
}

/* If the kernel refuses, the lock stays exclusive, which is safe but excludes readers. */
void
evl_claim_weaken(struct evl_claim *claim)
{
	evl_kernel_weaken(claim->file.fd, claim->file.how.is_flock);
}

int
evl_claim_may_join(struct evl_claim *claim)
{
	struct evl_opened *file = &claim->file;

	return is_certain(claim) || is_as_seen(file, NOWAIT_MS) ? look_at_gate(file, 0)
	    : EVL_CLAIM_UNSURE;
}

/* --- Looking ------------------------------------------------------------------------------ */

int
evl_claim_look_begins(struct evl_claim *claim, int is_exclusive)
{
	if (claim->state == EVL_CLAIM_IDLE)
		claim->state = EVL_CLAIM_LOOKING;
	else if (claim->state == EVL_CLAIM_HELD)
		claim->is_joining = 1;
	else
		return 0;
	claim->is_exclusive = (uint8_t)is_exclusive;
	return 1;
}

/* A looker that joins does not use the descriptor, because the lock may be dropped meanwhile. */
void
evl_claim_look(struct evl_claim *claim)
{
	if (!claim->is_joining)
		claim->error = lock(&claim->file, NULL, claim->is_exclusive);
	else if (claim->file.path)
		claim->error = evl_opened_find(&claim->file, &claim->found);
	else
		claim->error = 0;
}

static int
join(struct evl_claim *claim)
{
	claim->is_joining = 0;
	if (claim->state != EVL_CLAIM_HELD)
		return EVL_CLAIM_UNSURE;
	if (claim->error)
		return claim->error == EVL_FILE_MOVED ? EAGAIN : claim->error;
	if (claim->file.path && !evl_opened_is_same(&claim->found, &claim->known.id))
		return EAGAIN;
	return evl_kernel_look_at_gate(claim->file.fd, claim->file.how.is_flock, 0);
}

int
evl_claim_look_ends(struct evl_claim *claim)
{
	if (claim->is_joining)
		return join(claim);
	claim->state = EVL_CLAIM_IDLE;
	take_note(claim);
	if (!claim->error)
		claim->state = EVL_CLAIM_HELD;
	return claim->error;
}

int
evl_claim_check(struct evl_claim *claim)
{
	if (!claim->file.path || is_as_seen(&claim->file, WAIT_MS))
		return 0;
	if (claim->has_checker)		/* that one began before this call */
		return EVL_FILE_MOVED;
	if (evl_seen_begin(&claim->seen, claim->file.fd) || !evl_opened_is_quick(&claim->file))
		claim->seen.is_trusted = 0;
	claim->has_checker = claim->is_checked = 1;
	if (!evl_helper_start(&claim->checking))
		return EVL_CLAIM_UNSURE;
	claim->has_checker = claim->is_checked = 0;
	return EVL_FILE_MOVED;
}
