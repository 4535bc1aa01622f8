/* SPDX-License-Identifier: BSD-3-Clause */

/* lib/base/text.c: text that grows, and the escaping of names. */

#include <string.h>

#include "../shim.h"
#include "../util.h"
#include "base/text.h"

static struct evl_text text;

/* Does the text consist of exactly these characters? */
static int
is(const char *expected)
{
	return text.length == strlen(expected)
	    && (!text.length || memcmp(text.start, expected, text.length) == 0);
}

LockTest(text, is_what_was_added)
{
	evl_text_add(&text, "one ");
	evl_text_printf(&text, "%d %s", 2, "three");
	evl_text_add(&text, "");
	evl_text_add_escaped(&text, NULL, 0);
	evl_text_add_name(&text, " four");
	cr_assert(is("one 2 three four"));
	cr_assert_eq(text.is_cut, 0);
	evl_text_clear(&text);
	cr_assert_eq(text.length, 0);
	evl_text_clear(&text);
}

LockTest(text, grows)
{
	char all[20000] = "";
	unsigned i;

	for (i = 0; i < 3000; i++) {
		evl_text_printf(&text, "%u ", i % 100);
		snprintf(all + strlen(all), 10, "%u ", i % 100);
		evl_text_add(&text, "a");
		strcat(all, "a");
		evl_text_add_name(&text, "b");
		strcat(all, "b");
	}
	cr_assert(is(all));
	evl_text_clear(&text);
	memset(all, 'c', sizeof all - 1);
	evl_text_add(&text, all);
	cr_assert(is(all));
	evl_text_printf(&text, "%s", all);
	evl_text_add_name(&text, all);
	cr_assert_eq(text.length, 3 * strlen(all));
	evl_text_clear(&text);
}

LockTest(text, escapes_all_but_printable_ascii)
{
	unsigned char byte;
	char expected[5];
	unsigned i;

	for (i = 0; i < 256; i++) {
		int is_plain = i >= ' ' && i < 127 && i != '"' && i != '\\';

		byte = (unsigned char)i;
		snprintf(expected, sizeof expected, is_plain ? "%c" : "\\x%02x", i);
		evl_text_add_escaped(&text, &byte, 1);
		cr_assert(is(expected), "%u", i);
		text.length = 0;
	}
	evl_text_add_escaped(&text, "a\0b\n\033c", 6);
	cr_assert(is("a\\x00b\\x0a\\x1bc"));
	evl_text_clear(&text);
}

LockTest(text, ends_where_memory_does)
{
	evl_text_add(&text, "first\nsecond");
	memory.first_bad = memory.last_bad = memory.made + 1;
	while (!text.is_cut)
		evl_text_add(&text, " word");
	cr_assert_gt(text.length, 500);
	evl_text_add(&text, "!");
	evl_text_printf(&text, "%c", '!');
	evl_text_add_name(&text, "!");
	cr_assert_null(memchr(text.start, '!', text.length), "something is missing before it");
	evl_text_drop_unfinished_line(&text);
	cr_assert(is("first\n"));
	evl_text_clear(&text);
	cr_assert_eq(text.is_cut, 0);
	evl_text_drop_unfinished_line(&text);
	cr_assert(is(""));
}
