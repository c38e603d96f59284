#include "told.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "bw/clock.h"
#include "bw/parse.h"
#include "files.h"

/* Earlier versions have the number of an event where we have a time. */
#define FIRST_TIME_MS (365 * BW_DAY_MS)

static struct told_slot *slot_of(const struct told *t, struct told_slot *slots, struct bw_slice what, struct bw_hash *who)
{
	*who = bw_hash_slice(&t->key, "told", what);
	return &slots[(who->b[0] | who->b[1] << 8) % TOLD_SLOTS];
}

bool told_was(const struct told *t, struct told_slot *slots, struct bw_slice what, int64_t now_ms, int64_t within_ms)
{
	struct bw_hash who;
	const struct told_slot *s = slot_of(t, slots, what, &who);

	return s->at_ms != 0 && bw_hash_equal(&s->who, &who) && now_ms - s->at_ms < within_ms;
}

void told_note(const struct told *t, struct told_slot *slots, struct bw_slice what, int64_t now_ms)
{
	struct bw_hash who;
	struct told_slot *s = slot_of(t, slots, what, &who);

	*s = (struct told_slot){ who, now_ms };
}

/* --- the file: "HELD-MS EVENT-MS WAITING-MS" --- */

static bool read_state(struct told *t)
{
	char text[100];
	ssize_t n = pread(t->state_fd, text, sizeof(text) - 1, 0);
	struct bw_slice rest = { text, n > 0 ? (size_t)n : 0 }, word;
	int64_t numbers[3];

	rest = bw_slice_head(rest, bw_slice_find(rest, '\n'));
	for (size_t i = 0; i < 3; i++) {
		if (!bw_slice_word(&rest, &word) || !bw_parse_int(word, &numbers[i]))
			return false;
	}
	t->held_ms = numbers[0];
	t->event_ms = numbers[1];
	t->waiting_ms = numbers[2] >= FIRST_TIME_MS ? numbers[2] : numbers[0];
	return true;
}

enum bw_err told_write(struct told *t, struct bw_why *why)
{
	char text[100];
	int n = snprintf(text, sizeof(text), "%lld %lld %lld\n", (long long)t->held_ms, (long long)t->event_ms, (long long)t->waiting_ms);

	if (pwrite(t->state_fd, text, (size_t)n, 0) != n || ftruncate(t->state_fd, n) != 0 || fdatasync(t->state_fd) != 0)
		return agent_fail_errno(t->path, "could not be written", why);
	return BW_OK;
}

enum bw_err told_open(struct told *t, const char *path, bool *known, struct bw_why *why)
{
	struct bw_hash random = bw_hash_random();

	for (size_t i = 0; i < sizeof(t->key.b); i++)
		t->key.b[i] = random.b[i];
	t->path = path;
	t->state_fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->state_fd < 0)
		return agent_fail_errno(path, "could not be opened", why);
	if (flock(t->state_fd, LOCK_EX | LOCK_NB) != 0)
		return bw_fail(why, BW_ERR_CONFLICT, "%s: another breakwater-agent works with it", path);
	*known = read_state(t);
	return BW_OK;
}

void told_close(struct told *t)
{
	if (t->state_fd >= 0)
		close(t->state_fd);
	t->state_fd = -1;
}
