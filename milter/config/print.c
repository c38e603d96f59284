/* The value of a key in a configuration, as a file would hold it. */
#include <string.h>

#include "bw/parse.h"
#include "internal.h"

static void print_text(struct bw_slice text, struct bw_buf *out)
{
	bw_buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			bw_buf_add_char(out, '\\');
		bw_buf_add_char(out, text.p[i]);
	}
	bw_buf_add_char(out, '"');
}

/* A series is written piece by piece; `n` are there already. */
struct series {
	struct bw_buf *out;
	size_t n;
};

static void print_one(void *ctx, struct bw_slice text)
{
	struct series *s = ctx;

	bw_buf_add_text(s->out, s->n++ > 0 ? ", " : " ");
	print_text(text, s->out);
}

static void print_texts(const void *at, size_t count, struct bw_buf *out)
{
	struct series s = { out, 0 };
	char *const *texts;

	memcpy(&texts, at, sizeof(texts));
	bw_buf_add_char(out, '[');
	for (size_t i = 0; i < count; i++)
		print_one(&s, bw_slice_of(texts[i]));
	bw_buf_add_text(out, " ]");
}

static void print_networks(const void *at, struct bw_buf *out)
{
	struct series s = { out, 0 };
	const struct bw_networks *networks;

	memcpy(&networks, at, sizeof(networks));
	bw_buf_add_char(out, '[');
	bw_config_networks_each(networks, print_one, &s);
	bw_buf_add_text(out, " ]");
}

static void print_number(const struct bw_config_row *row, const void *at, struct bw_buf *out)
{
	int64_t value;

	memcpy(&value, at, sizeof(value));
	if (row->form == BW_FORM_COUNT) {
		bw_buf_printf(out, "%lld", (long long)value);
	} else if (row->form == BW_FORM_OCTAL) {
		bw_buf_printf(out, "\"%04llo\"", (unsigned long long)value);
	} else {
		bw_buf_add_char(out, '"');
		bw_print_duration(out, value);
		bw_buf_add_char(out, '"');
	}
}

static void print_character(char c, struct bw_buf *out)
{
	print_text((struct bw_slice){ &c, c == '\0' ? 0 : 1 }, out);
}

bool bw_config_key_print(const struct bw_config *c, size_t i, struct bw_buf *out)
{
	const struct bw_config_row *row = bw_config_row_at(i);
	const char *at = (const char *)c + row->offset;
	char *text;
	size_t count;

	if (bw_slice_starts_nocase(bw_slice_of(row->key.name), BW_S("lists.")))
		return false;
	switch (row->form) {
	case BW_FORM_TEXT:
		memcpy(&text, at, sizeof(text));
		print_text(bw_slice_of(text), out);
		return true;
	case BW_FORM_TEXTS:
		memcpy(&count, (const char *)c + row->count_offset, sizeof(count));
		print_texts(at, count, out);
		return true;
	case BW_FORM_NETWORKS:
		print_networks(at, out);
		return true;
	case BW_FORM_COUNT:
	case BW_FORM_DURATION:
	case BW_FORM_OCTAL:
		print_number(row, at, out);
		return true;
	case BW_FORM_FLAG:
		bw_buf_add_text(out, *(const bool *)at ? "true" : "false");
		return true;
	case BW_FORM_CHARACTER:
		print_character(*at, out);
		return true;
	case BW_FORM_MODE:
		print_text(bw_slice_of(bw_mode_name(bw_settings_mode(c->settings))), out);
		return true;
	case BW_FORM_SLICE:
	case BW_FORM_SLICES:
	case BW_FORM_SPECIAL:
	case BW_FORM_COUNT_OF:
		break;
	}
	return false;
}
