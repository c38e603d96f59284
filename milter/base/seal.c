#include "bw/seal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(BW_SEAL_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

struct bw_seal {
	crypto_generichash_state *state; /* aligned within the memory behind it */
};

struct bw_seal *bw_seal_new(const struct bw_order_key *key, const char *domain)
{
	size_t align = _Alignof(crypto_generichash_state), room = crypto_generichash_statebytes() + align;
	struct bw_seal *s = malloc(sizeof(*s) + room);
	uint8_t own[crypto_generichash_KEYBYTES];

	if (s == NULL)
		return NULL;
	uintptr_t at = ((uintptr_t)(s + 1) + align - 1) / align * align;

	s->state = (crypto_generichash_state *)at;
	crypto_generichash(own, sizeof(own), (const uint8_t *)domain, strlen(domain), key->b, sizeof(key->b));
	crypto_generichash_init(s->state, own, sizeof(own), BW_SEAL_BYTES);
	sodium_memzero(own, sizeof(own));
	return s;
}

void bw_seal_free(struct bw_seal **seal)
{
	free(*seal);
	*seal = NULL;
}

void bw_seal_add(struct bw_seal *seal, struct bw_slice bytes)
{
	if (bytes.n > 0)
		crypto_generichash_update(seal->state, (const uint8_t *)bytes.p, bytes.n);
}

void bw_seal_hex(struct bw_seal *seal, char out[BW_SEAL_HEX_BYTES])
{
	uint8_t hash[BW_SEAL_BYTES];

	crypto_generichash_final(seal->state, hash, sizeof(hash));
	sodium_bin2hex(out, BW_SEAL_HEX_BYTES, hash, sizeof(hash));
}

bool bw_seal_equal(const char a[BW_SEAL_HEX_BYTES], struct bw_slice b)
{
	return b.n == BW_SEAL_HEX_BYTES - 1 && sodium_memcmp(a, b.p, BW_SEAL_HEX_BYTES - 1) == 0;
}
