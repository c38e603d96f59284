/* Defusing (semantics 5): before a post goes out to a list, nobody is left to ask each member's program for an answer. What waits is defused
 * as well: an MTA shows released mail to no filter again. */
#include "internal.h"

const char *const bw_receipt_names[BW_RECEIPT_COUNT] = {
	[BW_RECEIPT_DISPOSITION] = "Disposition-Notification-To",
	[BW_RECEIPT_RETURN] = "Return-Receipt-To",
	[BW_RECEIPT_CONFIRM] = "X-Confirm-Reading-To",
	[BW_RECEIPT_SUPPRESS] = "X-Auto-Response-Suppress",
};

/* MS-OXCMAIL 2.2.3.2.14: receipts of delivery, reading and not reading, out of office, other automatic replies. */
static const char silence[] = "DR, RN, NRN, OOF, AutoReply";

/* --- which lists --- */

static enum bw_mode mode_of(const struct trial *t, size_t i)
{
	return t->limits[i].defuse.mode;
}

/* Its members get the message, now or when it is let go. */
static bool goes_out(const struct trial *t, size_t i, enum bw_action action)
{
	return action == BW_HOLD || bw_envelope_reaches(t, i, action, false);
}

/* --- what is changed --- */

static void set_field(struct change_list *c, enum bw_receipt receipt, int index, const char *value)
{
	bw_change_add(c, &(struct bw_change){ BW_CHANGE_FIELD_SET, bw_receipt_names[receipt], value, index });
}

/* From the last to the first: the places of those before stay what they are. */
static bool remove_fields(struct change_list *c, const struct bw_receipts *r, enum bw_receipt receipt, int keep)
{
	if (r->sealed[receipt])
		return false;
	for (int i = r->count[receipt]; i > keep; i--)
		set_field(c, receipt, i, NULL);
	return r->count[receipt] > keep;
}

static bool remove_requests(struct change_list *c, const struct bw_receipts *r)
{
	bool removed = false;

	for (enum bw_receipt i = BW_RECEIPT_DISPOSITION; i < BW_RECEIPT_SUPPRESS; i++)
		removed = remove_fields(c, r, i, 0) || removed;
	return removed;
}

static bool ask_for_silence(struct change_list *c, const struct bw_receipts *r)
{
	const char *name = bw_receipt_names[BW_RECEIPT_SUPPRESS];

	if (r->sealed[BW_RECEIPT_SUPPRESS])
		return false;
	remove_fields(c, r, BW_RECEIPT_SUPPRESS, 1);
	if (r->count[BW_RECEIPT_SUPPRESS] > 0)
		set_field(c, BW_RECEIPT_SUPPRESS, 1, silence);
	else
		bw_change_add(c, &(struct bw_change){ BW_CHANGE_FIELD_ADD, name, silence, 0 });
	return true;
}

/* An MTA changes no recipient: it goes, and comes back with other parameters. */
static bool quieten_list(struct trial *t, struct change_list *c, size_t i)
{
	const struct bw_facts_list *fl = bw_envelope_list(t, i);
	bool any = false;

	if (!bw_envelope_can_leave(t, fl) || t->facts->notify_fixed)
		return false;
	for (const struct bw_facts_rcpt *r = fl->rcpts; r != NULL; r = r->next) {
		const char *name = r->parameters.n == 0 ? NULL : bw_arena_text(t->arena, r->path);
		const char *parameters = name == NULL ? NULL : bw_arena_text(t->arena, r->parameters);

		if (parameters == NULL)
			continue;
		bw_change_add(c, &(struct bw_change){ BW_CHANGE_RCPT_REMOVE, name, NULL, 0 });
		bw_change_add(c, &(struct bw_change){ BW_CHANGE_RCPT_ADD, name, parameters, 0 });
		any = true;
	}
	return any;
}

/* --- the message --- */

/* For the lists whose guard has this mode. `c` NULL: only what would be changed. */
static void defuse(struct trial *t, enum bw_action action, enum bw_mode mode, struct change_list *c)
{
	const struct bw_receipts *r = &t->facts->receipts;
	struct defused *out = &t->defused;
	int64_t members = 0;

	out->mode = mode;

	for (size_t i = 0; i < t->n; i++) {
		if (mode_of(t, i) != mode || !goes_out(t, i, action))
			continue;
		members += t->cases[i].deliveries;
		if (!quieten_list(t, c, i))
			continue;
		out->notify = true;
		out->avoided += t->cases[i].deliveries;
	}
	if (members == 0 || t->facts->fields_fixed)
		return;
	out->requests = remove_requests(c, r);
	out->silence = ask_for_silence(c, r);
	out->avoided += out->requests ? members : 0;
}

void bw_defuse(struct trial *t, struct bw_judgement *j)
{
	const struct defused *d = &t->defused;

	defuse(t, j->verdict.action, BW_MODE_ENFORCE, &t->changes);
	if (!d->notify && !d->requests && !d->silence)
		defuse(t, j->verdict.action, BW_MODE_SHADOW, NULL);
	j->changes = t->changes.at;
	j->change_count = t->changes.n;
}
