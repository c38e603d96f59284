/* child.h: runs a program that is given something to read, without a shell.
 *
 * Layer: agent.
 * Time:  monotonic; bounded.
 * Fails: one sentence.
 */
#ifndef BW_AGENT_CHILD_H
#define BW_AGENT_CHILD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bw/err.h"

enum child_end {
	CHILD_WELL,   /* exit status 0 */
	CHILD_BADLY,  /* another one, or a signal */
	CHILD_KILLED, /* by us: its time was over, or nobody waits for it any more */
};

/* Its standard input is `input`, its output goes nowhere, no other file is open in it, signals are as usual, and it leads a process group
 * of its own. */
enum bw_err agent_child_start(const char *program, char *const argv[], char *const env[], int input, pid_t *child, struct bw_why *why);
/* Waits, and kills the whole group when `within_ms` are over or `stop` (may be NULL) becomes true. */
enum child_end agent_child_wait(pid_t child, int64_t within_ms, const _Atomic bool *stop);

#endif
