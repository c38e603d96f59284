/* The play: what is due next happens, until nothing is left. */
#include <stdlib.h>

#include "bw/parse.h"
#include "bw/store-guarded.h"
#include "play.h"

enum { PLAY_BYTES = 64 << 20 };

/* --- the store and the operator --- */

static void remark(struct play *p, int64_t at_ms, const char *text)
{
	if (p->options->remark != NULL)
		p->options->remark(p->options->ctx, at_ms, text);
}

static void note(struct play *p, int64_t at_ms, enum bw_event event, const char *text)
{
	struct bw_simulate_event row = { .at_ms = at_ms, .event = event, .list = "", .text = text };

	bw_tally_event(&p->tally, &row);
	remark(p, at_ms, text);
}

static void play_store(struct play *p, const struct due *due)
{
	static const char *const texts[] = { "the shared store is down", "the shared store is up", "the shared store is slow" };
	enum store_state state = due->statement->u.store.state;
	int64_t daemons;

	bw_store_faulty_set(p->stage.shared, state == STORE_DOWN, due->statement->u.store.delay_ms);
	remark(p, due->at_ms, texts[state]);
	/* The daemon probes in the background; here the store is found back at once. */
	if (p->stage.store->ops->degraded(p->stage.store, &daemons) && bw_store_guarded_probe(p->stage.store)) {
		p->recovered = true;
		p->degraded = false;
		note(p, due->at_ms, BW_EVENT_RECOVERED, "the shared store counts again");
	}
}

static void fail_operator(struct play *p, const struct due *due, const char *command, const char *why)
{
	struct bw_buf text;

	bw_buf_init(&text, (size_t)4 * BW_WHY_BYTES);
	bw_buf_printf(&text, "%s:%d: operator %s: %s", p->scenario->name, due->statement->line, command, why);
	bw_tally_miss(&p->tally, due->statement, bw_buf_text(&text));
	bw_buf_done(&text);
}

static enum bw_err run_operator(struct play *p, const struct due *due, struct bw_why *why)
{
	const struct statement *st = due->statement;
	int64_t now_ms = BW_SIMULATE_START_MS + due->at_ms;

	if (p->options->run_operator == NULL)
		return bw_fail(why, BW_ERR_INPUT, "there is nobody to run it; expected to be played by breakwaterctl");
	struct bw_world *world = bw_engine_world(p->stage.engine);
	/* On the shared store itself, as the command of a person: it fails when the store does. */
	enum bw_err err = p->options->run_operator(world, p->stage.shared, st->u.command.argc, st->u.command.argv, now_ms, why);

	bw_world_unref(&world);
	return err == BW_OK ? bw_stage_reload(&p->stage, now_ms, why) : err;
}

static void play_operator(struct play *p, const struct due *due)
{
	const struct statement *st = due->statement;
	struct bw_buf command;
	struct bw_why why = { "" };

	bw_buf_init(&command, BW_WHY_BYTES);
	for (int i = 0; i < st->u.command.argc; i++)
		bw_buf_printf(&command, "%s%s", i == 0 ? "" : " ", st->u.command.argv[i]);
	if (run_operator(p, due, &why) == BW_OK)
		remark(p, due->at_ms, bw_buf_text(&command)); /* the command itself leaves an event */
	else
		fail_operator(p, due, bw_buf_text(&command), why.text);
	bw_buf_done(&command);
}

/* --- messages --- */

static void tell(struct play *p, const struct due *due, const struct outcome *o, const char *miss)
{
	const struct mail_plan *plan = &due->statement->u.mail;
	struct bw_simulate_message m = {
		.line = due->statement->line,
		.ordinal = due->number + 1,
		.of = bw_statement_count(due->statement),
		.attempt = due->attempt,
		.at_ms = due->at_ms,
		.kind = bw_scenario_kind_name(plan->kind),
		.from = o->from,
		.to = plan->to_text,
		.verdict = &o->verdict,
		.sentence = o->sentence,
		.miss = miss,
	};

	if (p->options->message != NULL)
		p->options->message(p->options->ctx, &m);
}

/* Offers it again later: the queue of the sending MTA. */
static enum bw_err retry_later(struct play *p, struct due *due, struct bw_why *why)
{
	struct due again = *due;

	again.at_ms += due->statement->u.mail.backoff_ms;
	again.attempt++;
	due->offer = NULL; /* the schedule's now */
	if (!bw_schedule_add(&p->schedule, &again))
		return bw_fail(why, BW_ERR_MEMORY, "no memory for a retry");
	return BW_OK;
}

static void finish(struct play *p, const struct due *due, const struct outcome *o)
{
	const struct mail_plan *plan = &due->statement->u.mail;
	bool passed = o->verdict.action == BW_ACCEPT || o->verdict.action == BW_TAG;

	/* Only what was delivered can be answered. */
	if (passed && plan->kind == KIND_REPLY && due->offer->thread != NULL)
		bw_thread_answered(due->offer->thread, bw_slice_of(due->offer->message_id));
	if (passed && plan->kind == KIND_POST)
		bw_threads_went_out(&p->threads, plan, due->offer->thread);
	tell(p, due, o, bw_tally_message(&p->tally, o));
}

