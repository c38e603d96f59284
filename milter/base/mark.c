#include "bw/mark.h"

#include "bw/parse.h"

enum { HEX_DIGITS = 2 * BW_HASH_BYTES };

/* Everything in front of "; mac=" is sealed, and the queue id behind it. */
static struct bw_hash seal(const struct bw_key *key, struct bw_slice text, struct bw_slice queue_id)
{
	struct bw_buf sealed;

	bw_buf_init(&sealed, text.n + queue_id.n + 1);
	bw_buf_add(&sealed, text);
	bw_buf_add_char(&sealed, '|');
	bw_buf_add(&sealed, queue_id);
	struct bw_hash h = bw_hash_slice(key, "held-mark", bw_buf_slice(&sealed));

	/* Cut, it is the seal of something shorter: never one that fits. */
	if (sealed.cut)
		h = bw_hash_random();
	bw_buf_done(&sealed);
	return h;
}

static void add_hash(struct bw_buf *out, const char *name, const struct bw_hash *h)
{
	char hex[HEX_DIGITS + 1];

	bw_hash_hex(h, hex);
	bw_buf_printf(out, "%s%s", name, hex);
}

void bw_mark_print(struct bw_buf *out, const struct bw_key *key, const struct bw_mark *mark, struct bw_slice queue_id)
{
	size_t from = out->n;

	bw_buf_add_text(out, "v=1");
	add_hash(out, "; id=", &mark->id);
	bw_buf_printf(out, "; list=%.*s; guard=%s; at=%lld; n=%lld; side=%s", (int)mark->list.n, mark->list.p == NULL ? "" : mark->list.p,
	              bw_guard_name(mark->guard), (long long)mark->held_ms, (long long)mark->deliveries, bw_side_name(mark->side));
	add_hash(out, "; c=", &mark->conversation);
	add_hash(out, "; m=", &mark->message);
	struct bw_hash h = seal(key, bw_slice_from(bw_buf_slice(out), from), queue_id);

	add_hash(out, "; mac=", &h);
}

/* Takes "; NAME=value" off the end of `rest`; from the end, because an address may hold anything. */
static bool take_last(struct bw_slice *rest, struct bw_slice name, struct bw_slice *value)
{
	for (size_t at = rest->n; at-- > 0;) {
		struct bw_slice tail = bw_slice_from(*rest, at);

		if (bw_slice_equal(bw_slice_head(tail, name.n), name)) {
			*value = bw_slice_from(tail, name.n);
			*rest = bw_slice_head(*rest, at);
			return true;
		}
	}
	return false;
}

static bool take_hash(struct bw_slice *rest, struct bw_slice name, struct bw_hash *out)
{
	struct bw_slice value;

	return take_last(rest, name, &value) && bw_hash_parse(value, out);
}

static bool take_number(struct bw_slice *rest, struct bw_slice name, int64_t *out)
{
	struct bw_slice value;

	return take_last(rest, name, &value) && bw_parse_int(value, out) && *out >= 0;
}

/* The value begins with fields of fixed length. */
bool bw_mark_id(struct bw_slice value, struct bw_hash *out)
{
	struct bw_slice text = bw_slice_trim(value), start = BW_S("v=1; id=");

	return bw_slice_equal(bw_slice_head(text, start.n), start) && bw_hash_parse(bw_slice_head(bw_slice_from(text, start.n), HEX_DIGITS), out);
}

bool bw_mark_read(const struct bw_key *key, struct bw_slice value, struct bw_slice queue_id, struct bw_mark *out)
{
	struct bw_slice rest = bw_slice_trim(value), side, guard, list = BW_S("; list=");
	struct bw_hash mac, wanted;
	struct bw_mark m;

	if (rest.n > BW_MARK_BYTES || !take_hash(&rest, BW_S("; mac="), &mac))
		return false;
	wanted = seal(key, rest, queue_id);
	if (!bw_hash_equal(&mac, &wanted))
		return false;
	if (!take_hash(&rest, BW_S("; m="), &m.message) || !take_hash(&rest, BW_S("; c="), &m.conversation) ||
	    !take_last(&rest, BW_S("; side="), &side) || !take_number(&rest, BW_S("; n="), &m.deliveries) ||
	    !take_number(&rest, BW_S("; at="), &m.held_ms) || !take_last(&rest, BW_S("; guard="), &guard) ||
	    !bw_side_parse(side, &m.side) || !bw_guard_parse(guard, &m.guard))
		return false;
	if (!bw_mark_id(rest, &m.id))
		return false;
	rest = bw_slice_from(rest, sizeof("v=1; id=") - 1 + HEX_DIGITS);
	if (!bw_slice_equal(bw_slice_head(rest, list.n), list))
		return false;
	m.list = bw_slice_from(rest, list.n);
	*out = m;
	return true;
}
