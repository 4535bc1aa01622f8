/* SPDX-License-Identifier: BSD-3-Clause */

/* The cost of ending many requests at once is linear: four times as many cost four times the
 * instructions.  The test counts instructions, not time.  The program runs itself twice under
 * callgrind, as a worker that plays all scenes, and callgrind counts what measured() does.  Nothing
 * is tested without valgrind, or when a sanitizer or a wrapper runs the program. */

#include <stdlib.h>
#include <unistd.h>

#include "scopes/outside.h"

#include "../shim.h"
#include "../util.h"
#include "../util3.h"

#define FEW  200
#define MANY (4 * FEW)

static unsigned n;
static struct evlock *locks[MANY], *sets[MANY];
static struct evlock_owner *owners[MANY];
static struct evlock_table *table;
static evlock_handle handles[MANY];

#define EACH(i) for ((i) = 0; (i) < n; (i)++)

static const struct evlock_options threadsafe = { .flags = EVLOCK_OPT_THREADSAFE };

static void
ignore(struct evlock *l, evlock_handle handle, int error, void *arg)
{
	(void)l;
	(void)handle;
	(void)error;
	(void)arg;
}

static evlock_handle
want(struct evlock *l, struct evlock_owner *owner)
{
	return evlock_acquire_request(l, &(struct evlock_request){ .mode = X, .owner = owner,
	    .cb = ignore });
}

/* An order that is neither that of the numbers nor its reverse. */
static unsigned
shuffled(unsigned i)
{
	return i * 7 % n;	/* n is not a multiple of 7 */
}

/* --- The measured calls ------------------------------------------------------------- */

static void
free_lock(void)
{
	evlock_free(lock);
}

static void
close_lock(void)
{
	evlock_close(lock);
}

static void
free_locks(void)
{
	unsigned i;

	EACH(i)
		evlock_free(locks[i]);
}

static void
free_locks_last_first(void)
{
	unsigned i;

	EACH(i)
		evlock_free(locks[n - 1 - i]);
}

static void
free_sets(void)
{
	unsigned i;

	EACH(i)
		evlock_free(sets[i]);
}

static void
free_table(void)
{
	evlock_table_free(table);
}

static void
free_owner(void)
{
	evlock_owner_free(owners[0]);
}

/* --- One lock ------------------------------------------------------------------------ */

static void
one_waits(void)
{
	unsigned i;

	hold(lock, X);
	EACH(i)
		ask_then(lock, "", X, ignore);
}

static void
one_waits_for_owners(void)
{
	unsigned i;

	hold(lock, X);
	EACH(i)
		want(lock, owners[i] = new_owner(NULL));
}

static void
one_granted(void)
{
	unsigned i;

	EACH(i)
		ask_then(lock, "", S, ignore);
}

static void
one_held(void)
{
	unsigned i;

	EACH(i)
		hold_by(owners[i] = new_owner(NULL), lock, S);
}

/* Requests for a set wait for its member `lock`. */
static void
one_member(void)
{
	unsigned i;

	locks[0] = new_lock(NULL);
	sets[0] = SET(lock, locks[0]);
	hold(lock, X);
	EACH(i)
		want(sets[0], owners[i] = new_owner(NULL));
}

/* --- Many locks ---------------------------------------------------------------------- */

static void
make_locks(const struct evlock_options *options)
{
	unsigned i;

	EACH(i)
		locks[i] = evlock_new(base, options);
}

static void
many_granted(void)
{
	unsigned i;

	make_locks(NULL);
	EACH(i)
		ask_then(locks[i], "", X, ignore);
}

static void
many_granted_between_threads(void)
{
	unsigned i;

	make_locks(&threadsafe);
	EACH(i)
		ask_then(locks[i], "", X, ignore);
}

static void
many_failed(void)
{
	unsigned i;

	make_locks(NULL);
	EACH(i) {
		hold(locks[i], X);
		ask_then(locks[i], "", X, ignore);
	}
	EACH(i)
		evlock_close(locks[i]);
}

/* Many locks have no outcome due, and another lock has many. */
static void
many_idle(void)
{
	make_locks(NULL);
	one_granted();
}

static void
many_held_by_one(void)
{
	unsigned i;

	make_locks(NULL);
	owners[0] = new_owner(NULL);
	EACH(i) {
		hold_by(owners[0], locks[i], X);
		if (i)
			want(locks[i], owners[i] = new_owner(NULL));
	}
}

static void
many_waited_for_by_one(void)
{
	unsigned i;

	make_locks(NULL);
	owners[0] = new_owner(NULL);
	EACH(i) {
		hold(locks[i], X);
		want(locks[i], owners[0]);
	}
}

