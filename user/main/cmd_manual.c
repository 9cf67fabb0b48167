/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt manual: the parts of shunt(8) that the table of commands knows, for scdoc. Hidden. */
#include <ctype.h>
#include <string.h>

#include "main/commands.h"

/* Letters that scdoc would take for its own. */
static void put(FILE *out, const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strchr("\\_*#<>`~[]|+-.'", text[i]))
			putc('\\', out);
		putc(text[i], out);
	}
}

static void put_all(FILE *out, const char *text)
{
	put(out, text, strlen(text));
}

static void put_option(FILE *out, const struct cli_option *o)
{
	if (o->letter)
		fprintf(out, "*-%c*, ", o->letter);
	fputs("*--", out);
	put_all(out, o->name);
	fputs("*", out);
	if (o->argument) {
		fputs(" _", out);
		put_all(out, o->argument);
		fputs("_", out);
	}
	fputs("\n\t", out);
	put_all(out, o->help);
	fputs(".\n\n", out);
}

/* "  WORD  text" becomes an item. */
static void put_kept(FILE *out, const char *line, size_t n)
{
	const size_t skip = strspn(line, " ");
	const char *word = line + skip, *gap = memmem(word, n - skip, "  ", 2);

	if (!gap) {
		fputs("```\n", out);
		fprintf(out, "%.*s\n```\n\n", (int)n, line);
		return;
	}
	fputs("\n*", out);
	put(out, word, (size_t)(gap - word));
	fputs("*\n\t", out);
	gap += strspn(gap, " ");
	put(out, gap, (size_t)(line + n - gap));
	fputs("\n", out);
}

static void put_help(FILE *out, const char *text)
{
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		if (*text == ' ')
			put_kept(out, text, (size_t)(end - text));
		else
			put(out, text, (size_t)(end - text));
		putc('\n', out);
	}
	putc('\n', out);
}

static void put_json(FILE *out, const char *lines)
{
	const char *end;

	for (; *lines; lines = *end ? end + 1 : end) {
		end = strchrnul(lines, '\n');
		fputs("JSON: ", out);
		put(out, lines, (size_t)(end - lines));
		fputs(".\n\n", out);
	}
}

static void put_command(FILE *out, const struct command *c)
{
	const struct cli_option *o;

	fprintf(out, "## %s\n\n*shunt %s*", c->name, c->name);
	if (*c->arguments)
		putc(' ', out);
	put_all(out, c->arguments);
	fputs("\n\n", out);
	putc(toupper((unsigned char)c->summary[0]), out);
	put_all(out, c->summary + 1);
	fputs(c->summary[strlen(c->summary) - 1] == '?' ? "\n\n" : ".\n\n", out);
	put_help(out, c->help);
	for (o = c->options; o && o->name; o++)
		put_option(out, o);
	if (c->json)
		put_json(out, c->json);
	fprintf(out, "```\n%s\n```\n\n", c->examples);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	const struct cli_option *o;
	const struct cli_status *s;
	size_t i;

	(void)argc;
	if (strcmp(argv[0], "options") == 0)
		for (o = cli_common_options; o->name; o++)
			put_option(cli->out, o);
	else if (strcmp(argv[0], "statuses") == 0)
		for (s = cli_statuses; s->meaning; s++) {
			fprintf(cli->out, "*%d*\n\t", (int)s->status);
			put_all(cli->out, s->meaning);
			fputs(".\n\n", cli->out);
		}
	else
		for (i = 0; cli_commands[i]; i++)
			if (cli_commands[i]->group != CLI_GROUP_HIDDEN)
				put_command(cli->out, cli_commands[i]);
	return CLI_DONE;
}

const struct command command_manual = {
	.name = "manual",
	.arguments = "options|commands|statuses",
	.summary = "a part of the manual, as scdoc wants it",
	.help = "",
	.examples = "shunt manual commands",
	.group = CLI_GROUP_HIDDEN,
	.min_args = 1,
	.max_args = 1,
	.kinds = {CLI_WORDS},
	.words = "options commands statuses",
	.run = run,
};
