/* An MTA through breakwater-helper: the questions of struct bw_mta, asked by one who is not root. */
#include "bw/helper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "archive.h"
#include "bw/clock.h"
#include "bw/order.h"
#include "files.h"
#include "frozen.h"
#include "helped-files.h"
#include "packet.h"
#include "parts.h"
#include "reading.h"

#define SEND_MS    (30 * BW_SECOND_MS)
#define COMMAND_MS (2 * BW_MINUTE_MS)
#define LISTING_MS (11 * BW_MINUTE_MS)

struct bw_helper {
	struct sockaddr_un address;
	int fd; /* -1: not open */
	enum bw_refusal refusal;
	bool answered;
	struct packet out, in;
};

enum bw_err bw_helper_open(const char *path, struct bw_helper **out, struct bw_why *why)
{
	struct bw_helper *h;

	if (strlen(path) >= sizeof(h->address.sun_path))
		return bw_fail(why, BW_ERR_INPUT, "hold.helper_socket: %s is too long for a Unix socket", path);
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory to speak with breakwater-helper");
	h->fd = -1;
	h->address.sun_family = AF_UNIX;
	bw_slice_copy(bw_slice_of(path), h->address.sun_path, sizeof(h->address.sun_path));
	*out = h;
	return BW_OK;
}

static void hang_up(struct bw_helper *h)
{
	packet_drop_files(&h->in);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

void bw_helper_close(struct bw_helper **h)
{
	if (*h == NULL)
		return;
	hang_up(*h);
	free(*h);
	*h = NULL;
}

enum bw_refusal bw_helper_refusal(const struct bw_helper *h)
{
	return h->refusal;
}

bool bw_helper_answered(const struct bw_helper *h)
{
	return h->answered;
}

/* --- one question --- */

/* What comes before the end of an answer, and who hears it. */
struct hearing {
	bool (*each)(void *ctx, const struct bw_queued *row);
	void *ctx;
	enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why);
	void *note_ctx;
	bool stopped;
};

static enum bw_err call(struct bw_helper *h, struct bw_why *why)
{
	h->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (h->fd >= 0 && connect(h->fd, (const struct sockaddr *)&h->address, sizeof(h->address)) == 0)
		return BW_OK;
	enum bw_err err = bw_fail(why, BW_ERR_IO, "%s: breakwater-helper does not answer there: %s", h->address.sun_path, strerror(errno));

	hang_up(h);
	return err;
}

/* A connection whose helper was restarted shows it when something is sent; nothing has been done then. */
static enum bw_err send_request(struct bw_helper *h, struct bw_why *why)
{
	enum bw_err err = BW_ERR_NOT_FOUND;

	if (h->fd >= 0)
		err = packet_send(h->fd, &h->out, SEND_MS, why);
	if (err != BW_ERR_NOT_FOUND)
		return err;
	hang_up(h);
	err = call(h, why);
	return err == BW_OK ? packet_send(h->fd, &h->out, SEND_MS, why) : err;
}

static void take_row(const struct packet *p, struct bw_queued *row)
{
	int64_t held = 0;

	*row = (struct bw_queued){ .queue_id = packet_get(p, "queue") };
	packet_get_int(p, "held", &held);
	packet_get_int(p, "arrived", &row->arrived_ms);
	row->held = held != 0;
	row->known = packet_is(p, "known", "1");
	row->mark_text = packet_get(p, "mark");
	row->marked = packet_get_hash(p, "id", &row->mark.id) && packet_get_hash(p, "conversation", &row->mark.conversation) &&
	              packet_get_hash(p, "message", &row->mark.message) && packet_get_int(p, "deliveries", &row->mark.deliveries) &&
	              packet_get_int(p, "at", &row->mark.held_ms) && bw_guard_parse(packet_get(p, "guard"), &row->mark.guard) &&
	              bw_side_parse(packet_get(p, "side"), &row->mark.side);
	row->mark.list = packet_get(p, "list");
	row->sender = packet_get(p, "sender");
	row->subject = packet_get(p, "subject");
	row->message_id = packet_get(p, "message_id");
	row->recipients = packet_get(p, "recipients");
}

