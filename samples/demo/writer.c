/* SPDX-License-Identifier: BSD-3-Clause */

/* Appending line by line, and moving lines. */

#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include "client.h"
#include "clock.h"
#include "run.h"
#include "writer.h"

/* Spread evenly over the requests, and always the same. */
static unsigned
get_chance(const struct writer *writer)
{
	return (writer->connection * 7919u + writer->n_asked) * 2654435761u >> 7;
}

/* --- Hanging up ----------------------------------------------------------- */

static void
hang_up(struct writer *writer)
{
	event_del(writer->hang_up);
	evhttp_connection_free(writer->conn);	/* without calling appended() or moved() */
	writer->conn = NULL;
	writer->asked = 0;
	writer->run->result.unanswered_moves += writer->is_moving;
	writer_go_on(writer);
}

static void
give_up(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hang_up(arg);
}

/* Within 4 ms a request may be anywhere: unread, waiting for the lock, being worked on,
 * answered. */
static void
perhaps_hang_up(struct writer *writer)
{
	unsigned chance = get_chance(writer);
	struct timeval delay = { 0, (chance / 100) % 4000 };

	if (chance % 100 < writer->run->options->hang_up)
		event_add(writer->hang_up, &delay);
}

bool
writer_is_busy(const struct writer *writer)
{
	return writer->conn && writer->asked > 0;
}

void
writer_kill(struct writer *writer)
{
	client_reset_on_close(writer->conn);
	hang_up(writer);
}

/* --- Asking --------------------------------------------------------------- */

static int
ask(struct writer *writer, const char *path, void (*answered)(struct evhttp_request *, void *))
{
	if (writer->conn == NULL && (writer->conn = client_connect(writer->run)) == NULL)
		return -1;
	writer->n_asked++;
	writer->asked = time_now();
	perhaps_hang_up(writer);
	return client_ask(writer->conn, EVHTTP_REQ_POST, path, writer->body, answered, writer);
}

static void
lose_connection(struct writer *writer)
{
	/* That is no failure of a server that has been told to end. */
	writer->run->result.failures += !writer->run->ending;
	writer->line = writer->end;
}

/* Returns the status of the answer. */
static int
end_ask(struct writer *writer, struct evhttp_request *req)
{
	struct result *result = &writer->run->result;
	int status = client_status(req);
	double wait = status ? client_lock_wait(req) : 0;

	event_del(writer->hang_up);
	if (status == 0)
		lose_connection(writer);
	if (wait > result->longest_wait)
		result->longest_wait = wait;
	return status;
}

static void
end_answer(struct writer *writer)
{
	writer->asked = 0;
	run_answered(writer->run);
	writer_go_on(writer);
}

static void
add_line(struct writer *writer, size_t line)
{
	const struct ledger *ledger = &writer->run->ledger;
	char tag[LEDGER_MAX_TAG];

	ledger_tag(writer->connection, line - ledger_first(ledger, writer->connection), tag);
	evbuffer_add_printf(writer->body, "%s%s\n", tag, ledger->texts->line[line]);
}

/* --- Appending one line --------------------------------------------------- */

static void
appended(struct evhttp_request *req, void *arg)
{
	struct writer *writer = arg;
	struct result *result = &writer->run->result;
	unsigned char *fate = &writer->run->ledger.fate[writer->line - 1];
	int status = end_ask(writer, req);

	if (status == 201 || status == 204) {
		*fate = FATE_ACCEPTED;
		result->latency[result->accepted++] = time_now() - writer->asked;
	} else if (status == 503)
		*fate = FATE_REFUSED;
	else
		result->failures += status != 0;
	end_answer(writer);
}

static int
append(struct writer *writer)
{
	struct ledger *ledger = &writer->run->ledger;
	size_t line = writer->line++;
	unsigned document = ledger_document(ledger, writer->connection, line);
	char path[CLIENT_MAX_PATH];

	writer->is_moving = false;
	add_line(writer, line);
	ledger_sent(ledger, line, document);
	return ask(writer, client_path(path, document), appended);
}

/* --- Moving some lines ---------------------------------------------------- */

static void
end_move(struct writer *writer, unsigned document)
{
	size_t i;

	for (i = 0; i < writer->move.n; i++)
		ledger_moved(&writer->run->ledger, writer->move.line[i], document);
}

/* Nobody else moves these lines, so all of them must have been found. */
static void
check_moved(struct writer *writer, size_t n)
{
	struct result *result = &writer->run->result;

	result->moves++;
	result->lines_moved += n;
	if (n == writer->move.n)
		end_move(writer, writer->move.to);
	else
		result->not_found += writer->move.n - n;
}

static void
moved(struct evhttp_request *req, void *arg)
{
	struct writer *writer = arg;
	struct result *result = &writer->run->result;
	int status = end_ask(writer, req);

	if (status == 200 || status == 201)
		check_moved(writer, client_number(req));
	else if (status == 404 || status == 409)
		check_moved(writer, 0);
	else if (status == 503) {
		end_move(writer, writer->move.from);
		result->refused_moves++;
	} else {
		result->failures += status != 0;
		result->unanswered_moves += status == 0;
	}
	end_answer(writer);
}

/* Some of the writer's lines that are known to be in a document. */
static void
choose_lines(struct writer *writer, unsigned documents)
{
	const struct ledger *ledger = &writer->run->ledger;
	struct move *move = &writer->move;
	unsigned chance = get_chance(writer);
	size_t line;

	move->from = chance % documents;
	move->to = (move->from + 1 + chance / documents % (documents - 1)) % documents;
	move->n = 0;
	for (line = ledger_first(ledger, writer->connection); line < writer->line; line++)
		if (ledger_is_in(ledger, line, move->from) && move->n < MAX_MOVED)
			move->line[move->n++] = line;
}

static int
move(struct writer *writer)
{
	char path[CLIENT_MAX_PATH];
	size_t i;

	writer->is_moving = true;
	for (i = 0; i < writer->move.n; i++) {
		add_line(writer, writer->move.line[i]);
		ledger_moving(&writer->run->ledger, writer->move.line[i], writer->move.to);
	}
	return ask(writer, client_move_path(path, writer->move.from, writer->move.to), moved);
}

static bool
wants_to_move(struct writer *writer)
{
	const struct options *options = writer->run->options;

	if (writer->is_moving || options->documents < 2
	    || get_chance(writer) / 3 % 100 >= options->moves)
		return false;
	choose_lines(writer, options->documents);
	return writer->move.n > 0;
}

/* --- One after the other -------------------------------------------------- */

void
writer_go_on(struct writer *writer)
{
	if (writer->run->enough || writer->line >= writer->end)
		run_writer_done(writer->run);
	else if ((wants_to_move(writer) ? move(writer) : append(writer)) < 0) {
		writer->run->result.failures++;
		run_writer_done(writer->run);
	}
}

/* --- Making and freeing --------------------------------------------------- */

bool
writer_init(struct writer *writer, struct run *run, unsigned connection)
{
	writer->run = run;
	writer->connection = connection;
	writer->line = ledger_first(&run->ledger, connection);
	writer->end = ledger_first(&run->ledger, connection + 1);
	writer->body = evbuffer_new();
	writer->hang_up = evtimer_new(run->base, give_up, writer);
	return writer->body && writer->hang_up;
}

void
writer_free(struct writer *writer)
{
	if (writer->conn)
		evhttp_connection_free(writer->conn);
	if (writer->hang_up)
		event_free(writer->hang_up);
	if (writer->body)
		evbuffer_free(writer->body);
}
