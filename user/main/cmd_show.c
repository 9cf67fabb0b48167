/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt services and backends: how things are. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/table.h"
#include "main/units.h"
#include "main/words.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

/* ---- services ---------------------------------------------------------------------------------*/

static void service_row(struct table *t, const struct view_service *s)
{
	const char *colour = s->usable == 0 ? "red" : s->usable < s->backends ? "yellow" : "green";
	char address[VIEW_ADDRESS_MAX], usable[32];

	snprintf(usable, sizeof(usable), "%" PRIu32 "/%" PRIu32 "%s", s->usable, s->backends,
		 s->panicking	   ? "!!"
		 : s->failing_open ? "!"
				   : "");
	table_cell(t, "%s", s->name);
	table_cell(t, "%s", view_service_address(s, address));
	table_cell(t, "%s", words_scheduler(s->scheduler));
	table_cell(t, "%s", words_forward(s->forward));
	table_coloured(t, colour, usable);
	table_cell(t, "%s", units_count(s->traffic.packets_per_s).text);
	table_cell(t, "%s", units_bytes(s->traffic.bytes_per_s).text);
}

static void print_services(const struct cli *cli, const struct view_service *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"SERVICE", false, TABLE_SPILL, 10}, {"ADDRESS", false, TABLE_SPILL, 20},
		{"SCHED", false, TABLE_WHOLE, 0},    {"FORWARD", false, TABLE_WHOLE, 0},
		{"USABLE", true, TABLE_WHOLE, 0},    {"PKT/S", true, TABLE_WHOLE, 0},
		{"BYTES/S", true, TABLE_WHOLE, 0},
	};
	struct table *t = table_new(columns, 7);
	bool open = false, panic = false;
	size_t i;

	for (i = 0; i < n; i++) {
		service_row(t, &rows[i]);
		open |= rows[i].failing_open > 0;
		panic |= rows[i].panicking;
	}
	table_print(t, cli);
	table_free(t);
	if (panic)
		fputs("!! less are usable than panic says: all are used, whatever their checks "
		      "say\n",
		      cli->out);
	if (open)
		fputs("! no backend is usable: all of them get packets (on_empty: all)\n",
		      cli->out);
}

static enum cli_exit run_services(struct cli *cli, int argc, char **argv)
{
	auto_client struct stats_client *c = NULL;
	auto_free struct view_service *rows = NULL;
	struct client_error e;
	struct json j;
	size_t n, i;

	(void)argc, (void)argv;
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_services(c, NULL, &rows, &n, &e) < 0)
		return cli_failed("%s", e.text);
	if (!cli->json) {
		print_services(cli, rows, n);
		return CLI_DONE;
	}
	json_open(&j, cli->out, false);
	json_list(&j, "services");
	for (i = 0; i < n; i++)
		words_json_service(&j, &rows[i]);
	json_list_end(&j);
	json_close(&j);
	return CLI_DONE;
}

const struct command command_services = {
	.name = "services",
	.arguments = "",
	.summary = "every service, its backends that are usable, its traffic",
	.help = "USABLE counts the backends that get packets, of all that are configured; a ! "
		"after it says that none is usable and all of them are used instead (on_empty: "
		"all), !! that less are than panic says, and all are used.\n",
	.json = "services [name, vip, port (0: any), ports (several, as text), protocol, "
		"scheduler, "
		"forward, on_empty, "
		"check, slots, moving (of these in transition), backends, usable, not_up (neither "
		"well nor drained), "
		"failing_open, panicking, packets, bytes, flows, packets_per_s, bytes_per_s, "
		"flows_per_s, no_backend, over_rate, last_pool (that gets new flows; 16: the "
		"backups)]",
	.examples = "shunt services\n"
		    "shunt services --json | jq '.services[] | select(.usable == 0).name'",
	.group = CLI_GROUP_SEE,
	.run = run_services,
};

/* ---- backends ---------------------------------------------------------------------------------*/

static void backend_row(struct table *t, const struct view_backend *b)
{
	char address[ADDR_PORT_TEXT_MAX], reason[4 * VIEW_REASON_MAX];
	const uint64_t age_ms = words_state_age(b);

	table_cell(t, "%s", b->service);
	table_cell(t, "%s", b->name);
	table_cell(t, "%s", addr_port_format(&b->addr, b->port, address));
	table_cell(t, "%s", words_forward(b->forward));
	table_cell(t, "%" PRIu16 "%s", b->weight, b->edited ? "*" : "");
	table_coloured(t, words_state_colour(b), words_state(b));
	table_cell(t, "%s", age_ms == WORDS_NO_AGE ? "" : units_age(age_ms).text);
	table_cell(t, "%s", words_reason(b, reason, sizeof(reason)));
}

