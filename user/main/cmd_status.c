/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt status: on one screen, whether all is well, and what is not. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/commands.h"
#include "main/table.h"
#include "main/units.h"
#include "main/words.h"

#define SERVICES_SHOWN 12 /* what a screen has room for; those with trouble come first */

struct picture {
	struct view_status status;
	struct view_interface *interfaces;
	struct view_service *services;
	struct view_verdict *verdicts;
	size_t n_interfaces, n_services, n_verdicts;
};

static struct words_picture words_of(const struct picture *p)
{
	return (struct words_picture){
		.status = &p->status,
		.interfaces = p->interfaces,
		.services = p->services,
		.verdicts = p->verdicts,
		.n_interfaces = p->n_interfaces,
		.n_services = p->n_services,
		.n_verdicts = p->n_verdicts,
	};
}

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static const char *xdp_colour(enum view_xdp x)
{
	return x == VIEW_XDP_NATIVE ? "green" : x == VIEW_XDP_GENERIC ? "yellow" : "red";
}

static void print_interfaces(const struct cli *cli, const struct view_interface *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"INTERFACE", false, TABLE_WHOLE, 0},
		{"XDP", false, TABLE_WHOLE, 0},
		{"LINK", false, TABLE_WHOLE, 0},
		{"NOTE", false, TABLE_FOLD, 30},
	};
	struct table *t = table_new(columns, 4);
	size_t i;

	for (i = 0; i < n; i++) {
		const char *link = rows[i].link_up ? "up" : rows[i].ifindex ? "down" : "missing";

		table_cell(t, "%s", rows[i].name);
		table_coloured(t, xdp_colour(rows[i].xdp), words_xdp(rows[i].xdp));
		table_coloured(t, rows[i].link_up ? "green" : "red", link);
		table_cell(t, "%s", rows[i].note);
	}
	table_print(t, cli);
	table_free(t);
}

/* Why the last reload was refused, under the configuration that is in force. */
static void print_config_error(const struct cli *cli, const char *error)
{
	const char *red = cli->colour ? "\033[31m" : "", *plain = cli->colour ? "\033[0m" : "";
	char text[640];
	char *line = text, *next;

	snprintf(text, sizeof(text), "the last reload was refused: %s", error);
	if (cli->width > 40)
		table_fold(text, cli->width - 10);
	while ((next = strsep(&line, "\n")))
		fprintf(cli->out, "          %s%s%s\n", red, next, plain);
}

static void print_peers(const struct cli *cli, const struct view_peers *p)
{
	uint64_t dropped = 0;
	int i;

	fprintf(cli->out,
		"peers     %" PRIu32 ", flows told %" PRIu64 ", heard %" PRIu64 ", taken %" PRIu64
		", waiting %" PRIu32 "\n",
		p->peers, p->told, p->heard, p->taken, p->waiting);
	for (i = 0; i < PEER_FATES; i++)
		dropped += words_fate(i) ? p->fates[i] : 0;
	if (!dropped)
		return;
	fprintf(cli->out, "          datagrams dropped:");
	for (i = 0; i < PEER_FATES; i++)
		if (words_fate(i) && p->fates[i])
			fprintf(cli->out, " %s %" PRIu64, words_fate(i), p->fates[i]);
	fputc('\n', cli->out);
}

static void print_status(const struct cli *cli, const struct view_status *s)
{
	fprintf(cli->out, "shuntd %s, instance %s, process %" PRIu32 ", up %s\n", s->version,
		s->instance, s->pid, units_long_age(s->uptime_ms).text);
	fprintf(cli->out, "config    %s, loaded %s ago\n", s->config_file,
		units_age(s->config_age_ms).text);
	if (s->config_error[0])
		print_config_error(cli, s->config_error);
	fprintf(cli->out, "services  %" PRIu32 "\n", s->services);
	fprintf(cli->out, "backends  %" PRIu32 ", of them %" PRIu32 " usable\n", s->backends,
		s->usable_backends);
	if (s->edits)
		fprintf(cli->out,
			"edits     %" PRIu32
			" backend%s edited at run time (shunt backends marks %s)\n",
			s->edits, plural(s->edits), s->edits == 1 ? "it" : "them");
	fprintf(cli->out, "events    %" PRIu64 "\n", s->events);
	fprintf(cli->out, "flows     %s lookups, %s remembered, %s without room\n",
		units_count(s->flow_lookups).text, units_count(s->flows_remembered).text,
		units_count(s->flows_no_room).text);
	fprintf(cli->out, "maps      %s\n", units_bytes(s->map_bytes).text);
	words_upgrade(cli->out, &s->upgrade);
	if (s->peers.peers)
		print_peers(cli, &s->peers);
	if (s->web[0])
		fprintf(cli->out, "web       %s%s%s\n", s->web,
			s->web_why[0] ? ", not served: " : "", s->web_why);
}

/* ---- services ---------------------------------------------------------------------------------*/

static int worst_first(const void *x, const void *y)
{
	const struct view_service *a = x, *b = y;
	const uint64_t a_s = a->traffic.packets_per_s, b_s = b->traffic.packets_per_s;

	if (words_trouble(a) != words_trouble(b))
		return words_trouble(b) - words_trouble(a);
	return a_s != b_s ? (a_s < b_s) - (a_s > b_s) : strcmp(a->name, b->name);
}

