/* bulletin.h: what administrators, their programs and the owners of lists are told of incidents. Text only; nothing is sent here.
 *
 * Layer:     agent.
 * Threads:   pure.
 * Time:      given.
 * Ownership: appends to the caller's buffer.
 * Fails:     never; what does not fit is cut.
 */
#ifndef BW_AGENT_BULLETIN_H
#define BW_AGENT_BULLETIN_H

#include "incidents.h"
#include "notice.h"

/* So many are told of in full, so many more in a line each, and the rest as a number. */
enum { BULLETIN_FULL = 8, BULLETIN_LINES = 100, BULLETIN_COMMANDS = 4, BULLETIN_JSON_BYTES = 16384 };

struct bulletin_item {
	const struct incident *incident;
	struct incident_figures figures;
};

/* The whole message to one administrator: one mail, however many incidents. `lost`: further ones that nobody kept. */
void agent_bulletin_admins(struct bw_buf *out, const struct notice_frame *frame, struct bw_slice to, const struct bulletin_item *items,
                           size_t count, int64_t lost);
/* One line of JSON (docs/man/breakwater-agent.8.scd). `nameless`: no sender is named. */
void agent_bulletin_json(struct bw_buf *out, const struct bulletin_item *item, bool nameless);

/* The k-th command that one may want to type now, arguments quoted for a shell; false: no more. (Not translated.) */
bool agent_bulletin_command(struct bw_buf *out, const struct incident *i, size_t k, bool nameless);
/* In the language with that index: "Mail to all@nhs.example is stopped". */
void agent_bulletin_headline(struct bw_buf *out, int language, const struct incident *i, bool nameless);
/* Its sentence; "" where it would name a sender and must not. */
struct bw_slice agent_bulletin_why(const struct incident *i, bool nameless);

/* What waits for one list. */
enum { BULLETIN_REASONS = 3 };
struct bulletin_list {
	struct bw_slice list;
	int64_t waiting, deliveries;
	char reasons[BULLETIN_REASONS][BW_WHY_BYTES];
	size_t reason_count;
};
/* The whole message to the owner of these lists. */
void agent_bulletin_owner(struct bw_buf *out, const struct notice_frame *frame, struct bw_slice to, const struct bulletin_list *lists,
                          size_t count);

#endif
