/* The MIME structure of the first body chunk (RFC 2046 5.1), line by line, in O(1) memory.
 *
 * Only part headers are read, never content. What stands in a message/rfc822 is another message: a colleague who forwards
 * a bounce as an attachment sends no bounce. */
#include <string.h>

#include "signs.h"

static void push(struct bw_mail_mime *m, const struct bw_mail_type *type)
{
	if (!type->multipart || type->boundary[0] == '\0' || m->depth == BW_MAIL_DEPTH_MAX)
		return;
	struct bw_mail_level *level = &m->levels[m->depth++];

	level->n = bw_slice_copy(bw_slice_of(type->boundary), level->boundary, sizeof(level->boundary));
	level->report = type->report;
}

void bw_mail_mime_start(struct bw_mail_mime *m, struct bw_slice content_type)
{
	struct bw_mail_type type;

	memset(m, 0, sizeof(*m));
	bw_mail_type_read(content_type, false, &type);
	m->signs = type.signs;
	push(m, &type);
}

static void finish_part_header(struct bw_mail_mime *m)
{
	struct bw_mail_type type;

	bw_mail_type_read((struct bw_slice){ m->type, m->type_n }, m->levels[m->depth - 1].report, &type);
	m->signs |= type.signs | (type.report ? BW_SIGN(NESTED) : 0);
	push(m, &type);
	m->in_header = m->in_type = false;
	m->type_n = 0;
}

/* RFC 2046 5.1.1: dash-boundary transport-padding, and "--" more at the end of the multipart. */
static bool is_delimiter(struct bw_slice line, const struct bw_mail_level *level, bool *last)
{
	if (line.n < level->n + 2 || line.p[0] != '-' || line.p[1] != '-' || memcmp(line.p + 2, level->boundary, level->n) != 0)
		return false;
	struct bw_slice rest = bw_slice_trim(bw_slice_from(line, level->n + 2));

	*last = bw_slice_equal(rest, BW_S("--"));
	return *last || rest.n == 0;
}

/* The innermost multipart whose delimiter this line is; an outer one closes what is open within it. */
static bool take_delimiter(struct bw_mail_mime *m, struct bw_slice line)
{
	bool last;

	for (size_t i = m->depth; i > 0; i--) {
		if (!is_delimiter(line, &m->levels[i - 1], &last))
			continue;
		if (m->in_header)
			finish_part_header(m);
		m->depth = last ? i - 1 : i;
		m->in_header = !last;
		m->in_type = false;
		m->type_n = 0;
		return true;
	}
	return false;
}

static void add_type(struct bw_mail_mime *m, struct bw_slice text)
{
	size_t room = sizeof(m->type) - m->type_n;
	size_t n = text.n < room ? text.n : room;

	if (n > 0)
		memcpy(m->type + m->type_n, text.p, n);
	m->type_n += n;
}

static void take_header_line(struct bw_mail_mime *m, struct bw_slice line)
{
	struct bw_slice name = BW_S("Content-Type:");

	if (line.n == 0) {
		finish_part_header(m);
		return;
	}
	if (line.p[0] == ' ' || line.p[0] == '\t') {
		if (m->in_type)
			add_type(m, line);
		return;
	}
	m->in_type = m->type_n == 0 && bw_slice_starts_nocase(line, name);
	if (m->in_type)
		add_type(m, bw_slice_from(line, name.n));
}

static void take_line(struct bw_mail_mime *m)
{
	struct bw_slice line = { m->line, m->line_n };

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (m->depth > 0 && !take_delimiter(m, line) && m->in_header)
		take_header_line(m, line);
	m->line_n = 0;
}

bool bw_mail_mime_feed(struct bw_mail_mime *m, struct bw_slice chunk)
{
	chunk = bw_slice_head(chunk, BW_BODY_MAX - m->seen);
	m->seen += chunk.n;
	while (chunk.n > 0 && m->depth > 0) {
		size_t end = bw_slice_find(chunk, '\n');
		size_t room = sizeof(m->line) - m->line_n;
		size_t n = end < room ? end : room;

		memcpy(m->line + m->line_n, chunk.p, n);
		m->line_n += n;
		if (end < chunk.n)
			take_line(m);
		chunk = bw_slice_from(chunk, end + 1);
	}
	return m->depth > 0 && m->seen < BW_BODY_MAX;
}

void bw_mail_mime_end(struct bw_mail_mime *m)
{
	if (m->line_n > 0)
		take_line(m);
	if (m->in_header && m->depth > 0)
		finish_part_header(m);
}