/* What will be so again, is said; all else may be better later. */
static enum bw_err failure_of(struct bw_slice name)
{
	static const enum bw_err lasting[] = { BW_ERR_LIMIT, BW_ERR_CORRUPT, BW_ERR_INPUT };

	for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++) {
		if (bw_slice_equal(name, bw_slice_of(bw_err_name(lasting[i]))))
			return lasting[i];
	}
	return BW_ERR_IO;
}

static enum bw_err take_end(struct bw_helper *h, struct bw_why *why)
{
	struct bw_slice said = packet_get(&h->in, "why");

	if (packet_is(&h->in, "is", "done"))
		return BW_OK;
	if (packet_is(&h->in, "is", "refused") && bw_refusal_parse(packet_get(&h->in, "code"), &h->refusal))
		return bw_fail(why, bw_refusal_err(h->refusal), "%.*s", (int)said.n, said.p);
	return bw_fail(why, failure_of(packet_get(&h->in, "err")), "%.*s", (int)said.n, said.p);
}

static enum bw_err take_note(struct bw_helper *h, const struct hearing *x, struct bw_why *why)
{
	enum bw_err err = x->note == NULL ? BW_OK : x->note(x->note_ctx, packet_get(&h->in, "queue").p, why);

	if (err != BW_OK)
		return err; /* and it hears nothing more: the message is not placed */
	packet_reset(&h->out);
	packet_add_text(&h->out, "ask", "go");
	return packet_send(h->fd, &h->out, SEND_MS, why);
}

/* One packet of the answer; `end`: it was the last one. */
static enum bw_err hear(struct bw_helper *h, struct hearing *x, bool *end, struct bw_why *why)
{
	struct bw_queued row;

	if (packet_is(&h->in, "is", "note"))
		return take_note(h, x, why);
	*end = !packet_is(&h->in, "is", "row");
	if (*end)
		return take_end(h, why);
	take_row(&h->in, &row);
	x->stopped = x->each != NULL && !x->each(x->ctx, &row);
	return BW_OK;
}

/* Sends what stands in h->out, and hears the answer out. */
static enum bw_err ask(struct bw_helper *h, struct hearing *x, int64_t most_ms, struct bw_why *why)
{
	bool end = false;

	packet_drop_files(&h->in);
	h->refusal = BW_REFUSAL_NONE;
	h->answered = false;
	enum bw_err err = send_request(h, why);

	while (err == BW_OK && !end && !x->stopped) {
		packet_drop_files(&h->in);
		err = packet_receive(h->fd, &h->in, most_ms, why);
		if (err == BW_OK)
			err = hear(h, x, &end, why);
		else
			err = bw_fail(why, BW_ERR_IO, "breakwater-helper has not answered: whether it has done it, the queue tells");
	}
	h->answered = end;
	/* What else would come is of no use. */
	if (!end)
		hang_up(h);
	return err;
}

static void begin(const struct bw_mta_place *place, const char *mta, const char *what, const char *queue_id)
{
	struct packet *out = &place->helper->out;

	packet_reset(out);
	packet_add_text(out, "ask", what);
	packet_add_text(out, "mta", mta);
	if (place->config != NULL)
		packet_add_text(out, "config", place->config);
	if (queue_id != NULL)
		packet_add_text(out, "queue", queue_id);
	if (place->order != NULL)
		packet_add_text(out, "order", place->order);
}

static enum bw_err command(const struct bw_mta_place *place, const char *mta, const char *what, const char *queue_id,
                           struct bw_why *why)
{
	struct hearing x = { .each = NULL };

	begin(place, mta, what, queue_id);
	return ask(place->helper, &x, COMMAND_MS, why);
}

static enum bw_err look(const struct bw_mta_place *place, const char *mta, const char *queue_id, BW_EACH(struct bw_queued),
                        struct bw_why *why)
{
	struct hearing x = { .each = each, .ctx = ctx };

	begin(place, mta, "look", queue_id);
	return ask(place->helper, &x, COMMAND_MS, why);
}

