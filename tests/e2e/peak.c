/* peak FILE PROGRAM ARGUMENT...: runs it, writes the most resident memory that it ever had, in KiB, to FILE, and ends as it did. What a large process
 * (a test in Python) starts by itself is credited with the memory of that. */
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	struct rusage used;
	pid_t child;
	int status;
	FILE *out = argc > 2 ? fopen(argv[1], "w") : NULL;

	if (out == NULL || posix_spawn(&child, argv[2], NULL, NULL, argv + 2, environ) != 0 || wait4(child, &status, 0, &used) != child) {
		fputs("usage: peak FILE PROGRAM ARGUMENT...\n", stderr);
		return 2;
	}
	fprintf(out, "%ld\n", used.ru_maxrss);
	return fclose(out) == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
