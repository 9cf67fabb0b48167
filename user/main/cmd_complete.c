/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt complete: what could stand at the end of a command line, for the shells' completion scripts
 * (cmd_completion.c). Hidden: its form is theirs and ours. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/commands.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

/* The line so far: words, the last of which is to be completed. */
struct line {
	char **words;
	int n;
	const char *last;
	const struct command *command; /* NULL: it is to be completed, or it is unknown */
	int n_arguments; /* of the command, before the last word */
	const char *arguments[CLI_ARGUMENTS_MAX];
	const struct cli_option *awaits; /* the last word is the argument of this */
	bool lost; /* an unknown command: nothing to say */
};

/* A candidate, and what it is. */
static void offer(const struct cli *cli, const struct line *l, const char *text, const char *about)
{
	if (strncmp(text, l->last, strlen(l->last)) == 0)
		fprintf(cli->out, "%s\t%s\n", text, about);
}

/* ---- reading the line -------------------------------------------------------------------------*/

static const struct cli_option *find_option(const struct cli_option *options, const char *word)
{
	const bool is_long = strncmp(word, "--", 2) == 0;

	for (; options && options->name; options++) {
		if (is_long && strcmp(options->name, word + 2) == 0)
			return options;
		if (!is_long && options->letter && word[1] == options->letter && !word[2])
			return options;
	}
	return NULL;
}

/* What the value of an option of the line means to us: which daemon to ask. */
static void heed(struct cli *cli, const char *option, const char *value)
{
	if (strcmp(option, "instance") == 0)
		cli->instance = value;
	else if (strcmp(option, "run-dir") == 0)
		cli->run_dir = value;
}

/* "--name=value" */
static void heed_whole(struct cli *cli, const char *word)
{
	if (strncmp(word, "--instance=", 11) == 0)
		cli->instance = word + 11;
	else if (strncmp(word, "--run-dir=", 10) == 0)
		cli->run_dir = word + 10;
}

static void read_plain_word(struct line *l, const char *word)
{
	if (!l->command) {
		l->command = cli_find_command(word);
		l->lost = !l->command;
	} else {
		if (l->n_arguments < CLI_ARGUMENTS_MAX)
			l->arguments[l->n_arguments] = word;
		l->n_arguments++;
	}
}

static void read_line(struct cli *cli, struct line *l)
{
	const struct cli_option *o;
	int i;

	for (i = 0; i < l->n - 1 && !l->lost; i++) {
		const char *word = l->words[i];

		if (word[0] != '-' || !word[1]) {
			read_plain_word(l, word);
			continue;
		}
		o = find_option(cli_common_options, word);
		if (!o && l->command)
			o = find_option(l->command->options, word);
		if (!o)
			heed_whole(cli, word);
		if (!o || !o->argument || o->argument[0] == '[')
			continue;
		if (i + 1 == l->n - 1)
			l->awaits = o;
		else
			heed(cli, o->name, l->words[++i]);
	}
}

/* ---- what could stand there -------------------------------------------------------------------*/

static void offer_commands(const struct cli *cli, const struct line *l)
{
	size_t i;

	for (i = 0; cli_commands[i]; i++)
		if (cli_commands[i]->group != CLI_GROUP_HIDDEN)
			offer(cli, l, cli_commands[i]->name, cli_commands[i]->summary);
}

static void offer_options(const struct cli *cli, const struct line *l, const struct cli_option *o)
{
	char text[64], about[64];

	for (; o && o->name; o++) {
		size_t n = strcspn(o->help, ";:(");

		if (l->command && !l->command->json && strcmp(o->name, "json") == 0)
			continue;
		n -= n > 0 && o->help[n - 1] == ' ';
		snprintf(text, sizeof(text), "--%s", o->name);
		snprintf(about, sizeof(about), "%.*s", (int)n, o->help);
		offer(cli, l, text, about);
	}
}

static void offer_services(const struct cli *cli, const struct line *l)
{
	auto_client struct stats_client *c = NULL;
	auto_free struct view_service *rows = NULL;
	char address[VIEW_ADDRESS_MAX];
	struct client_error e;
	size_t n, i;

	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_services(c, NULL, &rows, &n, &e) < 0)
		return;
	for (i = 0; i < n; i++)
		offer(cli, l, rows[i].name, view_service_address(&rows[i], address));
}

/* @service: NULL for all. */
static void offer_backends(const struct cli *cli, const struct line *l, const char *service)
{
	auto_client struct stats_client *c = NULL;
	auto_free struct view_backend *rows = NULL;
	char address[ADDR_PORT_TEXT_MAX];
	struct client_error e;
	size_t n, i;

	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_backends(c, service, &rows, &n, &e) < 0)
		return;
	for (i = 0; i < n; i++)
		offer(cli, l, rows[i].name, addr_port_format(&rows[i].addr, rows[i].port, address));
}

static void offer_words(const struct cli *cli, const struct line *l, const char *words)
{
	char word[64];

	while (words && *words) {
		size_t n = strcspn(words, " ");

		snprintf(word, sizeof(word), "%.*s", (int)n, words);
		offer(cli, l, word, "");
		words += n + (words[n] == ' ');
	}
}

static void offer_interfaces(const struct cli *cli, const struct line *l)
{
	DIR *d = opendir("/sys/class/net");
	const struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			offer(cli, l, e->d_name, "");
	if (d)
		closedir(d);
}

static void offer_kind(const struct cli *cli, const struct line *l, enum cli_kind kind,
		       const char *words)
{
	switch (kind) {
	case CLI_SERVICE:
		offer_services(cli, l);
		break;
	case CLI_BACKEND:
		offer_backends(cli, l,
			       l->n_arguments > 0 ? l->arguments[l->n_arguments - 1] : NULL);
		break;
	case CLI_FILE:
		fputs("\n", cli->out); /* the shell knows files better */
		break;
	case CLI_INTERFACE:
		offer_interfaces(cli, l);
		break;
	case CLI_COMMAND:
		offer_commands(cli, l);
		break;
	case CLI_WORDS:
		offer_words(cli, l, words);
		break;
	default:
		break;
	}
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct line l = {.words = argv, .n = argc, .last = ""};

	if (l.n > 0 && strcmp(l.words[0], "--") == 0)
		l.words++, l.n--;
	if (l.n > 0)
		l.last = l.words[l.n - 1];
	read_line(cli, &l);
	if (l.lost)
		return CLI_DONE;
	if (l.awaits) {
		offer_kind(cli, &l, l.awaits->kind, l.awaits->words);
	} else if (l.last[0] == '-') {
		offer_options(cli, &l, l.command ? l.command->options : NULL);
		offer_options(cli, &l, cli_common_options);
	} else if (!l.command) {
		offer_commands(cli, &l);
	} else if (l.n_arguments < CLI_ARGUMENTS_MAX) {
		offer_kind(cli, &l, l.command->kinds[l.n_arguments], l.command->words);
	}
	return CLI_DONE;
}

const struct command command_complete = {
	.name = "complete",
	.arguments = "[WORD...]",
	.summary = "what could stand in the place of the last word, for completion scripts",
	.help = "A candidate a line, with a tab and what it is behind; an empty line stands for "
		"files.\n",
	.examples = "shunt complete -- drain we",
	.group = CLI_GROUP_HIDDEN,
	.raw = true,
	.max_args = 1000,
	.run = run,
};
