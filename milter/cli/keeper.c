#include "keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "work.h"

struct whereabouts {
	const char *mta;
	size_t commands, config; /* in struct arguments: options that say where they are */
	const char *commands_variable, *config_variable;
};

static const struct whereabouts all[] = {
	{ "postfix", offsetof(struct arguments, postfix_commands), offsetof(struct arguments, postfix_config),
	  "BREAKWATER_POSTFIX_COMMANDS", "BREAKWATER_POSTFIX_CONFIG" },
	{ "sendmail", offsetof(struct arguments, sendmail_commands), offsetof(struct arguments, sendmail_config),
	  "BREAKWATER_SENDMAIL_COMMANDS", "BREAKWATER_SENDMAIL_CONFIG" },
};

/* The option, else the variable, else what the configuration says. */
static const char *said_or_set(const struct cli *c, size_t option, const char *variable, const char *configured)
{
	const char *said;

	memcpy(&said, (const char *)&c->args + option, sizeof(said));
	if (said == NULL)
		said = getenv(variable);
	return said != NULL ? said : configured;
}

struct bw_mta_place bw_cli_mta_place(const struct cli *c, const struct bw_mta *mta)
{
	struct bw_mta_place place = bw_mta_place_of(bw_cli_config(c), mta);

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i].mta, mta->name) != 0)
			continue;
		place.commands = said_or_set(c, all[i].commands, all[i].commands_variable, place.commands);
		place.config = said_or_set(c, all[i].config, all[i].config_variable, place.config);
	}
	return place;
}

enum bw_cli_exit bw_cli_keeper_open(struct cli *c, struct cli_keeper *out)
{
	const struct bw_config *config = bw_cli_config(c);

	out->keeper = (struct bw_keeper){
		.store = c->store,
		.key = &out->key,
		.host = c->host,
		.by = c->owner,
		.now_ms = c->now_ms,
		.hide_sender = !config->privacy.sender,
		.hide_subject = !config->privacy.subject,
		.archive = -1,
		.archive_keep_ms = config->hold.archive_keep_ms,
		.archive_most_bytes = config->hold.archive_bytes,
		.archive_min_free_bytes = config->hold.archive_min_free,
	};
	/* The marks of held messages are sealed with the site secret. */
	if (access(config->daemon.secret_file, R_OK) != 0 && geteuid() != 0)
		return bw_cli_fail(c, BW_CLI_NOT_PERMITTED, "%s: may not be read by %s; try sudo", config->daemon.secret_file, c->owner);
	enum bw_err err = bw_key_load(config->daemon.secret_file, false, &out->key, &c->why);

	if (err == BW_OK)
		err = bw_archive_open(config->hold.archive, &out->keeper.archive, &c->why);
	return err == BW_ERR_IO || err == BW_ERR_NOT_FOUND ? BW_CLI_NO : bw_cli_fail_err(err);
}

void bw_cli_keeper_close(struct cli_keeper *k)
{
	if (k->keeper.archive >= 0)
		close(k->keeper.archive);
	k->keeper.archive = -1;
}
