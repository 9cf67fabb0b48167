/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt upgrade: has the installed version take the daemon's place, waits for it, and says what became
 * of the packet path. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mono.h"
#include "base/own.h"
#include "io/stats_client.h"
#include "main/cmd_ctl.h"
#include "main/json.h"
#include "main/words.h"

#define LOOK_MS 100
#define PATIENCE_MS 60000 /* with a new version that reads ten thousand services */

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}

struct state {
	struct view_status status;
	struct view_interface *interfaces;
	size_t n;
};

/* 0, or -errno with @e. The interfaces are the caller's. */
static int look(const struct cli *cli, struct state *s, struct client_error *e)
{
	__attribute__((cleanup(close_client))) struct stats_client *c = NULL;
	int err = stats_client_open(cli->run_dir, cli->instance, &c, e);

	free(s->interfaces);
	*s = (struct state){0};
	if (!err)
		err = stats_client_status(c, &s->status, e);
	if (!err)
		err = stats_client_interfaces(c, &s->interfaces, &s->n, e);
	return err;
}

static bool is_bad(const struct view_upgrade *u)
{
	return u->failed[0] || u->state == SHUNT_UPGRADE_REFUSED ||
	       u->state == SHUNT_UPGRADE_FELL_BACK;
}

static void print_json(const struct cli *cli, const struct state *s)
{
	struct json j;
	size_t i;

	json_open(&j, cli->out, false);
	json_text(&j, "version", s->status.version);
	words_json_upgrade(&j, &s->status.upgrade);
	json_list(&j, "interfaces");
	for (i = 0; i < s->n; i++)
		words_json_interface(&j, &s->interfaces[i]);
	json_list_end(&j);
	json_close(&j);
}

static void print(const struct cli *cli, const struct state *s)
{
	const struct view_status *v = &s->status;
	size_t i, attached = 0;

	if (cli->json) {
		print_json(cli, s);
		return;
	}
	if (v->upgrade.from[0] && !v->upgrade.failed[0])
		fprintf(cli->out, "shuntd    %s, replaced %s, process %" PRIu32 "\n", v->version,
			v->upgrade.from, v->pid);
	else
		fprintf(cli->out, "shuntd    %s, process %" PRIu32 "\n", v->version, v->pid);
	words_upgrade(cli->out, &v->upgrade);
	for (i = 0; i < s->n; i++)
		if (s->interfaces[i].xdp != VIEW_XDP_NONE)
			fprintf(cli->out, "%s%s", attached++ ? ", " : "runs on   ",
				s->interfaces[i].name);
	fputs(attached ? "\n" : "runs on   no interface\n", cli->out);
}

/* Whether who answers has started since. */
static bool is_new(const struct view_status *v, mono_t since)
{
	return (int64_t)v->uptime_ms * 1000 < mono_diff_us(since, mono_now());
}

static enum cli_exit wait_for_it(const struct cli *cli, mono_t since, struct state *s)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	struct client_error e = {0};

	for (;;) {
		int err = look(cli, s, &e);

		if (!err && is_new(&s->status, since))
			return CLI_DONE;
		if (mono_diff_us(since, mono_now()) > PATIENCE_MS * 1000ll)
			return cli_failed("the new version has not answered for %d s%s%s; "
					  "forwarding goes on; its log says why",
					  PATIENCE_MS / 1000, err ? ": " : "", err ? e.text : "");
		nanosleep(&pause, NULL);
	}
}

static enum cli_exit replace(const struct cli *cli, struct state *s)
{
	struct ctl_command c = {.verb = CTL_UPGRADE,
				.accept = cli_option(cli, "accept-changes") != NULL};
	const mono_t since = mono_now();
	struct ctl_reply r = {0};
	enum cli_exit result = ctl_ask(cli, &c, &r);

	if (result != CLI_DONE)
		return result;
	if (!cli->json) {
		fprintf(cli->out, "%s\n", r.text);
		fflush(cli->out);
	}
	return wait_for_it(cli, since, s);
}

static enum cli_exit roll_back(const struct cli *cli)
{
	struct ctl_command c = {.verb = CTL_ROLLBACK};

	return ctl_call(cli, &c);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	const bool rollback = cli_option(cli, "rollback"), status = cli_option(cli, "status");
	struct state s = {0};
	struct client_error e;
	enum cli_exit result = CLI_DONE;

	(void)argc, (void)argv;
	if (rollback + status + (cli_option(cli, "accept-changes") != NULL) > 1)
		return cli_misused("--rollback, --status and --accept-changes exclude each other");
	if (rollback)
		return roll_back(cli);
	if (!status)
		result = replace(cli, &s);
	else if (look(cli, &s, &e))
		result = cli_failed("%s", e.text);
	if (result == CLI_DONE) {
		print(cli, &s);
		if (!status && is_bad(&s.status.upgrade))
			result = CLI_FAILED;
	}
	free(s.interfaces);
	return result;
}

static const struct cli_option options[] = {
	{"accept-changes", NULL, "have it take over even where it would do something else", 0,
	 CLI_ANYTHING, NULL},
	{"rollback", NULL, "put the former packet path back, within rollback_window (30s)", 0,
	 CLI_ANYTHING, NULL},
	{"status", NULL, "what is in force since when, and what became of the last one", 0,
	 CLI_ANYTHING, NULL},
	{0},
};

const struct command command_upgrade = {
	.name = "upgrade",
	.arguments = "",
	.summary = "put the installed version in the running daemon's place",
	.help = "To be run when a new package is in place. The daemon asks the new executable "
		"to read the configuration and to load its packet path, and becomes it only if "
		"it could, in the same process; a new version that cannot start after all "
		"hands back to the former one. Forwarding goes on all the time. The new packet "
		"path is compared with the running one by made-up packets before it takes "
		"over: where they differ, the running one stays, and the exit status is 1.\n",
	.json = "version, upgrade {program (the kernel's number), program_age_ms, state (none, "
		"watched, kept, one_way, refused, fell_back, rolled_back), why, left_ms (of "
		"being watched), packets, errors (since then), from (version), failed (why the "
		"new version ended), asked (services), compared (packets)}, interfaces [as in "
		"status] (why, from and failed may be null)\n"
		"refused, and with --rollback: ok, errno, text",
	.examples = "apt install shunt && shunt upgrade\n"
		    "shunt upgrade --rollback",
	.group = CLI_GROUP_CONFIGURE,
	.options = options,
	.run = run,
};
