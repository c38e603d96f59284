/* The world: configuration, settings, directory and secret that one message is judged with, immutable and refcounted. */
#include <stdatomic.h>
#include <stdlib.h>

#include "bw/engine.h"

/* Configurations outlive worlds: a change in the store makes a new world on the same file's content. */
struct shared_config {
	atomic_long references;
	struct bw_config *config;
};

struct bw_world {
	atomic_long references;
	struct shared_config *shared;
	struct bw_settings *settings;
	struct bw_directory *directory;
	struct bw_key key;
	struct bw_limits limits;
	int64_t settings_version, directory_version;
	bool follows; /* directory_version is the store's own: what changed after it can be asked for */
};

static void take(atomic_long *references)
{
	atomic_fetch_add_explicit(references, 1, memory_order_relaxed);
}

/* True: that was the last one. */
static bool give(atomic_long *references)
{
	return atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 1;
}

static void unref_config(struct shared_config *shared)
{
	if (!give(&shared->references))
		return;
	bw_config_free(&shared->config);
	free(shared);
}

struct bw_world *bw_world_ref(struct bw_world *w)
{
	take(&w->references);
	return w;
}

void bw_world_unref(struct bw_world **world)
{
	struct bw_world *w = *world;

	*world = NULL;
	if (w == NULL || !give(&w->references))
		return;
	unref_config(w->shared);
	bw_settings_free(&w->settings);
	bw_directory_unref(&w->directory);
	free(w);
}

const struct bw_config *bw_world_config(const struct bw_world *w)
{
	return w->shared->config;
}

const struct bw_settings *bw_world_settings(const struct bw_world *w)
{
	return w->settings;
}

const struct bw_directory *bw_world_directory(const struct bw_world *w)
{
	return w->directory;
}

const struct bw_key *bw_world_key(const struct bw_world *w)
{
	return &w->key;
}

const struct bw_limits *bw_world_limits(const struct bw_world *w)
{
	return &w->limits;
}

bool bw_world_is_alone(const struct bw_world *w)
{
	return atomic_load_explicit(&w->references, memory_order_acquire) == 1;
}

void bw_world_versions(const struct bw_world *w, int64_t *settings, int64_t *directory)
{
	*settings = w->settings_version;
	*directory = w->directory_version;
}

/* --- building one from a configuration and a store --- */

enum { POSTERS_MAX = 1000 };

/* More changes than this are read with everything else: they would be in memory a third time. */
enum { CHANGES_MAX = 100000 };

struct loading {
	const struct bw_config *config;
	const struct bw_world *old; /* whose directory is changed; NULL: everything is read */
	struct bw_settings *settings;
	struct bw_directory_builder *builder;
	struct bw_buf *skipped;
	int64_t settings_version, directory_version;
	bool follows;
	enum bw_err err; /* of what goes on in a listing */
	struct bw_why why;
};

static void skip(struct loading *l, struct bw_slice what, const char *why)
{
	if (l->skipped->n > 0)
		bw_buf_add_char(l->skipped, '\n');
	bw_buf_add(l->skipped, what);
	bw_buf_printf(l->skipped, ": %s", why);
}

static bool apply_setting(void *ctx, const struct bw_setting_row *row)
{
	struct loading *l = ctx;
	struct bw_why why;

	if (row->value.n > 0 && bw_settings_set(l->settings, row->name, row->value, &why) != BW_OK)
		skip(l, row->name, why.text);
	return true;
}

