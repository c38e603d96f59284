/* An archive of mail, brought through the session message by message, as if its list were ours. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bw/mbox.h"
#include "stage.h"
#include "tally.h"

/* The time is the archive's own: the store is a fresh one in memory and knows no other. Sentences show real dates then.
 *
 * Garbage is collected after so many messages: by the clock, a quiet archive would do little else. */
enum { SWEEP_MESSAGES = 4096, ENVELOPE_BYTES = 2 * BW_ADDRESS_MAX };

struct archive {
	const struct bw_scenario *scenario;
	const struct bw_simulate_options *options;
	struct stage stage;
	struct tally tally;
	struct bw_slice to; /* the list */
	int64_t first_ms;   /* of the first message, since 1970 */
	int64_t messages;
};

/* --- who sent it --- */

/* The fields that may say so. */
struct authors {
	struct bw_slice from, mail_from, reply_to, list_post;
};

static void note_author(void *ctx, struct bw_slice name, struct bw_slice value)
{
	struct authors *a = ctx;
	const struct {
		const char *name;
		struct bw_slice *value;
	} fields[] = {
		{ "From", &a->from },
		{ "X-MailFrom", &a->mail_from }, /* Mailman 3: the envelope's sender as it received the message */
		{ "Reply-To", &a->reply_to },
		{ "List-Post", &a->list_post },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].value->n == 0 && bw_slice_equal_nocase(name, bw_slice_of(fields[i].name)))
			*fields[i].value = value;
	}
}

static void keep_address(void *ctx, const struct bw_address *a)
{
	*(struct bw_address *)ctx = *a;
}

/* The first mailbox of a field that is not the list itself; false: there is none. */
static bool is_person(const struct archive *a, struct bw_slice field, struct bw_slice list_post, struct bw_address *out)
{
	struct bw_address address = { .text = "" };

	bw_address_list(field, 1, keep_address, &address);
	struct bw_slice text = bw_slice_of(address.text);

	if (text.n == 0 || bw_slice_equal_nocase(text, a->to) || bw_slice_contains_nocase(list_post, text))
		return false;
	*out = address;
	return true;
}

/* "<ADDRESS>", "<>" for the null sender. List managers that rewrite From (DMARC) put themselves there: then it is whoever they name
 * instead, or else the display name, which at least tells one person from another. */
static void write_sender(const struct archive *a, const struct bw_mbox_message *mail, struct bw_buf *out)
{
	struct authors authors = { 0 };
	struct bw_address address;

	bw_buf_reset(out);
	bw_mbox_fields(mail->head, note_author, &authors);
	if (bw_slice_equal_nocase(mail->sender, BW_S("MAILER-DAEMON")))
		bw_buf_add_text(out, "<>"); /* as Postfix writes it */
	else if (is_person(a, authors.from, authors.list_post, &address) || is_person(a, authors.mail_from, authors.list_post, &address) ||
	         is_person(a, authors.reply_to, authors.list_post, &address))
		bw_buf_printf(out, "<%s>", address.text);
	else
		bw_buf_add(out, authors.from.n > 0 ? authors.from : mail->sender);
}

/* --- one message --- */

static void add_field(void *ctx, struct bw_slice name, struct bw_slice value)
{
	bw_session_header(ctx, name, value);
}

static void judge(struct archive *a, const struct bw_mbox_message *mail, int64_t now_ms, struct outcome *out)
{
	struct bw_session *s = a->stage.session;
	char queue_id[32];

	bw_mbox_fields(mail->head, add_field, s);
	(void)bw_session_body(s, mail->body);
	(void)snprintf(queue_id, sizeof(queue_id), "%015" PRIX64, (uint64_t)a->messages);
	const struct bw_judgement *j = bw_session_end(s, queue_id, now_ms);

	out->verdict = j->verdict;
	out->sentence = j->sentence[0] != '\0' ? j->sentence : j->would_sentence;
}

static enum mail_kind kind_of(const struct bw_header *h)
{
	static const enum mail_kind kinds[BW_CLASS_COUNT] = {
		[BW_CLASS_HUMAN] = KIND_POST,       [BW_CLASS_BULK] = KIND_POST,
		[BW_CLASS_AUTO_REPLY] = KIND_AUTO_REPLY, [BW_CLASS_MDN] = KIND_MDN,
		[BW_CLASS_DSN] = KIND_DSN,          [BW_CLASS_RECALL] = KIND_RECALL,
		[BW_CLASS_CALENDAR_REPLY] = KIND_CALENDAR_REPLY, [BW_CLASS_LIST_OUTPUT] = KIND_LIST_OUTPUT,
	};

	return kinds[h->class] == KIND_POST && h->looks_like_reply ? KIND_REPLY : kinds[h->class];
}

static void tell(struct archive *a, const struct outcome *o)
{
	struct bw_simulate_message m = {
		.line = o->due->statement->line,
		.ordinal = 1,
		.of = 1,
		.at_ms = o->due->at_ms,
		.kind = bw_scenario_kind_name(o->due->statement->u.mail.kind),
		.from = o->from,
		.to = a->to,
		.verdict = &o->verdict,
		.sentence = o->sentence,
	};

	if (a->options->message != NULL)
		a->options->message(a->options->ctx, &m);
}

