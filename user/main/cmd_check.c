/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt check: is this configuration one that shuntd would take? */
#include "io/conf_file.h"
#include "main/commands.h"
#include "main/json.h"
#include "pure/conf_parse.h"

static size_t count_backends(const struct conf *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n_services; i++)
		n += c->services[i].n_backends;
	return n;
}

static void check_json(const struct cli *cli, const char *file, const struct conf *c,
		       const char *error)
{
	struct json j;

	json_open(&j, cli->out, false);
	json_bool(&j, "ok", c != NULL);
	json_text(&j, "file", file);
	json_number(&j, "services", c ? c->n_services : 0);
	json_number(&j, "backends", c ? count_backends(c) : 0);
	json_text_or_null(&j, "error", c ? "" : error);
	json_close(&j);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct conf_error e = {""};
	struct conf *c = NULL;
	int err = conf_parse(argv[0], conf_read_file, NULL, &c, &e);

	(void)argc;
	if (cli->json)
		check_json(cli, argv[0], err < 0 ? NULL : c, e.text);
	else if (err < 0)
		fprintf(stderr, "%s\n", e.text);
	else
		fprintf(cli->out, "%s: ok, %zu service%s, %zu backend%s\n", argv[0], c->n_services,
			c->n_services == 1 ? "" : "s", count_backends(c),
			count_backends(c) == 1 ? "" : "s");
	conf_free(c);
	return err < 0 ? CLI_FAILED : CLI_DONE;
}

const struct command command_check = {
	.name = "check",
	.arguments = "FILE",
	.summary = "would shuntd take this configuration?",
	.help = "Reads FILE and the backend files that it names as shuntd would. Says where "
		"the first mistake is, what is allowed there, and ends with 1; no daemon is "
		"needed.\n",
	.json = "ok, file, services, backends, error (null: none)",
	.examples = "shunt check /etc/shunt/shunt.yaml && shunt reload",
	.group = CLI_GROUP_CONFIGURE,
	.min_args = 1,
	.max_args = 1,
	.kinds = {CLI_FILE},
	.run = run,
};
