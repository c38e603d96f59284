#include "index.h"

#include <assert.h>
#include <string.h>

/* A counting sort. */
void bw_mail_index_build(struct bw_mail_index *index, size_t count, int (*byte_of)(size_t row))
{
	uint16_t next[256];

	assert(count <= BW_MAIL_INDEX_MAX);
	memset(index->start, 0, sizeof(index->start));
	for (size_t i = 0; i < count; i++) {
		int byte = byte_of(i);

		if (byte >= 0)
			index->start[byte + 1]++;
	}
	for (int b = 0; b < 256; b++) {
		index->start[b + 1] = (uint16_t)(index->start[b + 1] + index->start[b]);
		next[b] = index->start[b];
	}
	for (size_t i = 0; i < count; i++) {
		int byte = byte_of(i);

		if (byte >= 0)
			index->rows[next[byte]++] = (uint16_t)i;
	}
}
