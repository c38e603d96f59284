/* Learning (semantics 4): what list servers and expanders hand on teaches how many members a list has. Messages add up in the daemon; the
 * tick sums them over all hosts and writes proposals, which act in shadow until somebody confirms them. */
#include <stdio.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "internal.h"

enum {
	LEAST_OUTPUT = 2, /* what one person gets of a list server is a notice */
	EVENTS_AN_HOUR = 20,
	OVERRUN = 4, /* sizes grow old, and some members stand in several lists; but no post goes to so many times its list */
};
/* A large list takes its time: what is sent within so long is one message. */
#define WINDOW_MS (6 * BW_HOUR_MS)

/* --- from messages --- */

/* Two messages of one list are two, and so is one message to two lists; who sent it to whom does not matter: VERP writes another
 * envelope sender each time. */
static struct bw_hash key_of(const struct bw_world *world, struct bw_slice address, const struct bw_facts *f)
{
	struct bw_hash key = bw_hash_slice(bw_world_key(world), "learned", address);
	struct bw_hash message = bw_mail_identity(bw_world_key(world), BW_S("learned"), &f->header, false);

	bw_hash_sum(&key, &message);
	return key;
}

static void teach(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f, struct bw_lesson *lesson)
{
	lesson->key = key_of(world, lesson->address, f);
	lesson->client = bw_slice_of(f->client_ip);
	lesson->recipients = f->recipients;
	lesson->expander = f->expander;
	bw_learning_add(e->learning, lesson, bw_engine_now(e));
}

/* RFC 2919: "all.example.org" is the customary id of all@example.org. The local part may hold dots too: the directory's own lists are found
 * by their id, and of others List-Post says the address; this is for those who write none. */
static bool address_of_id(struct bw_slice id, struct bw_address *out)
{
	char text[BW_LEARNING_ADDRESS_BYTES];
	size_t dot = bw_slice_find(id, '.');

	if (dot == 0 || dot + 1 >= id.n || id.n >= sizeof(text))
		return false;
	bw_slice_copy(id, text, sizeof(text));
	text[dot] = '@';
	return bw_address_normalise(bw_slice_of(text), 0, out);
}

/* What goes into the directory must be fit for it. */
static bool is_clean(struct bw_slice id)
{
	for (size_t i = 0; i < id.n; i++) {
		if ((unsigned char)id.p[i] <= ' ' || (unsigned char)id.p[i] >= 0x7f)
			return false;
	}
	return true;
}

static void learn_output(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f)
{
	const struct bw_header *h = &f->header;
	const struct bw_list *list = h->list_id.n == 0 ? NULL : bw_directory_find_list_id(bw_world_directory(world), h->list_id);
	struct bw_lesson lesson = { .list_id = is_clean(h->list_id) ? h->list_id : BW_S(""), .least = LEAST_OUTPUT };
	struct bw_address address = { "", false, false, false };

	if (list != NULL)
		lesson.address = list->address;
	else if (h->list_address.n > 0)
		lesson.address = h->list_address;
	else if (address_of_id(h->list_id, &address))
		lesson.address = bw_slice_of(address.text);
	if (lesson.address.n > 0)
		teach(e, world, f, &lesson);
}

static bool has_own_id(const struct bw_facts *f)
{
	return f->header.message_id.n > 0 && !f->message_id_is_ours;
}

/* A name that the directory does not know may be anybody's to whom somebody wrote, with many in Bcc: it makes a list from `medium` on only,
 * and none when it is a recipient itself. */
static void learn_unknown(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f)
{
	struct bw_hash address = bw_hash_slice(bw_world_key(world), "recipient", f->unknown);
	struct bw_lesson lesson = { .address = f->unknown,
		                        .list_id = BW_S(""),
		                        .least = bw_world_config(world)->tiers.from[BW_TIER_MEDIUM],
		                        .doubtful = !has_own_id(f) };

	for (size_t i = 0; i < f->mailbox_count; i++)
		lesson.doubtful = lesson.doubtful || bw_hash_equal(&f->mailboxes[i], &address);
	teach(e, world, f, &lesson);
}

