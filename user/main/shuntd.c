/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon: options, signals, start and stop. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/log.h"
#include "base/own.h"
#include "engine/engine.h"
#include "io/nl_space.h"
#include "io/notify.h"
#include "io/notify_post.h"
#include "io/probe.h"
#include "io/supervisor.h"
#include "web/web.h"

#define DEFAULT_CONFIG SHUNT_SYSCONFDIR "/shunt/shunt.yaml"

enum { EXIT_DONE, EXIT_FAILED, EXIT_MISUSED };

static const char usage[] =
	"Usage: shuntd [-c FILE] [--check | --try | --remove | --accept-changes] [--debug]\n"
	"\n"
	"Balances TCP and UDP with XDP as FILE says (default " DEFAULT_CONFIG ").\n"
	"Runs in the foreground and logs to standard error, or with fields to the journal\n"
	"where that reads standard error.\n"
	"\n"
	"  -c, --config FILE  the configuration\n"
	"      --check        validate the configuration and the files it names, then end\n"
	"      --try          the same, and load the packet path into the kernel, beside what\n"
	"                     runs, which goes on; shunt upgrade asks a new version so\n"
	"      --remove       detach every interface and remove every table of the\n"
	"                     instance, then end; without it forwarding goes on when the\n"
	"                     daemon stops or is killed\n"
	"      --accept-changes\n"
	"                     an upgrade: put the packet path in force even where it does\n"
	"                     not do with a packet what the running one does\n"
	"      --debug        log all there is, whatever log_level says\n"
	"      --version      print the version\n"
	"  -h, --help         print this\n"
	"\n"
	"Signals: SIGHUP reloads; SIGUSR1 turns --debug on and off;\n"
	"SIGTERM and SIGINT stop the daemon, not the forwarding.\n"
	"Exit status: 0 done, 1 failed, 2 misused.\n"
	"Examples:\n"
	"  shuntd --check -c /etc/shunt/shunt.yaml\n"
	"  shuntd -c /etc/shunt/shunt.yaml\n";

struct options {
	const char *config;
	bool check, try, remove, accept_changes;
};

enum { OPT_CHECK = 256, OPT_TRY, OPT_REMOVE, OPT_ACCEPT, OPT_DEBUG, OPT_VERSION };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPT_CHECK},
	{"try", no_argument, NULL, OPT_TRY},
	{"remove", no_argument, NULL, OPT_REMOVE},
	{"accept-changes", no_argument, NULL, OPT_ACCEPT},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static void parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case OPT_CHECK:
			o->check = true;
			break;
		case OPT_TRY:
			o->try = true;
			break;
		case OPT_REMOVE:
			o->remove = true;
			break;
		case OPT_ACCEPT:
			o->accept_changes = true;
			break;
		case OPT_DEBUG:
			log_override(LOG_LEVEL_DEBUG);
			break;
		case OPT_VERSION:
			puts("shuntd " SHUNT_VERSION);
			exit(EXIT_DONE);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_DONE);
		default:
			fputs("try shuntd --help\n", stderr);
			exit(EXIT_MISUSED);
		}
	}
	if (optind < argc || o->check + o->try + o->remove + o->accept_changes > 1) {
		fprintf(stderr, "shuntd: %s; try shuntd --help\n",
			optind < argc ? "no arguments are expected besides options"
				      : "--check, --try, --remove and --accept-changes exclude "
					"each other");
		exit(EXIT_MISUSED);
	}
}

struct daemon {
	struct event_base *base;
	struct engine *engine; /* NULL while it starts */
	struct event *signals[4];
	struct event *alive; /* NULL: nobody waits for it */
};

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	log_info("stopping on signal %d; forwarding goes on with the tables as they are", (int)sig);
	(void)!supervisor_tell("STOPPING=1");
	event_base_loopbreak(d->base);
}

static void on_reload(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)sig;
	(void)what;
	if (d->engine)
		engine_reload(d->engine);
}

