#include "furnish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bw/clock.h"
#include "bw/mark.h"
#include "bw/store.h"

#define ALL_STAFF BW_S("all-staff@nhs.example")
#define EVIL                        \
	"\033[2J\033]0;owned\a\xC2\x9B" \
	"31m"

static void must(enum bw_err err, const struct bw_why *why)
{
	if (err == BW_OK)
		return;
	fprintf(stderr, "furnish: %s\n", why->text);
	exit(3);
}

static struct bw_store *open_store(const char *path)
{
	struct bw_store *store = NULL;
	struct bw_why why;

	must(bw_store_sqlite_open(path, 1000, &store, &why), &why);
	return store;
}

void furnish_config(struct bw_buf *out, const char *scratch, bool lists)
{
	bw_buf_printf(out, "daemon: { bypass_file = \"%s/bypass\"; secret_file = \"%s/secret\"; host = \"mx1\"; };\n", scratch,
	              scratch);
	bw_buf_printf(out, "hold: { archive = \"%s/archive\"; sendmail_queue = \"%s/mqueue\"; order_key = \"%s/order.key\"; };\n",
	              scratch, scratch, scratch);
	bw_buf_printf(out, "store: { path = \"%s/store.db\"; };\n", scratch);
	bw_buf_add_text(out, "internal: { domains = [ \"nhs.example\" ]; };\n");
	if (lists)
		bw_buf_add_text(out, "lists: ( { address = \"all-staff@nhs.example\"; size = 840000; posters = [ \"comms\" ]; } );\n");
}

void furnish_heartbeat(const char *path, int64_t seen_ms, enum furnish_host host)
{
	struct bw_store *store = open_store(path);
	struct bw_why why;
	int64_t version = host == FURNISH_DEAF ? 0 : INT64_MAX / 2;
	struct bw_host_row row = {
		.host = BW_S("mx1"),
		.version = BW_S("0.1.0"),
		.pid = 4711,
		.seen_ms = seen_ms,
		.settings_version = version,
		.directory_version = version,
		.format = 1,
		.deliveries = 3360000,
		.held = 2,
		.accepted = 4,
		.started_ms = seen_ms - BW_HOUR_MS,
	};

	must(store->ops->heartbeat(store, &row, &why), &why);
	bw_store_close(&store);
}

static void put_lists(struct bw_store *store, int64_t now_ms)
{
	const struct bw_list_row rows[] = {
		{ .address = BW_S("croydon@nhs.example"),
		  .size = 850000,
		  .source = BW_SOURCE_IMPORT,
		  .unconfirmed = true,
		  .changed_ms = now_ms },
		{ .address = BW_S("ward-7@nhs.example"),
		  .size = 40,
		  .source = BW_SOURCE_OPERATOR,
		  .owner = BW_S("matron@nhs.example"),
		  .list_id = BW_S("ward-7.nhs.example"),
		  .posters = BW_S("auth:matron@nhs.example,inside:rota@nhs.example"),
		  .changed_ms = now_ms },
	};
	struct bw_why why;
	int64_t version;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		must(store->ops->list_put(store, &rows[i], &version, &why), &why);
}

static void put_settings(struct bw_store *store, int64_t now_ms)
{
	const struct bw_setting_row rows[] = {
		{ .name = BW_S("mode"), .value = BW_S("enforce"), .owner = BW_S("root"), .set_ms = now_ms - 7 * BW_DAY_MS },
		{ .name = BW_S("huge.conversation.senders"),
		  .value = BW_S("5"),
		  .owner = BW_S("bob"),
		  .reason = BW_S("town hall " EVIL),
		  .set_ms = now_ms - BW_HOUR_MS,
		  .until_ms = now_ms + 2 * BW_DAY_MS },
	};
	struct bw_why why;
	int64_t version;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		must(store->ops->setting_put(store, &rows[i], &version, &why), &why);
}

static void put_breakers(struct bw_store *store, int64_t now_ms)
{
	struct bw_breaker_key key = { .scope = BW_SCOPE_CONVERSATION, .list = ALL_STAFF };
	struct bw_breaker open = {
		.phase = BW_PHASE_OPEN,
		.rule = BW_RULE_CONVERSATION_SENDERS,
		.since_ms = now_ms - 10 * BW_MINUTE_MS,
		.until_ms = now_ms + 110 * BW_MINUTE_MS,
		.ordinal = 6,
		.limit = 5,
		.trips = 1,
	};
	struct bw_breaker over = {
		.phase = BW_PHASE_OPEN,
		.rule = BW_RULE_LIST_SENDERS,
		.since_ms = now_ms - BW_DAY_MS,
		.until_ms = now_ms - 22 * BW_HOUR_MS,
		.ordinal = 61,
		.limit = 60,
		.trips = 2,
	};
	struct bw_why why;

	memset(key.conversation.b, 0x5a, sizeof(key.conversation.b));
	must(store->ops->breaker_cas(store, &key, &open, &why), &why);
	key = (struct bw_breaker_key){ .scope = BW_SCOPE_LIST, .side = BW_SIDE_OUTSIDE, .list = BW_S("ward-7@nhs.example") };
	must(store->ops->breaker_cas(store, &key, &over, &why), &why);
}

