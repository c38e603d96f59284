/* link: bw_simulate bw_mail bw_base */
/* How many automatic messages are found, and how many people are taken for machines: messages whose class is known, brought through
 * the calls a session makes.
 *
 * Measured are the project's own samples (tests/samples, the folder is the label) and, where they are, real messages in ../shared/data
 * (BW_DATA names another folder): labelled/labels.tsv, and lists/, archives of people's mail. Fails when a label that must be found is
 * found less often than it must, or when too many people are taken for machines. What is wrong is listed by file. */
#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bw/mbox.h"
#include "eml.h"

enum { RECALL_PERCENT = 98, FALSE_PERMILLE = 5, PATH_BYTES = 4096, LINE_BYTES = 16384, WRONG_SHOWN = 60, SAMPLES_LEAST = 60 };

/* What a label must become, and which promise counts it. */
static const struct label {
	const char *name;
	enum bw_class class;
	enum promise { NONE, RECALL, PEOPLE } promise;
} labels[] = {
	{ "oof", BW_CLASS_AUTO_REPLY, RECALL },
	{ "auto-reply", BW_CLASS_AUTO_REPLY, RECALL },
	{ "autoack", BW_CLASS_AUTO_REPLY, RECALL },
	{ "mdn", BW_CLASS_MDN, RECALL },
	{ "dsn", BW_CLASS_DSN, RECALL },
	{ "recall", BW_CLASS_RECALL, NONE },
	{ "calendar-reply", BW_CLASS_CALENDAR_REPLY, NONE },
	{ "challenge", BW_CLASS_AUTO_REPLY, NONE },
	{ "arf", BW_CLASS_BULK, NONE },
	{ "bulk", BW_CLASS_BULK, NONE },
	{ "autogen", BW_CLASS_HUMAN, NONE },
	{ "auto-generated", BW_CLASS_HUMAN, NONE },
	{ "human", BW_CLASS_HUMAN, PEOPLE },
	{ "human-trap", BW_CLASS_HUMAN, PEOPLE },
	{ "list-archive", BW_CLASS_HUMAN, PEOPLE },
};

enum { LABELS = sizeof(labels) / sizeof(labels[0]), ARCHIVE = LABELS - 1 };

struct measure {
	const char *name;
	bool trust_path; /* Return-Path stands for the envelope's sender */
	unsigned count[LABELS][BW_CLASS_COUNT][BW_EVIDENCE_COUNT];
	unsigned automatic[LABELS]; /* called automatic, whatever the class */
	unsigned messages, wrong;
};

/* The classes that the automaton guard stops. */
static bool is_automatic(enum bw_class class)
{
	switch (class) {
	case BW_CLASS_AUTO_REPLY:
	case BW_CLASS_MDN:
	case BW_CLASS_DSN:
	case BW_CLASS_RECALL:
	case BW_CLASS_CALENDAR_REPLY:
		return true;
	case BW_CLASS_HUMAN:
	case BW_CLASS_BULK:
	case BW_CLASS_LIST_OUTPUT:
	case BW_CLASS_COUNT:
		break;
	}
	return false;
}

/* What is worth a line: another class where one is promised, and people or robots that would be stopped. */
static bool is_wrong(const struct label *label, enum bw_class class)
{
	return label->promise == RECALL || is_automatic(label->class) ? class != label->class : is_automatic(class);
}

static void note(struct measure *m, size_t label, const char *where, const struct bw_header *h)
{
	m->messages++;
	m->count[label][h->class][h->evidence]++;
	m->automatic[label] += is_automatic(h->class);
	if (!is_wrong(&labels[label], h->class))
		return;
	if (m->wrong++ < WRONG_SHOWN)
		printf("  wrong: %s (%s) is called %s, %s evidence: %s\n", where, labels[label].name, bw_class_name(h->class),
		       bw_evidence_name(h->evidence), h->class_reason);
}

static size_t label_of(const char *name)
{
	size_t i = 0;

	while (i < LABELS && strcmp(labels[i].name, name) != 0)
		i++;
	return i;
}

/* --- single messages --- */

static bool judge_file(struct measure *m, size_t label, const char *path, const char *where)
{
	struct bw_arena *arena = bw_arena_new(2 << 20);
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;
	struct eml mail = { 0 };
	bool ok = eml_load(path, &mail);

	if (ok) {
		eml_parse(&mail, p, 4096, m->trust_path, &h);
		note(m, label, where, &h);
	} else {
		printf("  %s cannot be read\n", path);
	}
	free(mail.bytes);
	bw_header_free(&p);
	bw_arena_free(&arena);
	return ok;
}

