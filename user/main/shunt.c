/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt: shows and steers shuntd. Options here, subcommands in commands.c and cmd_*.c. */
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
#include "main/json.h"
#include "main/table.h"
#include "main/units.h"
#include "pure/ctl.h"
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

enum cli_exit cmd_version(struct cli *cli, int argc, char **argv)
{
	struct json j;

	(void)argc, (void)argv;
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

/* ---- options ----------------------------------------------------------------------------------*/

enum {
	OPT_RUN_DIR = 256,
	OPT_JSON,
	OPT_NO_COLOR,
	OPT_DEADLINE,
	OPT_WAIT,
	OPT_FOLLOW,
	OPT_REASON,
	OPT_ROLLBACK,
	OPT_STATUS,
	OPT_ACCEPT
};

static const struct option long_options[] = {
	{"instance", required_argument, NULL, 'i'},
	{"run-dir", required_argument, NULL, OPT_RUN_DIR},
	{"json", no_argument, NULL, OPT_JSON},
	{"no-color", no_argument, NULL, OPT_NO_COLOR},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"watch", optional_argument, NULL, 'w'},
	{"all", no_argument, NULL, 'a'},
	{"deadline", required_argument, NULL, OPT_DEADLINE},
	{"wait", no_argument, NULL, OPT_WAIT},
	{"follow", no_argument, NULL, OPT_FOLLOW},
	{"reason", required_argument, NULL, OPT_REASON},
	{"rollback", no_argument, NULL, OPT_ROLLBACK},
	{"status", no_argument, NULL, OPT_STATUS},
	{"accept-changes", no_argument, NULL, OPT_ACCEPT},
	{0},
};

struct parsed {
	bool help, version;
	unsigned int taken; /* CLI_TAKES_* of the options given */
};

/* "--watch 5" as well as "--watch=5": the next word if it is a number. */
static enum cli_exit parse_watch(struct cli *cli, int argc, char **argv)
{
	const char *text = optarg;
	char *end;

	if (!text && optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9') {
		strtod(argv[optind], &end);
		text = *end ? NULL : argv[optind++];
	}
	cli->watch_s = CLI_WATCH_DEFAULT_S;
	if (!text)
		return CLI_DONE;
	cli->watch_s = strtod(text, &end);
	if (*end || end == text || !(cli->watch_s >= 0.1 && cli->watch_s <= 86400))
		return cli_misused("--watch %s: seconds, from 0.1 to 86400", text);
	return CLI_DONE;
}

static enum cli_exit parse_deadline(struct cli *cli)
{
	uint64_t ms = 0;

	if (!units_read_duration(optarg, &ms) || ms < 1000 || ms > CTL_DEADLINE_MAX_S * 1000ull)
		return cli_misused("--deadline %s: a duration with a unit, 1s to %dh; write 90s, "
				   "10m or 2h",
				   optarg, CTL_DEADLINE_MAX_S / 3600);
	cli->deadline_s = (uint32_t)((ms + 999) / 1000);
	return CLI_DONE;
}

static enum cli_exit parse_reason(struct cli *cli)
{
	if (strlen(optarg) >= EDIT_REASON_MAX || !optarg[0] || !edit_reason_is_good(optarg))
		return cli_misused("--reason: one line of 1 to %d bytes that does not begin with a "
				   "space",
				   EDIT_REASON_MAX - 1);
	cli->reason = optarg;
	return CLI_DONE;
}

/* One of them at most. */
static enum cli_exit parse_upgrade(struct cli *cli, int option)
{
	cli->rollback |= option == OPT_ROLLBACK;
	cli->status |= option == OPT_STATUS;
	cli->accept |= option == OPT_ACCEPT;
	if (cli->rollback + cli->status + cli->accept > 1)
		return cli_misused("--rollback, --status and --accept-changes exclude each other");
	return CLI_DONE;
}

