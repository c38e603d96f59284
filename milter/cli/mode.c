/* mode: shadow or enforce, for the whole installation. */
#include <string.h>

#include "change.h"

static enum bw_cli_exit show_mode(struct cli *c)
{
	enum bw_mode mode = bw_settings_mode(bw_world_settings(c->world));
	json_t *json;

	if (c->args.json) {
		json = json_object();
		bw_cli_put_text(json, "mode", bw_mode_name(mode));
		bw_cli_json(c, json);
	} else if (mode == BW_MODE_SHADOW) {
		bw_cli_say(c, STYLE_WARN, "mode is shadow: guards count and log as ever, and let every message pass");
	} else {
		bw_cli_say(c, STYLE_GOOD, "mode is %s", bw_mode_name(mode));
	}
	return BW_CLI_DONE;
}

static enum bw_cli_exit run_mode(struct cli *c)
{
	if (c->word_count == 0)
		return show_mode(c);
	if (strcmp(c->words[0], "shadow") != 0 && strcmp(c->words[0], "enforce") != 0)
		return bw_cli_fail(c, BW_CLI_USAGE, "mode: \"%s\" is no mode of the installation, allowed: shadow, enforce", c->words[0]);
	return bw_cli_set(c, BW_S("mode"), bw_slice_of(c->words[0]));
}

const struct command bw_cli_family_mode[] = {
	{ "mode", "[shadow|enforce]", 0, 1, OPT_REASONS | OPT(FORCE), NEED_STORE, true, run_mode,
	  "show or change the mode of the whole installation\n"
	  "In mode shadow every guard decides, counts and logs exactly as in enforce, and lets the message pass. Single guards, "
	  "tiers and lists have modes of their own: `set huge.conversation.mode shadow`." },
	{ .name = NULL },
};
