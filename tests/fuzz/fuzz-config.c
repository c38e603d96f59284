/* link: bw_config bw_directory bw_settings bw_mail bw_base */
#include <stdlib.h>

#include "bw/config.h"
#include "bw/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a configuration holds can be printed, and the directory takes its lists. */
static void use(const struct bw_config *c)
{
	struct bw_directory_builder *b = bw_directory_builder_new(&c->tiers);
	struct bw_buf text;

	bw_buf_init(&text, 1 << 20);
	for (size_t i = 0; i < bw_config_key_count(); i++)
		(void)bw_config_key_print(c, i, &text);
	for (size_t i = 0; b != NULL && i < c->list_count; i++) {
		if (bw_directory_add(b, &c->lists[i], NULL) != BW_OK)
			abort();
	}
	bw_directory_builder_free(&b);
	bw_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bw_config *c = NULL;
	struct bw_why why = { "" };

	bw_mail_init();
	if (bw_config_parse((struct bw_slice){ (const char *)data, size }, "fuzz.conf", &c, &why) == BW_OK)
		use(c);
	else if (why.text[0] == '\0')
		abort(); /* every refusal has its sentence */
	bw_config_free(&c);
	return 0;
}
