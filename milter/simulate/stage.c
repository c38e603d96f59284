#include "stage.h"

#include <string.h>

#include "bw/clock.h"
#include "bw/store-guarded.h"

enum {
	STAGE_BYTES = 256 << 20,
	DEADLINE_MS = 50, /* of a shared store (semantics 9) */
};

/* Any secret will do: nothing of a play is kept. */
static const struct bw_key secret = { { 's', 'i', 'm', 'u', 'l', 'a', 't', 'e', ' ', 'a', ' ', 's', 't', 'o', 'r', 'm' } };

/* --- the configuration that the scenario describes --- */

static enum bw_err no_memory(struct bw_why *why)
{
	return bw_fail(why, BW_ERR_MEMORY, "no memory for the simulation");
}

static enum bw_err collect_domains(struct stage *s, struct bw_why *why)
{
	size_t n = 0;

	for (const struct internal_entry *e = s->scenario->internals; e != NULL; e = e->next)
		s->domain_count += e->kind == INTERNAL_DOMAIN;
	s->domains = bw_arena_alloc(s->arena, (s->domain_count + 1) * sizeof(char *));
	if (s->domains == NULL)
		return no_memory(why);
	for (const struct internal_entry *e = s->scenario->internals; e != NULL; e = e->next) {
		if (e->kind != INTERNAL_DOMAIN)
			continue;
		s->domains[n] = bw_arena_text(s->arena, e->value);
		if (s->domains[n++] == NULL)
			return no_memory(why);
	}
	return BW_OK;
}

/* Posters as identities: "comms" is auth:comms@REALM, and the realm is the first own domain. */
static enum bw_err collect_posters(struct stage *s, const struct bw_config *config, const struct scenario_list *list,
                                   struct bw_list_entry *entry, struct bw_why *why)
{
	struct bw_slice *posters = bw_arena_alloc(s->arena, (list->poster_count + 1) * sizeof(*posters));
	struct bw_buf text;

	if (posters == NULL)
		return no_memory(why);
	bw_buf_init(&text, (size_t)2 * BW_ADDRESS_MAX);
	for (size_t i = 0; i < list->poster_count; i++) {
		bw_buf_reset(&text);
		bw_config_identity(config, list->posters[i], &text);
		posters[i] = bw_arena_slice(s->arena, bw_buf_slice(&text));
	}
	bw_buf_done(&text);
	entry->posters = posters;
	entry->poster_count = list->poster_count;
	return BW_OK;
}

static enum bw_err collect_lists(struct stage *s, const struct bw_config *config, struct bw_why *why)
{
	enum bw_err err = BW_OK;
	size_t i = 0;

	s->lists = bw_arena_alloc(s->arena, (s->scenario->list_count + 1) * sizeof(*s->lists));
	if (s->lists == NULL)
		return no_memory(why);
	for (const struct scenario_list *l = s->scenario->lists; err == BW_OK && l != NULL; l = l->next, i++) {
		s->lists[i] = (struct bw_list_entry){
			.address = l->address,
			.size = l->size,
			.source = BW_SOURCE_CONFIG,
			.unconfirmed = l->unconfirmed,
			.owner = l->owner,
			.list_id = l->list_id,
		};
		err = collect_posters(s, config, l, &s->lists[i], why);
	}
	return err;
}

static enum bw_err add_network(struct bw_config *config, enum internal_kind kind, struct bw_slice range, struct bw_why *why)
{
	struct bw_networks **const networks[INTERNAL_COUNT] = {
		[INTERNAL_NETWORKS] = &config->internal.networks,
		[INTERNAL_VOUCHED] = &config->internal.vouched,
		[INTERNAL_RELAYS] = &config->internal.relays,
		[INTERNAL_EXPANDERS] = &config->internal.expanders,
		[INTERNAL_LIST_SERVERS] = &config->internal.list_servers,
	};

	return networks[kind] == NULL ? BW_OK : bw_networks_add(networks[kind], range, why);
}

static enum bw_err add_networks(const struct stage *s, struct bw_config *config, struct bw_why *why)
{
	enum bw_err err = add_network(config, INTERNAL_LIST_SERVERS, BW_S(BW_STAGE_LIST_SERVER), why);

	if (err == BW_OK)
		err = add_network(config, INTERNAL_VOUCHED, BW_S(BW_STAGE_CLIENT), why);

	for (const struct internal_entry *e = s->scenario->internals; err == BW_OK && e != NULL; e = e->next)
		err = add_network(config, e->kind, e->value, why);
	return err;
}

/* The built-in defaults, with what the scenario says in their place. */
static enum bw_err make_config(struct stage *s, struct bw_config **out, struct bw_why *why)
{
	struct bw_config *config = NULL;
	enum bw_err err = bw_config_default(&config, why);

	if (err != BW_OK)
		return err;
	bw_settings_free(&config->settings);
	config->settings = bw_settings_copy(s->scenario->settings);
	config->internal.domains = s->domains;
	config->internal.domain_count = s->domain_count;
	err = config->settings == NULL ? no_memory(why) : add_networks(s, config, why);
	if (err == BW_OK)
		err = collect_lists(s, config, why);
	config->lists = s->lists;
	s->memory_ms = config->store.memory_ms;
	s->sweep_every_ms = config->store.expire_every_ms;
	config->list_count = s->scenario->list_count;
	if (err == BW_OK)
		*out = config;
	else
		bw_config_free(&config);
	return err;
}

/* --- the world --- */

