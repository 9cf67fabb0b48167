/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt flows: which flows are remembered, with whom and how long ago they were last seen. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/cli.h"
#include "main/json.h"
#include "main/units.h"
#include "main/wrap.h"
#include "pure/endpoint.h"
#include "pure/msg.h"

#define LIMIT 1000 /* flows that are shown unless it is said otherwise */

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}

struct list {
	const struct cli *cli;
	struct addr prefix; /* of clients; none: whoever */
	uint8_t bits;
	uint64_t limit, shown, left_out;
	struct json j;
};

/* ---- printing ---------------------------------------------------------------------------------*/

#define TABLE_WIDTH 80 /* what is narrower has a paragraph for each */

static bool is_narrow(const struct cli *cli)
{
	return cli->width && cli->width < TABLE_WIDTH;
}

static void print_heading(const struct cli *cli)
{
	if (is_narrow(cli))
		return;
	fprintf(cli->out, "%-10s  %-16s  %-16s  %-11s  %8s  %s\n", "KIND", "SERVICE", "BACKEND",
		"STATE", "AGE", "CLIENT");
}

static void print_row(const struct cli *cli, const struct view_flow *f)
{
	char client[ADDR_PORT_TEXT_MAX] = "-", vip[ADDR_PORT_TEXT_MAX], pool[ADDR_PORT_TEXT_MAX];
	const bool is_known = !addr_is_none(&f->client), has_pool = !addr_is_none(&f->pool);
	const char *kind = view_flow_kind_name(f->kind), *state = view_flow_state_name(f->state);
	const char *service = f->service[0] ? f->service : "?", *backend = f->backend;
	const struct units age = units_age(f->age_ms);
	char number[32], way[4 * ADDR_PORT_TEXT_MAX], text[512];

	snprintf(number, sizeof(number), "number %u", f->number);
	if (!backend[0])
		backend = number;
	if (is_known)
		addr_port_format(&f->client, f->client_port, client);
	addr_port_format(&f->vip, f->port, vip);
	addr_port_format(&f->pool, f->pool_port, pool);
	snprintf(way, sizeof(way), "%s%s%s%s%s", client, is_known ? " > " : "", is_known ? vip : "",
		 has_pool ? " as " : "", has_pool ? pool : "");
	if (!is_narrow(cli)) {
		fprintf(cli->out, "%-10s  %-16s  %-16s  %-11s  %8s  %s\n", kind, service, backend,
			state, age.text, way);
		return;
	}
	snprintf(text, sizeof(text), "%s, %s: %s, %s, %s", service, backend, kind, state, age.text);
	wrap_hang(cli->out, cli->width, way, 2, text);
}

static void json_addr(struct json *j, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX] = "";

	json_text_or_null(j, name, addr_is_none(a) ? "" : addr_format(a, text));
}

static void json_row(struct json *j, const struct view_flow *f)
{
	json_object(j, NULL);
	json_text(j, "kind", view_flow_kind_name(f->kind));
	json_text_or_null(j, "service", f->service);
	json_text_or_null(j, "backend", f->backend);
	json_number(j, "number", f->number);
	json_text(j, "state", view_flow_state_name(f->state));
	json_number(j, "age_ms", f->age_ms);
	json_text_or_null(j, "protocol", f->protocol ? conf_protocol_name(f->protocol) : "");
	json_addr(j, "client", &f->client);
	json_number(j, "client_port", f->client_port);
	json_addr(j, "vip", &f->vip);
	json_number(j, "port", f->port);
	json_addr(j, "pool", &f->pool);
	json_number(j, "pool_port", f->pool_port);
	json_object_end(j);
}

/* ---- listing ----------------------------------------------------------------------------------*/

static bool is_wanted(const struct list *l, const struct view_flow *f)
{
	return addr_is_none(&l->prefix) || (f->client.family == l->prefix.family &&
					    addr_is_within(&f->client, &l->prefix, l->bits));
}

static int take(void *arg, const struct nlmsghdr *m)
{
	struct list *l = arg;
	struct view_flow f;

	if (msg_command(m) != SHUNT_MSG_FLOW)
		return 0;
	if (msg_get_flow(m, &f))
		return -EBADMSG;
	if (!is_wanted(l, &f))
		return 0;
	if (l->limit && l->shown == l->limit) {
		l->left_out++;
		return 0;
	}
	if (!l->cli->json && !l->shown)
		print_heading(l->cli);
	l->shown++;
	if (l->cli->json)
		json_row(&l->j, &f);
	else
		print_row(l->cli, &f);
	return 0;
}

