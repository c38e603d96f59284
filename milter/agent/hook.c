#include "hook.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "files.h"

struct task {
	char *program, *input;
	size_t bytes;
};

struct hook {
	pthread_t thread;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t changed;
	struct task waiting[HOOK_WAITING_MAX]; /* a ring */
	size_t first, count;
	bool failed;
	struct bw_why why;
	_Atomic bool ending;
};

static void task_done(struct task *t)
{
	free(t->program);
	free(t->input);
	*t = (struct task){ NULL, NULL, 0 };
}

/* A file in memory: whoever does not read it holds nobody up. */
static enum bw_err make_input(const struct task *t, int *fd, struct bw_why *why)
{
	*fd = memfd_create("incident", MFD_CLOEXEC);
	if (*fd < 0)
		return agent_fail_errno(t->program, "no input for it", why);
	enum bw_err err = agent_write(*fd, t->input, t->bytes, t->program, why);

	if (err == BW_OK && lseek(*fd, 0, SEEK_SET) != 0)
		err = agent_fail_errno(t->program, "no input for it", why);
	if (err != BW_OK)
		close(*fd);
	return err;
}

static enum bw_err run_task(struct hook *h, const struct task *t, struct bw_why *why)
{
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LC_ALL=C.UTF-8";
	char *argv[] = { t->program, NULL }, *env[] = { path, language, NULL };
	pid_t child;
	int input;
	enum bw_err err = make_input(t, &input, why);

	if (err != BW_OK)
		return err;
	err = agent_child_start(t->program, argv, env, input, &child, why);
	close(input);
	if (err != BW_OK)
		return err;
	enum child_end end = agent_child_wait(child, HOOK_MS, &h->ending);

	if (end == CHILD_KILLED)
		err = bw_fail(why, BW_ERR_IO, "notify.hook: %s did not end within %d s and was killed", t->program, HOOK_MS / 1000);
	if (end == CHILD_BADLY)
		err = bw_fail(why, BW_ERR_IO, "notify.hook: %s failed", t->program);
	return err;
}

static void *work(void *hook)
{
	struct hook *h = hook;

	pthread_mutex_lock(&h->lock);
	while (!atomic_load(&h->ending)) {
		if (h->count == 0) {
			pthread_cond_wait(&h->changed, &h->lock);
			continue;
		}
		struct task t = h->waiting[h->first];
		struct bw_why why;

		h->first = (h->first + 1) % HOOK_WAITING_MAX;
		h->count--;
		pthread_mutex_unlock(&h->lock);
		bool failed = run_task(h, &t, &why) != BW_OK;

		task_done(&t);
		pthread_mutex_lock(&h->lock);
		if (failed) {
			h->failed = true;
			h->why = why;
		}
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* Signals are the main thread's. */
static int start(struct hook *h)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&h->thread, NULL, work, h);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct hook *agent_hook_new(struct bw_why *why)
{
	struct hook *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		(void)bw_fail(why, BW_ERR_MEMORY, "no memory for notify.hook");
		return NULL;
	}
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	int error = start(h);

	if (error == 0)
		return h;
	(void)bw_fail(why, BW_ERR_MEMORY, "no thread for notify.hook: %s", strerror(error));
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
	return NULL;
}

void agent_hook_free(struct hook **hook)
{
	struct hook *h = *hook;

	*hook = NULL;
	if (h == NULL)
		return;
	pthread_mutex_lock(&h->lock);
	atomic_store(&h->ending, true);
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	for (size_t i = 0; i < h->count; i++)
		task_done(&h->waiting[(h->first + i) % HOOK_WAITING_MAX]);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

enum bw_err agent_hook_give(struct hook *h, const char *program, struct bw_slice input, struct bw_why *why)
{
	struct task t = { strdup(program), bw_slice_dup(input), input.n };
	enum bw_err err = BW_OK;

	if (t.program == NULL || t.input == NULL) {
		task_done(&t);
		return bw_fail(why, BW_ERR_MEMORY, "no memory for notify.hook");
	}
	pthread_mutex_lock(&h->lock);
	if (h->count < HOOK_WAITING_MAX)
		h->waiting[(h->first + h->count++) % HOOK_WAITING_MAX] = t;
	else
		err = bw_fail(why, BW_ERR_LIMIT, "notify.hook: %s is too slow: %d runs of it wait already", program, HOOK_WAITING_MAX);
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (err != BW_OK)
		task_done(&t);
	return err;
}

bool agent_hook_failed(struct hook *h, struct bw_why *why)
{
	pthread_mutex_lock(&h->lock);
	bool failed = h->failed;

	if (failed)
		*why = h->why;
	h->failed = false;
	pthread_mutex_unlock(&h->lock);
	return failed;
}