static bool judge_folder(struct measure *m, size_t label, const char *folder)
{
	char path[PATH_BYTES], where[PATH_BYTES / 2];
	bool ok = true;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, labels[label].name);
	DIR *d = opendir(path);

	if (d == NULL)
		return true; /* not every label has samples */
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(where, sizeof(where), "%s/%s", labels[label].name, e->d_name);
		(void)snprintf(path, sizeof(path), "%s/%s", folder, where);
		ok = judge_file(m, label, path, where) && ok;
	}
	closedir(d);
	return ok;
}

/* labels.tsv: file, label, and columns that do not matter here. */
static bool judge_labelled(struct measure *m, const char *data)
{
	char path[PATH_BYTES], line[LINE_BYTES];
	bool ok = true;

	(void)snprintf(path, sizeof(path), "%s/labelled/labels.tsv", data);
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		char *save = NULL;
		const char *file = strtok_r(line, "\t", &save);
		const char *name = strtok_r(NULL, "\t", &save);
		size_t label = name == NULL ? LABELS : label_of(name);

		if (label == LABELS)
			continue; /* the head, or a label that promises nothing */
		(void)snprintf(path, sizeof(path), "%s/labelled/%s", data, file);
		ok = judge_file(m, label, path, file) && ok;
	}
	fclose(f);
	return ok;
}

/* --- archives --- */

static void add_field(void *ctx, struct bw_slice name, struct bw_slice value)
{
	bw_header_add(ctx, name, value);
}

static void judge_archived(struct measure *m, const struct bw_mbox_message *mail, const char *file, struct bw_arena *arena)
{
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;
	char where[PATH_BYTES / 2];

	bw_mbox_fields(mail->head, add_field, p);
	(void)bw_header_body(p, mail->body);
	bw_header_done(p, false, &h);
	(void)snprintf(where, sizeof(where), "%s:%lld", file, (long long)mail->line);
	note(m, ARCHIVE, where, &h);
	bw_header_free(&p);
	bw_arena_reset(arena);
}

static bool judge_archive(struct measure *m, const char *path, const char *file)
{
	struct bw_arena *arena = bw_arena_new(2 << 20);
	struct bw_mbox *mbox = NULL;
	struct bw_mbox_message mail;
	struct bw_why why;
	bool found = false;
	bool ok = bw_mbox_open(path, &mbox, &why) == BW_OK;

	while (ok && (ok = bw_mbox_next(mbox, &mail, &found, &why) == BW_OK) && found)
		judge_archived(m, &mail, file, arena);
	if (!ok)
		printf("  %s\n", why.text);
	bw_mbox_close(&mbox);
	bw_arena_free(&arena);
	return ok;
}

static bool judge_archives(struct measure *m, const char *data)
{
	char path[PATH_BYTES];
	bool ok = true;

	(void)snprintf(path, sizeof(path), "%s/lists", data);
	DIR *d = opendir(path);

	if (d == NULL)
		return false;
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		size_t n = strlen(e->d_name);

		if (n < 5 || strcmp(e->d_name + n - 5, ".mbox") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/lists/%s", data, e->d_name);
		ok = judge_archive(m, path, e->d_name) && ok;
	}
	closedir(d);
	return ok;
}

/* --- what it came to --- */

static unsigned of_label(const struct measure *m, size_t label, enum bw_class class)
{
	unsigned n = 0;

	for (int e = 0; e < BW_EVIDENCE_COUNT; e++)
		n += m->count[label][class][e];
	return n;
}

static unsigned all_of_label(const struct measure *m, size_t label)
{
	unsigned n = 0;

	for (int c = 0; c < BW_CLASS_COUNT; c++)
		n += of_label(m, label, (enum bw_class)c);
	return n;
}

static double share(unsigned part, unsigned whole)
{
	return whole == 0 ? 1.0 : (double)part / whole;
}

static void print_labels(const struct measure *m)
{
	printf("  %-15s %6s %8s %8s %7s %10s %9s\n", "label", "mails", "protocol", "weak", "recall", "automatic", "as bulk");
	for (size_t i = 0; i < LABELS; i++) {
		unsigned all = all_of_label(m, i);
		const unsigned *found = m->count[i][labels[i].class];

		if (all == 0)
			continue;
		printf("  %-15s %6u %8u %8u %7.3f %10u %9u\n", labels[i].name, all, found[BW_EVIDENCE_PROTOCOL], found[BW_EVIDENCE_WEAK],
		       share(of_label(m, i, labels[i].class), all), m->automatic[i], of_label(m, i, BW_CLASS_BULK));
	}
}

