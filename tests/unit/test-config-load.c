/* link: bw_config bw_directory bw_settings bw_mail bw_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bw/config.h"
#include "bw/mail.h"

static struct bw_config *parse(const char *text)
{
	struct bw_config *c = NULL;
	struct bw_why why = { "" };

	if (bw_config_parse(bw_slice_of(text), "test.conf", &c, &why) != BW_OK)
		fail_msg("%s", why.text);
	return c;
}

static void assert_setting(const struct bw_config *c, const char *name, const char *wanted)
{
	struct bw_buf value;

	bw_buf_init(&value, 1000);
	assert_int_equal(bw_settings_get(c->settings, bw_slice_of(name), &value, NULL), BW_OK);
	assert_string_equal(bw_buf_text(&value), wanted);
	bw_buf_done(&value);
}

static void assert_slice(struct bw_slice got, const char *wanted)
{
	char text[1200];

	bw_slice_copy(got, text, sizeof(text));
	assert_string_equal(text, wanted);
}

static const char everything[] =
	"mode = \"enforce\";\n"
	"daemon: { socket = \"inet:8891@127.0.0.1\"; socket_mode = \"600\"; socket_group = \"postfix\"; user = \"\"; group = "
    "\"games\";\n"
	"  pid_file = \"\"; secret_file = \"/s\"; bypass_file = \"/b\"; host = \"MX1.nhs.example\"; log = \"stderr\"; trace_header = "
    "true;\n"
	"  drain = \"1m30s\"; };\n"
	"store: { backend = \"embedded\"; path = \"/a\\\\b\\\"c\"; busy = \"1s\"; memory = \"2d\"; expire_every = \"30s\"; };\n"
	"internal: { domains = [ \"NHS.example\", \"nhs.uk.example\" ]; networks = ( \"10.0.0.0/8\" ); vouched = [ \"10.0.0.1\" ];\n"
	"  relays = [ \"10.0.0.2\" ]; expanders = [ \"10.0.0.3\" ]; list_servers = [ \"10.0.0.4\", \"::1\" ];\n"
	"  submission_daemons = [ \"submission\" ]; own_message_ids = [ \"MX1.nhs.example\" ];\n"
	"  certificates = [ \"/CN=relay/O=NHS=portal\" ]; detail = \"-\"; };\n"
	"tiers: { medium = 300; large: { from = \"3,000\"; list: { senders = \"off\"; }; }; huge = { from = 30000; }; };\n";

static void test_every_key(void **state)
{
	(void)state;
	struct bw_config *c = parse(everything);

	assert_int_equal(bw_settings_mode(c->settings), BW_MODE_ENFORCE);
	assert_string_equal(c->daemon.socket, "inet:8891@127.0.0.1");
	assert_int_equal(c->daemon.socket_mode, 0600);
	assert_string_equal(c->daemon.socket_group, "postfix");
	assert_string_equal(c->daemon.user, "");
	assert_string_equal(c->daemon.group, "games");
	assert_string_equal(c->daemon.pid_file, "");
	assert_string_equal(c->daemon.secret_file, "/s");
	assert_string_equal(c->daemon.bypass_file, "/b");
	assert_string_equal(c->daemon.host, "mx1.nhs.example");
	assert_string_equal(c->daemon.log, "stderr");
	assert_true(c->daemon.trace_header);
	assert_int_equal(c->daemon.drain_ms, 90000);
	assert_string_equal(c->store.path, "/a\\b\"c");
	assert_int_equal(c->store.busy_ms, 1000);
	assert_int_equal(c->store.memory_ms, 2 * 86400000);
	assert_int_equal(c->store.expire_every_ms, 30000);
	assert_int_equal(c->internal.domain_count, 2);
	assert_string_equal(c->internal.domains[0], "nhs.example");
	assert_true(bw_networks_contain(c->internal.networks, "10.2.3.4"));
	assert_false(bw_networks_contain(c->internal.networks, "127.0.0.1"));
	assert_true(bw_networks_contain(c->internal.vouched, "10.0.0.1"));
	assert_true(bw_networks_contain(c->internal.relays, "10.0.0.2"));
	assert_true(bw_networks_contain(c->internal.expanders, "10.0.0.3"));
	assert_true(bw_networks_contain(c->internal.list_servers, "::1"));
	assert_int_equal(c->internal.submission_count, 1);
	assert_string_equal(c->internal.own_message_ids[0], "mx1.nhs.example");
	assert_string_equal(c->internal.certificates[0], "/CN=relay/O=NHS=portal");
	assert_int_equal(c->internal.detail, '-');
	assert_int_equal(c->tiers.from[BW_TIER_MEDIUM], 300);
	assert_int_equal(c->tiers.from[BW_TIER_LARGE], 3000);
	assert_int_equal(c->tiers.from[BW_TIER_HUGE], 30000);
	assert_setting(c, "large.list.senders", "off");
	assert_setting(c, "huge.list.senders", "6");
	bw_config_free(&c);
	assert_null(c);
}

static void test_nothing_gives_the_defaults(void **state)
{
	(void)state;
	struct bw_config *c = parse("");

	assert_string_equal(c->daemon.socket, "unix:/var/spool/postfix/breakwater/milter.sock");
	assert_int_equal(c->daemon.socket_mode, 0660);
	assert_string_equal(c->store.path, "/var/lib/breakwater/store.db");
	assert_int_equal(c->daemon.drain_ms, 10000);
	assert_int_equal(c->store.busy_ms, 250);
	assert_int_equal(c->store.memory_ms, 7 * 86400000);
	assert_int_equal(bw_settings_mode(c->settings), BW_MODE_SHADOW);
	assert_true(bw_networks_contain(c->internal.networks, "127.3.4.5"));
	assert_true(bw_networks_contain(c->internal.networks, "::1"));
	assert_int_equal(c->internal.detail, '+');
	assert_int_equal(c->internal.domain_count, 0);
	assert_int_equal(c->list_count, 0);
	bw_config_free(&c);
}

/* What is said of one tier goes before `all`, of a list before both, by name before everything, whatever the order. */
static void test_order_of_thresholds(void **state)
{
	(void)state;
	struct bw_config *c =
		parse("settings = [ \"large.list.window = 7m\", \"@SOCIAL@nhs.example.list.senders=9\" ];\n"
	          "lists: ( { address = \"social@nhs.example\"; size = 30000;\n"
	          "  limits: { list: { senders = 8; window = \"8m\"; }; gate: { mode = \"off\"; }; }; } );\n"
	          "tiers: { huge: { list: { window = \"5m\"; }; }; all: { list: { window = \"6m\"; senders = 70; }; }; };\n");
	struct bw_limits limits;

	assert_setting(c, "huge.list.window", "5m");
	assert_setting(c, "large.list.window", "7m");
	assert_setting(c, "medium.list.window", "6m");
	assert_setting(c, "list.senders", "70");
	assert_setting(c, "@social@nhs.example.list.senders", "9");
	bw_settings_resolve(c->settings, BW_TIER_HUGE, BW_S("social@nhs.example"), &limits);
	assert_int_equal(limits.list.senders, 9);
	assert_int_equal(limits.list.window_ms, 8 * 60000);
	assert_int_equal(limits.gate.mode, BW_MODE_OFF);
	bw_config_free(&c);
}

