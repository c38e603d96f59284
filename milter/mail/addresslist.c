/* Address lists of header fields (RFC 5322 3.4), in O(1) memory: the field is cut at the commas outside quotes, comments and
 * brackets; a plain mailbox is read here, everything else by GMime, a few mailboxes at a time. */
#include <gmime/gmime.h>
#include <string.h>

#include "internal.h"

enum { PIECE_MAX = 4096, DEPTH_MAX = 8 };

struct reader {
	size_t left; /* mailboxes still wanted */
	void (*each)(void *ctx, const struct bw_address *a);
	void *ctx;
};

static void give(struct reader *r, struct bw_slice text)
{
	struct bw_address a;

	if (r->left == 0 || !bw_address_normalise(text, 0, &a) || a.text[0] == '\0')
		return;
	r->left--;
	r->each(r->ctx, &a);
}

static void walk(struct reader *r, InternetAddressList *list, int depth)
{
	int n = list == NULL ? 0 : internet_address_list_length(list);

	for (int i = 0; i < n && r->left > 0; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_MAILBOX(a))
			give(r, bw_slice_of(internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(a))));
		else if (depth < DEPTH_MAX)
			walk(r, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(a)), depth + 1);
	}
}

/* Where the grammar stands: only outside of all three does a comma end a mailbox. */
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

/* Takes the comments out, one that never closes with all that follows: GMime 3.2 loses memory over such ones behind an address
 * literal. Comments name nobody. */
static void strip_comments(char *text)
{
	struct nesting at = { 0 };
	char *out = text;

	for (const char *p = text; *p != '\0'; p++) {
		bool inside = at.comments > 0;
		bool escaped = *p == '\\' && p[1] != '\0' && (at.quoted || inside);

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

	bw_mail_unfold(piece, text, sizeof(text), NULL);
	strip_comments(text);
	InternetAddressList *list = internet_address_list_parse(NULL, text);

	walk(r, list, 0);
	if (list != NULL)
		g_object_unref(list);
}

/* "user@dom", "<user@dom>" or "Some Words <user@dom>" without anything that needs a grammar. */
static bool is_simple(struct bw_slice s, struct bw_slice *mailbox)
{
	size_t open = bw_slice_find(s, '<');

	for (size_t i = 0; i < s.n; i++) {
		if (strchr("\"();:\\\r\n", s.p[i]) != NULL)
			return false; /* NUL too, which strchr finds at the end */
	}
	*mailbox = s;
	if (open == s.n)
		return bw_slice_find(s, ' ') == s.n && bw_slice_find(s, '\t') == s.n;
	*mailbox = bw_slice_from(s, open);
	return bw_slice_find(*mailbox, '>') + 1 == mailbox->n && bw_slice_find(bw_slice_from(*mailbox, 1), '<') + 1 == mailbox->n;
}

static void read_piece(struct reader *r, struct bw_slice piece)
{
	struct bw_slice mailbox;

	piece = bw_slice_trim(piece);
	if (piece.n == 0)
		return;
	if (is_simple(piece, &mailbox))
		give(r, mailbox);
	else
		read_with_gmime(r, piece);
}

static bool is_closed(const struct nesting *n)
{
	return !n->quoted && !n->bracketed && n->comments == 0;
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
		if (s.p[i] == '\\' && (at.quoted || at.comments > 0))
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

void bw_address_list(struct bw_slice field, size_t max, void (*each)(void *ctx, const struct bw_address *a), void *ctx)
{
	struct reader r = { max, each, ctx };
	size_t plain = 0;

	while (field.n > 0 && r.left > 0) {
		size_t n = piece_length(field, &plain);

		read_piece(&r, bw_slice_head(field, n));
		field = bw_slice_from(field, n + 1);
	}
}
