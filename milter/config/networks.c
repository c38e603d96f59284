#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bw/parse.h"
#include "internal.h"

enum { RANGES_MAX = 4096, RANGE_TEXT_MAX = 64 };

/* IPv4 is kept as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2), so that a mapped address matches its range. */
static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

struct range {
	unsigned char ip[16];
	unsigned bits;
};

struct bw_networks {
	size_t count, room;
	struct range ranges[];
};

/* Reads an address; `offset` becomes the number of bits before the first that a prefix length counts. */
static bool read_ip(const char *text, unsigned char ip[16], unsigned *offset)
{
	*offset = 0;
	if (inet_pton(AF_INET6, text, ip) == 1)
		return true;
	if (inet_pton(AF_INET, text, ip + 12) != 1)
		return false;
	memcpy(ip, mapped, sizeof(mapped));
	*offset = 96;
	return true;
}

static void keep_bits(unsigned char ip[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;

		ip[i] = (unsigned char)(ip[i] & 0xFF00U >> kept);
	}
}

static void print_range(const struct range *r, struct bw_buf *out)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = r->bits >= 96 && memcmp(r->ip, mapped, sizeof(mapped)) == 0;

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? r->ip + 12 : r->ip, text, sizeof(text));
	bw_buf_add_text(out, text);
	if (r->bits < 128)
		bw_buf_printf(out, "/%u", v4 ? r->bits - 96 : r->bits);
}

static enum bw_err refuse(struct bw_slice range, const char *what, struct bw_why *why)
{
	char shown[RANGE_TEXT_MAX];

	bw_slice_copy(range, shown, sizeof(shown));
	for (char *p = shown; *p != '\0'; p++)
		*p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
	return bw_fail(why, BW_ERR_INPUT, "\"%s\" %s", shown, what);
}

/* A range whose address goes on behind its prefix is a slip: it hardly means what it says. */
static enum bw_err check_host_bits(struct bw_slice text, const struct range *given, struct range *masked, struct bw_why *why)
{
	struct bw_buf what;

	*masked = *given;
	keep_bits(masked->ip, given->bits);
	if (memcmp(masked->ip, given->ip, sizeof(given->ip)) == 0)
		return BW_OK;
	bw_buf_init(&what, 128);
	bw_buf_add_text(&what, "has bits behind its prefix, meant ");
	print_range(masked, &what);
	enum bw_err err = refuse(text, bw_buf_text(&what), why);

	bw_buf_done(&what);
	return err;
}

static enum bw_err read_range(struct bw_slice text, struct range *out, struct bw_why *why)
{
	static const char usage[] = "is no address or range such as 192.0.2.0/24 or 2001:db8::/32";
	size_t slash = bw_slice_find(text, '/');
	char address[RANGE_TEXT_MAX];
	struct range r = { .bits = 128 };
	unsigned offset;
	int64_t length;

	if (text.n >= sizeof(address) || bw_slice_find(text, '\0') < text.n)
		return refuse(text, usage, why);
	bw_slice_copy(bw_slice_head(text, slash), address, sizeof(address));
	if (!read_ip(address, r.ip, &offset))
		return refuse(text, usage, why);
	if (slash < text.n) {
		struct bw_slice prefix = bw_slice_from(text, slash + 1);

		if (prefix.n > 3 || !bw_parse_int(prefix, &length))
			return refuse(text, usage, why);
		if (length < 0 || length > 128 - (int64_t)offset)
			return refuse(text,
			              offset == 0 ? "has a prefix length out of range, allowed: 0 to 128"
			                          : "has a prefix length out of range, allowed: 0 to 32",
			              why);
		r.bits = offset + (unsigned)length;
	}
	return check_host_bits(text, &r, out, why);
}

static struct bw_networks *with_room(struct bw_networks *n)
{
	size_t count = n == NULL ? 0 : n->count;

	if (n != NULL && n->count < n->room)
		return n;
	size_t room = count == 0 ? 8 : 2 * count;
	struct bw_networks *bigger = realloc(n, sizeof(*bigger) + room * sizeof(bigger->ranges[0]));

	if (bigger != NULL) {
		bigger->count = count;
		bigger->room = room;
	}
	return bigger;
}

enum bw_err bw_networks_add(struct bw_networks **n, struct bw_slice text, struct bw_why *why)
{
	struct range range;
	enum bw_err err = read_range(text, &range, why);

	if (err != BW_OK)
		return err;
	if (*n != NULL && (*n)->count >= RANGES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "more than %d ranges", RANGES_MAX);
	struct bw_networks *bigger = with_room(*n);

	if (bigger == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "ranges: memory is out");
	bigger->ranges[bigger->count++] = range;
	*n = bigger;
	return BW_OK;
}

void bw_networks_free(struct bw_networks **n)
{
	free(*n);
	*n = NULL;
}

static bool range_contains(const struct range *r, const unsigned char address[16])
{
	unsigned char masked[16];

	/* "::/0" means every IPv6 address and no IPv4 one, though mapped ones lie within it. */
	if (r->bits < 96 && memcmp(address, mapped, sizeof(mapped)) == 0)
		return false;
	memcpy(masked, address, sizeof(masked));
	keep_bits(masked, r->bits);
	return memcmp(masked, r->ip, sizeof(masked)) == 0;
}

bool bw_networks_contain(const struct bw_networks *n, const char *ip)
{
	unsigned char address[16];
	unsigned offset;

	if (n == NULL || ip == NULL || !read_ip(ip, address, &offset))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		if (range_contains(&n->ranges[i], address))
			return true;
	}
	return false;
}

void bw_config_networks_each(const struct bw_networks *n, void (*each)(void *ctx, struct bw_slice range), void *ctx)
{
	for (size_t i = 0; n != NULL && i < n->count; i++) {
		struct bw_buf text;

		bw_buf_init(&text, RANGE_TEXT_MAX);
		print_range(&n->ranges[i], &text);
		each(ctx, bw_buf_slice(&text));
		bw_buf_done(&text);
	}
}
