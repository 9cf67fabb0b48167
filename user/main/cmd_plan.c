/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt plan, and the plan that shunt reload shows: what a reload would do. */
#include "main/cmd_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/cmd_ctl.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/plan_print.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

/* The daemon has its own working directory. The last part may be missing, which the daemon says. */
static enum cli_exit make_absolute(const char *file, char out[static CTL_FILE_MAX])
{
	char folder[PATH_MAX];
	int n;

	if (*file == '/')
		n = snprintf(out, CTL_FILE_MAX, "%s", file);
	else if (getcwd(folder, sizeof(folder)))
		n = snprintf(out, CTL_FILE_MAX, "%s/%s", folder, file);
	else
		return cli_failed("%s: the working directory is not known: %s", file,
				  strerror(errno));
	if (n >= CTL_FILE_MAX)
		return cli_failed("%s: the path is too long; %d bytes are taken", file,
				  CTL_FILE_MAX - 1);
	return CLI_DONE;
}

/* The daemon reads files itself, and its unit may hide some from it. Complaints about what is in the file
 * have a line. */
static void hint(const char *file, const struct ctl_reply *r)
{
	const size_t n = strlen(file);

	if (n && (r->status == -ENOENT || r->status == -EACCES) && strncmp(r->text, file, n) == 0 &&
	    r->text[n] == ':' && r->text[n + 1] == ' ' && access(file, R_OK) == 0)
		cli_failed("shuntd does not see that file, although it is there: its unit may hide "
			   "/tmp and /home; put it beside the configuration in force");
}

static enum cli_exit make(const struct cli *cli, const char *file, uint64_t *number)
{
	struct ctl_command c = {.verb = CTL_MAKE_PLAN};
	struct ctl_reply r = {0};
	enum cli_exit result = *file ? make_absolute(file, c.file) : CLI_DONE;

	if (result != CLI_DONE)
		return result;
	result = ctl_ask(cli, &c, &r);
	if (result != CLI_DONE)
		hint(c.file, &r);
	*number = r.plan;
	return result;
}

enum cli_exit plan_ask(const struct cli *cli, const char *file, struct plan_rows *out)
{
	auto_client struct stats_client *c = NULL;
	struct client_error e;
	uint64_t number = 0;
	enum cli_exit result = make(cli, file, &number);

	if (result != CLI_DONE)
		return result;
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_plan(c, &out->list, &out->n, &e) < 0)
		return cli_failed("%s", e.text);
	if (out->n && out->list[0].kind == SHUNT_PLAN_WHOLE && out->list[0].number == number)
		return CLI_DONE;
	free(out->list);
	*out = (struct plan_rows){0};
	return cli_failed("another plan was made, or a configuration loaded, at the same time; run "
			  "it again");
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct plan_rows rows = {0};
	enum cli_exit result = plan_ask(cli, argc > 0 ? argv[0] : "", &rows);
	bool changes;

	if (result != CLI_DONE)
		return result;
	changes = plan_has_changes(&rows);
	if (cli->json)
		plan_print_json(cli, &rows);
	else
		plan_print(cli, &rows);
	free(rows.list);
	return changes && cli_option(cli, "exit-code") ? CLI_CHANGES : CLI_DONE;
}

static const struct cli_option options[] = {
	{"exit-code", NULL, "end with 4 when there are changes, and with 0 when there are none", 0,
	 CLI_ANYTHING, NULL},
	{0},
};

const struct command command_plan = {
	.name = "plan",
	.arguments = "[FILE]",
	.summary = "what a reload would do, and nothing is touched",
	.help = "Has the running daemon compare FILE, or its own file as it is now, with what is "
		"in "
		"force: services and backends that come (+), change (~) or go (-), the keys that "
		"differ, the slots whose new flows would go to another backend, what would become "
		"of "
		"live flows, and warnings. A mistake in the file is told as by shunt check.\n"
		"\n"
		"Backends that are new, or have another check, are taken for up. A backend that "
		"leaves gets no new flows, and goes when those that it has have ended.\n",
	.json = "file, changes (whether there are any), services_after, backends_after, "
		"settings [key, from?, to?], "
		"services [name, change (added, changed, removed), address, backends_after, slots, "
		"slots_before, slots_moved, flows_moved_ppm (of a million live flows, those that "
		"lose "
		"their backend), flows? (live, where it is known), settings [as in plan], backends "
		"[name, change (added, changed, leaves, removed), address, slots, slots_before, "
		"settings [as in plan]]], warnings (a list of texts)",
	.examples = "shunt plan /etc/shunt/shunt.yaml\nshunt plan --json new.yaml",
	.group = CLI_GROUP_CONFIGURE,
	.max_args = 1,
	.kinds = {CLI_FILE},
	.options = options,
	.run = run,
};
