/* breakers.h: breakers as of now, for people and programs.
 *
 * Layer:     cli, on the store's records and policy's advance.
 * Time:      c->now_ms: a phase whose time is over is shown as over, whether a message has come by to write it or not.
 * Ownership: bw_cli_breakers() / bw_cli_breakers_done().
 * Fails:     an exit code, with the sentence in c->why.
 */
#ifndef BW_CLI_BREAKERS_H
#define BW_CLI_BREAKERS_H

#include "output.h"
#include "work.h"

enum { BREAKER_ID_BYTES = 11, BREAKERS_MAX = 20000 };

struct breaker_view {
	char id[BREAKER_ID_BYTES]; /* ten hex digits that stay the same as long as the key does */
	struct bw_breaker_key key; /* its list lies in `list` */
	char *list;
	struct bw_breaker record;   /* as of now */
	int64_t senders, window_ms; /* distinct attempts in the guard's window */
	int64_t last_ms;            /* attempt, 0: none in memory */
};

struct breakers {
	struct breaker_view *at;
	size_t count, room;
	bool cut; /* there are more than BREAKERS_MAX */
};

/* Ten hex digits: among a million breakers two would share them once in two. */
void bw_cli_breaker_id(const struct bw_breaker_key *key, char out[BREAKER_ID_BYTES]);
/* Those of `list` (empty: of all): open, half-open and overridden ones, with `all` also closed ones that once tripped. */
enum bw_cli_exit bw_cli_breakers(struct cli *c, struct bw_slice list, bool all, struct breakers *out);
void bw_cli_breakers_done(struct breakers *b);
/* How many of them stop mail now. */
size_t bw_cli_breakers_open(const struct breakers *b);
bool bw_cli_breaker_stops(const struct breaker_view *v);
/* "conversation", "list" or "sender". */
const char *bw_cli_breaker_guard(const struct bw_breaker_key *key);
/* "open", "half-open", "closed", "forced-open", "disabled". */
const char *bw_cli_breaker_state(const struct breaker_view *v);
/* The one that `id` (or a unique beginning of at least 4 digits) names, among closed ones too. */
enum bw_cli_exit bw_cli_breaker_find(struct cli *c, const char *id, struct breakers *all, const struct breaker_view **out);

json_t *bw_cli_breaker_json(const struct breaker_view *v);
json_t *bw_cli_breakers_json(const struct breakers *b);
void bw_cli_breakers_text(struct cli *c, const struct breakers *b, const char *nothing);

#endif
