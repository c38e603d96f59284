/* Checks of texts, one function a kind of text; what they write is the form that is kept. */
#include <string.h>
#include <sys/un.h>

#include "bw/mail.h"
#include "bw/parse.h"
#include "internal.h"

enum { TEXT_MAX = 1000, NAME_MAX_BYTES = 64, DOMAIN_MAX = 400, PREFIX_MAX = 31 };

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool keep(struct bw_slice in, struct bw_buf *out)
{
	bw_buf_add(out, in);
	return true;
}

/* No blanks, no control characters, not empty. */
static bool is_word(struct bw_slice in)
{
	for (size_t i = 0; i < in.n; i++) {
		if ((unsigned char)in.p[i] <= 0x20 || in.p[i] == 0x7f)
			return false;
	}
	return in.n > 0 && in.n <= TEXT_MAX;
}

bool bw_config_convert_word(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	return is_word(in) && keep(in, out);
}

bool bw_config_convert_word_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	return in.n == 0 || bw_config_convert_word(c, in, out);
}

bool bw_config_convert_backend(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	return (bw_slice_equal(in, BW_S("embedded")) || bw_slice_equal(in, BW_S("redis"))) && keep(in, out);
}

bool bw_config_convert_log(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	return (bw_slice_equal(in, BW_S("syslog")) || bw_slice_equal(in, BW_S("stderr"))) && keep(in, out);
}

bool bw_config_convert_path(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	return in.n > 1 && in.n <= TEXT_MAX && in.p[0] == '/' && in.p[in.n - 1] != '/' && keep(in, out);
}

bool bw_config_convert_path_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	return in.n == 0 || bw_config_convert_path(c, in, out);
}

static bool is_unix_path(struct bw_slice path)
{
	struct sockaddr_un address;

	return path.n > 1 && path.n < sizeof(address.sun_path) && path.p[0] == '/' && path.p[path.n - 1] != '/';
}

/* "PORT@HOST"; libmilter would also take "PORT" alone and listen to the world: too dangerous to be meant. */
static bool is_port_at_host(struct bw_slice s)
{
	size_t at = bw_slice_find(s, '@');
	struct bw_slice host = bw_slice_from(s, at + 1);
	int64_t port;

	return bw_parse_int(bw_slice_head(s, at), &port) && port >= 1 && port <= 65535 && is_word(host) &&
	       bw_slice_find(host, '@') == host.n;
}

static const struct {
	const char *prefix;
	bool (*check)(struct bw_slice rest);
} transports[] = {
	{ "unix:", is_unix_path },
	{ "local:", is_unix_path },
	{ "inet:", is_port_at_host },
	{ "inet6:", is_port_at_host },
};

bool bw_config_convert_socket(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++) {
		struct bw_slice prefix = bw_slice_of(transports[i].prefix);

		if (bw_slice_equal(bw_slice_head(in, prefix.n), prefix))
			return transports[i].check(bw_slice_from(in, prefix.n)) && keep(in, out);
	}
	return false;
}

bool bw_config_host_port(struct bw_slice server, struct bw_slice *host, int64_t *port)
{
	size_t colon = server.n;

	while (colon > 0 && server.p[colon - 1] != ':')
		colon--;
	if (colon == 0 || !bw_parse_int(bw_slice_from(server, colon), port) || *port < 1 || *port > 65535)
		return false;
	*host = bw_slice_head(server, colon - 1);
	if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		*host = (struct bw_slice){ host->p + 1, host->n - 2 };
	else if (bw_slice_find(*host, ':') < host->n)
		return false; /* an IPv6 address without brackets: where does the port begin? */
	return is_word(*host) && host->n <= DOMAIN_MAX;
}

bool bw_config_convert_redis_server(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	struct bw_slice prefix = BW_S("unix:"), host;
	int64_t port;

	(void)c;
	if (bw_slice_equal(bw_slice_head(in, prefix.n), prefix))
		return is_unix_path(bw_slice_from(in, prefix.n)) && keep(in, out);
	return bw_config_host_port(in, &host, &port) && keep(in, out);
}

