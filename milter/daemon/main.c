/* breakwaterd: the milter. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "background.h"
#include "daemon.h"
#include "log.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: breakwaterd [-c FILE] [-f] [-k POINT] [-t] [-V]\n"
	"  -c FILE  configuration (default /etc/breakwater/breakwater.conf)\n"
	"  -f       stay in the foreground and log to stderr\n"
	"  -k POINT for tests: be killed when a message that is held gets here (decided, written, marked, quarantined)\n"
	"  -t       check the configuration and exit\n"
	"  -V       print the version and exit\n";

struct options {
	const char *config_path;
	bool foreground, test, fault;
	enum bw_hold_fault fault_at;
};

static enum bw_hold_fault fault_at;

static void die_at(enum bw_hold_fault fault)
{
	if (fault == fault_at)
		raise(SIGKILL);
}

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "c:fk:thV")) != -1) {
		switch (c) {
		case 'c':
			o->config_path = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'k':
			o->fault = true;
			if (bw_hold_fault_parse(bw_slice_of(optarg), &o->fault_at))
				break;
			fprintf(stderr, "breakwaterd: -k %s: no such point\n%s", optarg, usage);
			return EXIT_USAGE;
		case 't':
			o->test = true;
			break;
		case 'V':
			puts("breakwaterd " BW_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "breakwaterd: unexpected argument \"%s\"\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	return -1;
}

static int run(const struct options *o, struct daemon *d)
{
	struct bw_why why;
	int code = EXIT_FAILURE;

	bw_daemon_block_signals();
	int parent = o->foreground ? -1 : bw_background_start();
	bool to_stderr = strcmp(d->config->daemon.log, "stderr") == 0;

	if (!o->foreground && parent < 0) {
		perror("breakwaterd: cannot go to the background");
	} else if (bw_daemon_open(d, &why) != BW_OK) {
		fprintf(stderr, "breakwaterd: %s\n", why.text);
		bw_log_text(BW_SEV_ERROR, "start-failed", why.text);
	} else {
		if (!o->foreground)
			bw_background_ready(parent, to_stderr);
		code = bw_daemon_serve(d);
	}
	bw_daemon_close(d);
	return code;
}

int main(int argc, char **argv)
{
	struct options o = { .config_path = "/etc/breakwater/breakwater.conf" };
	struct daemon d = { 0 };
	struct bw_why why;
	int code = read_options(argc, argv, &o);

	if (code >= 0)
		return code;
	if (bw_config_load(o.config_path, &d.config, &why) != BW_OK) {
		fprintf(stderr, "breakwaterd: %s\n", why.text);
		return EXIT_FAILURE;
	}
	if (o.test) {
		bool good = bw_stores_check(d.config, &why) == BW_OK;

		if (good)
			printf("breakwaterd: %s is good\n", o.config_path);
		else
			fprintf(stderr, "breakwaterd: %s: %s\n", o.config_path, why.text);
		bw_config_free(&d.config);
		return good ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	d.config_path = o.config_path;
	if (o.fault) {
		fault_at = o.fault_at;
		d.at = die_at;
	}
	bw_log_open(o.foreground ? "stderr" : d.config->daemon.log);
	return run(&o, &d);
}
