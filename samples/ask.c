/* SPDX-License-Identifier: BSD-3-Clause */

/* ask: what test-samples.sh needs of a client, which is to say a request byte by byte.
 * Sends its standard input to a port of 127.0.0.1, and prints what comes back until the
 * other side closes; with -g it goes away without listening. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 60	/* seconds, then SIGALRM ends us */

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

/* Stops early if the other side has heard enough; its answer may still come. */
static void
copy(int from, int to)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			return;
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
	copy(STDIN_FILENO, fd);
	if (!go_away)
		copy(fd, STDOUT_FILENO);
	return 0;
}
