#include "identity.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_submission(const struct bw_config *config, const char *daemon_name)
{
	for (size_t i = 0; daemon_name != NULL && i < config->internal.submission_count; i++) {
		if (strcmp(daemon_name, config->internal.submission_daemons[i]) == 0)
			return true;
	}
	return false;
}

/* No address: the MTA's own host, or a client whose address the MTA lost. Nobody vouches for the latter. */
static void classify_local(struct bw_facts *facts)
{
	facts->client = BW_CLIENT_INSIDE;
	memcpy(facts->client_ip, "local", sizeof("local"));
}

void bw_identity_classify(const struct bw_config *config, const char *ip, const char *daemon_name, struct bw_facts *facts)
{
	facts->vouched = facts->relay = facts->expander = facts->list_server = false;
	if (ip == NULL || ip[0] == '\0') {
		classify_local(facts);
		return;
	}
	bw_slice_copy(bw_slice_of(ip), facts->client_ip, sizeof(facts->client_ip));
	facts->vouched = bw_networks_contain(config->internal.vouched, ip);
	facts->relay = bw_networks_contain(config->internal.relays, ip);
	facts->expander = bw_networks_contain(config->internal.expanders, ip);
	facts->list_server = bw_networks_contain(config->internal.list_servers, ip);
	bool ours = facts->vouched || facts->relay || facts->expander || facts->list_server ||
	            bw_networks_contain(config->internal.networks, ip);

	facts->client = ours ? BW_CLIENT_INSIDE : BW_CLIENT_OUTSIDE;
	if (is_submission(config, daemon_name))
		facts->client = BW_CLIENT_SUBMISSION;
}

/* "192.0.2.0/24" or "2001:db8:1:2::/64": a stranger who changes addresses within one network stays one stranger. */
static void write_network(const char *ip, struct bw_buf *out)
{
	struct in6_addr v6;
	struct in_addr v4;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, ip, &v4) == 1) {
		v4.s_addr &= htonl(0xFFFFFF00);
		inet_ntop(AF_INET, &v4, text, sizeof(text));
		bw_buf_printf(out, "%s/24", text);
	} else if (inet_pton(AF_INET6, ip, &v6) == 1) {
		memset(v6.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &v6, text, sizeof(text));
		bw_buf_printf(out, "%s/64", text);
	} else {
		bw_buf_add_text(out, ip);
	}
}

static void write_lower(const char *text, struct bw_buf *out)
{
	for (; *text != '\0'; text++)
		bw_buf_add_char(out, (*text >= 'A' && *text <= 'Z') ? (char)(*text + ('a' - 'A')) : *text);
}

/* The name that the operator gave to a certificate's subject ("SUBJECT=NAME", the last '=' divides); NULL: none. */
static const char *mapped_name(const struct bw_config *config, const char *subject)
{
	for (size_t i = 0; subject != NULL && i < config->internal.certificate_count; i++) {
		const char *row = config->internal.certificates[i];
		const char *divider = strrchr(row, '=');

		if (divider != NULL && strlen(subject) == (size_t)(divider - row) &&
		    strncmp(subject, row, (size_t)(divider - row)) == 0)
			return divider + 1;
	}
	return NULL;
}

enum bw_identity_kind bw_identity_write(const struct bw_config *config, const struct bw_facts *facts, const char *auth,
                                        const char *cert, struct bw_buf *out)
{
	const char *sender = facts->sender.text[0] == '\0' ? "<>" : facts->sender.text;

	if (auth != NULL && auth[0] != '\0') {
		struct bw_buf name;

		bw_buf_init(&name, BW_ADDRESS_MAX);
		bw_buf_printf(&name, "auth:%s", auth);
		bw_config_identity(config, bw_buf_slice(&name), out);
		bw_buf_done(&name);
		return BW_IDENTITY_AUTH;
	}
	const char *name = mapped_name(config, cert);

	if (name != NULL) {
		bw_buf_add_text(out, "cert:");
		write_lower(name, out);
		return BW_IDENTITY_CERT;
	}
	if (facts->vouched) {
		bw_buf_printf(out, "inside:%s", sender);
		return BW_IDENTITY_INSIDE;
	}
	bw_buf_printf(out, "outside:%s ", sender);
	write_network(facts->client_ip, out);
	return BW_IDENTITY_OUTSIDE;
}
