/* Addresses that carry another address: SRS, BATV and VERP, each undone.
 *
 * VERP gives every recipient of one post a sender of its own, SRS hides the first sender behind the forwarder. Undone only where
 * the form leaves no doubt: two people must never become one by mistake. */
#include <glib.h>
#include <string.h>

#include "internal.h"

static struct bw_slice before(struct bw_slice s, size_t at)
{
	return bw_slice_head(s, at);
}

/* Index of the last `c`, or s.n. */
static size_t find_last(struct bw_slice s, char c)
{
	for (size_t i = s.n; i > 0; i--) {
		if (s.p[i - 1] == c)
			return i - 1;
	}
	return s.n;
}

/* A name of at least two labels. */
static bool is_domain(struct bw_slice s)
{
	char text[256];

	if (s.n == 0 || s.p[0] == '[' || bw_slice_find(s, '.') == s.n)
		return false;
	return bw_mail_domain(s, text, sizeof(text));
}

/* Takes the piece before the next '=' off `rest`. */
static bool take(struct bw_slice *rest, struct bw_slice *piece)
{
	size_t at = bw_slice_find(*rest, '=');

	if (at == rest->n)
		return false;
	*piece = before(*rest, at);
	*rest = bw_slice_from(*rest, at + 1);
	return true;
}

static bool is_srs_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* The Sender Rewriting Scheme, behind "SRS0" and its separator: hash=time=domain=local. */
static bool undo_srs0(struct bw_slice rest, struct bw_mail_path *path)
{
	struct bw_slice hash, time, domain;

	if (!take(&rest, &hash) || !take(&rest, &time) || !take(&rest, &domain))
		return false;
	if (hash.n == 0 || time.n == 0 || rest.n == 0 || !is_domain(domain))
		return false;
	path->local = rest;
	path->domain = domain;
	path->srs = true;
	return true;
}

static bool undo_srs(struct bw_mail_path *path)
{
	struct bw_slice rest = bw_slice_from(path->local, 5);
	struct bw_slice hash, forwarder;

	if (path->local.n < 6 || !is_srs_separator(path->local.p[4]))
		return false;
	if (bw_slice_starts_nocase(path->local, BW_S("SRS0")))
		return undo_srs0(rest, path);
	if (!bw_slice_starts_nocase(path->local, BW_S("SRS1")))
		return false;
	/* SRS1=hash=first forwarder=, then what stood behind SRS0, its separator included. */
	if (!take(&rest, &hash) || !take(&rest, &forwarder) || rest.n < 2 || !is_srs_separator(rest.p[0]))
		return false;
	return undo_srs0(bw_slice_from(rest, 1), path);
}

/* Bounce Address Tag Validation: prvs=tag=local, the tag a key number, a day and a hash in hex; 10 digits in the draft, 9
 * in the field. The local part must not be empty. */
static bool undo_batv(struct bw_mail_path *path)
{
	struct bw_slice rest = bw_slice_from(path->local, 5);
	struct bw_slice tag;

	if (!bw_slice_starts_nocase(path->local, BW_S("prvs=")) || !take(&rest, &tag) || rest.n == 0)
		return false;
	if (tag.n < 9 || tag.n > 10)
		return false;
	for (size_t i = 0; i < tag.n; i++) {
		if (!g_ascii_isxdigit(tag.p[i]))
			return false;
	}
	path->local = rest;
	return true;
}

/* "user=example.org", or Sympa's "user==a==example.org". */
static bool is_encoded_address(struct bw_slice s)
{
	size_t at = find_last(s, '=');

	return at > 0 && at < s.n && is_domain(bw_slice_from(s, at + 1));
}

static bool begins_word(struct bw_slice s, size_t at)
{
	return at == 0 || s.p[at - 1] == '-' || s.p[at - 1] == '.';
}

static bool is_word(struct bw_slice s, size_t at, const char *word)
{
	struct bw_slice w = bw_slice_of(word);

	if (!begins_word(s, at))
		return false;
	return bw_slice_starts_nocase(bw_slice_from(s, at), w) && at + w.n < s.n && s.p[at + w.n] == '-';
}

/* Where the machine's part of "list-bounces-user=example.org" ends: the role words whose mailboxes only bounces reach. */
static size_t find_role(struct bw_slice local)
{
	static const char *const roles[] = { "bounces", "bounce", "return", "returns", "errors", "owner" };

	for (size_t at = 0; at < local.n; at++) {
		if (!begins_word(local, at))
			continue;
		for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
			if (is_word(local, at, roles[i]))
				return at + strlen(roles[i]);
		}
	}
	return local.n;
}

/* ezmlm: list-return-123-user=example.org, 123 being the number of the post. The length of "list-return", or 0. */
static size_t kept_of_ezmlm(struct bw_slice local, size_t role)
{
	size_t end = role + 1;

	if (role <= strlen("return") || !is_word(local, role - strlen("return"), "return"))
		return 0;
	while (end < local.n && g_ascii_isdigit(local.p[end]))
		end++;
	if (end == role + 1 || end >= local.n || local.p[end] != '-')
		return 0;
	return is_encoded_address(bw_slice_from(local, end + 1)) ? role : 0;
}

/* What stays of a VERP address, or 0. Only the encoded address goes; whatever else names the list stays. */
static size_t kept_of_verp(struct bw_slice local)
{
	size_t plus = bw_slice_find(local, '+');

	if (plus > 0 && plus < local.n && is_encoded_address(bw_slice_from(local, plus + 1)))
		return plus;
	size_t role = find_role(local);

	if (role == local.n)
		return 0;
	size_t kept = kept_of_ezmlm(local, role);
	struct bw_slice head = before(local, find_last(local, '='));
	size_t dash = find_last(head, '-');

	if (kept > 0)
		return kept;
	return dash >= role && dash < head.n && is_encoded_address(bw_slice_from(local, dash + 1)) ? dash : 0;
}

static bool undo_verp(struct bw_mail_path *path)
{
	size_t kept = kept_of_verp(path->local);

	if (kept == 0)
		return false;
	path->local = before(path->local, kept);
	path->verp = true;
	return true;
}

void bw_mail_path_undo(struct bw_mail_path *path)
{
	/* Each form has an equals sign, which few addresses have. Each round shortens the local part; four are more than mail ever has. */
	for (int i = 0; i < 4 && bw_slice_find(path->local, '=') < path->local.n; i++) {
		if (!undo_srs(path) && !undo_batv(path) && !undo_verp(path))
			break;
	}
}
