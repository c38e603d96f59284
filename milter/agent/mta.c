/* The MTAs that the ledger knows, and where they are. */
#include <string.h>

#include "reading.h"

const struct bw_mta *bw_mta_find(const char *name)
{
	static const struct bw_mta *const all[] = { &bw_agent_postfix, &bw_agent_sendmail };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	}
	return NULL;
}

static const char *or_usual(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

struct bw_mta_place bw_mta_place_of(const struct bw_config *config, const struct bw_mta *mta)
{
	if (mta == &bw_agent_sendmail || strcmp(mta->name, bw_agent_sendmail.name) == 0)
		return (struct bw_mta_place){ .commands = or_usual(config->hold.sendmail_commands),
			                          .config = or_usual(config->hold.sendmail_config),
			                          .queue = config->hold.sendmail_queue };
	return (struct bw_mta_place){ .commands = or_usual(config->hold.postfix_commands),
		                          .instances = config->hold.postfix_config,
		                          .instance_count = config->hold.postfix_config_count };
}

/* --- instances --- */

size_t bw_mta_instances(const struct bw_mta_place *place)
{
	return place->config != NULL || place->instance_count == 0 ? 1 : place->instance_count;
}

struct bw_mta_place bw_mta_instance(const struct bw_mta_place *place, size_t i)
{
	struct bw_mta_place one = *place;

	if (place->config == NULL && i < place->instance_count)
		one.config = place->instances[i];
	one.instances = NULL;
	one.instance_count = 0;
	return one;
}

struct locating {
	const struct bw_hash *id;
	bool is_it;
};

static bool note_match(void *ctx, const struct bw_queued *row)
{
	struct locating *l = ctx;

	l->is_it = l->id == NULL || (row->marked && bw_hash_equal(&row->mark.id, l->id));
	return true;
}

/* One that has the queue id, but not the mark, is what is meant where nothing else is: the caller then sees what it is. */
enum bw_err bw_mta_locate(const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id,
                          const struct bw_hash *id, struct bw_mta_place *out, struct bw_why *why)
{
	size_t count = bw_mta_instances(place), chosen = count;
	enum bw_err err = BW_OK;

	for (size_t i = 0; count > 1 && i < count; i++) {
		struct locating l = { .id = id };
		struct bw_mta_place one = bw_mta_instance(place, i);
		struct bw_why its;
		enum bw_err found = mta->look(&one, key, queue_id, note_match, &l, &its);

		if (found == BW_OK && (l.is_it || chosen == count))
			chosen = i;
		if (found == BW_OK && l.is_it)
			break;
		if (found != BW_OK && found != BW_ERR_NOT_FOUND && err == BW_OK)
			err = bw_fail(why, found, "%s", its.text);
	}
	/* An instance that does not answer may be the one. */
	if (chosen == count && err != BW_OK)
		return err;
	*out = bw_mta_instance(place, chosen == count ? 0 : chosen);
	return BW_OK;
}

enum bw_err bw_mta_check(const struct bw_mta *mta, const struct bw_mta_place *place, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t i = 0; mta->check != NULL && err == BW_OK && i < bw_mta_instances(place); i++) {
		const struct bw_mta_place one = bw_mta_instance(place, i);

		err = mta->check(&one, why);
	}
	return err;
}
