/* session-kit.h: for tests of what one message becomes: an engine and a session on a store, with a configuration given as text. */
#ifndef SESSION_KIT_H
#define SESSION_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bw/session.h"

static struct bw_store *store;
static struct bw_engine *engine;
static struct bw_session *session;

/* In memory. */
static inline void kit_open_store(void)
{
	struct bw_why why;

	if (bw_store_sqlite_open(":memory:", 100, &store, &why) != BW_OK)
		fail_msg("%s", why.text);
}

/* On `used`: the store, or what wraps it. */
static inline void kit_open_session(struct bw_store *used, const struct bw_engine_options *options, struct bw_slice configuration)
{
	const struct bw_key key = { { 9 } };
	struct bw_config *config = NULL;
	struct bw_world *world = NULL;
	struct bw_buf skipped;
	struct bw_why why;

	bw_mail_init();
	bw_buf_init(&skipped, 1000);
	if (bw_config_parse(configuration, "test", &config, &why) != BW_OK ||
	    bw_world_load(&key, config, used, &skipped, &world, &why) != BW_OK)
		fail_msg("%s", why.text);
	bw_buf_done(&skipped);
	engine = bw_engine_new(used, world, options);
	session = bw_session_new(engine);
	assert_non_null(session);
}

/* `used` as it was opened on. */
static inline void kit_close_session(struct bw_store **used)
{
	bw_session_free(&session);
	bw_engine_free(&engine);
	bw_store_close(used);
}

#endif
