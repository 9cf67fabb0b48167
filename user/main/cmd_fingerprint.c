/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt fingerprint: do two hosts do the same with every flow, and if not, where do they part? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/table.h"
#include "pure/fingerprint.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

#define HEX_MAX 20

static const char *hex(uint64_t value, char out[static HEX_MAX])
{
	snprintf(out, HEX_MAX, "%016" PRIx64, value);
	return out;
}

/* What there is to compare at a glance: a part is told from another by half its digits. */
static const char *short_hex(uint64_t value, char out[static HEX_MAX])
{
	snprintf(out, HEX_MAX, "%08" PRIx32, (uint32_t)(value >> 32));
	return out;
}

/* In the order of names, which is the same on every host; a service stands before its backends. */
static int by_name(const void *a, const void *b)
{
	const struct view_fingerprint *x = a, *y = b;
	int order = strcmp(x->service, y->service);

	return order ? order : strcmp(x->backend, y->backend);
}

static uint64_t whole_of(const struct view_fingerprint *rows, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum = fingerprint_add_service(sum, rows[i].service, rows[i].whole);
	return fingerprint_whole(sum, n ? rows[0].secret : 0);
}

static uint64_t moving_of(const struct view_fingerprint *rows, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += rows[i].moving;
	return sum;
}

/* ---- JSON -------------------------------------------------------------------------------------*/

static void json_hex(struct json *j, const char *name, uint64_t value)
{
	char text[HEX_MAX];

	json_text(j, name, hex(value, text));
}

static void json_row(struct json *j, const struct view_fingerprint *f)
{
	json_object(j, NULL);
	json_text(j, "name", f->backend[0] ? f->backend : f->service);
	json_hex(j, "fingerprint", f->whole);
	json_hex(j, "settings", f->settings);
	if (!f->backend[0])
		json_hex(j, "backends", f->backends);
	json_hex(j, "table", f->table);
	json_number(j, "slots", f->slots);
	if (!f->backend[0])
		json_number(j, "moving", f->moving);
	json_object_end(j);
}

static void print_json(const struct cli *cli, const struct view_fingerprint *rows, size_t n,
		       bool one_service)
{
	char text[HEX_MAX];
	struct json j;
	size_t i, services = one_service ? 1 : n;

	json_open(&j, cli->out, false);
	if (!one_service)
		json_hex(&j, "fingerprint", whole_of(rows, n));
	snprintf(text, sizeof(text), "%08" PRIx32, n ? rows[0].secret : 0);
	json_text(&j, "secret", text);
	json_list(&j, "services");
	for (i = 0; i < services; i++)
		json_row(&j, &rows[i]);
	json_list_end(&j);
	if (one_service) {
		json_list(&j, "backends");
		for (i = 1; i < n; i++)
			json_row(&j, &rows[i]);
		json_list_end(&j);
	}
	json_close(&j);
}

/* ---- tables -----------------------------------------------------------------------------------*/

static void print_services(const struct cli *cli, const struct view_fingerprint *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"SERVICE", false, TABLE_SPILL, 10}, {"FINGERPRINT", false, TABLE_WHOLE, 0},
		{"SETTINGS", false, TABLE_WHOLE, 0}, {"BACKENDS", false, TABLE_WHOLE, 0},
		{"TABLE", false, TABLE_WHOLE, 0},    {"MOVING", true, TABLE_WHOLE, 0},
	};
	struct table *t = table_new(columns, 6);
	char text[HEX_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		table_cell(t, "%s", rows[i].service);
		table_cell(t, "%s", hex(rows[i].whole, text));
		table_cell(t, "%s", short_hex(rows[i].settings, text));
		table_cell(t, "%s", short_hex(rows[i].backends, text));
		table_cell(t, "%s", short_hex(rows[i].table, text));
		table_cell(t, "%" PRIu32, rows[i].moving);
	}
	table_print(t, cli);
	table_free(t);
}

static void print_backends(const struct cli *cli, const struct view_fingerprint *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"BACKEND", false, TABLE_SPILL, 10}, {"FINGERPRINT", false, TABLE_WHOLE, 0},
		{"SETTINGS", false, TABLE_WHOLE, 0}, {"TABLE", false, TABLE_WHOLE, 0},
		{"SLOTS", true, TABLE_WHOLE, 0},
	};
	struct table *t = table_new(columns, 5);
	char text[HEX_MAX];
	size_t i;

	for (i = 0; i < n; i++) {
		table_cell(t, "%s", rows[i].backend);
		table_cell(t, "%s", hex(rows[i].whole, text));
		table_cell(t, "%s", short_hex(rows[i].settings, text));
		table_cell(t, "%s", short_hex(rows[i].table, text));
		table_cell(t, "%" PRIu32, rows[i].slots);
	}
	table_print(t, cli);
	table_free(t);
}

static void print_all(const struct cli *cli, const struct view_fingerprint *rows, size_t n)
{
	char text[HEX_MAX];

	fprintf(cli->out, "all       %s\n", hex(whole_of(rows, n), text));
	fprintf(cli->out, "secret    %08" PRIx32 "\n", n ? rows[0].secret : 0);
	fprintf(cli->out, "moving    %" PRIu64 " slots on this host\n\n", moving_of(rows, n));
	print_services(cli, rows, n);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	const char *service = argc > 0 ? argv[0] : NULL;
	auto_client struct stats_client *c = NULL;
	auto_free struct view_fingerprint *rows = NULL;
	struct client_error e;
	size_t n;

	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_fingerprints(c, service, &rows, &n, &e) < 0)
		return cli_failed("%s", e.text);
	if (n)
		qsort(rows, n, sizeof(*rows), by_name);
	if (cli->json) {
		print_json(cli, rows, n, service && n);
		return CLI_DONE;
	}
	if (!service || !n) {
		print_all(cli, rows, n);
		return CLI_DONE;
	}
	print_services(cli, rows, 1);
	fputc('\n', cli->out);
	print_backends(cli, rows + 1, n - 1);
	return CLI_DONE;
}

const struct command command_fingerprint = {
	.name = "fingerprint",
	.arguments = "[SERVICE]",
	.summary = "a few digits that are the same on every host that does the same",
	.help = "Hosts with the same configuration and the same health pick the same backend "
		"for the same flow, and print the same here, whatever the order of their files "
		"and of what happened. Where \"all\" differs: compare \"secret\" (hash_secret), "
		"then the services, then with SERVICE its backends.\n"
		"  SETTINGS  of a service: name, address, ports, protocol, scheduler, "
		"on_empty, flow_timeout, min_healthy, quic; of a backend: name, address, port, "
		"weight, pool, method\n"
		"  BACKENDS  the settings of all backends\n"
		"  TABLE     which slot is whose: differs also where health, next hops or a "
		"drain do\n"
		"  MOVING    slots whose former flows are still elsewhere, on this host; "
		"counts in no fingerprint\n",
	.json = "fingerprint? (without SERVICE), secret, services [name, fingerprint, "
		"settings, backends, table, slots, moving], backends? [name, fingerprint, "
		"settings, table, slots] (with SERVICE) (fingerprints are text)",
	.examples = "shunt fingerprint\n"
		    "shunt fingerprint web",
	.group = CLI_GROUP_WHY,
	.max_args = 1,
	.kinds = {CLI_SERVICE},
	.run = run,
};
