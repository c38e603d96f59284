/* Expectations: "expect hold guard=conversation", "expect first 3 accept then hold". */
#include "bw/parse.h"
#include "reader.h"

/* --- reading --- */

static const char *const states[] = { "", "closed", "open", "half-open", "forced-open" };

/* Appends all names of a vocabulary, ", " between them. */
static void add_names(struct bw_buf *out, const char *(*name)(int i), int count)
{
	for (int i = 0; i < count; i++) {
		bw_buf_add_text(out, i == 0 ? "" : ", ");
		bw_buf_add_text(out, name(i));
	}
}

static const char *action_name(int i)
{
	return bw_action_name((enum bw_action)i);
}

static const char *guard_name(int i)
{
	return bw_guard_name((enum bw_guard)i);
}

static const char *event_name(int i)
{
	return bw_event_name((enum bw_event)i);
}

static const char *state_name(int i)
{
	return states[i + 1];
}

static enum bw_err unknown(const struct reader *r, const char *what, struct bw_slice word, const char *(*name)(int i), int count)
{
	struct bw_buf names;

	bw_buf_init(&names, BW_WHY_BYTES);
	add_names(&names, name, count);
	enum bw_err err =
		bw_reader_fail(r, BW_ERR_INPUT, "unknown %s '%.*s'; expected one of %s", what, (int)word.n, word.p, bw_buf_text(&names));

	bw_buf_done(&names);
	return err;
}

static enum bw_err read_guard(const struct reader *r, struct bw_slice value, struct expectation *out)
{
	if (!bw_guard_parse(value, &out->guard))
		return unknown(r, "guard", value, guard_name, BW_GUARD_COUNT);
	out->any_guard = false;
	return BW_OK;
}

static enum bw_err read_event(const struct reader *r, struct bw_slice value, struct expectation *out)
{
	if (!bw_event_parse(value, &out->event))
		return unknown(r, "event", value, event_name, BW_EVENT_COUNT);
	out->any_event = false;
	return BW_OK;
}

static enum bw_err read_state(const struct reader *r, struct bw_slice value, struct expectation *out)
{
	for (int i = STATE_CLOSED; i <= STATE_FORCED_OPEN; i++) {
		if (bw_slice_equal_nocase(value, bw_slice_of(states[i]))) {
			out->state = (enum breaker_state)i;
			return BW_OK;
		}
	}
	return unknown(r, "state of a breaker", value, state_name, STATE_FORCED_OPEN);
}

static enum bw_err read_target(const struct reader *r, struct bw_slice value, struct expectation *out)
{
	if (out->action != BW_REDIRECT)
		return bw_reader_fail(r, BW_ERR_INPUT, "to= behind '%s'; expected it behind redirect only", bw_action_name(out->action));
	return bw_reader_address(r, "to", value, &out->target);
}

static const struct detail {
	const char *name;
	enum bw_err (*read)(const struct reader *r, struct bw_slice value, struct expectation *out);
} details[] = { { "guard", read_guard }, { "breaker", read_state }, { "event", read_event }, { "to", read_target } };
enum { DETAILS = sizeof(details) / sizeof(details[0]) };

static enum bw_err read_detail(const struct reader *r, struct bw_slice word, unsigned *given, struct expectation *out)
{
	struct bw_slice key, value;

	for (size_t i = 0; bw_reader_split(word, &key, &value) && i < DETAILS; i++) {
		if (!bw_slice_equal(key, bw_slice_of(details[i].name)))
			continue;
		if ((*given & (1U << i)) != 0)
			return bw_reader_fail(r, BW_ERR_INPUT, "%s= is given twice; expected it once", details[i].name);
		*given |= 1U << i;
		return details[i].read(r, value, out);
	}
	return bw_reader_fail(
		r, BW_ERR_INPUT,
		"'%.*s' behind an expected action; expected guard=NAME, breaker=STATE, event=NAME, to=ADDRESS or the end of the line", (int)word.n,
		word.p);
}

/* ACTION [guard=NAME] [breaker=STATE] [event=NAME] [to=ADDRESS], up to "then" or the end of the line. */
static enum bw_err read_one(struct reader *r, struct expectation *out)
{
	struct expectation e = { .any_guard = true, .any_event = true };
	struct bw_slice word = { "", 0 };
	unsigned given = 0;
	enum bw_err err = BW_OK;

	if (!bw_reader_next(r, &word) || !bw_action_parse(word, &e.action))
		return unknown(r, "action", word, action_name, BW_ACTION_COUNT);
	while (err == BW_OK && r->at < r->count && !bw_slice_equal(r->words[r->at], BW_S("then")))
		err = read_detail(r, r->words[r->at++], &given, &e);
	if (err == BW_OK)
		*out = e;
	return err;
}

