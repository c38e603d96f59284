/* config-document: writes what is generated from the tables of configuration and settings.
 *
 *   config-document sample           conf/breakwater.conf
 *   config-document manual FILE      FILE with its generated parts renewed: what stands between the lines
 *                                    "; begin: PART" and "; end: PART", PART being keys or thresholds
 */
#include <stdio.h>
#include <string.h>

#include "bw/config.h"

enum { OUTPUT_MAX = 1 << 20, LINE_BYTES = 4096 };

static const struct part {
	const char *begin, *end;
	void (*print)(struct bw_buf *out);
} parts[] = {
	{ "; begin: keys\n", "; end: keys\n", bw_config_print_keys },
	{ "; begin: thresholds\n", "; end: thresholds\n", bw_config_print_thresholds },
};

static const struct part *part_that_begins(const char *line)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(line, parts[i].begin) == 0)
			return &parts[i];
	}
	return NULL;
}

static bool renew(FILE *in, struct bw_buf *out)
{
	const struct part *inside = NULL;
	size_t found = 0;
	char line[LINE_BYTES];

	while (fgets(line, sizeof(line), in) != NULL) {
		if (inside != NULL && strcmp(line, inside->end) != 0)
			continue;
		inside = inside != NULL ? NULL : part_that_begins(line);
		bw_buf_add_text(out, line);
		if (inside == NULL)
			continue;
		bw_buf_add_char(out, '\n');
		inside->print(out);
		found++;
	}
	return inside == NULL && found == sizeof(parts) / sizeof(parts[0]);
}

static int manual(const char *path, struct bw_buf *out)
{
	FILE *in = fopen(path, "r");

	if (in == NULL) {
		perror(path);
		return 1;
	}
	bool whole = renew(in, out);

	fclose(in);
	if (!whole)
		fprintf(stderr, "%s: each part must begin and end once\n", path);
	return whole ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct bw_buf out;
	int code = 2;

	bw_buf_init(&out, OUTPUT_MAX);
	if (argc == 2 && strcmp(argv[1], "sample") == 0) {
		bw_config_print_sample(&out);
		code = 0;
	} else if (argc == 3 && strcmp(argv[1], "manual") == 0) {
		code = manual(argv[2], &out);
	} else {
		fprintf(stderr, "usage: config-document sample | manual FILE\n");
	}
	if (code == 0 && (out.cut || fwrite(bw_buf_text(&out), 1, out.n, stdout) != out.n || fflush(stdout) != 0))
		code = 1;
	bw_buf_done(&out);
	return code;
}
