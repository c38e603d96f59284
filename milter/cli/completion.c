/* completion bash, completion zsh: scripts made from the tables, so that they never lag behind them. */
#include <string.h>

#include "bw/settings.h"
#include "output.h"

enum { WORDS_BYTES = 16384 };

static void add_word(struct bw_buf *out, struct bw_slice word)
{
	bw_buf_printf(out, "%s%.*s", out->n > 0 ? " " : "", (int)word.n, word.p);
}

/* First words without doubles; neighbours in the table share theirs, but `list stop` stands apart from `list ls`. */
static void first_words(struct bw_buf *out)
{
	const struct command *command;

	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_slice name = bw_slice_of(command->name);
		struct bw_slice first = bw_slice_head(name, bw_slice_find(name, ' '));
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++) {
			struct bw_slice other = bw_slice_of(bw_cli_command_at(k)->name);

			seen = bw_slice_equal(bw_slice_head(other, bw_slice_find(other, ' ')), first);
		}
		if (!seen)
			add_word(out, first);
	}
}

/* The second words of a group, each once: "list import" has several commands. */
static void second_words(struct bw_buf *out, struct bw_slice group)
{
	const struct command *command;
	struct bw_slice before = BW_S("");

	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		struct bw_slice name = bw_slice_of(command->name);
		size_t blank = bw_slice_find(name, ' ');

		if (blank == name.n || !bw_slice_equal(bw_slice_head(name, blank), group))
			continue;
		name = bw_slice_from(name, blank + 1);
		name = bw_slice_head(name, bw_slice_find(name, ' '));
		if (!bw_slice_equal(name, before))
			add_word(out, name);
		before = name;
	}
}

static void option_words(struct bw_buf *out, uint64_t options)
{
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		if ((options & UINT64_C(1) << id) != 0)
			bw_buf_printf(out, "%s--%s", out->n > 0 ? " " : "", bw_cli_option_at(id)->name);
	}
}

static void setting_words(struct bw_buf *out)
{
	add_word(out, BW_S("mode"));
	for (size_t i = 0; i < bw_setting_count(); i++)
		add_word(out, bw_slice_of(bw_setting_at(i)->name));
	for (int tier = BW_TIER_HUGE; tier >= BW_TIER_SMALL; tier--) {
		for (size_t i = 0; i < bw_setting_count(); i++) {
			if (!bw_setting_at(i)->whole)
				bw_buf_printf(out, " %s.%s", bw_tier_name((enum bw_tier)tier), bw_setting_at(i)->name);
		}
	}
}

/* --- the part that both shells understand ---
 *
 * `first` and `second` are the first words that are neither options nor their values, `count` is how many there are. The names
 * avoid zsh's special parameters (words, options, commands). */

/* The first words of a group give its second words. */
static void print_groups(struct cli *c, struct bw_slice firsts)
{
	struct bw_slice word;
	struct bw_buf words;

	bw_buf_init(&words, WORDS_BYTES);
	bw_cli_line(c, STYLE_PLAIN, "  case \"$first\" in");
	while (bw_slice_word(&firsts, &word)) {
		bw_buf_reset(&words);
		second_words(&words, word);
		if (words.n > 0 && !bw_slice_equal(word, BW_S("completion")))
			bw_cli_line(c, STYLE_PLAIN, "  %.*s) next=\"%s\" ;;", (int)word.n, word.p, bw_buf_text(&words));
	}
	bw_cli_line(c, STYLE_PLAIN, "  mode) next=\"shadow enforce\" ;;");
	bw_cli_line(c, STYLE_PLAIN, "  completion) next=\"bash zsh\" ;;");
	bw_cli_line(c, STYLE_PLAIN, "  help) next=\"$names\" ;;");
	bw_cli_line(c, STYLE_PLAIN, "  set|unset|settings) next=\"$settings\" ;;");
	bw_cli_line(c, STYLE_PLAIN, "  esac");
	bw_buf_done(&words);
}

