#include "herald-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "post.h"

/* --- where it begins --- */

/* From now on: what is older nobody wants to hear. */
static enum bw_err begin(struct herald *h, struct bw_why *why)
{
	enum bw_err err = h->store->ops->now(h->store, &h->now_ms, why);

	h->told.held_ms = h->told.event_ms = h->told.waiting_ms = h->now_ms;
	if (err == BW_OK)
		err = herald_skip_events(h, why);
	return err == BW_OK ? told_write(&h->told, why) : err;
}

static bool note_old(void *ctx, const struct bw_held *row)
{
	const struct bw_slice id = { (const char *)row->id.b, sizeof(row->id.b) };
	struct herald *h = ctx;

	if (row->held_ms <= h->told.held_ms)
		told_note(&h->told, h->told.ids, id, h->now_ms);
	if (row->held_ms <= h->told.waiting_ms)
		told_note(&h->told, h->told.waiting, id, h->now_ms);
	return true;
}

/* After a restart: what an earlier herald has been through in the time that is looked at once more. */
static enum bw_err go_on(struct herald *h, struct bw_why *why)
{
	int64_t first_ms = h->told.held_ms < h->told.waiting_ms ? h->told.held_ms : h->told.waiting_ms;
	const struct bw_held_query query = { .since_ms = first_ms - HERALD_LAG_MS };
	enum bw_err err = h->store->ops->now(h->store, &h->now_ms, why);

	if (err == BW_OK)
		err = herald_skip_events(h, why);
	return err == BW_OK ? h->store->ops->held_each(h->store, &query, note_old, h, why) : err;
}

static enum bw_err open_state(struct herald *h, struct bw_why *why)
{
	bool known = false;
	enum bw_err err = told_open(&h->told, h->config->notify.state_file, &known, why);

	if (err != BW_OK)
		return err;
	return known ? go_on(h, why) : begin(h, why);
}

/* --- posting --- */

struct notice_frame herald_frame(const struct herald *h)
{
	return (struct notice_frame){ .from = h->from,
		                          .languages = h->languages,
		                          .language_count = h->language_count,
		                          .now_ms = h->now_ms,
		                          .id = bw_hash_random(),
		                          .nameless = !h->config->privacy.sender,
		                          .subjectless = !h->config->privacy.subject };
}

bool herald_has_room(struct herald *h)
{
	if (h->now_ms - h->minute_ms >= BW_MINUTE_MS) {
		h->minute_ms = h->now_ms;
		h->in_minute = 0;
	}
	return h->in_minute < h->config->notify.most;
}

enum bw_err herald_post(struct herald *h, struct bw_slice to, const struct bw_buf *text)
{
	char address[400];

	bw_slice_copy(to, address, sizeof(address));
	enum bw_err err = agent_post(h->config->notify.sendmail, address, bw_buf_slice(text), h->why);

	h->in_minute += err == BW_OK;
	h->sent += err == BW_OK;
	return err;
}

/* --- senders: each host's agent tells those of its own hold queue --- */

/* False: no more in this look. */
static bool tell_sender(struct herald *h, const struct bw_held *row)
{
	const struct notice_frame frame = herald_frame(h);
	struct bw_buf text;

	if (!herald_has_room(h))
		return false;
	bw_buf_init(&text, NOTICE_BYTES);
	agent_notice_held(&text, &frame, row);
	h->err = herald_post(h, row->sender, &text);
	bw_buf_done(&text);
	if (h->err != BW_OK)
		return false;
	told_note(&h->told, h->told.senders, row->sender, h->now_ms);
	return true;
}

static bool take_held(void *ctx, const struct bw_held *row)
{
	struct herald *h = ctx;
	struct told *t = &h->told;
	const struct bw_slice id = { (const char *)row->id.b, sizeof(row->id.b) };

	if (!bw_slice_equal(row->host, bw_slice_of(h->host)) || told_was(t, t->ids, id, h->now_ms, INT64_MAX))
		return true;
	if (agent_notice_wanted(row) && !told_was(t, t->senders, row->sender, h->now_ms, h->config->notify.again_ms) && !tell_sender(h, row))
		return false;
	told_note(t, t->ids, id, h->now_ms);
	t->held_ms = row->held_ms > t->held_ms ? row->held_ms : t->held_ms;
	return true;
}