static enum bw_err first_world(struct stage *s, struct bw_world **out, struct bw_why *why)
{
	struct bw_config *config = NULL;
	struct bw_buf skipped;
	enum bw_err err = make_config(s, &config, why);

	if (err != BW_OK)
		return err;
	bw_buf_init(&skipped, BW_WHY_BYTES);
	err = bw_world_load(&secret, config, s->shared, &skipped, out, why);
	if (err != BW_OK)
		bw_config_free(&config);
	bw_buf_done(&skipped);
	return err;
}

static enum bw_err next_world(struct stage *s, struct bw_world **out, struct bw_why *why)
{
	struct bw_world *old = bw_engine_world(s->engine);
	struct bw_buf skipped;

	bw_buf_init(&skipped, BW_WHY_BYTES);
	enum bw_err err = bw_world_renew(old, s->shared, &skipped, out, why);

	bw_buf_done(&skipped);
	bw_world_unref(&old);
	return err;
}

struct expiry {
	int64_t now_ms, next_ms;
};

static bool note_expiry(void *ctx, const struct bw_setting_row *row)
{
	struct expiry *e = ctx;

	if (row->until_ms > e->now_ms && (e->next_ms == 0 || row->until_ms < e->next_ms))
		e->next_ms = row->until_ms;
	return true;
}

enum bw_err bw_stage_reload(struct stage *s, int64_t now_ms, struct bw_why *why)
{
	struct expiry expiry = { .now_ms = now_ms };
	struct bw_world *world = NULL;
	enum bw_err err = next_world(s, &world, why);

	if (err == BW_OK)
		err = s->shared->ops->setting_each(s->shared, false, note_expiry, &expiry, why);
	if (err != BW_OK) {
		bw_world_unref(&world);
		return err;
	}
	s->expiry_ms = expiry.next_ms;
	bw_engine_swap(s->engine, world);
	return BW_OK;
}

/* What a daemon does in the background; its watcher finds what was learned in the store, and so do we. */
static enum bw_err tick_engine(struct stage *s, int64_t now_ms, struct bw_why *why)
{
	struct bw_engine_figures figures;

	bw_engine_tick(s->engine, now_ms);
	bw_engine_figures(s->engine, &figures);
	if (figures.learned == s->learned)
		return BW_OK;
	s->learned = figures.learned;
	return bw_stage_reload(s, now_ms, why);
}

static enum bw_err tick_store(struct stage *s, int64_t now_ms, struct bw_why *why)
{
	bool expired = s->expiry_ms != 0 && now_ms >= s->expiry_ms;

	if (!expired && now_ms - s->swept_ms < s->sweep_every_ms)
		return BW_OK;
	s->swept_ms = now_ms;
	enum bw_err err = s->shared->ops->expire(s->shared, now_ms, s->memory_ms, why);

	if (err == BW_OK && expired)
		err = bw_stage_reload(s, now_ms, why);
	return err;
}

enum bw_err bw_stage_tick(struct stage *s, int64_t now_ms, struct bw_why *why)
{
	enum bw_err err = tick_store(s, now_ms, why);

	if (err == BW_OK || err == BW_ERR_STORE)
		err = tick_engine(s, now_ms, why);
	/* While the store does not answer, the daemon keeps what it has. */
	return err == BW_ERR_STORE ? BW_OK : err;
}

/* --- opening and closing --- */

static enum bw_err open_store(struct stage *s, struct bw_store *primary, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	if (primary == NULL)
		err = bw_store_sqlite_open(":memory:", 0, &primary, why);
	if (err != BW_OK)
		return err;
	s->shared = bw_store_faulty_new(primary, DEADLINE_MS);
	if (s->shared == NULL) {
		bw_store_close(&primary);
		return no_memory(why);
	}
	err = bw_store_sqlite_open(":memory:", 0, &s->fallback, why);
	if (err == BW_OK)
		err = bw_store_guarded_new(s->shared, s->fallback, &s->store, why);
	if (err != BW_OK) {
		bw_store_close(&s->fallback);
		bw_store_close(&s->shared);
	}
	return err;
}

static enum bw_err open_engine(struct stage *s, const struct bw_simulate_options *options, struct bw_why *why)
{
	const struct bw_engine_options engine = { .log = options->log, .host = "simulate", .keep_ledger = true };
	struct bw_world *world = NULL;
	enum bw_err err = first_world(s, &world, why);

	if (err != BW_OK)
		return err;
	s->engine = bw_engine_new(s->store, world, &engine);
	if (s->engine == NULL) {
		bw_world_unref(&world);
		return no_memory(why);
	}
	s->session = bw_session_new(s->engine);
	return s->session == NULL ? no_memory(why) : BW_OK;
}

enum bw_err bw_stage_open(struct stage *s, const struct bw_scenario *scenario, const struct bw_simulate_options *options,
                          struct bw_why *why)
{
	*s = (struct stage){ .scenario = scenario };
	enum bw_err err = open_store(s, options->store, why);

	if (err == BW_OK) {
		s->arena = bw_arena_new(STAGE_BYTES);
		err = s->arena == NULL ? no_memory(why) : collect_domains(s, why);
	}
	if (err == BW_OK)
		err = open_engine(s, options, why);
	if (err != BW_OK)
		bw_stage_close(s);
	return err;
}

void bw_stage_close(struct stage *s)
{
	bw_session_free(&s->session);
	bw_engine_free(&s->engine);
	bw_store_close(&s->store);
	bw_arena_free(&s->arena);
	*s = (struct stage){ 0 };
}
