/* list import aliases / postmap / mailman / ldap / csv: lists and their sizes from where a site keeps them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "breakers.h"
#include "bw/agent.h"
#include "bw/clock.h"
#include "bw/parse.h"
#include "list-import.h"

#define TIMEOUT_MS BW_MINUTE_MS

enum {
	ORIGIN_BYTES_MAX = 500,
	SURPRISES_NAMED = 100, /* events of their own; beyond that the import's event has to do */
	PRUNED_AT_ONCE = 10,   /* more than this and more than half of an import's lists: its source is rather broken than empty */
};

/* One kind of source. */
struct importer {
	const char *kind;
	enum bw_err (*check)(const char *word, struct bw_why *why); /* does the word name such a source? NULL: any file */
	enum bw_err (*read)(struct cli *c, struct bw_import *im, struct bw_why *why);
};

/* --- what the sources do not know --- */

static bool normalise(void *ctx, struct bw_slice raw, char out[BW_IMPORT_ADDRESS_BYTES])
{
	struct cli *c = ctx;
	struct bw_address address;

	static_assert(BW_ADDRESS_MAX <= BW_IMPORT_ADDRESS_BYTES, "every normalised address fits");
	if (!bw_address_normalise(raw, bw_cli_config(c)->internal.detail, &address))
		return false;
	struct bw_slice text = bw_slice_of(address.text), domain = bw_address_domain(text);

	bw_slice_copy(text, out, BW_IMPORT_ADDRESS_BYTES);
	return domain.n > 0 && text.n > domain.n + 1;
}

static bool identify(void *ctx, struct bw_slice raw, struct bw_buf *out)
{
	struct cli *c = ctx;
	size_t before = out->n;

	if (bw_slice_starts_nocase(raw, BW_S("outside:")))
		return false;
	bw_config_identity(bw_cli_config(c), raw, out);
	return out->n > before;
}

static struct bw_import_rules rules_of(struct cli *c, const char *domains[BW_IMPORT_DOMAINS_MAX])
{
	const struct bw_config *config = bw_cli_config(c);
	struct bw_import_rules rules = {
		.normalise = normalise,
		.identify = identify,
		.ctx = c,
		.domains = domains,
		.deadline_ms = bw_clock_monotonic_ms() + (c->args.timeout_ms > 0 ? c->args.timeout_ms : TIMEOUT_MS),
	};

	for (size_t i = 0; i < c->args.text_count && i < BW_IMPORT_DOMAINS_MAX; i++)
		domains[rules.domain_count++] = c->args.texts[i];
	if (rules.domain_count == 0 && config->internal.domain_count > 0)
		domains[rules.domain_count++] = config->internal.domains[0];
	return rules;
}

/* --- sources --- */

static enum bw_err read_aliases(struct cli *c, struct bw_import *im, struct bw_why *why)
{
	return bw_import_aliases(im, c->words, (size_t)c->word_count, why);
}

static enum bw_err read_postmap(struct cli *c, struct bw_import *im, struct bw_why *why)
{
	const struct bw_import_postmap from = { .table = c->words[0],
		                                    .commands = c->args.postfix_commands,
		                                    .config = c->args.postfix_config };

	return bw_import_postmap(im, &from, why);
}

static struct bw_import_login login_of(const struct cli *c)
{
	return (struct bw_import_login){ .user = c->args.user, .password_file = c->args.password_file, .ca_file = c->args.ca_file };
}

static enum bw_err read_mailman(struct cli *c, struct bw_import *im, struct bw_why *why)
{
	const struct bw_import_login login = login_of(c);

	return bw_import_mailman(im, c->words[0], &login, why);
}

static enum bw_err read_ldap(struct cli *c, struct bw_import *im, struct bw_why *why)
{
	const struct bw_import_login login = login_of(c);

	return bw_import_ldap(im, c->words[0], &login, c->args.start_tls, why);
}

static enum bw_err read_csv(struct cli *c, struct bw_import *im, struct bw_why *why)
{
	return bw_import_csv(im, c->words[0], why);
}

/* --- its name --- */

/* "aliases /etc/aliases": the same file by the same name, from wherever the command is run. */
static enum bw_cli_exit name_origin(struct cli *c, const struct importer *importer, struct bw_buf *out)
{
	struct bw_slice given = bw_slice_trim(bw_slice_of(c->args.origin));

