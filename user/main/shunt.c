/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt: shows and steers shuntd. Options here, subcommands in cmd_*.c. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "main/cli.h"
#include "main/table.h"
#include "shunt_msg.h"

/* Folds each line of @text to the terminal that standard error may be. */
static void fold_for_terminal(char *text)
{
	struct winsize size = {0};
	char *line = text, *end;

	if (!isatty(STDERR_FILENO) || ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return;
	for (; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		table_fold(line, size.ws_col);
		if (end)
			*end = '\n';
	}
}

static void complain(const char *format, va_list args)
{
	char text[SHUNT_MSG_TEXT_MAX + 512] = "shunt: ";
	size_t used = strlen(text);

	vsnprintf(text + used, sizeof(text) - used, format, args);
	fold_for_terminal(text);
	fflush(stdout);
	fprintf(stderr, "%s\n", text);
}

enum cli_exit cli_failed(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	return CLI_FAILED;
}

enum cli_exit cli_misused(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	return CLI_MISUSED;
}

/* ---- options ----------------------------------------------------------------------------------*/

/* What getopt returns: letters of options that every subcommand takes, these, and OPT_OWN + i for the
 * i-th option of the subcommand. */
enum { OPT_RUN_DIR = 256, OPT_JSON, OPT_NO_COLOR, OPT_OWN };

static const struct option common_options[] = {
	{"instance", required_argument, NULL, 'i'},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"json", no_argument, NULL, OPT_JSON},
	{"no-color", no_argument, NULL, OPT_NO_COLOR},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
};
#define N_COMMON (sizeof(common_options) / sizeof(common_options[0]))

struct parsed {
	bool help, version;
};

/* For getopt: the common options and those of @c, which may be NULL. */
struct spelling {
	struct option long_options[N_COMMON + CLI_OPTIONS_MAX + 1];
	char letters[16 + 3 * CLI_OPTIONS_MAX];
};

static void spell(struct spelling *s, const struct command *c)
{
	const struct cli_option *o = c ? c->options : NULL;
	size_t i, n;

	*s = (struct spelling){.letters = "+:hVi:"}; /* before the subcommand: end at it */
	memcpy(s->long_options, common_options, sizeof(common_options));
	if (!c)
		return;
	n = (size_t)snprintf(s->letters, sizeof(s->letters), ":hVi:");
	for (i = 0; o && o[i].name && i < CLI_OPTIONS_MAX; i++) {
		int has = !o[i].argument	  ? no_argument
			  : *o[i].argument == '[' ? optional_argument
						  : required_argument;

		s->long_options[N_COMMON + i] =
			(struct option){o[i].name, has, NULL, OPT_OWN + (int)i};
		if (o[i].letter)
			n += (size_t)snprintf(s->letters + n, sizeof(s->letters) - n, "%c%.*s",
					      o[i].letter, has, "::");
	}
}

/* "--watch 5" as well as "--watch=5": the next word if it is a number. */
static const char *optional_number(int argc, char **argv)
{
	const char *next = optind < argc ? argv[optind] : "";
	char *end;

	if (optarg || *next < '0' || *next > '9')
		return optarg;
	strtod(next, &end);
	return *end ? NULL : argv[optind++];
}

/* The option that getopt's @value stands for; NULL: none of @c's. */
static const struct cli_option *own_option(const struct command *c, int value)
{
	const struct cli_option *o;

	if (value >= OPT_OWN)
		return &c->options[value - OPT_OWN];
	for (o = c ? c->options : NULL; o && o->name; o++)
		if (o->letter == value)
			return o;
	return NULL;
}

static const struct cli_option *more_like(const struct cli_option *options, const char *word,
					  const struct cli_option *best)
{
	for (; options && options->name; options++) {
		if (cli_unlikeness(word, options->name) <
		    (best ? cli_unlikeness(word, best->name) : CLI_UNLIKE))
			best = options;
	}
	return best;
}

/* @word is "--name" or "--name=value". */
static enum cli_exit no_option(const struct command *c, const char *word)
{
	const struct cli_option *like = NULL;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	if (strncmp(name, "--", 2) == 0) {
		like = more_like(c ? c->options : NULL, name + 2, NULL);
		like = more_like(cli_common_options, name + 2, like);
	}
	if (like)
		return cli_misused("%s has no option %s; did you mean --%s?", c ? c->name : "shunt",
				   name, like->name);
	return cli_misused("%s has no option %s; see shunt help%s%s", c ? c->name : "shunt", name,
			   c ? " " : "", c ? c->name : "");
}

static enum cli_exit complain_of_option(const struct command *c, int found, int argc, char **argv)
{
	const char *name = c ? c->name : "shunt", *help = c ? c->name : "";
	const char *word = argv[optind > 1 && optind <= argc ? optind - 1 : argc - 1];
	const struct cli_option *o = optopt ? own_option(c, optopt) : NULL;
	const char *gap = *help ? " " : "";

