/* One header field at a time: a table of names and what to do with each. */
#include <string.h>

#include "parser.h"

/* --- keeping --- */

static struct bw_slice keep(struct bw_header_parser *p, struct bw_slice s)
{
	struct bw_slice copy = bw_arena_slice(p->arena, s);

	if (copy.p == NULL)
		p->facts.cut = true;
	return copy;
}

/* The first field of a name stands; RFC 5322 3.6 allows no second. */
static void keep_unfolded(struct bw_header_parser *p, struct bw_slice value, struct bw_slice *out)
{
	char text[BW_MAIL_VALUE_MAX + 1];

	if (out->n > 0)
		return;
	size_t n = bw_mail_unfold(value, text, sizeof(text), &p->facts.cut);

	*out = keep(p, (struct bw_slice){ text, n });
}

/* An id without the blanks that folding may have put into it. */
static struct bw_slice keep_id(struct bw_header_parser *p, struct bw_slice id)
{
	char text[BW_MAIL_VALUE_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < id.n && n < BW_MAIL_VALUE_MAX; i++) {
		if (memchr(" \t\r\n", id.p[i], 5) == NULL) /* NUL too */
			text[n++] = id.p[i];
	}
	p->facts.cut |= id.n > BW_MAIL_VALUE_MAX;
	return keep(p, (struct bw_slice){ text, n });
}

/* --- identity and conversation --- */

static void read_message_id(struct bw_header_parser *p, struct bw_slice value)
{
	if (p->facts.message_id.n == 0)
		p->facts.message_id = keep_id(p, bw_mail_id_first(value));
}

static void keep_from(void *ctx, const struct bw_address *a)
{
	struct bw_header_parser *p = ctx;

	p->facts.from = keep(p, bw_slice_of(a->text));
}

static void read_from(struct bw_header_parser *p, struct bw_slice value)
{
	if (p->from_seen)
		return;
	p->from_seen = true;
	bw_address_list(value, 1, keep_from, p);
	p->signs |= bw_mail_from_signs(value, p->facts.from);
}

static void read_date(struct bw_header_parser *p, struct bw_slice value)
{
	keep_unfolded(p, value, &p->facts.date);
}

static void read_subject(struct bw_header_parser *p, struct bw_slice value)
{
	keep_unfolded(p, value, &p->facts.subject);
}

static void read_references(struct bw_header_parser *p, struct bw_slice value)
{
	struct bw_header *h = &p->facts;
	struct bw_mail_ids ids;

	h->has_references = true;
	p->answers |= bw_slice_trim(value).n > 0;
	if (h->references_count > 0)
		return;
	bw_mail_ids_read(value, &ids);
	for (size_t i = 0; i < ids.first_count; i++)
		h->references[h->references_count++] = keep_id(p, ids.first[i]);
	for (size_t i = 0; i < ids.last_count; i++)
		h->references[h->references_count++] = keep_id(p, ids.last[i]);
}

/* In prose ("Message from A <a@b> of Monday <id@host>") an address looks like an id; ids hold digits and come last. */
static bool is_id_in_prose(struct bw_slice id)
{
	struct bw_slice left = bw_slice_head(id, bw_slice_find(id, '@'));
	size_t digits = 0;

	for (size_t i = 0; i < left.n; i++)
		digits += left.p[i] >= '0' && left.p[i] <= '9';
	return left.n < id.n && digits >= 4;
}

static struct bw_slice last_id(const struct bw_mail_ids *ids)
{
	return ids->last_count > 0 ? ids->last[ids->last_count - 1] : ids->first[ids->first_count - 1];
}

static void read_in_reply_to(struct bw_header_parser *p, struct bw_slice value)
{
	struct bw_header *h = &p->facts;
	struct bw_mail_ids ids;

	p->answers |= bw_slice_trim(value).n > 0;
	if (h->in_reply_to_count > 0)
		return;
	bw_mail_ids_read(value, &ids);
	if (ids.total == 0)
		return;
	if (ids.prose) {
		if (is_id_in_prose(last_id(&ids)))
			h->in_reply_to[h->in_reply_to_count++] = keep_id(p, last_id(&ids));
		return;
	}
	for (size_t i = 0; i < ids.first_count; i++)
		h->in_reply_to[h->in_reply_to_count++] = keep_id(p, ids.first[i]);
}

static void read_thread_index(struct bw_header_parser *p, struct bw_slice value)
{
	static const uint8_t none[16];
	uint8_t root[16];
	bool longer;

	if (p->facts.has_thread_root || !bw_thread_index(value, root, &longer) || memcmp(root, none, sizeof(root)) == 0)
		return;
	memcpy(p->facts.thread_root, root, sizeof(root));
	p->facts.has_thread_root = true;
	p->facts.thread_index_long = longer;
}

/* --- lists --- */

static void name_list(struct bw_header_parser *p, struct bw_slice name)
{
	struct bw_header *h = &p->facts;

	for (size_t i = 0; i < h->named_count; i++) {
		if (bw_slice_equal(h->named[i], name))
			return;
	}
	if (h->named_count == BW_HEADER_ADDRESSES_MAX) {
		h->cut = true;
		return;
	}
	struct bw_slice kept = keep(p, name);

	if (kept.p != NULL)
		h->named[h->named_count++] = kept;
}

/* Names `name` if it is wanted as it stands. */
static bool offer(struct bw_header_parser *p, struct bw_slice name)
{
	if (name.n == 0 || p->want == NULL || !p->want(p->ctx, name))
		return false;
	name_list(p, name);
	return true;
}