static void test_lists(void **state)
{
	(void)state;
	struct bw_config *c =
		parse("lists: (\n"
	          "  { address = \"All-Staff+x@NHS.example\"; size = 840000; owner = \"Office@NHS.example\"; list_id = "
	          "\"All.NHS.example\";\n"
	          "    posters = [ \"Comms\", \"auth:Board@Other.example\", \"CERT:Portal\", \"inside:Chief+home@NHS.example\" ];\n"
	          "    unconfirmed = true; },\n"
	          "  { address = \"b@nhs.example\"; size = \"4_000\"; owner = \"\"; list_id = \"\"; posters = [ ]; }\n"
	          ");\n"
	          "internal: { domains = [ \"nhs.example\" ]; };\n");
	const struct bw_list_entry *e = c->lists;

	assert_int_equal(c->list_count, 2);
	assert_slice(e->address, "all-staff@nhs.example");
	assert_int_equal(e->size, 840000);
	assert_int_equal(e->source, BW_SOURCE_CONFIG);
	assert_true(e->unconfirmed);
	assert_slice(e->owner, "office@nhs.example");
	assert_slice(e->list_id, "all.nhs.example");
	assert_int_equal(e->poster_count, 4);
	assert_slice(e->posters[0], "auth:comms@nhs.example");
	assert_slice(e->posters[1], "auth:board@other.example");
	assert_slice(e->posters[2], "cert:portal");
	assert_slice(e->posters[3], "inside:chief@nhs.example");
	assert_int_equal(e[1].size, 4000);
	assert_int_equal(e[1].owner.n + e[1].list_id.n + e[1].poster_count, 0);
	assert_false(e[1].unconfirmed);
	bw_config_free(&c);
}

