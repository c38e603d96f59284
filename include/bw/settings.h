/* settings.h: thresholds as data: one row per setting, values per tier, overrides per list.
 *
 * Layer:     policy (pure). config, store front ends and the CLI walk the rows; nobody else names a setting.
 * Threads:   immutable once built.
 * Ownership: struct bw_settings owns its overrides: bw_settings_init() / bw_settings_done().
 * Fails:     bw_settings_set() says what is allowed; settings untouched on failure.
 *
 * Names: GUARD.FIELD for all tiers, TIER.GUARD.FIELD for one, @ADDRESS.GUARD.FIELD for one list, and `mode` for the installation.
 * Later calls win: a value for all tiers replaces an earlier one for a single tier, so stored rows are applied in the order in
 * which they were set. A list's own value stays whatever its tier gets.
 */
#ifndef BW_SETTINGS_H
#define BW_SETTINGS_H

#include "bw/err.h"
#include "bw/words.h"

/* All limits that apply to one list. A limit of 0 is "off". Times in ms. */
struct bw_limits {
	struct {
		enum bw_mode mode;
		enum bw_action action;
		int64_t fanout; /* a new post with this total fan-out or more needs a poster */
	} gate;
	struct {
		enum bw_mode mode;
		enum bw_action action;
		int64_t senders, replies, reply_senders, day_senders;
		int64_t window_ms, block_ms, block_max_ms;
	} conversation;
	struct {
		enum bw_mode mode;
		enum bw_action action;
		int64_t senders, budget;
		int64_t window_ms, block_ms, block_max_ms;
	} list;
	struct {
		enum bw_mode mode;
		enum bw_action action;      /* on protocol evidence; DSNs are held instead of discarded */
		enum bw_action weak_action; /* on weak evidence */
	} automaton;
	struct {
		enum bw_mode mode;
		enum bw_action action;
	} origin;
	struct {
		enum bw_mode mode;
	} defuse;
	/* Of the whole installation: the same in every tier, and no list has its own. */
	struct {
		enum bw_mode mode;        /* for authenticated identities and class submission */
		enum bw_mode others_mode; /* for all others */
		enum bw_action action;
		int64_t recipients, posts;
		int64_t window_ms, block_ms, block_max_ms;
	} sender;
	struct {
		enum bw_mode mode;
		enum bw_action action;
		int64_t messages, window_ms;
	} mailbox;
	struct {
		enum bw_mode mode;
		enum bw_action action;
		int64_t deliveries, window_ms;
	} capacity;
};

enum bw_value_kind { BW_VALUE_COUNT, BW_VALUE_DURATION, BW_VALUE_MODE, BW_VALUE_ACTION };

/* One row: a name, where its value lies in struct bw_limits, defaults by tier, the range and one sentence. */
struct bw_setting {
	const char *name; /* "conversation.senders" */
	enum bw_value_kind kind;
	size_t offset; /* in struct bw_limits */
	int64_t def[BW_TIER_COUNT];
	int64_t min, max; /* of counts and durations (ms) */
	bool may_be_off;  /* "off" is allowed, stored as 0 */
	bool whole;       /* of the whole installation: GUARD.FIELD is its only name */
	const char *help;
};

/* The table, in the order of the manual. */
size_t bw_setting_count(void);
const struct bw_setting *bw_setting_at(size_t i);
const struct bw_setting *bw_setting_find(struct bw_slice name); /* NULL: unknown */

struct bw_settings; /* opaque: mode, limits by tier, overrides by list */

struct bw_settings *bw_settings_new(void); /* built-in defaults, mode shadow; NULL when memory is out */
struct bw_settings *bw_settings_copy(const struct bw_settings *s);
void bw_settings_free(struct bw_settings **s);

/* Sets `name` (any of the three forms, or "mode") from text. BW_ERR_NOT_FOUND (unknown name; the sentence offers the
 * nearest), BW_ERR_INPUT, BW_ERR_RANGE (the sentence gives the range), BW_ERR_MEMORY. */
enum bw_err bw_settings_set(struct bw_settings *s, struct bw_slice name, struct bw_slice value, struct bw_why *why);
/* The value in force under `name` as text that bw_settings_set() accepts. GUARD.FIELD without tier: only when all tiers
 * agree, else "huge=3 large=10 medium=20 small=off". */
enum bw_err bw_settings_get(const struct bw_settings *s, struct bw_slice name, struct bw_buf *out, struct bw_why *why);

enum bw_mode bw_settings_mode(const struct bw_settings *s); /* of the installation: shadow or enforce */
/* What applies to one list: its tier's limits, its overrides, and the installation's mode (shadow caps every guard's
 * mode at shadow). `address` is normalised; empty for a tier's plain limits. */
void bw_settings_resolve(const struct bw_settings *s, enum bw_tier tier, struct bw_slice address, struct bw_limits *out);

/* Lower bounds of the tiers in members, by default 250, 2,500, 25,000. */
struct bw_tier_bounds {
	int64_t from[BW_TIER_COUNT]; /* from[SMALL] is 0; strictly ascending */
};
extern const struct bw_tier_bounds bw_tier_bounds_default;
enum bw_tier bw_tier_of(const struct bw_tier_bounds *bounds, int64_t size);

/* Prints one raw value of `row` ("3", "off", "1h", "hold"). */
void bw_setting_print(const struct bw_setting *row, int64_t raw, struct bw_buf *out);

#endif