/* An address counts as it stands, else without its +detail: a list may itself be called "a+b". */
static void offer_address(void *ctx, const struct bw_address *a)
{
	struct bw_header_parser *p = ctx;
	struct bw_slice text = bw_slice_of(a->text);
	struct bw_address plain;

	if (offer(p, text) || p->detail == '\0' || bw_slice_find(text, p->detail) == text.n)
		return;
	if (bw_address_normalise(text, p->detail, &plain))
		offer(p, bw_slice_of(plain.text));
}

static void read_recipients(struct bw_header_parser *p, struct bw_slice value)
{
	if (p->want == NULL)
		return;
	bw_mail_addresses(value, &p->budget, offer_address, p);
	p->facts.cut |= p->budget.mailboxes == 0 || p->budget.hard == 0;
}

static char lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

/* RFC 2919 3: [phrase] "<" list-id ">"; case does not matter. Some write the id alone. */
static void read_list_id(struct bw_header_parser *p, struct bw_slice value)
{
	char text[256];
	struct bw_slice id;
	size_t open = value.n;

	if (p->facts.list_id.n > 0)
		return;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '<')
			open = i; /* the last: a phrase may hold one in quotes */
	}
	id = open < value.n ? bw_slice_from(value, open + 1) : bw_slice_trim(value);
	id = bw_slice_trim(bw_slice_head(id, bw_slice_find(id, '>')));
	if (id.n == 0 || id.n >= sizeof(text))
		return;
	for (size_t i = 0; i < id.n; i++) {
		text[i] = lower(id.p[i]);
		if ((unsigned char)text[i] <= ' ')
			return;
	}
	p->facts.list_id = keep(p, (struct bw_slice){ text, id.n });
	offer(p, p->facts.list_id);
}

/* RFC 2369 3.4: <mailto:list@host?...>, several of them, or NO. */
static void read_list_post(struct bw_header_parser *p, struct bw_slice value)
{
	struct bw_slice mailto = BW_S("<mailto:");
	struct bw_address a;

	p->facts.list_post |= bw_slice_trim(value).n > 0;
	for (int i = 0; i < 4; i++) {
		struct bw_slice rest = bw_slice_from(value, bw_slice_find(value, '<'));
		struct bw_slice inside = bw_slice_from(rest, mailto.n);

		if (rest.n == 0)
			return;
		inside = bw_slice_head(inside, bw_slice_find(inside, '>'));
		inside = bw_slice_head(inside, bw_slice_find(inside, '?'));
		if (bw_slice_starts_nocase(rest, mailto) && bw_address_normalise(inside, 0, &a) && !a.null_sender) {
			if (p->facts.list_address.n == 0)
				p->facts.list_address = keep(p, bw_slice_of(a.text));
			offer_address(p, &a);
		}
		value = bw_slice_from(rest, 1);
	}
}

static void note_list_header(struct bw_header_parser *p, struct bw_slice value)
{
	(void)value;
	p->facts.list_headers = true;
}

/* --- the rest --- */

static void read_content_type(struct bw_header_parser *p, struct bw_slice value)
{
	if (p->content_type.n == 0)
		p->content_type = keep(p, bw_slice_head(value, BW_MAIL_TYPE_MAX));
}

static void note_receipt(struct bw_header_parser *p, struct bw_slice value)
{
	p->facts.receipt_requested |= bw_slice_trim(value).n > 0;
}

static void note_held(struct bw_header_parser *p, struct bw_slice value)
{
	p->facts.held_mark = true;
	keep_unfolded(p, value, &p->facts.held_mark_text);
}

static void note_received(struct bw_header_parser *p, struct bw_slice value)
{
	(void)value;
	p->facts.received++;
}

#define FIELD(name, read) { name, sizeof(name) - 1, read }

static const struct {
	const char *name;
	size_t n;
	void (*read)(struct bw_header_parser *p, struct bw_slice value);
} fields[] = {
	FIELD("Received", note_received),
	FIELD("Message-ID", read_message_id),
	FIELD("From", read_from),
	FIELD("Date", read_date),
	FIELD("Subject", read_subject),
	FIELD("References", read_references),
	FIELD("In-Reply-To", read_in_reply_to),
	FIELD("Thread-Index", read_thread_index),
	FIELD("To", read_recipients),
	FIELD("Cc", read_recipients),
	FIELD("List-Id", read_list_id),
	FIELD("List-Post", read_list_post),
	FIELD("X-Loop", note_list_header),
	FIELD("X-BeenThere", note_list_header),
	FIELD("Content-Type", read_content_type),
	FIELD("Disposition-Notification-To", note_receipt),
	FIELD("Return-Receipt-To", note_receipt),
	FIELD("X-Confirm-Reading-To", note_receipt),
	FIELD("X-Breakwater-Held", note_held),
};

void bw_mail_field_read(struct bw_header_parser *p, struct bw_slice name, struct bw_slice value)
{
	name = bw_slice_trim(name);
	if (bw_slice_starts_nocase(name, BW_S("List-")))
		p->facts.list_headers = true;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (name.n != fields[i].n || !bw_slice_equal_nocase(name, (struct bw_slice){ fields[i].name, fields[i].n }))
			continue;
		fields[i].read(p, value);
		break;
	}
	p->signs |= bw_mail_field_signs(name, value, &p->vendor);
}
