/* SPDX-License-Identifier: BSD-3-Clause */

/* One of several clients that take turns with a lock, for run.py:
 *
 *	client ENDPOINTS NAME STORE TTL SEED
 *
 * The client requests the lock again and again, mostly exclusively, and holds it for some
 * milliseconds.  Meanwhile it writes twice to the store, with its fencing token.  It does not check
 * whether the hold is still certain, because the store must refuse late writes.  The client prints
 * each event on a line of the standard output, for history.py:
 *
 *	TIME NAME ask|got|write|end|lost|failed NUMBER MODE TOKEN UNTIL ERROR
 *
 * Times are in nanoseconds of CLOCK_BOOTTIME.  On SIGTERM the client releases and exits. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>

#include <evlock/etcd.h>

static struct event_base *base;
static struct evlock_etcd *session;
static struct evlock *lock;
static struct event *timer;		/* the next thing to do: ask, write, or release */
static const char *name;
static int store;
static int is_ending;

static unsigned number;			/* of the request */
static unsigned mode;
static evlock_handle handle;
static int is_held, has_written;

/* --- The record ----------------------------------------------------------------------- */

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t
valid_until(void)
{
	struct timespec t = { 0, 0 };

	evlock_etcd_valid_until(lock, handle, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* One write() for each line, so that those of several clients do not mix. */
static void
record(const char *what, int error)
{
	uint64_t token = is_held ? evlock_etcd_token(lock, handle) : 0;
	char line[200];
	int n = snprintf(line, sizeof line, "%" PRId64 " %s %s %u %s %" PRIu64 " %" PRId64 " %d\n",
	    now(), name, what, number, mode == EVLOCK_EXCLUSIVE ? "X" : "S", token,
	    is_held ? valid_until() : 0, error);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		exit(3);
}

/* --- Taking turns ------------------------------------------------------------------------- */

static void
go_on_in(long ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	event_add(timer, &time);
}

static void
write_to_store(void)
{
	char text[100];
	int n = snprintf(text, sizeof text, "%s %u %s %" PRIu64, name, number,
	    mode == EVLOCK_EXCLUSIVE ? "X" : "S", evlock_etcd_token(lock, handle));

	record("write", 0);
	if (mode == EVLOCK_EXCLUSIVE && send(store, text, (size_t)n, MSG_DONTWAIT) < 0)
		perror("store");
}

static void
end_turn(void)
{
	is_held = 0;
	handle = 0;
	if (is_ending) {
		evlock_free(lock);
		evlock_etcd_close(session);
	} else {
		go_on_in(random() % 20);
	}
}

static void
on_granted(struct evlock *l, evlock_handle h, int error, void *arg)
{
	(void)l;
	(void)h;
	(void)arg;
	if (error) {
		record("failed", error);
		end_turn();
		return;
	}
	is_held = 1;
	has_written = 0;
	record("got", 0);
	write_to_store();
	go_on_in(random() % 20);
}

static void
on_notice(struct evlock *l, evlock_handle h, int error, void *arg)
{
	(void)l;
	(void)h;
	(void)arg;
	if (error != ESTALE)
		return;
	is_held = 0;
	record("lost", error);
	event_del(timer);
	end_turn();
}

static void
ask(void)
{
	struct evlock_request request = { .cb = on_granted, .notice_cb = on_notice };

	number++;
	mode = random() % 4 ? EVLOCK_EXCLUSIVE : EVLOCK_SHARED;
	request.mode = mode;
	record("ask", 0);
	handle = evlock_acquire_request(lock, &request);
	if (!handle)
		exit(4);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (!handle && is_ending) {
		end_turn();
	} else if (!handle) {
		ask();
	} else if (!has_written) {
		write_to_store();
		has_written = 1;
		go_on_in(random() % 5);
	} else {
		record("end", 0);
		evlock_release(lock, handle);
		end_turn();
	}
}

/* --- Beginning and ending --------------------------------------------------------------------- */

static void
on_state(struct evlock_etcd *s, enum evlock_etcd_state state, const char *reason, void *arg)
{
	(void)s;
	(void)arg;
	fprintf(stderr, "%.3f %s: %d %s\n", (double)now() / 1e9, name, (int)state, reason);
	if (state == EVLOCK_ETCD_CLOSED)
		event_base_loopbreak(base);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	is_ending = 1;
}

static int
connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	struct evlock_etcd_options options = { 0 };
	struct event *term;

	if (argc != 6) {
		fprintf(stderr, "usage: client ENDPOINTS NAME STORE TTL SEED\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	options.endpoints = argv[1];
	name = argv[2];
	store = connect_to(argv[3]);
	options.ttl = (unsigned)atoi(argv[4]);
	srandom((unsigned)atoi(argv[5]));
	base = event_base_new();
	session = evlock_etcd_open(base, &options, on_state, NULL);
	lock = session ? evlock_etcd_new(session, "cluster", NULL) : NULL;
	if (!lock) {
		perror("client");
		return 2;
	}
	timer = event_new(base, -1, 0, on_timer, NULL);
	term = event_new(base, SIGTERM, EV_SIGNAL, on_term, NULL);
	event_add(term, NULL);
	go_on_in(0);
	event_base_dispatch(base);
	event_free(term);
	event_free(timer);
	event_base_free(base);
	return 0;
}