static void print_classes(const struct measure *m)
{
	printf("  %-15s %6s %10s %14s\n", "class", "mails", "precision", "weak evidence");
	for (int c = 0; c < BW_CLASS_COUNT; c++) {
		unsigned all = 0, right = 0, weak = 0, weak_right = 0;

		for (size_t i = 0; i < LABELS; i++) {
			bool fits = labels[i].class == (enum bw_class)c;
			unsigned by_weak = m->count[i][c][BW_EVIDENCE_WEAK];

			all += of_label(m, i, (enum bw_class)c);
			right += fits ? of_label(m, i, (enum bw_class)c) : 0;
			weak += by_weak;
			weak_right += fits ? by_weak : 0;
		}
		if (all > 0)
			printf("  %-15s %6u %10.3f %6u %7.3f\n", bw_class_name((enum bw_class)c), all, share(right, all), weak,
			       share(weak_right, weak));
	}
}

/* The sum of all labels of one promise and one class. */
static bool keeps_recall(const struct measure *m, enum bw_class class)
{
	unsigned all = 0, found = 0;

	for (size_t i = 0; i < LABELS; i++) {
		if (labels[i].promise != RECALL || labels[i].class != class)
			continue;
		all += all_of_label(m, i);
		found += of_label(m, i, class);
	}
	bool ok = found * 100 >= all * RECALL_PERCENT;

	printf("  %s: %s found %u of %u, at least %d %% wanted\n", ok ? "ok" : "FAILED", bw_class_name(class), found, all, RECALL_PERCENT);
	return ok;
}

static bool keeps_people(const struct measure *m)
{
	unsigned all = 0, taken = 0;

	for (size_t i = 0; i < LABELS; i++) {
		if (labels[i].promise != PEOPLE)
			continue;
		all += all_of_label(m, i);
		taken += m->automatic[i];
	}
	bool ok = taken * 1000 <= all * FALSE_PERMILLE;

	printf("  %s: %u of %u people's messages called automatic, at most %d in 1,000 allowed\n", ok ? "ok" : "FAILED", taken, all,
	       FALSE_PERMILLE);
	return ok;
}

static bool conclude(const struct measure *m)
{
	bool ok = true;

	print_labels(m);
	print_classes(m);
	ok = keeps_recall(m, BW_CLASS_AUTO_REPLY) && ok;
	ok = keeps_recall(m, BW_CLASS_MDN) && ok;
	ok = keeps_recall(m, BW_CLASS_DSN) && ok;
	ok = keeps_people(m) && ok;
	return ok;
}

/* Of our own, which were written to be clear, none may be wrong. */
static bool measure_samples(void)
{
	struct measure m = { .trust_path = true };
	bool ok = true;

	printf("The project's own samples\n");
	for (size_t i = 0; i < LABELS; i++)
		ok = judge_folder(&m, i, BW_SOURCE_DIR "/tests/samples") && ok;
	ok = conclude(&m) && ok;
	if (m.messages < SAMPLES_LEAST || m.wrong > 0) {
		printf("  FAILED: %u samples, at least %d wanted; %u of them wrong, none allowed\n", m.messages, SAMPLES_LEAST, m.wrong);
		ok = false;
	}
	return ok;
}

static bool measure_data(const char *data, bool trust_path)
{
	struct measure m = { .trust_path = trust_path };

	printf("Labelled messages and list archives, Return-Path %s for the envelope's sender\n", trust_path ? "taken" : "not taken");
	bool ok = judge_labelled(&m, data);

	ok = judge_archives(&m, data) && ok;
	ok = m.messages > 0 && ok;
	return conclude(&m) && ok;
}

static bool has_data(const char *data)
{
	DIR *d = opendir(data);

	if (d == NULL)
		return false;
	closedir(d);
	return true;
}

int main(void)
{
	const char *set = getenv("BW_DATA");
	const char *data = set != NULL ? set : BW_SOURCE_DIR "/../shared/data";

	bw_mail_init();
	bool ok = measure_samples();

	if (has_data(data)) {
		ok = measure_data(data, true) && ok;
		ok = measure_data(data, false) && ok;
	} else {
		printf("No labelled messages are in %s: measured were the project's own samples only.\n", data);
	}
	return ok ? 0 : 1;
}
