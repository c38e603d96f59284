/* Is it to be done? Signature, host, time, command, queue id, whether it was done already; and then the message itself. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bw/clock.h"
#include "helper-serve.h"
#include "postfix.h"

/* A post is accepted at its end; its queue file is begun earlier, by the time that it takes to send it, and clocks differ. */
#define ARRIVED_BEFORE_MS BW_HOUR_MS
#define ARRIVED_AFTER_MS  BW_MINUTE_MS

enum bw_err helper_refuse(struct request *r, enum bw_refusal refusal, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->why.text, sizeof(r->why.text), format, args);
	va_end(args);
	r->refusal = refusal;
	return bw_refusal_err(refusal);
}

/* --- what is asked --- */

static const char *unless_empty(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

/* The instance's directory is one of ours, or Postfix's own. */
static enum bw_err find_instance(const struct helper *h, struct request *r)
{
	struct bw_slice wanted = packet_get(&h->in, "config");

	if (wanted.n == 0 && h->config->hold.postfix_config_count == 1)
		wanted = bw_slice_of(h->config->hold.postfix_config[0]);
	for (size_t i = 0; i < h->config->hold.postfix_config_count; i++) {
		if (bw_slice_equal(wanted, bw_slice_of(h->config->hold.postfix_config[i])))
			r->place.config = h->config->hold.postfix_config[i];
	}
	if (wanted.n > 0 ? r->place.config == NULL : h->config->hold.postfix_config_count > 0)
		return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "hold.postfix_config has no \"%.*s\"", (int)wanted.n, wanted.p);
	return BW_OK;
}

static enum bw_err find_mta(const struct helper *h, struct request *r)
{
	struct bw_slice name = packet_get(&h->in, "mta");

	r->mta = bw_mta_find(name.p);
	if (r->mta == NULL)
		return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "there is no MTA \"%.*s\"", (int)bw_slice_head(name, 20).n, name.p);
	if (strcmp(r->mta->name, "postfix") == 0) {
		r->place.commands = unless_empty(h->config->hold.postfix_commands);
		return find_instance(h, r);
	}
	r->place.commands = unless_empty(h->config->hold.sendmail_commands);
	r->place.config = unless_empty(h->config->hold.sendmail_config);
	r->place.queue = h->config->hold.sendmail_queue;
	return BW_OK;
}

/* --- the order --- */

static enum bw_err read_order(const struct helper *h, struct request *r)
{
	struct bw_slice text = packet_get(&h->in, "order");

	if (text.n == 0)
		return r->ask->due ? BW_OK : helper_refuse(r, BW_REFUSAL_OTHER_COMMAND, "%s needs a signed order", r->ask->name);
	switch (bw_order_read(&h->key, text, r->now_ms, &r->order, &r->why)) {
	case BW_OK:
		r->ordered = true;
		r->id = r->order.id;
		r->at_ms = r->order.at_ms;
		return BW_OK;
	case BW_ERR_PERMISSION:
		r->refusal = BW_REFUSAL_BAD_SIGNATURE;
		break;
	case BW_ERR_LIMIT:
		r->refusal = BW_REFUSAL_EXPIRED;
		break;
	default:
		r->refusal = BW_REFUSAL_BAD_ORDER;
	}
	return bw_refusal_err(r->refusal);
}

static enum bw_err check_order(const struct helper *h, struct request *r)
{
	const struct bw_order *o = &r->order;

	if (!bw_slice_equal(o->host, bw_slice_of(h->host)))
		return helper_refuse(r, BW_REFUSAL_OTHER_HOST, "the order is for %.*s, this is %s", (int)o->host.n, o->host.p, h->host);
	if (!bw_slice_equal(o->mta, bw_slice_of(r->mta->name)))
		return helper_refuse(r, BW_REFUSAL_BAD_REQUEST, "the order is for %.*s", (int)o->mta.n, o->mta.p);
	if ((r->ask->orders & 1U << o->kind) == 0)
		return helper_refuse(r, BW_REFUSAL_OTHER_COMMAND, "an order to %s does not allow %s", bw_order_kind_name(o->kind), r->ask->name);
	return BW_OK;
}

/* --- the queue id --- */

/* A restored message may get another name than it had: Postfix's short ids end with the inode's number. */
static bool may_be_named(const struct request *r, struct bw_slice name)
{
	char had[BW_QUEUE_ID_BYTES];

	bw_slice_copy(r->order.queue_id, had, sizeof(had));
	return r->ask->places && strcmp(r->mta->name, "postfix") == 0 && !bw_agent_postfix_is_long(had) &&
	       !bw_agent_postfix_is_long(r->queue_id) &&
	       bw_slice_equal(bw_slice_head(name, POSTFIX_SHORT_TIME), bw_slice_head(r->order.queue_id, POSTFIX_SHORT_TIME));
}

static enum bw_err take_queue_id(const struct helper *h, struct request *r)
{
	struct bw_slice name = packet_get(&h->in, "queue");

	if (bw_slice_copy(name, r->queue_id, sizeof(r->queue_id)) < name.n || !r->mta->is_queue_id(r->queue_id))
		return helper_refuse(r, BW_REFUSAL_BAD_ID, "\"%s\" is no queue id of %s", r->queue_id, r->mta->name);
	if (r->ordered && !bw_slice_equal(name, r->order.queue_id) && !may_be_named(r, name))
		return helper_refuse(r, BW_REFUSAL_OTHER_MESSAGE, "the order is about %.*s, not %s", (int)r->order.queue_id.n, r->order.queue_id.p,
		                     r->queue_id);
	return BW_OK;
}

