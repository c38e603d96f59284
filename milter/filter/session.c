#include "bw/session.h"

#include <stdlib.h>
#include <string.h>

#include "bw/clock.h"
#include "identity.h"
#include "receipts.h"

enum { MESSAGE_BYTES = 2 << 20 }; /* of one message's facts, whatever the message is like */
enum { SPELLINGS_MAX = 8 };       /* of one list in one envelope */
enum { PARAMETERS_BYTES = 600 };  /* RFC 3461 4.2: ORCPT has 500 at most */

struct bw_session {
	struct bw_engine *engine;
	struct bw_arena *arena;
	struct bw_world *world;         /* of the message in hand; NULL between messages */
	struct bw_header_parser *parser;
	bool judging;                   /* it goes on to the end of the message: list mail, */
	bool near;                      /* or mail whose sender or mailboxes are near a limit, */
	bool learning;                  /* or what a list server hands on, whose header teaches a list's size */
	bool origin_known, dmarc_pass;  /* what a host of ours said of it */
	char ip[64];
	bool local;                     /* no client address */
	char daemon_name[64];
	const char *mta;
	char mta_host[256];
	bool recipients_fixed, notify_fixed, fields_fixed;
	struct bw_facts_list *last;     /* the list that the last RCPT means; NULL: none */
	struct bw_facts_rcpt *spelling; /* and how */
	struct bw_facts facts;
	struct bw_judgement judgement;
};

struct bw_session *bw_session_new(struct bw_engine *engine)
{
	struct bw_session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->engine = engine;
	s->local = true;
	s->mta = "postfix";
	s->arena = bw_arena_new(MESSAGE_BYTES);
	if (s->arena == NULL)
		bw_session_free(&s);
	return s;
}

void bw_session_free(struct bw_session **session)
{
	struct bw_session *s = *session;

	*session = NULL;
	if (s == NULL)
		return;
	bw_header_free(&s->parser);
	bw_world_unref(&s->world);
	bw_arena_free(&s->arena);
	free(s);
}

void bw_session_connect(struct bw_session *s, const char *ip, const char *daemon_name)
{
	s->local = ip == NULL;
	bw_slice_copy(bw_slice_of(ip), s->ip, sizeof(s->ip));
	bw_slice_copy(bw_slice_of(daemon_name), s->daemon_name, sizeof(s->daemon_name));
}

void bw_session_mta(struct bw_session *s, const char *name, const char *host)
{
	s->mta = name;
	bw_slice_copy(bw_slice_of(host), s->mta_host, sizeof(s->mta_host));
}

void bw_session_fixed(struct bw_session *s, bool recipients, bool notify, bool fields)
{
	s->recipients_fixed = recipients;
	s->notify_fixed = notify;
	s->fields_fixed = fields;
}

void bw_session_abort(struct bw_session *s)
{
	bw_header_free(&s->parser);
	bw_world_unref(&s->world);
	bw_arena_reset(s->arena);
	s->facts.list_count = 0;
	s->last = NULL;
	s->judging = s->near = s->learning = s->origin_known = s->dmarc_pass = false;
}

/* --- envelope --- */

static void write_identity(struct bw_session *s, const char *auth, const char *cert)
{
	struct bw_buf text;

	bw_buf_init(&text, 2 * BW_ADDRESS_MAX);
	s->facts.identity_kind = bw_identity_write(bw_world_config(s->world), &s->facts, auth, cert, &text);
	s->facts.identity = bw_arena_slice(s->arena, bw_buf_slice(&text));
	bw_buf_done(&text);
}

/* What is no address is still somebody: two of them are two senders, and neither is the null sender. */
static void keep_raw_sender(struct bw_slice path, struct bw_address *out)
{
	size_t n = bw_slice_copy(path, out->text, sizeof(out->text));

	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)out->text[i] < ' ' || out->text[i] == 0x7F)
			out->text[i] = '?';
	}
}

