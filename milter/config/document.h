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
#endif
