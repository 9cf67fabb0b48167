/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt doctor: what ails this host, what comes of it, and what mends it. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "main/commands.h"
#include "main/doctor_gather.h"
#include "main/json.h"
#include "main/wrap.h"

static const char *colour(const struct cli *cli, enum doctor_severity s)
{
	if (!cli->colour)
		return "";
	return s == DOCTOR_ERROR ? "\033[31m" : s == DOCTOR_WARNING ? "\033[33m" : "\033[36m";
}

static void print_finding(const struct cli *cli, const struct doctor_finding *f)
{
	const int columns = cli->width ? cli->width : INT16_MAX;
	const char *on = colour(cli, f->severity), *off = *on ? "\033[0m" : "";
	char lead[32];

	snprintf(lead, sizeof(lead), "%s", doctor_severity_name(f->severity));
	fputs(on, cli->out);
	wrap_hang(cli->out, columns, lead, 9, f->what);
	fputs(off, cli->out);
	wrap_hang(cli->out, columns, "", 9, f->consequence);
	if (!f->remedy[0])
		return;
	/* A command is not folded, so that it can be copied. */
	if (f->where[0])
		fprintf(cli->out, "         on %s:\n", f->where);
	fprintf(cli->out, "         $ %s\n", f->remedy);
}

static void count(const struct doctor_report *r, size_t n[static DOCTOR_SEVERITY_MAX])
{
	size_t i;

	memset(n, 0, DOCTOR_SEVERITY_MAX * sizeof(*n));
	for (i = 0; i < r->n; i++)
		n[r->list[i].severity]++;
}

/* A thousand services without a backend are one trouble. */
#define ALIKE_MAX 10

/* How many findings in a row from @at on are of one check. */
static size_t alike(const struct doctor_report *r, size_t at)
{
	size_t n = 1;

	while (at + n < r->n && r->list[at + n].check == r->list[at].check &&
	       r->list[at + n].severity == r->list[at].severity)
		n++;
	return n;
}

static void print(const struct cli *cli, const struct doctor_report *r)
{
	size_t n[DOCTOR_SEVERITY_MAX], i, k, of;

	for (i = 0; i < r->n; i += of) {
		of = alike(r, i);
		for (k = i; k < i + of && k < i + ALIKE_MAX; k++) {
			print_finding(cli, &r->list[k]);
			fputc('\n', cli->out);
		}
		if (of > ALIKE_MAX)
			fprintf(cli->out,
				"         and %zu more of this kind (%s): --json has them\n\n",
				of - ALIKE_MAX, r->list[i].check);
	}
	count(r, n);
	fprintf(cli->out, "%zu checks: errors: %zu, warnings: %zu, notes: %zu\n", r->checks,
		n[DOCTOR_ERROR], n[DOCTOR_WARNING], n[DOCTOR_NOTE]);
}

static void print_json(const struct cli *cli, const struct doctor_facts *facts,
		       const struct doctor_report *r)
{
	size_t n[DOCTOR_SEVERITY_MAX], i;
	struct json j;

	count(r, n);
	json_open(&j, cli->out, false);
	json_bool(&j, "daemon", facts->daemon);
	json_text(&j, "file", facts->file);
	json_number(&j, "checks", r->checks);
	json_number(&j, "errors", n[DOCTOR_ERROR]);
	json_number(&j, "warnings", n[DOCTOR_WARNING]);
	json_number(&j, "notes", n[DOCTOR_NOTE]);
	json_list(&j, "findings");
	for (i = 0; i < r->n; i++) {
		const struct doctor_finding *f = &r->list[i];

		json_object(&j, NULL);
		json_text(&j, "severity", doctor_severity_name(f->severity));
		json_text(&j, "check", f->check);
		json_text(&j, "what", f->what);
		json_text(&j, "consequence", f->consequence);
		json_text_or_null(&j, "remedy", f->remedy);
		json_text_or_null(&j, "where", f->where);
		json_object_end(&j);
	}
	json_list_end(&j);
	json_close(&j);
}

static enum cli_exit worst(const struct doctor_report *r)
{
	if (!r->n || r->list[0].severity == DOCTOR_NOTE)
		return CLI_DONE;
	return r->list[0].severity == DOCTOR_ERROR ? CLI_ERRORS : CLI_WARNINGS;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	const char *file = cli_option(cli, "config");
	char path[PATH_MAX];
	struct doctor_report report = {0};
	struct doctor_facts facts;
	enum cli_exit result;

	(void)argc, (void)argv;
	if (file && realpath(file, path))
		file = path;
	if (doctor_gather(cli, file, &facts) < 0 || doctor_run(&facts, &report) < 0) {
		result = cli_failed("no memory");
	} else {
		result = worst(&report);
		if (cli->json)
			print_json(cli, &facts, &report);
		else
			print(cli, &report);
	}
	doctor_report_fini(&report);
	doctor_facts_fini(&facts);
	return result;
}

static const struct cli_option options[] = {
	{"config", "FILE",
	 "look by this configuration; else by that of the running daemon, or by "
	 "/etc/shunt/shunt.yaml",
	 'c', CLI_FILE, NULL},
	{0},
};

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "what ails this host, and what mends it",
	.help = "Looks at the kernel, the interfaces and their offloads, routes, next hops, MTU "
		"and "
		"health of the backends, who else says that a service's address is his, the "
		"configuration's file, and the daemon. Without a daemon it says what shuntd would "
		"find with the file. Changes nothing; asks by ARP and neighbour discovery who has "
		"the services' addresses, which needs root.\n"
		"\n"
		"Each finding says what it is, what comes of it, and behind a $ a command that "
		"mends "
		"it, or shows more where it takes a decision. Look at a command before you run "
		"it.\n"
		"\n"
		"The exit status is 0 without findings or with notes alone, 5 with warnings, 6 "
		"with "
		"errors.\n",
	.json = "daemon (whether one answers), file, checks (how many were made), errors, "
		"warnings, "
		"notes, findings [severity (error, warning, note), check, what, consequence, "
		"remedy? "
		"(a command line), where? (whom it is for, where that is not this host)]",
	.examples = "shunt doctor\nshunt doctor -c /etc/shunt/shunt.yaml  # before the first start",
	.group = CLI_GROUP_WHY,
	.options = options,
	.run = run,
};