enum { HELD = 4, SENDMAILS = 3 /* the last one */ };

static const char *const queue_ids[HELD] = { "4XyzAbCdEfGhIj1", "4XyzAbCdEfGhIj2", "4XyzAbCdEfGhIj3", "6AM3m9AY032553" };

static void put_held(struct bw_store *store, int64_t now_ms)
{
	static const char *const subjects[HELD] = { "Re: test", "Re: test " EVIL " \xE2\x80\xAEgpj.exe \xFF", "town hall", "rota" };
	struct bw_why why;

	for (int i = 0; i < HELD; i++) {
		struct bw_held held = {
			.host = BW_S("mx1"),
			.queue_id = bw_slice_of(queue_ids[i]),
			.mta = i == 3 ? BW_S("sendmail") : BW_S("postfix"),
			.list = i == 3 ? BW_S("croydon@nhs.example") : ALL_STAFF,
			.guard = i == 2 ? BW_S("gate") : BW_S("conversation"),
			.sentence = BW_S("conversation: 6th sender of at most 5 in 60 min to all-staff@nhs.example (840,000 members)"),
			.sender = i == 1 ? BW_S("evil" EVIL "@nhs.example") : BW_S("u4@nhs.example"),
			.identity = BW_S("inside:u4@nhs.example"),
			.message_id = BW_S("reply-1@nhs.example"),
			.subject = bw_slice_of(subjects[i]),
			.deliveries = i == 3 ? 40 : 840000,
			.size_bytes = 2048,
			.held_ms = now_ms - (10 - i) * BW_MINUTE_MS,
		};

		memset(held.id.b, 0xa0 + i, sizeof(held.id.b));
		memset(held.message.b, i + 1, sizeof(held.message.b));
		memset(held.conversation.b, i == 2 ? 0x77 : 0x5a, sizeof(held.conversation.b));
		must(store->ops->held_put(store, &held, &why), &why);
	}
}

static void write_file(const char *scratch, const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	FILE *file = fopen(path, "w");

	/* Postfix's files are complete when their owner may execute them. */
	if (file == NULL || fputs(text, file) < 0 || fchmod(fileno(file), 0700) != 0 || fclose(file) != 0)
		must(BW_ERR_IO, &(struct bw_why){ "a file of the stand-ins' queues could not be written" });
}

/* As postcat prints it, and as Sendmail keeps it. */
static void write_held(const char *scratch, const struct bw_key *key, int i)
{
	struct bw_mark mark = { .list = BW_S("all-staff@nhs.example"), .guard = BW_GUARD_CONVERSATION, .deliveries = 840000,
		                    .held_ms = INT64_MAX / 2 };
	const char *id = queue_ids[i];
	struct bw_buf text, value;
	char name[100];

	memset(mark.id.b, 0xa0 + i, sizeof(mark.id.b));
	bw_buf_init(&value, BW_MARK_BYTES);
	bw_mark_print(&value, key, &mark, bw_slice_of(i == SENDMAILS ? "" : id));
	bw_buf_init(&text, 4 * BW_MARK_BYTES);
	if (i == SENDMAILS)
		bw_buf_printf(&text, "V8\nT4102444800\nS<u4@nhs.example>\nH??" BW_MARK_FIELD ": %s\n.\n", bw_buf_text(&value));
	else
		bw_buf_printf(&text, "named_attribute: log_ident=%s\nsender: u4@nhs.example\n*** MESSAGE CONTENTS hold/%s ***\n" BW_MARK_FIELD ": %s\n",
		              id, id, bw_buf_text(&value));
	snprintf(name, sizeof(name), i == SENDMAILS ? "mqueue/hf%s" : "spool/hold/%s", id);
	write_file(scratch, name, bw_buf_text(&text));
	bw_buf_done(&text);
	bw_buf_done(&value);
}