static void
many_sets_of_one(void)
{
	unsigned i;

	make_locks(NULL);
	EACH(i)
		sets[i] = SET(lock, locks[i]);
}

/* --- Tables -------------------------------------------------------------------------- */

static void
make_table(const struct evlock_options *options)
{
	table = evlock_table_new(base, options);
}

static evlock_handle
want_key(unsigned i, struct evlock_owner *owner, evlock_cb cb)
{
	return evlock_table_acquire_request(table, &i, sizeof i,
	    &(struct evlock_request){ .mode = X, .owner = owner, .cb = cb });
}

static void
keys_held(void)
{
	unsigned i;

	make_table(NULL);
	EACH(i)
		want_key(i, NULL, NULL);
}

static void
keys_granted(void)
{
	unsigned i;

	make_table(NULL);
	EACH(i)
		handles[i] = want_key(i, NULL, NULL);
	EACH(i)
		want_key(i, NULL, ignore);
	EACH(i)
		evlock_table_release(table, handles[shuffled(i)]);
	one_granted();	/* of a lock outside the table */
}

/* Each release leaves a letter. */
static void
keys_released(void)
{
	unsigned i;

	make_table(&threadsafe);
	owners[0] = new_owner(NULL);
	EACH(i)
		handles[i] = want_key(i, owners[0], NULL);
	EACH(i)
		evlock_table_release(table, handles[shuffled(i)]);
}

static void
keys_waited_for(void)
{
	unsigned i;

	make_table(NULL);
	owners[0] = new_owner(NULL);
	owners[1] = new_owner(NULL);
	EACH(i) {
		want_key(i, NULL, NULL);
		want_key(i, owners[0], ignore);
		want_key(i, owners[1], ignore);
	}
}

/* --- Locks of other processes -------------------------------------------------------- */

/* An outside that grants this process everything. */
static int
yes(struct evl_outside *o, unsigned mode)
{
	(void)o;
	(void)mode;
	return 1;
}

static int
yes_now(struct evl_outside *o, unsigned mode)
{
	(void)o;
	(void)mode;
	return 0;
}

static void
nothing(struct evl_outside *o)
{
	(void)o;
}

static int
compare(const struct evl_outside *a, const struct evl_outside *b)
{
	return a < b ? -1 : a > b;
}

static const struct evl_outside_ops ops = {
	yes, yes_now, nothing, nothing, compare, nothing, 1, NULL, NULL
};

static void
make_outside(void)
{
	static const struct evlock_options no_options;

	lock = evl_outside_new(calloc(1, sizeof (struct evl_outside)), &ops, base, &no_options, 0);
}

static void
lose_lock(void)
{
	evl_outside_lost(evl_outside_of(lock), ESTALE);
}

/* The outcomes of one lock stand behind those of another. */
static void
lost_granted(void)
{
	many_granted();
	make_outside();
	evlock_release(lock, evlock_acquire_nowait(lock, S));
	one_granted();
}

static void
lost_by_sets(void)
{
	unsigned i;

	make_outside();
	sets[0] = SET(lock);
	EACH(i)
		evlock_acquire_request(sets[0], &(struct evlock_request){ .mode = S,
		    .notice_cb = ignore });
	EACH(i)	/* more waiters, which will be looked at */
		ask_then(sets[0], "", X, ignore);
}

/* --- The worker ---------------------------------------------------------------------- */

static const struct scene {
	const char *name;
	void (*prepare)(void);
	void (*act)(void);
	unsigned divisor;	/* of the number of requests; large where preparing them takes long,
				   because each looks for deadlocks */
} scenes[] = {
	{ "evlock_free() with waiters", one_waits, free_lock, 1 },
	{ "evlock_close() with waiters", one_waits, close_lock, 1 },
	{ "evlock_free() with waiting owners", one_waits_for_owners, free_lock, 1 },
	{ "evlock_close() with waiting owners", one_waits_for_owners, close_lock, 1 },
	{ "evlock_free() with grants that are not called back", one_granted, free_lock, 1 },
	{ "evlock_free() with holders", one_held, free_lock, 1 },
	{ "evlock_free() of a member that sets wait for", one_member, free_lock, 1 },
	{ "evlock_close() of a member that sets wait for", one_member, close_lock, 1 },
	{ "evlock_free() of locks with a grant each", many_granted, free_locks, 1 },
	{ "the same, the last first", many_granted, free_locks_last_first, 1 },
	{ "evlock_free() of THREADSAFE locks with a grant each", many_granted_between_threads,
	    free_locks, 1 },
	{ "the same, the last first", many_granted_between_threads, free_locks_last_first, 1 },
	{ "evlock_free() of closed locks with a waiter each", many_failed, free_locks, 1 },
	{ "evlock_free() of locks that nothing is due for", many_idle, free_locks, 1 },
	{ "evlock_owner_free() of a holder", many_held_by_one, free_owner, 1 },
	{ "evlock_owner_free() of a waiter", many_waited_for_by_one, free_owner, 5 },
	{ "evlock_free() of a member of many sets", many_sets_of_one, free_lock, 1 },
	{ "evlock_free() of many sets of one lock", many_sets_of_one, free_sets, 1 },
	{ "the loss of a lock that was granted", lost_granted, lose_lock, 1 },
	{ "the loss of a lock that is held through a set", lost_by_sets, lose_lock, 1 },
	{ "evlock_table_free() with a holder each", keys_held, free_table, 1 },
	{ "evlock_table_free() with a grant each", keys_granted, free_table, 1 },
	{ "evlock_table_free() with a letter each", keys_released, free_table, 1 },
	{ "evlock_table_free() with two owners that wait for each", keys_waited_for, free_table, 5 },
};

