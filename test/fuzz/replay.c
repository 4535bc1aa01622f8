/* SPDX-License-Identifier: BSD-3-Clause */

/* Runs inputs of the fuzz target without libFuzzer, and makes some.
 *
 *	replay FILE...		each file is an input, as libFuzzer leaves them
 *	replay --hex FILE...	each line of the files is one, in hexadecimal; # begins a comment
 *	replay --random N	N inputs, always the same
 *	replay --write DIR ...	only writes the inputs that follow, into files */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/choices.h"
#include "../must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *out;		/* where to write to; NULL: run */
static unsigned n_inputs;
static const uint8_t *input;
static size_t input_size;

/* Prints the input in hexadecimal, so that it can be replayed. */
static void
tell_input(void)
{
	size_t i;

	fprintf(must_out, "input: ");
	for (i = 0; i < input_size; i++)
		fprintf(must_out, "%02x", input[i]);
	fputc('\n', must_out);
}

static FILE *
need(FILE *file, const char *name)
{
	if (!file) {
		perror(name);
		exit(2);
	}
	return file;
}

static void
write_input(const uint8_t *data, size_t size)
{
	char name[4096];
	FILE *file;

	snprintf(name, sizeof name, "%s/%u", out, n_inputs);
	file = need(fopen(name, "wb"), name);
	if (fwrite(data, 1, size, file) != size || fclose(file)) {
		perror(name);
		exit(2);
	}
}

static void
take(const uint8_t *data, size_t size)
{
	/* exactly this size, so that AddressSanitizer sees a read beyond it */
	uint8_t *copy = malloc(size ? size : 1);

	MUST(copy, "no memory");
	memcpy(copy, data, size);
	input = copy;
	input_size = size;
	if (out)
		write_input(copy, size);
	else
		LLVMFuzzerTestOneInput(copy, size);
	n_inputs++;
	free(copy);
}

static void
take_file(const char *name)
{
	static uint8_t data[1 << 16];
	FILE *file = need(fopen(name, "rb"), name);

	take(data, fread(data, 1, sizeof data, file));
	fclose(file);
}

static void
take_hex_line(const char *line)
{
	static uint8_t data[1 << 15];
	size_t n = 0;
	unsigned byte;

	while (n < sizeof data && sscanf(line, "%2x", &byte) == 1 && line[0] != '#') {
		data[n++] = (uint8_t)byte;
		line += line[1] ? 2 : 1;
	}
	if (n)
		take(data, n);
}

static void
take_hex(const char *name)
{
	static char line[1 << 16];
	FILE *file = need(fopen(name, "r"), name);

	while (fgets(line, sizeof line, file))
		take_hex_line(line);
	fclose(file);
}

static void
take_random(unsigned n)
{
	uint8_t data[600];
	struct choices c;
	size_t size, i;

	choices_random(&c, 1, ~0ul);
	while (n-- > 0) {
		size = 20 + choose(&c, sizeof data - 20);
		for (i = 0; i < size; i++)
			data[i] = (uint8_t)choose(&c, 256);
		take(data, size);
	}
}

int
main(int argc, char **argv)
{
	void (*take_named)(const char *) = take_file;
	int i;

	must_tell_input = tell_input;
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--hex"))
			take_named = take_hex;
		else if (!strcmp(argv[i], "--random") && i + 1 < argc)
			take_random((unsigned)atoi(argv[++i]));
		else if (!strcmp(argv[i], "--write") && i + 1 < argc)
			out = argv[++i];
		else
			take_named(argv[i]);
	}
	fprintf(stderr, "# %u inputs\n", n_inputs);
	return !n_inputs;
}
