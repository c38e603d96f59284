#include "bw/config.h"
#include "bw/mail.h"

enum { LOGIN_MAX = 4096 };

static void add_lower(struct bw_buf *out, struct bw_slice s)
{
	for (size_t i = 0; i < s.n; i++)
		bw_buf_add_char(out, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] - 'A' + 'a') : s.p[i]);
}

/* An address in the form of all addresses, or lower case where it is none. A login is never taken apart: `detail` is 0 for
 * it, and what looks like VERP or SRS stays. */
static void add_address(struct bw_buf *out, struct bw_slice name, char detail)
{
	struct bw_address address;

	if (bw_address_normalise(name, detail, &address) && !address.null_sender && !address.verp && !address.srs)
		bw_buf_add_text(out, address.text);
	else
		add_lower(out, name);
}

static void add_login(const struct bw_config *c, struct bw_slice name, struct bw_buf *out)
{
	struct bw_buf full;

	bw_buf_init(&full, LOGIN_MAX);
	bw_buf_add(&full, name);
	if (bw_slice_find(name, '@') == name.n && c->internal.domain_count > 0)
		bw_buf_printf(&full, "@%s", c->internal.domains[0]);
	/* A login that was cut would be another's. */
	out->cut = out->cut || full.cut;
	add_address(out, bw_buf_slice(&full), 0);
	bw_buf_done(&full);
}

static void add_sender(const struct bw_config *c, struct bw_slice name, struct bw_buf *out)
{
	struct bw_address address;

	/* As the session writes it: the normalised envelope sender. */
	if (bw_address_normalise(name, c->internal.detail, &address) && !address.null_sender)
		bw_buf_add_text(out, address.text);
	else
		add_lower(out, name);
}

static void add_name(const struct bw_config *c, struct bw_slice name, struct bw_buf *out)
{
	(void)c;
	add_lower(out, name);
}

static const struct {
	const char *prefix;
	void (*add)(const struct bw_config *c, struct bw_slice name, struct bw_buf *out);
} kinds[] = {
	{ "auth:", add_login },
	{ "cert:", add_name },
	{ "inside:", add_sender },
};

void bw_config_identity(const struct bw_config *c, struct bw_slice poster, struct bw_buf *out)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bw_slice prefix = bw_slice_of(kinds[i].prefix);

		if (bw_slice_starts_nocase(poster, prefix)) {
			bw_buf_add(out, prefix);
			kinds[i].add(c, bw_slice_from(poster, prefix.n), out);
			return;
		}
	}
	bw_buf_add_text(out, "auth:");
	add_login(c, poster, out);
}

bool bw_config_is_own_domain(const struct bw_config *c, struct bw_slice domain)
{
	for (size_t i = 0; i < c->internal.domain_count; i++) {
		if (bw_slice_equal_nocase(domain, bw_slice_of(c->internal.domains[i])))
			return true;
	}
	return false;
}
