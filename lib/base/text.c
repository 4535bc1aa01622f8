/* SPDX-License-Identifier: BSD-3-Clause */

/* Text that grows, and its escapes; see text.h.  Needs no mutex. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define FIRST_SIZE 1024

static void
move_to(struct evl_text *text, char *start, size_t size)
{
	if (text->length)
		memcpy(start, text->start, text->length);
	evl_mem_free(text->start);
	text->start = start;
	text->size = size;
}

/* Returns -1 if there is no room for `more` bytes. */
static int
reserve(struct evl_text *text, size_t more)
{
	size_t size = text->size ? text->size : FIRST_SIZE;
	char *start;

	if (text->is_cut)
		return -1;
	while (size - text->length < more)
		size *= 2;
	if (size == text->size)
		return 0;
	start = evl_mem_new(size);
	if (start)
		move_to(text, start, size);
	else
		text->is_cut = 1;
	return start ? 0 : -1;
}

void
evl_text_add(struct evl_text *text, const char *more)
{
	size_t n = strlen(more);

	if (reserve(text, n) < 0)
		return;
	memcpy(text->start + text->length, more, n);
	text->length += n;
}

void
evl_text_printf(struct evl_text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 || reserve(text, (size_t)n + 1) < 0)
		return;
	va_start(args, format);
	vsnprintf(text->start + text->length, (size_t)n + 1, format, args);
	va_end(args);
	text->length += (size_t)n;
}

static int
is_plain(unsigned char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* Writes one escaped byte, for which there must be room.  Returns the end of it. */
static char *
escape(char *to, unsigned char c)
{
	static const char digit[] = "0123456789abcdef";

	*to++ = '\\';
	*to++ = 'x';
	*to++ = digit[c >> 4];
	*to++ = digit[c & 15];
	return to;
}

void
evl_text_add_escaped(struct evl_text *text, const void *bytes, size_t n)
{
	const unsigned char *from = bytes;
	char *to;

	if (!n || reserve(text, 4 * n) < 0)
		return;
	to = text->start + text->length;
	for (; n; n--, from++)
		if (is_plain(*from))
			*to++ = (char)*from;
		else
			to = escape(to, *from);
	text->length = (size_t)(to - text->start);
}

void
evl_text_add_name(struct evl_text *text, const char *name)
{
	evl_text_add_escaped(text, name, strlen(name));
}

void
evl_text_drop_unfinished_line(struct evl_text *text)
{
	while (text->length && text->start[text->length - 1] != '\n')
		text->length--;
}

void
evl_text_clear(struct evl_text *text)
{
	evl_mem_free(text->start);
	memset(text, 0, sizeof *text);
}
