/* SPDX-License-Identifier: BSD-2-Clause */
/* sim [short]: prints how many connections break, with and without a flood; exit status 1 when one of
 * ours does, or when none does that should. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "shunt_abi.h"

#define LRU_BYTES 121 /* of the kernel for an entry: measured, DESIGN */

static void print_way(const char *name, const struct sim_result *r, enum sim_way way,
		      double lookups, double bytes)
{
	printf("  %-34s %10llu of %9llu  %7.3f %%  %8.3f  %10.1f\n", name,
	       (unsigned long long)r->broken[way], (unsigned long long)r->begun[way],
	       100.0 * r->broken[way] / r->begun[way], lookups, bytes / 1e6);
}

static void print(const struct sim_options *o, const struct sim_result *r)
{
	double packets = r->packets + r->floods;
	double ours = (double)o->buckets * sizeof(struct shunt_flow_bucket) +
		      r->slots * (sizeof(uint16_t) + sizeof(struct shunt_base));

	printf("%u connections alive, %u backends come and %u go of 100, one each %u s; %s\n",
	       o->connections, o->changes, o->changes, o->every,
	       o->flood ? "and a flood of SYNs" : "no flood");
	printf("  %.0f s, %llu packets of connections, %llu SYNs of the flood (%u a second)\n",
	       r->seconds, (unsigned long long)r->packets, (unsigned long long)r->floods, o->flood);
	printf("  %-34s %23s  %9s  %8s  %10s\n", "", "broken connections", "", "lookups",
	       "state, MB");
	print_way("a table alone", r, SIM_TABLE, 0, r->slots * sizeof(uint16_t));
	if (!o->without_lru)
		print_way("LRU of flows, limited as Katran's", r, SIM_LRU, 1,
			  (double)o->lru * LRU_BYTES);
	print_way("slots in transition", r, SIM_OURS, r->lookups / packets, ours);
	printf("  flow table: %u words, %.3f of the live flows; in use at most %u; %llu flows "
	       "remembered, %llu found no room\n",
	       o->buckets * SHUNT_FLOWS_PER_BUCKET,
	       (double)o->buckets * SHUNT_FLOWS_PER_BUCKET / o->connections, r->entries_most,
	       (unsigned long long)r->remembered, (unsigned long long)r->no_room);
	printf("  lookups a packet: 0 before the first change, %.4f with one of 100 changed, %.4f "
	       "over all; slots in transition: at most %.1f %%, %.1f %% at the end\n",
	       (double)r->first_lookups / r->first_packets, r->lookups / packets,
	       100.0 * r->changed_most / r->slots, 100.0 * r->changed / r->slots);
	fflush(stdout);
}

/* A line of make prove's table. */
static void figure(const char *what, double found, const char *unit, const char *wanted, bool good)
{
	printf("= sim: %s | %.10g%s | %s | %s\n", what, found, unit, wanted,
	       good ? "PASS" : "MISS");
}

static bool figures(const struct sim_options *o, const struct sim_result *r)
{
	double words = (double)o->buckets * SHUNT_FLOWS_PER_BUCKET / o->connections;
	double first = (double)r->first_lookups / r->first_packets;
	bool good = r->broken[SIM_OURS] == 0, shows = r->broken[SIM_TABLE] > 0;

	figure(o->flood ? "broken with a flood of SYNs" : "broken", r->broken[SIM_OURS], "", "0",
	       good);
	figure("  by a table alone", 100.0 * r->broken[SIM_TABLE] / r->begun[SIM_TABLE], " %",
	       "more", shows);
	figure("  by an LRU of flows", 100.0 * r->broken[SIM_LRU] / r->begun[SIM_LRU], " %", "more",
	       r->broken[SIM_LRU] > 0);
	figure("  flow table by live flows", words, "", "at most 1/3", words <= 1.0 / 3);
	figure("  lookups a packet, one of 100 changed", first, "", "at most 0.1", first <= 0.1);
	return good && shows && words <= 1.0 / 3 && first <= 0.1;
}

int main(int argc, char **argv)
{
	bool is_short = argc > 1 && strcmp(argv[1], "short") == 0;
	struct sim_options o = {
		.connections = is_short ? 50000 : 1600000,
		.buckets = is_short ? 2048 : 65536,
		.lru = is_short ? 60000 : 2000000,
		.changes = is_short ? 5 : 10,
		.every = is_short ? 4 : 15,
		.timeout = 60,
	};
	struct sim_result r;
	int failed = 0;

	puts("The packet path is the real one, compiled with a clock that the simulation sets; "
	     "flow "
	     "ticks, timeouts (60 s)\nand lifetimes (lognormal, median 20 s, sigma 1.5) are not "
	     "scaled.");
	for (int flood = 0; flood < 2; flood++) {
		o.flood = flood ? (is_short ? 20000 : 500000) : 0;
		if (sim_run(&o, &r))
			return 1;
		print(&o, &r);
		failed |= !figures(&o, &r);
	}
	return failed;
}