/* Of several lists nobody knows whose members these recipients are; they are added up all the same, for all of them. */
static void learn_expansion(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f)
{
	int named = f->unknown_count;

	for (size_t i = 0; i < f->list_count; i++)
		named += f->lists[i].named_only;
	for (size_t i = 0; i < f->list_count; i++) {
		struct bw_lesson lesson = { .address = f->lists[i].list->address,
			                        .list_id = BW_S(""),
			                        .least = 1,
			                        .doubtful = named != 1 || !has_own_id(f) };

		if (f->lists[i].named_only)
			teach(e, world, f, &lesson);
	}
	if (named == 1 && f->unknown_count == 1)
		learn_unknown(e, world, f);
}

bool bw_learn_overrun(const struct trial *t, const struct bw_list *list)
{
	struct bw_hash key = key_of(t->world, list->address, t->facts);

	return bw_learning_total(t->engine->learning, &key) > OVERRUN * list->size;
}

void bw_engine_learn(struct bw_engine *e, const struct bw_world *world, const struct bw_facts *f)
{
	if (f->recipients == 0)
		return;
	/* Without an id of its own a message cannot be told from the next one. */
	if (f->header.class == BW_CLASS_LIST_OUTPUT && has_own_id(f))
		learn_output(e, world, f);
	else if (f->expander)
		learn_expansion(e, world, f);
}

/* --- to the store --- */

/* What other hosts saw of the same message is in the totals. A batch that fails is lost: too little is learned then, never too much. */
static void sum_up(struct bw_engine *e, int64_t given_ms)
{
	struct bw_learning_sum sums[BW_LEARNING_BATCH];
	struct bw_meter_in in[BW_LEARNING_BATCH];
	int64_t totals[BW_LEARNING_BATCH];
	size_t n = bw_learning_take(e->learning, sums);

	for (size_t i = 0; i < n; i++)
		in[i] = (struct bw_meter_in){ .now_ms = given_ms,
			                          .meter = BW_METER_MEMBERS,
			                          .key = sums[i].key,
			                          .amount = sums[i].amount,
			                          .window_ms = WINDOW_MS };
	if (n == 0)
		return;
	bool good = e->store->ops->meter(e->store, in, totals, n, NULL) == BW_OK;

	bw_learning_settle(e->learning, sums, good ? totals : NULL, n);
}

/* Is it another size than what the directory says? A few more or less are no news, and less says little: members who get no mail, and those
 * whom another host delivers to. */
static bool is_news(const struct bw_list *list, const struct bw_finding *f)
{
	if (list == NULL)
		return true;
	if (f->size > list->size)
		return f->size - list->size > list->size / 10;
	return f->whole && !f->expander && list->source != BW_SOURCE_LEARNED && f->size < list->size / 2;
}

static void write_event(struct bw_engine *e, struct bw_slice list, struct bw_buf *text, int64_t given_ms)
{
	struct bw_event_row row = { .at_ms = given_ms,
		                        .event = BW_EVENT_LEARNED,
		                        .host = bw_slice_of(e->options.host),
		                        .list = list,
		                        .text = bw_buf_slice(text) };
	struct bw_buf line;

	(void)e->store->ops->event_add(e->store, &row, NULL); /* the log line says the same */
	bw_buf_init(&line, BW_LOGLINE_MAX);
	bw_logline_start(&line, bw_event_name(BW_EVENT_LEARNED));
	if (list.n > 0)
		bw_logline_str(&line, "list", list);
	bw_logline_str(&line, "why", bw_buf_slice(text));
	if (e->options.log.write != NULL)
		e->options.log.write(e->options.log.ctx, BW_SEV_WARNING, bw_buf_slice(&line));
	bw_buf_done(&line);
}

/* Some an hour one by one, then once that there are more. */
static bool may_tell(struct learner *l, int64_t now_ms)
{
	if (now_ms - l->hour_ms >= BW_HOUR_MS || now_ms < l->hour_ms) {
		l->hour_ms = now_ms;
		l->told = 0;
	}
	return l->told++ <= EVENTS_AN_HOUR;
}

