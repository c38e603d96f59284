/* One message from its statement to a verdict: made as its sender's program would, brought as an MTA would. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "letter.h"
#include "play.h"

/* --- making --- */

static enum bw_err no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "no memory for a message of the simulation");
}

static void add_message_id(const struct due *due, struct bw_slice from, struct bw_buf *out)
{
	const struct statement *st = due->statement;
	struct bw_slice domain = bw_address_domain(from);

	if (st->u.mail.message_id.n > 0) {
		bw_buf_add(out, st->u.mail.message_id);
		return;
	}
	bw_buf_printf(out, "%d.%" PRId64 "@simulate.%.*s", st->line, due->number + 1, (int)domain.n, domain.p);
}

/* When the message was written: a message-id= that was used before means that very message again (semantics 3: an id
 * with another Date is another message). */
static int64_t date_of(struct play *p, const struct due *due)
{
	struct bw_slice id = due->statement->u.mail.message_id;
	int64_t *date = id.n == 0 ? NULL : bw_map_find(&p->dates, id);

	if (date != NULL)
		return *date;
	if (id.n > 0 && (date = bw_arena_alloc(p->arena, sizeof(*date))) != NULL) {
		*date = BW_SIMULATE_START_MS + due->at_ms;
		(void)bw_map_put(&p->dates, id, date);
	}
	return BW_SIMULATE_START_MS + due->at_ms;
}

/* A subject of its own for a post without one, so that base subjects tie no strangers together. */
static void add_subject(const struct due *due, const struct thread *thread, struct bw_buf *out)
{
	const struct mail_plan *plan = &due->statement->u.mail;

	if (plan->has_subject)
		bw_buf_add(out, plan->subject);
	else if (plan->kind != KIND_POST && plan->kind != KIND_LIST_OUTPUT && thread != NULL)
		bw_buf_add_text(out, thread->subject);
	else
		bw_buf_printf(out, "Notice %d-%" PRId64, due->statement->line, due->number + 1);
}

/* Posts, list output and recalls are messages of their own. */
static bool answers(enum mail_kind kind)
{
	return kind != KIND_POST && kind != KIND_LIST_OUTPUT && kind != KIND_RECALL;
}

static void write_offer(struct play *p, const struct due *due, struct bw_slice from, struct bw_slice subject, struct offer *offer)
{
	const struct mail_plan *plan = &due->statement->u.mail;
	const struct thread *thread = offer->thread;
	bool refer = answers(plan->kind) && thread != NULL && !plan->no_refs;
	struct letter letter = {
		.kind = plan->kind,
		.from = from,
		.to = plan->kind == KIND_LIST_OUTPUT ? plan->to[0] : plan->to_text,
		.subject = subject,
		.prefix = !plan->has_subject,
		.message_id = bw_slice_of(offer->message_id),
		.date_ms = date_of(p, due),
		.references = refer ? (const char *const *)thread->chain : NULL,
		.reference_count = refer ? thread->chain_count : 0,
		.list_address = plan->to[0],
		.list_id = plan->lists[0] == NULL ? (struct bw_slice){ NULL, 0 } : plan->lists[0]->list_id,
	};

	bw_letter_write_head(&letter, &offer->head);
	bw_letter_write_body(&letter, &offer->body);
}

static enum bw_err find_thread(struct play *p, const struct due *due, struct bw_slice subject, struct offer *offer,
                               struct bw_why *why)
{
	const struct mail_plan *plan = &due->statement->u.mail;

	if (plan->kind == KIND_POST) {
		struct bw_slice id = bw_slice_of(offer->message_id);
		offer->thread = bw_threads_found(&p->threads, plan, subject, id);
		return offer->thread == NULL ? no_memory(why) : BW_OK;
	}
	offer->thread = bw_thread_ref(bw_threads_of(&p->threads, plan));
	return BW_OK;
}

enum bw_err bw_offer_make(struct play *p, const struct due *due, struct bw_slice from, struct offer **out, struct bw_why *why)
{
	struct offer *offer = calloc(1, sizeof(*offer));
	struct bw_buf text;

	if (offer == NULL)
		return no_memory(why);
	bw_buf_init(&offer->head, 64 << 10);
	bw_buf_init(&offer->body, 64 << 10);
	bw_buf_init(&text, 2048);
	add_message_id(due, from, &text);
	offer->message_id = bw_slice_dup(bw_buf_slice(&text));
	bw_buf_reset(&text);
	add_subject(due, bw_threads_of(&p->threads, &due->statement->u.mail), &text);
	enum bw_err err = offer->message_id == NULL ? no_memory(why) : find_thread(p, due, bw_buf_slice(&text), offer, why);

	if (err == BW_OK) {
		write_offer(p, due, from, bw_buf_slice(&text), offer);
		*out = offer;
	} else {
		bw_offer_free(&offer);
	}
	bw_buf_done(&text);
	return err;
}

/* --- bringing --- */

