/* link: bw_base */
/* Signed orders: what was written is read, and nothing else is; their key, and the seal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bw/order.h"
#include "bw/seal.h"

enum { NOW_MS = 5000 };

static const struct bw_order_key key = { { 1, 2, 3 } }, other_key = { { 4 } };

static struct bw_order sample(void)
{
	return (struct bw_order){
		.kind = BW_ORDER_DELETE,
		.host = BW_S("mx1.example.org"),
		.mta = BW_S("postfix"),
		.queue_id = BW_S("4bZK0p1Qz2zAbC"),
		.id = { { 0xab } },
		.at_ms = INT64_C(1479112140000),
		.until_ms = INT64_C(1479115740000),
		.nonce = { { 0xcd } },
	};
}

static void print(struct bw_buf *out, const struct bw_order *o)
{
	bw_buf_init(out, BW_ORDER_TEXT_BYTES);
	assert_true(bw_order_print(out, &key, o));
}

/* HMAC-SHA-512 cut to 256 bits (libsodium's crypto_auth), computed by Python's hmac module. */
static void has_these_words(void **state)
{
	struct bw_order o = sample();
	struct bw_buf text;

	(void)state;
	print(&text, &o);
	assert_string_equal(bw_buf_text(&text),
	                    "v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000; "
	                    "at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; "
	                    "mac=30d9afb6814f00fa417d6fb7b6af0ecc7447141a90a840885508f9a0f884eae7");
	bw_buf_done(&text);
}

static void round_trips(void **state)
{
	(void)state;
	for (enum bw_order_kind kind = 0; kind < BW_ORDER_KIND_COUNT; kind++) {
		struct bw_order o = sample(), back = { .at_ms = 0 }, peeked = { .at_ms = 0 };
		struct bw_buf text;

		o.kind = kind;
		print(&text, &o);
		assert_true(bw_order_peek(bw_buf_slice(&text), &peeked));
		assert_int_equal(bw_order_read(&key, bw_buf_slice(&text), o.until_ms, &back, NULL), BW_OK);
		assert_true(peeked.kind == kind && peeked.at_ms == back.at_ms && bw_hash_equal(&peeked.id, &back.id));
		assert_int_equal(back.kind, kind);
		assert_true(bw_slice_equal(back.host, o.host));
		assert_true(bw_slice_equal(back.mta, o.mta));
		assert_true(bw_slice_equal(back.queue_id, o.queue_id));
		assert_true(bw_hash_equal(&back.id, &o.id));
		assert_true(bw_hash_equal(&back.nonce, &o.nonce));
		assert_int_equal(back.at_ms, o.at_ms);
		assert_int_equal(back.until_ms, o.until_ms);
		bw_buf_done(&text);
	}
}

/* Each byte is signed: a change anywhere, a piece less, another key. */
static void forgeries(void **state)
{
	struct bw_order o = sample(), untouched = { .at_ms = 7 };
	struct bw_buf text;

	(void)state;
	print(&text, &o);
	assert_int_equal(bw_order_read(&other_key, bw_buf_slice(&text), NOW_MS, &untouched, NULL), BW_ERR_PERMISSION);
	for (size_t i = 0; i < text.n; i++) {
		char was = text.p[i];

		text.p[i] = was == '1' ? '2' : '1';
		assert_int_equal(bw_order_read(&key, bw_buf_slice(&text), NOW_MS, &untouched, NULL), BW_ERR_PERMISSION);
		text.p[i] = was;
		assert_int_equal(bw_order_read(&key, bw_slice_head(bw_buf_slice(&text), i), NOW_MS, &untouched, NULL), BW_ERR_PERMISSION);
	}
	assert_int_equal(untouched.at_ms, 7);
	bw_buf_done(&text);
}

static void over(void **state)
{
	struct bw_order o = sample(), untouched = { .at_ms = 7 };
	struct bw_buf text;
	struct bw_why why;

	(void)state;
	print(&text, &o);
	assert_int_equal(bw_order_read(&key, bw_buf_slice(&text), o.until_ms + 90000, &untouched, &why), BW_ERR_LIMIT);
	assert_string_equal(why.text, "the order's time was over 90 s ago");
	assert_int_equal(untouched.at_ms, 7);
	bw_buf_done(&text);
}

