/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt drain: gives a backend no new flows, and may wait until those that it has are gone. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/cmd_ctl.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/units.h"
#include "main/words.h"

#define LOOK_MS 500 /* how often it is asked for */
#define PATIENCE_MS 30000 /* with a daemon that does not answer: it may be restarting */

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}

/* Fills @out with the backend argv[1] of the service argv[0], of two of a name with the one that is
 * configured. Returns 0, or -errno with @e; -ENOENT: it is not there. */
static int look(const struct cli *cli, char **argv, struct view_backend *out,
		struct client_error *e)
{
	__attribute__((cleanup(close_client))) struct stats_client *c = NULL;
	auto_free struct view_backend *rows = NULL;
	size_t n = 0, i;
	int err = stats_client_open(cli->run_dir, cli->instance, &c, e);

	if (!err)
		err = stats_client_backends(c, argv[0], &rows, &n, e);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		if (strcmp(rows[i].name, argv[1]) != 0)
			continue;
		*out = rows[i];
		return 0;
	}
	return client_fail(e, -ENOENT, "%s/%s is no longer there; shunt backends lists who is",
			   argv[0], argv[1]);
}

static void print_progress(const struct cli *cli, const struct view_backend *b)
{
	char words[256];
	struct json j;

	if (cli->json) {
		json_open(&j, cli->out, true);
		json_list(&j, "backends");
		words_json_backend(&j, b);
		json_list_end(&j);
		json_close(&j);
	} else {
		fprintf(cli->out, "%s/%s: %s\n", b->service, b->name,
			words_drain(b, words, sizeof(words)));
	}
	fflush(cli->out);
}

/* Whether there is nothing to wait for any more; *result is how it ended. */
static bool has_ended(const struct view_backend *b, enum cli_exit *result)
{
	switch (b->drain) {
	case VIEW_DRAIN_GOING:
		return false;
	case VIEW_DRAIN_DONE:
		*result = CLI_DONE;
		return true;
	case VIEW_DRAIN_EXPIRED:
		*result = CLI_MOVED;
		return true;
	default:
		*result = cli_failed("%s/%s is no longer drained; shunt history %s %s says who "
				     "changed that",
				     b->service, b->name, b->service, b->name);
		return true;
	}
}

/* Who left is gone when its flows had ended, or when the deadline had come. */
static enum cli_exit is_gone(const struct cli *cli, const struct view_backend *last)
{
	const bool late = last->deadline_ms > 0 && last->deadline_ms <= 2 * LOOK_MS;

	if (!cli->json)
		fprintf(cli->out, "%s/%s: gone%s\n", last->service, last->name,
			late ? ": the deadline has come" : "");
	return late ? CLI_MOVED : CLI_DONE;
}

/* A line whenever a second has passed; Ctrl-C ends the waiting, not the drain. */
static enum cli_exit wait_for_end(const struct cli *cli, char **argv)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	enum cli_exit result = CLI_DONE;
	struct view_backend b = {0};
	struct client_error e;
	unsigned int looks, failures = 0;

	for (looks = 0;; looks++) {
		int err = look(cli, argv, &b, &e);

		if (!err) {
			bool ended = has_ended(&b, &result);

			failures = 0;
			if (result != CLI_FAILED && (ended || looks % (1000 / LOOK_MS) == 0))
				print_progress(cli, &b);
			if (ended)
				return result;
		} else if (b.leaving && err == -ENOENT) {
			return is_gone(cli, &b);
		} else if (err == -ENOENT || ++failures * LOOK_MS >= PATIENCE_MS) {
			return cli_failed("%s", e.text);
		}
		nanosleep(&pause, NULL);
	}
}

static enum cli_exit read_deadline(const struct cli *cli, uint32_t *deadline_s)
{
	const char *text = cli_option(cli, "deadline");
	uint64_t ms = 0;

	if (!text)
		return CLI_DONE;
	if (!units_read_duration(text, &ms) || ms < 1000 || ms > CTL_DEADLINE_MAX_S * 1000ull)
		return cli_misused("--deadline %s: a duration with a unit, 1s to %dh; write 90s, "
				   "10m or 2h",
				   text, CTL_DEADLINE_MAX_S / 3600);
	*deadline_s = (uint32_t)((ms + 999) / 1000);
	return CLI_DONE;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct ctl_command c = {.verb = CTL_DRAIN};
	enum cli_exit result = read_deadline(cli, &c.deadline_s);

	(void)argc;
	if (result == CLI_DONE)
		result = ctl_call_on_backend(cli, &c, argv);
	if (result != CLI_DONE || !cli_option(cli, "wait"))
		return result;
	fflush(cli->out);
	return wait_for_end(cli, argv);
}

static const struct cli_option options[] = {
	{"deadline", "TIME",
	 "flows that are left after this time (90s, 10m, 2h) move to other backends; again with "
	 "another time to change it",
	 0, CLI_ANYTHING, NULL},
	{"wait", NULL,
	 "show how it goes until there are none: exit status 0 when they have ended, 3 when the "
	 "deadline moved some; Ctrl-C ends the waiting, not the drain",
	 0, CLI_ANYTHING, NULL},
	CTL_REASON,
	{0},
};

const struct command command_drain = {
	.name = "drain",
	.arguments = "SERVICE BACKEND",
	.summary = "give a backend no new flows, and keep those that it has",
	.help = "Holds until shunt enable, also over a restart of the daemon. Flows that the "
		"backend has stay with it until they end: when it has had no packet for the "
		"service's flow_timeout, with nat and masq the timeout of connections.\n",
	.json = "ok, errno, text\n"
		"with --wait then, a document a line: backends [as in backends]",
	.examples = "shunt drain web web1 --deadline 10m --wait",
	.group = CLI_GROUP_STEER,
	.min_args = 2,
	.max_args = 2,
	.kinds = {CLI_SERVICE, CLI_BACKEND},
	.options = options,
	.run = run,
};
