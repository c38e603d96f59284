#include "places.h"

#include <string.h>

static void add(struct places *out, const struct place *place)
{
	if (place->mta != NULL && out->count < PLACES_MAX)
		out->each[out->count++] = *place;
}

static const char *unless_empty(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

void agent_places(const struct bw_config *config, const struct bw_mta *(*find)(const char *name), struct bw_helper *helper,
                  struct places *out)
{
	struct place postfix = { find("postfix"),
		                     { .commands = unless_empty(config->hold.postfix_commands), .helper = helper } };
	const struct place sendmail = { find("sendmail"),
		                            { .commands = unless_empty(config->hold.sendmail_commands),
		                              .config = unless_empty(config->hold.sendmail_config),
		                              .queue = config->hold.sendmail_queue,
		                              .helper = helper } };

	out->count = 0;
	for (size_t i = 0; i < config->hold.postfix_config_count && i < PLACES_MAX - 1; i++) {
		postfix.at.config = config->hold.postfix_config[i];
		add(out, &postfix);
	}
	if (config->hold.postfix_config_count == 0)
		add(out, &postfix);
	add(out, &sendmail);
}

struct finding_place {
	const struct bw_hash *id;
	bool found;
};

static bool note_found(void *ctx, const struct bw_queued *row)
{
	struct finding_place *f = ctx;

	f->found = row->marked && bw_hash_equal(&row->mark.id, f->id);
	return false;
}

static bool has_it(const struct place *p, const struct bw_key *key, const struct bw_held *entry)
{
	struct finding_place f = { &entry->id, false };
	char queue_id[BW_QUEUE_ID_BYTES];
	struct bw_why ignored;

	if (entry->queue_id.n >= sizeof(queue_id))
		return false;
	bw_slice_copy(entry->queue_id, queue_id, sizeof(queue_id));
	return p->mta->is_queue_id(queue_id) && p->mta->look(&p->at, key, queue_id, note_found, &f, &ignored) == BW_OK && f.found;
}

/* Looked for only where there is a choice. */
const struct place *agent_place_of(const struct places *places, const struct bw_key *key, const struct bw_held *entry)
{
	const struct place *first = NULL;
	size_t same = 0;

	for (size_t i = 0; i < places->count; i++) {
		if (!bw_slice_equal(bw_slice_of(places->each[i].mta->name), entry->mta))
			continue;
		first = first == NULL ? &places->each[i] : first;
		same++;
	}
	for (size_t i = 0; same > 1 && i < places->count; i++) {
		if (bw_slice_equal(bw_slice_of(places->each[i].mta->name), entry->mta) && has_it(&places->each[i], key, entry))
			return &places->each[i];
	}
	return first;
}
