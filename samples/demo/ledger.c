/* SPDX-License-Identifier: BSD-3-Clause */

/* Book-keeping: the only judge of whether a line was lost. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "options.h"

bool
ledger_init(struct ledger *ledger, const struct texts *texts, unsigned connections,
    unsigned documents)
{
	ledger->texts = texts;
	ledger->connections = connections;
	ledger->documents = documents;
	ledger->fate = calloc(texts->n_lines, 1);
	ledger->at = calloc(texts->n_lines, sizeof(*ledger->at));
	ledger->ever = calloc(texts->n_lines, sizeof(*ledger->ever));
	ledger->seen = calloc(texts->n_lines, 1);
	return ledger->fate && ledger->at && ledger->ever && ledger->seen;
}

void
ledger_free(struct ledger *ledger)
{
	free(ledger->fate);
	free(ledger->at);
	free(ledger->ever);
	free(ledger->seen);
}

size_t
ledger_first(const struct ledger *ledger, unsigned connection)
{
	return ledger->texts->n_lines * connection / ledger->connections;
}

unsigned
ledger_document(const struct ledger *ledger, unsigned connection, size_t line)
{
	return (unsigned)((connection + line) % ledger->documents);
}

void
ledger_tag(unsigned connection, size_t nth, char tag[LEDGER_MAX_TAG])
{
	snprintf(tag, LEDGER_MAX_TAG, "c%02u-%04zu ", connection, nth);
}

/* --- Where a line is ------------------------------------------------------ */

static uint16_t
bit(unsigned document)
{
	return (uint16_t)(1u << document);
}

void
ledger_sent(struct ledger *ledger, size_t line, unsigned document)
{
	ledger->fate[line] = FATE_UNKNOWN;
	ledger->at[line] = ledger->ever[line] = bit(document);
}

void
ledger_moving(struct ledger *ledger, size_t line, unsigned to)
{
	ledger->at[line] |= bit(to);
	ledger->ever[line] |= bit(to);
}

void
ledger_moved(struct ledger *ledger, size_t line, unsigned document)
{
	ledger->at[line] = bit(document);
}

bool
ledger_is_in(const struct ledger *ledger, size_t line, unsigned document)
{
	return ledger->fate[line] == FATE_ACCEPTED && ledger->at[line] == bit(document);
}

bool
ledger_is_bound(const struct ledger *ledger, size_t line, unsigned document)
{
	return ledger->ever[line] == bit(document);
}

/* --- Knowing a line again ------------------------------------------------- */

/* A line as it was found. */
struct found {
	unsigned connection;
	size_t line;
};

static bool
is_line(const struct ledger *ledger, const struct found *found, const char *text, size_t len)
{
	const char *sent = ledger->texts->line[found->line];
	char tag[LEDGER_MAX_TAG];
	size_t tag_len;

	ledger_tag(found->connection, found->line - ledger_first(ledger, found->connection), tag);
	tag_len = strlen(tag);
	return len == tag_len + strlen(sent) && memcmp(text, tag, tag_len) == 0
	    && memcmp(text + tag_len, sent, len - tag_len) == 0;
}

static bool
find(const struct ledger *ledger, unsigned document, const char *text, size_t len,
    struct found *found)
{
	char tag[LEDGER_MAX_TAG] = "";
	size_t nth;

	memcpy(tag, text, len < sizeof(tag) - 1 ? len : sizeof(tag) - 1);
	if (sscanf(tag, "c%u-%zu ", &found->connection, &nth) != 2
	    || found->connection >= ledger->connections)
		return false;
	found->line = ledger_first(ledger, found->connection) + nth;
	return found->line < ledger_first(ledger, found->connection + 1)
	    && ledger->fate[found->line] != FATE_UNSENT
	    && (ledger->ever[found->line] & bit(document))
	    && is_line(ledger, found, text, len);
}

/* Cuts the first line off what is left of a text; its newline, if it has one, is not in
 * `len`.  Returns NULL if nothing is left. */
static const char *
cut(const char **text, size_t *left, size_t *len)
{
	const char *line = *text, *end;

	if (*left == 0)
		return NULL;
	end = memchr(line, '\n', *left);
	*len = end ? (size_t)(end - line) : *left;
	*text += *len + (end != NULL);
	*left -= *len + (end != NULL);
	return line;
}

size_t
ledger_look(const struct ledger *ledger, unsigned document, const char *text, size_t len,
    unsigned char *seen)
{
	size_t torn = len > 0 && text[len - 1] != '\n', line_len;
	struct found found;
	const char *line;

	while ((line = cut(&text, &len, &line_len)) != NULL)
		if (find(ledger, document, line, line_len, &found))
			seen[found.line] = 1;
		else
			torn++;
	return torn;
}

/* --- Drawing the balance -------------------------------------------------- */

/* `last` is the connection's line before, in this document. */
static void
enter_line(struct ledger *ledger, unsigned document, const struct found *found, size_t *last,
    struct findings *findings)
{
	if (ledger->seen[found->line] < 2)
		ledger->seen[found->line]++;
	/* One that was given up may come after its connection's next. */
	if (ledger->fate[found->line] != FATE_ACCEPTED)
		return;
	findings->misplaced += !(ledger->at[found->line] & bit(document));
	if (!ledger_is_bound(ledger, found->line, document))
		return;
	findings->disordered += found->line < *last;
	*last = found->line;
}

void
ledger_enter(struct ledger *ledger, unsigned document, const char *text, size_t len,
    struct findings *findings)
{
	size_t last[MAX_CONNECTIONS] = { 0 }, line_len;
	struct found found;
	const char *line;

	findings->torn += len > 0 && text[len - 1] != '\n';
	while ((line = cut(&text, &len, &line_len)) != NULL)
		if (find(ledger, document, line, line_len, &found))
			enter_line(ledger, document, &found, &last[found.connection], findings);
		else
			findings->torn++;
}

void
ledger_balance(const struct ledger *ledger, struct findings *findings)
{
	size_t i;

	for (i = 0; i < ledger->texts->n_lines; i++) {
		unsigned seen = ledger->seen[i];

		findings->lost += ledger->fate[i] == FATE_ACCEPTED && seen == 0;
		findings->unwanted += ledger->fate[i] == FATE_REFUSED && seen > 0;
		findings->doubled += seen > 1;
	}
}

size_t
ledger_count(const struct ledger *ledger, enum fate fate)
{
	size_t i, n = 0;

	for (i = 0; i < ledger->texts->n_lines; i++)
		n += ledger->fate[i] == fate;
	return n;
}
