/* link: bw_mail bw_base PkgConfig::GMIME */
#include <glib.h>
#include <stdlib.h>

#include "bw/mail.h"
#include "fuzz.h"

/* Whatever the subject, its base is UTF-8 of bounded length, and a reply prefix before it changes nothing but the answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bw_slice subject = { (const char *)data, size };
	bool reply = false;
	struct bw_buf prefixed;

	bw_mail_init();
	struct bw_arena *arena = bw_arena_new(1 << 16);
	struct bw_slice base = bw_subject_base(arena, subject, &reply);

	FUZZ_MUST(base.n <= 998 && g_utf8_validate(base.p, (gssize)base.n, NULL));
	bw_buf_init(&prefixed, 2000);
	bw_buf_add_text(&prefixed, "Re: ");
	bw_buf_add(&prefixed, bw_slice_head(subject, 900));
	bw_subject_base(arena, bw_buf_slice(&prefixed), &reply);
	FUZZ_MUST(reply);
	bw_buf_done(&prefixed);
	bw_arena_free(&arena);
	return 0;
}
