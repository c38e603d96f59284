#include "packet.h"

#include <arpa/inet.h>
#include <string.h>

size_t bw_packet_begin(struct bw_buf *out, char command)
{
	size_t start = out->n;

	bw_packet_number(out, 0);
	bw_buf_add_char(out, command);
	return start;
}

void bw_packet_end(struct bw_buf *out, size_t start)
{
	uint32_t length = htonl((uint32_t)(out->n - start - sizeof(length)));

	if (!out->cut)
		memcpy(out->p + start, &length, sizeof(length));
}

void bw_packet_string(struct bw_buf *out, struct bw_slice text)
{
	bw_buf_add(out, text);
	bw_buf_add_char(out, '\0');
}

void bw_packet_number(struct bw_buf *out, uint32_t n)
{
	uint32_t order = htonl(n);
	char bytes[sizeof(order)];

	memcpy(bytes, &order, sizeof(order));
	bw_buf_add(out, (struct bw_slice){ bytes, sizeof(bytes) });
}

/* Length and command are there: how much data follows. */
static void begin_data(struct bw_answer *a)
{
	uint32_t length;

	memcpy(&length, a->head, sizeof(length));
	length = ntohl(length);
	a->kept = 0;
	a->command = length == 0 || length > BW_ANSWER_MAX ? '\0' : (char)a->head[4];
	a->left = a->command == '\0' ? 0 : length - 1;
}

static void take_data(struct bw_answer *a, struct bw_slice *in)
{
	struct bw_slice part = bw_slice_head(*in, a->left);
	struct bw_slice keep = bw_slice_head(part, sizeof(a->data) - a->kept);

	if (keep.n > 0)
		memcpy(a->data + a->kept, keep.p, keep.n);
	a->kept += keep.n;
	a->left -= part.n;
	*in = bw_slice_from(*in, part.n);
}

bool bw_answer_feed(struct bw_answer *a, struct bw_slice *in)
{
	while (in->n > 0 && a->have < sizeof(a->head)) {
		a->head[a->have++] = (unsigned char)in->p[0];
		*in = bw_slice_from(*in, 1);
		if (a->have == sizeof(a->head))
			begin_data(a);
	}
	if (a->have < sizeof(a->head))
		return false;
	take_data(a, in);
	if (a->left > 0)
		return false;
	a->have = 0;
	return true;
}

bool bw_answer_number(const struct bw_answer *a, size_t at, uint32_t *out)
{
	uint32_t order;

	if (a->kept < sizeof(order) || at > a->kept - sizeof(order))
		return false;
	memcpy(&order, a->data + at, sizeof(order));
	*out = ntohl(order);
	return true;
}