#define N_SCENES (sizeof scenes / sizeof scenes[0])

void measured(void (*act)(void));

/* callgrind knows this function by its name. */
__attribute__((noinline)) void
measured(void (*act)(void))
{
	act();
	__asm__ volatile("");	/* no tail call */
}

/* An allocator whose cost does not depend on earlier calls. */
static void *
take_new(size_t size)
{
	static char *next, *end;
	void *p;

	size = (size + 15) / 16 * 16;
	if ((size_t)(end - next) < size) {
		next = malloc(size + (1 << 20));
		end = next + size + (1 << 20);
	}
	p = next;
	next += size;
	return p;
}

static void
leave(void *p)
{
	(void)p;
}

/* Each scene has its own base.  The process ends with what the scene leaves. */
static void
play(const struct scene *scene, unsigned number)
{
	n = number / scene->divisor;
	base = event_base_new();
	lock = evlock_new(base, NULL);
	scene->prepare();
	measured(scene->act);
}

__attribute__((constructor)) static void
work(void)
{
	const char *number = getenv("EVLOCK_TEST_GROWTH");
	unsigned i;

	if (!number)
		return;
	evlock_set_mem_functions(take_new, NULL, leave);
	for (i = 0; i < N_SCENES; i++)
		play(&scenes[i], (unsigned)atoi(number));
	_exit(0);
}

/* --- Counting ------------------------------------------------------------------------ */

static int
can_be_counted(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || defined EVLOCK_DEBUG
	return 0;	/* with --enable-debug, each step checks more than its own lock */
#endif
#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return 0;
#endif
#endif
	return !getenv("EVLOCK_TEST_WRAPPER") && system("valgrind --version >/dev/null 2>&1") == 0;
}

/* Returns the instructions that callgrind counted for scene number `i`. */
static long
read_count(const char *folder, unsigned i)
{
	char name[100], line[200];
	long count = -1;
	FILE *file;

	snprintf(name, sizeof name, "%s/out.%u", folder, i + 1);
	file = fopen(name, "r");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "totals: %ld", &count) == 1)
			break;
	if (file)
		fclose(file);
	unlink(name);
	return count;
}

static void
count(unsigned number, long *counts)
{
	char folder[] = "growth.XXXXXX", self[500], command[1000];
	ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
	unsigned i;

	cr_assert_gt(length, 0);
	self[length] = '\0';
	cr_assert_not_null(mkdtemp(folder));
	snprintf(command, sizeof command, "EVLOCK_TEST_GROWTH=%u valgrind -q --tool=callgrind "
	    "--toggle-collect=measured --dump-after=measured --callgrind-out-file=%s/out '%s'",
	    number, folder, self);
	cr_assert_eq(system(command), 0);
	for (i = 0; i < N_SCENES; i++)
		counts[i] = read_count(folder, i);
	snprintf(command, sizeof command, "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

Test(growth, of_what_ends_many_is_linear)
{
	long few[N_SCENES], many[N_SCENES];
	unsigned i, n_bad = 0;

	if (!can_be_counted())
		return;
	count(FEW, few);
	count(MANY, many);
	for (i = 0; i < N_SCENES; i++) {
		int is_good = few[i] > 10 * FEW && many[i] <= few[i] / 2 * 9;

		n_bad += !is_good;
		if (!is_good || getenv("EVLOCK_TEST_VERBOSE"))
			fprintf(stderr, "# %s: %ld instructions for %d, %ld for %d: %.2f\n",
			    scenes[i].name, few[i], FEW, many[i], MANY,
			    (double)many[i] / (double)few[i]);
	}
	cr_assert_eq(n_bad, 0, "%u are not linear", n_bad);
}
