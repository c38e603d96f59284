/* cli.h: breakwaterctl as a library: one table of commands, run for a person, a script, a test or a scenario.
 *
 * Layer:     cli, on engine (worlds), store, config, directory, policy's advance and simulate.
 * Threads:   one command at a time in a process.
 * Time:      given by the caller, or the store's clock.
 * Fails:     one sentence and an exit code (enum bw_cli_exit); what was not done leaves no trace.
 */
#ifndef BW_CLI_H
#define BW_CLI_H

#include <stdio.h>

#include "bw/engine.h"

enum bw_cli_exit {
	BW_CLI_DONE = 0,
	BW_CLI_NO = 1,           /* answered no, not found, falls short */
	BW_CLI_USAGE = 2,        /* the command line, a setting's name or value, the configuration */
	BW_CLI_REFUSED = 3,      /* a safety rule; the sentence says which flag lifts it */
	BW_CLI_UNREACHABLE = 69, /* the store */
	BW_CLI_NOT_PERMITTED = 77
};

/* Where a command line runs. */
struct bw_cli_env {
	FILE *out, *err;
	bool colour;       /* `out` is a terminal that wants colour */
	int64_t now_ms;    /* virtual time; 0: the store's clock */
	int64_t ack_ms;    /* the longest wait for daemons to acknowledge a change; 0: 5 s */
	const char *owner; /* who asks; NULL: SUDO_USER, else the login name */
	const char *host;  /* this host's name; NULL: the configuration's, else the system's */
};

/* Runs a whole command line (argv[0] is the program); the exit code. Prints a failure once, to env->err. */
int bw_cli_run(const struct bw_cli_env *env, int argc, char **argv);

/* Runs one command that changes state ("set", "list stop", ...) on `store` at the virtual time `now_ms`, as simulate's
 * `at TIME operator ...` does: argv[0] is the command's first word, nothing is printed, no daemon is waited for. `world`:
 * what is in force before it; the caller loads a new one afterwards. BW_ERR_INPUT for anything else than such a command and
 * for wrong arguments, BW_ERR_NOT_FOUND (answered no), BW_ERR_CONFLICT (refused by a safety rule), BW_ERR_STORE. */
enum bw_err bw_cli_operator(const struct bw_world *world, struct bw_store *store, int argc, char **argv, int64_t now_ms,
                            struct bw_why *why);

#endif
