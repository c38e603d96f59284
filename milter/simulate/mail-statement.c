/* "KIND from=... to=... [more] [every DURATION] [expect ...]": one table row an option. */
#include <arpa/inet.h>
#include <string.h>

#include "reader.h"

static enum bw_err read_range(const struct reader *r, struct bw_slice value, struct range *out)
{
	struct bw_why why;
	enum bw_err err = bw_range_parse(value, out, &why);

	return err == BW_OK ? BW_OK : bw_reader_fail(r, err, "%s", why.text);
}

/* --- one function an option --- */

static enum bw_err read_from(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	struct bw_slice ignored;
	struct bw_buf first;
	enum bw_err err = read_range(r, value, &plan->from);

	if (err != BW_OK || bw_slice_equal(value, BW_S("<>")))
		return err;
	bw_buf_init(&first, BW_ADDRESS_MAX);
	bw_range_print(&plan->from, 0, &first);
	err = bw_reader_address(r, "from", bw_buf_slice(&first), &ignored);
	bw_buf_done(&first);
	return err;
}

/* What a session can be told is a SASL user; the other identities come of from= and client=. */
static enum bw_err read_auth(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	if (bw_slice_starts_nocase(value, BW_S("auth:")))
		value = bw_slice_from(value, sizeof("auth:") - 1);
	if (value.n == 0 || bw_slice_find(value, ':') < value.n)
		return bw_reader_fail(r, BW_ERR_INPUT, "'%.*s' is no SASL user; expected auth=NAME or auth=NAME@DOMAIN", (int)value.n,
		                      value.p);
	return read_range(r, value, &plan->auth);
}

static enum bw_err read_to(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	size_t n = 1;
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < value.n; i++)
		n += value.p[i] == ',';
	if (n > SCENARIO_TO_MAX)
		return bw_reader_fail(r, BW_ERR_LIMIT, "%zu addresses in to=; expected at most %d", n, SCENARIO_TO_MAX);
	plan->to_text = value;
	plan->to = bw_arena_alloc(r->scenario->arena, n * sizeof(*plan->to));
	plan->lists = bw_arena_alloc(r->scenario->arena, n * sizeof(const struct scenario_list *));
	if (plan->to == NULL || plan->lists == NULL)
		return bw_reader_no_memory(r);
	for (struct bw_slice rest = value; err == BW_OK && plan->to_count < n;) {
		size_t comma = bw_slice_find(rest, ',');

		err = bw_reader_address(r, "to", bw_slice_head(rest, comma), &plan->to[plan->to_count]);
		if (err == BW_OK) {
			plan->lists[plan->to_count] = bw_map_find(&r->scenario->lists_by_address, plan->to[plan->to_count]);
			plan->to_count++;
		}
		rest = bw_slice_from(rest, comma + 1);
	}
	return err;
}

static enum bw_err read_thread(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	struct bw_scenario *s = r->scenario;

	if (value.n == 0)
		return bw_reader_fail(r, BW_ERR_INPUT, "thread= without a name; expected thread=NAME");
	plan->thread = value;
	if (plan->kind == KIND_POST)
		return bw_map_put(&s->threads, value, s) ? BW_OK : bw_reader_no_memory(r);
	if (bw_map_find(&s->threads, value) != NULL)
		return BW_OK;
	return bw_reader_fail(r, BW_ERR_INPUT, "thread %s is not founded above; expected a post with thread=%s first", value.p,
	                      value.p);
}

static enum bw_err read_subject(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	if (value.n > 900)
		return bw_reader_fail(r, BW_ERR_LIMIT, "a subject of %zu bytes; expected at most 900", value.n);
	plan->subject = value;
	plan->has_subject = true;
	return BW_OK;
}

static enum bw_err read_client(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	unsigned char address[16];

	if (inet_pton(AF_INET, value.p, address) != 1 && inet_pton(AF_INET6, value.p, address) != 1)
		return bw_reader_fail(r, BW_ERR_INPUT, "client '%s' is no IP address; expected for example 192.0.2.7 or 2001:db8::7",
		                      value.p);
	plan->client = value;
	return BW_OK;
}

