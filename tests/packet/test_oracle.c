/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet path against its oracle over random tables and frames (tests/oracle/fuzz.h); `make
 * fuzz-packets` does the same for as long as one likes.  And that what differs is found. */
#include "fixture.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "../oracle/fuzz.h"

#define PACKETS 200000
#define SOON 60000 /* packets in which what is spoilt must show */
#define SEED 20250101

/* What the oracle's world does not hold: nobody takes its headroom. */
static bool cannot_come(enum shunt_verdict v)
{
	return v == SHUNT_DROP_NO_HEADROOM;
}

static void the_packet_path_does_what_the_oracle_says(void **state)
{
	struct fuzz_run run = {.seed = SEED, .count = PACKETS, .mismatches_max = 3};

	assert_int_equal(fuzz_run(*state, &run), 0);
	assert_int_equal(run.mismatches, 0);
	assert_int_equal(run.packets, PACKETS);
	/* else this tested nothing */
	for (enum shunt_verdict v = 1; v < SHUNT_VERDICT_MAX; v++)
		if (!cannot_come(v) && run.seen[v] < PACKETS / 10000)
			fail_msg("only %d packets were %s", (int)run.seen[v], oracle_name(v));
	assert_true(run.remembered > PACKETS / 20);
}

/* ---- what the oracle is told wrong -------------------------------------------------------------*/

static void spoil_hash(struct fuzz_world *w)
{
	w->tables.hash_key[9] += 2;
}

static void spoil_services(struct fuzz_world *w)
{
	w->services[1].port++;
}

static void spoil_service_order(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		if (!w->services[i].port)
			w->services[i].svc.row = 0;
}

static void spoil_prefixes(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		w->services[i].nobody = w->services[i].bits > 0;
}

static void spoil_prefix_lengths(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		if (w->services[i].bits)
			w->services[i].bits = 1;
}

static void spoil_slots(struct fuzz_world *w)
{
	for (size_t i = 0; i < FUZZ_LINES; i++)
		w->slots[i].slot[7] ^= 3;
}

static void spoil_n_lines(struct fuzz_world *w)
{
	w->tables.n_lines = UINT32_MAX;
	for (size_t i = 0; i < w->tables.n_services; i++)
		if (w->services[i].svc.slots_at >= FUZZ_LINES)
			w->services[i].svc.slots_at = 0;
}

static void spoil_timeouts(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		w->services[i].svc.flow_timeout += w->services[i].svc.flow_timeout == 300 ? 3 : 0;
}

static void spoil_salts(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		w->services[i].svc.salt++;
}

static void spoil_mtus(struct fuzz_world *w)
{
	for (size_t i = 0; i < WORLD_ROWS; i++)
		w->backends[i].mtu--;
}

static void spoil_macs(struct fuzz_world *w)
{
	for (size_t i = 0; i < WORLD_ROWS; i++)
		w->backends[i].smac[5] ^= 1;
}

static void spoil_tags(struct fuzz_world *w)
{
	for (size_t i = 0; i < WORLD_ROWS; i++)
		w->backends[i].vlan_tci[1] ^= htons(1);
}

static void spoil_tunnel_sources(struct fuzz_world *w)
{
	for (size_t i = 0; i < WORLD_ROWS; i++)
		w->backends[i].source[3] ^= htonl(1);
}

static void spoil_managed(struct fuzz_world *w)
{
	w->tables.n_managed = 0;
}

static void spoil_cpus(struct fuzz_world *w)
{
	w->tables.cpus++;
}

static void spoil_nat_ports(struct fuzz_world *w)
{
	w->nat_ctl.first_port = 1;
	w->nat_ctl.ports = 1000;
}

static void spoil_nat_own_port(struct fuzz_world *w)
{
	w->nat_ctl.first_port = 1;
	w->nat_ctl.ports = 65535; /* every client's own port is ours, and must be kept */
}

static void spoil_nat_pools(struct fuzz_world *w)
{
	for (uint32_t i = 1; i < SHUNT_NAT_POOLS; i++)
		w->nat_ctl.pool[i].n = 1;
}

static void spoil_nat_timeouts(struct fuzz_world *w)
{
	for (int i = 1; i < SHUNT_NAT_T_MAX; i++) /* UDP's apart */
		w->nat_ctl.timeout[i]++;
}

static void spoil_nat_backends(struct fuzz_world *w)
{
	for (size_t i = 0; i < WORLD_ROWS; i++)
		if (w->backends[i].method == SHUNT_NAT)
			w->backends[i].port ^= htons(1);
}

static void spoil_nat_methods(struct fuzz_world *w)
{
	for (size_t i = 0; i < WORLD_ROWS; i++)
		if (w->backends[i].method == SHUNT_NAT)
			w->backends[i].method = SHUNT_MASQ;
}

static void spoil_nat_turns(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		w->services[i].svc.flags &= (uint8_t)~SHUNT_SVC_TURNS;
}

static void spoil_sources(struct fuzz_world *w)
{
	for (size_t i = 1; i < WORLD_POLICIES; i++)
		w->policies[i].otherwise ^= SHUNT_SOURCE_NOT_ALLOWED;
}

static void spoil_source_order(struct fuzz_world *w)
{
	for (size_t i = 1; i < WORLD_POLICIES; i++)
		for (size_t k = 0; k < FUZZ_SOURCES; k++)
			w->sources[i][k].bits = 0;
}