static enum bw_err offer_message(struct play *p, struct due *due, struct bw_slice from, struct bw_why *why)
{
	struct outcome outcome;
	enum bw_err err = BW_OK;

	if (due->offer == NULL)
		err = bw_offer_make(p, due, from, &due->offer, why);
	if (err == BW_OK)
		err = bw_stage_tick(&p->stage, BW_SIMULATE_START_MS + due->at_ms, why);
	if (err != BW_OK)
		return err;
	bw_offer_bring(p, due, from, &outcome);
	if (outcome.verdict.degraded && !p->degraded)
		note(p, due->at_ms, BW_EVENT_DEGRADED, "the shared store does not answer, the embedded one decides");
	p->degraded |= outcome.verdict.degraded;
	bw_tally_offer(&p->tally, &outcome);
	if (outcome.verdict.action == BW_THROTTLE && due->attempt < due->statement->u.mail.retry) {
		tell(p, due, &outcome, NULL);
		return retry_later(p, due, why);
	}
	finish(p, due, &outcome);
	return BW_OK;
}

/* The message of the same statement that comes after this one. */
static enum bw_err schedule_next(struct play *p, const struct due *due, struct bw_why *why)
{
	const struct statement *st = due->statement;
	struct due next = { .statement = st, .number = due->number + 1 };

	if (due->attempt > 0 || next.number >= bw_statement_count(st))
		return BW_OK;
	next.at_ms = st->at_ms + next.number * st->u.mail.every_ms;
	if (!bw_schedule_add(&p->schedule, &next))
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the next message");
	return BW_OK;
}

static enum bw_err play_mail(struct play *p, struct due *due, struct bw_why *why)
{
	struct bw_buf from;

	bw_buf_init(&from, BW_ADDRESS_MAX);
	bw_range_print(&due->statement->u.mail.from, due->number, &from);
	enum bw_err err = schedule_next(p, due, why);

	if (err == BW_OK)
		err = offer_message(p, due, bw_buf_slice(&from), why);
	bw_offer_free(&due->offer);
	bw_buf_done(&from);
	return err;
}

/* --- from the first to the last --- */

static enum bw_err play_due(struct play *p, struct due *due, struct bw_why *why)
{
	switch (due->statement->kind) {
	case STATEMENT_MAIL:
		return play_mail(p, due, why);
	case STATEMENT_STORE:
		play_store(p, due);
		break;
	case STATEMENT_OPERATOR:
		play_operator(p, due);
		break;
	}
	return BW_OK;
}

static enum bw_err schedule_all(struct play *p, struct bw_why *why)
{
	for (const struct statement *st = p->scenario->statements; st != NULL; st = st->next) {
		if (!bw_schedule_add(&p->schedule, &(struct due){ .at_ms = st->at_ms, .statement = st }))
			return bw_fail(why, BW_ERR_MEMORY, "no memory for the statements");
	}
	return BW_OK;
}

static enum bw_err play_all(struct play *p, struct bw_why *why)
{
	enum bw_err err = schedule_all(p, why);
	struct due due;

	while (err == BW_OK && bw_schedule_take(&p->schedule, &due))
		err = play_due(p, &due, why);
	return err;
}

/* What the engine and the operator recorded, here and in degraded mode. */
static enum bw_err read_history(struct play *p, struct bw_why *why)
{
	bw_store_faulty_set(p->stage.shared, false, 0);
	enum bw_err err = bw_tally_history(&p->tally, p->stage.shared, why);

	if (err == BW_OK)
		err = bw_tally_history(&p->tally, p->stage.fallback, why);
	bw_tally_sort(&p->tally);
	return err;
}

static enum bw_err open_play(struct play *p, struct bw_why *why)
{
	enum bw_err err = bw_stage_open(&p->stage, p->scenario, p->options, why);

	if (err != BW_OK)
		return err;
	p->arena = bw_arena_new(PLAY_BYTES);
	if (p->arena == NULL || !bw_threads_init(&p->threads, p->scenario->list_count) || !bw_tally_init(&p->tally, p->scenario))
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the play");
	return BW_OK;
}

static void close_play(struct play *p)
{
	bw_schedule_done(&p->schedule);
	bw_threads_done(&p->threads);
	bw_map_done(&p->dates);
	bw_tally_done(&p->tally);
	bw_stage_close(&p->stage);
	bw_arena_free(&p->arena);
}

enum bw_err bw_simulate_play(const struct bw_scenario *scenario, const struct bw_simulate_options *options,
                             struct bw_simulate_result **out, struct bw_why *why)
{
	struct play play = { .scenario = scenario, .options = options };
	int64_t started_ms = options->monotonic_ms == NULL ? 0 : options->monotonic_ms();

	enum bw_err err = open_play(&play, why);

	if (err == BW_OK)
		err = play_all(&play, why);
	if (err == BW_OK)
		err = read_history(&play, why);
	close_play(&play);
	if (err != BW_OK) {
		bw_simulate_result_free(&play.tally.result);
		return err;
	}
	if (options->monotonic_ms != NULL)
		play.tally.result->elapsed_ms = options->monotonic_ms() - started_ms;
	*out = play.tally.result;
	return BW_OK;
}
