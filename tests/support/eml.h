/* eml.h: a message in a file, handed to the header parser as an MTA would. For tests only. */
#ifndef BW_TESTS_EML_H
#define BW_TESTS_EML_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/mail.h"

struct eml {
	char *bytes;
	size_t n;
	bool null_sender; /* Return-Path: <>, which Postfix also writes as <MAILER-DAEMON> */
};

static bool eml_load(const char *path, struct eml *out)
{
	FILE *f = fopen(path, "rb");
	long size;

	if (f == NULL)
		return false;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	out->null_sender = false;
	out->bytes = malloc((size_t)size + 1);
	out->n = out->bytes == NULL ? 0 : fread(out->bytes, 1, (size_t)size, f);
	fclose(f);
	return out->bytes != NULL && out->n == (size_t)size;
}

static bool eml_is_null(struct bw_slice value)
{
	value = bw_slice_trim(value);
	return bw_slice_equal(value, BW_S("<>")) || bw_slice_equal(value, BW_S("<MAILER-DAEMON>"));
}

static void eml_field(struct bw_header_parser *p, struct bw_slice field, bool *null_sender)
{
	size_t colon = bw_slice_find(field, ':');
	struct bw_slice name = bw_slice_head(field, colon);
	struct bw_slice value = bw_slice_from(field, colon + 1);

	if (colon == 0 || colon == field.n || bw_slice_starts_nocase(field, BW_S("From ")))
		return;
	if (bw_slice_equal_nocase(name, BW_S("Return-Path")) && eml_is_null(value))
		*null_sender = true;
	bw_header_add(p, name, value);
}

/* Hands over the header, then the body in pieces of `step` bytes. Returns what `out` is given. */
static void eml_parse(const struct eml *m, struct bw_header_parser *p, size_t step, bool trust_path, struct bw_header *out)
{
	size_t at = 0;
	bool null_sender = false;

	while (at < m->n && strchr(" \t\r\n", m->bytes[at]) != NULL && m->bytes[at] != '\0')
		at++; /* blank lines before the header are the file's, not the message's */

	while (at < m->n && m->bytes[at] != '\n' && !(m->bytes[at] == '\r' && at + 1 < m->n && m->bytes[at + 1] == '\n')) {
		size_t end = at;

		do {
			const char *nl = memchr(m->bytes + end, '\n', m->n - end);

			end = nl == NULL ? m->n : (size_t)(nl - m->bytes) + 1;
		} while (end < m->n && (m->bytes[end] == ' ' || m->bytes[end] == '\t'));
		eml_field(p, (struct bw_slice){ m->bytes + at, end - at }, &null_sender);
		at = end;
	}
	while (at < m->n && bw_header_body(p, bw_slice_head((struct bw_slice){ m->bytes + at, m->n - at }, step)))
		at += step;
	bw_header_done(p, trust_path && null_sender, out);
}

#endif
