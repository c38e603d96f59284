#include "reading.h"

enum { FIELD_BYTES = 1024, RECIPIENTS_BYTES = 65536, CLOCKS_MS = 60000 /* that MTA and store may differ by */ };

void reading_init(struct reading *r, const struct bw_key *key, bool (*each)(void *ctx, const struct bw_queued *row), void *ctx)
{
	*r = (struct reading){ .key = key, .each = each, .ctx = ctx };
	bw_buf_init(&r->mark_text, FIELD_BYTES);
	bw_buf_init(&r->list, FIELD_BYTES);
	bw_buf_init(&r->sender, FIELD_BYTES);
	bw_buf_init(&r->subject, FIELD_BYTES);
	bw_buf_init(&r->message_id, FIELD_BYTES);
	bw_buf_init(&r->recipients, RECIPIENTS_BYTES);
}

void reading_done(struct reading *r)
{
	bw_buf_done(&r->mark_text);
	bw_buf_done(&r->list);
	bw_buf_done(&r->sender);
	bw_buf_done(&r->subject);
	bw_buf_done(&r->message_id);
	bw_buf_done(&r->recipients);
}

void reading_start(struct reading *r, struct bw_slice queue_id)
{
	bw_slice_copy(queue_id, r->queue_id, sizeof(r->queue_id));
	bw_slice_copy(queue_id, r->first_id, sizeof(r->first_id));
	r->arrived_ms = 0;
	r->in_it = true;
	r->marked = false;
	bw_buf_reset(&r->mark_text);
	bw_buf_reset(&r->sender);
	bw_buf_reset(&r->subject);
	bw_buf_reset(&r->message_id);
	bw_buf_reset(&r->recipients);
}

void reading_mark(struct reading *r, struct bw_slice value)
{
	struct bw_mark mark;

	bw_buf_reset(&r->mark_text);
	bw_buf_add(&r->mark_text, value);
	if (!bw_mark_read(r->key, value, r->sealed_id ? bw_slice_of(r->first_id) : BW_S(""), &mark))
		return;
	r->marked = true;
	r->mark = mark;
	bw_buf_reset(&r->list);
	bw_buf_add(&r->list, mark.list);
}

/* The value of a field called `name`. */
static bool is_field(struct bw_slice line, struct bw_slice name, struct bw_slice *value)
{
	if (!bw_slice_starts_nocase(line, name) || line.n <= name.n || line.p[name.n] != ':')
		return false;
	*value = bw_slice_trim(bw_slice_from(line, name.n + 1));
	return true;
}

void reading_header(struct reading *r, struct bw_slice line)
{
	struct bw_slice value;

	if (is_field(line, BW_S(BW_MARK_FIELD), &value)) {
		reading_mark(r, value);
	} else if (r->subject.n == 0 && is_field(line, BW_S("Subject"), &value)) {
		bw_buf_add(&r->subject, value);
	} else if (r->message_id.n == 0 && is_field(line, BW_S("Message-ID"), &value)) {
		if (value.n > 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
			value = bw_slice_head(bw_slice_from(value, 1), value.n - 2);
		bw_buf_add(&r->message_id, value);
	}
}

void reading_recipient(struct reading *r, struct bw_slice address)
{
	if (r->recipients.n + address.n + 1 > RECIPIENTS_BYTES)
		return;
	bw_buf_add(&r->recipients, address);
	bw_buf_add_char(&r->recipients, '\n');
}

void reading_end(struct reading *r)
{
	struct bw_queued row = {
		.queue_id = bw_slice_of(r->queue_id),
		.held = !r->elsewhere,
		.arrived_ms = r->arrived_ms,
		.marked = r->marked,
		.mark = r->mark,
		.mark_text = bw_buf_slice(&r->mark_text),
		.sender = bw_buf_slice(&r->sender),
		.subject = bw_buf_slice(&r->subject),
		.message_id = bw_buf_slice(&r->message_id),
		.recipients = bw_buf_slice(&r->recipients),
	};

	/* Copied from delivered mail into a message that came later. */
	if (r->arrived_ms > row.mark.held_ms + CLOCKS_MS)
		row.marked = false;
	r->in_it = false;
	row.mark.list = bw_buf_slice(&r->list);
	if (!r->stopped)
		r->stopped = !r->each(r->ctx, &row);
}
