/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LEDGER_H_INCLUDED_
#define LEDGER_H_INCLUDED_

/* What was sent, what the server said to it, and what is in the documents.
 *
 * Connection c sends the c-th part of the texts, line after line, to one document
 * after the other.  In a document a line stands with a tag before it that tells
 * the connection and its number there, "c07-0012 of this License, or", so that
 * every line is unique and is known again.  It may be moved to other documents; only
 * its connection does so. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "texts.h"

#define LEDGER_MAX_TAG 32

enum fate {
	FATE_UNSENT,
	FATE_UNKNOWN,		/* sent, and no answer came */
	FATE_ACCEPTED,		/* the server said that it is in the document */
	FATE_REFUSED		/* the server said that it is not */
};

struct ledger {
	const struct texts *texts;
	unsigned connections;
	unsigned documents;
	unsigned char *fate;	/* of each line: enum fate */
	uint16_t *at;		/* a bit for each document: it should be in one of these, */
	uint16_t *ever;		/* and may have been in these */
	unsigned char *seen;	/* how often it was found in a document */
};

/** What is wrong with the documents. */
struct findings {
	size_t lost;		/* accepted, and not there */
	size_t doubled;		/* there more than once */
	size_t unwanted;	/* refused, and there */
	size_t misplaced;	/* accepted, and in a document where it should not be */
	size_t disordered;	/* never moved, and not in the order of its connection */
	size_t torn;		/* not a line that was sent */
};

/** Returns false if there is no memory; ledger_free() is to be called in any case. */
bool ledger_init(struct ledger *ledger, const struct texts *texts, unsigned connections,
    unsigned documents);
void ledger_free(struct ledger *ledger);

/** The first line of a connection; the first of the next is where it ends. */
size_t ledger_first(const struct ledger *ledger, unsigned connection);

/** The document that a line of a connection is first for. */
unsigned ledger_document(const struct ledger *ledger, unsigned connection, size_t line);

/** The line's tag. */
void ledger_tag(unsigned connection, size_t nth, char tag[LEDGER_MAX_TAG]);

/** The line is sent to a document; it is sent to another one; it is in that. */
void ledger_sent(struct ledger *ledger, size_t line, unsigned document);
void ledger_moving(struct ledger *ledger, size_t line, unsigned to);
void ledger_moved(struct ledger *ledger, size_t line, unsigned document);

/** Was the line accepted, and should it be in this document and no other? */
bool ledger_is_in(const struct ledger *ledger, size_t line, unsigned document);

/** Was nothing ever asked for that would take the line out of the document? */
bool ledger_is_bound(const struct ledger *ledger, size_t line, unsigned document);

/** Marks in `seen` the lines that are in `text`, the document's.  Returns how many are
 * none that was sent for the document. */
size_t ledger_look(const struct ledger *ledger, unsigned document, const char *text,
    size_t len, unsigned char *seen);

/** Enters a whole document, once the server has ended. */
void ledger_enter(struct ledger *ledger, unsigned document, const char *text, size_t len,
    struct findings *findings);

/** Once all documents are entered. */
void ledger_balance(const struct ledger *ledger, struct findings *findings);

/** How many lines had this fate. */
size_t ledger_count(const struct ledger *ledger, enum fate fate);

#endif
