/* SPDX-License-Identifier: BSD-3-Clause */

/* Looking at the server's locks, which say of each holder and waiter from which port
 * of ours its connection comes:
 *
 *	lock document "d1" (0x55...): exclusive, 2 waiting
 *	  held     0x00... exclusive of 127.0.0.1:41234
 *	  waits    0x00... exclusive of 127.0.0.1:41236 in a set
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "client.h"
#include "clock.h"
#include "killer.h"
#include "run.h"
#include "writer.h"

#define PATIENCE 5	/* seconds: what was begun for a killed client is finished */

static void look(evutil_socket_t fd, short what, void *arg);

/* --- Killing -------------------------------------------------------------- */

/* One of those whom the server shows. */
struct shown {
	bool waits;
	bool in_set;
	unsigned port;
};

static bool
parse(const char *line, struct shown *shown)
{
	const char *port = strrchr(line, ':');

	shown->waits = strncmp(line, "  waits", 7) == 0;
	shown->in_set = strstr(line, " in a set") != NULL;
	return (shown->waits || strncmp(line, "  held", 6) == 0)
	    && port && sscanf(port, ":%u", &shown->port) == 1;
}

/* If its request is still the one that was shown. */
static struct writer *
find_writer(const struct killer *killer, unsigned port)
{
	struct run *run = killer->run;
	unsigned i;

	for (i = 0; i < run->options->connections; i++) {
		struct writer *writer = &run->writers[i];

		if (writer_is_busy(writer) && writer->asked < killer->asked
		    && client_port(writer->conn) == port)
			return writer;
	}
	return NULL;
}

static bool
kill_one(struct killer *killer, const struct shown *shown)
{
	struct result *result = &killer->run->result;
	struct writer *writer = find_writer(killer, shown->port);
	bool was_moving;

	if (writer == NULL)
		return false;
	was_moving = writer->is_moving;
	writer_kill(writer);
	result->killed_holding += !shown->waits;
	result->killed_waiting += shown->waits;
	result->killed_moving += was_moving;
	return true;
}

/* It must not become the fate of most: a slow server would get nothing done. */
static bool
is_enough(const struct result *result)
{
	return 8 * (result->killed_holding + result->killed_waiting)
	    > result->accepted + result->moves;
}

/* One who holds, one who waits, and the same for a set. */
static void
kill_some(struct killer *killer, struct evbuffer *text)
{
	bool killed[2][2] = { { false, false }, { false, false } };
	struct shown shown;
	char *line;

	while ((line = evbuffer_readln(text, NULL, EVBUFFER_EOL_LF)) != NULL) {
		if (!is_enough(&killer->run->result) && parse(line, &shown)
		    && !killed[shown.waits][shown.in_set])
			killed[shown.waits][shown.in_set] = kill_one(killer, &shown);
		free(line);
	}
}

/* --- Checking ------------------------------------------------------------- */

/* How many hold something or wait for something. */
static size_t
count(struct evbuffer *text)
{
	size_t n = 0;
	char *line;

	while ((line = evbuffer_readln(text, NULL, EVBUFFER_EOL_LF)) != NULL) {
		n += line[0] == ' ';
		free(line);
	}
	return n;
}

static bool
is_checked(struct killer *killer, struct evbuffer *text)
{
	killer->run->result.left = count(text);
	return killer->run->result.left == 0 || time_now() > killer->patience;
}

/* --- Looking -------------------------------------------------------------- */

static void
answered(struct evhttp_request *req, void *arg)
{
	struct killer *killer = arg;
	struct run *run = killer->run;
	const struct timeval pause = { 0, 1000 * (killer->patience > 0 ? 10
	    : (suseconds_t)run->options->kill_every) };

	if (client_status(req) != 200) {
		run->result.failures += !run->ending;
		if (killer->patience > 0)
			run_checked(run);
		return;
	}
	if (killer->patience <= 0)
		kill_some(killer, evhttp_request_get_input_buffer(req));
	else if (is_checked(killer, evhttp_request_get_input_buffer(req))) {
		run_checked(run);
		return;
	}
	event_add(killer->pause, &pause);
}

static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct killer *killer = arg;

	(void)fd;
	(void)what;
	killer->asked = time_now();
	if (killer->run->ending)
		return;
	if (client_ask(killer->conn, EVHTTP_REQ_GET, "/locks", NULL, answered, killer) < 0)
		killer->run->result.failures++;
}

void
killer_check(struct killer *killer)
{
	static const struct timeval at_once = { 0, 0 };
	bool is_looking = killer->run->options->kill_every && !event_pending(killer->pause,
	    EV_TIMEOUT, NULL);

	killer->patience = time_now() + PATIENCE;
	if (!is_looking)	/* or the answer will be the check's */
		event_add(killer->pause, &at_once);
}

/* --- Making and freeing --------------------------------------------------- */

bool
killer_init(struct killer *killer, struct run *run)
{
	const struct timeval first = { 0, 1000 * (suseconds_t)run->options->kill_every };

	killer->run = run;
	killer->conn = client_connect(run);
	killer->pause = evtimer_new(run->base, look, killer);
	if (killer->conn == NULL || killer->pause == NULL)
		return false;
	return run->options->kill_every == 0 || event_add(killer->pause, &first) == 0;
}

void
killer_free(struct killer *killer)
{
	if (killer->conn)
		evhttp_connection_free(killer->conn);
	if (killer->pause)
		event_free(killer->pause);
}