	if (c->args.origin != NULL && given.n == 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "--origin: a name is missing");
	bw_buf_add(out, given);
	if (given.n == 0)
		bw_buf_add_text(out, importer->kind);
	for (int i = 0; given.n == 0 && i < c->word_count; i++) {
		char *path = importer->check == NULL ? realpath(c->words[i], NULL) : NULL;
		struct bw_slice word = bw_slice_of(path != NULL ? path : c->words[i]);

		while (importer->check != NULL && word.n > 0 && word.p[word.n - 1] == '/')
			word.n--;
		bw_buf_printf(out, " %.*s", (int)word.n, word.p);
		free(path);
	}
	if (out->cut)
		return bw_cli_fail(c, BW_CLI_USAGE, "this import's name is longer than %d bytes; --origin NAME gives it a shorter one",
		                   ORIGIN_BYTES_MAX);
	return BW_CLI_DONE;
}

static enum bw_cli_exit check_words(struct cli *c, const struct importer *importer)
{
	if (importer->check != NULL && importer->check(c->words[0], &c->why) != BW_OK)
		return BW_CLI_USAGE;
	if (c->args.user != NULL && c->args.password_file == NULL)
		return bw_cli_fail(c, BW_CLI_USAGE,
		                   "--user without --password-file: a password on the command line would be seen by everybody");
	if (c->args.user == NULL && c->args.password_file != NULL)
		return bw_cli_fail(c, BW_CLI_USAGE, "--password-file without --user: whose password is it?");
	return BW_CLI_DONE;
}

/* A source that is not what it should be is no wrong command line, and no store that is away. */
static enum bw_cli_exit source_failed(enum bw_err err)
{
	return err == BW_OK ? BW_CLI_DONE : err == BW_ERR_PERMISSION ? BW_CLI_NOT_PERMITTED : BW_CLI_NO;
}

/* --- what the directory says --- */

struct rows {
	struct cli *c;
};

/* The store's rows, and the lists of the configuration file as if they were rows. */
static enum bw_err each_row(void *ctx, bool (*take)(void *taker, const struct bw_list_row *row), void *taker, struct bw_why *why)
{
	struct cli *c = ((struct rows *)ctx)->c;
	const struct bw_config *config = bw_cli_config(c);
	bool goes_on = true;

	for (size_t i = 0; goes_on && i < config->list_count; i++) {
		const struct bw_list_row row = { .address = config->lists[i].address,
			                             .size = config->lists[i].size,
			                             .source = BW_SOURCE_CONFIG };

		goes_on = take(taker, &row);
	}
	return goes_on ? c->store->ops->list_each(c->store, 0, take, taker, why) : BW_OK;
}

/* --- writing --- */

/* Without its entry an open breaker guards nothing: the storm would go on as ordinary mail. */
static enum bw_cli_exit check_breakers(struct cli *c, const struct bw_import_plan *plan)
{
	struct breakers breakers = { 0 };
	enum bw_cli_exit code = bw_cli_breakers(c, BW_S(""), false, &breakers);

	for (size_t i = 0; code == BW_CLI_DONE && i < plan->row_count; i++) {
		for (size_t k = 0; code == BW_CLI_DONE && plan->rows[i].removed && k < breakers.count; k++) {
			if (bw_cli_breaker_stops(&breakers.at[k]) && bw_slice_equal(breakers.at[k].key.list, plan->rows[i].address))
				code =
					bw_cli_fail(c, BW_CLI_REFUSED,
				                "%.*s is gone, but a breaker of it is open, and without the list it would stop nothing; --force "
				                "removes it all the same. Nothing was written",
				                (int)plan->rows[i].address.n, plan->rows[i].address.p);
		}
	}
	bw_cli_breakers_done(&breakers);
	return code;
}

static enum bw_cli_exit check_pruning(struct cli *c, const struct bw_import_plan *plan)
{
	size_t gone = plan->counts[BW_IMPORT_GONE];

	if (!c->args.prune || c->args.force || gone == 0)
		return BW_CLI_DONE;
	if (gone > PRUNED_AT_ONCE && gone > plan->known / 2)
		return bw_cli_fail(
			c, BW_CLI_REFUSED,
			"%zu of the %zu lists that this import brought are gone: is the source whole? --force removes them all the "
			"same. Nothing was written",
			gone, plan->known);
	return check_breakers(c, plan);
}

