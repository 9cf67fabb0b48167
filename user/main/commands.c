/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of subcommands, and finding one in it. */
#include "main/commands.h"

#include <string.h>

#define COMMAND_POINT(name) &command_##name,
const struct command *const cli_commands[] = {COMMANDS(COMMAND_POINT) NULL};

const struct cli_status cli_statuses[] = {
	{CLI_DONE, "it was done"},
	{CLI_FAILED, "it failed, or what was asked for is not so; standard error says why"},
	{CLI_MISUSED, "it was misused: an unknown command, option or argument; nothing was done"},
	{CLI_MOVED, "drain --wait: the deadline came first and moved the flows that were left"},
	{CLI_CHANGES, "plan --exit-code: there are changes"},
	{CLI_WARNINGS, "doctor: the worst finding is a warning"},
	{CLI_ERRORS, "doctor: the worst finding is an error"},
	{0},
};

const struct command *cli_find_command(const char *name)
{
	size_t i;

	for (i = 0; cli_commands[i]; i++)
		if (strcmp(cli_commands[i]->name, name) == 0)
			return cli_commands[i];
	return NULL;
}

#define WORD_MAX 16

static int least(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters have to be put in, left out or changed. Words of up to WORD_MAX. */
static int distance(const char *a, const char *b)
{
	int row[WORD_MAX + 1], i, j, n = (int)strlen(b), diagonal, above;

	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		diagonal = row[0];
		row[0] = i + 1;
		for (j = 0; j < n; j++) {
			above = row[j + 1];
			row[j + 1] = least(row[j] + 1, above + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[n];
}

int cli_unlikeness(const char *word, const char *name)
{
	const size_t len = strlen(word);
	int d;

	if (len == 0 || len > WORD_MAX || strlen(name) > WORD_MAX)
		return CLI_UNLIKE;
	d = distance(word, name);
	if (d >= CLI_UNLIKE && strncmp(name, word, len) == 0)
		return CLI_UNLIKE - 1;
	return d < CLI_UNLIKE ? d : CLI_UNLIKE;
}

const struct command *cli_suggest_command(const char *name)
{
	const struct command *best = NULL;
	int least_unlike = CLI_UNLIKE, d;
	size_t i;

	for (i = 0; cli_commands[i]; i++) {
		const struct command *c = cli_commands[i];

		d = c->group == CLI_GROUP_HIDDEN ? CLI_UNLIKE : cli_unlikeness(name, c->name);
		if (d < least_unlike) {
			best = c;
			least_unlike = d;
		}
	}
	return best;
}
