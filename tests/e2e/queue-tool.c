/* queue-tool MTA COMMANDS CONFIG QUEUE SECRET VERB [ID]: asks an MTA's queue one question of bw/mta.h ("-": where it usually is, no secret)
 * and prints a JSON object a message. Exit 0, 1 not found, 3 any other failure (the sentence on stderr), 2 usage. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bw/mta.h"

struct asking {
	const struct bw_mta *mta;
	struct bw_mta_place place;
	struct bw_key key;
	const char *id;
};

static bool show(void *ctx, const struct bw_queued *row)
{
	char hex[2 * BW_HASH_BYTES + 1] = "";

	(void)ctx;
	if (row->marked)
		bw_hash_hex(&row->mark.id, hex);
	json_t *o = json_pack("{s:s%, s:b, s:I, s:b, s:s, s:s%}", "queue_id", row->queue_id.p, row->queue_id.n, "held", row->held, "arrived_ms",
	                      (json_int_t)row->arrived_ms, "marked", row->marked, "id", hex, "sender",
	                      row->sender.p == NULL ? "" : row->sender.p, row->sender.n);

	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
	return true;
}

static enum bw_err look(struct asking *a, struct bw_why *why)
{
	return a->mta->look(&a->place, &a->key, a->id, show, NULL, why);
}

static enum bw_err each(struct asking *a, struct bw_why *why)
{
	return a->mta->each(&a->place, &a->key, show, NULL, why);
}

static enum bw_err hold(struct asking *a, struct bw_why *why)
{
	return a->mta->hold(&a->place, a->id, why);
}

static enum bw_err release(struct asking *a, struct bw_why *why)
{
	return a->mta->release(&a->place, a->id, why);
}

static enum bw_err deliver(struct asking *a, struct bw_why *why)
{
	return a->mta->deliver(&a->place, a->id, why);
}

static enum bw_err requeue(struct asking *a, struct bw_why *why)
{
	if (a->mta->requeue == NULL)
		return bw_fail(why, BW_ERR_INPUT, "%s has no such thing", a->mta->name);
	return a->mta->requeue(&a->place, a->id, why);
}

static enum bw_err drop(struct asking *a, struct bw_why *why)
{
	return a->mta->drop(&a->place, a->id, why);
}

static const struct {
	const char *name;
	bool needs_id;
	enum bw_err (*ask)(struct asking *a, struct bw_why *why);
} verbs[] = {
	{ "look", true, look },       { "each", false, each },      { "hold", true, hold }, { "release", true, release },
	{ "deliver", true, deliver }, { "requeue", true, requeue }, { "drop", true, drop },
};

static const char *or_usual(const char *word)
{
	return strcmp(word, "-") == 0 ? NULL : word;
}

static int ask(struct asking *a, const char *verb)
{
	struct bw_why why = { "" };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, verb) != 0 || (verbs[i].needs_id && (a->id == NULL || !a->mta->is_queue_id(a->id))))
			continue;
		enum bw_err err = verbs[i].ask(a, &why);

		if (err != BW_OK)
			fprintf(stderr, "%s\n", why.text);
		if (err == BW_ERR_NOT_FOUND)
			return 1;
		return err == BW_OK ? 0 : 3;
	}
	return 2;
}

int main(int argc, char **argv)
{
	struct asking a = { .id = argc > 7 ? argv[7] : NULL };
	struct bw_why why;

	if (argc < 7 || (a.mta = bw_mta_find(argv[1])) == NULL) {
		fputs("usage: queue-tool MTA COMMANDS CONFIG QUEUE SECRET VERB [ID]\n", stderr);
		return 2;
	}
	a.place = (struct bw_mta_place){ .commands = or_usual(argv[2]), .config = or_usual(argv[3]), .queue = or_usual(argv[4]) };
	if (or_usual(argv[5]) != NULL && bw_key_load(argv[5], false, &a.key, &why) != BW_OK) {
		fprintf(stderr, "%s\n", why.text);
		return 3;
	}
	return ask(&a, argv[6]);
}
