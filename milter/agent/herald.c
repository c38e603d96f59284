#include "herald.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "files.h"
#include "notice.h"
#include "post.h"

/* Entries may reach the ledger a little out of order; those that were told are remembered by their id. */
#define LAG_MS BW_MINUTE_MS
/* An administrator hears of one thing about one list no more often than this. */
#define EVENT_AGAIN_MS (30 * BW_MINUTE_MS)

enum { SLOTS = 65536, EVENTS_A_LOOK = 500, LINES_BYTES = 16384 };

/* Who was told when; bounded: where two fall into one slot, the older is forgotten and may be told once more. */
struct slot {
	struct bw_hash who;
	int64_t at_ms;
};

struct herald {
	const struct bw_config *config;
	struct bw_store *store;
	const char *host;
	char from[400];
	int languages[NOTICE_LANGUAGES];
	size_t language_count;
	int state_fd;
	int64_t held_ms, event_ms, event_id; /* how far it is, as in the state file */
	int64_t now_ms, minute_ms, in_minute; /* of this look; notices since minute_ms */
	int64_t told;
	enum bw_err err; /* of this look */
	struct bw_why *why;
	struct bw_key key; /* of the slots: nobody can choose whom he displaces */
	struct slot ids[SLOTS], senders[SLOTS], events[SLOTS];
};

/* --- remembering --- */

static struct slot *slot_of(const struct herald *h, struct slot *slots, struct bw_slice what, struct bw_hash *who)
{
	*who = bw_hash_slice(&h->key, "told", what);
	return &slots[(who->b[0] | who->b[1] << 8) % SLOTS];
}

static bool was_told(const struct herald *h, struct slot *slots, struct bw_slice what, int64_t within_ms)
{
	struct bw_hash who;
	const struct slot *s = slot_of(h, slots, what, &who);

	return s->at_ms != 0 && bw_hash_equal(&s->who, &who) && h->now_ms - s->at_ms < within_ms;
}

static void note_told(const struct herald *h, struct slot *slots, struct bw_slice what)
{
	struct bw_hash who;
	struct slot *s = slot_of(h, slots, what, &who);

	*s = (struct slot){ who, h->now_ms };
}

/* --- the state file: "HELD-MS EVENT-MS EVENT-ID" --- */

static bool read_state(struct herald *h)
{
	char text[100];
	ssize_t n = pread(h->state_fd, text, sizeof(text) - 1, 0);
	struct bw_slice rest = { text, n > 0 ? (size_t)n : 0 }, word;
	int64_t numbers[3];

	rest = bw_slice_head(rest, bw_slice_find(rest, '\n'));
	for (size_t i = 0; i < 3; i++) {
		if (!bw_slice_word(&rest, &word) || !bw_parse_int(word, &numbers[i]))
			return false;
	}
	h->held_ms = numbers[0];
	h->event_ms = numbers[1];
	h->event_id = numbers[2];
	return true;
}

static enum bw_err write_state(struct herald *h, struct bw_why *why)
{
	char text[100];
	int n = snprintf(text, sizeof(text), "%lld %lld %lld\n", (long long)h->held_ms, (long long)h->event_ms, (long long)h->event_id);

	if (pwrite(h->state_fd, text, (size_t)n, 0) != n || ftruncate(h->state_fd, n) != 0 || fdatasync(h->state_fd) != 0)
		return agent_fail_errno(h->config->notify.state_file, "could not be written", why);
	return BW_OK;
}

static bool last_event(void *ctx, const struct bw_event_row *row)
{
	struct herald *h = ctx;

	h->event_id = row->id > h->event_id ? row->id : h->event_id;
	return true;
}

/* From now on: what is older nobody wants to hear. */
static enum bw_err begin(struct herald *h, struct bw_why *why)
{
	enum bw_err err = h->store->ops->now(h->store, &h->now_ms, why);

	h->held_ms = h->event_ms = h->now_ms;
	if (err == BW_OK)
		err = h->store->ops->event_each(h->store, 0, 1, last_event, h, why);
	return err == BW_OK ? write_state(h, why) : err;
}

static bool note_old(void *ctx, const struct bw_held *row)
{
	struct herald *h = ctx;

	if (row->held_ms <= h->held_ms)
		note_told(h, h->ids, (struct bw_slice){ (const char *)row->id.b, sizeof(row->id.b) });
	return true;
}

