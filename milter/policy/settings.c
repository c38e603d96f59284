/* The settings of an installation: its mode, the limits of each tier, the overrides of single lists. */
#include <stdlib.h>

#include "rows.h"

struct bw_settings {
	enum bw_mode mode;
	struct bw_limits tiers[BW_TIER_COUNT];
	struct bw_overrides overrides;
};

const struct bw_tier_bounds bw_tier_bounds_default = {
	.from = { [BW_TIER_SMALL] = 0, [BW_TIER_MEDIUM] = 250, [BW_TIER_LARGE] = 2500, [BW_TIER_HUGE] = 25000 },
};

enum bw_tier bw_tier_of(const struct bw_tier_bounds *bounds, int64_t size)
{
	int tier = BW_TIER_COUNT - 1;

	while (tier > BW_TIER_SMALL && size < bounds->from[tier])
		tier--;
	return (enum bw_tier)tier;
}

/* --- life --- */

struct bw_settings *bw_settings_new(void)
{
	struct bw_settings *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->mode = BW_MODE_SHADOW;
	for (size_t i = 0; i < bw_setting_count(); i++) {
		const struct bw_setting *row = bw_setting_at(i);

		for (int tier = 0; tier < BW_TIER_COUNT; tier++)
			bw_setting_store(row, &s->tiers[tier], row->def[tier]);
	}
	return s;
}

struct bw_settings *bw_settings_copy(const struct bw_settings *s)
{
	struct bw_settings *copy = calloc(1, sizeof(*copy));

	if (copy == NULL)
		return NULL;
	*copy = *s;
	if (!bw_overrides_copy(&s->overrides, &copy->overrides))
		bw_settings_free(&copy);
	return copy;
}

void bw_settings_free(struct bw_settings **s)
{
	if (s == NULL || *s == NULL)
		return;
	bw_overrides_done(&(*s)->overrides);
	free(*s);
	*s = NULL;
}

/* --- names --- */

/* What a name means. */
struct target {
	bool installation_mode;
	const struct bw_setting *row;
	bool one_tier;
	enum bw_tier tier;
	struct bw_slice address; /* empty: no list's */
	char folded[BW_SETTINGS_ADDRESS_MAX];
};

static struct bw_slice from_last_dot(struct bw_slice s, struct bw_slice *before)
{
	size_t at = s.n;

	while (at > 0 && s.p[at - 1] != '.')
		at--;
	*before = bw_slice_head(s, at > 0 ? at - 1 : 0);
	return bw_slice_from(s, at);
}

static enum bw_err unknown(struct bw_slice name, struct bw_slice prefix, struct bw_slice rest, struct bw_why *why)
{
	struct bw_nearest near;
	struct bw_buf text;

	bw_setting_nearest(&near, rest);
	bw_buf_init(&text, BW_WHY_BYTES - 1);
	bw_setting_quote(&text, name);
	bw_buf_add_text(&text, ": no such setting");
	if (near.found) {
		bw_buf_add_text(&text, ", the nearest is ");
		bw_setting_quote(&text, prefix);
		bw_buf_add_text(&text, near.name);
	}
	(void)bw_fail(why, BW_ERR_NOT_FOUND, "%s", bw_buf_text(&text));
	bw_buf_done(&text);
	return BW_ERR_NOT_FOUND;
}