static enum cli_exit parse_option(struct cli *cli, int option, struct parsed *p)
{
	switch (option) {
	case 'i':
		cli->instance = optarg;
		break;
	case OPT_RUN_DIR:
		cli->run_dir = optarg;
		break;
	case OPT_JSON:
		cli->json = true;
		p->taken |= CLI_TAKES_JSON;
		break;
	case OPT_NO_COLOR:
		cli->colour = false;
		break;
	case OPT_DEADLINE:
		p->taken |= CLI_TAKES_DRAIN;
		return parse_deadline(cli);
	case OPT_WAIT:
		cli->wait = true;
		p->taken |= CLI_TAKES_DRAIN;
		break;
	case OPT_REASON:
		p->taken |= CLI_TAKES_REASON;
		return parse_reason(cli);
	case OPT_ROLLBACK:
	case OPT_STATUS:
	case OPT_ACCEPT:
		p->taken |= CLI_TAKES_UPGRADE;
		return parse_upgrade(cli, option);
	case OPT_FOLLOW:
		p->taken |= CLI_TAKES_FOLLOW;
		break;
	case 'h':
		p->help = true;
		break;
	case 'V':
		p->version = true;
		break;
	case 'a':
		cli->all = true;
		p->taken |= CLI_TAKES_ALL;
		break;
	default: /* getopt has said what is wrong */
		fputs("Try shunt --help.\n", stderr);
		return CLI_MISUSED;
	}
	return CLI_DONE;
}

/* Reads the options of argv[1..]; optind is the first word after them. @short_options begins with
 * "+" to stop at the first word that is none. */
static enum cli_exit parse(struct cli *cli, int argc, char **argv, const char *short_options,
			   struct parsed *p)
{
	enum cli_exit result = CLI_DONE;
	int option;

	optind = 0; /* begin anew */
	while (result == CLI_DONE &&
	       (option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == 'w') {
			p->taken |= CLI_TAKES_WATCH;
			result = parse_watch(cli, argc, argv);
		} else {
			result = parse_option(cli, option, p);
		}
	}
	return result;
}

/* ---- running a command ------------------------------------------------------------------------*/

static enum cli_exit check_use(const struct command *c, const struct parsed *p, int n)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} options[] = {
		{CLI_TAKES_JSON, "--json"},
		{CLI_TAKES_WATCH, "--watch"},
		{CLI_TAKES_ALL, "--all"},
		{CLI_TAKES_DRAIN, "--deadline or --wait"},
		{CLI_TAKES_FOLLOW, "--follow"},
		{CLI_TAKES_REASON, "--reason"},
		{CLI_TAKES_UPGRADE, "--rollback, --status or --accept-changes"},
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (p->taken & ~c->takes & options[i].bit)
			return cli_misused("%s does not take %s; see shunt help %s", c->name,
					   options[i].name, c->name);
	if (n < c->min_args)
		return cli_misused("%s wants %s; see shunt help %s", c->name, c->arguments,
				   c->name);
	if (n > c->max_args)
		return cli_misused("%s takes %s; see shunt help %s", c->name,
				   *c->arguments ? c->arguments : "no arguments", c->name);
	return CLI_DONE;
}

/* argv[0] is the command's name. */
static enum cli_exit run(struct cli *cli, const struct command *c, int argc, char **argv,
			 struct parsed *p)
{
	enum cli_exit result;

	if (c->takes & CLI_TAKES_RAW)
		return c->run(cli, argc - 1, argv + 1);
	argv[0] = (char *)"shunt"; /* for getopt's complaints */
	result = parse(cli, argc, argv, "hVi:w::a", p);
	if (result != CLI_DONE)
		return result;
	if (p->help) {
		cli_command_help(cli->out, c);
		return CLI_DONE;
	}
	result = check_use(c, p, argc - optind);
	return result == CLI_DONE ? c->run(cli, argc - optind, argv + optind) : result;
}

static enum cli_exit unknown(const char *name)
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
	enum cli_exit result = parse(cli, argc, argv, "+hVi:w::a", &p);
	const struct command *c;

	if (result != CLI_DONE)
		return result;
	if (p.version)
		return cmd_version(cli, 0, NULL);
	if (p.help) {
		cli_usage(cli->out);
		return CLI_DONE;
	}
	if (optind == argc) {
		cli_usage(stderr);
		return CLI_MISUSED;
	}
	c = cli_find_command(argv[optind]);
	if (!c)
		return unknown(argv[optind]);
	return run(cli, c, argc - optind, argv + optind, &p);
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