void furnish_queues(const char *scratch)
{
	static const char *const directories[] = { "spool", "spool/hold", "mqueue" };
	struct bw_key key;
	struct bw_why why;
	char path[200];

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch, directories[i]);
		if (mkdir(path, 0700) != 0)
			must(BW_ERR_IO, &(struct bw_why){ "a directory of the stand-ins' queues could not be made" });
	}
	write_file(scratch, "secret", "00112233445566778899aabbccddeeff\n");
	snprintf(path, sizeof(path), "%s/secret", scratch);
	must(bw_key_load(path, false, &key, &why), &why);
	for (int i = 0; i < HELD; i++)
		write_held(scratch, &key, i);
	write_file(scratch, "mqueue/df6AM3m9AY032553", "the rota\n");
}

static void put_events(struct bw_store *store, int64_t now_ms)
{
	const struct bw_event_row rows[] = {
		{ .at_ms = now_ms - BW_HOUR_MS,
		  .event = BW_EVENT_SETTING,
		  .host = BW_S("mx1"),
		  .owner = BW_S("bob"),
		  .text = BW_S("huge.conversation.senders = 5 (was 3): town hall " EVIL) },
		{ .at_ms = now_ms - 10 * BW_MINUTE_MS,
		  .event = BW_EVENT_TRIP,
		  .host = BW_S("mx1"),
		  .list = ALL_STAFF,
		  .guard = BW_S("conversation"),
		  .text = BW_S("conversation breaker of all-staff@nhs.example is open\n<script>") },
	};
	struct bw_why why;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		must(store->ops->event_add(store, &rows[i], &why), &why);
}

enum { ORDERS = 3 };

/* One that is done, one under way on another host, one whose texts are hostile; the last two of their items are still to be done. */
static void put_orders(struct bw_store *store, int64_t now_ms)
{
	static const enum bw_order_kind kinds[ORDERS] = { BW_ORDER_DELETE, BW_ORDER_RELEASE, BW_ORDER_RELEASE };
	static const char *const owners[ORDERS] = { "alice", "bob", "eve" EVIL "\xFF" };
	struct bw_order_item items[HELD];
	struct bw_why why;

	for (int i = 0; i < HELD; i++) {
		items[i] = (struct bw_order_item){ .number = i, .mta = BW_S("postfix"), .queue_id = bw_slice_of(queue_ids[i]), .list = ALL_STAFF,
			                               .signed_text = BW_S("v=1"), .deliveries = 840000 };
		memset(items[i].subject.b, 0xa0 + i, sizeof(items[i].subject.b));
	}
	for (int i = 0; i < ORDERS; i++) {
		struct bw_order_row row = { .kind = kinds[i], .host = i == 1 ? BW_S("mx2") : BW_S("mx1"), .owner = bw_slice_of(owners[i]),
			                        .reason = BW_S("held release"), .pace = i == 0 ? 0 : 400000, .observe_ms = 2 * BW_MINUTE_MS,
			                        .made_ms = now_ms - (30 - i) * BW_MINUTE_MS, .expires_ms = now_ms + 7 * BW_DAY_MS };

		memset(row.id.b, 0xc0 + i, sizeof(row.id.b));
		must(store->ops->order_put(store, &row, items, HELD, &why), &why);
		must(store->ops->order_move(store, &row.id, BW_ORDER_WRITING, BW_ORDER_RUNNING, row.made_ms, row.owner, BW_S(""), &why), &why);
		for (int k = 0; k < (i == 0 ? HELD : 2); k++)
			must(store->ops->order_result(store, &row.id, k, k == 1 ? BW_ITEM_REFUSED : BW_ITEM_DONE,
			                              k == 1 ? BW_S("the helper says no: replayed " EVIL) : BW_S("released"), row.made_ms, &why),
			     &why);
	}
	memset(items[0].subject.b, 0xc0, sizeof(items[0].subject.b));
	must(store->ops->order_move(store, &items[0].subject, BW_ORDER_RUNNING, BW_ORDER_DONE, now_ms - BW_MINUTE_MS,
	                            BW_S("breakwater-agent"), BW_S("deleted 3 of 4 messages"), &why), &why);
}

void furnish_store(const char *path, int64_t now_ms, bool storm)
{
	struct bw_store *store = open_store(path);

	if (storm) {
		put_lists(store, now_ms);
		put_settings(store, now_ms);
		put_breakers(store, now_ms);
		put_held(store, now_ms);
		put_events(store, now_ms);
		put_orders(store, now_ms);
	}
	bw_store_close(&store);
	if (storm)
		furnish_heartbeat(path, now_ms, FURNISH_LISTENING);
}