/* After a restart: what an earlier herald has been through in the time that is looked at once more. */
static enum bw_err go_on(struct herald *h, struct bw_why *why)
{
	const struct bw_held_query query = { .since_ms = h->held_ms - LAG_MS };
	enum bw_err err = h->store->ops->now(h->store, &h->now_ms, why);

	return err == BW_OK ? h->store->ops->held_each(h->store, &query, note_old, h, why) : err;
}

static enum bw_err open_state(struct herald *h, struct bw_why *why)
{
	const char *path = h->config->notify.state_file;

	h->state_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (h->state_fd < 0)
		return agent_fail_errno(path, "could not be opened", why);
	if (flock(h->state_fd, LOCK_EX | LOCK_NB) != 0)
		return bw_fail(why, BW_ERR_CONFLICT, "%s: another breakwater-agent works with it", path);
	return read_state(h) ? go_on(h, why) : begin(h, why);
}

/* --- telling --- */

static struct notice_frame frame_of(const struct herald *h)
{
	return (struct notice_frame){ .from = h->from, .languages = h->languages, .language_count = h->language_count,
		                          .now_ms = h->now_ms, .id = bw_hash_random() };
}

/* False: this minute has had its notices; the rest follows in the next. */
static bool has_room(struct herald *h)
{
	if (h->now_ms - h->minute_ms >= BW_MINUTE_MS) {
		h->minute_ms = h->now_ms;
		h->in_minute = 0;
	}
	return h->in_minute < h->config->notify.most;
}

static enum bw_err post(struct herald *h, struct bw_slice to, const struct bw_buf *text)
{
	char address[400];

	bw_slice_copy(to, address, sizeof(address));
	enum bw_err err = agent_post(h->config->notify.sendmail, address, bw_buf_slice(text), h->why);

	h->in_minute += err == BW_OK;
	h->told += err == BW_OK;
	return err;
}

static bool take_held(void *ctx, const struct bw_held *row)
{
	struct herald *h = ctx;
	const struct bw_slice id = { (const char *)row->id.b, sizeof(row->id.b) };
	const struct notice_frame frame = frame_of(h);
	struct bw_buf text;

	if (!bw_slice_equal(row->host, bw_slice_of(h->host)) || was_told(h, h->ids, id, INT64_MAX))
		return true;
	if (agent_notice_wanted(row) && !was_told(h, h->senders, row->sender, h->config->notify.again_ms)) {
		if (!has_room(h))
			return false;
		bw_buf_init(&text, NOTICE_BYTES);
		agent_notice_held(&text, &frame, row);
		h->err = post(h, row->sender, &text);
		bw_buf_done(&text);
		if (h->err != BW_OK)
			return false;
		note_told(h, h->senders, row->sender);
	}
	note_told(h, h->ids, id);
	h->held_ms = row->held_ms > h->held_ms ? row->held_ms : h->held_ms;
	return true;
}

struct news {
	struct herald *h;
	struct bw_buf lines;
	int64_t last_ms, last_id;
};

static bool take_event(void *ctx, const struct bw_event_row *row)
{
	struct news *n = ctx;
	struct herald *h = n->h;
	static const bool wanted[BW_EVENT_COUNT] = {
		[BW_EVENT_TRIP] = true,   [BW_EVENT_RELAPSE] = true,  [BW_EVENT_CALM] = true,
		[BW_EVENT_CLOSED] = true, [BW_EVENT_DEGRADED] = true, [BW_EVENT_RECOVERED] = true,
	};
	struct bw_buf what;

	if (row->id <= h->event_id)
		return true;
	n->last_ms = row->at_ms;
	n->last_id = row->id;
	if ((unsigned)row->event >= BW_EVENT_COUNT || !wanted[row->event])
		return true;
	bw_buf_init(&what, 600);
	bw_buf_printf(&what, "%s %.*s %.*s", bw_event_name(row->event), (int)row->list.n, row->list.p == NULL ? "" : row->list.p,
	              (int)row->guard.n, row->guard.p == NULL ? "" : row->guard.p);
	if (!was_told(h, h->events, bw_buf_slice(&what), EVENT_AGAIN_MS)) {
		note_told(h, h->events, bw_buf_slice(&what));
		bw_buf_printf(&n->lines, "%s: ", bw_event_name(row->event));
		for (size_t i = 0; i < row->text.n; i++)
			bw_buf_add_char(&n->lines, row->text.p[i] == '\n' ? ' ' : row->text.p[i]);
		bw_buf_add_char(&n->lines, '\n');
	}
	bw_buf_done(&what);
	return true;
}

