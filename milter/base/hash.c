#include "bw/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* Writes a new secret, complete or not at all: a reader never sees half a file. */
static enum bw_err create_key(const char *path, struct bw_why *why)
{
	char temporary[4096];
	char hex[2 * BW_HASH_BYTES + 2];
	struct bw_hash secret = bw_hash_random();
	enum bw_err err = BW_OK;

	bw_hash_hex(&secret, hex);
	hex[sizeof(hex) - 2] = '\n';
	hex[sizeof(hex) - 1] = '\0';
	if (snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >= (int)sizeof(temporary))
		return bw_fail(why, BW_ERR_INPUT, "%s: path is too long", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return bw_fail(why, BW_ERR_IO, "%s: cannot create the site secret: %s", path, strerror(errno));
	if (write(fd, hex, sizeof(hex) - 1) != (ssize_t)sizeof(hex) - 1 || fsync(fd) != 0)
		err = bw_fail(why, BW_ERR_IO, "%s: cannot write the site secret: %s", path, strerror(errno));
	close(fd);
	/* link(), unlike rename(), does not overwrite a secret that another process made meanwhile. */
	if (err == BW_OK && link(temporary, path) != 0 && errno != EEXIST)
		err = bw_fail(why, BW_ERR_IO, "%s: cannot create the site secret: %s", path, strerror(errno));
	unlink(temporary);
	sodium_memzero(hex, sizeof(hex));
	return err;
}

static enum bw_err read_key(const char *path, struct bw_key *out, struct bw_why *why)
{
	char text[128];
	struct bw_hash secret;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return bw_fail(why, errno == ENOENT ? BW_ERR_NOT_FOUND : BW_ERR_IO, "%s: cannot read the site secret: %s", path,
		               strerror(errno));
	ssize_t n = read(fd, text, sizeof(text));

	close(fd);
	if (n < 0)
		return bw_fail(why, BW_ERR_IO, "%s: cannot read the site secret: %s", path, strerror(errno));
	if (!bw_hash_parse(bw_slice_head((struct bw_slice){ text, (size_t)n }, 2 * (size_t)BW_HASH_BYTES), &secret))
		return bw_fail(why, BW_ERR_INPUT, "%s: the site secret must begin with 32 hexadecimal digits", path);
	memcpy(out->b, secret.b, BW_HASH_BYTES);
	sodium_memzero(text, sizeof(text));
	return BW_OK;
}

enum bw_err bw_key_load(const char *path, bool create, struct bw_key *out, struct bw_why *why)
{
	if (sodium_init() < 0)
		return bw_fail(why, BW_ERR_IO, "libsodium does not start");
	enum bw_err err = read_key(path, out, why);

	if (err != BW_ERR_NOT_FOUND || !create)
		return err == BW_ERR_NOT_FOUND ? BW_ERR_IO : err;
	err = create_key(path, why);
	return err == BW_OK ? read_key(path, out, why) : err;
}
