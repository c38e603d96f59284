#include "bw/hash.h"

#include <sodium.h>
#include <string.h>

#include "secret.h"

_Static_assert(BW_HASH_BYTES == crypto_shorthash_siphashx24_BYTES, "SipHash-128");
_Static_assert(BW_HASH_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "SipHash key");

struct bw_hash bw_hash_slice(const struct bw_key *key, const char *domain, struct bw_slice s)
{
	struct bw_hash own, out;

	/* A key of its own for each use, so that equal bytes in two uses do not give equal hashes. */
	crypto_shorthash_siphashx24(own.b, (const unsigned char *)domain, strlen(domain), key->b);
	crypto_shorthash_siphashx24(out.b, (const unsigned char *)(s.n == 0 ? "" : s.p), s.n, own.b);
	return out;
}

bool bw_hash_equal(const struct bw_hash *a, const struct bw_hash *b)
{
	return sodium_memcmp(a->b, b->b, BW_HASH_BYTES) == 0;
}

bool bw_hash_is_zero(const struct bw_hash *h)
{
	return sodium_is_zero(h->b, BW_HASH_BYTES) == 1;
}

void bw_hash_sum(struct bw_hash *sum, const struct bw_hash *h)
{
	sodium_add(sum->b, h->b, BW_HASH_BYTES);
}

void bw_hash_hex(const struct bw_hash *h, char out[2 * BW_HASH_BYTES + 1])
{
	sodium_bin2hex(out, 2 * BW_HASH_BYTES + 1, h->b, BW_HASH_BYTES);
}

bool bw_hash_parse(struct bw_slice hex, struct bw_hash *out)
{
	struct bw_hash h;
	size_t n = 0;

	if (hex.n != 2 * (size_t)BW_HASH_BYTES)
		return false;
	if (sodium_hex2bin(h.b, BW_HASH_BYTES, hex.p, hex.n, NULL, &n, NULL) != 0 || n != BW_HASH_BYTES)
		return false;
	*out = h;
	return true;
}

struct bw_hash bw_hash_random(void)
{
	struct bw_hash h;

	randombytes_buf(h.b, sizeof(h.b));
	return h;
}

struct bw_hash bw_key_fingerprint(const struct bw_key *key)
{
	return bw_hash_slice(key, "fingerprint", BW_S("breakwater"));
}

enum bw_err bw_key_load(const char *path, bool create, struct bw_key *out, struct bw_why *why)
{
	const struct secret s = { .path = path, .what = "the site secret", .bytes = BW_HASH_BYTES, .mode = 0600, .create = create };
	enum bw_err err = secret_load(&s, out->b, why);

	return err == BW_ERR_NOT_FOUND || err == BW_ERR_PERMISSION ? BW_ERR_IO : err;
}
