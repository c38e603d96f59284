/* link: bw_cli bw_base */
/* Any bytes as a command line: words are parted by NUL or line break. The parser finds a row or says one sentence; what it would
 * print of hostile words is harmless. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../milter/cli/command.h"
#include "../../milter/cli/output.h"
#include "fuzz.h"

enum { ARGS = 300 };

static void check_sentence(const struct cli *c)
{
	struct bw_buf clean;

	bw_buf_init(&clean, 8 * sizeof(c->why.text));
	bw_cli_neutralise(&clean, bw_slice_of(c->why.text));
	for (size_t i = 0; i < clean.n; i++)
		FUZZ_MUST((unsigned char)clean.p[i] >= 0x20 && (unsigned char)clean.p[i] != 0x7F);
	bw_buf_done(&clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bw_cli_env env;
	struct cli c = { .env = &env };
	char *copy = malloc(size + 1), *argv[ARGS + 1] = { NULL };
	int argc = 0;

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	copy[size] = '\0';
	for (char *word = copy; word <= copy + size && argc < ARGS; word += strlen(word) + 1) {
		char *end = strchr(word, '\n');

		if (end != NULL)
			*end = '\0';
		argv[argc++] = word;
	}
	enum bw_cli_exit code = bw_cli_parse(&c, argc, argv);

	FUZZ_MUST((code == BW_CLI_DONE) == (c.command != NULL && c.why.text[0] == '\0'));
	check_sentence(&c);
	free(copy);
	return 0;
}
