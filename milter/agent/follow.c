/* Mail that was held for long. Its MTA counts the days in its queue from its arrival, held or not: let go as it is, it would be returned to
 * its sender at the first delivery that has to be tried again. postsuper(1): "specify "postsuper -r" to release mail that was kept on hold for
 * a significant fraction of $maximal_queue_lifetime or $bounce_queue_lifetime, or longer". */
#include "follow.h"

#include <string.h>

#include "bw/clock.h"

/* Configurations change seldom; so often they are asked for. */
#define ASKED_MS (10 * BW_MINUTE_MS)

struct following {
	const struct bw_keeper *k;
	const struct follower *follower;
};

static bool take_carrier(void *ctx, const struct bw_queued *row)
{
	const struct following *f = ctx;
	struct bw_slice sealed;
	struct bw_hash id;
	struct bw_mark mark;

	/* The seal is over the first queue id, which Postfix has forgotten; the ledger has not. */
	if (bw_mark_id(row->mark_text, &id) && f->follower->sealed_with(f->follower->ctx, &id, &sealed) &&
	    bw_mark_read(f->k->key, row->mark_text, sealed, &mark))
		f->follower->each(f->follower->ctx, &id, row->queue_id);
	return true;
}

enum bw_err agent_follow(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, int64_t since_ms,
                         const struct follower *follower, struct bw_why *why)
{
	struct following f = { k, follower };

	enum bw_err err = BW_OK;

	for (size_t i = 0; mta->carriers != NULL && err == BW_OK && i < bw_mta_instances(place); i++) {
		const struct bw_mta_place one = bw_mta_instance(place, i);

		err = mta->carriers(&one, since_ms, take_carrier, &f, why);
	}
	return err;
}

struct one {
	const struct bw_hash *id;
	struct bw_slice held_as;
	char *now;
};

static bool is_one(void *ctx, const struct bw_hash *id, struct bw_slice *queue_id)
{
	const struct one *one = ctx;

	*queue_id = one->held_as;
	return bw_hash_equal(id, one->id);
}

static void note_one(void *ctx, const struct bw_hash *id, struct bw_slice queue_id)
{
	const struct one *one = ctx;

	(void)id;
	bw_slice_copy(queue_id, one->now, BW_QUEUE_ID_BYTES);
}

bool agent_follow_one(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_hash *id,
                      const char *held_as, int64_t since_ms, char now[BW_QUEUE_ID_BYTES])
{
	struct one one = { id, bw_slice_of(held_as), now };
	const struct follower follower = { is_one, note_one, &one };

	now[0] = '\0';
	return agent_follow(k, mta, place, since_ms, &follower, NULL) == BW_OK && now[0] != '\0' && strcmp(now, held_as) != 0;
}

static bool is_known(const struct bw_keeper *k, const struct bw_mta *mta, const char *config)
{
	const struct bw_lifetime *l = &k->lifetime;

	return l->mta == mta->name && strcmp(l->config, config) == 0 && k->now_ms >= l->asked_ms && k->now_ms - l->asked_ms < ASKED_MS;
}

enum bw_err agent_is_old(struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, int64_t age_ms,
                         bool null_sender, bool *old, struct bw_why *why)
{
	const char *config = place->config == NULL ? "" : place->config;
	struct bw_lifetime asked = { .mta = mta->name, .asked_ms = k->now_ms };
	enum bw_err err = BW_OK;

	*old = false;
	if (mta->requeue == NULL || mta->lifetime == NULL)
		return BW_OK;
	if (!is_known(k, mta, config)) {
		err = mta->lifetime(place, &asked.any_ms, &asked.null_sender_ms, why);
		bw_slice_copy(bw_slice_of(config), asked.config, sizeof(asked.config));
		if (err == BW_OK)
			k->lifetime = asked;
	}
	if (err == BW_OK) {
		int64_t life_ms = null_sender ? k->lifetime.null_sender_ms : k->lifetime.any_ms;

		*old = life_ms > 0 && age_ms > life_ms / 2;
	}
	return err;
}
