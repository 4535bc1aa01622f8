/* SPDX-License-Identifier: BSD-3-Clause */

/* Appending lines, and finding those that are to be moved. */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "lines.h"

/* --- Appending ------------------------------------------------------------ */

static char
last_byte(struct evbuffer *text)
{
	struct evbuffer_ptr last;
	char byte = '\n';

	if (evbuffer_get_length(text) == 0)
		return byte;
	evbuffer_ptr_set(text, &last, evbuffer_get_length(text) - 1, EVBUFFER_PTR_SET);
	evbuffer_copyout_from(text, &last, &byte, 1);
	return byte;
}

/* Or the next line would become a part of this one. */
static int
end_last_line(struct evbuffer *text)
{
	return last_byte(text) == '\n' ? 0 : evbuffer_add(text, "\n", 1);
}

int
lines_append(struct evbuffer *text, struct evbuffer *lines)
{
	if (end_last_line(text) < 0 || evbuffer_add_buffer(text, lines) < 0
	    || end_last_line(text) < 0)
		return ENOMEM;
	return 0;
}

/* --- A list of lines, to look them up in ----------------------------------- */

/* A line in the memory of its text, with its newline. */
struct line {
	const char *text;
	size_t len;
	size_t n;		/* how often it is still to be found */
};

struct list {
	struct line *line;	/* sorted, each once */
	size_t n;
};

static int
compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* Cuts the first line off what is left of a text. */
static bool
cut(const char **text, size_t *left, struct line *line)
{
	const char *end;

	if (*left == 0)
		return false;
	end = memchr(*text, '\n', *left);
	line->text = *text;
	line->len = end ? (size_t)(end - *text) + 1 : *left;
	line->n = 1;
	*text += line->len;
	*left -= line->len;
	return true;
}

static size_t
count(const char *text, size_t len)
{
	struct line line;
	size_t n = 0;

	while (cut(&text, &len, &line))
		n++;
	return n;
}

/* Equal lines, which stand side by side, become one. */
static void
merge(struct list *list)
{
	size_t i, n = 0;

	for (i = 1; i < list->n; i++)
		if (compare(&list->line[n], &list->line[i]) == 0)
			list->line[n].n++;
		else
			list->line[++n] = list->line[i];
	list->n = n + 1;
}

/* Returns false if there is no memory. */
static bool
make_list(struct list *list, const char *text, size_t len)
{
	list->line = malloc((count(text, len) + 1) * sizeof(*list->line));
	list->n = 0;
	if (list->line == NULL)
		return false;
	while (cut(&text, &len, &list->line[list->n]))
		list->n++;
	if (list->n == 0)
		return true;
	qsort(list->line, list->n, sizeof(*list->line), compare);
	merge(list);
	return true;
}

static bool
strike(const struct list *list, const struct line *line)
{
	struct line *found = bsearch(line, list->line, list->n, sizeof(*list->line), compare);

	if (found == NULL || found->n == 0)
		return false;
	found->n--;
	return true;
}

/* --- Moving --------------------------------------------------------------- */

/* Deals the lines of `from` out to `to` and `rest`. */
static int
deal(struct evbuffer *from, const struct list *list, struct evbuffer *to, struct evbuffer *rest,
    size_t *n)
{
	const char *text = (const char *)evbuffer_pullup(from, -1);
	size_t left = evbuffer_get_length(from);
	struct line line;

	if (left > 0 && text == NULL)
		return ENOMEM;
	while (cut(&text, &left, &line)) {
		bool is_listed = strike(list, &line);

		*n += is_listed;
		if (evbuffer_add(is_listed ? to : rest, line.text, line.len) < 0)
			return ENOMEM;
	}
	return 0;
}

static int
replace(struct evbuffer *text, struct evbuffer *by)
{
	evbuffer_drain(text, evbuffer_get_length(text));
	return evbuffer_add_buffer(text, by) < 0 ? ENOMEM : 0;
}

static int
move(struct evbuffer *from, struct evbuffer *to, struct evbuffer *listed, size_t *n)
{
	const char *text = (const char *)evbuffer_pullup(listed, -1);
	struct evbuffer *rest = evbuffer_new();
	struct list list = { NULL, 0 };
	int error = ENOMEM;

	if (rest && text && make_list(&list, text, evbuffer_get_length(listed)))
		error = deal(from, &list, to, rest, n);
	if (!error)
		error = replace(from, rest);
	free(list.line);
	if (rest)
		evbuffer_free(rest);
	return error;
}

int
lines_move(struct evbuffer *from, struct evbuffer *to, struct evbuffer *listed, size_t *n)
{
	*n = 0;
	if (evbuffer_get_length(listed) == 0)
		return 0;
	if (end_last_line(from) < 0 || end_last_line(to) < 0 || end_last_line(listed) < 0)
		return ENOMEM;
	return move(from, to, listed, n);
}
