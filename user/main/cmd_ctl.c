/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt reload, enable and weight: what changes something; drain is in cmd_drain.c. */
#include "main/cmd_ctl.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "io/ctl_client.h"
#include "main/cmd_plan.h"
#include "main/commands.h"
#include "main/json.h"
#include "pure/conf.h"

static void reply_json(const struct cli *cli, const struct ctl_reply *r)
{
	struct json j;

	json_open(&j, cli->out, false);
	json_bool(&j, "ok", r->status == 0);
	json_number(&j, "errno", (uint64_t)-r->status);
	json_text_or_null(&j, "text", r->text);
	json_close(&j);
}

enum cli_exit ctl_call(const struct cli *cli, const struct ctl_command *c)
{
	struct ctl_reply r = {0};
	struct client_error e;

	if (ctl_client_call(cli->run_dir, cli->instance, c, &r, &e) < 0)
		return cli_failed("%s", e.text);
	if (cli->json)
		reply_json(cli, &r);
	else if (r.status < 0)
		cli_failed("%s", r.text[0] ? r.text : strerror(-r.status));
	else if (r.text[0])
		fprintf(cli->out, "%s\n", r.text);
	return r.status < 0 ? CLI_FAILED : CLI_DONE;
}

void ctl_say_who(struct ctl_command *c)
{
	const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
	const struct passwd *pw = sudo ? NULL : getpwuid(getuid());
	const char *name = sudo ? sudo : pw ? pw->pw_name : "";

	if (strlen(name) < EDIT_USER_MAX && edit_user_is_good(name))
		strcpy(c->user, name);
}

enum cli_exit ctl_ask(const struct cli *cli, const struct ctl_command *c, struct ctl_reply *r)
{
	struct client_error e;

	if (ctl_client_call(cli->run_dir, cli->instance, c, r, &e) < 0)
		return cli_failed("%s", e.text);
	if (r->status >= 0)
		return CLI_DONE;
	if (cli->json)
		reply_json(cli, r);
	else
		cli_failed("%s", r->text[0] ? r->text : strerror(-r->status));
	return CLI_FAILED;
}

static enum cli_exit too_long(const char *what, const char *name)
{
	struct client_error e;

	client_too_long(&e, 0, what, name);
	return cli_failed("%s", e.text);
}

enum cli_exit ctl_call_on_backend(const struct cli *cli, struct ctl_command *c, char **argv)
{
	const char *reason = cli_option(cli, "reason");

	if (reason &&
	    (strlen(reason) >= EDIT_REASON_MAX || !*reason || !edit_reason_is_good(reason)))
		return cli_misused("--reason: one line of 1 to %d bytes that does not begin with a "
				   "space",
				   EDIT_REASON_MAX - 1);
	if (!argv[0][0] || !argv[1][0])
		return cli_misused("the name of a service or backend cannot be empty");
	if (strlen(argv[0]) >= sizeof(c->service))
		return too_long("service", argv[0]);
	if (strlen(argv[1]) >= sizeof(c->backend))
		return too_long("backend", argv[1]);
	strcpy(c->service, argv[0]);
	strcpy(c->backend, argv[1]);
	if (reason)
		snprintf(c->reason, sizeof(c->reason), "%s", reason);
	ctl_say_who(c);
	return ctl_call(cli, c);
}

/* Shows what it would do, and asks. CLI_DONE: go on. */
static enum cli_exit confirm(const struct cli *cli, bool *go_on)
{
	struct plan_rows rows = {0};
	enum cli_exit result = plan_ask(cli, "", &rows);
	char answer[16] = "";

	if (result != CLI_DONE)
		return result;
	plan_print(cli, &rows);
	*go_on = plan_has_changes(&rows);
	free(rows.list);
	if (!*go_on || cli_option(cli, "yes"))
		return CLI_DONE;
	fprintf(cli->out, "apply? [y/N] ");
	fflush(cli->out);
	if (!fgets(answer, sizeof(answer), stdin))
		fputc('\n', cli->out);
	*go_on = strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
	if (!*go_on)
		fputs("not applied\n", cli->out);
	return *go_on ? CLI_DONE : CLI_FAILED;
}

static enum cli_exit run_reload(struct cli *cli, int argc, char **argv)
{
	struct ctl_command c = {.verb = CTL_RELOAD};
	enum cli_exit result;
	bool go_on = true;

