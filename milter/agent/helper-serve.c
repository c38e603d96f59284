#include "helper-serve.h"

#include <signal.h>
#include <string.h>

#include "bw/clock.h"

#define ANSWER_MS  (60 * BW_SECOND_MS)
#define LISTING_MS (10 * BW_MINUTE_MS)

void helper_reach(const struct helper *h, enum bw_helper_fault fault)
{
	if (h->fault == (int)fault)
		raise(SIGKILL);
}

/* --- questions --- */

struct telling {
	struct helper *h;
	struct request *r;
	int64_t end_ms; /* of monotonic time: others wait as long */
	bool lost;      /* the client hears no more */
};

static struct telling start_telling(struct helper *h, struct request *r)
{
	return (struct telling){ h, r, bw_clock_monotonic_ms() + LISTING_MS, false };
}

static void add_mark(struct packet *out, const struct bw_queued *row)
{
	packet_add_hash(out, "id", &row->mark.id);
	packet_add_hash(out, "conversation", &row->mark.conversation);
	packet_add_hash(out, "message", &row->mark.message);
	packet_add(out, "list", row->mark.list);
	packet_add_text(out, "guard", bw_guard_name(row->mark.guard));
	packet_add_text(out, "side", bw_side_name(row->mark.side));
	packet_add_int(out, "deliveries", row->mark.deliveries);
	packet_add_int(out, "at", row->mark.held_ms);
	packet_add(out, "sender", row->sender);
	packet_add(out, "subject", row->subject);
	packet_add(out, "message_id", row->message_id);
	packet_add(out, "recipients", row->recipients);
}

/* Of what is not ours, only that it is there. */
static bool tell_row(void *ctx, const struct bw_queued *row)
{
	struct telling *t = ctx;
	struct packet *out = &t->h->out;

	packet_reset(out);
	packet_add_text(out, "is", "row");
	packet_add(out, "queue", row->queue_id);
	packet_add_int(out, "held", row->held);
	packet_add_int(out, "arrived", row->arrived_ms);
	if (row->known)
		packet_add_int(out, "known", true);
	if (row->marked)
		add_mark(out, row);
	else if (!row->held && row->mark_text.n > 0)
		packet_add(out, "mark", row->mark_text);
	int64_t left_ms = t->end_ms - bw_clock_monotonic_ms();

	t->lost = packet_send(t->r->client, out, left_ms < ANSWER_MS ? left_ms : ANSWER_MS, NULL) != BW_OK;
	return !t->lost;
}

static enum bw_err run_look(struct helper *h, struct request *r)
{
	struct telling t = start_telling(h, r);

	return r->mta->look(&r->place, &h->site, r->queue_id, tell_row, &t, &r->why);
}

/* Who knows most of what is held wants to know of it only that it is there. */
static bool know_all(void *ctx, struct bw_slice queue_id, int64_t arrived_ms)
{
	(void)ctx;
	(void)queue_id;
	(void)arrived_ms;
	return true;
}

static enum bw_err run_each(struct helper *h, struct request *r)
{
	struct telling t = start_telling(h, r);
	const struct bw_queue_walk walk = { know_all, tell_row, &t };
	enum bw_err err = packet_is(&h->in, "brief", "1") && r->mta->walk != NULL ? r->mta->walk(&r->place, &h->site, &walk, &r->why)
	                                                                          : r->mta->each(&r->place, &h->site, tell_row, &t, &r->why);

	return err == BW_OK && t.lost ? bw_fail(&r->why, BW_ERR_IO, "who asked hears no more") : err;
}

/* Their marks are told as they stand there: only the ledger knows by which queue id they are sealed. */
static enum bw_err run_carriers(struct helper *h, struct request *r)
{
	struct telling t = start_telling(h, r);
	int64_t since_ms = 0;

	packet_get_int(&h->in, "since", &since_ms);
	if (r->mta->carriers == NULL)
		return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "%s has no such thing as requeue", r->mta->name);
	enum bw_err err = r->mta->carriers(&r->place, since_ms, tell_row, &t, &r->why);

	return err == BW_OK && t.lost ? bw_fail(&r->why, BW_ERR_IO, "who asked hears no more") : err;
}

/* --- commands --- */

static enum bw_err run_release(struct helper *h, struct request *r)
{
	enum bw_err err = helper_check_parts(h, r, SIZE_MAX);

	return err == BW_OK ? r->mta->release(&r->place, r->queue_id, &r->why) : err;
}

static enum bw_err run_requeue(struct helper *h, struct request *r)
{
	(void)h;
	if (r->mta->requeue == NULL)
		return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "%s has no such thing as requeue", r->mta->name);
	return r->mta->requeue(&r->place, r->queue_id, &r->why);
}

static enum bw_err run_hold(struct helper *h, struct request *r)
{
	(void)h;
	return r->mta->hold(&r->place, r->queue_id, &r->why);
}

static enum bw_err run_delete(struct helper *h, struct request *r)
{
	enum bw_err err = helper_check_parts(h, r, HELPER_PARTS_MAX);

	return err == BW_OK ? r->mta->drop(&r->place, r->queue_id, &r->why) : err;
}

#define ORDER(kind) (1U << BW_ORDER_##kind)

