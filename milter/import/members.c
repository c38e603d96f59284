/* What stands behind the name of an alias: addresses, other names, commands, files and words in colons.
 *
 * aliases(5): "A value: address (mail is forwarded), /file/name (mail is appended), |command (mail is piped), :include:/file/name
 * (mail is sent to the destinations listed in the named file)". Exim adds :blackhole:, :fail: text and :defer: text, sendmail
 * \name (that mailbox, whatever the alias of that name says). A name that stands among its own members is that mailbox, too:
 * Postfix's alias.c, "when an alias includes its own name, deliver to the user instead, just like sendmail". */
#include <stdio.h>
#include <string.h>

#include "members.h"

enum { MEMBER_BYTES = 2048 };

/* --- pieces --- */

/* The end of the piece at the head of `s`: a comma outside of quotes, comments and angle brackets. */
static size_t piece_length(struct bw_slice s)
{
	bool quoted = false;
	int comment = 0, angle = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '(')
			comment++;
		else if (!quoted && c == ')' && comment > 0)
			comment--;
		else if (!quoted && comment == 0 && (c == '<' || c == '>'))
			angle = c == '<';
		else if (!quoted && comment == 0 && angle == 0 && c == ',')
			return i;
	}
	return s.n;
}

/* Copies without comments in parentheses; false: too long. */
static bool without_comments(struct bw_slice piece, struct bw_buf *out)
{
	bool quoted = false;
	int comment = 0;

	bw_buf_reset(out);
	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		if (c == '\\' && i + 1 < piece.n && comment == 0) {
			bw_buf_add(out, bw_slice_head(bw_slice_from(piece, i++), 2));
			continue;
		}
		if (c == '"' && comment == 0)
			quoted = !quoted;
		if (!quoted && c == '(')
			comment++;
		else if (!quoted && c == ')' && comment > 0)
			comment--;
		else if (comment == 0)
			bw_buf_add_char(out, c);
	}
	return !out->cut;
}

/* "Name <address>" is the address; a wholly quoted command, file or word is what the quotes hold. */
static struct bw_slice unwrap(struct bw_slice piece)
{
	piece = bw_slice_trim(piece);
	if (piece.n >= 3 && piece.p[0] == '"' && piece.p[piece.n - 1] == '"' && strchr("|/:\\", piece.p[1]) != NULL)
		return bw_slice_from(bw_slice_head(piece, piece.n - 1), 1);
	size_t open = bw_slice_find(piece, '<');

	if (piece.n > 0 && piece.p[piece.n - 1] == '>' && open < piece.n && piece.p[0] != '|')
		return bw_slice_trim(bw_slice_from(bw_slice_head(piece, piece.n - 1), open + 1));
	return piece;
}

/* --- words in colons --- */

enum word { WORD_NONE, WORD_INCLUDE, WORD_NOBODY, WORD_TEXT };

static enum word word_of(struct bw_slice piece)
{
	static const struct {
		const char *text;
		enum word word;
	} words[] = {
		{ ":include:", WORD_INCLUDE }, { ":blackhole:", WORD_NOBODY }, { ":unknown:", WORD_NOBODY },
		{ ":fail:", WORD_TEXT },       { ":defer:", WORD_TEXT },       { ":error:", WORD_TEXT },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (bw_slice_starts_nocase(piece, bw_slice_of(words[i].text)))
			return words[i].word;
	}
	return WORD_NONE;
}

bool bw_members_is_word(struct bw_slice value)
{
	return word_of(value) != WORD_NONE;
}

static enum bw_err include(struct bw_import *im, uint32_t list, struct bw_slice piece, const char *place, struct bw_why *why)
{
	struct bw_slice path = bw_slice_trim(bw_slice_from(piece, sizeof(":include:") - 1));
	char name[MEMBER_BYTES + 16];
	uint32_t node;

	if (path.n == 0 || path.p[0] != '/')
		return bw_fail(why, BW_ERR_INPUT, "%s: \"%.*s\" is to name a file by its full path", place, (int)piece.n, piece.p);
	snprintf(name, sizeof(name), ":include:%.*s", (int)path.n, path.p);
	enum bw_err err = bw_import_node(im, bw_slice_of(name), &node, why);

	if (err == BW_OK)
		err = bw_import_member(im, list, node, why);
	if (err != BW_OK || !bw_import_begin(im, node, BW_IMPORT_STEP, bw_slice_of(place)))
		return err;
	err = bw_import_grow((void **)&im->pending, &im->pending_room, im->pending_count, sizeof(*im->pending), BW_IMPORT_FILES_MAX,
	                     "included files", why);
	if (err == BW_OK)
		im->pending[im->pending_count++] = node;
	return err;
}

/* --- one member --- */

/* A mailbox that an alias has the name of. */
static enum bw_err mailbox(struct bw_import *im, uint32_t list, struct bw_slice address, struct bw_why *why)
{
	char name[BW_IMPORT_ADDRESS_BYTES + 1];
	int n = snprintf(name, sizeof(name), "\\%.*s", (int)address.n, address.p);

	return bw_import_member_named(im, list, (struct bw_slice){ name, (size_t)n }, why);
}

static enum bw_err person(struct bw_import *im, uint32_t list, struct bw_slice piece, const char *place, struct bw_why *why)
{
	bool local = piece.p[0] == '\\', bare;
	char address[BW_IMPORT_ADDRESS_BYTES];

	if (!bw_import_address(im, local ? bw_slice_from(piece, 1) : piece, &bare, address)) {
		bw_import_note(im, "%s: \"%.*s\" is no address: counted as one", place, (int)(piece.n > 100 ? 100 : piece.n), piece.p);
		return bw_import_member_named(im, list, piece, why);
	}
	if (local || bw_slice_equal(bw_slice_of(address), im->nodes[list].name))
		return mailbox(im, list, bw_slice_of(address), why);
	return bw_import_member_named(im, list, bw_slice_of(address), why);
}

/* `*over`: what follows is text for a person to read. */
static enum bw_err take_piece(struct bw_import *im, uint32_t list, struct bw_slice piece, const char *place, bool *over,
                              struct bw_why *why)
{
	enum word word = word_of(piece);

	*over = word == WORD_TEXT;
	if (word == WORD_INCLUDE)
		return include(im, list, piece, place, why);
	if (piece.n == 0 || word != WORD_NONE)
		return BW_OK;
	if (piece.p[0] == '|' || piece.p[0] == '/')
		return bw_import_member_named(im, list, piece, why);
	return person(im, list, piece, place, why);
}

enum bw_err bw_members_take(struct bw_import *im, uint32_t list, struct bw_slice value, const char *place, struct bw_why *why)
{
	struct bw_buf clean;
	bool over = word_of(bw_slice_trim(value)) == WORD_TEXT;
	enum bw_err err = BW_OK;

	bw_buf_init(&clean, MEMBER_BYTES);
	while (err == BW_OK && !over && value.n > 0) {
		size_t n = piece_length(value);

		if (without_comments(bw_slice_head(value, n), &clean))
			err = take_piece(im, list, unwrap(bw_buf_slice(&clean)), place, &over, why);
		else
			err = bw_fail(why, BW_ERR_LIMIT, "%s: a member of more than %d bytes", place, MEMBER_BYTES);
		value = bw_slice_from(value, n + 1);
	}
	bw_buf_done(&clean);
	return err;
}