static int list_all(struct list *l, struct stats_client *c, struct msg_get *get,
		    struct client_error *e)
{
	const struct stats_taker taker = {take, l, &get->cursor};
	int err;

	do {
		err = stats_client_page(c, SHUNT_MSG_GET_FLOWS, get, &taker, e);
	} while (err == 0 && get->cursor && !(l->limit && l->left_out) && !ferror(l->cli->out));
	return err;
}

/* "192.0.2.0/24". */
static bool read_prefix(const char *text, const char *stroke, struct list *l)
{
	unsigned long bits;
	char *end;

	if (addr_parse(text, (size_t)(stroke - text), &l->prefix))
		return false;
	bits = strtoul(stroke + 1, &end, 10);
	if (stroke[1] < '0' || stroke[1] > '9' || *end || bits > addr_bits(&l->prefix))
		return false;
	l->bits = (uint8_t)bits;
	addr_clear_beyond(&l->prefix, l->bits);
	return true;
}

/* An address with or without a port, and with a protocol behind it if there may be one. */
static bool read_end(const char *text, struct addr *addr, uint16_t *port, uint8_t *protocol)
{
	struct endpoint end;

	if (addr_parse(text, strlen(text), addr) == 0)
		return true;
	if (endpoint_parse(text, &end) || (end.protocol && !protocol))
		return false;
	*addr = end.addr;
	*port = end.port;
	if (protocol)
		*protocol = end.protocol;
	return true;
}

static enum cli_exit read_client(const char *text, struct list *l, struct msg_get *get)
{
	const char *stroke = strchr(text, '/');

	if (stroke ? !read_prefix(text, stroke, l)
		   : !read_end(text, &get->client, &get->client_port, NULL))
		return cli_misused(
			"--client %s: an address, with a port or without, or a prefix, as "
			"192.0.2.0/24",
			text);
	if (!stroke) {
		l->prefix = get->client;
		l->bits = addr_bits(&l->prefix);
	}
	return CLI_DONE;
}

static enum cli_exit read_vip(const char *text, struct msg_get *get)
{
	if (addr_is_none(&get->client))
		return cli_misused(
			"--vip wants --client ADDRESS: without it the flow table is listed, "
			"which has no addresses");
	if (!read_end(text, &get->vip, &get->port, &get->protocol))
		return cli_misused("--vip %s: an address, with a port or without", text);
	if (get->vip.family != get->client.family)
		return cli_misused(
			"--client and --vip are of two IP versions; take addresses of one");
	return CLI_DONE;
}

static enum cli_exit read_limit(const char *text, struct list *l)
{
	char *end;

	errno = 0;
	l->limit = text ? strtoull(text, &end, 10) : LIMIT;
	if (text && (!*text || *end || *text == '-' || errno))
		return cli_misused("--limit %s: a number; 0: all", text);
	return CLI_DONE;
}

static enum cli_exit read_name(const char *what, const char *name, char out[static SHUNT_NAME_MAX])
{
	if (!name)
		return CLI_DONE;
	if (!name[0] || strlen(name) >= SHUNT_NAME_MAX)
		return cli_misused("\"%s\" is no name of a %s; shunt %ss lists them", name, what,
				   what);
	snprintf(out, SHUNT_NAME_MAX, "%s", name);
	return CLI_DONE;
}

static enum cli_exit read_options(const struct cli *cli, const char *service, struct list *l,
				  struct msg_get *get)
{
	const char *client = cli_option(cli, "client"), *vip = cli_option(cli, "vip");
	enum cli_exit result = read_limit(cli_option(cli, "limit"), l);

	if (service && cli_option(cli, "service"))
		return cli_misused("the service is given twice; write it once");
	if (result == CLI_DONE)
		result = read_name("service", service ? service : cli_option(cli, "service"),
				   get->service);
	if (result == CLI_DONE)
		result = read_name("backend", cli_option(cli, "backend"), get->backend);
	if (result == CLI_DONE && client)
		result = read_client(client, l, get);
	if (result == CLI_DONE && vip)
		result = read_vip(vip, get);
	return result;
}