static void spoil_rates(struct fuzz_world *w)
{
	for (size_t i = 1; i < WORLD_POLICIES; i++)
		w->policies[i].row.source.limit *= 2;
}

static void spoil_service_rates(struct fuzz_world *w)
{
	for (size_t i = 1; i < WORLD_POLICIES; i++)
		w->policies[i].row.service.limit /= 2;
}

static void spoil_vips(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_vips; i++)
		w->vips[i].is_live ^= true;
}

static void spoil_vip_prefixes(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->tables.n_vips; i++)
		w->vips[i].is_nobody ^= !w->vips[i].is_exact;
}

static void spoil_answers(struct fuzz_world *w)
{
	w->tables.hz *= 2; /* what an answer costs */
}

static void spoil_fragments(struct fuzz_world *w)
{
	w->tables.frag_buckets /= 2;
}

static void spoil_quic_servers(struct fuzz_world *w)
{
	for (size_t i = 0; i < w->quics[1].n_servers; i++)
		w->quics[1].server[i].number ^= 1;
}

static void spoil_quic_keys(struct fuzz_world *w)
{
	for (size_t i = 0; i < SHUNT_QUIC_CONFIGS; i++)
		w->quics[1].config[i].key[15] ^= 1;
}

static void clear_flag(struct fuzz_world *w, uint16_t flag)
{
	for (size_t i = 0; i < w->tables.n_services; i++)
		w->services[i].svc.flags &= (uint16_t)~flag;
}

static void spoil_keep(struct fuzz_world *w)
{
	clear_flag(w, SHUNT_SVC_KEEP);
}

static void spoil_kept(struct fuzz_world *w)
{
	clear_flag(w, SHUNT_SVC_KEPT);
}

static void spoil_nothing(struct fuzz_world *w)
{
	(void)w;
}

static void what_the_oracle_is_told_wrong_shows_soon(void **state)
{
	static const struct {
		const char *says;
		void (*spoil)(struct fuzz_world *w);
	} rows[] = {
		{"hash key", spoil_hash},
		{"services", spoil_services},
		{"exact before any port", spoil_service_order},
		{"prefixes", spoil_prefixes},
		{"the longest prefix", spoil_prefix_lengths},
		{"slots", spoil_slots},
		{"number of slots", spoil_n_lines},
		{"timeouts", spoil_timeouts},
		{"salts", spoil_salts},
		{"MTUs", spoil_mtus},
		{"MACs", spoil_macs},
		{"tags", spoil_tags},
		{"tunnel sources", spoil_tunnel_sources},
		{"managed interfaces", spoil_managed},
		{"CPUs", spoil_cpus},
		{"NAT: ports", spoil_nat_ports},
		{"NAT: the client's own port", spoil_nat_own_port},
		{"NAT: pools", spoil_nat_pools},
		{"NAT: timeouts", spoil_nat_timeouts},
		{"NAT: ports of backends", spoil_nat_backends},
		{"NAT: nat or masq", spoil_nat_methods},
		{"NAT: turns", spoil_nat_turns},
		{"sources", spoil_sources},
		{"the longest source prefix", spoil_source_order},
		{"rates of sources", spoil_rates},
		{"rates of services", spoil_service_rates},
		{"addresses", spoil_vips},
		{"prefixes of addresses", spoil_vip_prefixes},
		{"answers", spoil_answers},
		{"fragments", spoil_fragments},
		{"QUIC: servers", spoil_quic_servers},
		{"QUIC: keys", spoil_quic_keys},
		{"flows that are kept", spoil_keep},
		{"what is kept comes first", spoil_kept},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fuzz_run run = {
			.seed = SEED,
			.count = SOON,
			.mismatches_max = 1,
			.quiet = true,
			.spoil = rows[i].spoil,
		};

		assert_int_equal(fuzz_run(*state, &run), 0);
		if (!run.mismatches)
			fail_msg("%s: nothing seen in %d packets", rows[i].says, SOON);
	}
}

static void a_mismatch_comes_again_by_seed_and_number(void **state)
{
	struct fuzz_run run = {
		.seed = SEED,
		.from = 5 * FUZZ_ROUND,
		.count = SOON,
		.mismatches_max = 1,
		.quiet = true,
		.spoil = spoil_macs,
	};
	struct fuzz_run again = run;

	assert_int_equal(fuzz_run(*state, &run), 0);
	assert_int_equal(run.mismatches, 1);
	again.from = run.first_mismatch;
	again.count = 1;
	assert_int_equal(fuzz_run(*state, &again), 0);
	assert_int_equal(again.mismatches, 1);
	assert_int_equal(again.first_mismatch, run.first_mismatch);
}

static void nothing_shows_when_nothing_is_spoilt(void **state)
{
	struct fuzz_run run = {
		.seed = SEED + 1,
		.count = SOON,
		.mismatches_max = 1,
		.spoil = spoil_nothing,
	};

	assert_int_equal(fuzz_run(*state, &run), 0);
	assert_int_equal(run.mismatches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_packet_path_does_what_the_oracle_says),
		cmocka_unit_test(what_the_oracle_is_told_wrong_shows_soon),
		cmocka_unit_test(a_mismatch_comes_again_by_seed_and_number),
		cmocka_unit_test(nothing_shows_when_nothing_is_spoilt),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
