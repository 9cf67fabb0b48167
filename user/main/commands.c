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

const struct command *cli_suggest_command(const char *name)
{
	const struct command *best = NULL;
	int best_distance = 3, d;
	size_t i, len = strlen(name);

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (i = 0; cli_commands[i]; i++) {
		const struct command *c = cli_commands[i];

		if (c->group == CLI_GROUP_HIDDEN)
			continue;
		d = distance(name, c->name);
		if (d > 2 && strncmp(c->name, name, len) == 0)
			d = 2;
		if (d < best_distance) {
			best = c;
			best_distance = d;
		}
	}
	return best;
}
