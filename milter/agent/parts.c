#include "parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"

enum bw_err agent_files(const struct bw_mta *mta, const struct bw_mta_place *place, const char *queue_id, struct agent_files *out,
                        struct bw_why *why)
{
	struct bw_queue_file *at;

	*out = (struct agent_files){ .count = 0 };
	if (mta->files_all != NULL)
		return mta->files_all(place, queue_id, &out->at, &out->count, why);
	at = calloc(BW_QUEUE_FILES_MAX, sizeof(*at));
	if (at == NULL)
		return bw_fail(why, BW_ERR_MEMORY, "no memory for the files of a message");
	for (size_t i = 0; i < BW_QUEUE_FILES_MAX; i++)
		at[i] = BW_QUEUE_FILE_NONE;
	out->at = at;
	enum bw_err err = mta->files(place, queue_id, at, &out->count, why);

	if (err != BW_OK) {
		out->count = BW_QUEUE_FILES_MAX;
		agent_files_done(out);
	}
	return err;
}

void agent_files_done(struct agent_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (files->at[i].fd >= 0)
			close(files->at[i].fd);
	}
	free(files->at);
	*files = (struct agent_files){ .count = 0 };
}

static bool has_name(const struct agent_files *files, const char *name)
{
	for (size_t i = 0; i < files->count; i++) {
		if (strcmp(files->at[i].name, name) == 0)
			return true;
	}
	return false;
}

/* How many of the archive's files are held, and how many are not. */
static enum bw_err compare(struct bw_archived *a, const struct agent_files *held, size_t *same, size_t *more)
{
	struct archived_file file;
	enum bw_err err = BW_OK;

	while (err == BW_OK) {
		err = archived_next(a, &file, NULL);
		if (err != BW_OK)
			break;
		if (has_name(held, file.name))
			(*same)++;
		else
			(*more)++;
		err = archived_copy(a, &file, -1, NULL);
	}
	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}

bool agent_archive_has_more(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_hash *id,
                            const char *queue_id)
{
	struct bw_archived *a = NULL;
	struct agent_files held = { .count = 0 };
	size_t same = 0, more = 0;

	if (mta->files_all == NULL || archived_open(k->archive, id, &a, NULL) != BW_OK)
		return false;
	/* The part that the ledger names goes last and comes last: under another's id, what is missing is that one. */
	bool part = agent_files(mta, place, queue_id, &held, NULL) == BW_OK && compare(a, &held, &same, &more) == BW_OK && more > 0;

	agent_files_done(&held);
	archived_close(&a);
	return part;
}
