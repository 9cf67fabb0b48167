/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands of shunt, and what shunt help says of them. */
#include <string.h>

#include "main/cli.h"

const struct command cli_commands[] = {
	{
		.name = "status",
		.arguments = "",
		.summary = "is shuntd well: its age, configuration and interfaces",
		.help = "Shows the running daemon, the configuration in force and when it was "
			"loaded, why\n"
			"the last reload was refused if it was, and how XDP is attached to each\n"
			"interface.\n"
			"\n"
			"JSON: version, instance, pid, uptime_ms, config_file, config_age_ms,\n"
			"config_error (null: none), services, backends, usable_backends, edits, "
			"events,\n"
			"map_bytes, peers {peers, told, delayed, lost, heard, taken, early, "
			"waiting,\n"
			"unknown, no_room, unsent, good, and dropped: malformed, other_version, "
			"forged,\n"
			"replayed, stale, crowded, other_secret, stranger},\n"
			"upgrade {...: see shunt help upgrade},\n"
			"interfaces [name, ifindex, xdp, link_up, note].\n",
		.example = "shunt status",
		.takes = CLI_TAKES_JSON,
		.run = cmd_status,
	},
	{
		.name = "services",
		.arguments = "",
		.summary = "every service, its backends that are usable, its traffic",
		.help = "USABLE counts the backends that get packets, of all that are configured; "
			"a !\n"
			"after it says that none is usable and all of them are used instead\n"
			"(on_empty: all), !! that less are than panic says, and all are used.\n"
			"\n"
			"JSON: services [name, vip, port (0: any), protocol, scheduler, forward,\n"
			"on_empty, check, slots, moving (of these in transition), backends, "
			"usable,\n"
			"failing_open, panicking, packets, bytes, flows, packets_per_s, "
			"bytes_per_s,\n"
			"flows_per_s, no_backend, over_rate, last_pool (that gets new flows; 16:\n"
			"the backups)].\n",
		.example = "shunt services --json | jq '.services[] | select(.usable == 0).name'",
		.takes = CLI_TAKES_JSON,
		.run = cmd_services,
	},
	{
		.name = "backends",
		.arguments = "[SERVICE]",
		.summary = "every backend, its state, since when and why",
		.help = "States, the first that holds:\n"
			"  leaving      no longer configured: no new flows, goes when it has "
			"none left\n"
			"  maintenance  disabled by hand: gets no packets\n"
			"  drained      by hand: gets no new flows\n"
			"  down         its check fails; REASON is the last probe's result\n"
			"  no next hop  no way to it: REASON says whether route, neighbour or "
			"link\n"
			"  standby      up, but its pool gets no new flows as long as others are\n"
			"  starting     no verdict yet; gets packets like one that is up\n"
			"  up\n"
			"BY is the forwarding method.\n"
			"A * after the weight says that weight or state were changed at run time "
			"and are\n"
			"not as the configuration says.\n"
			"\n"
			"JSON: backends [service, name, address, port (0: any), forward, state,\n"
			"weight, configured_weight, drained, disabled, edited, edit_age_ms,\n"
			"edited_by, edit_reason, health, health_age_ms, check (that decided; "
			"null:\n"
			"the service's own), code (\"L7STS 503\"), reason, latency_us, next_hop, "
			"mac,\n"
			"egress, slots, packets, bytes, flows, packets_per_s, bytes_per_s,\n"
			"flows_per_s, pool (16: backup), standby, gets (what, and why, in words),\n"
			"share (of 16 parts, those that it has while it climbs; 16: all), "
			"leaving,\n"
			"drain (none, going, done, expired), idle_ms, quiet_ms (as long without a\n"
			"packet: its flows have ended), deadline_ms (null: none), flows_now\n"
			"(that it has; null: not known), flows_left (the same while it drains),\n"
			"oldest_ms (of these, the longest without a packet; null as well)];\n"
			"edited_by, edit_reason, code, reason, mac and egress may be null.\n",
		.example = "shunt backends web",
		.takes = CLI_TAKES_JSON,
		.max_args = 1,
		.run = cmd_backends,
	},
	{
		.name = "history",
		.arguments = "SERVICE BACKEND",
		.summary = "what has become of a backend, and why: its last hundred changes",
		.help = "The newest first. WAS and IS are the same where only the reason is "
			"another. The\n"
			"daemon keeps them in memory: they begin with it.\n"
			"\n"
			"JSON: history [time_ms (since 1970), from, to (starting, up, down, "
			"unchecked,\n"
			"drained, maintenance, leaving), code (\"L7STS 503\"), check, "
			"latency_us, by,\n"
			"reason]; code, check, by and reason may be null.\n",
		.example = "shunt history web web1",
		.takes = CLI_TAKES_JSON,
		.min_args = 2,
		.max_args = 2,
		.run = cmd_history,
	},
	{
		.name = "events",
		.arguments = "[--follow]",
		.summary = "what happens, as it happens",
		.help = "A line for each change of a backend's health or next hop, each edit, each "
			"change\n"
			"of a service, until Ctrl-C or the daemon's end. Needs root.\n"
			"\n"
			"JSON, a document a line: seq, time_ms (since 1970), kind (health, "
			"edited,\n"
			"next_hop, service_empty, drain, pool, transition, ...), service, "
			"backend, text,\n"
			"and of kind health and edited what history has: from, to, code, check,\n"
			"latency_us, by, reason.\n",
		.example = "shunt events --follow --json | jq 'select(.to == \"down\")'",
		.takes = CLI_TAKES_JSON | CLI_TAKES_FOLLOW,
		.run = cmd_events,
	},
	{
		.name = "stats",
		.arguments = "[--watch [SECONDS]] [--all] [SERVICE]",
		.summary = "packets, bytes and new flows, and what became of all packets",
		.help = "Totals since a backend was configured, and rates over the daemon's last "
			"sampling\n"
			"interval. Bytes are those of the IP packets as they came in. Below, the\n"
			"verdicts: every packet has exactly one. NOW is how many flows there "
			"are; it is\n"
			"known where every flow is remembered (rr, wrr, lc, wlc), of sources "
			"with\n"
			"affinity, and while a backend drains.\n"
			"  -w, --watch [SECONDS]  again every so many seconds (2), until Ctrl-C\n"
			"  -a, --all              verdicts that no packet has had, too\n"
			"\n"
			"JSON: time (seconds since 1970), services [name, packets, bytes, flows,\n"
			"packets_per_s, bytes_per_s, flows_per_s, no_backend, over_rate,\n"
			"backends [name, packets, ..., flows_now (null: not known)]],\n"
			"verdicts [name, class, meaning, packets, packets_per_s].\n"
			"With --watch, a document a line.\n",
		.example = "shunt stats --watch 5 web",
		.takes = CLI_TAKES_JSON | CLI_TAKES_WATCH | CLI_TAKES_ALL,
		.max_args = 1,
		.run = cmd_stats,
	},
	{
		.name = "fingerprint",
		.arguments = "[SERVICE]",
		.summary = "a few digits that are the same on every host that does the same",
		.help = "Hosts with the same configuration and the same health pick the same "
			"backend for\n"
			"the same flow, and print the same here, whatever the order of their files "
			"and of\n"
			"what happened. Where \"all\" differs: compare \"secret\" (hash_secret), "
			"then the\n"
			"services, then with SERVICE its backends.\n"
			"  SETTINGS  of a service: name, address, ports, protocol, scheduler, "
			"on_empty,\n"
			"            flow_timeout, min_healthy, quic; of a backend: name, "
			"address,\n"
			"            port, weight, pool, method\n"
			"  BACKENDS  the settings of all backends\n"
			"  TABLE     which slot is whose: differs also where health, next hops or "
			"a drain do\n"
			"  MOVING    slots whose former flows are still elsewhere, on this host; "
			"counts in\n"
			"            no fingerprint\n"
			"\n"
			"JSON: fingerprint (without SERVICE), secret, services [name, fingerprint, "
			"settings,\n"
			"backends, table, slots, moving], and with SERVICE backends [name, "
			"fingerprint,\n"
			"settings, table, slots]. Digits are text.\n",
		.example = "shunt fingerprint web",
		.takes = CLI_TAKES_JSON,
		.max_args = 1,
		.run = cmd_fingerprint,
	},
	{
		.name = "check",
		.arguments = "FILE",
		.summary = "would shuntd take this configuration?",
		.help = "Reads FILE and the backend files that it names as shuntd would. Says "
			"where the\n"
			"first mistake is, what is allowed there, and ends with 1; no daemon is "
			"needed.\n"
			"\n"
			"JSON: ok, file, services, backends, error (null: none).\n",
		.example = "shunt check /etc/shunt/shunt.yaml && shunt reload",
		.takes = CLI_TAKES_JSON,
		.min_args = 1,
		.max_args = 1,
		.run = cmd_check,
	},
	{
		.name = "reload",
		.arguments = "",
		.summary = "make shuntd read its configuration again",
		.help = "A configuration with a mistake changes nothing: the mistake is shown, the "
			"exit\n"
			"status is 1, and the daemon goes on with what it had.\n"
			"\n"
			"JSON, also of drain, disable, enable and weight: ok, errno, text.\n",
		.example = "shunt reload",
		.takes = CLI_TAKES_JSON,
		.run = cmd_reload,
	},
	{
		.name = "drain",
		.arguments = "[--deadline TIME] [--wait] [--reason TEXT] SERVICE BACKEND",
		.summary = "give a backend no new flows, and keep those that it has",
		.help = "Holds until shunt enable, also over a restart of the daemon. Flows that "
			"the\n"
			"backend has stay with it until they end: when it has had no packet for "
			"the\n"
			"service's flow_timeout, with nat and masq the timeout of connections.\n"
			"  --deadline TIME  flows that are left after this time (90s, 10m, 2h) "
			"move to\n"
			"                   other backends; again with another time to change it\n"
			"  --wait           show how it goes until there are none: exit status 0 "
			"when\n"
			"                   they have ended, 3 when the deadline moved some; "
			"Ctrl-C "
			"ends\n"
			"                   the waiting, not the drain\n"
			"  --reason TEXT    shown by shunt backends and history, with who did it\n"
			"\n"
			"JSON: as of reload; with --wait then as of backends, a document a line.\n",
		.example = "shunt drain web web1 --deadline 10m --wait",
		.takes = CLI_TAKES_JSON | CLI_TAKES_DRAIN | CLI_TAKES_REASON,
		.min_args = 2,
		.max_args = 2,
		.run = cmd_drain,
	},
	{
		.name = "disable",
		.arguments = "[--reason TEXT] SERVICE BACKEND",
		.summary = "take a backend out at once: maintenance",
		.help = "It gets no packets, also none of flows that it has, which move, also "
			"not\n"
			"while nobody else is up. It is probed all the same. Holds until shunt "
			"enable,\n"
			"also over a restart of the daemon. To keep its flows use shunt drain.\n"
			"  --reason TEXT  shown by shunt backends and history, with who did it\n",
		.example = "shunt disable --reason 'disk swap, ticket 4711' web web1",
		.takes = CLI_TAKES_JSON | CLI_TAKES_REASON,
		.min_args = 2,
		.max_args = 2,
		.run = cmd_disable,
	},
	{
		.name = "enable",
		.arguments = "[--reason TEXT] SERVICE BACKEND",
		.summary = "give a drained or disabled backend new flows again",
		.help = "Undoes shunt drain and shunt disable.\n",
		.example = "shunt enable web web1",
		.takes = CLI_TAKES_JSON | CLI_TAKES_REASON,
		.min_args = 2,
		.max_args = 2,
		.run = cmd_enable,
	},
	{
		.name = "weight",
		.arguments = "[--reason TEXT] SERVICE BACKEND N",
		.summary = "change a backend's weight",
		.help = "N is 0 to 1000; 0 gives it no new flows. Holds also over a restart of "
			"the\n"
			"daemon.\n",
		.example = "shunt weight web web1 5",
		.takes = CLI_TAKES_JSON | CLI_TAKES_REASON,
		.min_args = 3,
		.max_args = 3,
		.run = cmd_weight,
	},
	{
		.name = "upgrade",
		.arguments = "[--accept-changes | --rollback | --status]",
		.summary = "put the installed version in the running daemon's place",
		.help = "To be run when a new package is in place. The daemon asks the new "
			"executable to\n"
			"read the configuration and to load its packet path, and becomes it only "
			"if it\n"
			"could, in the same process; a new version that cannot start after all "
			"hands back\n"
			"to the former one. Forwarding goes on all the time. The new packet path "
			"is\n"
			"compared with the running one by made-up packets before it takes over: "
			"where\n"
			"they differ, the running one stays, and the exit status is 1.\n"
			"  --accept-changes  have it take over even so\n"
			"  --rollback        put the former packet path back, within "
			"rollback_window (30s)\n"
			"  --status          what is in force since when, and what became of the "
			"last one\n"
			"\n"
			"JSON: version, upgrade {program (the kernel's number), program_age_ms, "
			"state\n"
			"(none, watched, kept, one_way, refused, fell_back, rolled_back), why, "
			"left_ms (of\n"
			"being watched), packets, errors (since then), from (version), failed "
			"(why the\n"
			"new version ended), asked (services), compared (packets)}, interfaces; "
			"why, from\n"
			"and failed may be null. Where it is refused, and with --rollback: ok, "
			"errno, text.\n",
		.example = "apt install shunt && shunt upgrade",
		.takes = CLI_TAKES_JSON | CLI_TAKES_UPGRADE,
		.run = cmd_upgrade,
	},
	{
		.name = "decap",
		.arguments = "ARGUMENTS...",
		.summary = "on a backend: take off the tunnel headers (runs shunt-decap)",
		.help = "The addresses are the backend's own, which the tunnel leads to, not the\n"
			"VIP. shunt decap --help says more.\n",
		.example = "shunt decap attach eth0 10.0.0.12",
		.takes = CLI_TAKES_RAW,
		.max_args = 1000,
		.run = cmd_decap,
	},
	{
		.name = "version",
		.arguments = "",
		.summary = "the version of this program",
		.help = "shunt status shows the daemon's.\n\nJSON: version, protocol.\n",
		.example = "shunt version",
		.takes = CLI_TAKES_JSON,
		.run = cmd_version,
	},
	{
		.name = "help",
		.arguments = "[COMMAND]",
		.summary = "this, or all about one command",
		.help = "",
		.example = "shunt help stats",
		.max_args = 1,
		.run = cmd_help,
	},
	{0},
};

