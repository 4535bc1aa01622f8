/* SPDX-License-Identifier: BSD-3-Clause */

/* document-server: text documents over HTTP, each with a lock of its own.
 *
 * What it is here to show is in append.c: one request keeps a document to itself
 * across several callbacks, with the disk's work done by other threads, and the
 * loop never blocks.  In move.c it is two documents, under a set.  locks.c tells where
 * the locks come from, and job.c acquires them; in client.c are their owner, and how to
 * see a client go.  With --threads there are several loops (loop.c), to which door.c
 * lets the clients in by turns; what a thread wants of another's loop goes by mailbox.c.
 * The way of a request:
 *
 *	routes.c -> job.c -> get.c, put.c, append.c, move.c, show.c -> reply.c
 *	              |                 |
 *	           client.c     workers.c -> store.c
 *
 * Compile: cc -o document-server *.c -lpthread $(pkg-config --cflags --libs \
 *	evlock libevent_core libevent_extra libevent_pthreads)
 *	(for --etcd add -DWITH_ETCD, and evlock_etcd)
 * Try:	./document-server --dir /tmp --port 8080 &
 *	curl --data-binary 'a line' http://127.0.0.1:8080/doc/notes
 *	curl http://127.0.0.1:8080/doc/notes
 */

#include <stdlib.h>

#include "options.h"
#include "server.h"

int
main(int argc, char **argv)
{
	struct options options;
	struct server server;
	bool ok;

	options_parse(&options, argc, argv);
	ok = server_open(&server, &options) && server_run(&server);
	server_close(&server);
	libevent_global_shutdown();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
