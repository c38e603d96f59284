/* Groups of an LDAP server: groupOfNames (member), groupOfUniqueNames (uniqueMember), posixGroup (memberUid), and Active
 * Directory's group (member). Groups that are members of groups are followed.
 *
 * RFC 2696 (paged results): "the server may return the set of entries in pages"; a server that does not page sends all at once. */
#include <ctype.h>
#include <ldap.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "bw/clock.h"
#include "internal.h"

enum { ENTRIES_A_PAGE = 500, PASSWORD_BYTES = 512, NAME_BYTES = 4096 };

#define EVERY_GROUP                                                                                                    \
	"(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=groupOfMembers)" \
	"(objectClass=group))"

struct reading {
	struct bw_import *im;
	const char *uri; /* as the operator gave it, for sentences */
	LDAPURLDesc *url;
	LDAP *ld;
	const char *mail; /* the attribute that holds a group's address */
	struct berval *cookie;
	bool more;
	size_t referrals;
};

/* --- failures --- */

static enum bw_err fail_with(const struct reading *r, const char *what, int code, struct bw_why *why)
{
	char *text = NULL;
	enum bw_err err = BW_ERR_IO;

	if (r->ld != NULL)
		ldap_get_option(r->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
	if (code == LDAP_INVALID_CREDENTIALS || code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_INAPPROPRIATE_AUTH ||
	    code == LDAP_CONFIDENTIALITY_REQUIRED)
		err = BW_ERR_PERMISSION;
	else if (code == LDAP_NO_SUCH_OBJECT || code == LDAP_FILTER_ERROR || code == LDAP_INVALID_DN_SYNTAX)
		err = BW_ERR_INPUT;
	bw_fail(why, err, "%s: %s: %s%s%s", r->uri, what, ldap_err2string(code), text != NULL && text[0] != '\0' ? ": " : "",
	        text != NULL ? text : "");
	ldap_memfree(text);
	return err;
}

static bool time_left(const struct reading *r, struct timeval *out)
{
	int64_t left_ms = r->im->rules.deadline_ms - bw_clock_monotonic_ms();

	*out = (struct timeval){ .tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000 };
	return left_ms > 0;
}

static enum bw_err too_late(const struct reading *r, struct bw_why *why)
{
	return bw_fail(why, BW_ERR_IO, "%s: no answer in time", r->uri);
}

/* --- connecting --- */

static enum bw_err take_uri(struct reading *r, struct bw_why *why)
{
	if (ldap_url_parse(r->uri, &r->url) != LDAP_URL_SUCCESS || r->url->lud_dn == NULL || r->url->lud_dn[0] == '\0')
		return bw_fail(
			why, BW_ERR_INPUT,
			"\"%.200s\" is no LDAP URI with a base, expected one such as ldaps://ldap.example/ou=groups,dc=example?mail?sub",
			r->uri);
	if (r->url->lud_attrs != NULL && r->url->lud_attrs[0] != NULL && r->url->lud_attrs[1] != NULL)
		return bw_fail(why, BW_ERR_INPUT, "%.200s: names more than one attribute, where a group's address is in one", r->uri);
	r->mail = r->url->lud_attrs != NULL && r->url->lud_attrs[0] != NULL ? r->url->lud_attrs[0] : "mail";
	return BW_OK;
}

enum bw_err bw_import_check_ldap(const char *uri, struct bw_why *why)
{
	struct reading r = { .uri = uri };
	enum bw_err err = take_uri(&r, why);

