/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt help: what the table of commands says, for people and as JSON for what is made of it. */
#include <ctype.h>
#include <string.h>

#include "main/commands.h"
#include "main/json.h"
#include "main/wrap.h"

static const char *const headings[CLI_GROUP_MAX] = {
	[CLI_GROUP_SEE] = "See what goes on", [CLI_GROUP_WHY] = "See why",
	[CLI_GROUP_STEER] = "Steer",	      [CLI_GROUP_CONFIGURE] = "Configure",
	[CLI_GROUP_BACKEND] = "On a backend", [CLI_GROUP_SELF] = "This program",
};

/* shunt.c reads them. */
const struct cli_option cli_common_options[] = {
	{"instance", "NAME", "which daemon (default)", 'i', CLI_ANYTHING, NULL},
	{"run-dir", "DIR", "where its sockets are (/run/shunt)", 0, CLI_FILE, NULL},
	{"json", NULL, "JSON instead of a table", 0, CLI_ANYTHING, NULL},
	{"no-color", NULL, "no colours, as with NO_COLOR set", 0, CLI_ANYTHING, NULL},
	{"help", NULL, "this, or after a command all about it", 'h', CLI_ANYTHING, NULL},
	{"version", NULL, "the version", 'V', CLI_ANYTHING, NULL},
	{0},
};

static int columns_of(const struct cli *cli)
{
	return cli->width && cli->width < WRAP_WIDTH_MAX ? cli->width : WRAP_WIDTH_MAX;
}

static bool any_has_letter(const struct cli_option *options)
{
	for (; options->name; options++)
		if (options->letter)
			return true;
	return false;
}

/* "-w, --watch [SECONDS]"; with @letters, those without one stand as far to the right. */
static void option_text(const struct cli_option *o, bool letters, char *out, size_t size)
{
	char letter[8] = "";

	if (letters)
		snprintf(letter, sizeof(letter), "    ");
	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(out, size, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
		 o->argument ? o->argument : "");
}

static int widest_option(const struct cli_option *options)
{
	const bool letters = any_has_letter(options);
	char text[64];
	int width = 0;

	for (; options->name; options++) {
		option_text(options, letters, text, sizeof(text));
		width = (int)strlen(text) > width ? (int)strlen(text) : width;
	}
	return width;
}

static void print_options(FILE *out, int columns, const struct cli_option *options)
{
	const bool letters = any_has_letter(options);
	int width = widest_option(options);
	char text[64];

	for (; options->name; options++) {
		option_text(options, letters, text, sizeof(text));
		wrap_item(out, columns, text, width, options->help);
	}
}

static void print_statuses(FILE *out, int columns)
{
	const struct cli_status *s;
	char number[16];

	fputs("\nExit status:\n", out);
	for (s = cli_statuses; s->meaning; s++) {
		snprintf(number, sizeof(number), "%d", (int)s->status);
		wrap_item(out, columns, number, 1, s->meaning);
	}
}

void cli_usage(const struct cli *cli, FILE *out)
{
	int columns = columns_of(cli);
	enum cli_group g;
	size_t i;

	wrap_hang(out, columns, "Usage: shunt ", 13, "[OPTIONS] COMMAND [ARGUMENTS]");
	fputc('\n', out);
	wrap_text(out, columns, "Shows and steers shuntd, the layer-4 load balancer.\n");
	for (g = 0; g < CLI_GROUP_HIDDEN; g++) {
		bool any = false;

		for (i = 0; cli_commands[i]; i++) {
			if (cli_commands[i]->group != g)
				continue;
			if (!any)
				fprintf(out, "\n%s:\n", headings[g]);
			any = true;
			wrap_item(out, columns, cli_commands[i]->name, 11,
				  cli_commands[i]->summary);
		}
	}
	fputs("\nOptions:\n", out);
	print_options(out, columns, cli_common_options);
	print_statuses(out, columns);
}

/* ---- one command ------------------------------------------------------------------------------*/

static void usage_line(FILE *out, int columns, const struct command *c)
{
	const struct cli_option *o;
	char lead[64], text[1024] = "";
	size_t n = 0;

	for (o = c->options; o && o->name && n < sizeof(text); o++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "[--%s%s%s] ", o->name,
				      o->argument ? " " : "", o->argument ? o->argument : "");
	if (n < sizeof(text))
		snprintf(text + n, sizeof(text) - n, "%s", c->arguments);
	snprintf(lead, sizeof(lead), "Usage: shunt %s%s", c->name, *text ? " " : "");
	wrap_hang(out, columns, lead, (int)strlen(lead), text);
}

static void print_json_keys(const struct cli *cli, const struct command *c)
{
	const char *line = c->json, *end;
	char text[4096];

	fputs("\nJSON:\n", cli->out);
	for (; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		snprintf(text, sizeof(text), "%.*s", (int)(end - line), line);
		wrap_hang(cli->out, columns_of(cli), "  ", 2, text);
	}
}