/* What came of it, as of a statement of a scenario. */
static void conclude(struct archive *a, const struct bw_mbox_message *mail, struct outcome *o)
{
	const struct bw_facts *facts = bw_session_facts(a->stage.session);
	struct statement statement = {
		.kind = STATEMENT_MAIL,
		.line = (int)mail->line,
		.u.mail = { .kind = kind_of(&facts->header), .to_text = a->to, .to = &a->to, .to_count = 1 },
	};
	struct due due = { .at_ms = mail->at_ms - a->first_ms, .statement = &statement };

	statement.at_ms = due.at_ms;
	o->due = &due;
	o->list_mail = facts->list_count > 0;
	o->fanout = facts->fanout;
	bw_tally_offer(&a->tally, o);
	(void)bw_tally_message(&a->tally, o);
	bw_tally_archived(&a->tally, o, &facts->header, mail->at_ms);
	tell(a, o);
}

static void bring(struct archive *a, const struct bw_mbox_message *mail, const struct bw_buf *sender)
{
	struct bw_session *s = a->stage.session;
	struct bw_slice from = bw_buf_slice(sender);
	struct outcome o = { .from = from, .sentence = "" };
	char path[BW_ADDRESS_MAX + 2];
	int n = snprintf(path, sizeof(path), "<%.*s>", (int)a->to.n, a->to.p);

	bw_session_connect(s, BW_STAGE_CLIENT, NULL);
	if (from.n > 2 && from.p[0] == '<')
		o.from = bw_slice_head(bw_slice_from(from, 1), from.n - 2);
	bw_session_mail(s, from, NULL, NULL, 0);
	bw_session_rcpt(s, (struct bw_slice){ path, (size_t)n }, NULL);
	if (bw_session_data(s) == BW_STEP_GO_ON)
		judge(a, mail, mail->at_ms > 0 ? mail->at_ms : 1, &o); /* 0 would ask the clock */
	conclude(a, mail, &o);
}

/* --- all of them --- */

static enum bw_err sweep(struct archive *a, int64_t at_ms, struct bw_why *why)
{
	struct bw_store *store = a->stage.shared;

	if (a->messages % SWEEP_MESSAGES != 0)
		return BW_OK;
	return store->ops->expire(store, at_ms, a->stage.memory_ms, why);
}

static enum bw_err play_message(struct archive *a, const struct bw_mbox_message *mail, struct bw_buf *sender, struct bw_why *why)
{
	if (a->messages++ == 0)
		a->first_ms = a->tally.start_ms = mail->at_ms;
	write_sender(a, mail, sender);
	bring(a, mail, sender);
	return sweep(a, mail->at_ms, why);
}

static enum bw_err play_all(struct archive *a, struct bw_mbox *mbox, struct bw_why *why)
{
	struct bw_mbox_message mail;
	struct bw_buf sender;
	bool found = true;
	enum bw_err err = BW_OK;

	bw_buf_init(&sender, ENVELOPE_BYTES);
	while (err == BW_OK && (err = bw_mbox_next(mbox, &mail, &found, why)) == BW_OK && found)
		err = play_message(a, &mail, &sender, why);
	bw_buf_done(&sender);
	return err;
}

static enum bw_err play_archive(struct archive *a, const char *path, struct bw_why *why)
{
	struct bw_mbox *mbox = NULL;
	enum bw_err err = bw_stage_open(&a->stage, a->scenario, a->options, why);

	if (err == BW_OK && !bw_tally_init(&a->tally, a->scenario))
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for the simulation");
	if (err == BW_OK)
		err = bw_mbox_open(path, &mbox, why);
	if (err == BW_OK)
		err = play_all(a, mbox, why);
	if (err == BW_OK)
		err = bw_tally_history(&a->tally, a->stage.shared, why);
	bw_mbox_close(&mbox);
	return err;
}

enum bw_err bw_simulate_archive(const struct bw_scenario *scenario, const char *path, const struct bw_simulate_options *options,
                                struct bw_simulate_result **out, struct bw_why *why)
{
	struct archive a = { .scenario = scenario, .options = options, .to = scenario->lists->address };
	int64_t started_ms = options->monotonic_ms == NULL ? 0 : options->monotonic_ms();
	enum bw_err err = play_archive(&a, path, why);

	bw_tally_done(&a.tally);
	bw_stage_close(&a.stage);
	if (err != BW_OK) {
		bw_simulate_result_free(&a.tally.result);
		return err;
	}
	a.tally.result->start_ms = a.first_ms;
	if (options->monotonic_ms != NULL)
		a.tally.result->elapsed_ms = options->monotonic_ms() - started_ms;
	*out = a.tally.result;
	return BW_OK;
}

/* --- the scenario that stands for the list --- */

/* No word of the scenario language may hide in an address. */
static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text == 0x7F || strchr("\"#,[]\\", *text) != NULL)
			return false;
	}
	return true;
}

enum bw_err bw_scenario_of_list(const char *name, const char *address, int64_t size, struct bw_scenario **out, struct bw_why *why)
{
	struct bw_address list;
	struct bw_buf text;

	if (!bw_address_normalise(bw_slice_of(address), '\0', &list) || list.text[0] == '\0' || !is_plain(list.text))
		return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no address of a list", address);
	bw_buf_init(&text, (size_t)3 * BW_ADDRESS_MAX);
	/* A scenario wants something to happen; here the archive takes the statement's place. */
	bw_buf_printf(&text, "list %s size %" PRId64 "\nat 0s post from=archive@simulate.example to=%s\n", list.text, size, list.text);
	enum bw_err err = bw_scenario_parse(name, bw_buf_slice(&text), out, why);

	bw_buf_done(&text);
	return err;
}
