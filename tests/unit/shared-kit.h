/* shared-kit.h: for tests of the shared store: two stores in memory, the first behind one that can be made to fail. */
#ifndef SHARED_KIT_H
#define SHARED_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "bw/store-guarded.h"

struct stores {
	struct bw_store *primary, *local; /* inside of the others; not to be closed */
	struct bw_store *faulty, *shared;
};

static inline int setup(void **state)
{
	struct stores *s = calloc(1, sizeof(*s));

	if (s == NULL || bw_store_sqlite_open(":memory:", 1000, &s->primary, NULL) != BW_OK ||
	    bw_store_sqlite_open(":memory:", 1000, &s->local, NULL) != BW_OK)
		return -1;
	s->faulty = bw_store_faulty_new(s->primary, 50);
	*state = s;
	return s->faulty == NULL ? -1 : bw_store_shared_new(s->faulty, s->local, &s->shared, NULL) != BW_OK;
}

static inline int teardown(void **state)
{
	struct stores *s = *state;

	bw_store_close(&s->shared);
	free(s);
	return 0;
}

static inline struct bw_hash hash_of(const char *text)
{
	static const struct bw_key key = { { 2 } };

	return bw_hash_slice(&key, "shared", bw_slice_of(text));
}

#endif
