/* bypass: this host lets everything pass, by a local file, when nothing else works. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "status.h"

enum { PATH_BYTES = 4096 };

/* The file's one number: the end of the bypass in seconds since 1970, as breakwaterd reads it; 0 for none. */
static int64_t read_end_ms(const char *path)
{
	char text[32] = "";
	int64_t seconds = 0;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) == NULL || !bw_parse_int(bw_slice_trim(bw_slice_of(text)), &seconds) || seconds < 0 ||
	    seconds > INT64_MAX / BW_SECOND_MS)
		seconds = 0;
	fclose(file);
	return seconds * BW_SECOND_MS;
}

/* breakwaterd compares the file with its host's clock, and c->now_ms is the store's once the store is open: it does not follow a
 * clock that is set back. */
static int64_t wall_ms(const struct cli *c)
{
	return c->env->now_ms != 0 ? c->env->now_ms : bw_clock_now_ms();
}

int64_t bw_cli_bypass_end_ms(const struct cli *c)
{
	const char *path = bw_cli_config(c)->daemon.bypass_file;
	int64_t end_ms = path == NULL || path[0] == '\0' ? 0 : read_end_ms(path);

	return end_ms > wall_ms(c) ? end_ms : 0;
}

/* The file is what counts; history is written when the store happens to work and the configuration says which one it is. */
static void note_bypass(struct cli *c, const char *what)
{
	if (bw_cli_try_store(c))
		(void)bw_cli_event(c, BW_EVENT_OPERATOR, BW_S(""), BW_S(""), "bypass on %s: %s", c->host, what);
}

static enum bw_cli_exit file_error(struct cli *c, const char *path, const char *what)
{
	enum bw_cli_exit code = errno == EACCES || errno == EPERM ? BW_CLI_NOT_PERMITTED : BW_CLI_NO;

	return bw_cli_fail(c, code, "%s: %s: %s", path, what, strerror(errno));
}

/* Whole or not at all: the daemon may read at any moment. */
static enum bw_cli_exit write_end(struct cli *c, const char *path, int64_t end_ms)
{
	char temporary[PATH_BYTES], text[32];
	int n = snprintf(text, sizeof(text), "%lld\n", (long long)(end_ms / BW_SECOND_MS));

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return bw_cli_fail(c, BW_CLI_NO, "%.100s...: this path is too long", path);
	/* O_EXCL and no following of links: the directory may belong to the daemon's user, and this runs as root. */
	(void)unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return file_error(c, temporary, "cannot be made");
	bool written = write(fd, text, (size_t)n) == n && fchmod(fd, 0644) == 0 && fsync(fd) == 0;

	close(fd);
	if (written && rename(temporary, path) == 0)
		return BW_CLI_DONE;
	enum bw_cli_exit code = file_error(c, path, "cannot be written");

	unlink(temporary);
	return code;
}

static void print_bypass(struct cli *c, int64_t end_ms)
{
	struct bw_buf until;
	int64_t now_ms = wall_ms(c);
	json_t *o;

	if (c->args.json) {
		o = json_object();
		bw_cli_put_text(o, "host", c->host);
		bw_cli_put_bool(o, "bypass", end_ms > now_ms);
		bw_cli_put_time(o, "until", end_ms > now_ms ? end_ms : 0);
		bw_cli_json(c, o);
		return;
	}
	bw_buf_init(&until, 60);
	bw_cli_until(&until, now_ms, end_ms);
	if (end_ms > now_ms)
		bw_cli_say(c, STYLE_BAD, "bypass on %s: everything passes, nothing is counted, until %s", c->host, bw_buf_text(&until));
	else
		bw_cli_say(c, STYLE_GOOD, "no bypass on %s: messages are judged", c->host);
	bw_buf_done(&until);
}

static enum bw_cli_exit end_bypass(struct cli *c, const char *path, bool may_note)
{
	bool was = unlink(path) == 0;

	if (!was && errno != ENOENT)
		return file_error(c, path, "cannot be removed");
	if (was && may_note)
		note_bypass(c, "ended");
	print_bypass(c, 0);
	return BW_CLI_DONE;
}

static enum bw_cli_exit start_bypass(struct cli *c, const char *path, bool may_note)
{
	int64_t end_ms = wall_ms(c) + c->args.for_ms;
	struct bw_buf what;

	if (c->args.for_ms > BW_DAY_MS && !c->args.force)
		return bw_cli_fail(
			c, BW_CLI_REFUSED,
			"bypass: a host without protection for more than a day; `mode shadow` at least counts. --force does it");
	enum bw_cli_exit code = write_end(c, path, end_ms);

	if (code != BW_CLI_DONE)
		return code;
	bw_buf_init(&what, 80);
	bw_buf_add_text(&what, "everything passes until ");
	bw_clock_format(&what, end_ms);
	if (may_note)
		note_bypass(c, bw_buf_text(&what));
	bw_buf_done(&what);
	print_bypass(c, end_ms);
	return BW_CLI_DONE;
}

/* The last resort does not depend on a file that somebody is just editing. One that may not be read is cured by sudo. */
static enum bw_cli_exit find_config(struct cli *c, bool *guessed)
{
	enum bw_cli_exit code = bw_cli_read_config(c);
	struct bw_why why = c->why;
	struct bw_buf clean;

	*guessed = false;
	if (code == BW_CLI_DONE || code == BW_CLI_NOT_PERMITTED)
		return code;
	code = bw_cli_default_config(c);
	if (code != BW_CLI_DONE)
		return code;
	*guessed = true;
	bw_buf_init(&clean, 4 * sizeof(why.text));
	bw_cli_neutralise(&clean, bw_slice_of(why.text));
	fprintf(c->env->err, "breakwaterctl: warning: %s; daemon.bypass_file is taken to be %s, the default\n", bw_buf_text(&clean),
	        c->config->daemon.bypass_file);
	bw_buf_done(&clean);
	return BW_CLI_DONE;
}

static enum bw_cli_exit run_bypass(struct cli *c)
{
	bool guessed;
	enum bw_cli_exit code = find_config(c, &guessed);

	if (code != BW_CLI_DONE)
		return code;
	const char *path = c->config->daemon.bypass_file;

	if (path == NULL || path[0] == '\0')
		return bw_cli_fail(c, BW_CLI_NO, "daemon.bypass_file is empty in the configuration, so there is no bypass on this host");
	if (c->args.off && c->args.for_ms > 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "bypass: --for and --off contradict each other");
	if (c->args.off)
		return end_bypass(c, path, !guessed);
	if (c->args.for_ms > 0)
		return start_bypass(c, path, !guessed);
	print_bypass(c, read_end_ms(path));
	return BW_CLI_DONE;
}

const struct command bw_cli_family_bypass[] = {
	{ "bypass", "", 0, 0, OPT(FOR) | OPT(OFF) | OPT(FORCE), NEED_NOTHING, false, run_bypass,
	  "let everything pass on this host, by a local file, for as long as --for says\n"
	  "For when nothing else works: it needs neither the store nor a running daemon's help, and with a "
	  "configuration that is broken or missing it writes the default daemon.bypass_file and warns. Without an option it shows "
	  "whether a "
	  "bypass "
	  "is on. More than a day is refused with exit code 3; --force lifts that." },
	{ .name = NULL },
};
