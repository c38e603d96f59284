/* Postfix: postsuper -H takes a message out of the hold queue and -h puts one in, postqueue -i has it delivered now, postsuper -r lets it
 * begin anew, -d removes it; postqueue -j lists the queue, postcat shows what stands in it. */
#include "postfix.h"

#include <jansson.h>
#include <string.h>

#include "order.h"
#include "reading.h"

enum { IDS_A_CALL = 64, LEAST_ID = 5, MOST_ID = 40 };

/* Letters and digits only (Postfix's short ids are hex, its long ones alphanumeric); never "ALL", which means every message. */
bool bw_agent_postfix_is_id(const char *text)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t n = strlen(text);

	return n >= LEAST_ID && n <= MOST_ID && strspn(text, allowed) == n;
}

/* `program` [-c DIR] `flag` ID [QUEUE]. */
static enum bw_err order(const struct bw_mta_place *place, struct order *o, struct bw_buf *said, struct bw_why *why)
{
	o->config_flag = "-c";
	o->option = "postfix-commands";
	if (!bw_agent_postfix_is_id(o->words[1]))
		return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of Postfix", o->words[1]);
	return bw_agent_order(place, o, said, why);
}

/* One order to postsuper, and what its line about the message says once it is done. */
struct step {
	const char *flag, *queue; /* NULL: wherever the message is */
	const char *done, *where;
};

static const struct step steps[] = {
	{ "-H", "hold", "released from hold", "in Postfix's hold queue" },
	{ "-d", "hold", "removed", "in Postfix's hold queue" },
	{ "-r", "hold", "requeued", "in Postfix's hold queue" },
	{ "-h", NULL, "placed on hold", "queued in Postfix" }, /* incoming, active and deferred (postsuper(1)) */
};

/* postsuper(1) exits 0 for an id that is not there ("Released from hold: 0 messages"); only the line with the id tells. */
static enum bw_err super(const struct bw_mta_place *place, const struct step *step, const char *queue_id, struct bw_why *why)
{
	struct order o = { .program = "postsuper", .words = { step->flag, queue_id, step->queue } };
	struct bw_buf said, wanted;

	bw_buf_init(&said, SAID_BYTES);
	bw_buf_init(&wanted, SAID_BYTES);
	enum bw_err err = order(place, &o, &said, why);

	bw_buf_printf(&wanted, "%s: %s", queue_id, step->done);
	if (err == BW_OK && !bw_slice_contains_nocase(bw_buf_slice(&said), bw_buf_slice(&wanted)))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not %s any more", queue_id, step->where);
	bw_buf_done(&wanted);
	bw_buf_done(&said);
	return err;
}

static enum bw_err release(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	return super(place, &steps[0], queue_id, why);
}

static enum bw_err drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	return super(place, &steps[1], queue_id, why);
}

static enum bw_err requeue(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct postfix_queue queue;
	enum bw_err err = super(place, &steps[2], queue_id, why);

	if (err == BW_OK && bw_agent_postfix_queue(place, &queue, NULL) == BW_OK)
		bw_agent_postfix_wake(&queue, queue_id);
	return err;
}

static enum bw_err hold(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	return super(place, &steps[3], queue_id, why);
}

/* Where nobody has said in which instance: an id that is not there is passed by. */
static enum bw_err deliver(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < bw_mta_instances(place); i++) {
		struct order o = { .program = "postqueue", .words = { "-i", queue_id } };
		const struct bw_mta_place one = bw_mta_instance(place, i);
		struct bw_buf said;

		bw_buf_init(&said, SAID_BYTES);
		enum bw_err its = order(&one, &o, &said, why);

		if (err == BW_OK)
			err = its;
		bw_buf_done(&said);
	}
	return err;
}

/* --- what stands in held messages --- */

