/* loadgen: loads a milter as Postfix would, and prints one line of JSON.
 *
 * DIAGNOSTICS: exit 0: measured. 1: the milter was not reached, broke the protocol, hung up or was too slow; the sentence
 * on stderr says which. 2: usage.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bw/parse.h"
#include "load.h"

enum { EXIT_USAGE = 2 };

struct settings {
	struct bw_plan plan;
	struct bw_load_options load;
	bool linger;
};

/* --- options: a row each --- */

enum kind { TEXT, COUNT, DURATION, FLAG, PID };

struct option_row {
	const char *name;
	enum kind kind;
	size_t at; /* in struct settings */
	int64_t min, max;
	const char *help;
};

#define LOAD(member) offsetof(struct settings, load.member)
#define PLAN(member) offsetof(struct settings, plan.member)

static const struct option_row rows[] = {
	{ "socket", TEXT, LOAD(socket), 0, 0, "unix:PATH or inet:PORT@ADDRESS of the milter" },
	{ "connections", COUNT, LOAD(connections), 0, BW_LOAD_CONNECTIONS_MAX, "connections that send (1)" },
	{ "messages", COUNT, LOAD(messages), 0, 1000000000, "messages of each connection; 0: until --measure is over (0)" },
	{ "idle", COUNT, LOAD(idle), 0, BW_LOAD_CONNECTIONS_MAX, "idle connections beside them (0)" },
	{ "idle-messages", COUNT, LOAD(idle_messages), 0, 1000, "messages of each idle connection before it rests (0)" },
	{ "rate", COUNT, LOAD(rate), 0, 1000000, "messages a second in all; 0: as fast as answers come (0)" },
	{ "warmup", DURATION, LOAD(warmup_ms), 0, 600000, "not measured, first (200ms)" },
	{ "measure", DURATION, LOAD(measure_ms), 1, 600000, "measured (1s)" },
	{ "limit", DURATION, LOAD(limit_ms), 1, 3600000, "everything has to be over by then (60s)" },
	{ "pid", PID, 0, 1, INT32_MAX, "a process whose CPU time is measured; up to 8 times" },
	{ "client", TEXT, PLAN(client), 0, 0, "the SMTP client's IPv4 address (192.0.2.10)" },
	{ "from", TEXT, PLAN(from), 0, 0, "sender, '#' is its number (sender#@nhs.example)" },
	{ "senders", COUNT, PLAN(senders), 1, INT64_C(1000000000), "different senders (1000)" },
	{ "to", TEXT, PLAN(to), 0, 0, "recipient, '#' is its number (user#@nhs.example)" },
	{ "spread", COUNT, PLAN(spread), 1, INT64_C(1000000000), "different recipients (1000000)" },
	{ "rcpts", COUNT, PLAN(rcpts), 1, 10000000, "recipients of each message (1)" },
	{ "thread", TEXT, PLAN(thread), 0, 0, "replies to the message with this id instead of new posts" },
	{ "message-id", TEXT, PLAN(message_id), 0, 0, "the id of every message (one for each)" },
	{ "tag", TEXT, PLAN(tag), 0, 0, "tells this run's message ids from others' (process id)" },
	{ "auth", FLAG, PLAN(auth), 0, 0, "senders have logged in" },
	{ "body", COUNT, PLAN(body_bytes), 0, BW_LETTER_BODY_MAX, "bytes of body (2048)" },
	{ "linger", FLAG, offsetof(struct settings, linger), 0, 0, "keep all connections open until stdin ends" },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void print_usage(FILE *to)
{
	fputs("usage: loadgen --socket NAME [OPTION ...]\n", to);
	for (size_t i = 0; i < ROWS; i++)
		fprintf(to, "  --%-14s %s\n", rows[i].name, rows[i].help);
}

static bool read_number(const struct option_row *row, const char *text, int64_t *out)
{
	struct bw_slice s = bw_slice_of(text);
	int64_t value;

	if (row->kind == DURATION ? !bw_parse_duration_ms(s, &value) : !bw_parse_int(s, &value))
		return false;
	if (value < row->min || value > row->max)
		return false;
	*out = value;
	return true;
}

static bool read_pid(struct settings *s, const struct option_row *row, const char *text)
{
	int64_t pid;

	if (s->load.pid_count == BW_LOAD_PIDS || !read_number(row, text, &pid))
		return false;
	s->load.pids[s->load.pid_count++] = (int)pid;
	return true;
}

static bool read_option(struct settings *s, const struct option_row *row, const char *text)
{
	char *at = (char *)s + row->at;

	switch (row->kind) {
	case TEXT:
		memcpy(at, &text, sizeof(text));
		return true;
	case FLAG:
		*(bool *)at = true;
		return true;
	case PID:
		return read_pid(s, row, text);
	case COUNT:
	case DURATION:
		break;
	}
	return read_number(row, text, (int64_t *)(void *)at);
}

/* 0: go on; else an exit code. */
static int read_options(int argc, char **argv, struct settings *s)
{
	struct option longs[ROWS + 1] = { { 0 } };
	int c, at;

	for (size_t i = 0; i < ROWS; i++)
		longs[i] = (struct option){ rows[i].name, rows[i].kind == FLAG ? no_argument : required_argument, NULL, 1 };
	while ((c = getopt_long(argc, argv, "", longs, &at)) != -1) {
		if (c != 1) {
			print_usage(stderr);
			return EXIT_USAGE;
		}
		if (!read_option(s, &rows[at], optarg)) {
			fprintf(stderr, "loadgen: --%s %s: a value from %" PRId64 " to %" PRId64 "%s is expected\n", rows[at].name, optarg,
			        rows[at].min, rows[at].max, rows[at].kind == DURATION ? " ms (\"200ms\", \"2s\")" : "");
			return EXIT_USAGE;
		}
	}
	if (optind < argc || s->load.socket == NULL) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	return 0;
}

/* --- the result --- */

static const char *const verdict_names[BW_MTA_VERDICT_COUNT] = {
	[BW_MTA_ACCEPT] = "accept", [BW_MTA_HOLD] = "hold",       [BW_MTA_THROTTLE] = "throttle",
	[BW_MTA_REJECT] = "reject", [BW_MTA_DISCARD] = "discard",
};

static double us(int64_t ns)
{
	return (double)ns / 1000;
}

static void print_result(const struct bw_load_result *r)
{
	double seconds = (double)r->measured_ns / 1e9;
	double messages = (double)r->samples.total;

	printf("{\"messages\": %.0f, \"seconds\": %.3f, \"rate\": %.1f", messages, seconds, seconds > 0 ? messages / seconds : 0);
	printf(", \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f", us(bw_samples_at(&r->samples, 500)),
	       us(bw_samples_at(&r->samples, 990)), us(bw_samples_at(&r->samples, 1000)));
	printf(", \"cpu_us\": %.1f, \"cpu_us_per_message\": %.2f", us(r->cpu_ns), messages > 0 ? us(r->cpu_ns) / messages : 0);
	printf(", \"idle\": %" PRId64 ", \"connect_ms\": %.1f, \"steps\": \"0x%06" PRIx32 "\"", r->idle, us(r->connect_ns) / 1000,
	       r->steps);
	for (int i = 0; i < BW_MTA_VERDICT_COUNT; i++)
		printf(", \"%s\": %" PRId64, verdict_names[i], r->by_verdict[i]);
	puts("}");
	fflush(stdout);
}

static void wait_for_end_of_input(void)
{
	char bytes[64];

	while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
		continue;
}

/* 2,000 connections are more than the usual soft limit. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct settings *s)
{
	struct bw_load *load = NULL;
	struct bw_load_result result;
	struct bw_why why = { "" };
	enum bw_err err = bw_load_run(&s->plan, &s->load, &load, &result, &why);

	if (err == BW_OK)
		print_result(&result);
	else
		fprintf(stderr, "loadgen: %s: %s\n", s->load.socket, why.text);
	if (err == BW_OK && s->linger)
		wait_for_end_of_input();
	bw_load_free(&load);
	bw_load_result_done(&result);
	return err == BW_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	char tag[32];
	struct settings s = {
		.plan = { .client = "192.0.2.10",
		          .from = "sender#@nhs.example",
		          .to = "user#@nhs.example",
		          .senders = 1000,
		          .spread = 1000000,
		          .rcpts = 1,
		          .tag = tag,
		          .body_bytes = 2048 },
		.load = { .connections = 1, .warmup_ms = 200, .measure_ms = 1000, .limit_ms = 60000 },
	};

	snprintf(tag, sizeof(tag), "%ld", (long)getpid());
	int code = read_options(argc, argv, &s);

	if (code != 0)
		return code;
	raise_file_limit();
	return run(&s);
}
