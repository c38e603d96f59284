/* What an import found: the changes that somebody should look at first, then all others. */
#include "bw/parse.h"
#include "list-import.h"

enum { REMARK_BYTES = 400 };

void bw_cli_import_counts(struct bw_buf *out, const struct bw_import_plan *plan)
{
	static const char *const words[BW_IMPORT_KIND_COUNT] = {
		[BW_IMPORT_NEW] = "new",         [BW_IMPORT_GROWN] = "grown",         [BW_IMPORT_SHRUNK] = "shrunk",
		[BW_IMPORT_CHANGED] = "changed", [BW_IMPORT_EMPTY] = "empty",         [BW_IMPORT_GONE] = "gone",
		[BW_IMPORT_FOREIGN] = "foreign", [BW_IMPORT_COLLAPSED] = "collapsed",
	};
	const char *before = "";

	for (int kind = 0; kind < BW_IMPORT_KIND_COUNT; kind++) {
		if (plan->counts[kind] == 0)
			continue;
		bw_buf_add_text(out, before);
		bw_print_count(out, (int64_t)plan->counts[kind]);
		bw_buf_printf(out, " %s", words[kind]);
		before = ", ";
	}
	if (before[0] == '\0')
		bw_buf_add_text(out, "nothing new");
}

/* Somebody should look at it before it is applied. */
static bool is_striking(const struct bw_import_step *step)
{
	return step->surprise || !step->writes || step->kind == BW_IMPORT_GONE;
}

/* --- for people --- */

static void remark_kept(struct bw_buf *out, const struct bw_import_step *step)
{
	switch (step->kind) {
	case BW_IMPORT_EMPTY:
		bw_buf_add_text(out, "has nobody now; kept as it was, --prune removes it");
		break;
	case BW_IMPORT_GONE:
		bw_buf_add_text(out, step->writes ? "to be removed" : "not in the source any more; kept, --prune removes it");
		break;
	case BW_IMPORT_FOREIGN:
		if (step->place.n > 0)
			bw_buf_printf(out, "imported from %.*s; ", (int)step->place.n, step->place.p);
		bw_buf_printf(out, "%sleft alone, --force takes it over", step->place.n > 0 ? "" : "of another import; ");
		break;
	case BW_IMPORT_COLLAPSED:
		bw_buf_add_text(out, "suspicious; kept as it was, --force takes the new size");
		break;
	case BW_IMPORT_NEW:
	case BW_IMPORT_GROWN:
	case BW_IMPORT_SHRUNK:
	case BW_IMPORT_CHANGED:
	case BW_IMPORT_KIND_COUNT:
		break;
	}
}

static void remark(struct bw_buf *out, const struct bw_import_step *step)
{
	bool covered = step->covered != BW_SOURCE_IMPORT && step->writes && step->kind != BW_IMPORT_GONE;

	bw_buf_reset(out);
	remark_kept(out, step);
	if (step->surprise)
		bw_buf_add_text(out, covered ? "surprising; " : "unconfirmed: its next post is held until `list confirm`");
	if (covered)
		bw_buf_add_text(out, step->covered == BW_SOURCE_OPERATOR ? "the operator's size stays in force"
		                                                         : "the size of the configuration file stays in force");
}

static void add_size(struct table *t, int64_t size)
{
	if (size > 0)
		bw_cli_cell_count(t, size);
	else
		bw_cli_cell(t, BW_S("-"));
}

static void add_row(struct table *t, const struct bw_import_step *step, struct bw_buf *text)
{
	remark(text, step);
	bw_cli_cell(t, bw_slice_of(bw_import_kind_name(step->kind)));
	bw_cli_cell(t, step->address);
	add_size(t, step->was);
	add_size(t, step->now);
	bw_cli_cell_styled(t, is_striking(step) ? STYLE_WARN : STYLE_PLAIN, bw_buf_text(text));
}