/* postcat prints, for each file: "*** ENVELOPE RECORDS hold/ID ***", records as "name: value", "*** MESSAGE CONTENTS hold/ID ***", the
 * header, "*** HEADER EXTRACTED hold/ID ***", "*** MESSAGE FILE END hold/ID ***". No line of a header looks so: a field's name has no
 * blanks, and folding begins with one. */
static bool is_banner(struct bw_slice line, struct bw_slice what, struct bw_slice *id)
{
	struct bw_slice rest;

	if (!bw_slice_starts_nocase(line, BW_S("*** ")))
		return false;
	rest = bw_slice_from(line, 4);
	if (!bw_slice_starts_nocase(rest, what) || rest.n <= what.n + 1)
		return false;
	rest = bw_slice_from(rest, what.n + 1);
	rest = bw_slice_head(rest, bw_slice_find(rest, ' '));
	while (bw_slice_find(rest, '/') < rest.n)
		rest = bw_slice_from(rest, bw_slice_find(rest, '/') + 1);
	*id = rest;
	return true;
}

/* Some ids of the hold queue, and when their messages came. */
struct ids {
	char at[IDS_A_CALL][BW_QUEUE_ID_BYTES];
	int64_t arrived_ms[IDS_A_CALL];
	size_t count;
};

struct catting {
	struct reading reading;
	const struct ids *ids;
	bool in_header;
	size_t ended; /* messages that were read to their end */
};

static void start_message(struct catting *c, struct bw_slice id)
{
	reading_start(&c->reading, id);
	c->in_header = false;
	for (size_t i = 0; i < c->ids->count; i++) {
		if (bw_slice_equal(id, bw_slice_of(c->ids->at[i])))
			c->reading.arrived_ms = c->ids->arrived_ms[i];
	}
}

/* log_ident: the queue id that the message was given first; a file that is restored may have another name. */
static void note_record(struct reading *r, struct bw_slice line)
{
	static const struct bw_slice sender = { "sender: ", 8 }, recipient = { "recipient: ", 11 },
								 first_id = { "named_attribute: log_ident=", 27 };

	if (bw_slice_starts_nocase(line, sender)) {
		bw_buf_reset(&r->sender);
		bw_buf_add(&r->sender, bw_slice_from(line, sender.n));
	} else if (bw_slice_starts_nocase(line, recipient)) {
		reading_recipient(r, bw_slice_from(line, recipient.n));
	} else if (bw_slice_starts_nocase(line, first_id)) {
		bw_slice_copy(bw_slice_from(line, first_id.n), r->first_id, sizeof(r->first_id));
	}
}

static void cat_line(void *ctx, struct bw_slice line)
{
	struct catting *c = ctx;
	struct bw_slice id;

	if (is_banner(line, BW_S("ENVELOPE RECORDS"), &id)) {
		start_message(c, id);
	} else if (c->reading.in_it && is_banner(line, BW_S("MESSAGE CONTENTS"), &id)) {
		c->in_header = true;
	} else if (c->reading.in_it && is_banner(line, BW_S("HEADER EXTRACTED"), &id)) {
		c->in_header = false;
	} else if (c->reading.in_it && is_banner(line, BW_S("MESSAGE FILE END"), &id)) {
		c->ended++;
		reading_end(&c->reading);
	} else if (c->reading.in_it && c->in_header) {
		reading_header(&c->reading, line);
	} else if (c->reading.in_it) {
		note_record(&c->reading, line);
	}
}


static enum bw_err cat_some(const struct bw_mta_place *place, const struct ids *ids, size_t from, struct catting *c, struct bw_why *why)
{
	struct order o = { .program = "postcat", .config_flag = "-c", .words = { "-e", "-h", "-q" }, .option = "postfix-commands" };

	for (size_t i = from; i < ids->count; i++)
		o.words[3 + i - from] = ids->at[i];
	c->ids = ids;
	c->reading.in_it = false;
	c->ended = 0;
	return bw_agent_order_lines(place, &o, cat_line, c, why);
}

