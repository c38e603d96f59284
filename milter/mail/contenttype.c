/* Content-Type (RFC 2045 5.1) and what it says about the class. */
#include <gmime/gmime.h>
#include <string.h>

#include "signs.h"

struct part_rule {
	const char *type, *subtype;
	uint64_t alone, in_report; /* signs of such a part outside and within a multipart/report */
};

static const struct part_rule parts[] = {
	/* RFC 3464 2.1, RFC 6533 4.2 */
	{ "message", "delivery-status", BW_SIGN(STATUS_PART), BW_SIGN(REPORT_DSN) },
	{ "message", "global-delivery-status", BW_SIGN(STATUS_PART), BW_SIGN(REPORT_DSN) },
	/* RFC 8098 3.1, RFC 6533 5 */
	{ "message", "disposition-notification", BW_SIGN(RECEIPT_PART), BW_SIGN(REPORT_MDN) },
	{ "message", "global-disposition-notification", BW_SIGN(RECEIPT_PART), BW_SIGN(REPORT_MDN) },
	/* RFC 5965 2 */
	{ "message", "feedback-report", 0, BW_SIGN(REPORT_FEEDBACK) },
	{ "text", "calendar", BW_SIGN(CALENDAR), BW_SIGN(CALENDAR) },
	/* MS-OXTNEF */
	{ "application", "ms-tnef", BW_SIGN(TNEF), BW_SIGN(TNEF) },
	{ "application", "vnd.ms-tnef", BW_SIGN(TNEF), BW_SIGN(TNEF) },
};

struct parameter_rule {
	const char *subtype, *parameter, *value;
	uint64_t sign;
};

static const struct parameter_rule parameters[] = {
	/* RFC 6522 3: report-type is the subtype of the second part. */
	{ "report", "report-type", "delivery-status", BW_SIGN(REPORT_DSN) },
	{ "report", "report-type", "global-delivery-status", BW_SIGN(REPORT_DSN) },
	{ "report", "report-type", "disposition-notification", BW_SIGN(REPORT_MDN) },
	{ "report", "report-type", "global-disposition-notification", BW_SIGN(REPORT_MDN) },
	{ "report", "report-type", "feedback-report", BW_SIGN(REPORT_FEEDBACK) },
	/* RFC 6047 2.4: the method stands in the header too; RFC 5546 3.2.3, 3.2.7: what an attendee sends. */
	{ "calendar", "method", "reply", BW_SIGN(CALENDAR_REPLY) },
	{ "calendar", "method", "counter", BW_SIGN(CALENDAR_REPLY) },
};

static bool is(const char *a, const char *b)
{
	return a != NULL && g_ascii_strcasecmp(a, b) == 0;
}

static uint64_t part_signs(const char *type, const char *subtype, bool in_report)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (is(type, parts[i].type) && is(subtype, parts[i].subtype))
			return in_report ? parts[i].in_report : parts[i].alone;
	}
	return 0;
}

static uint64_t parameter_signs(GMimeContentType *type, const char *subtype)
{
	uint64_t signs = 0;

	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		const struct parameter_rule *p = &parameters[i];

		if (is(subtype, p->subtype) && is(g_mime_content_type_get_parameter(type, p->parameter), p->value))
			signs |= p->sign;
	}
	return signs;
}

/* A boundary that does not fit is none: what is behind it stays unread. RFC 2046 5.1.1: it does not end in a blank. */
static void copy_boundary(const char *boundary, struct bw_mail_type *out)
{
	struct bw_slice s = bw_slice_trim(bw_slice_of(boundary));

	if (s.n <= BW_MAIL_BOUNDARY_MAX)
		bw_slice_copy(s, out->boundary, sizeof(out->boundary));
}

/* Most parts of most messages: they say nothing, whatever their parameters are. */
static bool is_plain(struct bw_slice value)
{
	static const struct bw_slice plain[] = { { "text/plain", 10 }, { "text/html", 9 } };

	value = bw_slice_trim(value);
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (!bw_slice_starts_nocase(value, plain[i]))
			continue;
		return value.n == plain[i].n || strchr("; \t\r\n", value.p[plain[i].n]) != NULL;
	}
	return value.n == 0;
}

void bw_mail_type_read(struct bw_slice value, bool in_report, struct bw_mail_type *out)
{
	char text[BW_MAIL_TYPE_MAX];

	memset(out, 0, sizeof(*out));
	if (is_plain(value))
		return;
	bw_mail_unfold(value, text, sizeof(text), NULL);
	GMimeContentType *type = g_mime_content_type_parse(NULL, text);

	if (type == NULL)
		return;
	const char *subtype = g_mime_content_type_get_media_subtype(type);

	out->multipart = is(g_mime_content_type_get_media_type(type), "multipart");
	out->report = out->multipart && is(subtype, "report");
	out->signs = part_signs(g_mime_content_type_get_media_type(type), subtype, in_report) | parameter_signs(type, subtype);
	if (out->report)
		out->signs |= BW_SIGN(REPORT);
	if (out->multipart)
		copy_boundary(g_mime_content_type_get_parameter(type, "boundary"), out);
	g_object_unref(type);
}