/* Whether there are the service and the backend that are asked for. */
static int check_names(struct stats_client *c, const struct msg_get *get, struct client_error *e)
{
	auto_free struct view_backend *rows = NULL;
	size_t i, n;
	int err;

	if (!get->service[0] && !get->backend[0])
		return 0;
	err = stats_client_backends(c, get->service[0] ? get->service : NULL, &rows, &n, e);
	if (err < 0 || !get->backend[0])
		return err;
	for (i = 0; i < n; i++)
		if (strcmp(rows[i].name, get->backend) == 0)
			return 0;
	return client_fail(e, -ENOENT, "no backend \"%s\"%s%s; shunt backends lists them",
			   get->backend, get->service[0] ? " in service " : "", get->service);
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	__attribute__((cleanup(close_client))) struct stats_client *c = NULL;
	struct list l = {.cli = cli};
	struct msg_get get = {0};
	struct client_error e;
	enum cli_exit result = read_options(cli, argc ? argv[0] : NULL, &l, &get);

	if (result != CLI_DONE)
		return result;
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    check_names(c, &get, &e) < 0)
		return cli_failed("%s", e.text);
	if (cli->json) {
		json_open(&l.j, cli->out, false);
		json_list(&l.j, "flows");
	}
	if (list_all(&l, c, &get, &e) < 0)
		return cli_failed("%s", e.text);
	if (cli->json) {
		json_list_end(&l.j);
		json_bool(&l.j, "more", l.left_out > 0);
		json_close(&l.j);
	} else if (!l.shown) {
		print_heading(cli);
	} else if (l.left_out) {
		fprintf(cli->out, "and more; --limit 0 shows all\n");
	}
	return CLI_DONE;
}

static const struct cli_option options[] = {
	{"service", "NAME", "the flows of this one only", 0, CLI_SERVICE, NULL},
	{"backend", "NAME", "the flows that are with this one only", 0, CLI_BACKEND, NULL},
	{"client", "ADDRESS[:PORT]",
	 "the flows of this client only; of a PREFIX translated ones only", 0, CLI_ANYTHING, NULL},
	{"vip", "ADDRESS[:PORT]", "with --client: those to this address of services", 0,
	 CLI_ANYTHING, NULL},
	{"limit", "N", "how many at most, 1000 without it; 0: all", 0, CLI_ANYTHING, NULL},
	{0},
};

const struct command command_flows = {
	.name = "flows",
	.arguments = "[SERVICE]",
	.summary = "which flows are remembered, with whom, since when",
	.help = "Most flows are not remembered: their slot says where they go (see shunt explain). "
		"Remembered are\n"
		"  transition  those that came while their slot was in transition\n"
		"  all         those of services that remember every flow: rr, wrr, lc, wlc\n"
		"  source      clients of services with affinity\n"
		"  nat         translated connections\n"
		"\n"
		"AGE is how long ago the last packet was noted. Who the client is, only translated "
		"connections know: the table of the others has a hash of it. A \"?\" stands for a "
		"service that the table does not tell apart; it does where any service remembers "
		"every flow, or where just one has slots in transition.\n"
		"\n"
		"With --client ADDRESS all that is remembered of this client is found, with ports, "
		"since each flow that it may have is hashed and looked for: its 65536 ports, or "
		"PORT, "
		"with each address and port of the services, --service or --vip. 16777216 are "
		"looked for at most. By chance one of another client has the same 31 bits: of a "
		"full "
		"table once in 130 million that are looked for. QUIC's flows that are steered by "
		"connection id are not remembered. Nothing is remembered where slots are "
		"settled: shunt explain tells where such flows go.\n",
	.json = "flows [kind (transition, all, source, nat), service, backend, number (of the "
		"backend "
		"in its service), state (new, confirmed, established, closing, reset, ended), "
		"age_ms, protocol, client, client_port, vip, port, pool (what the backend sees), "
		"pool_port], more",
	.examples = "shunt flows web --limit 20\n"
		    "shunt flows --client 192.0.2.7\n"
		    "shunt flows --client 192.0.2.0/24 --json | jq '.flows[].backend'",
	.group = CLI_GROUP_WHY,
	.max_args = 1,
	.kinds = {CLI_SERVICE},
	.options = options,
	.run = run,
};
