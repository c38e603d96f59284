#include "places.h"

/* Several Postfix instances are one place: the keeper finds out which has a message, and reconcile looks at all. */
void agent_places(const struct bw_config *config, const struct bw_mta *(*find)(const char *name), struct bw_helper *helper,
                  struct places *out)
{
	static const char *const names[PLACES_MAX] = { "postfix", "sendmail" };

	out->count = 0;
	for (size_t i = 0; i < PLACES_MAX; i++) {
		const struct bw_mta *mta = find(names[i]);

		if (mta == NULL)
			continue;
		struct place *place = &out->each[out->count++];

		*place = (struct place){ mta, bw_mta_place_of(config, mta) };
		place->at.helper = helper;
	}
}

const struct place *agent_place_of(const struct places *places, const struct bw_held *entry)
{
	for (size_t i = 0; i < places->count; i++) {
		if (bw_slice_equal(bw_slice_of(places->each[i].mta->name), entry->mta))
			return &places->each[i];
	}
	return NULL;
}
