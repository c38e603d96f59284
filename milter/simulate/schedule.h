/* schedule.h: what is due next: a heap by time, then by place in the file, then by number within the statement.
 *
 * Layer:     simulate.
 * Ownership: offers are the schedule's until they are taken.
 */
#ifndef BW_SIMULATE_SCHEDULE_H
#define BW_SIMULATE_SCHEDULE_H

#include "internal.h"
#include "thread.h"

/* A message that was offered once: a retry brings the same bytes. */
struct offer {
	struct bw_buf head, body;
	char *message_id;
	struct thread *thread; /* a reference; NULL: none */
};
void bw_offer_free(struct offer **offer);

struct due {
	int64_t at_ms;
	const struct statement *statement;
	int64_t number; /* of the message in its statement, from 0 */
	int64_t attempt;
	struct offer *offer; /* NULL: not made yet */
};

struct schedule {
	struct due *heap;
	size_t count, room;
};

/* False when memory is out; the offer is then freed. */
bool bw_schedule_add(struct schedule *s, const struct due *due);
/* Takes the earliest; false: nothing is left. */
bool bw_schedule_take(struct schedule *s, struct due *out);
void bw_schedule_done(struct schedule *s);

#endif
