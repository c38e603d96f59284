/* null-milter: a milter on libmilter that decides nothing: what the protocol alone costs.
 *
 *   null-milter all SOCKET            takes every step and answers it
 *   null-milter lean SOCKET           no HELO and no body, answers at end of message only: the yardstick of all ratios
 *   null-milter lean+1 SOCKET REDIS   the same, with one EVALSHA at end of message: the yardstick of a shared store
 *
 * DIAGNOSTICS: exit 0: stopped by SIGTERM. 1: the socket or Redis cannot be had; the sentence on stderr says which. 2: usage.
 */
#include <libmilter/mfapi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis-pipe.h"

enum { EXIT_USAGE = 2 };

static const unsigned long lean_steps = SMFIP_NOHELO | SMFIP_NOBODY | SMFIP_NOUNKNOWN | SMFIP_NR_CONN | SMFIP_NR_MAIL |
                                        SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH;
static unsigned long wanted_steps;
static _Atomic unsigned long steps; /* negotiated last: all connections come from one MTA */
static struct bw_redis_pipe *redis;

static sfsistat go_on(unsigned long silent_step)
{
	return (atomic_load_explicit(&steps, memory_order_relaxed) & silent_step) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps, unsigned long f2,
                             unsigned long f3, unsigned long *actions, unsigned long *wanted, unsigned long *pf2,
                             unsigned long *pf3)
{
	(void)ctx;
	(void)f2;
	(void)f3;
	*actions = offered_actions & (SMFIF_ADDHDRS | SMFIF_QUARANTINE);
	*wanted = offered_steps & wanted_steps;
	*pf2 = *pf3 = 0;
	atomic_store(&steps, *wanted);
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)ctx;
	(void)host;
	(void)address;
	return go_on(SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx;
	(void)name;
	return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	(void)ctx;
	(void)argv;
	return go_on(SMFIP_NR_MAIL);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	(void)ctx;
	(void)argv;
	return go_on(SMFIP_NR_RCPT);
}

static sfsistat on_data(SMFICTX *ctx)
{
	(void)ctx;
	return go_on(SMFIP_NR_DATA);
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
	(void)ctx;
	(void)command;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return go_on(SMFIP_NR_HDR);
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
	(void)ctx;
	return go_on(SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t n)
{
	(void)ctx;
	(void)bytes;
	(void)n;
	return SMFIS_CONTINUE;
}

static sfsistat on_end(SMFICTX *ctx)
{
	int64_t numbers[BW_REDIS_PIPE_NUMBERS];

	(void)ctx;
	if (redis == NULL || bw_redis_pipe_call(redis, "bench:{all-staff@nhs.example}", numbers))
		return SMFIS_CONTINUE;
	return SMFIS_TEMPFAIL; /* shows in the load generator's verdicts */
}

static int serve(const char *socket)
{
	struct smfiDesc description = {
		.xxfi_name = (char *)(uintptr_t) "null-milter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_QUARANTINE,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_end_of_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_end,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	if (smfi_register(description) != MI_SUCCESS || smfi_setconn((char *)(uintptr_t)socket) != MI_SUCCESS ||
	    smfi_opensocket(true) != MI_SUCCESS) {
		fprintf(stderr, "null-milter: cannot listen on %s\n", socket);
		return EXIT_FAILURE;
	}
	return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	bool with_redis = strcmp(mode, "lean+1") == 0, lean = with_redis || strcmp(mode, "lean") == 0;
	struct bw_why why;

	if (argc != (with_redis ? 4 : 3) || (!lean && strcmp(mode, "all") != 0)) {
		fputs("usage: null-milter all SOCKET | lean SOCKET | lean+1 SOCKET REDIS-SOCKET\n", stderr);
		return EXIT_USAGE;
	}
	wanted_steps = lean ? lean_steps : 0;
	if (with_redis && bw_redis_pipe_open(argv[3], &redis, &why) != BW_OK) {
		fprintf(stderr, "null-milter: %s\n", why.text);
		return EXIT_FAILURE;
	}
	return serve(argv[2]);
}