static size_t blanks(const char *name)
{
	size_t n = 0;

	for (; *name != '\0'; name++)
		n += *name == ' ';
	return n;
}

/* Commands of three words: what may be the third. */
static void print_thirds(struct cli *c)
{
	const struct command *command;

	bw_cli_line(c, STYLE_PLAIN, "  third=\"\"");
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		if (blanks(command->name) != 2)
			continue;
		struct bw_slice name = bw_slice_of(command->name);
		size_t at = name.n;

		while (name.p[at - 1] != ' ')
			at--;
		bw_cli_line(c, STYLE_PLAIN, "  if [ \"$first $second\" = \"%.*s\" ]; then third=\"$third %s\"; fi", (int)at - 1, name.p,
		            name.p + at);
	}
}

static void print_option_cases(struct cli *c)
{
	const struct command *command;
	struct bw_buf words;

	bw_buf_init(&words, WORDS_BYTES);
	bw_cli_line(c, STYLE_PLAIN, "  case \"$first $second $word3\" in");
	for (size_t i = 0; (command = bw_cli_command_at(i)) != NULL; i++) {
		bw_buf_reset(&words);
		option_words(&words, command->options);
		if (words.n > 0)
			bw_cli_line(c, STYLE_PLAIN,
			            blanks(command->name) == 2 ? "  \"%s\") flags=\"$flags %s\" ;;" : "  \"%s \"*) flags=\"$flags %s\" ;;",
			            command->name, bw_buf_text(&words));
	}
	bw_cli_line(c, STYLE_PLAIN, "  esac");
	bw_buf_done(&words);
}

static void print_tables(struct cli *c)
{
	struct bw_buf firsts, more;

	bw_buf_init(&firsts, WORDS_BYTES);
	bw_buf_init(&more, WORDS_BYTES);
	first_words(&firsts);
	bw_cli_line(c, STYLE_PLAIN, "  names=\"%s\"", bw_buf_text(&firsts));
	option_words(&more, OPT_ALWAYS);
	bw_cli_line(c, STYLE_PLAIN, "  flags=\"%s\"", bw_buf_text(&more));
	bw_buf_reset(&more);
	setting_words(&more);
	bw_cli_line(c, STYLE_PLAIN, "  settings=\"%s\"", bw_buf_text(&more));
	print_groups(c, bw_buf_slice(&firsts));
	print_thirds(c);
	print_option_cases(c);
	bw_buf_done(&firsts);
	bw_buf_done(&more);
}

/* Words before the cursor: `array` and its first index differ between the shells. */
static void print_loop(struct cli *c, const char *head, const char *array)
{
	struct bw_buf valued;

	bw_buf_init(&valued, WORDS_BYTES);
	for (enum option_id id = 0; id < OPTION_COUNT; id++) {
		const struct option *o = bw_cli_option_at(id);

		if (o->value != NULL)
			bw_buf_printf(&valued, "%s--%s", valued.n > 0 ? "|" : "", o->name);
		if (o->value != NULL && o->letter != 0)
			bw_buf_printf(&valued, "|-%c", o->letter);
	}
	bw_cli_line(c, STYLE_PLAIN, "%s", head);
	bw_cli_line(c, STYLE_PLAIN, "    case \"${%s[i]}\" in", array);
	bw_cli_line(c, STYLE_PLAIN, "    %s) i=$((i + 1)) ;;", bw_buf_text(&valued));
	bw_cli_line(c, STYLE_PLAIN, "    -*) ;;");
	bw_cli_line(c, STYLE_PLAIN, "    *) count=$((count + 1))");
	bw_cli_line(c, STYLE_PLAIN,
	            "      case $count in 1) first=\"${%s[i]}\" ;; 2) second=\"${%s[i]}\" ;; 3) word3=\"${%s[i]}\" ;; esac ;;", array,
	            array, array);
	bw_cli_line(c, STYLE_PLAIN, "    esac");
	bw_cli_line(c, STYLE_PLAIN, "  done");
	bw_buf_done(&valued);
}