static void print_backends(const struct cli *cli, const struct view_backend *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"SERVICE", false, TABLE_SPILL, 7},  {"BACKEND", false, TABLE_SPILL, 7},
		{"ADDRESS", false, TABLE_SPILL, 12}, {"BY", false, TABLE_WHOLE, 0},
		{"WEIGHT", true, TABLE_WHOLE, 0},    {"STATE", false, TABLE_WHOLE, 0},
		{"SINCE", true, TABLE_WHOLE, 0},     {"REASON", false, TABLE_FOLD, 12},
	};
	struct table *t = table_new(columns, 8);
	size_t i, edited = 0;

	for (i = 0; i < n; i++) {
		backend_row(t, &rows[i]);
		edited += rows[i].edited;
	}
	table_print(t, cli);
	table_free(t);
	if (edited)
		fputs("* edited at run time, not as the configuration says\n", cli->out);
}

static enum cli_exit run_backends(struct cli *cli, int argc, char **argv)
{
	auto_client struct stats_client *c = NULL;
	auto_free struct view_backend *rows = NULL;
	struct client_error e;
	struct json j;
	size_t n, i;

	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_backends(c, argc > 0 ? argv[0] : NULL, &rows, &n, &e) < 0)
		return cli_failed("%s", e.text);
	if (!cli->json) {
		print_backends(cli, rows, n);
		return CLI_DONE;
	}
	json_open(&j, cli->out, false);
	json_list(&j, "backends");
	for (i = 0; i < n; i++)
		words_json_backend(&j, &rows[i]);
	json_list_end(&j);
	json_close(&j);
	return CLI_DONE;
}

const struct command command_backends = {
	.name = "backends",
	.arguments = "[SERVICE]",
	.summary = "every backend, its state, since when and why",
	.help = "States, the first that holds:\n"
		"  leaving      no longer configured: no new flows, goes when it has none left\n"
		"  maintenance  disabled by hand: gets no packets\n"
		"  drained      by hand: gets no new flows\n"
		"  down         its check fails, and REASON is the last probe's result; or passive "
		"checks have taken it out\n"
		"  no next hop  no way to it: REASON says whether route, neighbour or link\n"
		"  standby      up, but its pool gets no new flows as long as others are\n"
		"  suspect      up, but passive checks have something against it\n"
		"  starting     no verdict yet; gets packets like one that is up\n"
		"  up           gets packets\n"
		"\n"
		"BY is the forwarding method.\n"
		"\n"
		"A * after the weight says that weight or state were changed at run time and "
		"are not as the configuration says.\n",
	.json = "backends [service, name, address, port (0: any), forward, state, weight, "
		"configured_weight, drained, disabled, edited, edit_age_ms, edited_by, "
		"edit_reason, health, health_age_ms, check (that decided; null: the service's "
		"own), code (\"L7STS 503\"), reason, latency_us, passive (what passive checks "
		"have against it; null: nothing), passive_out (they have taken it out), "
		"passive_age_ms, passive_back_ms (it stays out so long yet), next_hop, mac, "
		"egress, slots, "
		"packets, bytes, flows, packets_per_s, bytes_per_s, flows_per_s, pool (16: "
		"backup), standby, gets (what, and why, in words), share (of 16 parts, those "
		"that it has while it climbs; 16: all), leaving, drain (none, going, done, "
		"expired), idle_ms, quiet_ms (as long without a packet: its flows have ended), "
		"deadline_ms (null: none), flows_now (that it has; null: not known), "
		"flows_left (the same while it drains), oldest_ms (of these, the longest "
		"without a packet; null as well)] (edited_by, edit_reason, code, reason, "
		"mac "
		"and egress may be null)",
	.examples = "shunt backends web\n"
		    "shunt backends --json | jq '.backends[] | select(.state == \"down\").reason'",
	.group = CLI_GROUP_SEE,
	.max_args = 1,
	.kinds = {CLI_SERVICE},
	.run = run_backends,
};