const struct command *cli_find_command(const char *name)
{
	const struct command *c;

	for (c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

#define WORD_MAX 16

static int least(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters have to be put in, left out or changed. Words of up to WORD_MAX. */
static int distance(const char *a, const char *b)
{
	int row[WORD_MAX + 1], i, j, n = (int)strlen(b), diagonal, above;

	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		diagonal = row[0];
		row[0] = i + 1;
		for (j = 0; j < n; j++) {
			above = row[j + 1];
			row[j + 1] = least(row[j] + 1, above + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[n];
}

const struct command *cli_suggest_command(const char *name)
{
	const struct command *c, *best = NULL;
	int best_distance = 3, d;
	size_t len = strlen(name);

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (c = cli_commands; c->name; c++) {
		d = distance(name, c->name);
		if (d > 2 && strncmp(c->name, name, len) == 0)
			d = 2;
		if (d < best_distance) {
			best = c;
			best_distance = d;
		}
	}
	return best;
}

void cli_usage(FILE *out)
{
	const struct command *c;

	fputs("Usage: shunt [OPTIONS] COMMAND [ARGUMENTS]\n"
	      "\n"
	      "Shows and steers shuntd, the layer-4 load balancer.\n"
	      "\n",
	      out);
	for (c = cli_commands; c->name; c++)
		fprintf(out, "  %-13s%s\n", c->name, c->summary);
	fputs("\n"
	      "  -i, --instance NAME  which daemon (default)\n"
	      "      --run-dir DIR    where its sockets are (/run/shunt)\n"
	      "      --json           JSON instead of a table\n"
	      "      --no-color       no colours, as with NO_COLOR set\n"
	      "  -h, --help           this, or after a command all about it\n"
	      "  -V, --version        the version\n"
	      "\n"
	      "The exit status is 0 when it was done, 1 when it failed, 2 when it was misused.\n",
	      out);
}

void cli_command_help(FILE *out, const struct command *c)
{
	fprintf(out, "Usage: shunt %s%s%s\n\n%c%s.\n", c->name, *c->arguments ? " " : "",
		c->arguments, c->summary[0] & ~0x20, c->summary + 1);
	if (*c->help)
		fprintf(out, "\n%s\n", c->help);
	else
		fputc('\n', out);
	fprintf(out, "Example:\n  %s\n", c->example);
}

enum cli_exit cmd_help(struct cli *cli, int argc, char **argv)
{
	const struct command *c;

	if (argc == 0) {
		cli_usage(cli->out);
		return CLI_DONE;
	}
	c = cli_find_command(argv[0]);
	if (!c)
		return cli_misused("there is no command \"%s\"", argv[0]);
	cli_command_help(cli->out, c);
	return CLI_DONE;
}