/* More for a while, without a restart. */
static void on_debug(evutil_socket_t sig, short what, void *arg)
{
	const bool on = log_overridden() != LOG_LEVEL_DEBUG;

	(void)sig;
	(void)what;
	(void)arg;
	log_override(on ? LOG_LEVEL_DEBUG : LOG_LEVEL_NONE);
	log_write(log_level(), "debugging is %s", on ? "on" : "off");
}

/* Before anything else starts, so that a signal that comes early waits for the loop. */
static void catch_signals(struct daemon *d)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	d->signals[0] = evsignal_new(d->base, SIGTERM, on_stop, d);
	d->signals[1] = evsignal_new(d->base, SIGINT, on_stop, d);
	d->signals[2] = evsignal_new(d->base, SIGHUP, on_reload, d);
	d->signals[3] = evsignal_new(d->base, SIGUSR1, on_debug, d);
	for (i = 0; i < 4; i++)
		if (d->signals[i])
			event_add(d->signals[i], NULL);
}

static void on_alive(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	(void)!supervisor_tell("WATCHDOG=1");
}

/* The loop says that it turns, four times as often as it has to: a new version is tried within it. */
static void watch_loop(struct daemon *d)
{
	const int64_t us = supervisor_watchdog_us() / 4;
	const struct timeval every = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	if (us == 0)
		return;
	d->alive = event_new(d->base, -1, EV_PERSIST, on_alive, NULL);
	if (d->alive)
		event_add(d->alive, &every);
}

static int fail(const struct engine_error *err)
{
	log_error("%s", err->text);
	return EXIT_FAILED;
}

/* ---- replaced by another version ----------------------------------------------------------------*/

/* A daemon that is replaced hands on, besides what it was started with, its own executable, which may no
 * longer be in any folder, and its version: where the new one cannot start, it starts the former again
 * and hands on why. */
#define ENV_EXECUTABLE "SHUNTD_FORMER_FD"
#define ENV_VERSION "SHUNTD_FORMER_VERSION"
#define ENV_FAILED "SHUNTD_FAILED"

#define DELETED " (deleted)" /* proc(5) */

struct process {
	char **argv; /* as it was started */
	char exe[512]; /* empty: not known */
	int former; /* executable of the daemon that this one has replaced; -1: none */
	char *from, *failed; /* see struct engine_start */
};

static char *take_variable(const char *name)
{
	const char *text = getenv(name);
	char *copy = text ? strdup(text) : NULL;

	unsetenv(name);
	return copy;
}

static void process_init(struct process *p, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", p->exe, sizeof(p->exe) - 1);
	auto_free char *fd = take_variable(ENV_EXECUTABLE);
	size_t len;

	p->argv = argv;
	p->exe[n > 0 && (size_t)n < sizeof(p->exe) - 1 ? n : 0] = '\0';
	len = strlen(p->exe);
	if (len > strlen(DELETED) && strcmp(p->exe + len - strlen(DELETED), DELETED) == 0)
		p->exe[len - strlen(DELETED)] = '\0';
	p->from = take_variable(ENV_VERSION);
	p->failed = take_variable(ENV_FAILED);
	p->former = fd ? atoi(fd) : -1;
	if (p->former >= 0 && fcntl(p->former, F_SETFD, FD_CLOEXEC))
		p->former = -1;
}

static void process_fini(struct process *p)
{
	if (p->former >= 0)
		close(p->former);
	p->former = -1;
	free(p->from);
	free(p->failed);
	p->from = p->failed = NULL;
}

/* The arguments that the next one gets: ours, but whether it accepts changes is said anew. */
static char **next_argv(const struct process *p, bool accepts_changes)
{
	size_t n = 0, i;
	char **argv;

	while (p->argv[n])
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (!argv)
		return NULL;
	for (n = i = 0; p->argv[i]; i++)
		if (strcmp(p->argv[i], "--accept-changes") != 0)
			argv[n++] = p->argv[i];
	if (accepts_changes)
		argv[n++] = (char *)"--accept-changes";
	return argv;
}

