/* SPDX-License-Identifier: BSD-3-Clause */

/* transfer: money goes from account to account.  Each account has a lock, and a transfer
 * needs two of them.  If transfers took them one after the other, a transfer from Ann to
 * Bob and one from Bob to Ann could each hold the lock that the other waits for.  A set of
 * both locks is granted as a whole, so the order does not matter.  The audit acquires a
 * set of all accounts, shared.  It finds the sum unchanged, although transfers are under
 * way at any time, and the stream of transfers does not keep it waiting for ever.
 *
 * Compile: cc transfer.c $(pkg-config --cflags --libs evlock libevent_core) */

#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <evlock/set.h>

#define N_ACCOUNTS 5
#define N_CLERKS 20
#define N_TRANSFERS 1000	/* by each clerk */
#define SUM (N_ACCOUNTS * 1000L)

struct bank {
	struct event_base *base;
	struct evlock *account[N_ACCOUNTS];	/* guards its balance, a long */
	struct evlock *all;			/* the set of all accounts */
	evlock_handle audit;
	unsigned n_audits, n_wrong;
	unsigned long n_transfers;
};

struct clerk {
	struct bank *bank;
	unsigned from, to, left;
	struct evlock *both;			/* the set of both accounts */
	evlock_handle handle;
	long on_its_way;
	struct event *later;
};

static unsigned
random_below(unsigned n)
{
	return (unsigned)rand() % n;
}

/* --- Transfers ------------------------------------------------------------ */

static void take_money(struct evlock *both, evlock_handle handle, int error, void *arg);

static void
must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* Makes a set of two random accounts for one transfer. */
static void
begin_transfer(struct clerk *clerk)
{
	struct evlock **account = clerk->bank->account;
	struct evlock_set_member members[2];

	clerk->from = random_below(N_ACCOUNTS);
	clerk->to = (clerk->from + 1 + random_below(N_ACCOUNTS - 1)) % N_ACCOUNTS;
	members[0].lock = account[clerk->from];
	members[1].lock = account[clerk->to];
	members[0].mode = members[1].mode = EVLOCK_SAME_MODE;
	clerk->both = evlock_set_new(members, 2, NULL);
	must(clerk->both != NULL, "evlock_set_new");
	clerk->handle = evlock_acquire(clerk->both, EVLOCK_EXCLUSIVE, NULL, take_money, clerk);
	must(clerk->handle != 0, "evlock_acquire");
}

/* Takes the money from one account.  A later callback, put_money(), adds it to the other. */
static void
take_money(struct evlock *both, evlock_handle handle, int error, void *arg)
{
	static const struct timeval at_once = { 0, 0 };
	struct clerk *clerk = arg;
	long *balance;

	(void)both;
	if (error)
		return;
	balance = evlock_value_mut(clerk->bank->account[clerk->from], handle);
	must(balance != NULL, "evlock_value_mut");
	clerk->on_its_way = *balance / 2;
	*balance -= clerk->on_its_way;
	event_add(clerk->later, &at_once);
}

static void
put_money(evutil_socket_t fd, short what, void *arg)
{
	struct clerk *clerk = arg;
	long *balance = evlock_value_mut(clerk->bank->account[clerk->to], clerk->handle);

	(void)fd;
	(void)what;
	must(balance != NULL, "evlock_value_mut");
	*balance += clerk->on_its_way;
	evlock_release(clerk->both, clerk->handle);
	evlock_free(clerk->both);
	clerk->both = NULL;
	clerk->bank->n_transfers++;
	if (--clerk->left > 0)
		begin_transfer(clerk);
}

/* --- The audit ------------------------------------------------------------ */

static void
audit(struct evlock *all, evlock_handle handle, int error, void *arg)
{
	struct bank *bank = arg;
	long sum = 0;
	unsigned i;

	if (error)
		return;
	for (i = 0; i < N_ACCOUNTS; i++)
		sum += *(const long *)evlock_value(bank->account[i], handle);
	bank->n_wrong += sum != SUM;
	bank->n_audits++;
	evlock_release(all, handle);
	if (bank->n_transfers < N_CLERKS * N_TRANSFERS)
		evlock_acquire(all, EVLOCK_SHARED, NULL, audit, bank);
}

/* --- The bank ------------------------------------------------------------- */

static struct evlock *
open_account(struct event_base *base)
{
	long *balance = malloc(sizeof(*balance));
	struct evlock_options options = { .name = "account", .value = balance, .free_value = free };

	if (balance == NULL)
		return NULL;
	*balance = SUM / N_ACCOUNTS;
	return evlock_new(base, &options);
}

static int
open_bank(struct bank *bank)
{
	struct evlock_set_member members[N_ACCOUNTS];
	unsigned i;

	bank->base = event_base_new();
	for (i = 0; i < N_ACCOUNTS; i++) {
		bank->account[i] = open_account(bank->base);
		members[i].lock = bank->account[i];
		members[i].mode = EVLOCK_SAME_MODE;
	}
	bank->all = evlock_set_new(members, N_ACCOUNTS, NULL);
	return bank->all ? 0 : -1;
}

int
main(void)
{
	struct bank bank = { 0 };
	struct clerk clerks[N_CLERKS] = { 0 };
	unsigned i;

	if (open_bank(&bank) < 0)
		return 1;
	for (i = 0; i < N_CLERKS; i++) {
		clerks[i].bank = &bank;
		clerks[i].left = N_TRANSFERS;
		clerks[i].later = evtimer_new(bank.base, put_money, &clerks[i]);
		begin_transfer(&clerks[i]);
	}
	evlock_acquire(bank.all, EVLOCK_SHARED, NULL, audit, &bank);
	event_base_dispatch(bank.base);
	printf("%d clerks made %lu transfers between %d accounts\n", N_CLERKS, bank.n_transfers,
	    N_ACCOUNTS);
	printf("%u audits meanwhile, %u of them found money missing\n",
	    bank.n_audits, bank.n_wrong);

	evlock_free(bank.all);
	for (i = 0; i < N_ACCOUNTS; i++)
		evlock_free(bank.account[i]);
	for (i = 0; i < N_CLERKS; i++)
		event_free(clerks[i].later);
	event_base_free(bank.base);
	return bank.n_wrong != 0;
}
