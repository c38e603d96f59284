/* Prepared statements: bound, stepped, read. The lane's first failure sticks and silences what follows. */
#include <string.h>

#include "sqlite-internal.h"

static int bind(sqlite3_stmt *stmt, int at, const struct bw_sqlite_arg *arg)
{
	switch (arg->kind) {
	case BW_SQLITE_INT:
		return sqlite3_bind_int64(stmt, at, arg->number);
	case BW_SQLITE_HASH:
		return sqlite3_bind_blob(stmt, at, arg->hash->b, BW_HASH_BYTES, SQLITE_STATIC);
	case BW_SQLITE_TEXT:
		return sqlite3_bind_text64(stmt, at, arg->text.n == 0 ? "" : arg->text.p, arg->text.n, SQLITE_STATIC, SQLITE_UTF8);
	}
	return SQLITE_MISUSE;
}

/* The statement, made once a connection, with its arguments; NULL after a failure. */
static sqlite3_stmt *prepare(struct bw_sqlite_lane *lane, enum bw_sql sql, const struct bw_sqlite_arg *args, size_t n)
{
	sqlite3_stmt **stmt = &lane->statements[sql];

	if (lane->rc == SQLITE_OK && *stmt == NULL)
		lane->rc = sqlite3_prepare_v3(lane->db, bw_sql_text(sql), -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	for (size_t i = 0; lane->rc == SQLITE_OK && i < n; i++)
		lane->rc = bind(*stmt, (int)i + 1, &args[i]);
	return lane->rc == SQLITE_OK ? *stmt : NULL;
}

bool bw_sqlite_next(struct bw_sqlite_lane *lane, sqlite3_stmt *row)
{
	int rc = lane->rc == SQLITE_OK ? sqlite3_step(row) : SQLITE_DONE;

	if (rc == SQLITE_ROW)
		return true;
	if (rc != SQLITE_DONE)
		lane->rc = rc;
	sqlite3_reset(row);
	return false;
}

void bw_sqlite_done(sqlite3_stmt *row)
{
	sqlite3_reset(row);
}

sqlite3_stmt *bw_sqlite_rows(struct bw_sqlite_lane *lane, enum bw_sql sql, const struct bw_sqlite_arg *args, size_t n)
{
	sqlite3_stmt *stmt = prepare(lane, sql, args, n);

	return stmt != NULL && bw_sqlite_next(lane, stmt) ? stmt : NULL;
}

int64_t bw_sqlite_run(struct bw_sqlite_lane *lane, enum bw_sql sql, const struct bw_sqlite_arg *args, size_t n)
{
	sqlite3_stmt *stmt = prepare(lane, sql, args, n);

	if (stmt == NULL)
		return 0;
	while (bw_sqlite_next(lane, stmt))
		continue;
	return lane->rc == SQLITE_OK ? sqlite3_changes64(lane->db) : 0;
}

bool bw_sqlite_ints(struct bw_sqlite_lane *lane, enum bw_sql sql, int64_t *out, int columns, const struct bw_sqlite_arg *args,
                    size_t n)
{
	sqlite3_stmt *row = bw_sqlite_rows(lane, sql, args, n);

	if (row == NULL)
		return false;
	for (int i = 0; i < columns; i++)
		out[i] = sqlite3_column_int64(row, i);
	bw_sqlite_done(row);
	return true;
}

struct bw_slice bw_sqlite_text(sqlite3_stmt *row, int column)
{
	const char *p = (const char *)sqlite3_column_text(row, column);

	return (struct bw_slice){ p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(row, column) };
}

struct bw_hash bw_sqlite_hash(sqlite3_stmt *row, int column)
{
	struct bw_hash hash = { { 0 } };
	const void *p = sqlite3_column_blob(row, column);

	if (p != NULL && sqlite3_column_bytes(row, column) == BW_HASH_BYTES)
		memcpy(hash.b, p, BW_HASH_BYTES);
	return hash;
}

int bw_sqlite_word(struct bw_sqlite_lane *lane, sqlite3_stmt *row, int column, int count)
{
	int64_t value = sqlite3_column_int64(row, column);

	if (value >= 0 && value < count)
		return (int)value;
	if (lane->rc == SQLITE_OK)
		lane->rc = SQLITE_CORRUPT;
	return 0;
}

struct bw_slice bw_sqlite_cut(struct bw_slice text)
{
	size_t n = BW_SQLITE_TEXT_BYTES_MAX;

	if (text.n <= n)
		return text;
	/* Not within a UTF-8 character. */
	while (n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
		n--;
	return bw_slice_head(text, n);
}
