/* Sendmail: -Q -qQ takes a message out of quarantine, -QREASON puts one in, -q has it delivered now; -qI says which message is meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "reading.h"
#include "sendmail-queue.h"
#include "sendmail.h"

/* Six characters of time and two of sequence, in Sendmail's base 60, then the process id in six digits or more (its queue.c). */
enum { STAMP_BYTES = 8, PID_LEAST_DIGITS = 6, ID_MOST_BYTES = 20, WORDS = 3 };

static const char base60[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx";

bool bw_agent_sendmail_is_id(const char *text)
{
	size_t n = strlen(text);

	return n >= STAMP_BYTES + PID_LEAST_DIGITS && n <= ID_MOST_BYTES && strspn(text, base60) >= STAMP_BYTES &&
	       strspn(text + STAMP_BYTES, "0123456789") == n - STAMP_BYTES;
}

/* sendmail [-C FILE] words... -qIID. */
static enum bw_err order(const struct bw_mta_place *place, const char *const words[WORDS], bool lasts, const char *queue_id,
                         struct bw_buf *said, struct bw_why *why)
{
	char which[ID_MOST_BYTES + sizeof("-qI")];
	struct order o = { .program = "sendmail", .config_flag = "-C", .option = "sendmail-commands", .lasts = lasts };
	size_t n = 0;

	if (!bw_agent_sendmail_is_id(queue_id))
		return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of Sendmail", queue_id);
	for (; n < WORDS && words[n] != NULL; n++)
		o.words[n] = words[n];
	snprintf(which, sizeof(which), "-qI%s", queue_id);
	o.words[n] = which;
	return bw_agent_order(place, &o, said, why);
}

struct listed {
	size_t exact, all;
};

/* Counts the messages of a mailq listing. Their lines begin with an id, and a mark of what is being done with it; no other line does. */
static struct listed count_listed(struct bw_slice said, const char *queue_id)
{
	struct listed listed = { 0 };

	while (said.n > 0) {
		size_t end = bw_slice_find(said, '\n'), n = 0;
		char id[ID_MOST_BYTES + 1];

		while (n < end && n < ID_MOST_BYTES && memchr(base60, said.p[n], sizeof(base60) - 1) != NULL)
			n++;
		bw_slice_copy(bw_slice_head(said, n), id, sizeof(id));
		listed.all += bw_agent_sendmail_is_id(id);
		listed.exact += strcmp(id, queue_id) == 0;
		said = bw_slice_from(said, end + 1);
	}
	return listed;
}

/* -qI takes every id that has the given one in it (sendmail(8)), and the process id has no fixed length. So it is looked first
 * what it would take; this is also where another MTA's sendmail command shows that it knows nothing of it. */
static enum bw_err check_listed(const struct bw_mta_place *place, const char *queue_id, bool quarantined, struct bw_why *why)
{
	const char *const list[WORDS] = { "-bp", quarantined ? "-qQ" : NULL };
	struct bw_buf said;

	bw_buf_init(&said, SAID_BYTES);
	enum bw_err err = order(place, list, false, queue_id, &said, why);
	struct listed listed = count_listed(bw_buf_slice(&said), queue_id);

	bw_buf_done(&said);
	if (err != BW_OK)
		return err;
	if (listed.exact == 0)
		return bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Sendmail's %s any more", queue_id, quarantined ? "quarantine" : "queue");
	if (listed.all > 1)
		return bw_fail(why, BW_ERR_IO, "%zu messages have queue ids with %s in them, and Sendmail cannot mean one alone", listed.all,
		               queue_id);
	return BW_OK;
}

/* It exits 0 whatever became of the message; only the line with the id tells, and one caller gets it. */
static enum bw_err change(const struct bw_mta_place *place, const char *const words[WORDS], const char *queue_id, const char *done,
                          struct bw_why *why)
{
	struct bw_buf said, wanted;

	bw_buf_init(&said, SAID_BYTES);
	bw_buf_init(&wanted, SAID_BYTES);
	enum bw_err err = order(place, words, false, queue_id, &said, why);

	bw_buf_printf(&wanted, "%s: %s", queue_id, done);
	if (err == BW_OK && !bw_slice_contains_nocase(bw_buf_slice(&said), bw_buf_slice(&wanted)))
		err = bw_fail(why, BW_ERR_IO, "Sendmail did not answer \"%s\": it is at work on the message, or somebody else was faster",
		              bw_buf_text(&wanted));
	bw_buf_done(&wanted);
	bw_buf_done(&said);
	return err;
}

static enum bw_err release_part(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	static const char *const take_out[WORDS] = { "-v", "-Q", "-qQ" };
	enum bw_err err = check_listed(place, queue_id, true, why);

	return err == BW_OK ? change(place, take_out, queue_id, "Removed quarantine", why) : err;
}

/* All parts, the one that the ledger names last: while it is held, the others are found again. */
static enum bw_err release(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct sendmail_parts parts = { .count = 0 };
	enum bw_err err = bw_agent_sendmail_is_id(queue_id) ? bw_agent_sendmail_parts(place, queue_id, "hf", &parts, why)
	                                                    : bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of Sendmail", queue_id);

	for (size_t i = 0; err == BW_OK && i < parts.count; i++)
		err = release_part(place, parts.at[i], why);
	free(parts.at);
	return err;
}

/* A message that is being delivered is locked, and passed by. */
static enum bw_err hold(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	static const char *const put_in[WORDS] = { "-v", "-Qbreakwater: frozen" };
	enum bw_err err = check_listed(place, queue_id, false, why);

	return err == BW_OK ? change(place, put_in, queue_id, "Quarantined with", why) : err;
}

static enum bw_err deliver_part(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	static const char *const run_queue[WORDS] = { NULL };
	struct bw_buf said;

	bw_buf_init(&said, SAID_BYTES);
	/* This process delivers itself, to as many as the list has: killed half way, some would get the message twice. */
	enum bw_err err = order(place, run_queue, true, queue_id, &said, why);

	bw_buf_done(&said);
	return err;
}

static enum bw_err deliver(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct sendmail_parts parts = { .count = 0 };
	enum bw_err err = bw_agent_sendmail_parts(place, queue_id, "qf", &parts, why);

	for (size_t i = 0; err == BW_OK && i < parts.count; i++)
		err = deliver_part(place, parts.at[i], why);
	free(parts.at);
	return err;
}

const struct bw_mta bw_agent_sendmail = {
	.name = "sendmail",
	.is_queue_id = bw_agent_sendmail_is_id,
	.release = release,
	.deliver = deliver,
	.look = bw_agent_sendmail_look,
	.each = bw_agent_sendmail_each,
	.files = bw_agent_sendmail_files,
	.files_all = bw_agent_sendmail_files_all,
	.hold = hold,
	.drop = bw_agent_sendmail_drop,
	.put = bw_agent_sendmail_put,
};
