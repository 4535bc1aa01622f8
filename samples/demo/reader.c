/* SPDX-License-Identifier: BSD-3-Clause */

/* Reading and checking. */

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "client.h"
#include "reader.h"
#include "run.h"

/* --- Checking ------------------------------------------------------------- */

/* Is a line missing that was there before, and that nobody asked to be moved? */
static bool
has_shrunk(const struct reader *reader, const unsigned char *before, const unsigned char *now)
{
	const struct ledger *ledger = &reader->run->ledger;
	size_t i;

	for (i = 0; i < ledger->texts->n_lines; i++)
		if (before[i] && !now[i] && ledger_is_bound(ledger, i, reader->document))
			return true;
	return false;
}

static void
check(struct reader *reader, struct evbuffer *text)
{
	const struct ledger *ledger = &reader->run->ledger;
	struct result *result = &reader->run->result;
	unsigned char *before = reader->seen[reader->document];
	unsigned char *now = reader->spare;
	const char *data = (const char *)evbuffer_pullup(text, -1);

	memset(now, 0, ledger->texts->n_lines);
	result->reads++;
	result->torn_reads += ledger_look(ledger, reader->document, data ? data : "",
	    evbuffer_get_length(text), now) > 0;
	result->shrunk_reads += has_shrunk(reader, before, now);
	reader->seen[reader->document] = now;
	reader->spare = before;
}

/* --- One document after the other ----------------------------------------- */

static void
answered(struct evhttp_request *req, void *arg)
{
	static const struct timeval pause = { 0, 10000 };
	struct reader *reader = arg;
	int status = client_status(req);

	if (status == 200)
		check(reader, evhttp_request_get_input_buffer(req));
	else if (status != 404 && status != 503 && !reader->run->ending)
		reader->run->result.failures++;
	reader->document = (reader->document + 1) % reader->run->options->documents;
	event_add(reader->pause, &pause);
}

static void
read_next(evutil_socket_t fd, short what, void *arg)
{
	struct reader *reader = arg;
	char path[CLIENT_MAX_PATH];

	(void)fd;
	(void)what;
	if (!reader->run->enough && client_ask(reader->conn, EVHTTP_REQ_GET,
	    client_path(path, reader->document), NULL, answered, reader) < 0)
		reader->run->result.failures++;
}

/* --- Making and freeing --------------------------------------------------- */

bool
reader_init(struct reader *reader, struct run *run)
{
	static const struct timeval at_once = { 0, 0 };
	const size_t n_lines = run->ledger.texts->n_lines;
	unsigned i;

	reader->run = run;
	for (i = 0; i < run->options->documents; i++)
		if ((reader->seen[i] = calloc(n_lines, 1)) == NULL)
			return false;
	reader->spare = calloc(n_lines, 1);
	reader->conn = client_connect(run);
	reader->pause = evtimer_new(run->base, read_next, reader);
	return reader->spare && reader->conn && reader->pause
	    && event_add(reader->pause, &at_once) == 0;
}

void
reader_free(struct reader *reader)
{
	unsigned i;

	if (reader->conn)
		evhttp_connection_free(reader->conn);
	if (reader->pause)
		event_free(reader->pause);
	for (i = 0; i < MAX_DOCUMENTS; i++)
		free(reader->seen[i]);
	free(reader->spare);
}
