/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon: options, signals, start and stop. */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/engine.h"
#include "io/nl_space.h"
#include "io/probe.h"

#define DEFAULT_CONFIG SHUNT_SYSCONFDIR "/shunt/shunt.yaml"

enum { EXIT_DONE, EXIT_FAILED, EXIT_MISUSED };

static const char usage[] =
	"Usage: shuntd [-c FILE] [--check | --remove | --accept-changes] [--debug]\n"
	"\n"
	"Balances TCP and UDP with XDP as FILE says (default " DEFAULT_CONFIG ").\n"
	"Runs in the foreground and logs to standard error.\n"
	"\n"
	"  -c, --config FILE  the configuration\n"
	"      --check        validate the configuration and the files it names, then end\n"
	"      --remove       detach every interface and remove every table of the\n"
	"                     instance, then end; without it forwarding goes on when the\n"
	"                     daemon stops or is killed\n"
	"      --accept-changes\n"
	"                     an upgrade: put the packet path in force even where it does\n"
	"                     not do with a packet what the running one does\n"
	"      --debug        log more\n"
	"      --version      print the version\n"
	"  -h, --help         print this\n"
	"\n"
	"Signals: SIGHUP reloads; SIGTERM and SIGINT stop the daemon, not the forwarding.\n"
	"Exit status: 0 done, 1 failed, 2 misused.\n"
	"Examples:\n"
	"  shuntd --check -c /etc/shunt/shunt.yaml\n"
	"  shuntd -c /etc/shunt/shunt.yaml\n";

struct options {
	const char *config;
	bool check, remove, accept_changes;
};

enum { OPT_CHECK = 256, OPT_REMOVE, OPT_ACCEPT, OPT_DEBUG, OPT_VERSION };

static const struct option long_options[] = {
	{"config", required_argument, NULL, 'c'},
	{"check", no_argument, NULL, OPT_CHECK},
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
		case OPT_REMOVE:
			o->remove = true;
			break;
		case OPT_ACCEPT:
			o->accept_changes = true;
			break;
		case OPT_DEBUG:
			log_set_level(LOG_LEVEL_DEBUG);
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
	if (optind < argc || o->check + o->remove + o->accept_changes > 1) {
		fprintf(stderr, "shuntd: %s; try shuntd --help\n",
			optind < argc
				? "no arguments are expected besides options"
				: "--check, --remove and --accept-changes exclude each other");
		exit(EXIT_MISUSED);
	}
}

struct daemon {
	struct event_base *base;
	struct engine *engine; /* NULL while it starts */
	struct event *signals[3];
};

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	log_info("stopping on signal %d; forwarding goes on with the tables as they are", (int)sig);
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

/* Before anything else starts, so that a signal that comes early waits for the loop. */
static void catch_signals(struct daemon *d)
{
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	d->signals[0] = evsignal_new(d->base, SIGTERM, on_stop, d);
	d->signals[1] = evsignal_new(d->base, SIGINT, on_stop, d);
	d->signals[2] = evsignal_new(d->base, SIGHUP, on_reload, d);
	for (i = 0; i < 3; i++)
		if (d->signals[i])
			event_add(d->signals[i], NULL);
}

static int fail(const struct engine_error *err)
{
	log_error("%s", err->text);
	return EXIT_FAILED;
}

static int serve(const struct options *o)
{
	struct daemon d = {.base = event_base_new()};
	struct engine_error err = {0};
	int status = EXIT_DONE;
	int (*const open)(struct event_base *, const char *, struct engine **,
			  struct engine_error *) =
		o->accept_changes ? engine_open_accepting : engine_open;
	size_t i;

	if (!d.base)
		return EXIT_FAILED;
	catch_signals(&d);
	if (open(d.base, o->config, &d.engine, &err))
		status = fail(&err);
	else
		event_base_dispatch(d.base);
	engine_close(d.engine);
	for (i = 0; i < 3; i++)
		if (d.signals[i])
			event_free(d.signals[i]);
	event_base_free(d.base);
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
	if (argc == 2 && strcmp(argv[1], "--probe-path") == 0)
		return probe_child_main(&space);
	parse_options(argc, argv, &o);
	if (o.check) {
		if (engine_check(o.config, &summary, &err)) {
			fprintf(stderr, "%s\n", err.text);
			return EXIT_FAILED;
		}
		puts(summary.text);
		return EXIT_DONE;
	}
	if (o.remove)
		return engine_remove(o.config, &err) ? fail(&err) : EXIT_DONE;
	return serve(&o);
}
