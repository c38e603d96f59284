/* Two conversations that one accepted message ties together become one (semantics 3). */
#include "sqlite-conversation.h"

void bw_sqlite_conversation_merge(struct bw_sqlite_lane *lane, struct bw_sqlite_conversation *a, struct bw_sqlite_conversation *b)
{
	struct bw_sqlite_conversation older = bw_sqlite_conversation_older(b, a) ? *b : *a;
	struct bw_sqlite_conversation younger = older.id == a->id ? *b : *a;

	for (int side = 0; side < BW_SIDE_COUNT; side++)
		bw_sqlite_tally_merge(lane, bw_sqlite_tally_id(older.id, BW_SCOPE_CONVERSATION, (enum bw_side)side),
		                      bw_sqlite_tally_id(younger.id, BW_SCOPE_CONVERSATION, (enum bw_side)side));
	if (younger.last_ms > older.last_ms)
		older.last_ms = younger.last_ms;
	older.accepted += younger.accepted;
	older.changed = true;
	bw_sqlite_run(lane, BW_SQL_REDIRECTED_MOVE, ARGS(INT(younger.id), INT(older.id)));
	/* The younger's keys, messages and public id lead here through it. */
	bw_sqlite_run(lane, BW_SQL_CONVERSATION_FORWARD, ARGS(INT(younger.id), INT(older.id)));
	*a = older;
	*b = (struct bw_sqlite_conversation){ 0 };
}