static bool names_a_list(const struct mail_plan *plan)
{
	for (size_t i = 0; i < plan->to_count; i++) {
		if (plan->lists[i] != NULL)
			return true;
	}
	return false;
}

/* Does the i-th address of to= stand in the header only? The lists of an expander's message do, and the list whose output a
 * list server brings: they are expanded already, be they known to the directory or not. From anybody else such a header is a claim, and
 * the list a recipient. */
static bool is_expanded(const struct play *p, const struct mail_plan *plan, const char *client, size_t i)
{
	struct bw_world *world = bw_engine_world(p->stage.engine);
	const struct bw_config *config = bw_world_config(world);
	bool expander = bw_networks_contain(config->internal.expanders, client);
	bool list_server = bw_networks_contain(config->internal.list_servers, client);

	bw_world_unref(&world);
	if (list_server && plan->kind == KIND_LIST_OUTPUT)
		return i == 0;
	return expander && (plan->lists[i] != NULL || (plan->rcpts > 0 && !names_a_list(plan)));
}

/* "r7@nhs.example": single recipients are numbered through the statement, so that each transaction has its own. */
static void bring_singles(struct play *p, const struct due *due, int64_t n)
{
	const char *domain = p->stage.domain_count > 0 ? p->stage.domains[0] : "simulate.example";
	char path[BW_ADDRESS_MAX];

	for (int64_t i = 0; i < n; i++) {
		int length = snprintf(path, sizeof(path), "<r%" PRId64 "@%s>", due->number * n + i + 1, domain);

		bw_session_rcpt(p->stage.session, (struct bw_slice){ path, (size_t)length < sizeof(path) ? (size_t)length : 0 }, NULL);
	}
}

static void bring_envelope(struct play *p, const struct due *due, const char *client, struct bw_slice sender)
{
	const struct mail_plan *plan = &due->statement->u.mail;
	struct bw_session *session = p->stage.session;
	struct bw_buf text, auth;
	int64_t singles = plan->rcpts;
	bool any = false;

	bw_buf_init(&text, (size_t)2 * BW_ADDRESS_MAX);
	bw_buf_init(&auth, BW_ADDRESS_MAX);
	bw_buf_printf(&text, "<%.*s>", (int)sender.n, sender.p);
	bw_range_print(&plan->auth, due->number, &auth);
	bw_session_connect(session, client, NULL);
	bw_session_mail(session, bw_buf_slice(&text), auth.n > 0 ? bw_buf_text(&auth) : NULL, NULL,
	                (int64_t)(due->offer->head.n + due->offer->body.n));
	for (size_t i = 0; i < plan->to_count; i++) {
		if (is_expanded(p, plan, client, i))
			continue;
		bw_buf_reset(&text);
		bw_buf_printf(&text, "<%.*s>", (int)plan->to[i].n, plan->to[i].p);
		bw_session_rcpt(session, bw_buf_slice(&text), NULL);
		any = true;
	}
	bring_singles(p, due, singles == 0 && !any ? 1 : singles);
	bw_buf_done(&text);
	bw_buf_done(&auth);
}

static const char *client_of(const struct mail_plan *plan)
{
	if (plan->client.n > 0)
		return plan->client.p;
	return plan->kind == KIND_LIST_OUTPUT ? BW_STAGE_LIST_SERVER : BW_STAGE_CLIENT;
}

static void judge(struct play *p, const struct due *due, struct outcome *out)
{
	struct bw_session *session = p->stage.session;
	char queue_id[32];

	bw_letter_feed(session, bw_buf_slice(&due->offer->head));
	(void)bw_session_body(session, bw_buf_slice(&due->offer->body));
	(void)snprintf(queue_id, sizeof(queue_id), "%015" PRIX64, (uint64_t)++p->queue_ids);
	const struct bw_judgement *j = bw_session_end(session, queue_id, BW_SIMULATE_START_MS + due->at_ms);

	out->verdict = j->verdict;
	out->sentence = j->sentence[0] != '\0' ? j->sentence : j->would_sentence;
}

void bw_offer_bring(struct play *p, const struct due *due, struct bw_slice from, struct outcome *out)
{
	const struct mail_plan *plan = &due->statement->u.mail;
	bool null_sender = bw_letter_has_null_sender(plan->kind) || bw_slice_equal(from, BW_S("<>"));

	*out = (struct outcome){ .due = due, .from = from, .sentence = "" };
	bring_envelope(p, due, client_of(plan), null_sender ? (struct bw_slice){ NULL, 0 } : from);
	if (bw_session_data(p->stage.session) == BW_STEP_GO_ON)
		judge(p, due, out);
	const struct bw_facts *facts = bw_session_facts(p->stage.session);

	out->list_mail = facts->list_count > 0;
	out->fanout = facts->fanout;
	if (p->recovered && out->list_mail && !out->verdict.degraded) {
		p->recovered = false;
		if (out->verdict.event == BW_EVENT_NONE)
			out->verdict.event = BW_EVENT_RECOVERED;
	}
}