void bw_session_mail(struct bw_session *s, struct bw_slice path, const char *auth, const char *cert, int64_t declared_size)
{
	bw_session_abort(s);
	memset(&s->facts, 0, sizeof(s->facts));
	s->world = bw_engine_world(s->engine);
	const struct bw_config *config = bw_world_config(s->world);

	bw_identity_classify(config, s->local ? NULL : s->ip, s->daemon_name, &s->facts);
	s->facts.declared_size = declared_size;
	s->facts.mta = s->mta;
	s->facts.recipients_fixed = s->recipients_fixed;
	s->facts.notify_fixed = s->notify_fixed;
	s->facts.fields_fixed = s->fields_fixed;
	/* Senders keep their +detail: two details are two senders as far as anybody can tell. */
	if (!bw_address_normalise(path, 0, &s->facts.sender))
		keep_raw_sender(path, &s->facts.sender);
	/* Anybody can write an SRS address around a poster's; what a vouched host vouches for is the address it shows. */
	if (s->facts.sender.srs && s->facts.vouched)
		keep_raw_sender(path, &s->facts.sender);
	write_identity(s, auth, cert);
}

static bool is_own(const void *config, struct bw_slice domain)
{
	return bw_config_is_own_domain(config, domain);
}

static bool is_postmaster(const struct bw_config *config, struct bw_slice address)
{
	struct bw_slice local = bw_slice_head(address, bw_slice_find(address, '@'));

	if (!bw_slice_equal(local, BW_S("postmaster")) && !bw_slice_equal(local, BW_S("abuse")))
		return false;
	return bw_config_is_own_domain(config, bw_address_domain(address));
}

static struct bw_facts_list *find_list(struct bw_facts *f, const struct bw_list *list)
{
	for (size_t i = 0; i < f->list_count; i++) {
		if (f->lists[i].list == list)
			return &f->lists[i];
	}
	return NULL;
}

/* A list whose size was learned acts in shadow: it takes no other's place. */
static int64_t weight(const struct bw_list *list)
{
	return list->source == BW_SOURCE_LEARNED ? 0 : list->size;
}

static size_t smallest_list(const struct bw_facts *f)
{
	size_t least = 0;

	for (size_t i = 1; i < f->list_count; i++) {
		if (weight(f->lists[i].list) < weight(f->lists[least].list))
			least = i;
	}
	return least;
}

/* What its members add to the fan-out: a size that nobody has confirmed stops no mail to others. */
static void add_fanout(struct bw_facts *f, const struct bw_list *list)
{
	bool learned = list->source == BW_SOURCE_LEARNED;

	f->fanout += learned ? 1 : list->size;
	if (learned)
		f->learned_fanout += list->size - 1;
}

/* The largest are kept where there are too many. A list named twice in one envelope is delivered once by the MTA, and counted once.
 * Its place; NULL: it found none. */
static struct bw_facts_list *add_list(struct bw_session *s, const struct bw_list *list, bool named_only)
{
	struct bw_facts *f = &s->facts;
	struct bw_facts_list *known = find_list(f, list);

	if (known != NULL)
		return known;
	if (!named_only)
		add_fanout(f, list);
	size_t at = f->list_count < BW_FACTS_LISTS_MAX ? f->list_count++ : smallest_list(f);
	const struct bw_list *there = f->lists[at].list;

	f->lists_cut = f->lists_cut || (there != NULL && weight(there) > 0 && weight(list) > 0);
	if (there != NULL && weight(there) >= weight(list))
		return NULL;
	f->lists[at] = (struct bw_facts_list){ .list = list, .named_only = named_only };
	return &f->lists[at];
}

/* Remembers the bytes by which a list is taken out of the envelope again. */
static struct bw_facts_rcpt *add_spelling(struct bw_session *s, struct bw_facts_list *fl, struct bw_slice path)
{
	struct bw_facts_rcpt **at = &fl->rcpts;
	size_t n = 0;

	fl->rcpt_count++;
	for (; *at != NULL; at = &(*at)->next, n++) {
		if (bw_slice_equal((*at)->path, path))
			return *at;
	}
	struct bw_facts_rcpt *rcpt = n < SPELLINGS_MAX ? bw_arena_alloc(s->arena, sizeof(*rcpt)) : NULL;