/* ASCII only: whoever has more in an address gives it normalised. */
static bool fold_address(struct bw_slice raw, struct target *t)
{
	size_t at = bw_slice_find(raw, '@');

	if (at == 0 || at + 1 >= raw.n || raw.n >= sizeof(t->folded))
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		if ((unsigned char)c <= 0x20 || c == 0x7f)
			return false;
		t->folded[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	t->address = (struct bw_slice){ t->folded, raw.n };
	return true;
}

/* "@ADDRESS.GUARD.FIELD": the address has dots of its own, so it is read from the end. */
static enum bw_err read_list_name(struct bw_slice name, struct target *t, struct bw_why *why)
{
	struct bw_slice head, address;
	struct bw_slice field = from_last_dot(name, &head);
	struct bw_slice guard = from_last_dot(head, &address);
	struct bw_slice rest = { guard.p, guard.n + 1 + field.n };

	if (guard.n == 0 || address.n < 2 || !fold_address(bw_slice_from(address, 1), t))
		return bw_fail(why, BW_ERR_INPUT, "a list's setting is named @ADDRESS.GUARD.FIELD, like @all@example.org.list.senders");
	t->row = bw_setting_find(rest);
	return t->row != NULL ? BW_OK : unknown(name, bw_slice_head(name, address.n + 1), rest, why);
}

static enum bw_err read_tier_name(struct bw_slice name, struct target *t, struct bw_why *why)
{
	size_t dot = bw_slice_find(name, '.');
	struct bw_slice head = bw_slice_head(name, dot);
	struct bw_slice rest = bw_slice_from(name, dot + 1);

	t->row = bw_setting_find(name);
	if (t->row != NULL)
		return BW_OK;
	t->one_tier = bw_tier_parse(head, &t->tier);
	if (!t->one_tier)
		return unknown(name, bw_slice_head(name, 0), bw_slice_find(rest, '.') < rest.n ? rest : name, why);
	t->row = bw_setting_find(rest);
	return t->row != NULL ? BW_OK : unknown(name, bw_slice_head(name, dot + 1), rest, why);
}

static enum bw_err read_name(struct bw_slice name, struct target *t, struct bw_why *why)
{
	*t = (struct target){ 0 };
	t->installation_mode = bw_slice_equal_nocase(name, BW_S("mode"));
	if (t->installation_mode)
		return BW_OK;
	return name.n > 0 && name.p[0] == '@' ? read_list_name(name, t, why) : read_tier_name(name, t, why);
}

static size_t index_of(const struct bw_setting *row)
{
	return (size_t)(row - bw_setting_at(0));
}

/* --- setting and getting --- */

static enum bw_err set_mode(struct bw_settings *s, struct bw_slice value, struct bw_why *why)
{
	enum bw_mode mode;
	struct bw_buf text;

	if (bw_mode_parse(value, &mode) && mode != BW_MODE_OFF) {
		s->mode = mode;
		return BW_OK;
	}
	bw_buf_init(&text, BW_WHY_BYTES - 1);
	bw_setting_quote(&text, value);
	(void)bw_fail(why, BW_ERR_INPUT, "mode: \"%s\" is not a mode of the installation, allowed: shadow, enforce",
	              bw_buf_text(&text));
	bw_buf_done(&text);
	return BW_ERR_INPUT;
}

enum bw_err bw_settings_set(struct bw_settings *s, struct bw_slice name, struct bw_slice value, struct bw_why *why)
{
	struct target t;
	int64_t raw;
	enum bw_err err = read_name(name, &t, why);

	if (err != BW_OK)
		return err;
	if (t.installation_mode)
		return set_mode(s, value, why);
	if (t.row->whole && (t.one_tier || t.address.n > 0))
		return bw_fail(why, BW_ERR_INPUT, "%s is one for the whole installation: neither a tier nor a list has its own",
		               t.row->name);
	err = bw_setting_parse(t.row, name, value, &raw, why);
	if (err != BW_OK)
		return err;
	if (t.address.n > 0)
		return bw_overrides_put(&s->overrides, t.address, index_of(t.row), raw, why);
	for (int tier = 0; tier < BW_TIER_COUNT; tier++) {
		if (!t.one_tier || tier == (int)t.tier)
			bw_setting_store(t.row, &s->tiers[tier], raw);
	}
	return BW_OK;
}

static enum bw_err get_list(const struct bw_settings *s, const struct target *t, struct bw_buf *out, struct bw_why *why)
{
	const struct bw_override_list *list = bw_overrides_find(&s->overrides, t->address);

	if (list == NULL || (list->rows & UINT64_C(1) << index_of(t->row)) == 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "%.*s has no %s of its own; its tier's applies", (int)t->address.n, t->address.p,
		               t->row->name);
	bw_setting_print(t->row, bw_setting_raw(t->row, &list->values), out);
	return BW_OK;
}

static void get_tiers(const struct bw_settings *s, const struct bw_setting *row, struct bw_buf *out)
{
	int64_t raw[BW_TIER_COUNT];
	bool agree = true;

	for (int tier = 0; tier < BW_TIER_COUNT; tier++) {
		raw[tier] = bw_setting_raw(row, &s->tiers[tier]);
		agree = agree && raw[tier] == raw[0];
	}
	if (agree) {
		bw_setting_print(row, raw[0], out);
		return;
	}
	for (int tier = BW_TIER_COUNT - 1; tier >= 0; tier--) {
		bw_buf_printf(out, "%s=", bw_tier_name((enum bw_tier)tier));
		bw_setting_print(row, raw[tier], out);
		if (tier > 0)
			bw_buf_add_char(out, ' ');
	}
}

enum bw_err bw_settings_get(const struct bw_settings *s, struct bw_slice name, struct bw_buf *out, struct bw_why *why)
{
	struct target t;
	enum bw_err err = read_name(name, &t, why);

	if (err != BW_OK)
		return err;
	if (t.address.n > 0)
		return get_list(s, &t, out, why);
	if (t.installation_mode)
		bw_buf_add_text(out, bw_mode_name(s->mode));
	else if (t.one_tier)
		bw_setting_print(t.row, bw_setting_raw(t.row, &s->tiers[t.tier]), out);
	else
		get_tiers(s, t.row, out);
	return BW_OK;
}

/* --- what applies --- */

enum bw_mode bw_settings_mode(const struct bw_settings *s)
{
	return s->mode;
}

static void cap(enum bw_mode *mode, enum bw_mode installation)
{
	if (*mode > installation)
		*mode = installation;
}

void bw_settings_resolve(const struct bw_settings *s, enum bw_tier tier, struct bw_slice address, struct bw_limits *out)
{
	const struct bw_override_list *list = address.n > 0 ? bw_overrides_find(&s->overrides, address) : NULL;

	*out = s->tiers[tier];
	for (size_t i = 0; list != NULL && i < bw_setting_count(); i++) {
		if ((list->rows >> i & 1) != 0)
			bw_setting_store(bw_setting_at(i), out, bw_setting_raw(bw_setting_at(i), &list->values));
	}
	cap(&out->gate.mode, s->mode);
	cap(&out->conversation.mode, s->mode);
	cap(&out->list.mode, s->mode);
	cap(&out->automaton.mode, s->mode);
	cap(&out->origin.mode, s->mode);
	cap(&out->defuse.mode, s->mode);
	cap(&out->sender.mode, s->mode);
	cap(&out->sender.others_mode, s->mode);
	cap(&out->mailbox.mode, s->mode);
	cap(&out->capacity.mode, s->mode);
}
