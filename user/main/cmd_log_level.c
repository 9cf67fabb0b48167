/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt log-level: what the daemon logs, now. */
#include <string.h>

#include "main/cmd_ctl.h"
#include "main/commands.h"
#include "main/json.h"

static bool is_level(const char *word)
{
	static const char *const levels[] = {"error", "warning", "info", "debug", "configured"};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i], word) == 0)
			return true;
	return false;
}

static void print_json(const struct cli *cli, const struct ctl_reply *r)
{
	struct json j;

	json_open(&j, cli->out, false);
	json_text(&j, "level", r->level);
	json_text(&j, "configured", r->configured);
	json_close(&j);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct ctl_command c = {.verb = CTL_LOG_LEVEL};
	struct ctl_reply r = {0};
	enum cli_exit result;

	if (argc && !is_level(argv[0]))
		return cli_misused("\"%s\" is no level: error, warning, info, debug, or configured",
				   argv[0]);
	if (argc)
		snprintf(c.level, sizeof(c.level), "%s", argv[0]);
	ctl_say_who(&c);
	result = ctl_ask(cli, &c, &r);
	if (result != CLI_DONE)
		return result;
	if (cli->json)
		print_json(cli, &r);
	else
		fprintf(cli->out, "%s\n", r.text);
	return CLI_DONE;
}

const struct command command_log_level = {
	.name = "log-level",
	.arguments = "[LEVEL]",
	.summary = "what shuntd logs: show it, or change it for now",
	.help = "LEVEL is error, warning, info or debug, each with those before it, whatever "
		"log_level in the configuration says, until shuntd starts again or until "
		"shunt log-level configured. A reload does not change it.\n",
	.json = "level, configured",
	.examples = "shunt log-level\nshunt log-level debug\nshunt log-level configured",
	.group = CLI_GROUP_STEER,
	.max_args = 1,
	.kinds = {CLI_WORDS},
	.words = "error warning info debug configured",
	.run = run,
};