static enum bw_err read_message_id(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	if (value.n > 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
		value = (struct bw_slice){ value.p + 1, value.n - 2 };
	if (value.n == 0 || value.n > 250 || strcspn(value.p, "<> \t") < value.n)
		return bw_reader_fail(r, BW_ERR_INPUT, "message-id '%.*s'; expected for example abc@nhs.example", (int)value.n, value.p);
	plan->message_id = value;
	return BW_OK;
}

static enum bw_err read_no_refs(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	(void)r;
	(void)value;
	plan->no_refs = true;
	return BW_OK;
}

static enum bw_err read_rcpts(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	return bw_reader_count(r, "rcpts", value, (const int64_t[]){ 0, SCENARIO_MESSAGES_MAX }, &plan->rcpts);
}

static enum bw_err read_times(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	return bw_reader_count(r, "times", value, (const int64_t[]){ 1, SCENARIO_MESSAGES_MAX }, &plan->times);
}

static enum bw_err read_retry(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	return bw_reader_count(r, "retry", value, (const int64_t[]){ 0, 1000 }, &plan->retry);
}

static enum bw_err read_backoff(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	return bw_reader_duration(r, "backoff", value, &plan->backoff_ms);
}

static enum bw_err read_every(struct reader *r, struct bw_slice value, struct mail_plan *plan)
{
	return bw_reader_duration(r, "every", value, &plan->every_ms);
}

/* How an option is written. */
enum form { FORM_VALUE /* name=value */, FORM_FLAG /* name */, FORM_WORDS /* name value */ };

static const struct option {
	const char *name;
	enum form form;
	enum bw_err (*read)(struct reader *r, struct bw_slice value, struct mail_plan *plan);
} options[] = {
	{ "from", FORM_VALUE, read_from },       { "to", FORM_VALUE, read_to },
	{ "thread", FORM_VALUE, read_thread },   { "subject", FORM_VALUE, read_subject },
	{ "auth", FORM_VALUE, read_auth },       { "client", FORM_VALUE, read_client },
	{ "rcpts", FORM_VALUE, read_rcpts },     { "message-id", FORM_VALUE, read_message_id },
	{ "no-refs", FORM_FLAG, read_no_refs },  { "retry", FORM_VALUE, read_retry },
	{ "backoff", FORM_VALUE, read_backoff }, { "times", FORM_VALUE, read_times },
	{ "every", FORM_WORDS, read_every },
};
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

/* --- the whole statement --- */

static enum bw_err unknown_word(const struct reader *r, struct bw_slice word)
{
	struct bw_buf names;

	bw_buf_init(&names, BW_WHY_BYTES);
	for (size_t i = 0; i < OPTIONS; i++)
		bw_buf_printf(&names, "%s%s, ", options[i].name, options[i].form == FORM_VALUE ? "=" : "");
	enum bw_err err = bw_reader_fail(r, BW_ERR_INPUT, "unknown word '%.*s'; expected one of %sexpect", (int)word.n, word.p,
	                                 bw_buf_text(&names));

	bw_buf_done(&names);
	return err;
}

static const struct option *find_option(struct bw_slice name, bool has_value)
{
	for (size_t i = 0; i < OPTIONS; i++) {
		if (bw_slice_equal(name, bw_slice_of(options[i].name)) && has_value == (options[i].form == FORM_VALUE))
			return &options[i];
	}
	return NULL;
}

static enum bw_err read_option(struct reader *r, struct bw_slice word, unsigned *given, struct mail_plan *plan)
{
	struct bw_slice key = word, value = { "", 0 };
	bool has_value = bw_reader_split(word, &key, &value);
	const struct option *o = find_option(key, has_value);

	if (o == NULL)
		return unknown_word(r, word);
	unsigned bit = 1U << (o - options);

	if ((*given & bit) != 0)
		return bw_reader_fail(r, BW_ERR_INPUT, "%s is given twice; expected it once", o->name);
	*given |= bit;
	if (o->form == FORM_WORDS && !bw_reader_next(r, &value))
		return bw_reader_fail(r, BW_ERR_INPUT, "'%s' at the end of the line; expected '%s DURATION'", o->name, o->name);
	return o->read(r, value, plan);
}

static int64_t count_of(const struct mail_plan *plan)
{
	return bw_range_count(&plan->from) * plan->times;
}

/* What no option can see alone. */
static enum bw_err check_plan(const struct reader *r, const struct mail_plan *plan)
{
	if (plan->from.text.n == 0 || plan->to_count == 0)
		return bw_reader_fail(r, BW_ERR_INPUT, "a message without %s; expected from=ADDRESS and to=ADDRESS",
		                      plan->from.text.n == 0 ? "from=" : "to=");
	if (count_of(plan) > SCENARIO_MESSAGES_MAX)
		return bw_reader_fail(r, BW_ERR_RANGE, "%lld messages; expected at most %d", (long long)count_of(plan),
		                      SCENARIO_MESSAGES_MAX);
	if (bw_range_count(&plan->auth) > 1 && bw_range_count(&plan->auth) != bw_range_count(&plan->from))
		return bw_reader_fail(r, BW_ERR_RANGE, "%lld identities in auth= for %lld senders in from=; expected as many",
		                      (long long)bw_range_count(&plan->auth), (long long)bw_range_count(&plan->from));
	if (plan->thread.n > 0 && plan->kind == KIND_LIST_OUTPUT)
		return bw_reader_fail(r, BW_ERR_INPUT, "thread= for list-output; expected no thread=");
	return BW_OK;
}

/* Keeps the whole scenario within bounds of memory and time. */
static enum bw_err add_up(const struct reader *r, const struct mail_plan *plan)
{
	struct bw_scenario *s = r->scenario;
	int64_t messages = count_of(plan);
	int64_t offers = messages * (1 + plan->retry), each = (int64_t)plan->to_count + plan->rcpts;

	s->messages += messages;
	if (plan->retry > 0)
		s->retried += messages;
	s->offers += each > SCENARIO_OFFERS_MAX / offers ? SCENARIO_OFFERS_MAX + 1 : offers * each;
	if (s->messages > SCENARIO_MESSAGES_MAX)
		return bw_reader_fail(r, BW_ERR_LIMIT, "%lld messages up to here; expected at most %d in one scenario",
		                      (long long)s->messages, SCENARIO_MESSAGES_MAX);
	if (s->retried > SCENARIO_RETRIED_MAX)
		return bw_reader_fail(r, BW_ERR_LIMIT, "%lld messages with retry= up to here; expected at most %d in one scenario",
		                      (long long)s->retried, SCENARIO_RETRIED_MAX);
	if (s->offers > SCENARIO_OFFERS_MAX)
		return bw_reader_fail(r, BW_ERR_LIMIT,
		                      "too many recipients; expected at most %d offered in one scenario, retries included",
		                      SCENARIO_OFFERS_MAX);
	return BW_OK;
}

enum bw_err bw_read_mail(struct reader *r, enum mail_kind kind, struct mail_plan *plan)
{
	struct bw_slice word;
	unsigned given = 0;
	bool expect = false;
	enum bw_err err = BW_OK;

	/* Postfix offers a throttled message again after minimal_backoff_time, 300 s. */
	*plan = (struct mail_plan){ .kind = kind, .times = 1, .backoff_ms = INT64_C(300) * 1000 };
	while (err == BW_OK && !expect && bw_reader_next(r, &word)) {
		expect = bw_slice_equal(word, BW_S("expect"));
		if (!expect)
			err = read_option(r, word, &given, plan);
	}
	if (err == BW_OK)
		err = check_plan(r, plan);
	if (err == BW_OK)
		err = add_up(r, plan);
	if (err == BW_OK && expect)
		err = bw_read_expect(r, count_of(plan), &plan->expect);
	return err;
}
