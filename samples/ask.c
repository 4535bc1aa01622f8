/* SPDX-License-Identifier: BSD-3-Clause */

/* ask: the client of test-samples.sh, which writes each request byte by byte.
 * Sends its standard input to a port of 127.0.0.1, and prints what comes back until the other
 * side closes the connection.  With -g it closes the connection at the end of the input. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 60	/* seconds, then SIGALRM ends the program */

static int
dial(unsigned long port)
{
	struct sockaddr_in to;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(&to, 0, sizeof(to));
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((unsigned short)port);
	return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

/* Returns false at the end of `from`, or if `to` is closed. */
static bool
copy(int from, int to)
{
	char bytes[65536];
	ssize_t n = read(from, bytes, sizeof(bytes));

	return n > 0 && write(to, bytes, (size_t)n) == n;
}

/* Reads the answer to its end, even if the server stops reading before the end of the input. */
static void
talk(int fd, bool go_away)
{
	struct pollfd ends[2] = { { STDIN_FILENO, POLLIN, 0 }, { fd, POLLIN, 0 } };

	while (poll(ends, 2, -1) > 0) {
		if (ends[1].revents && !copy(fd, STDOUT_FILENO))
			return;
		if (ends[0].revents && !copy(STDIN_FILENO, fd)) {
			if (go_away)
				return;
			ends[0].fd = -1;
		}
	}
}

int
main(int argc, char **argv)
{
	bool go_away = argc == 3 && strcmp(argv[1], "-g") == 0;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	alarm(PATIENCE);
	if (argc != 2 + go_away) {
		fprintf(stderr, "usage: ask [-g] PORT <REQUEST\n");
		return 2;
	}
	fd = dial(strtoul(argv[argc - 1], NULL, 10));
	if (fd < 0) {
		perror("ask");
		return 1;
	}
	talk(fd, go_away);
	return 0;
}
