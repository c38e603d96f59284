/* hook.h: the program that is run for each state of an incident (notify.hook): JSON on its standard input, no shell, ten seconds.
 *
 * Layer:     agent.
 * Threads:   one of its own runs the programs, one after the other; the functions belong to one other thread.
 * Time:      monotonic.
 * Ownership: copies what it is given.
 * Fails:     never holds anybody up: what a program does wrong is asked for later.
 */
#ifndef BW_AGENT_HOOK_H
#define BW_AGENT_HOOK_H

#include "bw/err.h"
#include "bw/slice.h"

enum { HOOK_WAITING_MAX = 256, HOOK_MS = 10000 };

struct hook;

struct hook *agent_hook_new(struct bw_why *why); /* NULL: memory, or no thread */
/* Ends at once; what runs is killed, what waits is not run. */
void agent_hook_free(struct hook **hook);
/* To be run when those before it are through. BW_ERR_LIMIT: so many wait already. */
enum bw_err agent_hook_give(struct hook *h, const char *program, struct bw_slice input, struct bw_why *why);
/* True: a program has failed since this was asked last; the last sentence. */
bool agent_hook_failed(struct hook *h, struct bw_why *why);

#endif
