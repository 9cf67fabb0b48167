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
	struct ctl_command c = {.verb = CTL_UPGRADE, .accept = cli->accept};
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

enum cli_exit cmd_upgrade(struct cli *cli, int argc, char **argv)
{
	struct state s = {0};
	struct client_error e;
	enum cli_exit result = CLI_DONE;

	(void)argc, (void)argv;
	if (cli->rollback)
		return roll_back(cli);
	if (!cli->status)
		result = replace(cli, &s);
	else if (look(cli, &s, &e))
		result = cli_failed("%s", e.text);
	if (result == CLI_DONE) {
		print(cli, &s);
		if (!cli->status && is_bad(&s.status.upgrade))
			result = CLI_FAILED;
	}
	free(s.interfaces);
	return result;
}
