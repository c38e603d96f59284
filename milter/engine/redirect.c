/* Redirect (semantics 7): a stopped reply goes to one person instead of the list. Who that may be is known here, how many there were
 * already the store knows, and the policy decides. */
#include <string.h>

#include "internal.h"

/* What became of one list's redirect. */
struct redirection {
	bool wanted;              /* in earnest, or in shadow */
	enum bw_redirect outcome;
	const char *target;       /* "<boss@nhs.example>"; NULL: nobody */
	bool present;             /* is among the recipients already */
	bool counted;             /* by this very call: to be given back if it comes to nothing */
};

/* --- who may get it --- */

static bool is_list(const struct trial *t, struct bw_slice address)
{
	return bw_directory_find(bw_world_directory(t->world), address) != NULL;
}

/* One address of a mailbox that is no list, by either of its names: whole, and without detail. False: nobody to send anything to. */
static bool is_person(const struct trial *t, struct bw_slice text, struct bw_address *bare)
{
	const struct bw_config *config = bw_world_config(t->world);
	struct bw_address whole;

	return bw_address_normalise(text, 0, &whole) && bw_address_normalise(text, config->internal.detail, bare) && !bare->null_sender &&
	       !is_list(t, bw_slice_of(whole.text)) && !is_list(t, bw_slice_of(bare->text));
}

/* The message's own sender, whichever detail it wrote. */
static bool is_sender(const struct trial *t, const struct bw_address *bare)
{
	struct bw_address sender;

	return bw_address_normalise(bw_slice_of(t->facts->sender.text), bw_world_config(t->world)->internal.detail, &sender) &&
	       strcmp(sender.text, bare->text) == 0;
}

static bool is_own(const struct trial *t, const struct bw_address *bare)
{
	return bw_config_is_own_domain(bw_world_config(t->world), bw_address_domain(bw_slice_of(bare->text)));
}

/* As the MTA takes it; NULL: not byte for byte. */
static const char *path_of(const struct trial *t, struct bw_slice address)
{
	struct bw_buf path;

	bw_buf_init(&path, BW_ADDRESS_MAX + 2);
	bw_buf_printf(&path, "<%.*s>", (int)address.n, address.p);
	const char *copy = bw_rcpt_is_plain(bw_buf_slice(&path)) ? bw_arena_text(t->arena, bw_buf_slice(&path)) : NULL;

	bw_buf_done(&path);
	return copy;
}

/* --- what is known of one list's redirect --- */

struct person {
	const char *path; /* NULL: nobody */
	bool wrote_it;
	struct bw_address bare;
};

/* Of an own domain, where its identity was proven: never a stranger. */
static void find_poster(const struct trial *t, const struct bw_redirect_out *known, struct person *out)
{
	struct bw_slice root = bw_slice_of(known->root_sender);

	if (root.n == 0 || !is_person(t, root, &out->bare))
		return;
	out->wrote_it = is_sender(t, &out->bare);
	if (known->root_trusted && is_own(t, &out->bare))
		out->path = path_of(t, root);
}

/* The directory's word, whatever the domain. */
static void find_owner(const struct trial *t, size_t i, struct person *out)
{
	struct bw_slice owner = t->lists[i]->owner;

	if (owner.n == 0 || !is_person(t, owner, &out->bare))
		return;
	out->wrote_it = is_sender(t, &out->bare);
	out->path = path_of(t, owner);
}

static bool is_recipient(const struct trial *t, const struct bw_address *bare)
{
	const struct bw_hash h = bw_hash_slice(bw_world_key(t->world), "recipient", bw_slice_of(bare->text));
	bool found = false;

	for (size_t i = 0; i < t->facts->mailbox_count && !found; i++)
		found = bw_hash_equal(&t->facts->mailboxes[i], &h);
	return found;
}

static void decide_one(const struct trial *t, size_t i, bool fixed, const struct bw_redirect_out *known)
{
	struct person poster = { 0 }, owner = { 0 };
	struct redirection *r = &t->redirections[i];

	find_poster(t, known, &poster);
	find_owner(t, i, &owner);
	const struct bw_redirect_case c = { .fixed = fixed,
		                                .ordinal = known->ordinal,
		                                .poster = poster.path != NULL,
		                                .owner = owner.path != NULL,
		                                .from_poster = poster.wrote_it,
		                                .from_owner = owner.wrote_it };

	r->outcome = bw_policy_redirect(&c);
	r->counted = known->ordinal > 0 && known->ordinal <= BW_REDIRECT_LIMIT && !known->again;
	if (r->outcome != BW_REDIRECT_POSTER && r->outcome != BW_REDIRECT_OWNER)
		return;
	const struct person *to = r->outcome == BW_REDIRECT_POSTER ? &poster : &owner;

	r->target = to->path;
	r->present = is_recipient(t, &to->bare);
}

/* --- the store --- */

static struct bw_redirect_in ask_for(const struct trial *t, size_t i, bool give_back)
{
	return (struct bw_redirect_in){
		.now_ms = t->in[i].now_ms,
		.list = t->in[i].list,
		.conversation = t->out[i].conversation,
		.message = t->in[i].message,
		.limit = BW_REDIRECT_LIMIT,
		.memory_ms = t->in[i].memory_ms,
		.give_back = give_back,
	};
}

static bool can_leave(const struct trial *t, size_t i)
{
	return bw_envelope_can_leave(t, bw_envelope_list(t, i));
}