/* N ACTION... then ACTION... */
static enum bw_err read_two(struct reader *r, int64_t messages, struct expect *out)
{
	struct bw_slice word = { "", 0 };

	if (messages < 2)
		return bw_reader_fail(r, BW_ERR_INPUT, "'expect first' for a single message; expected a range in from= or times=");
	(void)bw_reader_next(r, &word);
	enum bw_err err =
		bw_reader_count(r, "the number behind 'expect first'", word, (const int64_t[]){ 1, messages - 1 }, &out->first);

	if (err == BW_OK)
		err = read_one(r, &out->head);
	if (err != BW_OK)
		return err;
	if (!bw_reader_next(r, &word))
		return bw_reader_fail(r, BW_ERR_INPUT, "'expect first' says nothing of the other messages; expected 'then ACTION'");
	return read_one(r, &out->rest);
}

enum bw_err bw_read_expect(struct reader *r, int64_t messages, struct expect *out)
{
	struct expect expect = { .given = true };
	enum bw_err err;

	if (r->at < r->count && bw_slice_equal(r->words[r->at], BW_S("first"))) {
		r->at++;
		err = read_two(r, messages, &expect);
	} else {
		err = read_one(r, &expect.rest);
	}
	if (err == BW_OK && r->at < r->count)
		err = bw_reader_fail(r, BW_ERR_INPUT, "'%s' behind the expectation; expected the end of the line", r->words[r->at].p);
	if (err == BW_OK)
		*out = expect;
	return err;
}

/* --- meeting --- */

const struct expectation *bw_expect_of(const struct expect *expect, int64_t ordinal)
{
	if (!expect->given)
		return NULL;
	return ordinal <= expect->first ? &expect->head : &expect->rest;
}

/* The guard that explains the verdict; in shadow mode the one that would have stopped it. */
static const struct bw_explain *explanation(const struct bw_verdict *v)
{
	return v->why.guard != BW_GUARD_NONE ? &v->why : &v->would_why;
}

static enum breaker_state state_of(const struct bw_verdict *v)
{
	if (explanation(v)->rule == BW_RULE_FORCED_OPEN)
		return STATE_FORCED_OPEN;
	switch (v->breaker) {
	case BW_PHASE_OPEN:
		return STATE_OPEN;
	case BW_PHASE_HALF_OPEN:
		return STATE_HALF_OPEN;
	case BW_PHASE_CLOSED:
	case BW_PHASE_COUNT:
		break;
	}
	return STATE_CLOSED;
}

static bool event_met(enum bw_event event, const struct bw_verdict *v)
{
	return event == v->event || (event == BW_EVENT_DEGRADED && v->degraded) || (event == BW_EVENT_HOLD && v->action == BW_HOLD);
}

bool bw_expect_met(const struct expectation *e, const struct bw_verdict *v)
{
	enum breaker_state state = state_of(v);
	/* A forced-open breaker is an open one, too. */
	bool state_met = e->state == STATE_ANY || e->state == state || (e->state == STATE_OPEN && state == STATE_FORCED_OPEN);

	return e->action == v->action && (e->any_guard || e->guard == explanation(v)->guard) && state_met &&
	       (e->any_event || event_met(e->event, v)) && (e->target.n == 0 || bw_slice_equal(e->target, v->why.target));
}

void bw_expect_print(const struct expectation *e, struct bw_buf *out)
{
	bw_buf_add_text(out, bw_action_name(e->action));
	if (!e->any_guard)
		bw_buf_printf(out, " guard=%s", bw_guard_name(e->guard));
	if (e->state != STATE_ANY)
		bw_buf_printf(out, " breaker=%s", states[e->state]);
	if (!e->any_event)
		bw_buf_printf(out, " event=%s", bw_event_name(e->event));
	if (e->target.n > 0)
		bw_buf_printf(out, " to=%.*s", (int)e->target.n, e->target.p);
}

void bw_expect_print_verdict(const struct bw_verdict *v, struct bw_buf *out)
{
	bw_buf_printf(out, "%s guard=%s breaker=%s event=%s", bw_action_name(v->action), bw_guard_name(explanation(v)->guard),
	              states[state_of(v)], v->degraded ? "degraded" : bw_event_name(v->event));
	if (v->why.target.n > 0)
		bw_buf_printf(out, " to=%.*s", (int)v->why.target.n, v->why.target.p);
}