	(void)argc, (void)argv;
	if (!cli_option(cli, "plan") && cli_option(cli, "yes"))
		return cli_misused("--yes is the answer to --plan; without it nothing is asked");
	if (cli_option(cli, "plan")) {
		if (cli->json)
			return cli_misused("--plan asks; with --json take shunt plan --json, and "
					   "then shunt reload --json");
		if (!cli_option(cli, "yes") && !isatty(STDIN_FILENO))
			return cli_misused("--plan asks, and there is no terminal to answer; add "
					   "--yes, or see shunt plan");
		result = confirm(cli, &go_on);
		if (!go_on)
			return result;
	}
	return ctl_call(cli, &c);
}

static const struct cli_option reload_options[] = {
	{"plan", NULL, "show first what it would do, as shunt plan does, and ask", 0, CLI_ANYTHING,
	 NULL},
	{"yes", NULL, "with --plan: show, and do not ask", 0, CLI_ANYTHING, NULL},
	{0},
};

const struct command command_reload = {
	.name = "reload",
	.arguments = "",
	.summary = "make shuntd read its configuration again",
	.help = "A configuration with a mistake changes nothing: the mistake is shown, the "
		"exit status is 1, and the daemon goes on with what it had.\n",
	.json = "ok, errno, text",
	.examples = "shunt reload\nshunt reload --plan",
	.group = CLI_GROUP_CONFIGURE,
	.options = reload_options,
	.run = run_reload,
};

static const struct cli_option with_reason[] = {CTL_REASON, {0}};

static enum cli_exit run_enable(struct cli *cli, int argc, char **argv)
{
	struct ctl_command c = {.verb = CTL_ENABLE};

	(void)argc;
	return ctl_call_on_backend(cli, &c, argv);
}

const struct command command_enable = {
	.name = "enable",
	.arguments = "SERVICE BACKEND",
	.summary = "give a drained or disabled backend new flows again",
	.help = "Undoes shunt drain and shunt disable.\n",
	.json = "ok, errno, text",
	.examples = "shunt enable web web1",
	.group = CLI_GROUP_STEER,
	.min_args = 2,
	.max_args = 2,
	.kinds = {CLI_SERVICE, CLI_BACKEND},
	.options = with_reason,
	.run = run_enable,
};

static enum cli_exit run_disable(struct cli *cli, int argc, char **argv)
{
	struct ctl_command c = {.verb = CTL_DISABLE};

	(void)argc;
	return ctl_call_on_backend(cli, &c, argv);
}

const struct command command_disable = {
	.name = "disable",
	.arguments = "SERVICE BACKEND",
	.summary = "take a backend out at once: maintenance",
	.help = "It gets no packets, also none of flows that it has, which move, also not "
		"while nobody else is up. It is probed all the same. Holds until shunt enable, "
		"also over a restart of the daemon. To keep its flows use shunt drain.\n",
	.json = "ok, errno, text",
	.examples = "shunt disable --reason 'disk swap, ticket 4711' web web1",
	.group = CLI_GROUP_STEER,
	.min_args = 2,
	.max_args = 2,
	.kinds = {CLI_SERVICE, CLI_BACKEND},
	.options = with_reason,
	.run = run_disable,
};

static enum cli_exit run_weight(struct cli *cli, int argc, char **argv)
{
	struct ctl_command c = {.verb = CTL_WEIGHT};
	char *end;
	long weight = strtol(argv[2], &end, 10);

	(void)argc;
	if (argv[2][0] < '0' || argv[2][0] > '9' || *end || weight > CONF_WEIGHT_MAX)
		return cli_misused("\"%s\" is no weight: a number from 0 to %d", argv[2],
				   CONF_WEIGHT_MAX);
	c.weight = (uint16_t)weight;
	return ctl_call_on_backend(cli, &c, argv);
}

const struct command command_weight = {
	.name = "weight",
	.arguments = "SERVICE BACKEND N",
	.summary = "change a backend's weight",
	.help = "N is 0 to 1000; 0 gives it no new flows. Holds also over a restart of the "
		"daemon.\n",
	.json = "ok, errno, text",
	.examples = "shunt weight web web1 5",
	.group = CLI_GROUP_STEER,
	.min_args = 3,
	.max_args = 3,
	.kinds = {CLI_SERVICE, CLI_BACKEND},
	.options = with_reason,
	.run = run_weight,
};
