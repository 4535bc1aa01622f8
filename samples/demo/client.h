/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CLIENT_H_INCLUDED_
#define CLIENT_H_INCLUDED_

/* What writers, readers and the killer have in common: a connection to the server. */

#include <stddef.h>

#include <event2/http.h>

#define CLIENT_MAX_PATH 48

struct run;

/** Returns NULL if there is no memory. */
struct evhttp_connection *client_connect(struct run *run);

/** The paths of a document, and of a move between two. */
const char *client_path(char path[CLIENT_MAX_PATH], unsigned document);
const char *client_move_path(char path[CLIENT_MAX_PATH], unsigned from, unsigned to);

/** Asks for `path`; `body` may be NULL and is emptied.  Returns 0 or -1. */
int client_ask(struct evhttp_connection *conn, enum evhttp_cmd_type type, const char *path,
    struct evbuffer *body, void (*answered)(struct evhttp_request *, void *), void *arg);

/** The status of an answer, or 0 if none came. */
int client_status(struct evhttp_request *req);

/** The number that is the answer's text; 0 if it is something else. */
size_t client_number(struct evhttp_request *req);

/** How long the server says that it waited for the lock, in seconds. */
double client_lock_wait(struct evhttp_request *req);

/** The port from which the connection comes; 0 if it is none yet. */
unsigned client_port(struct evhttp_connection *conn);

/** Has the connection end as that of a program that is killed: what it was sent and has
 * not read is thrown away, and the server hears so. */
void client_reset_on_close(struct evhttp_connection *conn);

#endif
