/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_TEXT_H_INCLUDED_
#define EVL_TEXT_H_INCLUDED_

/* Text in memory that grows while it is written.  A report under a mutex is written here first,
 * and goes to a file or a socket after the mutex is left.  Names and keys come from outside the
 * program, so they are escaped. */

#include <stddef.h>
#include <stdint.h>

/** Zero-filled: empty. */
struct evl_text {
	char *start;		/**< `length` bytes, without a NUL; NULL: none yet */
	size_t length;
	size_t size;		/**< allocated */
	uint8_t is_cut;		/**< an allocation failed: the text ends there, and later
				     additions are ignored */
};

void evl_text_add(struct evl_text *text, const char *more);

/** Adds what printf() would write. */
void evl_text_printf(struct evl_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Adds `n` bytes of any kind.  Writes `"`, `\` and everything but printable ASCII as \xNN, so a
 * name can neither end its line nor control a terminal. */
void evl_text_add_escaped(struct evl_text *text, const void *bytes, size_t n);

/** The same for a string. */
void evl_text_add_name(struct evl_text *text, const char *name);

/** Removes what follows the last newline. */
void evl_text_drop_unfinished_line(struct evl_text *text);

/** Frees the memory; the text is empty again. */
void evl_text_clear(struct evl_text *text);

#endif