static void print_examples(const struct cli *cli, const struct command *c)
{
	const char *line = c->examples, *end;

	fprintf(cli->out, "\nExample%s:\n", strchr(line, '\n') ? "s" : "");
	for (; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		fprintf(cli->out, "  %.*s\n", (int)(end - line), line);
	}
}

void cli_command_help(const struct cli *cli, const struct command *c)
{
	int columns = columns_of(cli);
	char summary[256];

	usage_line(cli->out, columns, c);
	snprintf(summary, sizeof(summary), "\n%c%s%s\n", toupper((unsigned char)c->summary[0]),
		 c->summary + 1, c->summary[strlen(c->summary) - 1] == '?' ? "" : ".");
	wrap_text(cli->out, columns, summary);
	if (*c->help) {
		fputc('\n', cli->out);
		wrap_text(cli->out, columns, c->help);
	}
	if (c->options) {
		fputs("\nOptions:\n", cli->out);
		print_options(cli->out, columns, c->options);
	}
	if (c->json)
		print_json_keys(cli, c);
	print_examples(cli, c);
}

/* ---- as JSON ----------------------------------------------------------------------------------*/

static const char *const kind_names[] = {
	[CLI_ANYTHING] = "anything", [CLI_SERVICE] = "service",	    [CLI_BACKEND] = "backend",
	[CLI_FILE] = "file",	     [CLI_INTERFACE] = "interface", [CLI_COMMAND] = "command",
	[CLI_WORDS] = "words",
};

static void json_options(struct json *j, const char *name, const struct cli_option *o)
{
	char letter[2] = "";

	json_list(j, name);
	for (; o && o->name; o++) {
		json_object(j, NULL);
		json_text(j, "name", o->name);
		letter[0] = o->letter;
		json_text_or_null(j, "letter", letter);
		json_text_or_null(j, "argument", o->argument ? o->argument : "");
		json_text(j, "kind", kind_names[o->kind]);
		json_text_or_null(j, "words", o->words ? o->words : "");
		json_text(j, "help", o->help);
		json_object_end(j);
	}
	json_list_end(j);
}

static void json_arguments(struct json *j, const struct command *c)
{
	int i;

	json_list(j, "takes");
	for (i = 0; i < c->max_args && i < CLI_ARGUMENTS_MAX; i++) {
		json_object(j, NULL);
		json_text(j, "kind", kind_names[c->kinds[i]]);
		json_text_or_null(j, "words", c->kinds[i] == CLI_WORDS && c->words ? c->words : "");
		json_bool(j, "needed", i < c->min_args);
		json_object_end(j);
	}
	json_list_end(j);
}

static void json_command(struct json *j, const struct command *c)
{
	json_object(j, NULL);
	json_text(j, "name", c->name);
	json_text(j, "arguments", c->arguments);
	json_arguments(j, c);
	json_text(j, "group", headings[c->group]);
	json_text(j, "summary", c->summary);
	json_text(j, "help", c->help);
	json_text_or_null(j, "json", c->json ? c->json : "");
	json_text(j, "examples", c->examples);
	json_options(j, "options", c->options);
	json_object_end(j);
}

static void print_json(const struct cli *cli, const struct command *only)
{
	const struct cli_status *s;
	struct json j;
	size_t i;

	json_open(&j, cli->out, false);
	json_list(&j, "commands");
	for (i = 0; cli_commands[i]; i++)
		if (only ? cli_commands[i] == only : cli_commands[i]->group != CLI_GROUP_HIDDEN)
			json_command(&j, cli_commands[i]);
	json_list_end(&j);
	json_options(&j, "options", cli_common_options);
	json_list(&j, "statuses");
	for (s = cli_statuses; s->meaning; s++) {
		json_object(&j, NULL);
		json_number(&j, "status", (uint64_t)s->status);
		json_text(&j, "meaning", s->meaning);
		json_object_end(&j);
	}
	json_list_end(&j);
	json_close(&j);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	const struct command *c = argc ? cli_find_command(argv[0]) : NULL;

	if (argc && !c)
		return cli_no_command(argv[0]);
	if (cli->json)
		print_json(cli, c);
	else if (c)
		cli_command_help(cli, c);
	else
		cli_usage(cli, cli->out);
	return CLI_DONE;
}

const struct command command_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "this, or all about one command",
	.help = "",
	.json = "commands [name, arguments, takes [kind, words, needed], group, summary, help, "
		"json "
		"(its keys, as here; null: it prints none), examples, options [name, letter, "
		"argument, kind, words, help]], options [name, letter, argument, kind, words, "
		"help], statuses [status, meaning]",
	.examples = "shunt help stats",
	.group = CLI_GROUP_SELF,
	.max_args = 1,
	.kinds = {CLI_COMMAND},
	.run = run,
};
