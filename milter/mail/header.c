/* A message's facts, collected while the MTA hands it over. */
#include <stdlib.h>
#include <string.h>

#include "parser.h"

/* The fee bounds the number of fields, and with it the time that a header of nothing but names can take. */
enum { FIELD_MAX = 64 << 10, HEADER_MAX = 512 << 10, FIELD_FEE = 32 };

struct bw_header_parser *bw_header_new(struct bw_arena *arena, bool (*want_address)(void *ctx, struct bw_slice address),
                                       void *ctx)
{
	struct bw_header_parser *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->arena = arena;
	p->want = want_address;
	p->ctx = ctx;
	p->detail = '+';
	p->budget = (struct bw_mail_budget){ BW_MAIL_MAILBOXES_MAX, BW_MAIL_HARD_MAX };
	return p;
}

void bw_header_free(struct bw_header_parser **parser)
{
	free(*parser);
	*parser = NULL;
}

void bw_header_set_detail(struct bw_header_parser *parser, char detail)
{
	parser->detail = detail;
}

/* What the header may still hold, a field's fee paid. */
static size_t room(const struct bw_header_parser *parser)
{
	size_t left = HEADER_MAX - parser->taken;

	return left < FIELD_FEE ? 0 : left - FIELD_FEE;
}

void bw_header_add(struct bw_header_parser *parser, struct bw_slice name, struct bw_slice value)
{
	size_t left = room(parser);

	if (name.n + value.n > left || value.n > FIELD_MAX || name.n > BW_MAIL_VALUE_MAX) {
		parser->facts.cut = true;
		left = left < FIELD_MAX ? left : FIELD_MAX;
		name = bw_slice_head(name, left < BW_MAIL_VALUE_MAX ? left : BW_MAIL_VALUE_MAX);
		value = bw_slice_head(value, left - name.n);
	}
	if (name.n == 0)
		return;
	parser->taken += name.n + value.n + FIELD_FEE;
	bw_mail_field_read(parser, name, value);
}

static void start_body(struct bw_header_parser *parser)
{
	if (parser->in_body)
		return;
	bw_mail_mime_start(&parser->mime, parser->content_type);
	parser->in_body = true;
}

/* The message itself says what it is a report of: no part can say more. */
static bool is_settled(uint64_t signs)
{
	return (signs & (BW_SIGN(REPORT_DSN) | BW_SIGN(REPORT_MDN) | BW_SIGN(REPORT_FEEDBACK))) != 0 && (signs & BW_SIGN(NESTED)) == 0;
}

bool bw_header_body(struct bw_header_parser *parser, struct bw_slice chunk)
{
	start_body(parser);
	if (is_settled(parser->mime.signs))
		return false;
	return bw_mail_mime_feed(&parser->mime, chunk);
}

/* --- the end --- */

/* Of valid UTF-8: every byte but those that go on with a character. */
static size_t count_characters(struct bw_slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return n;
}

static void read_subject_parts(struct bw_header_parser *p)
{
	struct bw_header *h = &p->facts;
	struct bw_mail_subject parts;
	char text[BW_MAIL_VALUE_MAX + 1];

	bw_slice_copy(h->subject, text, sizeof(text));
	char *decoded = bw_mail_decode(text);
	char *folded = bw_mail_fold(decoded);

	bw_mail_subject_strip(bw_slice_of(folded), &parts);
	p->signs |= bw_mail_subject_signs(bw_slice_of(folded), &parts);
	h->reply_prefix = parts.reply;
	h->base_subject = bw_mail_subject_keep(p->arena, &parts);
	h->base_subject_length = count_characters(h->base_subject);
	h->cut |= h->base_subject.p == NULL;
	bw_mail_text_free(decoded);
	bw_mail_text_free(folded);
}

static void judge_class(struct bw_header_parser *p, bool null_sender)
{
	struct bw_header *h = &p->facts;
	uint64_t signs = p->signs | p->mime.signs;

	signs |= null_sender ? BW_SIGN(NULL_SENDER) : 0;
	signs |= p->from_seen ? 0 : BW_SIGN(NO_FROM);
	signs |= p->answers || h->thread_index_long ? BW_SIGN(ANSWERS) : 0;
	struct bw_mail_judgement j = bw_mail_classify(signs);

	h->class = j.class;
	h->evidence = j.evidence;
	h->class_reason = j.reason != NULL ? j.reason : p->vendor;
	h->auto_generated = (signs & BW_SIGN(AUTO_GENERATED)) != 0;
}

void bw_header_done(struct bw_header_parser *parser, bool null_sender, struct bw_header *out)
{
	struct bw_header *h = &parser->facts;

	start_body(parser);
	bw_mail_mime_end(&parser->mime);
	read_subject_parts(parser);
	h->looks_like_reply = parser->answers || h->thread_index_long || h->reply_prefix;
	judge_class(parser, null_sender);
	*out = *h;
}
