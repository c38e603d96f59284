/* Postfix: postsuper -H takes a message out of the hold queue, postqueue -i has it delivered now. */
#include <string.h>

#include "mta.h"

/* Letters and digits only (Postfix's short ids are hex, its long ones alphanumeric); never "ALL", which means every message. */
static bool is_queue_id(const char *text)
{
	static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t n = strlen(text);

	return n >= 5 && n <= 40 && strspn(text, allowed) == n;
}

/* `program` [-c DIR] `flag` ID. */
static enum bw_err order(const struct mta_place *place, const char *program, const char *flag, const char *queue_id,
                         struct bw_buf *said, struct bw_why *why)
{
	const struct order o = { .program = program, .config_flag = "-c", .words = { flag, queue_id }, .option = "postfix-commands" };

	if (!is_queue_id(queue_id))
		return bw_fail(why, BW_ERR_INPUT, "\"%s\" is no queue id of Postfix", queue_id);
	return bw_cli_order(place, &o, said, why);
}

enum bw_err bw_cli_postfix_release(const struct mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct bw_buf said, released;

	bw_buf_init(&said, SAID_BYTES);
	bw_buf_init(&released, SAID_BYTES);
	enum bw_err err = order(place, "postsuper", "-H", queue_id, &said, why);

	/* postsuper(1) exits 0 for an id that is not there ("Released from hold: 0 messages"); only the line with the id tells. */
	bw_buf_printf(&released, "%s: released from hold", queue_id);
	if (err == BW_OK && !bw_slice_contains_nocase(bw_buf_slice(&said), bw_buf_slice(&released)))
		err = bw_fail(why, BW_ERR_NOT_FOUND, "%s is not in Postfix's hold queue any more", queue_id);
	bw_buf_done(&released);
	bw_buf_done(&said);
	return err;
}

enum bw_err bw_cli_postfix_deliver(const struct mta_place *place, const char *queue_id, struct bw_why *why)
{
	struct bw_buf said;

	bw_buf_init(&said, SAID_BYTES);
	enum bw_err err = order(place, "postqueue", "-i", queue_id, &said, why);

	bw_buf_done(&said);
	return err;
}