static void print_bash(struct cli *c)
{
	bw_cli_line(c, STYLE_PLAIN, "# bash completion for breakwaterctl, made by `breakwaterctl completion bash`");
	bw_cli_line(c, STYLE_PLAIN, "_breakwaterctl() {");
	bw_cli_line(c, STYLE_PLAIN,
	            "  local i count=0 first=\"\" second=\"\" word3=\"\" third next=\"\" names flags settings "
	            "current=\"${COMP_WORDS[COMP_CWORD]}\"");
	print_loop(c, "  for ((i = 1; i < COMP_CWORD; i++)); do", "COMP_WORDS");
	print_tables(c);
	bw_cli_line(c, STYLE_PLAIN, "  COMPREPLY=()");
	bw_cli_line(c, STYLE_PLAIN, "  if [ $i -gt $COMP_CWORD ]; then return; fi # the value of an option: a file name");
	bw_cli_line(c, STYLE_PLAIN, "  if [ \"${current#-}\" != \"$current\" ]; then next=\"$flags\"");
	bw_cli_line(c, STYLE_PLAIN, "  elif [ $count = 0 ]; then next=\"$names\"");
	bw_cli_line(c, STYLE_PLAIN, "  elif [ $count = 2 ]; then next=\"$third\"");
	bw_cli_line(c, STYLE_PLAIN, "  elif [ $count != 1 ]; then next=\"\"; fi");
	bw_cli_line(c, STYLE_PLAIN, "  mapfile -t COMPREPLY < <(compgen -W \"$next\" -- \"$current\")");
	bw_cli_line(c, STYLE_PLAIN, "}");
	bw_cli_line(c, STYLE_PLAIN, "complete -o default -F _breakwaterctl breakwaterctl");
}

static void print_zsh(struct cli *c)
{
	bw_cli_line(c, STYLE_PLAIN, "#compdef breakwaterctl");
	bw_cli_line(c, STYLE_PLAIN, "# zsh completion for breakwaterctl, made by `breakwaterctl completion zsh`");
	bw_cli_line(c, STYLE_PLAIN, "_breakwaterctl() {");
	bw_cli_line(
		c, STYLE_PLAIN,
		"  local i count=0 first=\"\" second=\"\" word3=\"\" third next=\"\" names flags settings current=\"${words[CURRENT]}\"");
	print_loop(c, "  for ((i = 2; i < CURRENT; i++)); do", "words");
	print_tables(c);
	bw_cli_line(c, STYLE_PLAIN, "  if [ $i -gt $CURRENT ]; then _files; return; fi # the value of an option");
	bw_cli_line(c, STYLE_PLAIN, "  if [ \"${current#-}\" != \"$current\" ]; then next=\"$flags\"");
	bw_cli_line(c, STYLE_PLAIN, "  elif [ $count = 0 ]; then next=\"$names\"");
	bw_cli_line(c, STYLE_PLAIN, "  elif [ $count = 2 ]; then next=\"$third\"");
	bw_cli_line(c, STYLE_PLAIN, "  elif [ $count != 1 ]; then next=\"\"; fi");
	bw_cli_line(c, STYLE_PLAIN, "  compadd -- ${=next}");
	bw_cli_line(c, STYLE_PLAIN, "}");
	bw_cli_line(c, STYLE_PLAIN, "_breakwaterctl \"$@\"");
}

static enum bw_cli_exit run_completion(struct cli *c)
{
	if (strcmp(c->words[0], "bash") == 0)
		print_bash(c);
	else if (strcmp(c->words[0], "zsh") == 0)
		print_zsh(c);
	else
		return bw_cli_fail(c, BW_CLI_USAGE, "completion: \"%s\" is unknown, allowed: bash, zsh", c->words[0]);
	return BW_CLI_DONE;
}

const struct command bw_cli_family_completion[] = {
	{ "completion", "bash|zsh", 1, 1, 0, NEED_NOTHING, false, run_completion, "print a script that completes command lines" },
	{ .name = NULL },
};