/* Splits "auth:a@x,inside:b@x" into identities with realm; returns their number. */
static size_t split_posters(const struct bw_config *config, struct bw_slice text, struct bw_buf *names, struct bw_slice *out)
{
	size_t starts[POSTERS_MAX + 1];
	size_t n = 0;

	while (text.n > 0 && n < POSTERS_MAX) {
		size_t comma = bw_slice_find(text, ',');
		struct bw_slice one = bw_slice_trim(bw_slice_head(text, comma));

		text = bw_slice_from(text, comma + 1);
		if (one.n == 0)
			continue;
		starts[n++] = names->n;
		bw_config_identity(config, one, names);
	}
	/* Slices only now: the buffer may have moved while it grew. */
	starts[n] = names->n;
	for (size_t i = 0; i < n; i++)
		out[i] = (struct bw_slice){ bw_buf_text(names) + starts[i], starts[i + 1] - starts[i] };
	return n;
}

static enum bw_err add_list(struct loading *l, const struct bw_list_row *row)
{
	struct bw_slice posters[POSTERS_MAX];
	struct bw_buf names;

	bw_buf_init(&names, 1 << 20);
	struct bw_list_entry entry = {
		.address = row->address,
		.size = row->size,
		.source = row->source,
		.unconfirmed = row->unconfirmed,
		.owner = row->owner,
		.list_id = row->list_id,
		.posters = posters,
		.poster_count = split_posters(l->config, row->posters, &names, posters),
	};
	enum bw_err err = bw_directory_add(l->builder, &entry, &l->why);

	bw_buf_done(&names);
	return err;
}

/* A row that cannot be, or is no more, leaves nothing of what its source said before. Without memory there is no directory rather than
 * one that lacks a list. */
static bool apply_list(void *ctx, const struct bw_list_row *row)
{
	struct loading *l = ctx;
	bool removed = row->removed;

	if (!removed)
		l->err = add_list(l, row);
	if (l->err != BW_OK && l->err != BW_ERR_MEMORY) {
		skip(l, row->address, l->why.text);
		l->err = BW_OK;
		removed = true;
	}
	if (removed && l->old != NULL)
		l->err = bw_directory_remove(l->builder, row->address, row->source, &l->why);
	return l->err == BW_OK;
}

/* The versions of another store say nothing of this one's: those of the copies that are there while the shared one is away, or of a
 * shared one that shows lower ones than before. */
static bool is_own(const struct bw_store *store)
{
	int64_t daemons;

	return !store->ops->degraded(store, &daemons);
}

/* Rows of later versions than `since`, and a snapshot of what is there then. */
static enum bw_err read_lists(struct loading *l, struct bw_store *store, int64_t since, struct bw_directory **out, struct bw_why *why)
{
	enum bw_err err = store->ops->list_each(store, since, apply_list, l, why);

	if (err == BW_OK && l->err != BW_OK)
		err = bw_fail(why, l->err, "%s", l->why.text);
	if (err == BW_OK && l->old != NULL && !is_own(store))
		err = bw_fail(why, BW_ERR_STORE, "the shared store went away while changed lists were read; the directory stays as it is");
	return err == BW_OK ? bw_directory_build(l->builder, out, why) : err;
}

