/* The identity of a message (semantics 3). */
#include <string.h>

#include "internal.h"

enum { PIECES = 5 };

/* Each piece is hashed on its own, so that no text can slide from one piece into the next. */
struct bw_hash bw_mail_identity(const struct bw_key *key, struct bw_slice identity, const struct bw_header *header,
                                bool id_is_ours)
{
	const struct bw_slice none = { NULL, 0 };
	const struct bw_slice pieces[PIECES] = {
		identity, id_is_ours ? none : header->message_id, header->from, header->date, header->subject,
	};
	struct bw_hash hashes[PIECES];
	char all[sizeof(hashes)];

	for (size_t i = 0; i < PIECES; i++)
		hashes[i] = bw_hash_slice(key, "message-piece", pieces[i]);
	memcpy(all, hashes, sizeof(all));
	return bw_hash_slice(key, "message", (struct bw_slice){ all, sizeof(all) });
}
