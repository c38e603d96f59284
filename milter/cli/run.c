/* The two ways to run a command line: for a person or a script, and for a scenario. */
#include <poll.h>
#include <string.h>

#include "output.h"
#include "work.h"

/* Whoever read has seen enough, as in `breakwaterctl events | head -1`. Asked of the pipe: errno is of some earlier write. */
static bool reader_left(FILE *out)
{
	struct pollfd p = { .fd = fileno(out), .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

/* A stream that could not be written is a failure of its own: a script must not take half a listing for a whole one. */
static enum bw_cli_exit check_output(struct cli *c, enum bw_cli_exit code)
{
	if (fflush(c->env->out) == 0 && !ferror(c->env->out))
		return code;
	if (reader_left(c->env->out))
		return code;
	return bw_cli_fail(c, BW_CLI_NO, "the output could not be written");
}

static void complain(const struct cli *c)
{
	struct bw_buf clean;

	bw_buf_init(&clean, 4 * sizeof(c->why.text));
	bw_cli_neutralise(&clean, bw_slice_of(c->why.text));
	fprintf(c->env->err, "breakwaterctl: %s\n", bw_buf_text(&clean));
	bw_buf_done(&clean);
}

int bw_cli_run(const struct bw_cli_env *env, int argc, char **argv)
{
	struct cli c = { .env = env };
	enum bw_cli_exit code = bw_cli_parse(&c, argc > 0 ? argc - 1 : 0, argv + 1);

	if (code == BW_CLI_DONE) {
		bw_mail_init();
		code = bw_cli_open(&c);
		if (code == BW_CLI_DONE)
			code = c.command->run(&c);
		bw_cli_close(&c);
	}
	code = check_output(&c, code);
	if (code != BW_CLI_DONE && c.why.text[0] != '\0')
		complain(&c);
	return (int)code;
}

static enum bw_err error_of(enum bw_cli_exit code)
{
	switch (code) {
	case BW_CLI_DONE:
		return BW_OK;
	case BW_CLI_NO:
		return BW_ERR_NOT_FOUND;
	case BW_CLI_USAGE:
		return BW_ERR_INPUT;
	case BW_CLI_REFUSED:
		return BW_ERR_CONFLICT;
	case BW_CLI_UNREACHABLE:
		return BW_ERR_STORE;
	case BW_CLI_NOT_PERMITTED:
		return BW_ERR_PERMISSION;
	}
	return BW_ERR_INPUT;
}

enum bw_err bw_cli_operator(const struct bw_world *world, struct bw_store *store, int argc, char **argv, int64_t now_ms,
                            struct bw_why *why)
{
	const struct bw_cli_env env = { .out = stdout, .err = stderr, .now_ms = now_ms, .owner = "scenario", .host = "scenario" };
	struct cli c = { .env = &env, .store = store, .world = world, .now_ms = now_ms, .in_scenario = true };
	enum bw_cli_exit code = bw_cli_parse(&c, argc, argv);

	if (code == BW_CLI_DONE && !c.command->in_scenario)
		code = bw_cli_fail(&c, BW_CLI_USAGE, "%s: changes nothing, so it has no place in a scenario", c.command->name);
	if (code == BW_CLI_DONE) {
		bw_slice_copy(bw_slice_of(env.owner), c.owner, sizeof(c.owner));
		bw_slice_copy(bw_slice_of(env.host), c.host, sizeof(c.host));
		code = c.command->run(&c);
	}
	return code == BW_CLI_DONE ? BW_OK : bw_fail(why, error_of(code), "%s", c.why.text);
}
