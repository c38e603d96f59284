/* slice.h: bytes from the wire, and a bounded buffer to build text in.
 *
 * Layer:     base.
 * Threads:   values; no shared state.
 * Ownership: a slice borrows; a bw_buf owns its memory until bw_buf_done().
 * Fails:     a bw_buf never grows past its maximum; what does not fit is cut and `cut` is set (also when
 *            memory runs out), so writers need no check after each piece.
 */
#ifndef BW_SLICE_H
#define BW_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bw_slice {
	const char *p; /* not NUL-terminated; NULL only when n is 0 */
	size_t n;
};

/* A slice of a string literal. */
#define BW_S(literal) ((struct bw_slice){ (literal), sizeof(literal) - 1 })

struct bw_slice bw_slice_of(const char *text); /* NULL gives the empty slice */
bool bw_slice_equal(struct bw_slice a, struct bw_slice b);
bool bw_slice_equal_nocase(struct bw_slice a, struct bw_slice b); /* ASCII case only */
bool bw_slice_starts_nocase(struct bw_slice s, struct bw_slice prefix);
bool bw_slice_contains_nocase(struct bw_slice s, struct bw_slice part);
int bw_slice_compare(struct bw_slice a, struct bw_slice b); /* byte order; <0, 0, >0 */
struct bw_slice bw_slice_trim(struct bw_slice s);           /* blanks, tabs, CR, LF off both ends */
struct bw_slice bw_slice_from(struct bw_slice s, size_t at); /* the rest from `at`, empty past the end */
struct bw_slice bw_slice_head(struct bw_slice s, size_t n);  /* at most the first n bytes */
/* Index of the first `c`, or s.n. */
size_t bw_slice_find(struct bw_slice s, char c);
/* Length of the character of UTF-8 (RFC 3629) at the head of `s`; 0: none stands there, or a C1 control, which terminals obey. */
size_t bw_slice_character(struct bw_slice s);
/* Takes the next word (separated by blanks and tabs) off `rest`; false when none is left. */
bool bw_slice_word(struct bw_slice *rest, struct bw_slice *word);
/* Copies into `out` of `size` bytes with a NUL, cut if need be; returns the length written. */
size_t bw_slice_copy(struct bw_slice s, char *out, size_t size);
/* A heap copy with a NUL, or NULL when memory is out. The caller frees it. */
char *bw_slice_dup(struct bw_slice s);

struct bw_buf {
	char *p;    /* always NUL-terminated once anything was written */
	size_t n;   /* bytes in use, without the NUL */
	size_t cap; /* bytes allocated */
	size_t max; /* never more text than this */
	bool cut;   /* something did not fit */
};

void bw_buf_init(struct bw_buf *b, size_t max); /* allocates nothing */
void bw_buf_done(struct bw_buf *b);
void bw_buf_reset(struct bw_buf *b); /* empty again, memory kept */
void bw_buf_add(struct bw_buf *b, struct bw_slice s);
void bw_buf_add_text(struct bw_buf *b, const char *text);
void bw_buf_add_char(struct bw_buf *b, char c);
void bw_buf_printf(struct bw_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *bw_buf_text(const struct bw_buf *b); /* "" when nothing was written */
struct bw_slice bw_buf_slice(const struct bw_buf *b);

#endif
