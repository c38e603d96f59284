/* document.h: what the sample file and the manual are both written with.
 *
 * Layer:     config, its own files only.
 * Threads:   pure.
 */
#ifndef BW_CONFIG_DOCUMENT_H
#define BW_CONFIG_DOCUMENT_H

#include "bw/config.h"

/* "conversation" of "conversation.senders". */
struct bw_slice bw_config_guard_of(const struct bw_setting *row);
/* What a threshold may be: "1 to 10000 or "off"", "enforce, shadow, off". Asked of the settings themselves. */
void bw_config_print_allowed(const struct bw_setting *row, struct bw_buf *out);

#endif
