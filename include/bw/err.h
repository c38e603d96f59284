/* err.h: did the machinery work?
 *
 * Layer:     base, seen by everybody.
 * Threads:   no shared state.
 * Ownership: a struct bw_why belongs to the caller and may be NULL where a function takes one.
 * Fails:     never.
 *
 * Three things have three types in breakwater: enum bw_err (did the machinery work), enum bw_action (what
 * happens to the mail) and plain answers (is it a reply). Zero is success.
 */
#ifndef BW_ERR_H
#define BW_ERR_H

enum bw_err {
	BW_OK = 0,
	BW_ERR_MEMORY,     /* allocation failed or a bound on memory was reached */
	BW_ERR_INPUT,      /* malformed input: syntax, unknown word */
	BW_ERR_RANGE,      /* well-formed, but outside the allowed range */
	BW_ERR_IO,         /* a file or socket */
	BW_ERR_STORE,      /* the store did not answer (gone, late, full, read-only) */
	BW_ERR_CONFLICT,   /* compare-and-set lost: somebody else wrote first */
	BW_ERR_NOT_FOUND,
	BW_ERR_EXISTS,
	BW_ERR_LIMIT,      /* a configured or built-in limit is reached */
	BW_ERR_PERMISSION,
	BW_ERR_CORRUPT,    /* stored data that cannot be what we wrote */
	BW_ERR_COUNT
};

/* Longest failure text, with its NUL. */
#define BW_WHY_BYTES 512

/* The text of a failure: something an operator can act on (file, line, setting, host, limit). */
struct bw_why {
	char text[BW_WHY_BYTES];
};

/* The stable name of `err` ("store", "input", ...), for logs and JSON. Never NULL. */
const char *bw_err_name(enum bw_err err);

/* Writes the failure's text into `why` (if not NULL; cut to its size) and returns `err`, so that
 * `return bw_fail(why, BW_ERR_RANGE, "...")` is the whole of a failure. */
enum bw_err bw_fail(struct bw_why *why, enum bw_err err, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
