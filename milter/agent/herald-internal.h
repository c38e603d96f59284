/* herald-internal.h: what the herald's files share.
 *
 * Layer:     agent.
 * Threads:   one herald, one thread; `hook` has one of its own.
 */
#ifndef BW_AGENT_HERALD_INTERNAL_H
#define BW_AGENT_HERALD_INTERNAL_H

#include "bulletin.h"
#include "herald.h"
#include "hook.h"
#include "incidents.h"
#include "leader.h"
#include "told.h"

/* Entries and events may reach the store a little out of order; those that were seen are remembered. */
#define HERALD_LAG_MS BW_MINUTE_MS

enum { HERALD_OWED_MAX = 512 };

/* A list for which something has begun to wait, and whose owner is to be told. */
struct owed {
	char list[INCIDENT_NAME_BYTES];
};

struct herald {
	const struct bw_config *config;
	struct bw_store *store;
	const char *host;
	char from[400];
	int languages[NOTICE_LANGUAGES];
	size_t language_count;
	struct told told;
	struct incidents incidents;
	struct owed owed[HERALD_OWED_MAX];
	size_t owed_count;
	struct hook *hook; /* NULL: never needed so far */
	struct bw_why hook_why;
	bool hook_failed, leads;
	int64_t last_event_ms;                /* the latest that was read */
	int64_t admins_ms, owners_ms;         /* when they were written to last */
	int64_t now_ms, minute_ms, in_minute; /* of this look; notices since minute_ms */
	int64_t sent;                         /* in this look */
	enum bw_err err;                      /* of this look */
	struct bw_why *why;
};

struct notice_frame herald_frame(const struct herald *h);
/* False: this minute has had its notices; the rest follows in the next. */
bool herald_has_room(struct herald *h);
enum bw_err herald_post(struct herald *h, struct bw_slice to, const struct bw_buf *text);

/* announce.c: incidents, to administrators and the hook. */
enum bw_err herald_skip_events(struct herald *h, struct bw_why *why); /* those until told.event_ms: another herald has been through them */
enum bw_err herald_read_events(struct herald *h);
enum bw_err herald_announce(struct herald *h);

/* owners.c: notes what has begun to wait, on all hosts; tells owners. */
enum bw_err herald_read_waiting(struct herald *h);
enum bw_err herald_tell_owners(struct herald *h);

#endif