static void say_surprise(struct cli *c, const struct found *f, const struct bw_import_step *step)
{
	struct bw_buf text;

	bw_buf_init(&text, ORIGIN_BYTES_MAX);
	bw_print_count(&text, step->now);
	bw_buf_printf(&text, " member%s", step->now == 1 ? "" : "s");
	if (step->was > 0) {
		bw_buf_add_text(&text, ", was ");
		bw_print_count(&text, step->was);
	}
	bw_cli_event(c, BW_EVENT_DIRECTORY, step->address, BW_S(""), "%.*s unconfirmed, its next post is held: %s (import of %.*s)",
	             (int)step->address.n, step->address.p, bw_buf_text(&text), (int)f->origin.n, f->origin.p);
	bw_buf_done(&text);
}

/* One event for the import, and one for each list that will hold mail because of it. */
static enum bw_cli_exit note_events(struct cli *c, const struct found *f)
{
	struct bw_buf counts;
	size_t named = 0;

	bw_buf_init(&counts, ORIGIN_BYTES_MAX);
	bw_cli_import_counts(&counts, f->plan);
	enum bw_cli_exit code = bw_cli_event(c, BW_EVENT_DIRECTORY, BW_S(""), BW_S(""), "import of %.*s: %s", (int)f->origin.n,
	                                     f->origin.p, bw_buf_text(&counts));

	for (size_t i = 0; code == BW_CLI_DONE && i < f->plan->step_count && named < SURPRISES_NAMED; i++) {
		if (!f->plan->steps[i].surprise || f->plan->steps[i].covered != BW_SOURCE_IMPORT)
			continue;
		say_surprise(c, f, &f->plan->steps[i]);
		named++;
	}
	bw_buf_done(&counts);
	return code;
}

static enum bw_cli_exit apply(struct cli *c, struct found *f, struct bw_import_plan *plan, int64_t *version)
{
	enum bw_cli_exit code = check_pruning(c, plan);

	if (code != BW_CLI_DONE || plan->row_count == 0) {
		f->applied = code == BW_CLI_DONE;
		return code;
	}
	plan->rows[0].changed_ms = c->now_ms;
	code = bw_cli_fail_err(c->store->ops->list_put_many(c->store, plan->rows, plan->row_count, version, &c->why));
	f->applied = code == BW_CLI_DONE;
	return code == BW_CLI_DONE ? note_events(c, f) : code;
}

/* --- one run --- */

static enum bw_cli_exit finish(struct cli *c, const struct found *f, int64_t version)
{
	json_t *json = c->args.json ? bw_cli_import_json(c, f) : NULL;
	enum bw_cli_exit code = BW_CLI_DONE;

	if (!c->args.apply)
		bw_cli_say(c, STYLE_HEAD,
		           f->plan->row_count > 0 ? "nothing was written; --apply writes it" : "there is nothing to write");
	else if (f->applied && f->plan->row_count == 0)
		bw_cli_say(c, STYLE_GOOD, "there was nothing to write");
	else if (f->applied)
		bw_cli_say(c, STYLE_GOOD, "written: %zu list%s", f->plan->row_count, f->plan->row_count == 1 ? "" : "s");
	if (version > 0)
		code = bw_cli_await(c, VERSION_DIRECTORY, version, json);
	if (json != NULL)
		bw_cli_json(c, json);
	return code;
}

static enum bw_cli_exit compare(struct cli *c, const struct bw_import *im, struct bw_slice origin)
{
	const struct bw_tier_bounds *tiers = &bw_cli_config(c)->tiers;
	const struct bw_import_limits limits = {
		.huge = tiers->from[BW_TIER_HUGE], .medium = tiers->from[BW_TIER_MEDIUM], .prune = c->args.prune, .force = c->args.force
	};
	struct rows rows = { c };
	const struct bw_import_rows each = { each_row, &rows };
	struct bw_import_plan plan;
	struct found found = { .import = im, .plan = &plan, .origin = origin };
	int64_t version = 0;
	enum bw_cli_exit code = bw_cli_fail_err(bw_import_plan(im, origin, &limits, &each, &plan, &c->why));

	if (code != BW_CLI_DONE)
		return code;
	if (!c->args.json)
		bw_cli_import_text(c, &found);
	if (c->args.apply)
		code = apply(c, &found, &plan, &version);
	enum bw_cli_exit told = code == BW_CLI_DONE || found.applied ? finish(c, &found, version) : code;

