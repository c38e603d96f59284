/* conf/breakwater.conf, written from the two tables: every key and every threshold, commented, with its default. A line that
 * begins with '#' and no blank behind it is a setting; '#' and a blank is prose. */
#include "document.h"

enum { WIDTH = 110 };

static void indent(struct bw_buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		bw_buf_add_char(out, '\t');
}

/* Prose, broken into lines. */
static void comment(struct bw_buf *out, int depth, const char *text)
{
	struct bw_slice rest = bw_slice_of(text), word;
	size_t start = 8 * (size_t)depth + 1, column = 0;

	while (bw_slice_word(&rest, &word)) {
		if (column == 0 || column + 1 + word.n > WIDTH) {
			bw_buf_add_text(out, column == 0 ? "" : "\n");
			indent(out, depth);
			bw_buf_add_char(out, '#');
			column = start;
		}
		bw_buf_add_char(out, ' ');
		bw_buf_add(out, word);
		column += 1 + word.n;
	}
	bw_buf_add_char(out, '\n');
}

static void comment_allowed(struct bw_buf *out, int depth, struct bw_slice allowed)
{
	struct bw_buf text;

	bw_buf_init(&text, 1024);
	bw_buf_add_text(&text, "Allowed: ");
	bw_buf_add(&text, allowed);
	bw_buf_add_char(&text, '.');
	comment(out, depth, bw_buf_text(&text));
	bw_buf_done(&text);
}

static void comment_key(struct bw_buf *out, int depth, const struct bw_config_key *key)
{
	comment(out, depth, key->help);
	comment_allowed(out, depth, bw_slice_of(key->range));
}

static void print_key(struct bw_buf *out, int depth, const struct bw_config_key *key)
{
	struct bw_slice name = bw_slice_of(key->name);

	while (bw_slice_find(name, '.') < name.n)
		name = bw_slice_from(name, bw_slice_find(name, '.') + 1);
	comment_key(out, depth, key);
	indent(out, depth);
	bw_buf_printf(out, "#%.*s = %s;\n", (int)name.n, name.p, key->def);
}

static void print_section(struct bw_buf *out, const char *section, const char *intro)
{
	bool first = true;

	bw_buf_add_char(out, '\n');
	comment(out, 0, intro);
	bw_buf_printf(out, "%s: {\n", section);
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		const struct bw_config_key *key = bw_config_key_at(i);
		struct bw_slice name = bw_slice_of(key->name);
		size_t dot = bw_slice_find(name, '.');

		if (dot == name.n || !bw_slice_equal(bw_slice_head(name, dot), bw_slice_of(section)))
			continue;
		if (!first)
			bw_buf_add_char(out, '\n');
		first = false;
		print_key(out, 1, key);
	}
	bw_buf_add_text(out, "};\n");
}

static void print_outer(struct bw_buf *out, const char *name)
{
	bw_buf_add_char(out, '\n');
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		if (bw_slice_equal(bw_slice_of(bw_config_key_at(i)->name), bw_slice_of(name)))
			print_key(out, 0, bw_config_key_at(i));
	}
}

/* --- tiers --- */

struct bw_slice bw_config_guard_of(const struct bw_setting *row)
{
	struct bw_slice name = bw_slice_of(row->name);

	return bw_slice_head(name, bw_slice_find(name, '.'));
}

static void comment_threshold(struct bw_buf *out, const struct bw_setting *row)
{
	struct bw_buf allowed;

	bw_buf_init(&allowed, 256);
	bw_config_print_allowed(row, &allowed);
	comment(out, 3, row->help);
	comment_allowed(out, 3, bw_buf_slice(&allowed));
	bw_buf_done(&allowed);
}

static void print_threshold(struct bw_buf *out, enum bw_tier tier, const struct bw_setting *row, bool prose)
{
	struct bw_slice name = bw_slice_of(row->name);
	struct bw_slice field = bw_slice_from(name, bw_slice_find(name, '.') + 1);

	if (prose)
		comment_threshold(out, row);
	bool quoted = row->kind != BW_VALUE_COUNT || (row->may_be_off && row->def[tier] == 0);

	indent(out, 3);
	bw_buf_printf(out, "#%.*s = %s", (int)field.n, field.p, quoted ? "\"" : "");
	bw_setting_print(row, row->def[tier], out);
	bw_buf_add_text(out, quoted ? "\";\n" : ";\n");
}

/* The rows that each tier has, or those of the whole installation. */
static void print_guards(struct bw_buf *out, enum bw_tier tier, bool whole, bool prose)
{
	struct bw_slice open = { 0 };

	for (size_t i = 0; i < bw_setting_count(); i++) {
		const struct bw_setting *row = bw_setting_at(i);
		struct bw_slice guard = bw_config_guard_of(row);

		if (row->whole != whole)
			continue;
		if (!bw_slice_equal(guard, open)) {
			if (open.n > 0)
				bw_buf_add_text(out, "\t\t};\n");
			bw_buf_printf(out, "\t\t%.*s: {\n", (int)guard.n, guard.p);
			open = guard;
		}
		print_threshold(out, tier, row, prose);
	}
	bw_buf_add_text(out, "\t\t};\n");
}

