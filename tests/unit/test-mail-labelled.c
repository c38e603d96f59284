/* link: bw_mail bw_base */
/* Real and self-written messages with a known class: how many automatic ones are found, how many people are taken for machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "eml.h"

#define SAMPLES BW_SOURCE_DIR "/tests/samples"

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

struct verdict {
	enum bw_class class;
	enum bw_evidence evidence;
	bool auto_generated;
};

static struct verdict judge(const char *path, bool trust_path)
{
	struct bw_arena *arena = bw_arena_new(1 << 20);
	struct bw_header_parser *p = bw_header_new(arena, NULL, NULL);
	struct bw_header h;
	struct eml m = { 0 };

	if (!eml_load(path, &m))
		fail_msg("%s cannot be read", path);
	eml_parse(&m, p, 4096, trust_path, &h);
	struct verdict v = { h.class, h.evidence, h.auto_generated };

	free(m.bytes);
	bw_header_free(&p);
	bw_arena_free(&arena);
	return v;
}

/* --- our own samples: the folder is the class --- */

static const struct {
	const char *folder;
	enum bw_class class;
	bool auto_generated;
	unsigned least;
} folders[] = {
	{ "human", BW_CLASS_HUMAN, false, 8 },
	{ "human-trap", BW_CLASS_HUMAN, false, 10 },
	{ "auto-reply", BW_CLASS_AUTO_REPLY, false, 15 },
	{ "autoack", BW_CLASS_AUTO_REPLY, false, 2 },
	{ "mdn", BW_CLASS_MDN, false, 4 },
	{ "dsn", BW_CLASS_DSN, false, 6 },
	{ "recall", BW_CLASS_RECALL, false, 2 },
	{ "calendar-reply", BW_CLASS_CALENDAR_REPLY, false, 2 },
	{ "auto-generated", BW_CLASS_HUMAN, true, 2 },
	{ "bulk", BW_CLASS_BULK, false, 2 },
};

static unsigned judge_folder(const char *folder, enum bw_class class, bool auto_generated)
{
	char path[4096];
	unsigned count = 0;

	snprintf(path, sizeof(path), "%s/%s", SAMPLES, folder);
	DIR *d = opendir(path);

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", SAMPLES, folder, e->d_name);
		struct verdict v = judge(path, true);

		if (v.class != class || (auto_generated && !v.auto_generated))
			fail_msg("%s/%s: %s, expected %s", folder, e->d_name, bw_class_name(v.class), bw_class_name(class));
		count++;
	}
	closedir(d);
	return count;
}

static void our_samples_have_their_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		unsigned count = judge_folder(folders[i].folder, folders[i].class, folders[i].auto_generated);

		assert_in_range(count, folders[i].least, 1000);
	}
}

/* --- real messages --- */

static const char *const labels[] = { "oof", "autoack", "mdn", "dsn", "human", "human-trap", "arf", "autogen", "bulk", "challenge" };

enum { LABELS = sizeof(labels) / sizeof(labels[0]), AUTOMATIC = 4, PEOPLE = 6 }; /* first labels that are; up to which people are */

struct figures {
	unsigned count, protocol, weak;
};

static const char *data_folder(void)
{
	const char *set = getenv("BW_DATA");

	return set != NULL ? set : BW_SOURCE_DIR "/../shared/data";
}

static void read_row(const char *folder, char *line, bool trust_path, struct figures *figures)
{
	char path[4096];
	char *save = NULL;
	const char *file = strtok_r(line, "\t", &save);
	const char *label = strtok_r(NULL, "\t", &save);

	for (size_t i = 0; i < LABELS && label != NULL; i++) {
		if (strcmp(label, labels[i]) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/labelled/%s", folder, file);
		struct verdict v = judge(path, trust_path);

		figures[i].count++;
		figures[i].protocol += is_automatic(v.class) && v.evidence == BW_EVIDENCE_PROTOCOL;
		figures[i].weak += is_automatic(v.class) && v.evidence == BW_EVIDENCE_WEAK;
	}
}

static bool read_labels(bool trust_path, struct figures *figures)
{
	const char *folder = data_folder();
	char path[4096], line[8192];

	snprintf(path, sizeof(path), "%s/labelled/labels.tsv", folder);
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL)
		read_row(folder, line, trust_path, figures);
	fclose(f);
	return true;
}

static void sum(const struct figures *figures, size_t from, size_t to, struct figures *out)
{
	*out = (struct figures){ 0, 0, 0 };
	for (size_t i = from; i < to; i++) {
		out->count += figures[i].count;
		out->protocol += figures[i].protocol;
		out->weak += figures[i].weak;
	}
}

/* Recall of at least 0.98; at most 5 people in 1,000 taken for machines. */
static void check_real_messages(bool trust_path)
{
	struct figures figures[LABELS] = { { 0, 0, 0 } }, automatic, people;

	if (!read_labels(trust_path, figures)) {
		print_message("no labelled messages in %s: only our own samples were judged\n", data_folder());
		return;
	}
	print_message("Return-Path %s as the envelope's sender\n", trust_path ? "taken" : "not taken");
	for (size_t i = 0; i < LABELS; i++)
		print_message("%-12s %4u messages, automatic: %u by protocol, %u weakly\n", labels[i], figures[i].count, figures[i].protocol,
		              figures[i].weak);
	sum(figures, 0, AUTOMATIC, &automatic);
	sum(figures, AUTOMATIC, PEOPLE, &people);
	assert_true(automatic.count > 0 && people.count > 0);
	assert_true((automatic.protocol + automatic.weak) * 100 >= automatic.count * 98);
	assert_true((people.protocol + people.weak) * 1000 <= people.count * 5);
}

static void real_messages_with_their_envelope(void **state)
{
	(void)state;
	check_real_messages(true);
}

static void real_messages_without_their_envelope(void **state)
{
	(void)state;
	check_real_messages(false);
}

/* --- odd messages: survived, whatever they are cut into --- */

static void malformed_messages_are_survived(void **state)
{
	char path[4096];
	unsigned count = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/malformed", data_folder());
	DIR *d = opendir(path);

	if (d == NULL) {
		print_message("no malformed messages in %s: the fuzz corpus stands in for them\n", data_folder());
		return;
	}
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/malformed/%s", data_folder(), e->d_name);
		struct verdict v = judge(path, true);

		assert_true(v.class < BW_CLASS_COUNT);
		count++;
	}
	closedir(d);
	print_message("%u malformed messages survived\n", count);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_samples_have_their_class),
		cmocka_unit_test(real_messages_with_their_envelope),
		cmocka_unit_test(real_messages_without_their_envelope),
		cmocka_unit_test(malformed_messages_are_survived),
	};

	bw_mail_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
