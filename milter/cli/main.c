/* breakwaterctl: see breakwaterctl(1). */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "bw/cli.h"

/* https://no-color.org: any value but the empty one. */
static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	if (no_colour != NULL && no_colour[0] != '\0')
		return false;
	return isatty(STDOUT_FILENO) == 1 && terminal != NULL && bw_slice_compare(bw_slice_of(terminal), BW_S("dumb")) != 0;
}

int main(int argc, char **argv)
{
	const struct bw_cli_env env = { .out = stdout, .err = stderr, .colour = wants_colour() };

	signal(SIGPIPE, SIG_IGN); /* `breakwaterctl held release --yes | head` does all it was told */
	return bw_cli_run(&env, argc, argv);
}
