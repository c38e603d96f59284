/* link: bw_agent bw_base */
/* What comes to breakwater-helper from one who is not root: a packet, and in it an order. The order is read twice: as it is, and with the
 * signature that it should have, so that what stands behind that is reached, too. */
#include <sodium.h>
#include <string.h>

#include "../../milter/agent/packet.h"
#include "bw/order.h"
#include "fuzz.h"

static const struct bw_order_key key = { { 7 } };

static bool same(const struct bw_order *a, const struct bw_order *b)
{
	return a->kind == b->kind && bw_slice_equal(a->host, b->host) && bw_slice_equal(a->mta, b->mta) &&
	       bw_slice_equal(a->queue_id, b->queue_id) && bw_hash_equal(&a->id, &b->id) && bw_hash_equal(&a->nonce, &b->nonce) &&
	       a->at_ms == b->at_ms && a->until_ms == b->until_ms;
}

/* Whatever is read is what would be written of it, and within what a text may hold. */
static void check_order(struct bw_slice text)
{
	struct bw_order order, again;
	struct bw_buf printed;

	if (bw_order_read(&key, text, 0, &order, NULL) != BW_OK)
		return;
	bw_buf_init(&printed, BW_ORDER_TEXT_BYTES);
	FUZZ_MUST(bw_order_print(&printed, &key, &order));
	FUZZ_MUST(bw_slice_equal_nocase(bw_buf_slice(&printed), text));
	FUZZ_MUST(bw_order_read(&key, bw_buf_slice(&printed), 0, &again, NULL) == BW_OK && same(&order, &again));
	bw_buf_done(&printed);
}

static void check_signed(struct bw_slice text)
{
	uint8_t mac[crypto_auth_BYTES];
	char hex[2 * crypto_auth_BYTES + 1];
	struct bw_buf whole;

	crypto_auth(mac, (const uint8_t *)(text.n == 0 ? "" : text.p), text.n, key.b);
	bw_buf_init(&whole, 2 * BW_ORDER_TEXT_BYTES);
	bw_buf_add(&whole, text);
	bw_buf_printf(&whole, "; mac=%s", sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac)));
	check_order(bw_buf_slice(&whole));
	bw_buf_done(&whole);
}

static void check_packet(const struct packet *p)
{
	static const char *const names[] = { "ask", "mta", "config", "queue", "order", "seal", "id", "at" };
	struct packet_file file;
	struct bw_hash hash;
	int64_t number;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bw_slice value = packet_get(p, names[i]);

		/* Used as a C string. */
		FUZZ_MUST(value.p != NULL && value.p[value.n] == '\0' && memchr(value.p, '\0', value.n) == NULL);
		packet_get_hash(p, names[i], &hash);
		packet_get_int(p, names[i], &number);
	}
	for (size_t i = 0; i < PACKET_FILES_MAX; i++)
		FUZZ_MUST(!packet_get_file(p, i, &file) || (file.mode <= 0777 && file.bytes >= 0 && strpbrk(file.name, "./ ") == NULL));
	check_order(packet_get(p, "order"));
	check_signed(packet_get(p, "order"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct packet p;

	check_order((struct bw_slice){ (const char *)data, size });
	check_signed((struct bw_slice){ (const char *)data, size });
	packet_reset(&p);
	if (size > PACKET_BYTES)
		return 0;
	memcpy(p.bytes, data, size);
	p.n = size;
	if (packet_is_good(&p))
		check_packet(&p);
	return 0;
}