	bw_import_plan_done(&plan);
	return code == BW_CLI_DONE ? told : code;
}

static enum bw_cli_exit run_import(struct cli *c, const struct importer *importer)
{
	const char *domains[BW_IMPORT_DOMAINS_MAX];
	const struct bw_import_rules rules = rules_of(c, domains);
	struct bw_import *im = NULL;
	struct bw_buf origin;
	enum bw_cli_exit code = check_words(c, importer);

	bw_buf_init(&origin, ORIGIN_BYTES_MAX);
	if (code == BW_CLI_DONE)
		code = name_origin(c, importer, &origin);
	if (code == BW_CLI_DONE)
		code = bw_cli_fail_err(bw_import_new(&rules, &im, &c->why));
	if (code == BW_CLI_DONE)
		code = source_failed(importer->read(c, im, &c->why));
	if (code == BW_CLI_DONE)
		code = source_failed(bw_import_finish(im, &c->why));
	if (code == BW_CLI_DONE)
		code = compare(c, im, bw_buf_slice(&origin));
	bw_buf_done(&origin);
	bw_import_free(&im);
	return code;
}

static enum bw_cli_exit run_aliases(struct cli *c)
{
	return run_import(c, &(struct importer){ "aliases", NULL, read_aliases });
}

static enum bw_cli_exit run_postmap(struct cli *c)
{
	return run_import(c, &(struct importer){ "postmap", bw_import_check_postmap, read_postmap });
}

static enum bw_cli_exit run_mailman(struct cli *c)
{
	return run_import(c, &(struct importer){ "mailman", bw_import_check_mailman, read_mailman });
}

static enum bw_cli_exit run_ldap(struct cli *c)
{
	return run_import(c, &(struct importer){ "ldap", bw_import_check_ldap, read_ldap });
}

static enum bw_cli_exit run_csv(struct cli *c)
{
	return run_import(c, &(struct importer){ "csv", NULL, read_csv });
}

#define OPT_IMPORT (OPT(APPLY) | OPT(PRUNE) | OPT(FORCE) | OPT(ORIGIN) | OPT(LIMIT))
#define OPT_SERVER (OPT(USER) | OPT(PASSWORD_FILE) | OPT(CA_FILE) | OPT(TIMEOUT))

const struct command bw_cli_family_list_import[] = {
	{ "list import aliases", "FILE...", 1, WORDS_MAX - 3, OPT_IMPORT | OPT(DOMAIN), NEED_STORE, false, run_aliases,
	  "import lists from alias files\n"
	  "FILE is in the form of /etc/aliases (name: members) or of a virtual alias file (address members), with :include: files "
	  "and lists within lists. Members reached twice count once; lists that contain each other in a cycle are refused with the "
	  "cycle. Shows sizes and surprises; --apply writes them, all or nothing. A new huge list, or one that has grown more than "
	  "tenfold, becomes unconfirmed. What the operator and the configuration file say is stronger than any import." },
	{ "list import postmap", "TYPE:TABLE", 1, 1,
	  OPT_IMPORT | OPT(DOMAIN) | OPT(POSTFIX_CONFIG) | OPT(POSTFIX_COMMANDS) | OPT(TIMEOUT), NEED_STORE, false, run_postmap,
	  "import lists from a Postfix table\n"
	  "Any table that `postmap -s` can list, such as hash:/etc/aliases or lmdb:/etc/postfix/virtual." },
	{ "list import mailman", "URL", 1, 1, OPT_IMPORT | OPT_SERVER, NEED_STORE, false, run_mailman,
	  "import lists from Mailman 3\n"
	  "URL is that of its REST interface, such as http://localhost:8001." },
	{ "list import ldap", "URI", 1, 1, OPT_IMPORT | OPT_SERVER | OPT(START_TLS), NEED_STORE, false, run_ldap,
	  "import groups from an LDAP directory\n"
	  "URI names server, base, the attribute that holds a group's address (mail), scope (sub) and filter (every kind of group), "
	  "such as ldaps://ldap.example/ou=groups,dc=example?mail. Groups within groups are followed." },
	{ "list import csv", "FILE", 1, 1, OPT_IMPORT, NEED_STORE, false, run_csv,
	  "import lists from a CSV file\n"
	  "Lines of ADDRESS,SIZE[,OWNER[,LIST-ID[,POSTERS]]]; posters are parted by semicolons." },
	{ .name = NULL },
};
