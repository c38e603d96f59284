/* poster ls / add / rm: who may post to a list without approval. */
#include "change.h"

struct listing {
	struct cli *c;
	struct table *table;
};

static void print_posters(struct listing *l, const struct bw_list *list)
{
	for (size_t i = 0; i < list->poster_count; i++) {
		if (!l->c->args.json) {
			bw_cli_cell(l->table, list->address);
			bw_cli_cell(l->table, list->posters[i]);
			continue;
		}
		json_t *o = json_object();

		bw_cli_put(o, "list", list->address);
		bw_cli_put(o, "poster", list->posters[i]);
		bw_cli_json(l->c, o);
	}
}

static enum bw_cli_exit run_ls(struct cli *c)
{
	static const struct column columns[] = { { .head = "LIST" }, { .head = "POSTER" } };
	const struct bw_directory *directory = bw_world_directory(c->world);
	const struct bw_list *list = NULL;
	struct listing l = { .c = c };
	enum bw_cli_exit code = c->word_count > 0 ? bw_cli_find_list(c, c->words[0], &list) : BW_CLI_DONE;

	if (code != BW_CLI_DONE)
		return code;
	if (!c->args.json)
		l.table = bw_cli_table_start(c, columns, 2);
	for (size_t i = 0; i < bw_directory_count(directory); i++) {
		if (list == NULL || list == bw_directory_at(directory, i))
			print_posters(&l, bw_directory_at(directory, i));
	}
	bw_cli_table_end(&l.table, c->args.json ? NULL : "no posters: every post that reaches enough people waits for approval");
	return BW_CLI_DONE;
}

/* The identity that `word` means, in full: "auth:comms@nhs.example". */
static enum bw_cli_exit identify(struct cli *c, const char *word, struct list_change *out)
{
	static const struct bw_list nobody;

	bw_cli_list_change(&nobody, out);
	return bw_cli_add_poster(c, out, word);
}

static bool has_poster(const struct bw_list *list, struct bw_slice identity)
{
	for (size_t i = 0; i < list->poster_count; i++) {
		if (bw_slice_equal(list->posters[i], identity))
			return true;
	}
	return false;
}

/* The list with one poster more or less. */
static enum bw_cli_exit store(struct cli *c, const struct bw_list *list, struct bw_slice identity, bool add)
{
	struct list_change change;
	struct bw_buf what;

	bw_cli_list_change(list, &change);
	bw_buf_reset(&change.posters);
	for (size_t i = 0; i < list->poster_count; i++) {
		if (!bw_slice_equal(list->posters[i], identity))
			bw_buf_printf(&change.posters, "%s%.*s", change.posters.n > 0 ? "," : "", (int)list->posters[i].n,
			              list->posters[i].p);
	}
	if (add)
		bw_buf_printf(&change.posters, "%s%.*s", change.posters.n > 0 ? "," : "", (int)identity.n, identity.p);
	bw_buf_init(&what, 600);
	bw_buf_printf(&what, add ? "has %.*s as a poster now" : "has %.*s as a poster no longer", (int)identity.n, identity.p);
	enum bw_cli_exit code = bw_cli_put_list(c, &change, bw_buf_text(&what));

	bw_buf_done(&what);
	bw_cli_list_change_done(&change);
	return code;
}

static enum bw_cli_exit change_poster(struct cli *c, bool add)
{
	const struct bw_list *list;
	struct list_change named;
	enum bw_cli_exit code = bw_cli_find_list(c, c->words[0], &list);

	if (code != BW_CLI_DONE)
		return code;
	code = identify(c, c->words[1], &named);
	struct bw_slice identity = bw_buf_slice(&named.posters);
	bool has = code == BW_CLI_DONE && has_poster(list, identity);

	if (code == BW_CLI_DONE && add && list->poster_count >= BW_LIST_POSTERS_MAX)
		code = bw_cli_fail(c, BW_CLI_NO, "%.*s has %d posters, more are not kept", (int)list->address.n, list->address.p,
		                   BW_LIST_POSTERS_MAX);
	else if (code == BW_CLI_DONE && add && has)
		code = bw_cli_fail(c, BW_CLI_NO, "%s is a poster of %.*s already", bw_buf_text(&named.posters), (int)list->address.n,
		                   list->address.p);
	else if (code == BW_CLI_DONE && !add && !has)
		code = bw_cli_fail(c, BW_CLI_NO, "%s is no poster of %.*s; `poster ls` shows who is", bw_buf_text(&named.posters),
		                   (int)list->address.n, list->address.p);
	else if (code == BW_CLI_DONE)
		code = store(c, list, identity, add);
	bw_cli_list_change_done(&named);
	return code;
}

static enum bw_cli_exit run_add(struct cli *c)
{
	return change_poster(c, true);
}

static enum bw_cli_exit run_rm(struct cli *c)
{
	return change_poster(c, false);
}

const struct command bw_cli_family_poster[] = {
	{ "poster ls", "[ADDRESS]", 0, 1, 0, NEED_STORE, false, run_ls, "who may post to a list, or to each" },
	{ "poster add", "ADDRESS IDENTITY", 2, 2, 0, NEED_STORE, true, run_add,
	  "let an identity post to a list without approval\n"
	  "IDENTITY is a name that SMTP authentication knows (comms, comms@nhs.example), cert:NAME of a client certificate, or "
	  "inside:ADDRESS for mail from hosts that authenticate their users themselves. A From: header never makes a poster." },
	{ "poster rm", "ADDRESS IDENTITY", 2, 2, 0, NEED_STORE, true, run_rm, "take that right away" },
	{ .name = NULL },
};
