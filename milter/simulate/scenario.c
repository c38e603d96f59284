/* A scenario file: lines to statements. Nothing is played before all of it was understood. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reader.h"

enum { ARENA_BYTES = 512 << 20 }; /* a file of 16 MiB with nothing but short words needs that much */

static const char *const kinds[] = { "post", "reply", "auto-reply", "mdn", "dsn", "recall", "calendar-reply", "list-output" };
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == KIND_COUNT, "a name for every kind");

const char *bw_scenario_kind_name(enum mail_kind kind)
{
	return kinds[kind];
}

/* --- times --- */

int64_t bw_statement_count(const struct statement *st)
{
	return st->kind == STATEMENT_MAIL ? bw_range_count(&st->u.mail.from) * st->u.mail.times : 1;
}

int64_t bw_statement_last_ms(const struct statement *st)
{
	return st->kind == STATEMENT_MAIL ? st->at_ms + (bw_statement_count(st) - 1) * st->u.mail.every_ms : st->at_ms;
}

static enum bw_err read_time(struct reader *r, int64_t *at_ms)
{
	const struct statement *before = r->scenario->last;
	struct bw_slice word = { "", 0 };
	int64_t from = 0, ms;

	if (!bw_reader_next(r, &word))
		return bw_reader_fail(r, BW_ERR_INPUT, "'at' alone; expected a time such as 90s or +1s behind it");
	if (word.n > 0 && word.p[0] == '-')
		return bw_reader_fail(r, BW_ERR_RANGE, "%s is before the start; expected 0s or later", word.p);
	if (word.n > 0 && word.p[0] == '+') {
		if (before == NULL)
			return bw_reader_fail(r, BW_ERR_INPUT,
			                      "%s counts from the statement before, and there is none; expected a time such as 0s", word.p);
		from = bw_statement_last_ms(before);
		word = (struct bw_slice){ word.p + 1, word.n - 1 };
	}
	enum bw_err err = bw_reader_duration(r, "time", word, &ms);

	if (err == BW_OK)
		*at_ms = from + ms;
	return err;
}

/* --- what happens at a time --- */

static enum bw_err read_store(struct reader *r, struct statement *st)
{
	static const char *const states[] = { "down", "up", "slow" };
	struct bw_slice word = { "", 0 };
	int state = STORE_DOWN;

	(void)bw_reader_next(r, &word);
	while (state <= STORE_SLOW && !bw_slice_equal(word, bw_slice_of(states[state])))
		state++;
	if (state > STORE_SLOW)
		return bw_reader_fail(r, BW_ERR_INPUT, "the store cannot '%s'; expected down, up or slow DURATION", word.p);
	st->u.store.state = (enum store_state)state;
	if (state == STORE_SLOW) {
		word = BW_S("");
		(void)bw_reader_next(r, &word);
		enum bw_err err = bw_reader_duration(r, "delay", word, &st->u.store.delay_ms);

		if (err != BW_OK)
			return err;
	}
	if (r->at < r->count)
		return bw_reader_fail(r, BW_ERR_INPUT, "'%s' behind 'store %s'; expected the end of the line", r->words[r->at].p,
		                      states[state]);
	return BW_OK;
}

static enum bw_err read_operator(struct reader *r, struct statement *st)
{
	size_t n = r->count - r->at;

	if (n == 0)
		return bw_reader_fail(r, BW_ERR_INPUT, "'operator' alone; expected a command of breakwaterctl behind it");
	st->u.command.argv = bw_arena_alloc(r->scenario->arena, (n + 1) * sizeof(char *));
	if (st->u.command.argv == NULL)
		return bw_reader_no_memory(r);
	for (size_t i = 0; i < n; i++) {
		st->u.command.argv[i] = bw_arena_text(r->scenario->arena, r->words[r->at + i]);
		if (st->u.command.argv[i] == NULL)
			return bw_reader_no_memory(r);
	}
	st->u.command.argc = (int)n;
	return BW_OK;
}

static enum bw_err read_kind(struct reader *r, struct bw_slice word, struct statement *st)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		if (bw_slice_equal(word, bw_slice_of(kinds[kind])))
			return bw_read_mail(r, (enum mail_kind)kind, &st->u.mail);
	}
	return bw_reader_fail(
		r, BW_ERR_INPUT,
		"unknown word '%s'; expected post, reply, auto-reply, mdn, dsn, recall, calendar-reply, list-output, store or operator",
		word.p);
}

static enum bw_err read_what(struct reader *r, struct statement *st)
{
	struct bw_slice word = { "", 0 };

	(void)bw_reader_next(r, &word);
	if (bw_slice_equal(word, BW_S("store"))) {
		st->kind = STATEMENT_STORE;
		return read_store(r, st);
	}
	if (bw_slice_equal(word, BW_S("operator"))) {
		st->kind = STATEMENT_OPERATOR;
		return read_operator(r, st);
	}
	st->kind = STATEMENT_MAIL;
	return read_kind(r, word, st);
}

static enum bw_err read_at(struct reader *r)
{
	struct bw_scenario *s = r->scenario;
	struct statement *st = bw_arena_alloc(s->arena, sizeof(*st));

	if (st == NULL)
		return bw_reader_no_memory(r);
	enum bw_err err = read_time(r, &st->at_ms);

	if (err == BW_OK)
		err = read_what(r, st);
	/* A hundred years: ten for the time, and ranges as long as one likes up to here. */
	if (err == BW_OK && bw_statement_last_ms(st) > INT64_C(36500) * 24 * 3600 * 1000)
		err = bw_reader_fail(r, BW_ERR_RANGE, "a last message after a hundred years; expected a shorter storm");
	if (err != BW_OK)
		return err;
	st->line = r->line;
	st->index = s->statement_count++;
	*s->statements_end = st;
	s->statements_end = &st->next;
	s->last = st;
	return BW_OK;
}