/* Signed by one who has the key, and yet nothing that we write: vectors made with Python's hmac module. */
static void signed_nonsense(void **state)
{
	static const char *const texts[] = {
		"v=2; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=afe902c637e61b1ea967baf62"
		"3a7968679286523f40acac1c553985ee5db0451",
		"v=1; kind=purge; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000;"
		" at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=ea861596e236b8f3fa817f5665"
		"511e180f4800cc2d803cf17e73c9ad20493c9e",
		"v=1; kind=Delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=e941270e49dd3fde90c1bc6dc"
		"d724de81880cfcaf35116ce08fff1d4974a2c24",
		"v=1; kind=delete; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000; at=1479112140000; un"
		"til=1479115740000; nonce=cd000000000000000000000000000000; mac=c53c58a1552e96ad748a380b5508ab35a644dab19d46ab8"
		"c22998568103549d7",
		"v=1; kind=delete; host=mx1.example.org; mta=post fix; queue=4bZK0p1Qz2zAbC; id=ab00000000000000000000000000000"
		"0; at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=dc2a3e5137b943ed7e45914e"
		"034abe064ea7c0c675edf6c73aeb333a60ecd317",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=-1; until=1479115740000; nonce=cd000000000000000000000000000000; mac=a9c94596f68bfbec09c623e73973980e1493"
		"1ce10df721ce36716827f894f3a0",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=01479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=d5d1502579f7b985e3662cc9"
		"1d530ca1e0bf402003e6a7124a6d348345809b30",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=1,479,112,140,000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=d9505fddabf4f1b54e4c1"
		"868ecb1c481f03581724decaf1c57e7d95dd8e0364b",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=AB000000000000000000000000000000"
		"; at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=56219fd6a369fa1267bc4a340"
		"7108f96249764b186c385c5ded76ebfd5cb274b",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; more=1; mac=1bb70587434ad2333"
		"5126768d3a6f32965a047685d458050a431c46cf973463e",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=1479112140000; until=1479115740000; nonce=cd000000000000000000000000000000; ; mac=8c57168796a49d339b1ce5a"
		"f584896c4de39bc722d1244c4b01e2a97a4dc4ba8",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=; id=ab000000000000000000000000000000; at=147911214"
		"0000; until=1479115740000; nonce=cd000000000000000000000000000000; mac=90a6bcb40fb9f9d8d656384f6711da1da3891a6"
		"1d5c46a7557543d0173c38a1a",
		"v=1; kind=delete; host=mx1.example.org; mta=postfix; queue=4bZK0p1Qz2zAbC; id=ab000000000000000000000000000000"
		"; at=1479112140000; until=1479115740000; nonce=cd0000000000000000000000000000; mac=868e0acf2dd1bde0c8c5e8e76be"
		"fa6663311a15de75f1fb49fb419ebeb99f5da",
		"v=1; mac=785a85d43c8dd286f749c5e36acd0bc9a1c8d903b74c88087138f01e8a7a8ff3",
		"x; mac=f9f018933e4071b9007c8488cbdb556eaa23d87acbe941037206a7bdf8d5a54f",
	};
	struct bw_order untouched = { .at_ms = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(bw_order_read(&key, bw_slice_of(texts[i]), NOW_MS, &untouched, NULL), BW_ERR_CORRUPT);
	assert_int_equal(untouched.at_ms, 7);
}

static void cannot_be_held(void **state)
{
	static char long_word[300];
	static const char *const words[] = { "", "a b", "a;b", "a\n", "\xc3\xa4", long_word };

	(void)state;
	memset(long_word, 'a', sizeof(long_word) - 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct bw_slice *places[3];
		struct bw_order o;

		for (size_t place = 0; place < 3; place++) {
			struct bw_buf text;

			o = sample();
			places[0] = &o.host;
			places[1] = &o.mta;
			places[2] = &o.queue_id;
			*places[place] = bw_slice_of(words[i]);
			bw_buf_init(&text, BW_ORDER_TEXT_BYTES);
			assert_false(bw_order_print(&text, &key, &o));
			assert_int_equal(text.n, 0);
			bw_buf_done(&text);
		}
	}
}

/* --- the key --- */

struct place {
	char directory[64], path[80];
};

static int make_place(void **state)
{
	static struct place p;

	strcpy(p.directory, "/tmp/bw-order-XXXXXX");
	if (mkdtemp(p.directory) == NULL)
		return -1;
	snprintf(p.path, sizeof(p.path), "%s/order.key", p.directory);
	*state = &p;
	return 0;
}

static int remove_place(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	return rmdir(p->directory);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void makes_a_key_once(void **state)
{
	const struct place *p = *state;
	struct bw_order_key a = { { 7 } }, b;
	struct stat st;

	assert_int_equal(bw_order_key_load(p->path, false, false, &a, NULL), BW_ERR_NOT_FOUND);
	assert_int_equal(a.b[0], 7);
	umask(0);
	assert_int_equal(bw_order_key_load(p->path, true, false, &a, NULL), BW_OK);
	assert_int_equal(bw_order_key_load(p->path, true, false, &b, NULL), BW_OK);
	assert_memory_equal(a.b, b.b, sizeof(a.b));
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_size, 2 * BW_ORDER_KEY_BYTES + 1);
}

static void refuses_bad_keys(void **state)
{
	static const char *const bad[] = { "", "short\n", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
		                               "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg\n" };
	const struct place *p = *state;
	struct bw_order_key k = { { 7 } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_text(p->path, bad[i]);
		assert_int_equal(bw_order_key_load(p->path, true, false, &k, NULL), BW_ERR_INPUT);
	}
	assert_int_equal(k.b[0], 7);
}

/* Whoever is not root cannot make a file that passes; whoever is sees that its mode counts. */
static void checks_the_owner(void **state)
{
	const struct place *p = *state;
	struct bw_order_key k;
	struct bw_why why;
	bool root = geteuid() == 0;

	assert_int_equal(bw_order_key_load(p->path, true, false, &k, NULL), BW_OK);
	assert_int_equal(bw_order_key_load(p->path, false, true, &k, NULL), root ? BW_OK : BW_ERR_PERMISSION);
	for (mode_t bit = 1; bit <= 020; bit = bit == 4 ? 020 : bit * 2) {
		assert_int_equal(chmod(p->path, 0640 | bit), 0);
		assert_int_equal(bw_order_key_load(p->path, false, true, &k, &why), BW_ERR_PERMISSION);
		assert_non_null(strstr(why.text, p->path));
	}
	if (root) {
		assert_int_equal(chmod(p->path, 0640), 0);
		assert_int_equal(chown(p->path, 1, 0), 0);
		assert_int_equal(bw_order_key_load(p->path, false, true, &k, &why), BW_ERR_PERMISSION);
	}
}

/* --- the seal --- */

static void seal(const struct bw_order_key *k, const char *domain, const char *a, const char *b, char out[BW_SEAL_HEX_BYTES])
{
	struct bw_seal *s = bw_seal_new(k, domain);

	assert_non_null(s);
	bw_seal_add(s, bw_slice_of(a));
	bw_seal_add(s, bw_slice_of(b));
	bw_seal_hex(s, out);
	bw_seal_free(&s);
	assert_null(s);
}

static void seals(void **state)
{
	char one[BW_SEAL_HEX_BYTES], two[BW_SEAL_HEX_BYTES];

	(void)state;
	seal(&key, "test", "ab", "c", one);
	seal(&key, "test", "a", "bc", two);
	assert_string_equal(one, "0a0fbbf01e821242f5251465ffd90c752045ef9db19e03ca9a82baafdd97f229");
	assert_string_equal(two, one);
	assert_true(bw_seal_equal(one, bw_slice_of(two)));
	assert_false(bw_seal_equal(one, bw_slice_head(bw_slice_of(two), BW_SEAL_HEX_BYTES - 2)));
	seal(&key, "test", "a", "bd", two);
	assert_false(bw_seal_equal(one, bw_slice_of(two)));
	seal(&key, "tesu", "a", "bc", two);
	assert_false(bw_seal_equal(one, bw_slice_of(two)));
	seal(&other_key, "test", "a", "bc", two);
	assert_false(bw_seal_equal(one, bw_slice_of(two)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_these_words),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(over),
		cmocka_unit_test(signed_nonsense),
		cmocka_unit_test(cannot_be_held),
		cmocka_unit_test_setup_teardown(makes_a_key_once, make_place, remove_place),
		cmocka_unit_test_setup_teardown(refuses_bad_keys, make_place, remove_place),
		cmocka_unit_test_setup_teardown(checks_the_owner, make_place, remove_place),
		cmocka_unit_test(seals),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
