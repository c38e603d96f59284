/* link: bw_session bw_engine bw_store bw_config bw_settings bw_mail bw_base */
/* Log lines and replies are read by scripts and by people: tests/golden/log-lines.txt holds them. BW_GOLDEN_WRITE=1 writes it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bw/clock.h"
#include "bw/session.h"

#define GOLDEN BW_SOURCE_DIR "/tests/golden/log-lines.txt"

static const int64_t START_MS = INT64_C(1479112140000); /* 2016-11-14T08:29:00Z */

struct house {
	struct bw_store *store;
	struct bw_engine *engine;
	struct bw_session *session;
	struct bw_buf said;
};

static void note(void *ctx, enum bw_severity severity, struct bw_slice line)
{
	struct bw_buf *said = ctx;

	bw_buf_printf(said, "%s %.*s\n", bw_severity_name(severity), (int)line.n, line.p);
}

static void set(struct bw_store *store, const char *name, const char *value)
{
	struct bw_setting_row row = { .name = bw_slice_of(name), .value = bw_slice_of(value), .set_ms = START_MS };
	int64_t version;

	assert_int_equal(store->ops->setting_put(store, &row, &version, NULL), BW_OK);
}

static void add_list(struct bw_store *store, const char *address, int64_t size, const char *posters)
{
	struct bw_list_row row = { .address = bw_slice_of(address), .posters = bw_slice_of(posters), .size = size,
		                       .source = BW_SOURCE_OPERATOR, .changed_ms = START_MS };
	int64_t version;

	assert_int_equal(store->ops->list_put(store, &row, &version, NULL), BW_OK);
}

static int build_house(void **state)
{
	struct house *h = calloc(1, sizeof(*h));
	struct bw_key key = { { 1, 2, 3 } };
	struct bw_config *config = NULL;
	struct bw_world *world = NULL;
	struct bw_buf skipped;
	struct bw_why why;

	assert_non_null(h);
	bw_mail_init();
	bw_buf_init(&h->said, 1 << 20);
	bw_buf_init(&skipped, 1000);
	assert_int_equal(bw_store_sqlite_open(":memory:", 100, &h->store, &why), BW_OK);
	set(h->store, "mode", "enforce");
	set(h->store, "sender.posts", "2");
	set(h->store, "@tags@nhs.example.conversation.action", "throttle");
	set(h->store, "@walls@nhs.example.gate.action", "reject");
	set(h->store, "@walls@nhs.example.gate.fanout", "1000");
	set(h->store, "@shadow@nhs.example.gate.mode", "shadow");
	add_list(h->store, "all@nhs.example", 840000, "auth:comms@nhs.example");
	add_list(h->store, "ward@nhs.example", 300, "");
	add_list(h->store, "tags@nhs.example", 30000, "auth:comms@nhs.example");
	add_list(h->store, "walls@nhs.example", 3000, "");
	add_list(h->store, "shadow@nhs.example", 30000, "");
	assert_int_equal(bw_config_default(&config, &why), BW_OK);
	assert_int_equal(bw_networks_add(&config->internal.vouched, BW_S("192.0.2.10"), &why), BW_OK);
	assert_int_equal(bw_world_load(&key, config, h->store, &skipped, &world, &why), BW_OK);
	assert_int_equal(skipped.n, 0);
	struct bw_engine_options options = { .log = { note, &h->said }, .host = "mx1", .keep_ledger = true };

	h->engine = bw_engine_new(h->store, world, &options);
	h->session = bw_session_new(h->engine);
	assert_non_null(h->session);
	*state = h;
	return 0;
}

static int leave_house(void **state)
{
	struct house *h = *state;

	bw_session_free(&h->session);
	bw_engine_free(&h->engine);
	bw_store_close(&h->store);
	bw_buf_done(&h->said);
	free(h);
	return 0;
}

static void header(struct bw_session *s, const char *name, const char *value)
{
	bw_session_header(s, bw_slice_of(name), bw_slice_of(value));
}

struct mail {
	int64_t at_s;
	const char *from, *auth, *to, *id, *parent, *subject, *extra_name, *extra;
};

static void send(struct house *h, const struct mail *m)
{
	struct bw_session *s = h->session;
	char queue_id[32];

	bw_engine_tick(h->engine, START_MS + m->at_s * BW_SECOND_MS);
	bw_session_connect(s, "192.0.2.10", NULL);
	bw_session_mail(s, bw_slice_of(m->from), m->auth, NULL, 2048);
	bw_session_rcpt(s, bw_slice_of(m->to), NULL);
	assert_int_equal(bw_session_data(s), BW_STEP_GO_ON);
	header(s, "From", m->from);
	header(s, "To", m->to);
	header(s, "Subject", m->subject);
	header(s, "Message-ID", m->id);
	header(s, "Date", "Mon, 14 Nov 2016 08:29:00 +0000");
	if (m->parent != NULL)
		header(s, "In-Reply-To", m->parent);
	if (m->extra_name != NULL)
		header(s, m->extra_name, m->extra);
	snprintf(queue_id, sizeof(queue_id), "4Q%lld", (long long)m->at_s);
	const struct bw_judgement *j = bw_session_end(s, queue_id, START_MS + m->at_s * BW_SECOND_MS);

	bw_buf_printf(&h->said, "  = %s%s", bw_action_name(j->verdict.action), j->mark[0] != '\0' ? ", marked" : "");
	if (j->reply_text[0] != '\0')
		bw_buf_printf(&h->said, ": %s %s %s", j->reply_code, j->reply_status, j->reply_text);
	bw_buf_add_char(&h->said, '\n');
}

