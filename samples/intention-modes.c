/* SPDX-License-Identifier: BSD-3-Clause */

/* intention-modes: a lock with modes of your own.  Databases lock tables and rows by
 * these modes.  A transaction that writes a row (X) first locks the table in mode IX.
 * So a transaction that reads the whole table (S) need not look at every row.  From
 *
 *	J. N. Gray, R. A. Lorie, G. R. Putzolu, I. L. Traiger: Granularity of Locks and
 *	Degrees of Consistency in a Shared Data Base.  In: G. M. Nijssen (ed.), Modelling
 *	in Data Base Management Systems, North-Holland 1976, pp. 365-394.
 *
 * Compile: cc intention-modes.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <stdio.h>

#include <event2/event.h>
#include <evlock/evlock.h>

/* --- The modes ------------------------------------------------------------ */

enum {
	NL,	/* nothing is locked */
	IS,	/* reads some rows, and locks each of them */
	IX,	/* writes some rows, and locks each of them */
	S,	/* reads all rows */
	SIX,	/* reads all rows, and writes some, which it locks */
	X,	/* writes all rows */
	N_MODES
};

#define BIT(mode) (1u << (mode))

/* Conflicts must be symmetric: if mode A is in the conflicts of mode B, then B must be in
 * the conflicts of A. */
static const struct evlock_mode modes[N_MODES] = {
	[NL] = { .name = "NL", .conflicts = 0 },
	[IS] = { .name = "IS", .conflicts = BIT(X) },
	[IX] = { .name = "IX", .conflicts = BIT(S) | BIT(SIX) | BIT(X) },
	[S] = { .name = "S", .conflicts = BIT(IX) | BIT(SIX) | BIT(X), .access = EVLOCK_READ },
	[SIX] = { .name = "SIX", .conflicts = BIT(IX) | BIT(S) | BIT(SIX) | BIT(X),
	    .access = EVLOCK_READ },
	[X] = { .name = "X", .conflicts = BIT(IS) | BIT(IX) | BIT(S) | BIT(SIX) | BIT(X),
	    .access = EVLOCK_WRITE }
};

static const struct evlock_modes intention_modes = { modes, N_MODES, NULL };

/* --- The matrix, found by trying -------------------------------------------- */

static int
go_together(struct evlock *lock, unsigned held, unsigned asked)
{
	evlock_handle first = evlock_acquire_nowait(lock, held);
	evlock_handle second = evlock_acquire_nowait(lock, asked);

	evlock_release(lock, first);
	if (second)
		evlock_release(lock, second);
	return second != 0;
}

static void
print_matrix(struct evlock *lock)
{
	unsigned held, asked;

	printf("may be granted while others hold\n    ");
	for (held = IS; held < N_MODES; held++)
		printf(" %4s", modes[held].name);
	for (asked = IS; asked < N_MODES; asked++) {
		printf("\n%4s", modes[asked].name);
		for (held = IS; held < N_MODES; held++)
			printf(" %4s", go_together(lock, held, asked) ? "yes" : "no");
	}
	printf("\n\n");
}

/* --- A table at work ------------------------------------------------------- */

struct job {
	const char *what;
	unsigned mode;
};

static void
print_granted(struct evlock *lock, evlock_handle handle, int error, void *arg)
{
	const struct job *job = arg;

	(void)lock;
	(void)handle;
	printf("%-4s %s: %s\n", modes[job->mode].name, job->what, error ? "failed" : "granted");
}

static void
work(struct event_base *base, struct evlock *table)
{
	static struct job jobs[] = {
		{ "changes a row", IX }, { "changes another row", IX }, { "reads a row", IS },
		{ "counts all rows", S }, { "reads a row, too", IS }
	};
	evlock_handle handle[5];
	int i;

	for (i = 0; i < 5; i++)
		handle[i] = evlock_acquire(table, jobs[i].mode, NULL, print_granted, &jobs[i]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	printf("strongest mode held: %s; %zu wait: the count for the changes, a reader behind it\n",
	    modes[evlock_locked(table)].name, evlock_waiting(table));
	evlock_release(table, handle[0]);
	evlock_release(table, handle[1]);
	printf("both rows are changed\n");
	event_base_loop(base, EVLOOP_NONBLOCK);
	for (i = 2; i < 5; i++)
		evlock_release(table, handle[i]);
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct evlock_options options = { .name = "table", .modes = &intention_modes };
	struct evlock *table = evlock_new(base, &options);

	if (table == NULL) {
		perror("evlock_new");
		return 1;
	}
	print_matrix(table);
	work(base, table);
	evlock_free(table);
	event_base_free(base);
	return 0;
}
