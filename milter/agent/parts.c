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

/* --- what an archive has beyond the queue --- */

struct asking {
	const struct bw_keeper *k;
	const struct bw_mta *mta;
	const struct bw_mta_place *place;
	const struct bw_hash *id;
};

struct standing {
	const struct bw_hash *id;
	bool held, marked, same;
};

static bool note_standing(void *ctx, const struct bw_queued *row)
{
	struct standing *s = ctx;

	s->held = row->held;
	s->marked = row->marked;
	s->same = row->marked && bw_hash_equal(&row->mark.id, s->id);
	return false;
}

static enum bw_err ask_for(const struct asking *a, const char *queue_id, struct standing *out)
{
	struct bw_why ignored;

	*out = (struct standing){ .id = a->id };
	if (!a->mta->is_queue_id(queue_id))
		return BW_ERR_CORRUPT;
	enum bw_err err = a->mta->look(a->place, a->k->key, queue_id, note_standing, out, &ignored);

	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}

/* The part that a file of the archive is the control file of; NULL: a body, or another MTA's. */
static const char *part_of(const struct bw_archived *a, const struct archived_file *file)
{
	if (strncmp(file->name, "hf", 2) != 0)
		return NULL;
	return file->name[2] == '\0' ? archived_queue_id(a) : file->name + 2;
}

/* Accepted posts bear no mark, nor do their parts. */
static enum bw_err compare(const struct asking *asking, struct bw_archived *a, const char *queue_id, bool *more)
{
	struct archived_file file;
	struct standing own, part;
	enum bw_err err = ask_for(asking, queue_id, &own);

	while (err == BW_OK && own.held && !*more) {
		err = archived_next(a, &file, NULL);
		if (err != BW_OK)
			break;
		const char *its = part_of(a, &file);

		if (its != NULL) {
			err = ask_for(asking, its, &part);
			*more = !part.held || part.marked != own.marked || part.same != own.same;
		}
		if (err == BW_OK)
			err = archived_copy(a, &file, -1, NULL);
	}
	return err == BW_ERR_NOT_FOUND ? BW_OK : err;
}

bool agent_archive_has_more(const struct bw_keeper *k, const struct bw_mta *mta, const struct bw_mta_place *place, const struct bw_hash *id,
                            const char *queue_id)
{
	const struct asking asking = { k, mta, place, id };
	struct bw_archived *a = NULL;
	bool more = false;

	if (mta->files_all == NULL || archived_open(k->archive, id, &a, NULL) != BW_OK)
		return false;
	enum bw_err err = compare(&asking, a, queue_id, &more);

	archived_close(&a);
	/* One that cannot be read has nothing; where the queue could not be asked, nothing is thrown away. */
	return err == BW_ERR_CORRUPT ? false : more || err != BW_OK;
}