static enum bw_err read_all(struct loading *l, struct bw_store *store, struct bw_directory **out, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	l->builder = bw_directory_builder_new(&l->config->tiers);
	if (l->builder == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the directory");
	for (size_t i = 0; err == BW_OK && i < l->config->list_count; i++)
		err = bw_directory_add(l->builder, &l->config->lists[i], why);
	if (err == BW_OK)
		err = read_lists(l, store, 0, out, why);
	bw_directory_builder_free(&l->builder);
	return err;
}

static enum bw_err read_changes(struct loading *l, struct bw_store *store, struct bw_directory **out, struct bw_why *why)
{
	l->builder = bw_directory_builder_from(l->old->directory);
	if (l->builder == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the directory");
	enum bw_err err = read_lists(l, store, l->old->directory_version, out, why);

	bw_directory_builder_free(&l->builder);
	return err;
}

static enum bw_err load_lists(struct loading *l, struct bw_store *store, struct bw_directory **out, struct bw_why *why)
{
	int64_t changes = l->old == NULL ? 0 : l->directory_version - l->old->directory_version;

	if (l->old != NULL && (!l->follows || !l->old->follows || changes < 0 || changes > CHANGES_MAX))
		l->old = NULL;
	if (l->old == NULL)
		return read_all(l, store, out, why);
	if (changes > 0)
		return read_changes(l, store, out, why);
	*out = bw_directory_ref(l->old->directory);
	return BW_OK;
}

/* Takes `shared`, settings and directory over on success. */
static struct bw_world *make_world(const struct loading *l, struct shared_config *shared, struct bw_directory *directory,
                                   const struct bw_key *key)
{
	struct bw_world *w = malloc(sizeof(*w));

	if (w == NULL)
		return NULL;
	*w = (struct bw_world){
		.shared = shared,
		.settings = l->settings,
		.directory = directory,
		.key = *key,
		.settings_version = l->settings_version,
		.directory_version = l->directory_version,
		.follows = l->follows,
	};
	/* Guards that watch no list have the same limits in every tier. */
	bw_settings_resolve(w->settings, BW_TIER_SMALL, (struct bw_slice){ NULL, 0 }, &w->limits);
	atomic_init(&w->references, 1);
	return w;
}

static enum bw_err read_settings(struct loading *l, struct bw_store *store, struct bw_why *why)
{
	l->settings = bw_settings_copy(l->config->settings);
	if (l->settings == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the settings");
	return store->ops->setting_each(store, false, apply_setting, l, why);
}

/* Builds on `shared`, whose reference goes to the world on success. */
static enum bw_err load_on(struct loading *l, struct shared_config *shared, const struct bw_key *key, struct bw_store *store,
                           struct bw_world **out, struct bw_why *why)
{
	struct bw_directory *directory = NULL;

	l->config = shared->config;
	l->follows = is_own(store);
	/* Versions first: what changes while we read raises them again and is read at the next look. */
	enum bw_err err = store->ops->versions(store, &l->settings_version, &l->directory_version, why);

	l->follows = l->follows && is_own(store);
	if (err == BW_OK)
		err = read_settings(l, store, why);
	if (err == BW_OK)
		err = load_lists(l, store, &directory, why);
	l->follows = l->follows && is_own(store);
	if (err == BW_OK) {
		*out = make_world(l, shared, directory, key);
		if (*out != NULL)
			return BW_OK;
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for the world");
	}
	bw_settings_free(&l->settings);
	bw_directory_unref(&directory);
	return err;
}

enum bw_err bw_world_load(const struct bw_key *key, struct bw_config *config, struct bw_store *store, struct bw_buf *skipped,
                          struct bw_world **out, struct bw_why *why)
{
	struct loading l = { .skipped = skipped };
	struct shared_config *shared = calloc(1, sizeof(*shared));

	if (shared == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the configuration");
	atomic_init(&shared->references, 1);
	shared->config = config;
	enum bw_err err = load_on(&l, shared, key, store, out, why);

	if (err != BW_OK)
		free(shared);
	return err;
}

/* `l` says what is read, and where what is skipped is named. */
static enum bw_err load_again(struct loading *l, const struct bw_world *old, struct bw_store *store, struct bw_world **out,
                              struct bw_why *why)
{
	take(&old->shared->references);
	enum bw_err err = load_on(l, old->shared, &old->key, store, out, why);

	if (err != BW_OK)
		unref_config(old->shared);
	return err;
}

enum bw_err bw_world_renew(const struct bw_world *old, struct bw_store *store, struct bw_buf *skipped, struct bw_world **out,
                           struct bw_why *why)
{
	struct loading l = { .skipped = skipped, .old = old };

	return load_again(&l, old, store, out, why);
}

enum bw_err bw_world_reread(const struct bw_world *old, struct bw_store *store, struct bw_buf *skipped, struct bw_world **out,
                            struct bw_why *why)
{
	struct loading l = { .skipped = skipped };

	return load_again(&l, old, store, out, why);
}
