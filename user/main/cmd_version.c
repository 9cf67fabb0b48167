/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt version. */
#include "main/commands.h"
#include "main/json.h"
#include "shunt_msg.h"

enum cli_exit cli_print_version(const struct cli *cli)
{
	struct json j;

	if (!cli->json) {
		fprintf(cli->out, "shunt %s (message protocol %d)\n", SHUNT_VERSION,
			SHUNT_MSG_VERSION);
		return CLI_DONE;
	}
	json_open(&j, cli->out, false);
	json_text(&j, "version", SHUNT_VERSION);
	json_number(&j, "protocol", SHUNT_MSG_VERSION);
	json_close(&j);
	return CLI_DONE;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	(void)argc, (void)argv;
	return cli_print_version(cli);
}

const struct command command_version = {
	.name = "version",
	.arguments = "",
	.summary = "the version of this program",
	.help = "shunt status shows the daemon's.\n",
	.json = "version, protocol",
	.examples = "shunt version",
	.group = CLI_GROUP_SELF,
	.run = run,
};
