/* Address lists of header fields (RFC 5322 3.4), in O(1) memory: the field is cut at the commas outside quotes, comments and
 * brackets; a mailbox in plain brackets, or plain without, is read here, everything else by GMime. */
#include <gmime/gmime.h>
#include <string.h>

#include "internal.h"

enum { PIECE_MAX = 4096, DEPTH_MAX = 8 };

struct reader {
	struct bw_mail_budget *budget;
	void (*each)(void *ctx, const struct bw_address *a);
	void *ctx;
};

static void give(struct reader *r, struct bw_slice text)
{
	struct bw_address a;

	if (r->budget->mailboxes == 0 || !bw_address_normalise(text, 0, &a) || a.text[0] == '\0')
		return;
	r->budget->mailboxes--;
	r->each(r->ctx, &a);
}

/* --- where the grammar stands: only outside of all three does a comma end a mailbox --- */

struct nesting {
	bool quoted, bracketed;
	unsigned comments;
};

static void step(struct nesting *n, char c)
{
	if (c == '"' && n->comments == 0)
		n->quoted = !n->quoted;
	else if (n->quoted)
		return;
	else if (c == '(')
		n->comments++;
	else if (c == ')' && n->comments > 0)
		n->comments--;
	else if (n->comments == 0 && (c == '<' || c == '>'))
		n->bracketed = c == '<';
}

static bool is_escape(const struct nesting *n, char c)
{
	return c == '\\' && (n->quoted || n->comments > 0);
}

static bool is_closed(const struct nesting *n)
{
	return !n->quoted && !n->bracketed && n->comments == 0;
}

/* --- with GMime --- */

static void walk(struct reader *r, InternetAddressList *list, int depth)
{
	int n = list == NULL ? 0 : internet_address_list_length(list);

	for (int i = 0; i < n && r->budget->mailboxes > 0; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_MAILBOX(a))
			give(r, bw_slice_of(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a))));
		else if (depth < DEPTH_MAX)
			walk(r, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(a)), depth + 1);
	}
}

/* Takes the comments out, one that never closes with all that follows: GMime 3.2 loses memory over such ones behind an
 * address literal. Comments name nobody. */
static void strip_comments(char *text)
{
	struct nesting at = { 0 };
	char *out = text;

	for (const char *p = text; *p != '\0'; p++) {
		bool inside = at.comments > 0;
		bool escaped = is_escape(&at, *p) && p[1] != '\0';

		if (!escaped)
			step(&at, *p);
		inside |= at.comments > 0;
		if (!inside)
			*out++ = *p;
		if (escaped && !inside)
			*out++ = p[1];
		p += escaped;
	}
	*out = '\0';
}

static void read_with_gmime(struct reader *r, struct bw_slice piece)
{
	char text[PIECE_MAX + 1];

	if (r->budget->hard == 0)
		return;
	r->budget->hard--;
	bw_mail_unfold(piece, text, sizeof(text), NULL);
	strip_comments(text);
	InternetAddressList *list = internet_address_list_parse(NULL, text);

	walk(r, list, 0);
	if (list != NULL)
		g_object_unref(list);
}

/* --- without --- */

static bool has_any(struct bw_slice s, const char *bytes)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(bytes, s.p[i]) != NULL)
			return true; /* NUL too, which strchr finds at the end */
	}
	return false;
}

/* The brackets that end the piece, outside quotes and comments, with nothing in them that needs a grammar; false: none. */
static bool find_brackets(struct bw_slice s, struct bw_slice *mailbox)
{
	struct nesting at = { 0 };
	size_t open = s.n;

	for (size_t i = 0; i < s.n; i++) {
		if (is_escape(&at, s.p[i])) {
			i++;
			continue;
		}
		step(&at, s.p[i]);
		if (s.p[i] == '<' && at.bracketed && !at.quoted && at.comments == 0)
			open = i;
	}
	if (open == s.n || !is_closed(&at) || s.p[s.n - 1] != '>')
		return false;
	*mailbox = bw_slice_from(s, open);
	return !has_any((struct bw_slice){ mailbox->p + 1, mailbox->n - 2 }, "<>\"()\\;, \t\r\n");
}

static void read_piece(struct reader *r, struct bw_slice piece)
{
	struct bw_slice mailbox;

	piece = bw_slice_trim(piece);
	if (piece.n == 0)
		return;
	if (find_brackets(piece, &mailbox))
		give(r, mailbox);
	else if (!has_any(piece, "<>\"();:\\ \t\r\n"))
		give(r, piece);
	else
		read_with_gmime(r, piece);
}

/* The semicolon ends a group, and some write it for the comma. */
static bool is_separator(char c)
{
	return c == ',' || c == ';';
}

/* The length of the first mailbox, without its comma. What is never closed within PIECE_MAX hides no addresses: from there
 * every comma cuts, for `*plain` bytes, so that nothing is looked at twice. */
static size_t piece_length(struct bw_slice s, size_t *plain)
{
	struct nesting at = { 0 };
	size_t end = s.n < PIECE_MAX ? s.n : PIECE_MAX;

	for (size_t i = 0; i < end && *plain == 0; i++) {
		if (is_separator(s.p[i]) && is_closed(&at))
			return i;
		if (is_escape(&at, s.p[i]))
			i++;
		else
			step(&at, s.p[i]);
	}
	if (*plain == 0 && end == s.n && is_closed(&at))
		return s.n;
	size_t comma = bw_slice_find(s, ',');

	if (*plain == 0)
		*plain = end;
	*plain -= comma + 1 < *plain ? comma + 1 : *plain;
	return comma;
}

void bw_mail_addresses(struct bw_slice field, struct bw_mail_budget *budget, void (*each)(void *ctx, const struct bw_address *a),
                       void *ctx)
{
	struct reader r = { budget, each, ctx };
	size_t plain = 0;

	while (field.n > 0 && budget->mailboxes > 0) {
		size_t n = piece_length(field, &plain);

		read_piece(&r, bw_slice_head(field, n));
		field = bw_slice_from(field, n + 1);
	}
}

void bw_address_list(struct bw_slice field, size_t max, void (*each)(void *ctx, const struct bw_address *a), void *ctx)
{
	struct bw_mail_budget budget = { max, BW_MAIL_HARD_MAX };

	bw_mail_addresses(field, &budget, each, ctx);
}