	if (found == ':')
		return cli_misused("%s wants %s after it; see shunt help%s%s", word,
				   o ? o->argument : "a value", gap, help);
	if (optopt >= OPT_RUN_DIR)
		return cli_misused("%s takes no value; see shunt help%s%s", word, gap, help);
	if (optopt && optopt < OPT_RUN_DIR && strncmp(word, "--", 2) != 0)
		return cli_misused("%s has no option -%c; see shunt help%s%s", name, optopt, gap,
				   help);
	return no_option(c, word);
}

static bool parse_common(struct cli *cli, int option, struct parsed *p)
{
	switch (option) {
	case 'i':
		cli->instance = optarg;
		return true;
	case OPT_RUN_DIR:
		cli->run_dir = optarg;
		return true;
	case OPT_JSON:
		cli->json = true;
		return true;
	case OPT_NO_COLOR:
		cli->colour = false;
		return true;
	case 'h':
		p->help = true;
		return true;
	case 'V':
		p->version = true;
		return true;
	default:
		return false;
	}
}

/* Reads the options of argv[1..], those of cli->command among them; optind is the first word that is
 * none. */
static enum cli_exit parse(struct cli *cli, int argc, char **argv, struct parsed *p)
{
	const struct command *c = cli->command;
	const struct cli_option *o;
	struct spelling s;
	int option;

	spell(&s, c);
	optind = 0; /* begin anew */
	opterr = 0;
	while ((option = getopt_long(argc, argv, s.letters, s.long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return complain_of_option(c, option, argc, argv);
		if (parse_common(cli, option, p))
			continue;
		o = own_option(c, option);
		if (o->argument && *o->argument == '[')
			optarg = (char *)optional_number(argc, argv);
		cli->given[o - c->options] = optarg ? optarg : "";
	}
	return CLI_DONE;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	const struct cli_option *o = cli->command->options;

	while (strcmp(o->name, name) != 0)
		o++;
	return cli->given[o - cli->command->options];
}

/* ---- running a command ------------------------------------------------------------------------*/

static enum cli_exit check_use(const struct cli *cli, int n)
{
	const struct command *c = cli->command;

	if (cli->json && !c->json)
		return cli_misused("%s does not take --json; see shunt help %s", c->name, c->name);
	if (n < c->min_args)
		return cli_misused("%s wants %s; see shunt help %s", c->name, c->arguments,
				   c->name);
	if (n > c->max_args)
		return cli_misused("%s takes %s; see shunt help %s", c->name,
				   *c->arguments ? c->arguments : "no arguments", c->name);
	return CLI_DONE;
}

/* argv[0] is the command's name. */
static enum cli_exit run(struct cli *cli, int argc, char **argv, struct parsed *p)
{
	const struct command *c = cli->command;
	enum cli_exit result;

	if (c->raw)
		return c->run(cli, argc - 1, argv + 1);
	result = parse(cli, argc, argv, p);
	if (result != CLI_DONE)
		return result;
	if (p->help) {
		cli_command_help(cli, c);
		return CLI_DONE;
	}
	result = check_use(cli, argc - optind);
	return result == CLI_DONE ? c->run(cli, argc - optind, argv + optind) : result;
}

enum cli_exit cli_no_command(const char *name)
{
	const struct command *like = cli_suggest_command(name);

	if (like)
		return cli_misused("there is no command \"%s\"; did you mean \"%s\"?", name,
				   like->name);
	return cli_misused("there is no command \"%s\"; shunt help lists them", name);
}

static void look_at_terminal(struct cli *cli)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	struct winsize size = {0};

	if (!isatty(STDOUT_FILENO))
		return;
	cli->colour = term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
	cli->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static enum cli_exit dispatch(struct cli *cli, int argc, char **argv)
{
	struct parsed p = {0};
	enum cli_exit result = parse(cli, argc, argv, &p);

	if (result != CLI_DONE)
		return result;
	if (p.version)
		return cli_print_version(cli);
	if (p.help) {
		cli_usage(cli, cli->out);
		return CLI_DONE;
	}
	if (optind == argc) {
		cli_usage(cli, stderr);
		return CLI_MISUSED;
	}
	cli->command = cli_find_command(argv[optind]);
	if (!cli->command)
		return cli_no_command(argv[optind]);
	return run(cli, argc - optind, argv + optind, &p);
}

int main(int argc, char **argv)
{
	struct cli cli = {.instance = "default", .run_dir = "/run/shunt", .out = stdout};
	enum cli_exit result;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL); /* a reader that has seen enough ends us quietly */
	look_at_terminal(&cli);
	result = dispatch(&cli, argc, argv);
	if (fflush(stdout) == EOF && errno != EPIPE)
		return cli_failed("cannot write: %s", strerror(errno));
	return result;
}