static enum bw_err each_message(const struct bw_mta_place *place, const char *mta, BW_EACH(struct bw_queued), struct bw_why *why)
{
	struct hearing x = { .each = each, .ctx = ctx };

	begin(place, mta, "each", NULL);
	return ask(place->helper, &x, LISTING_MS, why);
}

static enum bw_err carriers(const struct bw_mta_place *place, const char *mta, int64_t since_ms, BW_EACH(struct bw_queued),
                            struct bw_why *why)
{
	struct hearing x = { .each = each, .ctx = ctx };

	begin(place, mta, "carriers", NULL);
	packet_add_int(&place->helper->out, "since", since_ms);
	return ask(place->helper, &x, LISTING_MS, why);
}

/* --- a walk --- */

/* Held messages that are not known: looked at when the whole queue was told. Many are read in one go, with the known ones. */
enum { UNKNOWN_MOST = 2000000, ONE_BY_ONE = 200 };

typedef char id_text[BW_QUEUE_ID_BYTES];

struct walking {
	const struct bw_queue_walk *walk;
	id_text *ids;
	size_t count, room;
	bool stopped, full;
};

static bool give_row(struct walking *w, const struct bw_queued *row)
{
	w->stopped = w->stopped || !w->walk->each(w->walk->ctx, row);
	return !w->stopped;
}

static bool keep_id(struct walking *w, struct bw_slice id)
{
	size_t room = w->room + w->room / 2 + 64;
	id_text *ids = w->ids;

	if (w->count == w->room) {
		ids = room > UNKNOWN_MOST ? NULL : realloc(w->ids, room * sizeof(*ids));
		w->full = ids == NULL;
		if (w->full)
			return false;
		w->ids = ids;
		w->room = room;
	}
	bw_slice_copy(id, w->ids[w->count++], BW_QUEUE_ID_BYTES);
	return true;
}

static bool sort_row(void *ctx, const struct bw_queued *row)
{
	struct walking *w = ctx;

	if (!row->held || w->walk->known(w->walk->ctx, row->queue_id, row->arrived_ms))
		return give_row(w, row);
	return keep_id(w, row->queue_id);
}

