#include "bw/order.h"

#include <sodium.h>
#include <string.h>

#include "bw/parse.h"
#include "secret.h"

_Static_assert(BW_ORDER_KEY_BYTES == crypto_auth_KEYBYTES, "HMAC-SHA512-256");
_Static_assert((size_t)BW_ORDER_KEY_BYTES <= (size_t)SECRET_BYTES_MAX, "a key is a secret");

#define MAC_NAME BW_S("; mac=")

enum { MAC_DIGITS = 2 * crypto_auth_BYTES, WORD_BYTES = 255 };

enum bw_err bw_order_key_load(const char *path, bool create, bool check_owner, struct bw_order_key *out, struct bw_why *why)
{
	const struct secret s = {
		.path = path,
		.what = "the key of orders",
		.bytes = BW_ORDER_KEY_BYTES,
		.mode = 0640,
		.create = create,
		.check_owner = check_owner,
	};

	return secret_load(&s, out->b, why);
}

/* Printable, without blanks and without what divides fields. */
static bool is_word(struct bw_slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ';')
			return false;
	}
	return s.n > 0 && s.n <= WORD_BYTES;
}

static void add_hash(struct bw_buf *out, const char *name, const struct bw_hash *h)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(h, hex);
	bw_buf_printf(out, "; %s=%s", name, hex);
}

static void add_word(struct bw_buf *out, const char *name, struct bw_slice word)
{
	bw_buf_printf(out, "; %s=%.*s", name, (int)word.n, word.p);
}

/* What is signed. */
static bool print_fields(struct bw_buf *out, const struct bw_order *o)
{
	if (!is_word(o->host) || !is_word(o->mta) || !is_word(o->queue_id) || (unsigned)o->kind >= BW_ORDER_KIND_COUNT || o->at_ms < 0 ||
	    o->until_ms < 0)
		return false;
	bw_buf_printf(out, "v=1; kind=%s", bw_order_kind_name(o->kind));
	add_word(out, "host", o->host);
	add_word(out, "mta", o->mta);
	add_word(out, "queue", o->queue_id);
	add_hash(out, "id", &o->id);
	bw_buf_printf(out, "; at=%lld; until=%lld", (long long)o->at_ms, (long long)o->until_ms);
	add_hash(out, "nonce", &o->nonce);
	return !out->cut;
}

static void sign(const struct bw_order_key *key, struct bw_slice text, uint8_t mac[crypto_auth_BYTES])
{
	crypto_auth(mac, (const uint8_t *)text.p, text.n, key->b);
}

bool bw_order_print(struct bw_buf *out, const struct bw_order_key *key, const struct bw_order *order)
{
	uint8_t mac[crypto_auth_BYTES];
	char hex[MAC_DIGITS + 1];
	struct bw_buf text;

	bw_buf_init(&text, BW_ORDER_TEXT_BYTES);
	bool good = print_fields(&text, order);

	if (good) {
		sign(key, bw_buf_slice(&text), mac);
		bw_buf_add(&text, MAC_NAME);
		bw_buf_add_text(&text, sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac)));
		good = !text.cut;
	}
	if (good)
		bw_buf_add(out, bw_buf_slice(&text));
	bw_buf_done(&text);
	return good && !out->cut;
}

/* --- reading --- */

/* The signature stands at the end, at a fixed place; `text` becomes what it is of. */
static bool check_signature(const struct bw_order_key *key, struct bw_slice *text)
{
	const size_t tail_bytes = MAC_NAME.n + MAC_DIGITS;
	uint8_t mac[crypto_auth_BYTES];
	size_t n = 0;

	if (text->n <= tail_bytes || text->n > BW_ORDER_TEXT_BYTES)
		return false;
	struct bw_slice tail = bw_slice_from(*text, text->n - tail_bytes);

	if (!bw_slice_equal(bw_slice_head(tail, MAC_NAME.n), MAC_NAME) ||
	    sodium_hex2bin(mac, sizeof(mac), tail.p + MAC_NAME.n, MAC_DIGITS, NULL, &n, NULL) != 0 || n != sizeof(mac))
		return false;
	*text = bw_slice_head(*text, text->n - tail_bytes);
	return crypto_auth_verify(mac, (const uint8_t *)text->p, text->n, key->b) == 0;
}

/* Takes "NAME=value" and the "; " behind it off `rest`. */
static bool take(struct bw_slice *rest, struct bw_slice name, struct bw_slice *value)
{
	if (!bw_slice_equal(bw_slice_head(*rest, name.n), name))
		return false;
	*value = bw_slice_from(*rest, name.n);
	*value = bw_slice_head(*value, bw_slice_find(*value, ';'));
	*rest = bw_slice_from(*rest, name.n + value->n + 2);
	return true;
}

static bool take_hash(struct bw_slice *rest, struct bw_slice name, struct bw_hash *out)
{
	struct bw_slice value;

	return take(rest, name, &value) && bw_hash_parse(value, out);
}

static bool take_time(struct bw_slice *rest, struct bw_slice name, int64_t *out)
{
	struct bw_slice value;

	return take(rest, name, &value) && bw_parse_int(value, out);
}

static bool parse_fields(struct bw_slice rest, struct bw_order *o)
{
	struct bw_slice version, kind;

	return take(&rest, BW_S("v="), &version) && take(&rest, BW_S("kind="), &kind) && bw_order_kind_parse(kind, &o->kind) &&
	       take(&rest, BW_S("host="), &o->host) && take(&rest, BW_S("mta="), &o->mta) && take(&rest, BW_S("queue="), &o->queue_id) &&
	       take_hash(&rest, BW_S("id="), &o->id) && take_time(&rest, BW_S("at="), &o->at_ms) &&
	       take_time(&rest, BW_S("until="), &o->until_ms) && take_hash(&rest, BW_S("nonce="), &o->nonce);
}

/* What differs in one byte from what we would write of it is not ours, whoever has signed it. */
static bool is_ours(struct bw_slice text, const struct bw_order *o)
{
	struct bw_buf again;

	bw_buf_init(&again, BW_ORDER_TEXT_BYTES);
	bool same = print_fields(&again, o) && bw_slice_equal(text, bw_buf_slice(&again));

	bw_buf_done(&again);
	return same;
}

enum bw_err bw_order_read(const struct bw_order_key *key, struct bw_slice text, int64_t now_ms, struct bw_order *out, struct bw_why *why)
{
	struct bw_order o = { .kind = BW_ORDER_RELEASE };

	if (!check_signature(key, &text))
		return bw_fail(why, BW_ERR_PERMISSION, "the order is not signed with this host's key of orders");
	if (!parse_fields(text, &o) || !is_ours(text, &o))
		return bw_fail(why, BW_ERR_CORRUPT, "the order is signed, but is none that breakwaterctl writes");
	if (now_ms > o.until_ms)
		return bw_fail(why, BW_ERR_LIMIT, "the order's time was over %lld s ago", (long long)((now_ms - o.until_ms) / 1000));
	*out = o;
	return BW_OK;
}

bool bw_order_peek(struct bw_slice text, struct bw_order *out)
{
	struct bw_order o = { .kind = BW_ORDER_RELEASE };
	bool good = parse_fields(text, &o);

	if (good)
		*out = o;
	return good;
}
