/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CLIENT_H_INCLUDED_
#define CLIENT_H_INCLUDED_

/* A connection, from its first request until it is closed, and the owner of all
 * that its requests lock.  A client that goes away lets go of all that it held or
 * waited for, whatever locks that is on, in one call.
 *
 * evhttp lets a request wait for the answer to the one before, so a client has one
 * job at a time.  If that has begun to write when the client goes, the client stays,
 * and what it holds stays locked, until the job is done.
 */

struct evhttp_connection;
struct evhttp_request;
struct evlock_owner;
struct job;
struct loop;

struct client {
	struct loop *loop;
	struct evhttp_connection *conn;	/* NULL: closed */
	struct evlock_owner *owner;
	struct job *job;		/* under way, or NULL */
};

/** The client that a request comes from, who will be watched while `job` is under way.
 * Returns NULL if there is no memory. */
struct client *client_begin(struct loop *loop, struct evhttp_request *req, struct job *job);

/** The job is done: lets go of all that it locked, and of a client that has gone. */
void client_end(struct client *client);

#endif
