#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/slice.h"

enum { FIRST_BYTES = 128 };

void bw_buf_init(struct bw_buf *b, size_t max)
{
	*b = (struct bw_buf){ .max = max };
}

void bw_buf_done(struct bw_buf *b)
{
	free(b->p);
	*b = (struct bw_buf){ .max = b->max };
}

void bw_buf_reset(struct bw_buf *b)
{
	b->n = 0;
	b->cut = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

/* Makes room for `more` bytes, or as many of them as the maximum and memory allow; returns how many. */
static size_t make_room(struct bw_buf *b, size_t more)
{
	size_t room = b->max - b->n;

	if (more > room) {
		more = room;
		b->cut = true;
	}
	size_t need = b->n + more + 1;

	if (need > b->cap) {
		size_t cap = b->cap == 0 ? FIRST_BYTES : b->cap;

		while (cap < need)
			cap *= 2;
		char *p = realloc(b->p, cap);

		if (p == NULL) {
			b->cut = true;
			return 0;
		}
		b->p = p;
		b->cap = cap;
	}
	return more;
}

void bw_buf_add(struct bw_buf *b, struct bw_slice s)
{
	size_t n = make_room(b, s.n);

	if (b->p == NULL || b->cap <= b->n + n)
		return;
	if (n > 0)
		memcpy(b->p + b->n, s.p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void bw_buf_add_text(struct bw_buf *b, const char *text)
{
	bw_buf_add(b, bw_slice_of(text));
}

void bw_buf_add_char(struct bw_buf *b, char c)
{
	bw_buf_add(b, (struct bw_slice){ &c, 1 });
}

void bw_buf_printf(struct bw_buf *b, const char *format, ...)
{
	char small[256];
	char *text = small;
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(small, sizeof(small), format, args);

	if (n >= (int)sizeof(small)) {
		text = malloc((size_t)n + 1);
		if (text != NULL)
			vsnprintf(text, (size_t)n + 1, format, again);
	}
	va_end(again);
	va_end(args);
	if (text == NULL || n < 0)
		b->cut = true;
	else
		bw_buf_add(b, (struct bw_slice){ text, (size_t)n });
	if (text != small)
		free(text);
}

const char *bw_buf_text(const struct bw_buf *b)
{
	return b->p == NULL ? "" : b->p;
}

struct bw_slice bw_buf_slice(const struct bw_buf *b)
{
	return (struct bw_slice){ bw_buf_text(b), b->n };
}