/* Braces are the hash tags of a cluster's keys. */
bool bw_config_convert_redis_prefix(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	return is_word(in) && in.n <= PREFIX_MAX && bw_slice_find(in, '{') == in.n && bw_slice_find(in, '}') == in.n && keep(in, out);
}

/* A user or group: what useradd(8) takes, or a number. */
bool bw_config_convert_user(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	for (size_t i = 0; i < in.n; i++) {
		char x = in.p[i];

		if (!is_alnum(x) && x != '_' && (i == 0 || (x != '-' && x != '.' && x != '$')))
			return false;
	}
	return in.n < NAME_MAX_BYTES && keep(in, out);
}

/* By way of an address: folds case and makes A-labels of what is not ASCII. */
bool bw_config_convert_domain(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	struct bw_address address;
	struct bw_buf text;

	(void)c;
	if (!is_word(in) || in.n > DOMAIN_MAX || bw_slice_find(in, '@') < in.n || bw_slice_find(in, ',') < in.n || in.p[0] == '.')
		return false;
	bw_buf_init(&text, BW_ADDRESS_MAX);
	bw_buf_printf(&text, "postmaster@%.*s", (int)in.n, in.p);
	out->cut = out->cut || text.cut;
	bool good = !text.cut && bw_address_normalise(bw_buf_slice(&text), 0, &address);
	struct bw_slice domain = good ? bw_address_domain(bw_slice_of(address.text)) : (struct bw_slice){ 0 };

	bw_buf_done(&text);
	return domain.n > 0 && keep(domain, out);
}

bool bw_config_convert_host_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	return in.n == 0 || bw_config_convert_domain(c, in, out);
}

/* "SUBJECT=NAME"; the last '=' divides, as subjects are full of them. */
bool bw_config_convert_certificate(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	size_t divider = in.n;

	(void)c;
	while (divider > 0 && in.p[divider - 1] != '=')
		divider--;
	return divider > 1 && in.n <= TEXT_MAX && is_word(bw_slice_from(in, divider)) &&
	       bw_slice_find(bw_slice_from(in, divider), ',') == in.n - divider && keep(in, out);
}

bool bw_config_convert_address(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	struct bw_address address;

	if (!bw_address_normalise(in, c->internal.detail, &address) || address.null_sender ||
	    bw_address_domain(bw_slice_of(address.text)).n == 0)
		return false;
	bw_buf_add_text(out, address.text);
	return true;
}

bool bw_config_convert_address_or_none(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	return in.n == 0 || bw_config_convert_address(c, in, out);
}

bool bw_config_convert_list_id(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	(void)c;
	/* RFC 2919, section 3: at most 255 characters, compared without regard to case. */
	if (!is_word(in) || in.n > 255 || bw_slice_find(in, '<') < in.n || bw_slice_find(in, '>') < in.n)
		return false;
	for (size_t i = 0; i < in.n; i++)
		bw_buf_add_char(out, in.p[i] >= 'A' && in.p[i] <= 'Z' ? (char)(in.p[i] - 'A' + 'a') : in.p[i]);
	return true;
}

bool bw_config_convert_poster(const struct bw_config *c, struct bw_slice in, struct bw_buf *out)
{
	/* Posters are kept in the store as one text with commas between. */
	if (!is_word(in) || bw_slice_find(in, ',') < in.n || in.n > BW_ADDRESS_MAX || bw_slice_starts_nocase(in, BW_S("outside:")))
		return false;
	size_t colon = bw_slice_find(in, ':');

	if (colon + 1 == in.n || colon == 0)
		return false;
	bw_config_identity(c, in, out);
	return true;
}

bool bw_config_is_delimiter(char c)
{
	return c != '\0' && strchr("+-=_.#~|%^!", c) != NULL;
}