/* --- lines --- */

static const struct {
	const char *name;
	enum bw_err (*read)(struct reader *r);
} statements[] = { { "internal", bw_read_internal }, { "list", bw_read_list }, { "set", bw_read_set }, { "at", read_at } };

static enum bw_err read_line(struct reader *r, struct bw_slice line)
{
	struct bw_slice word;
	enum bw_err err = bw_lex_line(r, line);

	if (err != BW_OK || !bw_reader_next(r, &word))
		return err;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		if (bw_slice_equal(word, bw_slice_of(statements[i].name)))
			return statements[i].read(r);
	}
	return bw_reader_fail(r, BW_ERR_INPUT, "unknown word '%s'; expected internal, list, set or at", word.p);
}

/* A list named below the message that is sent to it was taken for a person there: what was meant is not certain. */
static enum bw_err check_lists(struct reader *r)
{
	for (const struct statement *st = r->scenario->statements; st != NULL; st = st->next) {
		for (size_t i = 0; st->kind == STATEMENT_MAIL && i < st->u.mail.to_count; i++) {
			const struct scenario_list *list = bw_map_find(&r->scenario->lists_by_address, st->u.mail.to[i]);

			if (list == st->u.mail.lists[i])
				continue;
			r->line = st->line;
			return bw_reader_fail(r, BW_ERR_INPUT,
			                      "list %s is used before it is named in line %d; expected its 'list' line first",
			                      list->address.p, list->line);
		}
	}
	return BW_OK;
}

static enum bw_err read_all(struct bw_scenario *s, struct bw_slice text, struct bw_why *why)
{
	struct reader r = { .scenario = s, .why = why };
	enum bw_err err = BW_OK;

	if (!bw_lex_is_text(text, &r.line))
		return bw_reader_fail(&r, BW_ERR_INPUT, "a control character, or bytes that are not UTF-8; expected text");
	if (bw_slice_starts_nocase(text, BW_S("\xef\xbb\xbf")))
		text = bw_slice_from(text, 3);
	for (r.line = 1; err == BW_OK && text.n > 0; r.line++) {
		size_t end = bw_slice_find(text, '\n');

		err = read_line(&r, bw_slice_head(text, end));
		text = bw_slice_from(text, end + 1);
	}
	if (err == BW_OK)
		err = check_lists(&r);
	if (err == BW_OK && s->statements == NULL)
		err = bw_reader_fail(&r, BW_ERR_INPUT, "nothing happens; expected at least one 'at TIME ...'");
	return err;
}

static struct bw_scenario *scenario_new(const char *name)
{
	struct bw_scenario *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->internals_end = &s->internals;
	s->lists_end = &s->lists;
	s->statements_end = &s->statements;
	s->arena = bw_arena_new(ARENA_BYTES);
	s->name = s->arena == NULL ? NULL : bw_arena_text(s->arena, bw_slice_of(name));
	s->settings = bw_settings_new();
	if (s->name == NULL || s->settings == NULL || bw_settings_set(s->settings, BW_S("mode"), BW_S("enforce"), NULL) != BW_OK)
		bw_scenario_free(&s);
	return s;
}

enum bw_err bw_scenario_parse(const char *name, struct bw_slice text, struct bw_scenario **out, struct bw_why *why)
{
	if (text.n > SCENARIO_BYTES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "%s: larger than %d bytes; expected a scenario", name, SCENARIO_BYTES_MAX);
	bw_mail_init();
	struct bw_scenario *s = scenario_new(name);

	if (s == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "%s: no memory for the scenario", name);
	enum bw_err err = read_all(s, text, why);

	if (err == BW_OK)
		*out = s;
	else
		bw_scenario_free(&s);
	return err;
}

void bw_scenario_free(struct bw_scenario **scenario)
{
	struct bw_scenario *s = *scenario;

	*scenario = NULL;
	if (s == NULL)
		return;
	bw_map_done(&s->lists_by_address);
	bw_map_done(&s->threads);
	bw_settings_free(&s->settings);
	bw_arena_free(&s->arena);
	free(s);
}

enum bw_err bw_scenario_set(struct bw_scenario *scenario, struct bw_slice name, struct bw_slice value, struct bw_why *why)
{
	return bw_settings_set(scenario->settings, name, value, why);
}

/* --- the file --- */

static enum bw_err read_stream(FILE *file, const char *path, struct bw_buf *text, struct bw_why *why)
{
	char block[16384];
	size_t n;

	while ((n = fread(block, 1, sizeof(block), file)) > 0 && !text->cut)
		bw_buf_add(text, (struct bw_slice){ block, n });
	if (ferror(file))
		return bw_fail(why, BW_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
	if (text->cut)
		return bw_fail(why, BW_ERR_LIMIT, "%s: larger than %d bytes; expected a scenario", path, SCENARIO_BYTES_MAX);
	return BW_OK;
}

enum bw_err bw_scenario_read(const char *path, struct bw_scenario **out, struct bw_why *why)
{
	FILE *file = fopen(path, "re");
	struct bw_buf text;

	if (file == NULL)
		return bw_fail(why, BW_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
	bw_buf_init(&text, SCENARIO_BYTES_MAX);
	enum bw_err err = read_stream(file, path, &text, why);

	if (err == BW_OK)
		err = bw_scenario_parse(path, bw_buf_slice(&text), out, why);
	bw_buf_done(&text);
	(void)fclose(file);
	return err;
}
