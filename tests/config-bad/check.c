/* config-bad FILE: loads a broken configuration and compares the sentence with the file's first line, "# error: SENTENCE".
 * Folder names are left out of the sentence first, so that the tree may lie anywhere. */
#include <stdio.h>
#include <string.h>

#include "bw/config.h"

static const char prefix[] = "# error: ";

static bool read_expectation(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	bool good = f != NULL && fgets(line, sizeof(line), f) != NULL && strncmp(line, prefix, sizeof(prefix) - 1) == 0;

	if (f != NULL)
		fclose(f);
	if (!good)
		return false;
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, size, "%s", line + sizeof(prefix) - 1);
	return true;
}

/* Takes every `folder` out of `text`. */
static void leave_out(char *text, const char *folder)
{
	size_t n = strlen(folder);

	for (char *at = strstr(text, folder); n > 0 && at != NULL; at = strstr(at, folder))
		memmove(at, at + n, strlen(at + n) + 1);
}

int main(int argc, char **argv)
{
	char expected[1024], folder[4096];
	struct bw_config *config = NULL;
	struct bw_why why = { "" };

	if (argc != 2 || !read_expectation(argv[1], expected, sizeof(expected))) {
		fprintf(stderr, "usage: config-bad FILE, with \"%sSENTENCE\" in its first line\n", prefix);
		return 2;
	}
	const char *slash = strrchr(argv[1], '/');

	snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 0 : (int)(slash - argv[1] + 1), argv[1]);
	if (bw_config_load(argv[1], &config, &why) == BW_OK) {
		fprintf(stderr, "%s: was not refused, expected: %s\n", argv[1], expected);
		bw_config_free(&config);
		return 1;
	}
	leave_out(why.text, folder);
	if (strcmp(why.text, expected) == 0)
		return 0;
	fprintf(stderr, "expected: %s\n     got: %s\n", expected, why.text);
	return 1;
}
