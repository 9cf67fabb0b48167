/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt explain: what becomes of a packet, and why; or how a service chooses. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "main/explaining.h"
#include "main/table.h"
#include "pure/endpoint.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

/* ---- a service --------------------------------------------------------------------------------*/

static void print_shares(const struct cli *cli, const struct view_backend *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"BACKEND", false, TABLE_SPILL, 8}, {"POOL", true, TABLE_WHOLE, 0},
		{"SLOTS", true, TABLE_WHOLE, 0},    {"SHARE", true, TABLE_WHOLE, 0},
		{"IT GETS", false, TABLE_FOLD, 16},
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	uint64_t all = 0;
	size_t i;

	for (i = 0; i < n; i++)
		all += rows[i].slots;
	for (i = 0; i < n; i++) {
		const struct view_backend *b = &rows[i];

		table_cell(t, "%s", b->name);
		if (b->pool == 16)
			table_cell(t, "backup");
		else
			table_cell(t, "%u", b->pool);
		table_cell(t, "%u", b->slots);
		table_cell(t, "%.1f%%", all ? 100.0 * b->slots / (double)all : 0.0);
		table_cell(t, "%s", b->gets);
	}
	table_print(t, cli);
	table_free(t);
}

static void json_shares(struct json *j, const struct view_backend *rows, size_t n)
{
	size_t i;

	json_list(j, "backends");
	for (i = 0; i < n; i++) {
		json_object(j, NULL);
		json_text(j, "name", rows[i].name);
		json_number(j, "pool", rows[i].pool);
		json_number(j, "slots", rows[i].slots);
		json_text(j, "gets", rows[i].gets);
		json_object_end(j);
	}
	json_list_end(j);
}

static enum cli_exit show_service(struct cli *cli, struct stats_client *c, const char *name)
{
	auto_free struct explain_ask *ask = calloc(1, sizeof(*ask));
	auto_free struct explained *x = malloc(sizeof(*x));
	auto_free struct view_backend *rows = NULL;
	struct client_error e;
	struct json j;
	size_t n = 0;

	if (!ask || !x)
		return cli_failed("out of memory");
	if (!name[0] || strlen(name) >= sizeof(ask->service))
		return cli_failed("no service \"%s\"; shunt services lists them", name);
	snprintf(ask->service, sizeof(ask->service), "%s", name);
	if (stats_client_backends(c, name, &rows, &n, &e) < 0 || explaining_ask(c, ask, x, &e) < 0)
		return cli_failed("%s", e.text);
	if (cli->json) {
		json_open(&j, cli->out, false);
		json_text(&j, "name", name);
		explaining_json(&j, x, false);
		json_shares(&j, rows, n);
		json_close(&j);
		return CLI_DONE;
	}
	explaining_print(cli, x, false);
	fputc('\n', cli->out);
	print_shares(cli, rows, n);
	return CLI_DONE;
}

/* ---- a packet ---------------------------------------------------------------------------------*/

static enum cli_exit show_packet(struct cli *cli, struct stats_client *c,
				 const struct explain_ask *ask)
{
	auto_free struct explained *x = malloc(sizeof(*x));
	const bool bytes = cli_option(cli, "bytes");
	struct client_error e;
	struct json j;

	if (!x)
		return cli_failed("out of memory");
	if (explaining_ask(c, ask, x, &e) < 0)
		return cli_failed("%s", e.text);
	if (!cli->json) {
		explaining_print(cli, x, bytes);
		return CLI_DONE;
	}
	json_open(&j, cli->out, false);
	explaining_json(&j, x, bytes);
	json_close(&j);
	return CLI_DONE;
}

static enum cli_exit read_options(const struct cli *cli, struct explain_ask *ask)
{
	const char *interface = cli_option(cli, "interface");

	ask->established = cli_option(cli, "established");
	if (cli_option(cli, "syn") && ask->established)
		return cli_misused("--syn and --established exclude each other; write one of them");
	if (!interface)
		return CLI_DONE;
	if (!interface[0] || strlen(interface) >= sizeof(ask->interface))
		return cli_misused(
			"--interface %s: no name of an interface, which has 1 to 15 bytes",
			interface);
	snprintf(ask->interface, sizeof(ask->interface), "%s", interface);
	return CLI_DONE;
}

static enum cli_exit read_endpoints(char **argv, struct explain_ask *ask)
{
	struct endpoint client, vip;
	const char *wrong = endpoint_parse(argv[0], &client);