/* Where the ledger names no sender, nobody can be told; nor are those whom it named before that was forbidden. */
static enum bw_err tell_senders(struct herald *h)
{
	const struct bw_held_query waiting = { .by_state = true, .state = BW_HELD_WAITING, .since_ms = h->told.held_ms - HERALD_LAG_MS };

	if (!h->config->notify.senders || !h->config->privacy.sender)
		return BW_OK;
	enum bw_err err = h->store->ops->held_each(h->store, &waiting, take_held, h, h->why);

	return err == BW_OK ? h->err : err;
}

/* --- one look --- */

static void note_hook(struct herald *h)
{
	struct bw_why why;

	if (h->hook == NULL || !agent_hook_failed(h->hook, &why))
		return;
	h->hook_why = why;
	h->hook_failed = true;
}

bool agent_herald_hook_failed(struct herald *h, struct bw_why *why)
{
	bool failed = h->hook_failed;

	if (failed)
		*why = h->hook_why;
	h->hook_failed = false;
	return failed;
}

/* One that fails keeps nobody else from being told; the first failure is what is said. */
static enum bw_err take_steps(struct herald *h)
{
	static enum bw_err (*const steps[])(struct herald * h) = { herald_read_events, herald_read_waiting, herald_announce,
		                                                        herald_tell_owners, tell_senders };
	struct bw_why *why = h->why, later;
	enum bw_err first = BW_OK;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		enum bw_err err = steps[i](h);

		if (first == BW_OK && err != BW_OK) {
			first = err;
			h->why = &later;
		}
	}
	h->why = why;
	return first;
}

enum bw_err agent_herald_look(struct herald *h, int64_t *told, struct bw_why *why)
{
	int64_t held_ms = h->told.held_ms, event_ms = h->told.event_ms, waiting_ms = h->told.waiting_ms;

	h->why = why;
	h->err = BW_OK;
	h->sent = 0;
	enum bw_err err = h->store->ops->now(h->store, &h->now_ms, why);

	if (err == BW_OK)
		err = leader_look(h->store, h->host, h->config->notify.every_ms, &h->leads, why);
	if (err == BW_OK)
		err = take_steps(h);
	if (held_ms != h->told.held_ms || event_ms != h->told.event_ms || waiting_ms != h->told.waiting_ms) {
		enum bw_err written = told_write(&h->told, err == BW_OK ? why : NULL);

		err = err == BW_OK ? written : err;
	}
	note_hook(h);
	*told = h->sent;
	return err;
}

/* --- its life --- */

static enum bw_err read_languages(const struct bw_config *config, int out[NOTICE_LANGUAGES], size_t *count, struct bw_why *why)
{
	*count = 0;
	for (size_t i = 0; i < config->notify.language_count; i++) {
		int language = agent_notice_language(bw_slice_of(config->notify.languages[i]));

		if (language < 0)
			return bw_fail(why, BW_ERR_INPUT, "notify.languages: \"%s\" is none of en, de, fr, es", config->notify.languages[i]);
		if (*count < NOTICE_LANGUAGES)
			out[(*count)++] = language;
	}
	if (*count == 0)
		out[(*count)++] = 0;
	return BW_OK;
}

enum bw_err agent_herald_configure(struct herald *h, const struct bw_config *config, struct bw_why *why)
{
	int languages[NOTICE_LANGUAGES] = { 0 };
	size_t count = 0;
	enum bw_err err = read_languages(config, languages, &count, why);

	if (err != BW_OK)
		return err;
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

	if (h == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to tell anybody anything");
	h->store = store;
	h->host = host;
	h->told.state_fd = -1;
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
	agent_hook_free(&(*h)->hook);
	told_close(&(*h)->told);
	free(*h);
	*h = NULL;
}