/* postcat ends at the first id that is gone since; the rest is asked for again. */
static enum bw_err cat(const struct bw_mta_place *place, const struct ids *ids, struct catting *c, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t from = 0; from < ids->count && !c->reading.stopped; from += c->ended + 1) {
		err = cat_some(place, ids, from, c, why);
		if (err == BW_OK || (err != BW_ERR_IO && err != BW_ERR_PERMISSION))
			break;
		if (c->ended > ids->count - from)
			break;
		err = BW_OK;
	}
	return err;
}

static enum bw_err start_catting(struct catting *c, const struct bw_key *key, BW_EACH(struct bw_queued))
{
	*c = (struct catting){ .in_header = false };
	reading_init(&c->reading, key, each, ctx);
	c->reading.sealed_id = true;
	return BW_OK;
}

struct looking {
	bool (*each)(void *ctx, const struct bw_queued *row);
	void *ctx;
	const char *queue_id;
	bool found;
};

static bool take_one(void *ctx, const struct bw_queued *row)
{
	struct looking *l = ctx;

	l->found = bw_slice_equal(row->queue_id, bw_slice_of(l->queue_id));
	return l->found && l->each(l->ctx, row);
}

static enum bw_err look_held(const struct bw_mta_place *place, const struct bw_key *key, const struct ids *ids, struct looking *l,
                             struct bw_why *why)
{
	struct catting c;

	start_catting(&c, key, take_one, l);
	enum bw_err err = cat_some(place, ids, 0, &c, why);

	reading_done(&c.reading);
	if (err == BW_OK && !l->found)
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Postfix's hold queue any more", l->queue_id);
	return err;
}

static enum bw_err look(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id, BW_EACH(struct bw_queued),
                        struct bw_why *why)
{
	struct looking l = { each, ctx, queue_id, false };
	struct ids ids = { .count = 1 };
	struct postfix_queue queue;
	enum postfix_queue_name where;
	char path[BW_PATH_BYTES];
	enum bw_err err = bw_agent_postfix_queue(place, &queue, why);

	if (err == BW_OK)
		err = bw_agent_postfix_find(&queue, queue_id, &where, path, why);
	if (err != BW_OK)
		return err;
	ids.arrived_ms[0] = bw_agent_postfix_arrived(path);
	bw_slice_copy(bw_slice_of(queue_id), ids.at[0], sizeof(ids.at[0]));
	if (where == POSTFIX_HOLD)
		return look_held(place, key, &ids, &l, why);
	const struct bw_queued row = { .queue_id = bw_slice_of(queue_id), .arrived_ms = ids.arrived_ms[0] };

	each(ctx, &row);
	return BW_OK;
}

/* --- the whole queue --- */

struct walking {
	const struct bw_mta_place *place;
	const struct bw_queue_walk *walk; /* NULL: nothing is known */
	struct catting catting;
	struct ids ids;
	enum bw_err err;
	struct bw_why *why;
};

static void flush_ids(struct walking *w)
{
	if (w->err == BW_OK && w->ids.count > 0)
		w->err = cat(w->place, &w->ids, &w->catting, w->why);
	w->ids.count = 0;
}

static void note_id(void *ctx, const char *id, int64_t arrived_ms)
{
	struct walking *w = ctx;

	bw_slice_copy(bw_slice_of(id), w->ids.at[w->ids.count], BW_QUEUE_ID_BYTES);
	w->ids.arrived_ms[w->ids.count++] = arrived_ms;
	if (w->ids.count == IDS_A_CALL)
		flush_ids(w);
}

/* A row of which nothing more is read. */
static void note_bare(struct walking *w, const char *id, int64_t arrived_ms, bool held)
{
	struct reading *r = &w->catting.reading;
	const struct bw_queued row = { .queue_id = bw_slice_of(id), .arrived_ms = arrived_ms, .held = held, .known = held };

	if (!r->stopped)
		r->stopped = !r->each(r->ctx, &row);
}