/* --- the message --- */

/* Freeze and what follows it are about mail without a mark: who it is shows by when it came. */
static enum bw_err check_arrival(struct request *r, const struct bw_queued *row, const char *name)
{
	if (row->marked)
		return helper_refuse(r, BW_REFUSAL_OTHER_MESSAGE, "%s is a held message of breakwater, not a post that was let pass", name);
	if (row->arrived_ms < r->at_ms - ARRIVED_BEFORE_MS || row->arrived_ms > r->at_ms + ARRIVED_AFTER_MS)
		return helper_refuse(r, BW_REFUSAL_OTHER_MESSAGE, "%s did not come when the post came that is meant", name);
	if (!row->held && r->order.kind != BW_ORDER_FREEZE)
		return helper_refuse(r, BW_REFUSAL_NO_MESSAGE, "%s is not held any more: it is on its way", name);
	return BW_OK;
}

static enum bw_err check_due(const struct helper *h, struct request *r, const struct bw_queued *row)
{
	int64_t keep_ms = h->config->hold.keep_ms;

	r->id = row->mark.id;
	r->at_ms = row->mark.held_ms;
	if (keep_ms <= 0 || r->now_ms - row->mark.held_ms < keep_ms)
		return helper_refuse(r, BW_REFUSAL_NOT_DUE, "%s has not waited for hold.keep, so %s needs a signed order", r->queue_id, r->ask->name);
	return BW_OK;
}

enum bw_err helper_check_row(struct request *r, const struct bw_queued *row)
{
	const unsigned unmarked = 1U << BW_ORDER_FREEZE | 1U << BW_ORDER_THAW | 1U << BW_ORDER_DROP;

	char name[BW_QUEUE_ID_BYTES];

	bw_slice_copy(row->queue_id, name, sizeof(name));
	/* What was dropped can come back, too. */
	if (r->ordered && ((unmarked & 1U << r->order.kind) != 0 || (r->order.kind == BW_ORDER_RESTORE && !row->marked)))
		return check_arrival(r, row, name);
	if (!row->held)
		return helper_refuse(r, BW_REFUSAL_NO_MESSAGE, "%s is not held any more: it is on its way", name);
	if (!row->marked)
		return helper_refuse(r, BW_REFUSAL_NO_MARK, "%s does not carry breakwater's mark: it is somebody else's, and left alone",
		                     name);
	if (r->ordered && (!bw_hash_equal(&row->mark.id, &r->id) || row->mark.held_ms != r->at_ms))
		return helper_refuse(r, BW_REFUSAL_OTHER_MESSAGE, "%s is another held message now: its mark has another id", name);
	return BW_OK;
}

struct looking {
	const struct helper *h;
	struct request *r;
	enum bw_err err;
};

static bool look_at(void *ctx, const struct bw_queued *row)
{
	struct looking *l = ctx;

	l->err = helper_check_row(l->r, row);
	if (l->err == BW_OK && !l->r->ordered)
		l->err = check_due(l->h, l->r, row);
	return false;
}

enum bw_err helper_check_message(struct helper *h, struct request *r)
{
	struct looking l = { h, r, BW_ERR_NOT_FOUND };
	enum bw_err err = r->mta->look(&r->place, &h->site, r->queue_id, look_at, &l, &r->why);

	return err == BW_OK ? l.err : err;
}

/* Without an order, too, its mark must be that of the message. */
static bool look_at_part(void *ctx, const struct bw_queued *row)
{
	struct looking *l = ctx;
	struct request *r = l->r;

	l->err = helper_check_row(r, row);
	if (l->err == BW_OK && row->marked && (!bw_hash_equal(&row->mark.id, &r->id) || row->mark.held_ms != r->at_ms))
		l->err = helper_refuse(r, BW_REFUSAL_OTHER_MESSAGE, "%.*s is another held message, and no part of %s", (int)row->queue_id.n,
		                       row->queue_id.p, r->queue_id);
	return false;
}

enum bw_err helper_check_part(struct helper *h, struct request *r, const char *queue_id)
{
	struct looking l = { h, r, BW_ERR_NOT_FOUND };
	enum bw_err err = r->mta->look(&r->place, &h->site, queue_id, look_at_part, &l, &r->why);

	return err == BW_OK ? l.err : err;
}

enum bw_err helper_check(struct helper *h, struct request *r)
{
	enum bw_err err = find_mta(h, r);

	if (err == BW_OK && r->ask->orders != 0)
		err = read_order(h, r);
	if (err == BW_OK && r->ordered)
		err = check_order(h, r);
	if (err == BW_OK && r->ask->about_one)
		err = take_queue_id(h, r);
	if (err == BW_OK && r->ordered && r->ask->once && nonces_has(h->nonces, &r->order.nonce))
		err = helper_refuse(r, BW_REFUSAL_REPLAYED, "the order was carried out already");
	/* Before anything is done: where its nonce could not be kept, it could be done twice. */
	if (err == BW_OK && r->ordered && r->ask->once)
		err = nonces_ready(h->nonces, r->now_ms, &r->why);
	if (err == BW_OK && r->ask->orders != 0 && !r->ask->places)
		err = helper_check_message(h, r);
	return err;
}