static enum bw_err tell_admins(struct herald *h, struct bw_slice lines)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; i < h->config->notify.admin_count && lines.n > 0; i++) {
		const struct notice_frame frame = frame_of(h);
		struct bw_slice to = bw_slice_of(h->config->notify.admins[i]);
		struct bw_buf text;

		bw_buf_init(&text, NOTICE_BYTES);
		agent_notice_events(&text, &frame, to, lines);
		enum bw_err one = post(h, to, &text);

		bw_buf_done(&text);
		err = err == BW_OK ? one : err;
	}
	return err;
}

/* All news of one look are one notice. One that could not be posted is not said again: the next look would say it together with more. */
static enum bw_err look_at_events(struct herald *h)
{
	struct news news = { .h = h, .last_ms = h->event_ms, .last_id = h->event_id };

	bw_buf_init(&news.lines, LINES_BYTES);
	enum bw_err err = h->store->ops->event_each(h->store, h->event_ms, EVENTS_A_LOOK, take_event, &news, h->why);

	if (err == BW_OK) {
		h->event_ms = news.last_ms;
		h->event_id = news.last_id;
		err = tell_admins(h, bw_buf_slice(&news.lines));
	}
	bw_buf_done(&news.lines);
	return err;
}

enum bw_err agent_herald_look(struct herald *h, int64_t *told, struct bw_why *why)
{
	struct bw_held_query waiting = { .by_state = true, .state = BW_HELD_WAITING, .since_ms = h->held_ms - LAG_MS };
	int64_t held_ms = h->held_ms, event_id = h->event_id;

	h->why = why;
	h->err = BW_OK;
	h->told = 0;
	enum bw_err err = h->store->ops->now(h->store, &h->now_ms, why);

	if (err == BW_OK)
		err = look_at_events(h);
	if (err == BW_OK && h->config->notify.senders)
		err = h->store->ops->held_each(h->store, &waiting, take_held, h, why);
	if (err == BW_OK)
		err = h->err;
	if (held_ms != h->held_ms || event_id != h->event_id) {
		enum bw_err written = write_state(h, err == BW_OK ? why : NULL);

		err = err == BW_OK ? written : err;
	}
	*told = h->told;
	return err;
}

/* --- its life --- */

enum bw_err agent_herald_configure(struct herald *h, const struct bw_config *config, struct bw_why *why)
{
	int languages[NOTICE_LANGUAGES];
	size_t count = 0;

	for (size_t i = 0; i < config->notify.language_count; i++) {
		int language = agent_notice_language(bw_slice_of(config->notify.languages[i]));

		if (language < 0)
			return bw_fail(why, BW_ERR_INPUT, "notify.languages: \"%s\" is none of en, de, fr, es", config->notify.languages[i]);
		if (count < NOTICE_LANGUAGES)
			languages[count++] = language;
	}
	if (count == 0)
		languages[count++] = 0;
	if (config->notify.from[0] != '\0')
		snprintf(h->from, sizeof(h->from), "%s", config->notify.from);
	else if (config->internal.domain_count > 0)
		snprintf(h->from, sizeof(h->from), "postmaster@%s", config->internal.domains[0]);
	else
		return bw_fail(why, BW_ERR_INPUT, "notify.from is not set, and internal.domains has no domain to take postmaster@ of");
	memcpy(h->languages, languages, sizeof(languages));
	h->language_count = count;
	h->config = config;
	return BW_OK;
}

enum bw_err agent_herald_new(const struct bw_config *config, struct bw_store *store, const char *host, struct herald **out,
                             struct bw_why *why)
{
	struct herald *h = calloc(1, sizeof(*h));
	struct bw_hash random = bw_hash_random();

	if (h == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to tell anybody anything");
	h->store = store;
	h->host = host;
	h->state_fd = -1;
	memcpy(h->key.b, random.b, sizeof(h->key.b));
	enum bw_err err = agent_herald_configure(h, config, why);

	if (err == BW_OK)
		err = open_state(h, why);
	if (err == BW_OK)
		*out = h;
	else
		agent_herald_free(&h);
	return err;
}

void agent_herald_free(struct herald **h)
{
	if (*h == NULL)
		return;
	if ((*h)->state_fd >= 0)
		close((*h)->state_fd);
	free(*h);
	*h = NULL;
}