static bool is_known(const struct walking *w, const char *id, int64_t arrived_ms)
{
	return w->walk != NULL && w->walk->known != NULL && w->walk->known(w->walk->ctx, bw_slice_of(id), arrived_ms);
}

static void walk_line(void *ctx, struct bw_slice line)
{
	struct walking *w = ctx;
	json_t *message = json_loadb(line.p, line.n, 0, NULL);
	const char *id = json_string_value(json_object_get(message, "queue_id"));
	const char *queue = json_string_value(json_object_get(message, "queue_name"));
	int64_t arrived_ms = json_integer_value(json_object_get(message, "arrival_time")) * 1000;

	if (id != NULL && queue != NULL && bw_agent_postfix_is_id(id) && !w->catting.reading.stopped) {
		bool held = strcmp(queue, "hold") == 0;

		if (!held || is_known(w, id, arrived_ms))
			note_bare(w, id, arrived_ms, held);
		else
			note_id(w, id, arrived_ms);
	}
	json_decref(message);
}

static enum bw_err walk_queue(const struct bw_mta_place *place, const struct bw_key *key, const struct bw_queue_walk *walk,
                              struct bw_why *why)
{
	const struct order o = { .program = "postqueue", .config_flag = "-c", .words = { "-j" }, .option = "postfix-commands" };
	struct walking w = { .place = place, .walk = walk, .why = why };

	start_catting(&w.catting, key, walk->each, walk->ctx);
	enum bw_err err = bw_agent_order_lines(place, &o, walk_line, &w, why);

	flush_ids(&w);
	reading_done(&w.catting.reading);
	return err == BW_OK ? w.err : err;
}

static enum bw_err each_message(const struct bw_mta_place *place, const struct bw_key *key, BW_EACH(struct bw_queued),
                                struct bw_why *why)
{
	const struct bw_queue_walk walk = { NULL, each, ctx };

	return walk_queue(place, key, &walk, why);
}

struct carrying {
	bool (*each)(void *ctx, const struct bw_queued *row);
	void *ctx;
};

static bool give_carrier(void *ctx, const struct bw_queued *row)
{
	const struct carrying *c = ctx;

	return row->mark_text.n == 0 || c->each(c->ctx, row);
}

/* In the order in which messages move. */
static enum bw_err carriers(const struct bw_mta_place *place, int64_t since_ms, BW_EACH(struct bw_queued), struct bw_why *why)
{
	static const enum postfix_queue_name names[] = { POSTFIX_INCOMING, POSTFIX_ACTIVE, POSTFIX_DEFERRED };
	static const struct bw_key no_key;
	struct walking w = { .place = place, .why = why };
	struct carrying carrying = { each, ctx };
	struct postfix_queue queue;
	enum bw_err err = bw_agent_postfix_queue(place, &queue, why);

	start_catting(&w.catting, &no_key, give_carrier, &carrying);
	w.catting.reading.elsewhere = true;
	for (size_t i = 0; err == BW_OK && i < sizeof(names) / sizeof(names[0]); i++)
		err = bw_agent_postfix_scan(&queue, names[i], since_ms, note_id, &w, why);
	flush_ids(&w);
	reading_done(&w.catting.reading);
	return err == BW_OK ? w.err : err;
}

const struct bw_mta bw_agent_postfix = {
	.name = "postfix",
	.is_queue_id = bw_agent_postfix_is_id,
	.release = release,
	.deliver = deliver,
	.check = bw_agent_postfix_check,
	.look = look,
	.each = each_message,
	.walk = walk_queue,
	.files = bw_agent_postfix_files,
	.requeue = requeue,
	.lifetime = bw_agent_postfix_lifetime,
	.carriers = carriers,
	.hold = hold,
	.drop = drop,
	.put = bw_agent_postfix_put,
};