static const struct ask asks[] = {
	{ .name = "look", .about_one = true, .run = run_look },
	{ .name = "each", .run = run_each },
	{ .name = "carriers", .run = run_carriers },
	{ .name = "fetch", .orders = ORDER(DELETE) | ORDER(DROP), .about_one = true, .due = true, .run = helper_fetch },
	{ .name = "release", .orders = ORDER(RELEASE) | ORDER(THAW), .about_one = true, .once = true, .delivers = true, .run = run_release },
	{ .name = "requeue", .orders = ORDER(RELEASE), .about_one = true, .once = true, .run = run_requeue },
	{ .name = "hold", .orders = ORDER(FREEZE), .about_one = true, .once = true, .run = run_hold },
	{ .name = "delete", .orders = ORDER(DELETE) | ORDER(DROP), .about_one = true, .due = true, .once = true, .run = run_delete },
	{ .name = "put", .orders = ORDER(RESTORE), .about_one = true, .places = true, .once = true, .run = helper_put },
};

static enum bw_err find_ask(const struct helper *h, struct request *r)
{
	struct bw_slice name = packet_get(&h->in, "ask");

	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		if (bw_slice_equal(name, bw_slice_of(asks[i].name))) {
			r->ask = &asks[i];
			return BW_OK;
		}
	}
	return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "nothing that can be asked");
}

/* --- the answer --- */

static void say(const struct helper *h, const struct request *r, enum bw_err err)
{
	const char *name = r->ask == NULL ? "request" : r->ask->name;
	struct bw_buf text;

	/* Questions are asked all day long; only what was done, and what was not, is history. */
	if (err == BW_OK && !r->ask->once)
		return;
	bw_buf_init(&text, BW_WHY_BYTES);
	if (err == BW_OK)
		bw_buf_printf(&text, "%s %s of %s%s", name, r->queue_id, r->mta->name, r->ordered ? "" : ": it has waited for hold.keep");
	else
		bw_buf_printf(&text, "%s: %s", name, r->why.text);
	h->log(h->log_ctx, err, err == BW_OK ? "done" : r->refusal != BW_REFUSAL_NONE ? "refused" : "failed",
	       r->refusal != BW_REFUSAL_NONE ? bw_refusal_name(r->refusal) : NULL, bw_buf_text(&text));
	bw_buf_done(&text);
}

static bool answer(struct helper *h, struct request *r, enum bw_err err)
{
	struct packet *out = &h->out;

	if (err == BW_ERR_NOT_FOUND && r->refusal == BW_REFUSAL_NONE)
		r->refusal = BW_REFUSAL_NO_MESSAGE;
	say(h, r, err);
	if (err != BW_OK) {
		packet_drop_files(out);
		packet_reset(out);
		packet_add_text(out, "is", r->refusal != BW_REFUSAL_NONE ? "refused" : "failed");
		if (r->refusal != BW_REFUSAL_NONE)
			packet_add_text(out, "code", bw_refusal_name(r->refusal));
		else
			packet_add_text(out, "err", bw_err_name(err));
		packet_add_text(out, "why", r->why.text);
	} else {
		packet_add_text(out, "is", "done");
	}
	bool sent = packet_send(r->client, out, ANSWER_MS, NULL) == BW_OK;

	packet_drop_files(out);
	return sent;
}

/* Noted when it is done, not before: killed in between, the order finds nothing left to do. */
static enum bw_err note_done(struct helper *h, const struct request *r)
{
	struct bw_why why;

	helper_reach(h, BW_HELPER_DONE);
	enum bw_err err = r->ordered ? nonces_add(h->nonces, &r->order.nonce, r->order.until_ms, r->now_ms, &why) : BW_OK;

	if (err != BW_OK)
		h->log(h->log_ctx, err, "note-failed", NULL, why.text);
	helper_reach(h, BW_HELPER_NOTED);
	return err;
}

/* Sendmail's queue run is root's; whoever asked is not kept waiting for it. */
static void deliver(struct helper *h, struct request *r)
{
	struct bw_why why;

	if (!r->ask->delivers || strcmp(r->mta->name, "sendmail") != 0)
		return;
	helper_reach(h, BW_HELPER_ANSWERED);
	/* Where this fails, the next queue run delivers. */
	if (r->mta->deliver(&r->place, r->queue_id, &why) != BW_OK)
		h->log(h->log_ctx, BW_ERR_IO, "deliver-failed", NULL, why.text);
}

bool helper_serve(struct helper *h, int client)
{
	struct request r = { .client = client, .now_ms = bw_clock_now_ms() };
	enum bw_err err = packet_receive(client, &h->in, ANSWER_MS, &r.why);

	if (err == BW_ERR_NOT_FOUND || err == BW_ERR_IO) {
		packet_drop_files(&h->in);
		return false;
	}
	packet_reset(&h->out);
	err = err == BW_OK ? find_ask(h, &r) : helper_refuse(&r, BW_REFUSAL_BAD_REQUEST, "no packet of breakwater");
	if (err == BW_OK)
		err = helper_check(h, &r);
	if (err == BW_OK) {
		helper_reach(h, BW_HELPER_CHECKED);
		err = r.ask->run(h, &r);
	}
	if (err == BW_OK && r.ask->once)
		note_done(h, &r);
	/* What look and each have sent stands in the packet still. */
	if (err == BW_OK && r.ask->orders == 0)
		packet_reset(&h->out);
	bool sent = answer(h, &r, err);

	packet_drop_files(&h->in);
	if (err == BW_OK)
		deliver(h, &r);
	return sent;
}

void helper_turn_away(struct helper *h, int client, const char *text)
{
	struct request r = { .client = client };

	packet_reset(&h->out);
	answer(h, &r, helper_refuse(&r, BW_REFUSAL_NOT_ALLOWED, "%s", text));
}
