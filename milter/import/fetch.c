#include "fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"

enum { PASSWORD_BYTES = 512, CONNECT_MS = 10000 };

struct bw_fetch {
	CURL *curl;
	int64_t deadline_ms;
	struct bw_buf *out;
	char error[CURL_ERROR_SIZE];
};

static size_t take(char *bytes, size_t size, size_t n, void *ctx)
{
	struct bw_fetch *f = ctx;

	bw_buf_add(f->out, (struct bw_slice){ bytes, size * n });
	return f->out->cut ? 0 : size * n; /* ends the transfer */
}

static enum bw_err set_login(CURL *curl, const struct bw_import_login *login, struct bw_why *why)
{
	char password[PASSWORD_BYTES];
	enum bw_err err = bw_import_password(login->password_file, password, sizeof(password), why);

	if (err == BW_OK && login->user != NULL &&
	    (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) != CURLE_OK ||
	     curl_easy_setopt(curl, CURLOPT_USERNAME, login->user) != CURLE_OK ||
	     curl_easy_setopt(curl, CURLOPT_PASSWORD, password) != CURLE_OK))
		err = bw_import_no_memory(why);
	if (err == BW_OK && login->ca_file != NULL && curl_easy_setopt(curl, CURLOPT_CAINFO, login->ca_file) != CURLE_OK)
		err = bw_import_no_memory(why);
	explicit_bzero(password, sizeof(password));
	return err;
}

/* None of these can fail, but for want of memory. */
static bool set_options(struct bw_fetch *f)
{
	CURL *curl = f->curl;

	return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, f) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, f->error) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK && /* what an import asks stands inside the house */
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "breakwaterctl/" BW_VERSION) == CURLE_OK;
}

enum bw_err bw_fetch_new(const struct bw_import_login *login, int64_t deadline_ms, struct bw_fetch **out, struct bw_why *why)
{
	struct bw_fetch *f = calloc(1, sizeof(*f));
	enum bw_err err = BW_OK;

	if (f != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		f->curl = curl_easy_init();
	if (f == NULL || f->curl == NULL || !set_options(f))
		err = bw_import_no_memory(why);
	else
		err = set_login(f->curl, login, why);
	if (err != BW_OK) {
		bw_fetch_free(&f);
		return err;
	}
	f->deadline_ms = deadline_ms;
	*out = f;
	return BW_OK;
}

void bw_fetch_free(struct bw_fetch **fetch)
{
	struct bw_fetch *f = *fetch;

	*fetch = NULL;
	if (f == NULL)
		return;
	curl_easy_cleanup(f->curl);
	free(f);
}

static enum bw_err explain(struct bw_fetch *f, const char *url, CURLcode code, struct bw_why *why)
{
	if (code == CURLE_WRITE_ERROR && f->out->cut)
		return bw_fail(why, BW_ERR_LIMIT, "%s: answers with more than %zu MiB", url, f->out->max >> 20);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return bw_fail(why, BW_ERR_IO, "%s: no answer in time", url);
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT)
		return bw_fail(why, BW_ERR_INPUT, "%s: is no URL that begins with http:// or https://", url);
	return bw_fail(why, BW_ERR_IO, "%s: %s", url, f->error[0] != '\0' ? f->error : curl_easy_strerror(code));
}

static enum bw_err check_status(struct bw_fetch *f, const char *url, struct bw_why *why)
{
	long status = 0;

	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200)
		return BW_OK;
	if (status == 401 || status == 403)
		return bw_fail(why, BW_ERR_PERMISSION,
		               "%s: the server refuses this user and password (HTTP %ld); see --user and --password-file", url, status);
	return bw_fail(why, BW_ERR_IO, "%s: the server answers HTTP %ld instead of 200", url, status);
}

enum bw_err bw_fetch_get(struct bw_fetch *f, const char *url, struct bw_buf *out, struct bw_why *why)
{
	int64_t left_ms = f->deadline_ms - bw_clock_monotonic_ms();

	if (left_ms <= 0)
		return bw_fail(why, BW_ERR_IO, "%s: no answer in time", url);
	f->out = out;
	f->error[0] = '\0';
	if (curl_easy_setopt(f->curl, CURLOPT_URL, url) != CURLE_OK ||
	    curl_easy_setopt(f->curl, CURLOPT_TIMEOUT_MS, (long)left_ms) != CURLE_OK ||
	    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(left_ms < CONNECT_MS ? left_ms : CONNECT_MS)) != CURLE_OK)
		return bw_import_no_memory(why);
	CURLcode code = curl_easy_perform(f->curl);

	return code == CURLE_OK ? check_status(f, url, why) : explain(f, url, code, why);
}