static void print_steps(struct cli *c, const struct bw_import_plan *plan)
{
	static const struct column columns[] = {
		{ .head = "CHANGE" }, { .head = "LIST" }, { .head = "WAS", .right = true }, { .head = "NOW", .right = true },
		{ .head = "" },
	};
	size_t most = c->args.limit > 0 ? (size_t)c->args.limit : plan->step_count, shown = 0;
	struct table *t = plan->step_count > 0 ? bw_cli_table_start(c, columns, sizeof(columns) / sizeof(columns[0])) : NULL;
	struct bw_buf text;

	bw_buf_init(&text, REMARK_BYTES);
	for (int striking = 1; striking >= 0; striking--) {
		for (size_t i = 0; i < plan->step_count && shown < most; i++) {
			if (is_striking(&plan->steps[i]) != striking)
				continue;
			add_row(t, &plan->steps[i], &text);
			shown++;
		}
	}
	bw_buf_done(&text);
	bw_cli_table_end(&t, NULL);
	if (shown < plan->step_count)
		bw_cli_say(c, STYLE_FAINT, "... and %zu more", plan->step_count - shown);
}

static void print_notes(struct cli *c, const struct bw_import *import)
{
	size_t n = bw_import_note_count(import), kept = 0;
	const char *note;

	while ((note = bw_import_note_at(import, kept)) != NULL) {
		bw_cli_say(c, STYLE_WARN, "note: %s", note);
		kept++;
	}
	if (n > kept)
		bw_cli_say(c, STYLE_WARN, "note: ... and %zu more of these", n - kept);
}

static int64_t count_lists(const struct bw_import *import)
{
	int64_t lists = 0;

	for (size_t i = 0; i < bw_import_count(import); i++)
		lists += bw_import_at(import, i)->size > 0 && !bw_import_at(import, i)->slight;
	return lists;
}

void bw_cli_import_text(struct cli *c, const struct found *f)
{
	struct bw_buf text;
	int64_t lists = count_lists(f->import);

	bw_buf_init(&text, REMARK_BYTES);
	bw_print_count(&text, lists);
	bw_buf_printf(&text, " list%s; ", lists == 1 ? "" : "s");
	bw_cli_import_counts(&text, f->plan);
	bw_cli_say(c, STYLE_HEAD, "%.*s: %s", (int)f->origin.n, f->origin.p, bw_buf_text(&text));
	bw_buf_done(&text);
	print_steps(c, f->plan);
	print_notes(c, f->import);
}

/* --- for programs --- */

static json_t *step_json(const struct bw_import_step *step)
{
	json_t *o = json_object();

	bw_cli_put(o, "address", step->address);
	bw_cli_put_text(o, "change", bw_import_kind_name(step->kind));
	bw_cli_put_int(o, "was", step->was);
	bw_cli_put_int(o, "now", step->now);
	bw_cli_put_bool(o, "unconfirmed", step->surprise);
	bw_cli_put_bool(o, "writes", step->writes);
	bw_cli_put_text(o, "covered_by", step->covered == BW_SOURCE_IMPORT ? NULL : bw_source_name(step->covered));
	bw_cli_put(o, "place", step->place);
	return o;
}

json_t *bw_cli_import_json(const struct cli *c, const struct found *f)
{
	json_t *o = json_object(), *changes = json_array(), *notes = json_array(), *counts = json_object();
	size_t most = c->args.limit > 0 ? (size_t)c->args.limit : f->plan->step_count;
	const char *note;

	for (size_t i = 0; i < f->plan->step_count && i < most; i++)
		json_array_append_new(changes, step_json(&f->plan->steps[i]));
	for (size_t i = 0; (note = bw_import_note_at(f->import, i)) != NULL; i++)
		json_array_append_new(notes, bw_cli_string(bw_slice_of(note)));
	for (int kind = 0; kind < BW_IMPORT_KIND_COUNT; kind++)
		bw_cli_put_int(counts, bw_import_kind_name((enum bw_import_kind)kind), (int64_t)f->plan->counts[kind]);
	bw_cli_put(o, "origin", f->origin);
	bw_cli_put_int(o, "lists", count_lists(f->import));
	bw_cli_put_int(o, "unchanged", (int64_t)f->plan->unchanged);
	bw_cli_put_int(o, "surprises", (int64_t)f->plan->surprises);
	json_object_set_new(o, "counts", counts);
	json_object_set_new(o, "changes", changes);
	json_object_set_new(o, "notes", notes);
	bw_cli_put_bool(o, "applied", f->applied);
	bw_cli_put_int(o, "written", f->applied ? (int64_t)f->plan->row_count : 0);
	return o;
}
