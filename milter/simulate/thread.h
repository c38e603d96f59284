/* thread.h: who answers what. A thread remembers the messages that its readers have: its root, and replies that went out.
 *
 * Layer:     simulate.
 * Ownership: counted: bw_thread_ref() / bw_thread_unref(). struct threads holds a reference a list and a name.
 * Fails:     bw_threads_found() with NULL when memory is out.
 */
#ifndef BW_SIMULATE_THREAD_H
#define BW_SIMULATE_THREAD_H

#include "internal.h"

struct thread {
	int users;
	bool went_out; /* its root was let pass */
	char *subject;
	char *chain[REFERENCES_KEPT]; /* Message-IDs: the root, then the last replies, oldest first */
	size_t chain_count;
};

struct threads {
	struct thread **newest; /* by index of list */
	size_t list_count;
	struct thread *anywhere; /* the newest of all */
	struct bw_map by_name;
};

bool bw_threads_init(struct threads *t, size_t list_count);
void bw_threads_done(struct threads *t);
/* A post founds a thread, which bears its name. Nobody can answer what never arrived: it is the newest of its lists only
 * where no other went out, until bw_threads_went_out(). The caller gets a reference; NULL when memory is out. */
struct thread *bw_threads_found(struct threads *t, const struct mail_plan *plan, struct bw_slice subject,
                                struct bw_slice message_id);
/* The post of that thread was let pass: from now on it is the newest of its lists. */
void bw_threads_went_out(struct threads *t, const struct mail_plan *plan, struct thread *thread);
/* The thread that a message of `plan` belongs to: the named one, else the newest of its first list, else (mail to a person) the
 * newest of all. NULL: there is none yet. */
struct thread *bw_threads_of(const struct threads *t, const struct mail_plan *plan);
struct thread *bw_thread_ref(struct thread *thread);
void bw_thread_unref(struct thread **thread);
/* A reply went out: the next one answers it. Without memory the chain stays as it is. */
void bw_thread_answered(struct thread *thread, struct bw_slice message_id);

#endif