	fl->fixed = fl->fixed || rcpt == NULL || !bw_rcpt_is_plain(path);
	if (rcpt == NULL)
		return NULL;
	*rcpt = (struct bw_facts_rcpt){ .path = bw_arena_slice(s->arena, path) };
	fl->fixed = fl->fixed || rcpt->path.n != path.n;
	*at = rcpt;
	return rcpt;
}

static void add_fingerprint(struct bw_session *s, struct bw_slice address, bool mailbox)
{
	struct bw_hash h = bw_hash_slice(bw_world_key(s->world), "recipient", address);
	struct bw_facts *f = &s->facts;

	bw_hash_sum(&f->fingerprint, &h);
	if (!mailbox)
		return;
	f->fanout++;
	if (f->mailbox_count < BW_FACTS_MAILBOXES_MAX)
		f->mailboxes[f->mailbox_count++] = h;
	else
		bw_engine_note_mailbox(s->engine, s->world, f, &h);
}

/* Domains that mean this host, whatever it is called: Postfix delivers <all@localhost> as all@ any of its own domains. */
static bool is_local_domain(const struct bw_session *s, struct bw_slice domain)
{
	const struct bw_config *config = bw_world_config(s->world);
	static const char *const names[] = { "", "localhost", "localhost.localdomain", "[127.0.0.1]", "[::1]", "[ipv6:::1]" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (bw_slice_equal_nocase(domain, bw_slice_of(names[i])))
			return true;
	}
	for (size_t i = 0; i < config->internal.local_domain_count; i++) {
		if (bw_slice_equal_nocase(domain, bw_slice_of(config->internal.local_domains[i])))
			return true;
	}
	return bw_slice_equal_nocase(domain, bw_slice_of(config->daemon.host)) ||
	       bw_slice_equal_nocase(domain, bw_slice_of(s->mta_host));
}

/* The list that a local name stands for in one of the own domains. */
static const struct bw_list *find_local(const struct bw_session *s, struct bw_slice address)
{
	const struct bw_config *config = bw_world_config(s->world);
	struct bw_slice local = bw_slice_head(address, bw_slice_find(address, '@'));
	const struct bw_list *list = NULL;
	struct bw_buf name;

	if (!is_local_domain(s, bw_address_domain(address)))
		return NULL;
	bw_buf_init(&name, BW_ADDRESS_MAX);
	for (size_t i = 0; i < config->internal.domain_count && list == NULL; i++) {
		bw_buf_reset(&name);
		bw_buf_add(&name, local);
		bw_buf_printf(&name, "@%s", config->internal.domains[i]);
		list = bw_directory_find(bw_world_directory(s->world), bw_buf_slice(&name));
	}
	bw_buf_done(&name);
	return list;
}

/* Normalises `raw` into `out` (whose text is the raw bytes when it is no address) and looks it up: whole first, since a list's own
 * name may hold the recipient delimiter. */
static const struct bw_list *find_recipient(const struct bw_session *s, struct bw_slice raw, struct bw_address *out)
{
	const struct bw_directory *d = bw_world_directory(s->world);
	const char detail = bw_world_config(s->world)->internal.detail;
	const int spellings = detail != 0 && bw_slice_find(raw, detail) < raw.n ? 2 : 1;
	const struct bw_list *list = NULL;

	for (int i = 0; i < spellings && list == NULL; i++) {
		if (!bw_address_normalise(raw, i == 0 ? 0 : detail, out))
			bw_slice_copy(raw, out->text, sizeof(out->text));
		list = bw_directory_find(d, bw_slice_of(out->text));
		if (list == NULL)
			list = find_local(s, bw_slice_of(out->text));
	}
	return list;
}

/* Did the MTA make something else of it than what stands between the brackets? Mostly it did not. */
static bool is_another_spelling(struct bw_slice path, const char *resolved)
{
	struct bw_slice r = bw_slice_of(resolved);

	if (path.n >= 2 && path.p[0] == '<' && path.p[path.n - 1] == '>')
		path = (struct bw_slice){ path.p + 1, path.n - 2 };
	return r.n > 0 && !bw_slice_equal(path, r);
}