static void tell(struct bw_engine *e, const struct bw_finding *f, const struct bw_list *list, int64_t given_ms)
{
	struct bw_buf text;
	bool more = false;

	if (!may_tell(&e->learner, bw_engine_now(e)))
		return;
	more = e->learner.told > EVENTS_AN_HOUR;
	bw_buf_init(&text, BW_WHY_BYTES);
	if (more) {
		bw_buf_add_text(&text, "more sizes were learned than are told one by one; `list ls --all` shows them");
	} else {
		bw_buf_printf(&text, "%s has ", f->address);
		bw_print_count(&text, f->size);
		bw_buf_printf(&text, " members by what %s %s handed on, ", f->expander ? "expander" : "list server", f->client);
		if (list == NULL) {
			bw_buf_add_text(&text, "and the directory does not know it");
		} else {
			bw_print_count(&text, list->size);
			bw_buf_add_text(&text, " by the directory");
		}
		bw_buf_printf(&text, "; `list confirm %s` takes the new size", f->address);
	}
	write_event(e, more ? BW_S("") : bw_slice_of(f->address), &text, given_ms);
	bw_buf_done(&text);
}

static void tell_full(struct bw_engine *e, int64_t given_ms)
{
	struct learner *l = &e->learner;
	int64_t now_ms = bw_engine_now(e);
	struct bw_buf text;

	if (l->full_ms != 0 && now_ms >= l->full_ms && now_ms - l->full_ms < BW_DAY_MS)
		return;
	l->full_ms = now_ms;
	bw_buf_init(&text, BW_WHY_BYTES);
	bw_buf_printf(&text, "there are %d learned lists, and no more are taken; confirm or remove some (`list ls --all`)", BW_LEARNED_MAX);
	write_event(e, BW_S(""), &text, given_ms);
	bw_buf_done(&text);
}

/* The findings that are news, as rows; origins[i] is the text of rows[i]. */
static size_t propose(const struct bw_world *world, struct bw_finding *found, size_t n, struct bw_list_row *rows, char (*origins)[96])
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct bw_finding *f = &found[i];

		if (f->size > BW_LIST_SIZE_MAX || !is_news(bw_directory_find(bw_world_directory(world), bw_slice_of(f->address)), f))
			continue;
		if (kept < i)
			found[kept] = *f;
		f = &found[kept];
		(void)snprintf(origins[kept], sizeof(origins[kept]), "%s %s", f->expander ? "expander" : "list server", f->client);
		rows[kept] = (struct bw_list_row){ .address = bw_slice_of(f->address),
			                               .list_id = bw_slice_of(f->list_id),
			                               .origin = bw_slice_of(origins[kept]),
			                               .size = f->size,
			                               .source = BW_SOURCE_LEARNED };
		kept++;
	}
	return kept;
}

void bw_engine_flush_learned(struct bw_engine *e, const struct bw_world *world, int64_t now_ms)
{
	struct bw_finding found[BW_LEARNING_BATCH];
	struct bw_list_row rows[BW_LEARNING_BATCH];
	enum bw_learn became[BW_LEARNING_BATCH];
	char origins[BW_LEARNING_BATCH][96];
	int64_t given_ms = atomic_load_explicit(&e->virtual_ms, memory_order_relaxed) != 0 ? now_ms : 0;
	size_t n = 0;

	sum_up(e, given_ms);
	n = propose(world, found, bw_learning_due(e->learning, found, BW_LEARNING_BATCH, now_ms), rows, origins);
	for (size_t i = 0; i < n; i++)
		rows[i].changed_ms = given_ms;
	if (n == 0 || e->store->ops->list_learn(e->store, rows, became, n, NULL) != BW_OK)
		return; /* the next message of these lists teaches it again */
	for (size_t i = 0; i < n; i++) {
		if (became[i] == BW_LEARN_FULL)
			tell_full(e, given_ms);
		if (became[i] != BW_LEARN_WRITTEN)
			continue;
		atomic_fetch_add_explicit(&e->learned, 1, memory_order_relaxed);
		tell(e, &found[i], bw_directory_find(bw_world_directory(world), rows[i].address), given_ms);
	}
}
