/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands of shunt share: how each is described, options, outcome, and how they say that
 * something failed. A new subcommand is a file cmd_NAME.c with its `struct command command_NAME`, and
 * a line in commands.h: help, completion, the man page and the tests follow from these. */
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
	CLI_CHANGES = 4, /* plan --exit-code: there are changes */
	CLI_WARNINGS = 5, /* doctor: the worst finding is a warning */
	CLI_ERRORS = 6, /* doctor: it is an error */
};

/* What they mean, for help and the man page; ends with one without words. */
struct cli_status {
	enum cli_exit status;
	const char *meaning;
};
extern const struct cli_status cli_statuses[];

/* What an argument is, so that a shell can complete it. */
enum cli_kind {
	CLI_ANYTHING, /* nothing is known of it */
	CLI_SERVICE,
	CLI_BACKEND, /* of the service before it, or else of any */
	CLI_FILE,
	CLI_INTERFACE,
	CLI_COMMAND,
	CLI_WORDS, /* one of `words` */
};

/* An option of one subcommand; the subcommand asks for it by cli_option(). */
struct cli_option {
	const char *name; /* without the dashes */
	const char *argument; /* NULL: none; "[SECONDS]": a number that may be left out */
	const char *help; /* a sentence or two without a stop: begins small; is folded */
	char letter; /* short form; 0: none */
	enum cli_kind kind; /* of the argument */
	const char *words; /* CLI_WORDS: those allowed, a space between */
};

/* Under which heading help shows it. */
enum cli_group {
	CLI_GROUP_SEE,
	CLI_GROUP_WHY,
	CLI_GROUP_STEER,
	CLI_GROUP_CONFIGURE,
	CLI_GROUP_BACKEND,
	CLI_GROUP_SELF,
	CLI_GROUP_HIDDEN, /* help does not list it */
	CLI_GROUP_MAX,
};

struct cli;

#define CLI_ARGUMENTS_MAX 3

struct command {
	const char *name;
	const char *arguments; /* "[SERVICE]"; the options are not among them */
	const char *summary; /* half a line, no stop */
	/* The rest. Paragraphs are folded to the terminal; a line that begins with a space stands by
	 * itself, and is folded below its text when it is "  WORD  text". Each paragraph ends with a
	 * newline, and an empty line parts two. */
	const char *help;
	/* What --json prints, or NULL when there is no --json: the keys as a list, "a, b (words), c {d,
	 * e}, f [g, h?]": {} an object, [] a list of objects, ? may be left out, () said of it, "..."
	 * keys that are not known beforehand. "f [as in NAME]": what f is in that command's. A line
	 * each for documents that differ; "words: " may stand before the keys. A test reads this and
	 * compares it with what is printed. */
	const char *json;
	const char *examples; /* whole command lines, a newline between; "  # why" may follow */
	enum cli_group group;
	bool raw; /* arguments are not looked at: for another program */
	int min_args, max_args;
	enum cli_kind kinds[CLI_ARGUMENTS_MAX]; /* of its arguments */
	const char *words; /* of those that are CLI_WORDS */
	const struct cli_option *options; /* ends with one without a name; NULL: none */
	enum cli_exit (*run)(struct cli *cli, int argc, char **argv); /* argv[0]: first argument */
};

#define CLI_OPTIONS_MAX 16

struct cli {
	const char *instance, *run_dir;
	bool json;
	bool colour;
	int width; /* columns to keep to; 0: as many as it takes */
	FILE *out;
	const struct command *command; /* that runs */
	const char *given[CLI_OPTIONS_MAX]; /* as its options: what they are set to */
};

/* What the option @name of the running command was set to, "" when it was given without an argument,
 * NULL when it was not given. The name must be one that the command declares. */
const char *cli_option(const struct cli *cli, const char *name);

/* Those that every command takes; end with one without a name. */
extern const struct cli_option cli_common_options[];

/* Ends with NULL. */
extern const struct command *const cli_commands[];

const struct command *cli_find_command(const char *name);
/* How much one has to change of @word for it to be @name; what is its beginning is like it. CLI_UNLIKE: too
 * much to be a slip. */
#define CLI_UNLIKE 3
int cli_unlikeness(const char *word, const char *name);
/* "there is no command ...", with what may have been meant. */
enum cli_exit cli_no_command(const char *name);
/* The subcommand most like @name, or NULL when none is. */
const struct command *cli_suggest_command(const char *name);
void cli_usage(const struct cli *cli, FILE *out);
void cli_command_help(const struct cli *cli, const struct command *c);

/* "shunt: ..." on standard error; each returns the status of its name. */
enum cli_exit cli_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));
enum cli_exit cli_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For `--version`: prints as the command does. */
enum cli_exit cli_print_version(const struct cli *cli);

#endif