void bw_session_rcpt(struct bw_session *s, struct bw_slice path, const char *resolved)
{
	struct bw_address address;

	if (s->world == NULL)
		return;
	s->facts.recipients++;
	const struct bw_list *list = find_recipient(s, path, &address);

	if (list == NULL && is_another_spelling(path, resolved))
		list = find_recipient(s, bw_slice_of(resolved), &address);
	struct bw_slice text = bw_slice_of(address.text);

	add_fingerprint(s, text, list == NULL);
	s->last = list == NULL ? NULL : add_list(s, list, false);
	s->spelling = s->last == NULL ? NULL : add_spelling(s, s->last, path);
	if (is_postmaster(bw_world_config(s->world), text))
		s->facts.postmaster = true;
	if (s->facts.recipients == 1)
		s->facts.first_recipient = bw_arena_slice(s->arena, text);
}

void bw_session_rcpt_more(struct bw_session *s, char *const *parameters, bool expanded)
{
	struct bw_buf text;

	if (s->last == NULL)
		return;
	s->last->fixed = s->last->fixed || expanded;
	bw_buf_init(&text, PARAMETERS_BYTES);
	if (s->spelling != NULL && bw_receipts_notify(parameters, &text) && !text.cut)
		s->spelling->parameters = bw_arena_slice(s->arena, bw_buf_slice(&text));
	bw_buf_done(&text);
}

/* --- header and body --- */

static const struct bw_list *find_named(const struct bw_session *s, struct bw_slice name)
{
	const struct bw_directory *d = bw_world_directory(s->world);
	const struct bw_list *list = bw_directory_find(d, name);

	return list != NULL ? list : bw_directory_find_list_id(d, name);
}

/* Somebody of ours, and no list as far as the directory knows: may be one that an expander expands. */
static void note_unknown(struct bw_session *s, struct bw_slice name)
{
	struct bw_facts *f = &s->facts;
	const struct bw_config *config = bw_world_config(s->world);

	if (bw_slice_find(name, '@') == name.n || !bw_config_is_own_domain(config, bw_address_domain(name)) ||
	    bw_slice_find(name, config->internal.detail) < name.n || bw_slice_equal(name, f->unknown))
		return;
	if (f->unknown_count == 0)
		f->unknown = bw_arena_slice(s->arena, name); /* the first, and no other: ten thousand of them cost no memory */
	f->unknown_count += f->unknown_count < 2;
}

static bool is_named_list(void *ctx, struct bw_slice name)
{
	struct bw_session *s = ctx;
	bool known = find_named(s, name) != NULL;

	if (!known && s->facts.expander)
		note_unknown(s, name);
	return known;
}

enum bw_step bw_session_data(struct bw_session *s)
{
	const struct bw_facts *f = &s->facts;
	bool unjudged = s->world == NULL || f->relay || bw_engine_bypassed(s->engine, bw_clock_now_ms());
	bool single = !unjudged && f->list_count == 0 && !f->expander;

	s->near = single && !bw_engine_passes(s->engine, s->world, f);
	s->learning = single && !s->near && f->list_server;
	if (unjudged || (single && !s->near && !s->learning)) {
		bw_engine_note_ordinary(s->engine);
		bw_session_abort(s);
		return BW_STEP_ACCEPT;
	}
	/* Without memory for it the header stays unread: fewer facts, judged all the same. */
	s->parser = bw_header_new(s->arena, is_named_list, s);
	if (s->parser != NULL)
		bw_header_set_detail(s->parser, bw_world_config(s->world)->internal.detail);
	s->judging = true;
	return BW_STEP_GO_ON;
}

static bool is_own_authserv(void *ctx, struct bw_slice id)
{
	const struct bw_config *config = ctx;

	for (size_t i = 0; i < config->internal.authserv_id_count; i++) {
		if (bw_slice_equal_nocase(id, bw_slice_of(config->internal.authserv_ids[i])))
			return true;
	}
	return false;
}

