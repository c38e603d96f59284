/* Replays a folder of inputs through a fuzz target built without libFuzzer. An empty folder is a failure. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 20 };

static int replay(const char *path, uint8_t *bytes)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	size_t n = fread(bytes, 1, INPUT_MAX, f);
	/* A copy of exactly its size, so that a sanitizer sees the first byte read past the end. */
	uint8_t *exact = malloc(n == 0 ? 1 : n);

	fclose(f);
	if (exact == NULL)
		return 1;
	memcpy(exact, bytes, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

static int replay_folder(const char *folder, uint8_t *bytes, unsigned *count)
{
	DIR *d = opendir(folder);
	int failed = 0;

	if (d == NULL) {
		perror(folder);
		return 1;
	}
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		char path[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		failed |= replay(path, bytes);
		++*count;
	}
	closedir(d);
	return failed;
}

int main(int argc, char **argv)
{
	uint8_t *bytes = malloc(INPUT_MAX);
	unsigned count = 0;
	int failed = bytes == NULL || argc < 2;

	for (int i = 1; i < argc && !failed; i++)
		failed = replay_folder(argv[i], bytes, &count);
	free(bytes);
	printf("%u inputs replayed\n", count);
	return failed || count == 0;
}