static const struct mail day[] = {
	{ 0, "<comms@nhs.example>", "comms@nhs.example", "<all@nhs.example>", "<1@a>", NULL, "Town hall", NULL, NULL },
	{ 60, "<u1@nhs.example>", NULL, "<all@nhs.example>", "<2@a>", "<1@a>", "Re: Town hall", NULL, NULL },
	{ 61, "<u2@nhs.example>", NULL, "<all@nhs.example>", "<3@a>", "<1@a>", "Re: Town hall", NULL, NULL },
	{ 70, "<mallory@nhs.example>", NULL, "<all@nhs.example>", "<4@a>", NULL, "Re: opens no door", NULL, NULL },
	{ 80, "<u3@nhs.example>", NULL, "<ward@nhs.example>", "<5@a>", NULL, "Rota", NULL, NULL },
	{ 90, "<u4@nhs.example>", NULL, "<ward@nhs.example>", "<6@a>", "<5@a>", "Automatic reply: Rota", "Auto-Submitted", "auto-replied" },
	{ 100, "<comms@nhs.example>", "comms@nhs.example", "<tags@nhs.example>", "<7@a>", NULL, "50% off", NULL, NULL },
	{ 101, "<u1@nhs.example>", NULL, "<tags@nhs.example>", "<8@a>", "<7@a>", "Re: 50% off", NULL, NULL },
	{ 102, "<u2@nhs.example>", NULL, "<tags@nhs.example>", "<9@a>", "<7@a>", "Re: 50% off", NULL, NULL },
	{ 103, "<u3@nhs.example>", NULL, "<tags@nhs.example>", "<10@a>", "<7@a>", "Re: 50% off", NULL, NULL },
	{ 104, "<u4@nhs.example>", NULL, "<tags@nhs.example>", "<11@a>", "<7@a>", "Re: 50% off", NULL, NULL },
	{ 110, "<u5@nhs.example>", NULL, "<walls@nhs.example>", "<12@a>", NULL, "hi\r\n\tthere", NULL, NULL },
	{ 120, "<u6@nhs.example>", NULL, "<shadow@nhs.example>", "<13@a>", NULL, "test", NULL, NULL },
	{ 130, "<\"u\x1b[31m 7\"@nhs.example>", NULL, "<ward@nhs.example>", "<14@a>", "<5@a>", "Re: Rota", NULL, NULL },
	/* jane's account: three posts to lists that are not hers, of at most two; then a single mail. */
	{ 140, "<jane@nhs.example>", "jane@nhs.example", "<ward@nhs.example>", "<15@a>", NULL, "You have won", NULL, NULL },
	{ 141, "<jane@nhs.example>", "jane@nhs.example", "<ward@nhs.example>", "<16@a>", NULL, "You have won", NULL, NULL },
	{ 142, "<jane@nhs.example>", "jane@nhs.example", "<ward@nhs.example>", "<17@a>", NULL, "You have won", NULL, NULL },
	{ 150, "<jane@nhs.example>", "jane@nhs.example", "<friend@nhs.example>", "<18@a>", NULL, "You have won", NULL, NULL },
};

/* The storm goes on while the hold queue is full: by messages, then by its disk. Ordinary list mail passes. */
static const struct mail full[] = {
	{ 200, "<u7@nhs.example>", "u7@nhs.example", "<all@nhs.example>", "<20@a>", NULL, "New post", NULL, NULL },
	{ 201, "<u8@nhs.example>", NULL, "<all@nhs.example>", "<21@a>", NULL, "New post", NULL, NULL },
	{ 202, "<u8@nhs.example>", NULL, "<all@nhs.example>", "<21@a>", NULL, "New post", NULL, NULL },
	{ 203, "<u3@nhs.example>", NULL, "<ward@nhs.example>", "<22@a>", NULL, "Rota of May", NULL, NULL },
};
static const struct mail disk_full[] = {
	{ 210, "<u7@nhs.example>", "u7@nhs.example", "<all@nhs.example>", "<23@a>", NULL, "New post", NULL, NULL },
	{ 211, "<u8@nhs.example>", NULL, "<all@nhs.example>", "<24@a>", NULL, "New post", NULL, NULL },
};

static void check_golden(const char *said)
{
	FILE *file = fopen(GOLDEN, getenv("BW_GOLDEN_WRITE") != NULL ? "w+" : "r");
	char *kept = calloc(1, 1 << 20);

	assert_non_null(file);
	assert_non_null(kept);
	if (getenv("BW_GOLDEN_WRITE") != NULL) {
		fputs(said, file);
		rewind(file);
	}
	size_t n = fread(kept, 1, (1 << 20) - 1, file);

	kept[n] = '\0';
	fclose(file);
	if (strcmp(kept, said) != 0)
		fail_msg("log lines differ from %s; they are now:\n%s", GOLDEN, said);
	free(kept);
}

static void lines_and_replies_are_as_documented(void **state)
{
	struct house *h = *state;

	for (size_t i = 0; i < sizeof(day) / sizeof(day[0]); i++)
		send(h, &day[i]);
	bw_room_read_end(bw_engine_room(h->engine), 100000, 100000 * BW_ROOM_BLOCK);
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++)
		send(h, &full[i]);
	bw_room_read_end(bw_engine_room(h->engine), 0, 0);
	bw_room_set_free(bw_engine_room(h->engine), 999999999);
	for (size_t i = 0; i < sizeof(disk_full) / sizeof(disk_full[0]); i++)
		send(h, &disk_full[i]);
	check_golden(bw_buf_text(&h->said));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_and_replies_are_as_documented, build_house, leave_house),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