static void print_from(struct bw_buf *out, enum bw_tier tier)
{
	struct bw_buf name;

	bw_buf_init(&name, 40);
	bw_buf_printf(&name, "tiers.%s.from", bw_tier_name(tier));
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		if (bw_slice_equal(bw_slice_of(bw_config_key_at(i)->name), bw_buf_slice(&name)))
			print_key(out, 2, bw_config_key_at(i));
	}
	bw_buf_done(&name);
}

static void print_tiers(struct bw_buf *out)
{
	bw_buf_add_char(out, '\n');
	comment(out, 0,
	        "Lists by size, and the thresholds of the guards for each tier. A threshold for all tiers stands in a group "
	        "of its own, which is read before the others wherever it stands:");
	bw_buf_add_text(out, "#\n#   all: { list: { window = \"90m\"; }; };\n#\n");
	comment(out, 0, "breakwaterctl set changes thresholds while breakwaterd runs; what it sets stands above this file.");
	bw_buf_add_text(out, "tiers: {\n");
	for (int tier = BW_TIER_COUNT - 1; tier >= 0; tier--) {
		bw_buf_printf(out, "\t%s: {\n", bw_tier_name((enum bw_tier)tier));
		print_from(out, (enum bw_tier)tier);
		print_guards(out, (enum bw_tier)tier, false, tier == BW_TIER_HUGE);
		bw_buf_add_text(out, "\t};\n");
	}
	comment(out, 1, "Guards that watch no list: one value for the whole installation.");
	bw_buf_add_text(out, "\tall: {\n");
	print_guards(out, BW_TIER_HUGE, true, true);
	bw_buf_add_text(out, "\t};\n");
	bw_buf_add_text(out, "};\n");
}

/* --- lists --- */

static void print_list_keys(struct bw_buf *out)
{
	for (size_t i = 0; i < bw_config_key_count(); i++) {
		const struct bw_config_key *key = bw_config_key_at(i);
		struct bw_slice name = bw_slice_of(key->name), prefix = BW_S("lists.");
		struct bw_buf text;

		if (!bw_slice_starts_nocase(name, prefix))
			continue;
		bw_buf_init(&text, 1024);
		bw_buf_printf(&text, "%s: %s Allowed: %s.", name.p + prefix.n, key->help, key->range);
		comment(out, 0, bw_buf_text(&text));
		bw_buf_done(&text);
	}
}

static void print_lists(struct bw_buf *out)
{
	print_outer(out, "lists");
	bw_buf_add_text(out,
	                "#\n"
	                "#   lists: (\n"
	                "#     { address = \"all-staff@nhs.example\"; size = 840000; owner = \"comms-office@nhs.example\";\n"
	                "#       posters = [ \"comms\", \"inside:chief.executive@nhs.example\" ]; },\n"
	                "#     { address = \"croydon@nhs.example\"; size = 4000; limits = { conversation = { senders = 5; }; }; }\n"
	                "#   );\n#\n");
	comment(out, 0, "The keys of a list:");
	print_list_keys(out);
}

static const char head[] =
	"# breakwater.conf: read by breakwaterd at its start and on SIGUSR1, and by breakwaterctl. The manual: breakwater.conf(5).\n"
	"#\n"
	"# Every key stands here with its default, behind a \"#\"; take the \"#\" away to change it. Durations are texts such as\n"
	"# \"250ms\", \"90s\", \"60m\", \"1h30m\", \"7d\". A wrong key, type or range is refused with file, line and what is "
	"allowed, and the\n"
	"# running configuration stays; check with: breakwaterd -t -c breakwater.conf\n"
	"#\n"
	"# Other files can be put in: @include \"FILE\", alone on its line, relative to the file that includes.\n";

void bw_config_print_sample(struct bw_buf *out)
{
	bw_buf_add_text(out, head);
	print_outer(out, "mode");
	print_section(out, "daemon", "The process breakwaterd and its socket.");
	print_section(out, "store", "Where state lives.");
	print_section(out, "internal", "Who is who: our own domains and hosts.");
	print_section(out, "hold", "Held mail: its archive, and where it is.");
	print_section(out, "privacy", "What the ledger keeps readable.");
	print_section(out, "notify", "Who is told of what, by breakwater-agent.");
	print_tiers(out);
	print_lists(out);
	print_outer(out, "settings");
	bw_buf_add_text(
		out, "#\n#   settings = [ \"huge.conversation.senders = 5\", \"@all-staff@nhs.example.list.budget = 2000000\" ];\n");
}