/* Whatever the loader lets pass, the directory takes. */
static void test_lists_fit_the_directory(void **state)
{
	(void)state;
	struct bw_config *c =
		parse("lists: ( { address = \"all@nhs.example\"; size = 1000000000; posters = [ \"comms\", \"auth:x\" ];\n"
	          "  owner = \"o@nhs.example\"; list_id = \"id\"; } );");
	struct bw_directory_builder *b = bw_directory_builder_new(&c->tiers);
	struct bw_why why = { "" };

	if (bw_directory_add(b, &c->lists[0], &why) != BW_OK)
		fail_msg("%s", why.text);
	bw_directory_builder_free(&b);
	bw_config_free(&c);
}

static const struct {
	const char *poster, *with_domain, *without;
} identities[] = {
	{ "comms", "auth:comms@nhs.example", "auth:comms" },
	{ "Comms", "auth:comms@nhs.example", "auth:comms" },
	{ "comms@Other.Example", "auth:comms@other.example", "auth:comms@other.example" },
	{ "auth:comms", "auth:comms@nhs.example", "auth:comms" },
	{ "AUTH:COMMS@NHS.EXAMPLE", "auth:comms@nhs.example", "auth:comms@nhs.example" },
	{ "auth:a+b", "auth:a+b@nhs.example", "auth:a+b" },
	{ "auth:NHS\\comms", "auth:nhs\\comms@nhs.example", "auth:nhs\\comms" },
	{ "cert:CN-Portal", "cert:cn-portal", "cert:cn-portal" },
	{ "inside:Chief+x@NHS.example", "inside:chief@nhs.example", "inside:chief@nhs.example" },
	{ "inside:nobody", "inside:nobody", "inside:nobody" },
	{ "auth:list-bounces+user=example.org@nhs.example", "auth:list-bounces+user=example.org@nhs.example",
	  "auth:list-bounces+user=example.org@nhs.example" },
};

static void assert_identity(const struct bw_config *c, const char *poster, const char *wanted)
{
	struct bw_buf out;

	bw_buf_init(&out, 1000);
	bw_buf_add_text(&out, ">");
	bw_config_identity(c, bw_slice_of(poster), &out);
	assert_string_equal(bw_buf_text(&out) + 1, wanted);
	bw_buf_done(&out);
}

static void test_identities(void **state)
{
	(void)state;
	struct bw_config *with = parse("internal: { domains = [ \"nhs.example\", \"other.example\" ]; };"), *without = parse("");

	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		assert_identity(with, identities[i].poster, identities[i].with_domain);
		assert_identity(without, identities[i].poster, identities[i].without);
	}
	bw_config_free(&with);
	bw_config_free(&without);
}