/* Does not return unless it fails. */
static void become_next(const struct process *p, bool accepts_changes)
{
	auto_free char **argv = next_argv(p, accepts_changes);
	int self = open("/proc/self/exe", O_RDONLY);
	char text[16];

	snprintf(text, sizeof(text), "%d", self);
	if (self >= 0)
		setenv(ENV_EXECUTABLE, text, 1);
	setenv(ENV_VERSION, SHUNT_VERSION, 1);
	if (argv)
		execv(p->exe, argv);
	log_error("cannot run %s: %s; this version goes on", p->exe, strerror(errno));
	unsetenv(ENV_EXECUTABLE);
	unsetenv(ENV_VERSION);
	if (self >= 0)
		close(self);
}

/* Returns only if there is none, or it cannot be run. */
static void become_former(const struct process *p, const char *why)
{
	auto_free char **argv = p->former >= 0 ? next_argv(p, false) : NULL;
	char text[1200];

	if (!argv)
		return;
	snprintf(text, sizeof(text), "shuntd " SHUNT_VERSION " could not start: %s", why);
	log_error("%s; version %s goes on", text, p->from ? p->from : "?");
	setenv(ENV_FAILED, text, 1);
	fexecve(p->former, argv, environ);
	log_error("cannot run the former executable: %s", strerror(errno));
}

static int serve_once(const struct options *o, struct process *p, bool *again)
{
	struct daemon d = {.base = event_base_new()};
	const struct engine_start start = {.accepts_changes = o->accept_changes,
					   .exe = p->exe[0] ? p->exe : NULL,
					   .from = p->from,
					   .failed = p->failed};
	bool accepts_changes = false;
	struct engine_error err = {0};
	int status = EXIT_DONE;
	size_t i;

	if (!d.base)
		return EXIT_FAILED;
	catch_signals(&d);
	*again = false;
	if (engine_open_as(d.base, o->config, &start, &d.engine, &err)) {
		become_former(p, err.text);
		status = fail(&err);
	} else {
		if (p->former >= 0)
			close(p->former);
		p->former = -1;
		watch_loop(&d);
		event_base_dispatch(d.base);
		*again = engine_is_replaced(d.engine, &accepts_changes);
	}
	engine_close(d.engine);
	for (i = 0; i < 4; i++)
		if (d.signals[i])
			event_free(d.signals[i]);
	if (d.alive)
		event_free(d.alive);
	event_base_free(d.base);
	if (*again)
		become_next(p, accepts_changes);
	return status;
}

static int serve(const struct options *o, char **argv)
{
	struct process p;
	bool again = true;
	int status = EXIT_DONE;

	process_init(&p, argv);
	while (again)
		status = serve_once(o, &p, &again);
	process_fini(&p);
	return status;
}

/* For probes that go a client's way. */
static const struct probe_space space = {.leave = nl_space_leave, .settle = nl_space_settle};

int main(int argc, char **argv)
{
	struct options o = {.config = DEFAULT_CONFIG};
	struct engine_error err = {0}, summary = {0};

	if (argc == 2 && strcmp(argv[1], "--probe-child") == 0)
		return probe_child_main(NULL);
	if (argc == 2 && strcmp(argv[1], "--post") == 0)
		return notify_post_main();
	if (argc >= 4 && strcmp(argv[1], "--notify") == 0)
		return notify_program_main(argv + 2);
	if (argc == 2 && strcmp(argv[1], "--probe-path") == 0)
		return probe_child_main(&space);
	if (argc == 5 && strcmp(argv[1], "--web") == 0)
		return web_main(argv[2], argv[3], argv[4]);
	log_open(JOURNAL_SOCKET);
	parse_options(argc, argv, &o);
	if (o.check || o.try) {
		if ((o.try ? engine_try : engine_check)(o.config, &summary, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return EXIT_FAILED;
		}
		puts(summary.text);
		return EXIT_DONE;
	}
	if (o.remove)
		return engine_remove(o.config, &err) ? fail(&err) : EXIT_DONE;
	return serve(&o, argv);
}