	if (wrong)
		return cli_misused("%s: %s", argv[0], wrong);
	wrong = endpoint_parse(argv[1], &vip);
	if (wrong)
		return cli_misused("%s: %s", argv[1], wrong);
	if (client.protocol && vip.protocol && client.protocol != vip.protocol)
		return cli_misused(
			"%s and %s are of two protocols; write one behind both, or behind one",
			argv[0], argv[1]);
	if (client.addr.family != vip.addr.family)
		return cli_misused(
			"%s and %s are of two IP versions; take an address of the other one",
			argv[0], argv[1]);
	ask->client = client.addr;
	ask->client_port = client.port;
	ask->vip = vip.addr;
	ask->port = vip.port;
	ask->protocol = vip.protocol	  ? vip.protocol
			: client.protocol ? client.protocol
					  : IPPROTO_TCP;
	if (ask->protocol == IPPROTO_UDP && ask->established)
		return cli_misused("--established is for TCP: of UDP all packets are alike");
	return CLI_DONE;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	auto_free struct explain_ask *ask = calloc(1, sizeof(*ask));
	auto_client struct stats_client *c = NULL;
	const char *file = cli_option(cli, "pcap");
	struct client_error e;
	enum cli_exit result;

	if (!ask)
		return cli_failed("out of memory");
	if (!!file == !!argc)
		return cli_misused("explain wants a service, a client and an address with port, or "
				   "--pcap FILE; see shunt help explain");
	result = read_options(cli, ask);
	if (result == CLI_DONE && argc == 2)
		result = read_endpoints(argv, ask);
	if (result != CLI_DONE)
		return result;
	if (file)
		return explaining_file(cli, file, ask);
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0)
		return cli_failed("%s", e.text);
	return argc == 1 ? show_service(cli, c, argv[0]) : show_packet(cli, c, ask);
}

static const struct cli_option options[] = {
	{"interface", "NAME", "where the packet comes in; without it: whichever", 0, CLI_INTERFACE,
	 NULL},
	{"syn", NULL, "TCP: the flow's first packet, which is so without it", 0, CLI_ANYTHING,
	 NULL},
	{"established", NULL, "TCP: a packet in the midst of the flow, an ACK", 0, CLI_ANYTHING,
	 NULL},
	{"bytes", NULL, "the packet's bytes too, as it comes and as it leaves", 0, CLI_ANYTHING,
	 NULL},
	{"pcap", "FILE", "each IP packet of a capture, pcap or pcapng, a line each", 0, CLI_FILE,
	 NULL},
	{"verbose", NULL, "with --pcap: all of it about each packet", 'v', CLI_ANYTHING, NULL},
	{0},
};

const struct command command_explain = {
	.name = "explain",
	.arguments = "[CLIENT:PORT VIP:PORT[/PROTOCOL] | SERVICE]",
	.summary = "what becomes of a packet, and why; or how a service chooses",
	.help = "Makes up a packet of the client's and runs it through the packet path, on the "
		"tables "
		"as they are now: which service it is for, or which comes closest, what its lists "
		"and rates say, which slot it falls into and whose that is, what is remembered of "
		"the flow, which backend it goes to and why, and what would be sent. Nothing is "
		"sent, remembered or counted. PROTOCOL is tcp, the default, or udp. IPv6 addresses "
		"stand in brackets.\n"
		"\n"
		"With SERVICE: its scheduler, which of its pools are in use and why, and of each "
		"backend what share it has.\n"
		"\n"
		"With --pcap each packet is asked about as if it came now.\n",
	.json = "verdict, class, meaning, advice, action (drop, pass, tx: where it came, redirect, "
		"aborted), service, backend, forward, why (none, settled, new, old, remembered, "
		"connection, turn, load, otherwise), interface, egress, slot, slots (0: no slot "
		"was "
		"asked), in_transition, cur, base, remembered_with, remembers, no_room, opens, "
		"steps "
		"[what, text], frame? (hex, with --bytes), leaves? (the same; null: it does not)\n"
		"with SERVICE: name, steps [what, text], backends [name, pool (16: backup), slots, "
		"gets]\n"
		"with --pcap: number, packet, cut, shortened, ... (a document a line)",
	.examples = "shunt explain 192.0.2.7:40000 203.0.113.10:80\n"
		    "shunt explain '[2001:db8::7]:5353' '[2001:db8::53]:53/udp' --interface eth0\n"
		    "shunt explain web\n"
		    "shunt explain --pcap trouble.pcap",
	.group = CLI_GROUP_WHY,
	.max_args = 2,
	.kinds = {CLI_SERVICE},
	.options = options,
	.run = run,
};