/* The first of ours speaks: hosts put theirs on top (RFC 8601 4.1), and what stands below a Received field was there before. */
static void read_origin(struct bw_session *s, struct bw_slice name, struct bw_slice value)
{
	if (s->origin_known || s->world == NULL)
		return;
	if (bw_slice_equal_nocase(name, BW_S("Authentication-Results")))
		s->origin_known = bw_auth_results(value, is_own_authserv, (void *)bw_world_config(s->world), &s->dmarc_pass);
	else if (bw_slice_equal_nocase(name, BW_S("Received")))
		s->origin_known = true;
}

void bw_session_header(struct bw_session *s, struct bw_slice name, struct bw_slice value)
{
	if (s->facts.client == BW_CLIENT_OUTSIDE)
		read_origin(s, name, value);
	if (s->world != NULL)
		bw_receipts_read(&s->facts.receipts, name, value, is_own, bw_world_config(s->world));
	if (s->parser != NULL)
		bw_header_add(s->parser, name, value);
}

bool bw_session_body(struct bw_session *s, struct bw_slice chunk)
{
	return s->parser != NULL && !s->learning && bw_header_body(s->parser, chunk);
}

/* Mail of a list that an expander expanded before us: the list stands in To, Cc or List-Id only. From any other client headers
 * make nothing list mail. */
static void add_named_lists(struct bw_session *s)
{
	const struct bw_header *h = &s->facts.header;

	if (!s->facts.expander)
		return;
	for (size_t i = 0; i < h->named_count; i++) {
		const struct bw_list *list = find_named(s, h->named[i]);

		if (list != NULL)
			add_list(s, list, true);
	}
}

/* Is the Message-ID one that our own MTA made for a message without one? Then it is no id (semantics 3). */
static bool is_our_message_id(const struct bw_config *config, struct bw_slice id)
{
	struct bw_slice host = bw_slice_from(id, bw_slice_find(id, '@') + 1);

	for (size_t i = 0; i < config->internal.own_message_id_count; i++) {
		if (bw_slice_equal_nocase(host, bw_slice_of(config->internal.own_message_ids[i])))
			return true;
	}
	return false;
}

/* It claims to be from inside, comes from outside, and nobody whom we trust says that it may. */
static bool is_foreign_origin(const struct bw_session *s)
{
	const struct bw_facts *f = &s->facts;

	return f->client == BW_CLIENT_OUTSIDE && f->identity_kind == BW_IDENTITY_OUTSIDE && !s->dmarc_pass &&
	       bw_config_is_own_domain(bw_world_config(s->world), bw_address_domain(f->header.from));
}

static void finish_header(struct bw_session *s)
{
	struct bw_facts *f = &s->facts;

	if (s->parser != NULL)
		bw_header_done(s->parser, f->sender.null_sender, &f->header);
	bw_header_free(&s->parser);
	f->message_id_is_ours = is_our_message_id(bw_world_config(s->world), f->header.message_id);
	if (f->list_server && f->header.list_headers)
		f->header.class = BW_CLASS_LIST_OUTPUT;
	f->foreign_origin = is_foreign_origin(s);
	add_named_lists(s);
}

const struct bw_judgement *bw_session_end(struct bw_session *s, const char *queue_id, int64_t now_ms)
{
	s->judgement = (struct bw_judgement){ .sentence = "", .would_sentence = "", .reply_code = "", .reply_status = "",
		                                  .reply_text = "", .quarantine = "", .mark = "", .trace = "" };
	if (!s->judging)
		return &s->judgement; /* ordinary, or nothing to judge */
	finish_header(s);
	s->facts.now_ms = now_ms;
	s->facts.queue_id = bw_arena_slice(s->arena, bw_slice_of(queue_id));
	if (s->facts.list_count > 0 || s->facts.lists_cut || s->near)
		bw_engine_judge(s->engine, s->world, &s->facts, s->arena, &s->judgement);
	else
		bw_engine_note_ordinary(s->engine);
	if (s->judgement.verdict.action <= BW_TAG)
		bw_engine_learn(s->engine, s->world, &s->facts);
	return &s->judgement;
}

const struct bw_facts *bw_session_facts(const struct bw_session *s)
{
	return &s->facts;
}