static bool give_looked(void *ctx, const struct bw_queued *row)
{
	struct walking *w = ctx;

	return give_row(w, row);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool give_unknown(void *ctx, const struct bw_queued *row)
{
	struct walking *w = ctx;
	id_text id;

	bw_slice_copy(row->queue_id, id, sizeof(id));
	return bsearch(id, w->ids, w->count, sizeof(*w->ids), by_text) == NULL || give_row(w, row);
}

static enum bw_err give_rest(struct walking *w, const struct bw_mta_place *place, const char *mta, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	if (w->count > ONE_BY_ONE) {
		qsort(w->ids, w->count, sizeof(*w->ids), by_text);
		return each_message(place, mta, give_unknown, w, why);
	}
	for (size_t i = 0; i < w->count && err == BW_OK && !w->stopped; i++) {
		err = look(place, mta, w->ids[i], give_looked, w, why);
		/* Gone since. */
		err = err == BW_ERR_NOT_FOUND ? BW_OK : err;
	}
	return err;
}

static enum bw_err walk_queue(const struct bw_mta_place *place, const char *mta, const struct bw_queue_walk *walk, struct bw_why *why)
{
	struct walking w = { .walk = walk };
	struct hearing x = { .each = sort_row, .ctx = &w };

	if (walk->known == NULL)
		return each_message(place, mta, walk->each, walk->ctx, why);
	begin(place, mta, "each", NULL);
	packet_add_text(&place->helper->out, "brief", "1");
	enum bw_err err = ask(place->helper, &x, LISTING_MS, why);

	if (err == BW_OK && w.full)
		err = bw_fail(why, BW_ERR_MEMORY, "no memory for %zu held messages that are not known", w.count);
	if (err == BW_OK && !w.stopped)
		err = give_rest(&w, place, mta, why);
	free(w.ids);
	return err;
}

/* --- files --- */

static enum bw_err fetch(const struct bw_mta_place *place, const char *mta, const char *queue_id, struct bw_queue_file **files,
                         size_t *count, struct bw_why *why)
{
	enum bw_err err = command(place, mta, "fetch", queue_id, why);

	return err == BW_OK ? helped_take_files(&place->helper->in, files, count, why) : err;
}

static enum bw_err fetch_few(const struct bw_mta_place *place, const char *mta, const char *queue_id,
                             struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why)
{
	struct agent_files all = { .count = 0 };
	enum bw_err err = fetch(place, mta, queue_id, &all.at, &all.count, why);

	if (err == BW_OK && all.count > BW_QUEUE_FILES_MAX)
		err = bw_fail(why, BW_ERR_LIMIT, "%s is one of several parts that the MTA has made of a message", queue_id);
	if (err != BW_OK) {
		agent_files_done(&all);
		return err;
	}
	for (size_t i = 0; i < all.count; i++) {
		files[i] = all.at[i];
		files[i].name = files[i].path;
	}
	*count = all.count;
	free(all.at);
	return BW_OK;
}

/* --- back --- */

struct coming_back {
	struct bw_order order;
	bool there;
};

static bool note_there(void *ctx, const struct bw_queued *row)
{
	struct coming_back *c = ctx;

	c->there = row->held && (row->marked ? bw_hash_equal(&row->mark.id, &c->order.id) :
	                                       agent_frozen_fits(row->arrived_ms, c->order.at_ms));
	return true;
}

/* An order is carried out once; where it has been, and nobody was told, the message is there. */
static bool is_back(const struct bw_mta_place *place, const char *mta, const char *queue_id)
{
	struct coming_back c = { .there = false };
	struct bw_why ignored;

	return bw_order_peek(bw_slice_of(place->order), &c.order) &&
	       look(place, mta, queue_id, note_there, &c, &ignored) == BW_OK && c.there;
}

static enum bw_err put(const struct bw_mta_place *place, const char *mta, struct bw_archived *from,
                       char queue_id[BW_QUEUE_ID_BYTES], const struct hearing *noting, struct bw_why *why)
{
	struct packet *out = &place->helper->out;
	struct hearing x = *noting;
	int files[PACKET_FILES_MAX];
	size_t count;

	if (place->order != NULL && is_back(place, mta, queue_id))
		return BW_OK;
	if (archived_seal(from)[0] == '\0')
		return bw_fail(why, BW_ERR_PERMISSION, "its archive was not made through breakwater-helper, so only root can restore it");
	begin(place, mta, "put", queue_id);
	packet_add_text(out, "seal", archived_seal(from));
	enum bw_err err = helped_add_archived(out, from, why);

	/* take_note() sends another packet meanwhile. */
	count = out->file_count;
	memcpy(files, out->files, sizeof(files));
	if (err == BW_OK)
		err = ask(place->helper, &x, COMMAND_MS, why);
	for (size_t i = 0; i < count; i++)
		close(files[i]);
	out->file_count = 0;
	if (err == BW_OK)
		bw_slice_copy(packet_get(&place->helper->in, "queue"), queue_id, BW_QUEUE_ID_BYTES);
	return err;
}

/* --- the MTAs --- */

/* What differs between them is their name. */
#define HELPED(mta)                                                                                                                   \
	static enum bw_err mta##_release(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)                      \
	{                                                                                                                                 \
		return command(place, #mta, "release", queue_id, why);                                                                        \
	}                                                                                                                                 \
	static enum bw_err mta##_hold(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)                         \
	{                                                                                                                                 \
		return command(place, #mta, "hold", queue_id, why);                                                                           \
	}                                                                                                                                 \
	static enum bw_err mta##_drop(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)                         \
	{                                                                                                                                 \
		return command(place, #mta, "delete", queue_id, why);                                                                         \
	}                                                                                                                                 \
	static enum bw_err mta##_look(const struct bw_mta_place *place, const struct bw_key *key, const char *queue_id,                   \
	                              BW_EACH(struct bw_queued), struct bw_why *why)                                                      \
	{                                                                                                                                 \
		(void)key;                                                                                                                    \
		return look(place, #mta, queue_id, each, ctx, why);                                                                           \
	}                                                                                                                                 \
	static enum bw_err mta##_each(const struct bw_mta_place *place, const struct bw_key *key, BW_EACH(struct bw_queued),              \
	                              struct bw_why *why)                                                                                 \
	{                                                                                                                                 \
		(void)key;                                                                                                                    \
		return each_message(place, #mta, each, ctx, why);                                                                             \
	}                                                                                                                                 \
	static enum bw_err mta##_files(const struct bw_mta_place *place, const char *queue_id,                                            \
	                               struct bw_queue_file files[BW_QUEUE_FILES_MAX], size_t *count, struct bw_why *why)                 \
	{                                                                                                                                 \
		return fetch_few(place, #mta, queue_id, files, count, why);                                                                   \
	}                                                                                                                                 \
	static enum bw_err mta##_put(const struct bw_mta_place *place, struct bw_archived *from, char queue_id[BW_QUEUE_ID_BYTES],        \
	                             enum bw_err (*note)(void *ctx, const char *queue_id, struct bw_why *why), void *ctx,                 \
	                             struct bw_why *why)                                                                                  \
	{                                                                                                                                 \
		const struct hearing x = { .note = note, .note_ctx = ctx };                                                                   \
                                                                                                                                      \
		return put(place, #mta, from, queue_id, &x, why);                                                                             \
	}

#define HELPED_FUNCTIONS(mta)                                                                                                         \
	.release = mta##_release, .look = mta##_look, .each = mta##_each, .files = mta##_files, .hold = mta##_hold, .drop = mta##_drop,   \
	.put = mta##_put

HELPED(postfix)
HELPED(sendmail)

static bool is_postfix_id(const char *text)
{
	return bw_agent_postfix.is_queue_id(text);
}

static bool is_sendmail_id(const char *text)
{
	return bw_agent_sendmail.is_queue_id(text);
}

static enum bw_err postfix_requeue(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	return command(place, "postfix", "requeue", queue_id, why);
}

/* Anybody may have Postfix deliver (authorized_flush_users). */
static enum bw_err postfix_deliver(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	return bw_agent_postfix.deliver(place, queue_id, why);
}

static enum bw_err postfix_walk(const struct bw_mta_place *place, const struct bw_key *key, const struct bw_queue_walk *walk,
                                struct bw_why *why)
{
	(void)key;
	return walk_queue(place, "postfix", walk, why);
}

static enum bw_err postfix_carriers(const struct bw_mta_place *place, int64_t since_ms, BW_EACH(struct bw_queued), struct bw_why *why)
{
	return carriers(place, "postfix", since_ms, each, ctx, why);
}

static enum bw_err postfix_check(const struct bw_mta_place *place, struct bw_why *why)
{
	return bw_agent_postfix.check(place, why);
}

static enum bw_err postfix_lifetime(const struct bw_mta_place *place, int64_t *any_ms, int64_t *null_sender_ms, struct bw_why *why)
{
	return bw_agent_postfix.lifetime(place, any_ms, null_sender_ms, why);
}

static enum bw_err sendmail_files_all(const struct bw_mta_place *place, const char *queue_id, struct bw_queue_file **files,
                                      size_t *count, struct bw_why *why)
{
	return fetch(place, "sendmail", queue_id, files, count, why);
}

/* Sendmail delivers for root only: the helper does so when it has let a message go. */
static enum bw_err sendmail_deliver(const struct bw_mta_place *place, const char *queue_id, struct bw_why *why)
{
	(void)place;
	(void)queue_id;
	(void)why;
	return BW_OK;
}

const struct bw_mta *bw_mta_find_helped(const char *name)
{
	static const struct bw_mta all[] = {
		{ .name = "postfix", .is_queue_id = is_postfix_id, .deliver = postfix_deliver, .requeue = postfix_requeue,
		  .lifetime = postfix_lifetime, .walk = postfix_walk, .carriers = postfix_carriers, .check = postfix_check, HELPED_FUNCTIONS(postfix) },
		{ .name = "sendmail", .is_queue_id = is_sendmail_id, .deliver = sendmail_deliver, .files_all = sendmail_files_all,
		  HELPED_FUNCTIONS(sendmail) },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	}
	return NULL;
}
