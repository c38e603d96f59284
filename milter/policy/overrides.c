/* The values of their own that lists have: an array sorted by address, as settings are read far more often than set. */
#include <stdlib.h>
#include <string.h>

#include "rows.h"

/* Where `address` stands or would stand. */
static size_t position(const struct bw_overrides *o, struct bw_slice address, bool *found)
{
	size_t low = 0, high = o->count;

	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = bw_slice_compare(address, bw_slice_of(o->lists[middle]->address));

		if (order > 0) {
			low = middle + 1;
		} else {
			high = middle;
			*found = order == 0;
		}
	}
	return high;
}

const struct bw_override_list *bw_overrides_find(const struct bw_overrides *o, struct bw_slice address)
{
	bool found;
	size_t at = position(o, address, &found);

	return found ? o->lists[at] : NULL;
}

static void free_list(struct bw_override_list *list)
{
	if (list != NULL)
		free(list->address);
	free(list);
}

static struct bw_override_list *new_list(struct bw_slice address)
{
	struct bw_override_list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return NULL;
	list->address = bw_slice_dup(address);
	if (list->address == NULL) {
		free_list(list);
		return NULL;
	}
	return list;
}

/* Room for one more, doubled up to the maximum. */
static bool reserve(struct bw_overrides *o)
{
	size_t capacity = o->capacity == 0 ? 8 : o->capacity * 2;

	if (o->count < o->capacity)
		return true;
	if (capacity > BW_SETTINGS_OVERRIDES_MAX)
		capacity = BW_SETTINGS_OVERRIDES_MAX;
	void *grown = realloc(o->lists, capacity * sizeof(struct bw_override_list *));

	if (grown == NULL)
		return false;
	o->lists = grown;
	o->capacity = capacity;
	return true;
}

static enum bw_err insert(struct bw_overrides *o, struct bw_slice address, size_t at, struct bw_why *why)
{
	if (o->count >= BW_SETTINGS_OVERRIDES_MAX)
		return bw_fail(why, BW_ERR_LIMIT, "at most %d lists can have settings of their own", BW_SETTINGS_OVERRIDES_MAX);
	struct bw_override_list *list = new_list(address);

	if (list == NULL || !reserve(o)) {
		free_list(list);
		return bw_fail(why, BW_ERR_MEMORY, "out of memory for the settings of a list");
	}
	memmove(&o->lists[at + 1], &o->lists[at], (o->count - at) * sizeof(struct bw_override_list *));
	o->lists[at] = list;
	o->count++;
	return BW_OK;
}

enum bw_err bw_overrides_put(struct bw_overrides *o, struct bw_slice address, size_t row, int64_t raw, struct bw_why *why)
{
	bool found;
	size_t at = position(o, address, &found);
	enum bw_err err = found ? BW_OK : insert(o, address, at, why);

	if (err != BW_OK)
		return err;
	bw_setting_store(bw_setting_at(row), &o->lists[at]->values, raw);
	o->lists[at]->rows |= UINT64_C(1) << row;
	return BW_OK;
}

bool bw_overrides_copy(const struct bw_overrides *from, struct bw_overrides *to)
{
	*to = (struct bw_overrides){ 0 };
	for (size_t i = 0; i < from->count; i++) {
		if (insert(to, bw_slice_of(from->lists[i]->address), i, NULL) != BW_OK)
			return false;
		to->lists[i]->rows = from->lists[i]->rows;
		to->lists[i]->values = from->lists[i]->values;
	}
	return true;
}

void bw_overrides_done(struct bw_overrides *o)
{
	for (size_t i = 0; i < o->count; i++)
		free_list(o->lists[i]);
	free(o->lists);
	*o = (struct bw_overrides){ 0 };
}
