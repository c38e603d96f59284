/* Postfix tables, whatever their type, as `postmap -s` lists them: "key<TAB>value", one a line. */
#include <stdio.h>
#include <string.h>

#include "child.h"
#include "internal.h"

enum { COMPLAINT_BYTES = 4096, PATH_BYTES = 4096 };

/* Postfix says first what it is, then what is wrong: "postmap: fatal: open database /x.db: No such file or directory". */
static struct bw_slice last_line(struct bw_slice text)
{
	text = bw_slice_trim(text);
	for (size_t i = text.n; i > 0; i--) {
		if (text.p[i - 1] == '\n')
			return bw_slice_from(text, i);
	}
	return text;
}

enum bw_err bw_import_check_postmap(const char *table, struct bw_why *why)
{
	const char *colon = strchr(table, ':');

	if (table[0] == '-' || colon == NULL || colon == table || colon[1] == '\0')
		return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no table, expected TYPE:NAME such as hash:/etc/postfix/virtual", table);
	return BW_OK;
}

/* Cron's PATH has no sbin, so that is tried in any case. */
static enum bw_err run(const struct bw_import_postmap *from, const char *argv[], struct bw_child *child, struct bw_why *why)
{
	static const char *const places[] = { "postmap", "/usr/sbin/postmap", "/usr/local/sbin/postmap" };
	char path[PATH_BYTES];
	enum bw_err err = BW_ERR_NOT_FOUND;

	if (from->commands != NULL) {
		snprintf(path, sizeof(path), "%s/postmap", from->commands);
		argv[0] = path;
		return bw_child_run(child, why);
	}
	for (size_t i = 0; err == BW_ERR_NOT_FOUND && i < sizeof(places) / sizeof(places[0]); i++) {
		argv[0] = places[i];
		err = bw_child_run(child, why);
	}
	return err == BW_ERR_NOT_FOUND ? bw_fail(why, err, "postmap is not found on this host; --postfix-commands says where it is")
	                               : err;
}

enum bw_err bw_import_postmap(struct bw_import *im, const struct bw_import_postmap *from, struct bw_why *why)
{
	const char *argv[8] = { "postmap" };
	size_t n = 1;
	struct bw_buf out, complaint;
	struct bw_child child = { .argv = argv, .deadline_ms = im->rules.deadline_ms, .out = &out, .complaint = &complaint };
	enum bw_err err = bw_import_check_postmap(from->table, why);

	if (err != BW_OK)
		return err;
	if (from->config != NULL) {
		argv[n++] = "-c";
		argv[n++] = from->config;
	}
	argv[n++] = "-s";
	argv[n++] = from->table;
	bw_buf_init(&out, BW_IMPORT_FILE_BYTES_MAX);
	bw_buf_init(&complaint, COMPLAINT_BYTES);
	err = run(from, argv, &child, why);
	if (err == BW_OK && child.status != 0) {
		struct bw_slice line = last_line(bw_buf_slice(&complaint));

		err = bw_fail(why, BW_ERR_IO, "%s: %.*s (exit status %d)", from->table, (int)line.n, line.p, child.status);
	}
	if (err == BW_OK && out.n > 0 && memchr(out.p, '\0', out.n) != NULL)
		err = bw_fail(why, BW_ERR_INPUT, "%s: has bytes of value 0, so it is no table of aliases", from->table);
	if (err == BW_OK)
		err = bw_import_alias_text(im, from->table, bw_buf_slice(&out), why);
	bw_buf_done(&out);
	bw_buf_done(&complaint);
	return err;
}
