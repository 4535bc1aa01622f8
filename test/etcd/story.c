/* SPDX-License-Identifier: BSD-3-Clause */

/* See story.h. */

#define SHIM_ASSERTS_ONLY
#include "../shim.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scopes/etcd/clock.h"
#include "story.h"

struct event_base *base;
struct evlock_etcd *one, *two;
int ttl;
char prefix[64];
char reason[200];

static char story[1000];

/* --- The recorded words ------------------------------------------------------------ */

void
write_down(const char *who, const char *what)
{
	size_t n = strlen(story);

	snprintf(story + n, sizeof story - n, "%s%s:%s", n ? " " : "", who, what);
}

const char *
told(void)
{
	static char copy[sizeof story];

	strcpy(copy, story);
	story[0] = '\0';
	return copy;
}

static void
on_state(struct evlock_etcd *session, enum evlock_etcd_state state, const char *why, void *who)
{
	static const char *const names[] = { "connecting", "ready", "suspect", "lost", "closed" };

	(void)session;
	snprintf(reason, sizeof reason, "%s", why);
	write_down(who, names[state]);
}

struct evlock_etcd *
open_session(const char *who, const struct evlock_etcd_options *options)
{
	struct evlock_etcd *session;

	session = evlock_etcd_open(base, options, on_state, (void *)(uintptr_t)who);
	cr_assert_not_null(session);
	return session;
}

/* --- Running ------------------------------------------------------------------------- */

static void
on_late(evutil_socket_t fd, short what, void *is_late)
{
	(void)fd;
	(void)what;
	*(int *)is_late = 1;
}

/* Runs the loop until this many words have been recorded, or far too much time has passed. */
const char *
run_until(unsigned n)
{
	struct timeval long_time = { 20, 0 };
	int is_late = 0;
	struct event *late = event_new(base, -1, 0, on_late, &is_late);
	const char *c;

	event_add(late, &long_time);
	for (;;) {
		unsigned n_told = story[0] != '\0';

		for (c = story; *c; c++)
			n_told += *c == ' ';
		if (n_told >= n || is_late)
			break;
		event_base_loop(base, EVLOOP_ONCE);
	}
	event_free(late);
	return told();
}

static int
compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The same, where the order does not matter: the words are sorted. */
const char *
run_until_all(unsigned n)
{
	static char sorted[sizeof story];
	char copy[sizeof story], *words[100], *rest = copy;
	size_t i, n_words = 0, length = 0;

	strcpy(copy, run_until(n));
	while ((words[n_words] = strtok_r(rest, " ", &rest)))
		n_words++;
	qsort(words, n_words, sizeof *words, compare_words);
	sorted[0] = '\0';
	for (i = 0; i < n_words; i++)
		length += (size_t)sprintf(sorted + length, "%s%s", i ? " " : "", words[i]);
	return sorted;
}

/* Runs the loop for a while, to show that nothing happens. */
const char *
run_for(long ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(base, &time);
	event_base_dispatch(base);
	return told();
}

/* --- On a real etcd ----------------------------------------------------------------- */

struct evlock_etcd *
open_on_etcd(const char *who)
{
	struct evlock_etcd_options options = {
		.endpoints = getenv("EVLOCK_ETCD_URL"), .prefix = prefix, .ttl = ttl
	};

	return open_session(who, &options);
}

void
begin_on_etcd(void)
{
	signal(SIGPIPE, SIG_IGN);
	snprintf(prefix, sizeof prefix, "test/%ld-%lld/", (long)getpid(),
	    (long long)evl_clock_now());
	base = event_base_new();
	one = open_on_etcd("one");
	two = open_on_etcd("two");
}

void
end_on_etcd(void)
{
	evlock_etcd_close(one);
	evlock_etcd_close(two);
	cr_assert_str_eq(run_until_all(2), "one:closed two:closed");
	event_base_free(base);
}

void
etcdctl(const char *format, ...)
{
	char words[200], command[300];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	snprintf(command, sizeof command, "ETCDCTL_API=3 etcdctl --endpoints=%s %s >/dev/null",
	    getenv("EVLOCK_ETCD_URL"), words);
	cr_assert_eq(system(command), 0);
}

void
revoke_lease_of(const struct evlock_etcd *session)
{
	etcdctl("lease revoke %llx", (unsigned long long)session->lease);
}

/* --- Places ------------------------------------------------------------------------- */

void
on_granted_player(void *arg)
{
	struct player *p = arg;

	cr_assert_gt(evl_place_token(p->place), 0);
	write_down(p->name, "in");
}

void
on_ended_player(void *arg, int error)
{
	struct player *p = arg;

	write_down(p->name,
	    error == EAGAIN ? "EAGAIN" : error == ESTALE ? "ESTALE" : strerror(error));
}

struct player
new_player(const char *name, struct evlock_etcd *session, const char *lock, struct player *self)
{
	struct player p = { name, NULL };

	p.place = evl_place_new(session, lock, on_granted_player, on_ended_player, self);
	cr_assert_not_null(p.place);
	return p;
}

void
want(struct player *p, int is_exclusive)
{
	evl_place_want(p->place, EVL_A_TURN, is_exclusive);
}
