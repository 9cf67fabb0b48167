/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands of shunt share: options, outcome, and how they say that something failed. */
#ifndef SHUNT_CLI_H
#define SHUNT_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_MISUSED = 2,
	CLI_MOVED = 3, /* drain --wait: the deadline came before the flows had ended */
};

#define CLI_WATCH_DEFAULT_S 2.0

struct cli {
	const char *instance, *run_dir;
	bool json;
	bool colour;
	bool all; /* stats: verdicts that were never given, too */
	bool wait; /* drain: until its flows have ended */
	bool rollback, status, accept; /* upgrade: --rollback, --status, --accept-changes */
	uint32_t deadline_s; /* drain; 0: not given */
	const char *reason; /* of what is changed; NULL: not given */
	double watch_s; /* stats: redraw as often; 0: once */
	int width; /* columns to keep to; 0: as many as it takes */
	FILE *out;
};

/* Options that not every subcommand takes. */
#define CLI_TAKES_JSON 1u
#define CLI_TAKES_WATCH 2u
#define CLI_TAKES_ALL 4u
#define CLI_TAKES_DRAIN 16u /* --deadline and --wait */
#define CLI_TAKES_FOLLOW 32u /* --follow, which is so in any case */
#define CLI_TAKES_REASON 64u
#define CLI_TAKES_UPGRADE 128u /* --rollback, --status, --accept-changes */
#define CLI_TAKES_RAW 8u /* arguments are not looked at: for another program */

struct command {
	const char *name, *arguments;
	const char *summary; /* half a line */
	const char *help; /* the rest; lines of at most 80 columns, each ended */
	const char *example;
	unsigned int takes; /* CLI_TAKES_* */
	int min_args, max_args;
	enum cli_exit (*run)(struct cli *cli, int argc, char **argv); /* argv[0]: first argument */
};

/* Ends with an entry without a name. */
extern const struct command cli_commands[];

const struct command *cli_find_command(const char *name);
/* The subcommand most like @name, or NULL when none is. */
const struct command *cli_suggest_command(const char *name);
void cli_usage(FILE *out);
void cli_command_help(FILE *out, const struct command *c);

/* "shunt: ..." on standard error; each returns the status of its name. */
enum cli_exit cli_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum cli_exit cli_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum cli_exit cmd_status(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_services(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_backends(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_history(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_events(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_stats(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_fingerprint(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_check(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_reload(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_drain(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_enable(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_disable(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_weight(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_upgrade(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_decap(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_version(struct cli *cli, int argc, char **argv);
enum cli_exit cmd_help(struct cli *cli, int argc, char **argv);

#endif