static void service_row(struct table *t, const struct view_service *s)
{
	static const char *const colours[] = {"green", "yellow", "red"};
	char address[VIEW_ADDRESS_MAX], usable[32];

	snprintf(usable, sizeof(usable), "%" PRIu32 "/%" PRIu32 "%s", s->usable, s->backends,
		 s->panicking	   ? "!!"
		 : s->failing_open ? "!"
				   : "");
	table_cell(t, "%s", s->name);
	table_cell(t, "%s", view_service_address(s, address));
	table_coloured(t, colours[words_trouble(s)], usable);
	table_cell(t, "%s", units_count(s->traffic.packets_per_s).text);
	table_cell(t, "%s", units_bytes(s->traffic.bytes_per_s).text);
	table_cell(t, "%s", units_count(s->traffic.flows_per_s).text);
}

static void print_services(const struct cli *cli, struct picture *p)
{
	static const struct table_column columns[] = {
		{"SERVICE", false, TABLE_SPILL, 8}, {"ADDRESS", false, TABLE_SPILL, 8},
		{"USABLE", true, TABLE_WHOLE, 0},   {"PKT/S", true, TABLE_WHOLE, 0},
		{"BYTES/S", true, TABLE_WHOLE, 0},  {"FLOWS/S", true, TABLE_WHOLE, 0},
	};
	struct table *t = table_new(columns, 6);
	size_t i;

	if (p->n_services)
		qsort(p->services, p->n_services, sizeof(*p->services), worst_first);
	for (i = 0; i < p->n_services && i < SERVICES_SHOWN; i++)
		service_row(t, &p->services[i]);
	table_print(t, cli);
	table_free(t);
	if (p->n_services > SERVICES_SHOWN)
		fprintf(cli->out, "and %zu more: shunt services\n", p->n_services - SERVICES_SHOWN);
}

/* ---- warnings ---------------------------------------------------------------------------------*/

static void print_warning(void *arg, const char *sentence)
{
	const struct cli *cli = arg;
	const char *yellow = cli->colour ? "\033[33m" : "", *plain = cli->colour ? "\033[0m" : "";
	char text[640], *line = text, *next;

	snprintf(text, sizeof(text), "%s", sentence);
	if (cli->width > 20)
		table_fold(text, cli->width - 3);
	while ((next = strsep(&line, "\n"))) {
		fprintf(cli->out, "%s%s%s%s\n", next == text ? "! " : "  ", yellow, next, plain);
	}
}

static void print_warnings(const struct cli *cli, const struct picture *p)
{
	const struct words_picture words = words_of(p);

	fputc('\n', cli->out);
	if (words_warnings(&words, print_warning, (void *)cli) == 0)
		fputs("no warnings\n", cli->out);
}

/* ---- the command ------------------------------------------------------------------------------*/

static int take(const struct cli *cli, struct picture *p, struct client_error *e)
{
	auto_client struct stats_client *c = NULL;
	int err = stats_client_open(cli->run_dir, cli->instance, &c, e);

	if (!err)
		err = stats_client_status(c, &p->status, e);
	if (!err)
		err = stats_client_interfaces(c, &p->interfaces, &p->n_interfaces, e);
	if (!err)
		err = stats_client_services(c, NULL, &p->services, &p->n_services, e);
	if (!err)
		err = stats_client_verdicts(c, &p->verdicts, &p->n_verdicts, e);
	return err;
}

/* The same on a terminal that its lines are too long for. */
static void print_narrow_status(const struct cli *cli, const struct view_status *s)
{
	struct cli to_memory = *cli;
	auto_free char *text = NULL;
	char *rest, *line;
	size_t len;

	to_memory.colour = false; /* colours have no width, but bytes */
	to_memory.out = open_memstream(&text, &len);
	if (!to_memory.out)
		return;
	print_status(&to_memory, s);
	fclose(to_memory.out);
	for (rest = text; (line = strsep(&rest, "\n")) && (rest || *line);) {
		table_fold(line, cli->width);
		fprintf(cli->out, "%s\n", line);
	}
}

static void print_picture(const struct cli *cli, struct picture *p)
{
	const struct words_picture words = words_of(p);

	if (cli->json) {
		words_json_status(cli->out, &words);
		return;
	}
	if (cli->width && cli->width < 80)
		print_narrow_status(cli, &p->status);
	else
		print_status(cli, &p->status);
	fputc('\n', cli->out);
	print_interfaces(cli, p->interfaces, p->n_interfaces);
	fputc('\n', cli->out);
	print_services(cli, p);
	print_warnings(cli, p);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct picture p = {0};
	struct client_error e;
	enum cli_exit result = CLI_DONE;

	(void)argc, (void)argv;
	if (take(cli, &p, &e) < 0)
		result = cli_failed("%s", e.text);
	else
		print_picture(cli, &p);
	free(p.interfaces);
	free(p.services);
	free(p.verdicts);
	return result;
}

const struct command command_status = {
	.name = "status",
	.arguments = "",
	.summary = "is all well: daemon, interfaces, services, warnings",
	.help = "On one screen: the running daemon and the configuration in force, why the last "
		"reload "
		"was refused if it was, how XDP is attached to each interface, the services, those "
		"with trouble first, with their rates, and what there is to warn of.\n",
	.json = "version, instance, pid, uptime_ms, config_file, config_age_ms, config_error "
		"(null: none), services, backends, usable_backends, edits, events, map_bytes, "
		"flow_lookups, flows_remembered, flows_no_room, peers {peers, told, delayed, "
		"lost, heard, taken, early, waiting, unknown, no_room, unsent, good, malformed "
		"(this and the next: dropped), other_version, forged, replayed, stale, "
		"crowded, other_secret, stranger}, upgrade [as in upgrade], web, web_error "
		"(null: none), interfaces [name, "
		"ifindex, xdp, link_up, note], warnings (a list of sentences)",
	.examples = "shunt status",
	.group = CLI_GROUP_SEE,
	.run = run,
};