	ldap_free_urldesc(r.url);
	return err;
}

/* RFC 4516 says "base" where an URI says nothing; of groups nobody means that. libldap does not tell the two apart. */
static bool names_scope(const char *uri)
{
	const char *at = strchr(uri, '?');

	at = at != NULL ? strchr(at + 1, '?') : NULL;
	return at != NULL && at[1] != '\0' && at[1] != '?';
}

/* What no option can refuse, and the bounds of every wait. */
static int set_options(struct reading *r, const struct timeval *left, const char *ca_file)
{
	int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
	int code = ldap_set_option(r->ld, LDAP_OPT_PROTOCOL_VERSION, &version);

	if (code == LDAP_OPT_SUCCESS)
		code = ldap_set_option(r->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	if (code == LDAP_OPT_SUCCESS)
		code = ldap_set_option(r->ld, LDAP_OPT_NETWORK_TIMEOUT, left);
	if (code == LDAP_OPT_SUCCESS)
		code = ldap_set_option(r->ld, LDAP_OPT_TIMEOUT, left);
	if (code == LDAP_OPT_SUCCESS)
		code = ldap_set_option(r->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
	if (code == LDAP_OPT_SUCCESS && ca_file != NULL)
		code = ldap_set_option(r->ld, LDAP_OPT_X_TLS_CACERTFILE, ca_file);
	if (code == LDAP_OPT_SUCCESS)
		code = ldap_set_option(r->ld, LDAP_OPT_X_TLS_NEWCTX, &client);
	return code;
}

static enum bw_err open_connection(struct reading *r, const struct bw_import_login *login, struct bw_why *why)
{
	LDAPURLDesc server = { .lud_scheme = r->url->lud_scheme, .lud_host = r->url->lud_host, .lud_port = r->url->lud_port };
	char *uri = ldap_url_desc2str(&server);
	struct timeval left;
	enum bw_err err = BW_OK;

	if (uri == NULL || ldap_initialize(&r->ld, uri) != LDAP_SUCCESS)
		err = bw_fail(why, BW_ERR_INPUT, "\"%.200s\" is no LDAP URI, expected ldap://, ldaps:// or ldapi://", r->uri);
	else if (!time_left(r, &left))
		err = too_late(r, why);
	else if (set_options(r, &left, login->ca_file) != LDAP_OPT_SUCCESS)
		err = bw_fail(why, BW_ERR_INPUT, "%s: TLS cannot be set up; is %s a file of certificates?", r->uri,
		              login->ca_file != NULL ? login->ca_file : "the system's file of certificates");
	ldap_memfree(uri);
	return err;
}

/* A password never goes over a connection that can be listened to, unless it stays on this host. */
static enum bw_err check_privacy(const struct reading *r, const struct bw_import_login *login, bool start_tls, struct bw_why *why)
{
	const char *host = r->url->lud_host;
	bool here = host == NULL || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || strncmp(host, "127.", 4) == 0;

	if (login->user == NULL || start_tls || here || strcmp(r->url->lud_scheme, "ldap") != 0)
		return BW_OK;
	return bw_fail(why, BW_ERR_INPUT, "%s: the password would go in the clear; use ldaps:// or --start-tls", r->uri);
}

static enum bw_err log_in(struct reading *r, const struct bw_import_login *login, bool start_tls, struct bw_why *why)
{
	char password[PASSWORD_BYTES];
	enum bw_err err = bw_import_password(login->password_file, password, sizeof(password), why);
	struct berval secret = { .bv_val = password, .bv_len = strlen(password) };
	int code = LDAP_SUCCESS;

	if (err == BW_OK && start_tls) {
		code = ldap_start_tls_s(r->ld, NULL, NULL);
		if (code != LDAP_SUCCESS)
			err = fail_with(
				r, "StartTLS failed (is its certificate made for this name, by somebody whom the system or --ca-file trusts?)",
				code, why);
	}
	if (err == BW_OK) {
		code = ldap_sasl_bind_s(r->ld, login->user, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
		if (code != LDAP_SUCCESS)
			err = fail_with(r, "cannot log in", code, why);
	}
	explicit_bzero(password, sizeof(password));
	return err;
}

/* --- names --- */

/* RFC 4517 3.3.21, uniqueMember: a DN, and perhaps "#'0101'B" behind it. */
static size_t without_bits(struct bw_slice value)
{
	size_t at = value.n;

	while (at > 0 && value.p[at - 1] != '#')
		at--;
	if (at < 2 || value.n < at + 3 || value.p[at] != '\'' || value.p[value.n - 1] != 'B' || value.p[value.n - 2] != '\'')
		return value.n;
	return at - 1;
}

static void fold(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* One spelling for a DN. A person whose entry is named by its uid is that uid, as posixGroup's memberUid says it. */
static bool dn_key(struct bw_slice dn, char out[NAME_BYTES])
{
	LDAPDN parsed = NULL;
	char *text = NULL;

	if (bw_slice_copy(dn, out, NAME_BYTES) < dn.n)
		return false;
	if (ldap_str2dn(out, &parsed, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && parsed != NULL) {
		LDAPAVA *first = parsed[0] != NULL ? parsed[0][0] : NULL;
		bool uid = first != NULL && parsed[0][1] == NULL &&
		           bw_slice_equal_nocase((struct bw_slice){ first->la_attr.bv_val, first->la_attr.bv_len }, BW_S("uid"));

		if (uid)
			snprintf(out, NAME_BYTES, "uid=%.*s", (int)first->la_value.bv_len, first->la_value.bv_val);
		else if (ldap_dn2str(parsed, &text, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && strlen(text) < NAME_BYTES)
			bw_slice_copy(bw_slice_of(text), out, NAME_BYTES);
	}
	ldap_memfree(text);
	ldap_dnfree(parsed);
	fold(out);
	return true;
}

/* --- entries --- */

enum member_kind { MEMBER_DN, MEMBER_UNIQUE, MEMBER_UID };

static const struct {
	const char *attribute;
	enum member_kind kind;
} members[] = { { "member", MEMBER_DN }, { "uniqueMember", MEMBER_UNIQUE }, { "memberUid", MEMBER_UID } };
enum { MEMBER_KINDS = sizeof(members) / sizeof(members[0]) };

static enum bw_err take_member(struct reading *r, uint32_t group, struct bw_slice value, enum member_kind kind,
                               struct bw_why *why)
{
	char name[NAME_BYTES];

	value = bw_slice_trim(value);
	if (kind == MEMBER_UNIQUE)
		value = bw_slice_head(value, without_bits(value));
	if (value.n == 0) /* groupOfNames has to have a member, and gets an empty one where there is none */
		return BW_OK;
	if (kind == MEMBER_UID && value.n < NAME_BYTES - 8) {
		snprintf(name, sizeof(name), "uid=%.*s", (int)value.n, value.p);
		fold(name);
	} else if (kind == MEMBER_UID || !dn_key(value, name)) {
		return bw_fail(why, BW_ERR_LIMIT, "%.*s: a member's name of more than %d bytes", (int)r->im->nodes[group].place.n,
		               r->im->nodes[group].place.p, NAME_BYTES);
	}
	return bw_import_member_named(r->im, group, bw_slice_of(name), why);
}

static enum bw_err take_members(struct reading *r, LDAPMessage *entry, uint32_t group, struct bw_why *why)
{
	enum bw_err err = BW_OK;

	for (size_t k = 0; err == BW_OK && k < MEMBER_KINDS; k++) {
		struct berval **values = ldap_get_values_len(r->ld, entry, members[k].attribute);

		for (size_t i = 0; err == BW_OK && values != NULL && values[i] != NULL; i++)
			err = take_member(r, group, (struct bw_slice){ values[i]->bv_val, values[i]->bv_len }, members[k].kind, why);
		ldap_value_free_len(values);
	}
	return err;
}

/* Active Directory gives a group's members in ranges from the 1,501st on: "member;range=0-1499". Half of a list is no list. */
static enum bw_err check_ranges(struct reading *r, LDAPMessage *entry, const char *dn, struct bw_why *why)
{
	BerElement *ber = NULL;
	enum bw_err err = BW_OK;

	for (char *name = ldap_first_attribute(r->ld, entry, &ber); name != NULL; name = ldap_next_attribute(r->ld, entry, ber)) {
		if (err == BW_OK && bw_slice_contains_nocase(bw_slice_of(name), BW_S(";range=")))
			err = bw_fail(why, BW_ERR_LIMIT,
			              "%s: the server gives its members in parts (%s); raise MaxValRange there, or import a CSV of the sizes",
			              dn, name);
		ldap_memfree(name);
	}
	ber_free(ber, 0);
	return err;
}

/* The addresses of a group; false: it has none. */
static enum bw_err take_addresses(struct reading *r, LDAPMessage *entry, uint32_t group, struct bw_why *why)
{
	struct berval **values = ldap_get_values_len(r->ld, entry, r->mail);
	struct bw_import_detail *detail = values != NULL ? bw_import_detail(r->im, group) : NULL;
	size_t most = detail == NULL ? 0 : sizeof(detail->addresses) / sizeof(detail->addresses[0]);
	char address[BW_IMPORT_ADDRESS_BYTES];
	bool bare;

	for (size_t i = 0; detail != NULL && values[i] != NULL; i++) {
		struct bw_slice raw = { values[i]->bv_val, values[i]->bv_len };

		if (detail->address_count == most || bw_slice_find(raw, '@') == raw.n || !bw_import_address(r->im, raw, &bare, address))
			bw_import_note(r->im, "%.*s: %s \"%.*s\" is no address, or one too many: passed over",
			               (int)r->im->nodes[group].place.n, r->im->nodes[group].place.p, r->mail,
			               (int)(raw.n > 100 ? 100 : raw.n), raw.p);
		else
			detail->addresses[detail->address_count++] = bw_import_keep(r->im, bw_slice_of(address));
	}
	if (values != NULL && detail == NULL)
		return bw_import_no_memory(why);
	if (detail == NULL || detail->address_count == 0)
		r->im->nodes[group].kind = BW_IMPORT_STEP;
	ldap_value_free_len(values);
	return BW_OK;
}

static enum bw_err take_group(struct reading *r, LDAPMessage *entry, const char *dn, struct bw_why *why)
{
	char name[NAME_BYTES];
	uint32_t group;
	enum bw_err err = check_ranges(r, entry, dn, why);

	if (err != BW_OK)
		return err;
	if (!dn_key(bw_slice_of(dn), name))
		return bw_fail(why, BW_ERR_LIMIT, "%.200s: a name of more than %d bytes", dn, NAME_BYTES);
	err = bw_import_node(r->im, bw_slice_of(name), &group, why);
	if (err != BW_OK)
		return err;
	if (!bw_import_begin(r->im, group, BW_IMPORT_LIST, bw_slice_of(dn)))
		return bw_fail(why, BW_ERR_INPUT, "%s: %s is there twice: the groups changed while they were read; try again", r->uri,
		               dn);
	r->im->nodes[group].listed = true;
	err = take_addresses(r, entry, group, why);
	return err == BW_OK ? take_members(r, entry, group, why) : err;
}

static enum bw_err take_entry(struct reading *r, LDAPMessage *entry, struct bw_why *why)
{
	char *dn = ldap_get_dn(r->ld, entry);
	enum bw_err err = dn == NULL ? bw_import_no_memory(why) : take_group(r, entry, dn, why);

	ldap_memfree(dn);
	return err;
}

/* --- searching --- */

/* The last message of a page: did all go well, and is there another? */
static enum bw_err end_page(struct reading *r, LDAPMessage *message, struct bw_why *why)
{
	LDAPControl **controls = NULL, *paged;
	struct berval cookie = { 0 };
	ber_int_t estimate = 0;
	int code = LDAP_SUCCESS, parsed = ldap_parse_result(r->ld, message, &code, NULL, NULL, NULL, &controls, 0);

	r->more = false;
	ber_bvfree(r->cookie);
	r->cookie = NULL;
	paged = parsed == LDAP_SUCCESS ? ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL) : NULL;
	if (paged != NULL && ldap_parse_pageresponse_control(r->ld, paged, &estimate, &cookie) == LDAP_SUCCESS && cookie.bv_len > 0) {
		r->cookie = ber_bvdup(&cookie);
		r->more = true;
	}
	ber_memfree(cookie.bv_val);
	ldap_controls_free(controls);
	if (parsed != LDAP_SUCCESS)
		return fail_with(r, "the answer cannot be read", parsed, why);
	if (code == LDAP_SIZELIMIT_EXCEEDED || code == LDAP_ADMINLIMIT_EXCEEDED)
		return bw_fail(why, BW_ERR_LIMIT, "%s: the server gives a part of the groups only (%s); raise its limit for this user",
		               r->uri, ldap_err2string(code));
	if (code != LDAP_SUCCESS)
		return fail_with(r, r->url->lud_dn, code, why);
	if (r->more && r->cookie == NULL)
		return bw_import_no_memory(why);
	return BW_OK;
}

static enum bw_err take_message(struct reading *r, LDAPMessage *message, bool *over, struct bw_why *why)
{
	switch (ldap_msgtype(message)) {
	case LDAP_RES_SEARCH_ENTRY:
		return take_entry(r, message, why);
	case LDAP_RES_SEARCH_REFERENCE:
		r->referrals++;
		return BW_OK;
	default:
		*over = true;
		return end_page(r, message, why);
	}
}

static enum bw_err read_page(struct reading *r, int id, struct bw_why *why)
{
	bool over = false;
	enum bw_err err = BW_OK;

	while (err == BW_OK && !over) {
		LDAPMessage *message = NULL;
		struct timeval left;
		int code = LDAP_SUCCESS, type = time_left(r, &left) ? ldap_result(r->ld, id, LDAP_MSG_ONE, &left, &message) : 0;

		if (type == 0)
			err = too_late(r, why);
		else if (type < 0 && ldap_get_option(r->ld, LDAP_OPT_RESULT_CODE, &code) == LDAP_OPT_SUCCESS)
			err = fail_with(r, "the connection is lost", code, why);
		else
			err = take_message(r, message, &over, why);
		ldap_msgfree(message);
	}
	return err;
}

static enum bw_err ask_page(struct reading *r, int *id, struct bw_why *why)
{
	char *attributes[MEMBER_KINDS + 2] = { NULL };
	LDAPControl *paged = NULL;
	struct timeval left;
	size_t n = 0;

	/* libldap's attributes are not const for historical reasons; it does not write to them. */
	for (; n < MEMBER_KINDS; n++)
		attributes[n] = (char *)(uintptr_t)members[n].attribute;
	attributes[n] = (char *)(uintptr_t)r->mail;
	if (!time_left(r, &left))
		return too_late(r, why);
	int code = ldap_create_page_control(r->ld, ENTRIES_A_PAGE, r->cookie, 0, &paged);
	LDAPControl *controls[] = { paged, NULL };

	if (code == LDAP_SUCCESS)
		code = ldap_search_ext(r->ld, r->url->lud_dn, names_scope(r->uri) ? r->url->lud_scope : LDAP_SCOPE_SUBTREE,
		                       r->url->lud_filter != NULL ? r->url->lud_filter : EVERY_GROUP, attributes, 0, controls, NULL,
		                       &left, LDAP_NO_LIMIT, id);
	ldap_control_free(paged);
	return code == LDAP_SUCCESS ? BW_OK : fail_with(r, "cannot search", code, why);
}

static enum bw_err read_all(struct reading *r, struct bw_why *why)
{
	enum bw_err err = BW_OK;
	int id = -1;

	do {
		err = ask_page(r, &id, why);
		if (err == BW_OK)
			err = read_page(r, id, why);
	} while (err == BW_OK && r->more);
	if (r->referrals > 0)
		bw_import_note(r->im, "%s: %zu parts of the tree are on other servers: passed over", r->uri, r->referrals);
	return err;
}

enum bw_err bw_import_ldap(struct bw_import *im, const char *uri, const struct bw_import_login *login, bool start_tls,
                           struct bw_why *why)
{
	struct reading r = { .im = im, .uri = uri };
	enum bw_err err = take_uri(&r, why);

	if (err == BW_OK)
		err = check_privacy(&r, login, start_tls, why);
	if (err == BW_OK)
		err = open_connection(&r, login, why);
	if (err == BW_OK)
		err = log_in(&r, login, start_tls, why);
	if (err == BW_OK)
		err = read_all(&r, why);
	ber_bvfree(r.cookie);
	if (r.ld != NULL)
		ldap_unbind_ext_s(r.ld, NULL, NULL);
	ldap_free_urldesc(r.url);
	return err;
}
