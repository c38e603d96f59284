/* The same for programs: one JSON object an incident and state. */
#include <jansson.h>
#include <stdlib.h>

#include "bulletin.h"

/* JSON is UTF-8; what is none becomes '?', and so do control characters. */
static json_t *text_of(struct bw_slice text)
{
	struct bw_buf clean;

	bw_buf_init(&clean, text.n + 1);
	agent_notice_clean(&clean, text, text.n);
	json_t *string = json_stringn(bw_buf_text(&clean), clean.n);

	bw_buf_done(&clean);
	return string;
}

static json_t *time_of(int64_t at_ms)
{
	struct bw_buf at;

	bw_buf_init(&at, 40);
	bw_clock_format(&at, at_ms);
	json_t *string = json_string(bw_buf_text(&at));

	bw_buf_done(&at);
	return string;
}

static json_t *hash_of(const struct bw_hash *hash)
{
	char hex[2 * BW_HASH_BYTES + 1];

	bw_hash_hex(hash, hex);
	return bw_hash_is_zero(hash) ? json_null() : json_string(hex);
}

static json_t *count_of(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static json_t *hosts_of(const struct incident *i)
{
	json_t *array = json_array();

	for (size_t k = 0; k < i->host_count; k++)
		json_array_append_new(array, text_of(bw_slice_of(i->hosts[k])));
	return array;
}

static json_t *commands_of(const struct incident *i, bool nameless)
{
	json_t *array = json_array();
	struct bw_buf line;

	bw_buf_init(&line, 2 * INCIDENT_NAME_BYTES);
	for (size_t k = 0; agent_bulletin_command(&line, i, k, nameless); k++) {
		json_array_append_new(array, text_of(bw_buf_slice(&line)));
		bw_buf_reset(&line);
	}
	bw_buf_done(&line);
	return array;
}

static json_t *deliveries_of(const struct incident_figures *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "made", count_of(f->made));
	json_object_set_new(o, "avoided", count_of(f->avoided));
	json_object_set_new(o, "waiting", json_integer(f->waiting_deliveries));
	return o;
}

static json_t *headline_of(const struct incident *i, bool nameless)
{
	struct bw_buf line;

	bw_buf_init(&line, 2 * INCIDENT_NAME_BYTES);
	agent_bulletin_headline(&line, 0, i, nameless);
	json_t *string = text_of(bw_buf_slice(&line));

	bw_buf_done(&line);
	return string;
}

/* The place is a list, an identity, or nobody's business. */
static json_t *name_of(const struct incident *i, enum incident_kind kind, bool hidden)
{
	bool is_list = i->kind == INCIDENT_STORM || i->kind == INCIDENT_APPROVAL;

	if (hidden || (kind == INCIDENT_STORM ? !is_list : i->kind != kind))
		return json_null();
	return text_of(bw_slice_of(i->name));
}

void agent_bulletin_json(struct bw_buf *out, const struct bulletin_item *item, bool nameless)
{
	const struct incident *i = item->incident;
	json_t *o = json_object();

	json_object_set_new(o, "event", json_string(incident_kind_name(i->kind)));
	json_object_set_new(o, "state", json_string(incident_state_name(i->state)));
	json_object_set_new(o, "incident", hash_of(&i->key));
	json_object_set_new(o, "at", time_of(i->state_ms));
	json_object_set_new(o, "since", time_of(i->began_ms));
	json_object_set_new(o, "list", name_of(i, INCIDENT_STORM, false));
	json_object_set_new(o, "sender", name_of(i, INCIDENT_SENDER, nameless));
	json_object_set_new(o, "order", name_of(i, INCIDENT_ORDER, false));
	json_object_set_new(o, "guard", text_of(bw_slice_of(i->guard)));
	json_object_set_new(o, "conversation", hash_of(&i->conversation));
	json_object_set_new(o, "entry", hash_of(&i->entry));
	json_object_set_new(o, "held", json_integer(item->figures.waiting));
	json_object_set_new(o, "deliveries", deliveries_of(&item->figures));
	json_object_set_new(o, "trips", json_integer(i->trips));
	json_object_set_new(o, "relapses", json_integer(i->relapses));
	json_object_set_new(o, "count", json_integer(i->count));
	json_object_set_new(o, "hosts", hosts_of(i));
	json_object_set_new(o, "headline", headline_of(i, nameless));
	json_object_set_new(o, "text", text_of(agent_bulletin_why(i, nameless)));
	json_object_set_new(o, "commands", commands_of(i, nameless));
	char *text = json_dumps(o, JSON_COMPACT);

	bw_buf_add_text(out, text == NULL ? "" : text);
	bw_buf_add_text(out, "\n");
	free(text);
	json_decref(o);
}