/* --- includes --- */

static char folder[] = "/tmp/breakwater-test-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_folder(void **state)
{
	char path[200];

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/sub", folder);
	return mkdir(path, 0700);
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "main.conf", "lists.conf", "sub/one.conf", "sub/two.conf", "pipe", "sub", "" };
	char path[200];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)remove(path);
	}
	return 0;
}

static enum bw_err load_main(struct bw_config **c, struct bw_why *why)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/main.conf", folder);
	return bw_config_load(path, c, why);
}

static void test_includes(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_why why = { "" };

	write_file("main.conf",
	           "mode = \"enforce\";\n@include \"sub/one.conf\"  # behind it a comment\nlists: (\n\t@include \"lists.conf\"\n);\n"
	           "/* @include \"nowhere.conf\" */\n# @include \"nowhere.conf\"\n");
	write_file("lists.conf", "{ address = \"a@nhs.example\"; size = 5; },\n{ address = \"b@nhs.example\"; size = 6; }");
	write_file("sub/one.conf", "daemon: {\n@include \"two.conf\"\n};\n");
	write_file("sub/two.conf", "host = \"mx9\";\n");
	if (load_main(&c, &why) != BW_OK)
		fail_msg("%s", why.text);
	assert_string_equal(c->daemon.host, "mx9");
	assert_int_equal(c->list_count, 2);
	bw_config_free(&c);
}

static void test_include_by_absolute_name(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_why why = { "" };
	char text[300];

	snprintf(text, sizeof(text), "daemon: {\n@include \"%s/sub/two.conf\"\n};\n", folder);
	write_file("main.conf", text);
	write_file("sub/two.conf", "host = \"mx8\";\n");
	if (load_main(&c, &why) != BW_OK)
		fail_msg("%s", why.text);
	assert_string_equal(c->daemon.host, "mx8");
	bw_config_free(&c);
}

/* A FIFO in the place of a file must not make anybody wait. */
static void test_fifo_is_refused(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_why why = { "" };
	char path[200];

	snprintf(path, sizeof(path), "%s/pipe", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(bw_config_load(path, &c, &why), BW_ERR_IO);
	assert_non_null(strstr(why.text, "not a regular file"));
	assert_null(c);
}

static void test_missing_file(void **state)
{
	(void)state;
	struct bw_config *c = NULL;
	struct bw_why why = { "" };

	assert_int_equal(bw_config_load("/nowhere/breakwater.conf", &c, &why), BW_ERR_IO);
	assert_string_equal(why.text, "/nowhere/breakwater.conf: No such file or directory");
	assert_int_equal(bw_config_parse(BW_S("@include \"x\""), "test.conf", &c, &why), BW_ERR_INPUT);
	assert_string_equal(why.text, "test.conf:1: @include is possible in files only");
	assert_null(c);
}

static void test_many_lists(void **state)
{
	(void)state;
	struct bw_buf text;
	struct bw_config *c;

	bw_buf_init(&text, 16 << 20);
	bw_buf_add_text(&text, "lists: (\n");
	for (int i = 0; i < 20000; i++)
		bw_buf_printf(&text, "%s{ address = \"l%d@nhs.example\"; size = %d; }\n", i > 0 ? "," : "", i, i + 1);
	bw_buf_add_text(&text, ");\n");
	c = parse(bw_buf_text(&text));
	assert_int_equal(c->list_count, 20000);
	assert_slice(c->lists[19999].address, "l19999@nhs.example");
	assert_int_equal(c->lists[19999].size, 20000);
	bw_config_free(&c);
	bw_buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_nothing_gives_the_defaults),
		cmocka_unit_test(test_order_of_thresholds),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lists_fit_the_directory),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_include_by_absolute_name),
		cmocka_unit_test(test_fifo_is_refused),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_many_lists),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
