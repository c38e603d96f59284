#include "letter.h"

#include <string.h>

#include "packet.h"

static const char line[] = "The quick brown fox jumps over the lazy dog and answers to everybody.\r\n";

/* Values with "$f" (sender), "$t" (first recipient), "$n" (number of the message), "$i" (its Message-ID), "$p" (parent). */
struct field {
	const char *name, *post, *reply;
};

static const struct field fields[] = {
	{ "Received",
	  "from client.nhs.example (client.nhs.example [192.0.2.10])\n\tby mx.nhs.example (Postfix) with ESMTPSA id 4$n\n"
	  "\tfor <$t>; Mon, 14 Nov 2016 08:29:00 +0000 (GMT)",
	  NULL },
	{ "From", "A Colleague <$f>", NULL },
	{ "To", "<$t>", NULL },
	{ "Subject", "Minutes of meeting $n", "Re: Minutes of the meeting" },
	{ "Date", "Mon, 14 Nov 2016 08:29:00 +0000", NULL },
	{ "Message-ID", "<$i>", NULL },
	{ "In-Reply-To", NULL, "<$p>" },
	{ "Organization", "National Health Service", NULL },
	{ "MIME-Version", "1.0", NULL },
	{ "Content-Type", "text/plain; charset=utf-8; format=flowed", NULL },
	{ "Content-Transfer-Encoding", "8bit", NULL },
	{ "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:45.0) Gecko/20100101 Thunderbird/45.4.0", NULL },
	{ "Content-Language", "en-GB", "" }, /* twelve fields, posts and replies alike */
};

enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* bw_buf_printf() costs more than the rest of a message together. */
static void add_number(struct bw_buf *out, int64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	bw_buf_add(out, (struct bw_slice){ digits + at, sizeof(digits) - at });
}

static void add_address(struct bw_buf *out, const char *pattern, int64_t n)
{
	struct bw_slice all = bw_slice_of(pattern);
	size_t at = bw_slice_find(all, '#');

	bw_buf_add(out, bw_slice_head(all, at));
	if (at < all.n)
		add_number(out, n);
	bw_buf_add(out, bw_slice_from(all, at + 1));
}

void bw_letter_sender(const struct bw_plan *plan, int64_t n, struct bw_buf *out)
{
	add_address(out, plan->from, n % plan->senders);
}

void bw_letter_recipient(const struct bw_plan *plan, int64_t n, int64_t i, struct bw_buf *out)
{
	add_address(out, plan->to, (n * plan->rcpts + i) % plan->spread);
}

void bw_letter_queue_id(int64_t n, struct bw_buf *out)
{
	bw_buf_add(out, BW_S("4jXCk"));
	add_number(out, 100000000000 + n);
}

static void add_message_id(const struct bw_plan *plan, int64_t n, struct bw_buf *out)
{
	if (plan->message_id != NULL) {
		bw_buf_add_text(out, plan->message_id);
		return;
	}
	add_number(out, n);
	bw_buf_add_char(out, '.');
	bw_buf_add_text(out, plan->tag);
	bw_buf_add(out, BW_S("@client.nhs.example"));
}

static void add_part(const struct bw_plan *plan, int64_t n, char what, struct bw_buf *out)
{
	switch (what) {
	case 'f':
		bw_letter_sender(plan, n, out);
		break;
	case 't':
		bw_letter_recipient(plan, n, 0, out);
		break;
	case 'i':
		add_message_id(plan, n, out);
		break;
	case 'p':
		bw_buf_add_text(out, plan->thread);
		break;
	default:
		add_number(out, n);
	}
}

static void add_value(const struct bw_plan *plan, int64_t n, const char *value, struct bw_buf *out)
{
	struct bw_slice rest = bw_slice_of(value);

	while (rest.n > 0) {
		size_t at = bw_slice_find(rest, '$');

		bw_buf_add(out, bw_slice_head(rest, at));
		if (at + 1 < rest.n)
			add_part(plan, n, rest.p[at + 1], out);
		rest = bw_slice_from(rest, at + 2);
	}
}

/* NULL: a post, or a reply, has no such field. */
static const char *value_of(const struct bw_plan *plan, const struct field *f)
{
	if (plan->thread == NULL)
		return f->post;
	if (f->reply == NULL)
		return f->post;
	return f->reply[0] == '\0' ? NULL : f->reply;
}

size_t bw_letter_field_count(void)
{
	return FIELDS - 1;
}

void bw_letter_field(const struct bw_plan *plan, int64_t n, size_t i, struct bw_buf *out)
{
	for (size_t k = 0; k < FIELDS; k++) {
		const char *value = value_of(plan, &fields[k]);

		if (value == NULL)
			continue;
		if (i-- > 0)
			continue;
		bw_packet_string(out, bw_slice_of(fields[k].name));
		add_value(plan, n, value, out);
		bw_buf_add_char(out, '\0');
		return;
	}
}

void bw_letter_body(const struct bw_plan *plan, struct bw_buf *out)
{
	size_t left = (size_t)plan->body_bytes;

	while (left > 0) {
		struct bw_slice part = bw_slice_head(BW_S(line), left);

		bw_buf_add(out, part);
		left -= part.n;
	}
}
