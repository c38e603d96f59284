/* link: bw_config bw_directory bw_settings bw_mail bw_base -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup */
/* Each allocation of ours fails once: the failure is reported, nothing leaks (sanitizers say so), and what is reported as
 * done is whole. libconfig's and GLib's own allocations are not ours to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/config.h"
#include "bw/mail.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);

static long countdown = -1; /* the allocation that fails; negative: none */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static const char text[] =
	"mode = \"enforce\";\n"
	"daemon: { host = \"mx1.nhs.example\"; };\n"
	"internal: { domains = [ \"nhs.example\" ]; networks = [ \"10.0.0.0/8\", \"192.0.2.0/24\" ]; relays = [ \"10.0.0.1\" ]; };\n"
	"tiers: { huge: { from = 30000; list: { senders = 7; }; }; };\n"
	"lists: ( { address = \"all@nhs.example\"; size = 40000; owner = \"o@nhs.example\"; list_id = \"all.nhs\";\n"
	"  posters = [ \"comms\", \"inside:chief@nhs.example\" ]; limits: { list: { senders = 8; }; }; } );\n"
	"settings = [ \"@b@nhs.example.list.senders = 9\" ];\n";

/* Everything that the text above gives, as one text. */
static void print(const struct bw_config *c, struct bw_buf *out)
{
	struct bw_limits limits;

	for (size_t i = 0; i < bw_config_key_count(); i++) {
		(void)bw_config_key_print(c, i, out);
		bw_buf_add_char(out, '\n');
	}
	for (size_t i = 0; i < c->list_count; i++) {
		const struct bw_list_entry *e = &c->lists[i];

		bw_buf_add(out, e->address);
		bw_buf_add(out, e->owner);
		bw_buf_add(out, e->list_id);
		for (size_t j = 0; j < e->poster_count; j++)
			bw_buf_add(out, e->posters[j]);
	}
	bw_settings_resolve(c->settings, BW_TIER_HUGE, BW_S("all@nhs.example"), &limits);
	bw_buf_printf(out, "%lld ", (long long)limits.list.senders);
	bw_settings_resolve(c->settings, BW_TIER_HUGE, BW_S("b@nhs.example"), &limits);
	bw_buf_printf(out, "%lld ", (long long)limits.list.senders);
	bw_settings_resolve(c->settings, BW_TIER_HUGE, BW_S(""), &limits);
	bw_buf_printf(out, "%lld", (long long)limits.list.senders);
}

static void assert_whole(const struct bw_config *c, const char *wanted, long failed)
{
	struct bw_buf got;

	bw_buf_init(&got, 1 << 16);
	print(c, &got);
	if (strcmp(bw_buf_text(&got), wanted) != 0)
		fail_msg("allocation %ld failed, and this was reported as good:\n%s", failed, bw_buf_text(&got));
	bw_buf_done(&got);
}

static void test_configuration(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_buf wanted;
	long n = 0, failures = 0, other = 0;

	assert_int_equal(bw_config_parse(bw_slice_of(text), "test.conf", &c, NULL), BW_OK);
	bw_buf_init(&wanted, 1 << 16);
	print(c, &wanted);
	bw_config_free(&c);
	for (bool reached = true; reached; n++) {
		struct bw_why why = { "" };

		countdown = n;
		enum bw_err err = bw_config_parse(bw_slice_of(text), "test.conf", &c, &why);

		reached = countdown < 0;
		countdown = -1;
		failures += err != BW_OK;
		if (err == BW_OK) {
			assert_whole(c, bw_buf_text(&wanted), n);
		} else {
			/* BW_ERR_MEMORY, but where an address could not be read for it: bw_address_normalise() says "none" then. */
			assert_null(c);
			assert_true(why.text[0] != '\0');
			other += err != BW_ERR_MEMORY;
		}
		bw_config_free(&c);
	}
	printf("%ld failures, %ld of them taken for bad addresses\n", failures, other);
	assert_true(failures > 100);
	assert_true(other < failures / 4);
	bw_buf_done(&wanted);
}

static enum bw_err add(struct bw_directory_builder *b, const char *address, int64_t size)
{
	static const struct bw_slice posters[] = { BW_S("auth:comms@nhs.example"), BW_S("cert:portal") };
	struct bw_list_entry e = { .address = bw_slice_of(address),
		                       .size = size,
		                       .owner = BW_S("o@nhs.example"),
		                       .list_id = BW_S("id"),
		                       .posters = posters,
		                       .poster_count = 2 };

	return bw_directory_add(b, &e, NULL);
}

/* Adds until it is done, repeating what failed: a refused entry changes nothing. Then builds and looks up. */
static void play_directory(void)
{
	static const char *const addresses[] = { "c@x.example", "a@x.example", "b@x.example", "a@x.example" };
	struct bw_directory_builder *b = NULL;
	struct bw_directory *d = NULL;

	while (b == NULL)
		b = bw_directory_builder_new(&bw_tier_bounds_default);
	for (size_t i = 0; i < 4; i++)
		while (add(b, addresses[i], 100 + (int64_t)i) != BW_OK)
			;
	while (bw_directory_build(b, &d, NULL) != BW_OK)
		;
	const struct bw_list *list = bw_directory_find(d, BW_S("a@x.example"));

	/* A look-up answers even then: the snapshot has a reserve. */
	assert_non_null(list);
	assert_int_equal(list->size, 103);
	assert_true(bw_list_has_poster(list, BW_S("cert:portal")));
	assert_int_equal(bw_directory_count(d), 3);
	assert_non_null(bw_directory_find_list_id(d, BW_S("id")));
	bw_directory_unref(&d);
	bw_directory_builder_free(&b);
}

static void test_directory(void **state)
{
	(void)state;
	long n = 0;

	for (bool reached = true; reached; n++) {
		countdown = n;
		play_directory();
		reached = countdown < 0;
		countdown = -1;
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_directory),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