/* Nobody counts while the shared store is away: then it waits. */
static bool ask(const struct trial *t, struct bw_redirect_in *in, struct bw_redirect_out *out)
{
	struct bw_store *store = t->engine->store;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->redirections[i].wanted && can_leave(t, i))
			in[n++] = ask_for(t, i, false);
	}
	return n > 0 && !t->degraded && t->store_error == BW_OK && store->ops->redirect(store, in, out, n, NULL) == BW_OK;
}

static bool wants(const struct trial *t, size_t i, const struct bw_verdict *v)
{
	return (v->action == BW_REDIRECT && bw_envelope_said(&t->opinions[i], false) == BW_REDIRECT) ||
	       (v->would == BW_REDIRECT && bw_envelope_said(&t->opinions[i], true) == BW_REDIRECT);
}

void bw_redirect_decide(struct trial *t, const struct bw_verdict *v)
{
	static const struct bw_redirect_out nothing;
	struct bw_redirect_in *in;
	struct bw_redirect_out *out;
	size_t n = 0;

	if (v->action != BW_REDIRECT && v->would != BW_REDIRECT)
		return;
	in = bw_arena_alloc(t->arena, t->n * sizeof(*in));
	out = bw_arena_alloc(t->arena, t->n * sizeof(*out));
	t->redirections = bw_arena_alloc(t->arena, t->n * sizeof(*t->redirections));
	if (in == NULL || out == NULL || t->redirections == NULL) {
		t->redirections = NULL; /* without memory everything waits */
		return;
	}
	for (size_t i = 0; i < t->n; i++)
		t->redirections[i] = (struct redirection){ .wanted = wants(t, i, v) };
	bool known = ask(t, in, out);

	for (size_t i = 0; i < t->n; i++) {
		bool fixed = !can_leave(t, i);

		if (t->redirections[i].wanted)
			decide_one(t, i, fixed, known && !fixed ? &out[n++] : &nothing);
	}
}

/* What was counted for nothing: another list or guard has the message wait. */
void bw_redirect_end(struct trial *t, const struct bw_verdict *v)
{
	struct bw_store *store = t->engine->store;

	for (size_t i = 0; t->redirections != NULL && i < t->n; i++) {
		const struct bw_redirect_in in = ask_for(t, i, true);
		struct bw_redirect_out out;

		if (t->redirections[i].counted && !(t->redirections[i].target != NULL && wants(t, i, v)))
			(void)store->ops->redirect(store, &in, &out, 1, NULL); /* lost: one less of its conversation is redirected */
	}
}

/* --- what the envelope is told --- */

const char *bw_redirect_target(const struct trial *t, size_t i)
{
	return t->redirections == NULL ? NULL : t->redirections[i].target;
}

/* Somebody who is to be put in, and for no list before this one. */
static bool is_new(const struct trial *t, size_t i, bool would)
{
	const struct redirection *r = &t->redirections[i];

	if (r->target == NULL || r->present || bw_envelope_said(&t->opinions[i], would) != BW_REDIRECT)
		return false;
	for (size_t k = 0; k < i; k++) {
		const char *other = t->redirections[k].target;

		if (other != NULL && strcmp(other, r->target) == 0 && bw_envelope_said(&t->opinions[k], would) == BW_REDIRECT)
			return false;
	}
	return true;
}

int64_t bw_redirect_new(const struct trial *t, bool would)
{
	int64_t n = 0;

	for (size_t i = 0; t->redirections != NULL && i < t->n; i++)
		n += is_new(t, i, would);
	return n;
}

/* Of more recipients than facts remember one may be the target: Postfix would deliver to it twice. Taken out and put in, it is there once;
 * what is not there goes with success. */
void bw_redirect_write(struct trial *t)
{
	bool forgotten = t->facts->mailbox_count == BW_FACTS_MAILBOXES_MAX;

	for (size_t i = 0; i < t->n; i++) {
		const char *target = is_new(t, i, false) ? t->redirections[i].target : NULL;

		if (target != NULL && forgotten)
			bw_change_add(&t->changes, &(struct bw_change){ BW_CHANGE_RCPT_REMOVE, target, NULL, 0 });
		if (target != NULL)
			bw_change_add(&t->changes, &(struct bw_change){ BW_CHANGE_RCPT_ADD, target, NULL, 0 });
	}
}

/* --- what people are told --- */

static struct bw_slice bare_path(const char *path)
{
	struct bw_slice s = bw_slice_of(path);

	return s.n < 2 ? s : (struct bw_slice){ s.p + 1, s.n - 2 };
}

/* The list that the sentence is about, or, where the message waits, the first that cannot be redirected. */
void bw_redirect_explain(const struct trial *t, enum bw_action action, bool would, struct bw_explain *why)
{
	for (size_t i = 0; t->redirections != NULL && i < t->n; i++) {
		const struct redirection *r = &t->redirections[i];
		const struct bw_verdict *said = &t->opinions[i].verdict;
		const struct bw_explain *own = would ? &said->would_why : &said->why;

		if (bw_envelope_said(&t->opinions[i], would) != BW_REDIRECT)
			continue;
		if (action == BW_HOLD ? r->target != NULL : own->list.p != why->list.p)
			continue;
		*why = *own;
		why->redirect = r->outcome;
		why->target = r->target == NULL ? BW_S("") : bare_path(r->target);
		return;
	}
}
