/* TLS by OpenSSL below hiredis. The session is ours until hiredis has it, because its own helper does not tell whether a handshake
 * waits for reading or for writing. */
#include "redis-tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "redis-compat.h"

/* It relies on hiredis.h, which redis-compat.h includes. */
#include <hiredis/hiredis_ssl.h>

const char *bw_redis_tls_reason(const char *otherwise)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason != NULL ? reason : otherwise;
}

/* --- what is trusted, and who we are --- */

/* A key with a passphrase: nobody is there to type it. */
static int no_passphrase(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return 0;
}

static bool trust(SSL_CTX *ctx, const char *ca)
{
	struct stat st;

	if (ca == NULL)
		return SSL_CTX_set_default_verify_paths(ctx) == 1;
	bool folder = stat(ca, &st) == 0 && S_ISDIR(st.st_mode);

	return SSL_CTX_load_verify_locations(ctx, folder ? NULL : ca, folder ? ca : NULL) == 1;
}

static enum bw_err load(SSL_CTX *ctx, const struct bw_redis_tls *t, struct bw_why *why)
{
	if (!trust(ctx, t->ca))
		return bw_fail(why, BW_ERR_IO, "store.redis_tls_ca %s: %s", t->ca == NULL ? "(the system's)" : t->ca,
		               bw_redis_tls_reason("no certificates"));
	if (t->certificate == NULL)
		return BW_OK;
	if (SSL_CTX_use_certificate_chain_file(ctx, t->certificate) != 1)
		return bw_fail(why, BW_ERR_IO, "store.redis_tls_certificate %s: %s", t->certificate, bw_redis_tls_reason("no certificate"));
	if (SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1)
		return bw_fail(why, BW_ERR_IO, "store.redis_tls_key %s: %s", t->key, bw_redis_tls_reason("no key"));
	return BW_OK;
}

static enum bw_err make_context(const struct bw_redis_tls *t, SSL_CTX **out, struct bw_why *why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	ERR_clear_error();
	if (ctx == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for TLS");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	/* Redis ends without a word of TLS; that is an end like any other. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	/* hiredis moves its buffer between two tries of one write. */
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	enum bw_err err = load(ctx, t, why);

	if (err == BW_OK)
		*out = ctx;
	else
		SSL_CTX_free(ctx);
	return err;
}

enum bw_err bw_redis_tls_check(const struct bw_redis_tls *tls, struct bw_why *why)
{
	SSL_CTX *ctx = NULL;
	enum bw_err err = make_context(tls, &ctx, why);

	SSL_CTX_free(ctx);
	return err;
}

/* --- the handshake --- */

/* RFC 6066, 3: an address is no server name. */
static bool expect_name(SSL *ssl, const char *name)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
		return true;
	ERR_clear_error();
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static enum bw_err explain(const SSL *ssl, const char *otherwise, struct bw_why *why)
{
	long verified = SSL_get_verify_result(ssl);

	if (verified != X509_V_OK) {
		ERR_clear_error();
		return bw_fail(why, BW_ERR_STORE, "TLS: its certificate is refused: %s", X509_verify_cert_error_string(verified));
	}
	return bw_fail(why, BW_ERR_STORE, "TLS: %s", bw_redis_tls_reason(otherwise));
}

enum bw_err bw_redis_tls_begin(const struct bw_redis_tls *tls, struct redisContext *redis, struct ssl_st **session,
                               struct bw_why *why)
{
	SSL_CTX *ctx = NULL;
	enum bw_err err = make_context(tls, &ctx, why);
	SSL *ssl = err == BW_OK ? SSL_new(ctx) : NULL;

	SSL_CTX_free(ctx);
	if (err != BW_OK)
		return err;
	if (ssl == NULL || !expect_name(ssl, tls->name))
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for TLS");
	else if (redisInitiateSSL(redis, ssl) != REDIS_OK)
		err = explain(ssl, redis->errstr, why);
	if (err == BW_OK)
		*session = ssl;
	else
		SSL_free(ssl);
	return err;
}

enum bw_err bw_redis_tls_go_on(struct ssl_st *session, bool *done, struct bw_why *why)
{
	ERR_clear_error();
	int rc = SSL_do_handshake(session);
	int error = SSL_get_error(session, rc);

	if (rc != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
		return explain(session, "the connection ended in the handshake", why);
	*done = rc == 1;
	return BW_OK;
}

bool bw_redis_tls_wants_read(const struct ssl_st *session)
{
	return session != NULL && SSL_want_read(session);
}
