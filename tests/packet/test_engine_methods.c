/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwarding methods from the configuration to the frame: whose rows say what, which backends cannot be
 * had by their method, where tunnels come from. */
#include "engine_world.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include "fixture_frame.h"

#define VIP "vip: 203.0.113.1, check: none, "

static bool is_resolving(const struct engine *e)
{
	for (size_t i = 0; i < e->n_services; i++)
		for (size_t k = 0; k < e->services[i]->n_backends; k++)
			if (nexthops_state(e, e->services[i]->backends[k]) == VIEW_NH_RESOLVING)
				return true;
	return false;
}

static void turn_until_resolved(struct bench *b)
{
	for (int turn = 0; turn < 5000; turn++) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		if (turn > 20 && !is_resolving(b->engine))
			return;
		usleep(1000);
	}
	fail_msg("not resolved after five seconds");
}

/* The head of every configuration here, @top, and then these services. */
static void write_yaml(const struct bench *b, const char *top, const char *services)
{
	FILE *f = fopen(b->config, "w");

	assert_non_null(f);
	fprintf(f, "%s\n", top);
	write_head(b, f);
	fputs(services, f);
	assert_int_equal(fclose(f), 0);
}

static void begin(struct bench *b, const char *top, const char *services)
{
	write_yaml(b, top, services);
	open_engine(b);
	turn_until_resolved(b);
}

static const struct backend *backend_at(const struct bench *b, size_t service, size_t backend)
{
	assert_true(service < b->engine->n_services);
	assert_true(backend < b->engine->services[service]->n_backends);
	return b->engine->services[service]->backends[backend];
}

/* The backend's row as the packet path has it. */
static struct shunt_backend row_of(const struct bench *b, size_t service, size_t backend)
{
	const struct backend *k = backend_at(b, service, backend);
	struct shunt_backend row;

	dp_backend_read(b->engine->dp, k->service->row + k->number, &row);
	return row;
}

/* A SYN of 100.1.2.3 to the service; what comes out in @out, the action as the result. */
static uint32_t send_to(const struct bench *b, uint16_t port, uint16_t client_port,
			struct frame *out)
{
	struct recipe r = {.family = 4,
			   .proto = IPPROTO_TCP,
			   .src = {100, 1, 2, 3},
			   .dst = {203, 0, 113, 1},
			   .sport = client_port,
			   .dport = port,
			   .ttl = 64,
			   .tcp_flags = TCP_FLAG_SYN};
	struct frame in;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in.bytes, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes), .repeat = 1);

	frame_build(&r, &in);
	run.data_size_in = (uint32_t)in.len;
	assert_int_equal(bpf_prog_test_run_opts(dp_program_fd(b->engine->dp), &run), 0);
	out->len = run.data_size_out;
	return run.retval;
}

static uint64_t shown(const struct bench *b, enum shunt_verdict v)
{
	struct view_verdict view = {0};

	assert_true(views_verdict(b->engine, v, &view));
	return view.packets;
}

/* ---- tunnels ------------------------------------------------------------------------------------*/

static void rows_have_the_sources_and_checksums_that_were_asked_for(void **state)
{
	static const uint8_t prefix4[4] = {100, 64, 3, 1}, one4[4] = {100, 65, 0, 9};
	static const uint8_t prefix6[16] = {0x20, 1, 0xd, 0xb8, [15] = 0x11};
	struct bench *b = *state;
	struct shunt_backend row;

	shell("ip -6 address add fd09::1/64 dev te0 nodad;"
	      "ip neigh add fd09::10 lladdr 02:00:00:00:09:10 nud permanent dev te0");
	begin(b, "tunnel_source: 100.64.3.0/24\ntunnel_source6: \"2001:db8::10/124\"",
	      "  - {" VIP "port: 80, backends: [10.9.0.10, 10.9.0.11 forward=gue,\n"
	      "     10.9.0.12 forward=dsr, \"fd09::10 forward=gre\"]}\n"
	      "  - {" VIP "port: 81, forward: gue, tunnel_source: 100.65.0.9, "
	      "gue_checksum: zero,\n     backends: [10.9.0.10, \"fd09::10\"]}\n"
	      "  - {" VIP "port: 82, forward: gue, backends: [\"fd09::10\"]}\n");
	row = row_of(b, 0, 0);
	assert_memory_equal(row.source, prefix4, 4);
	assert_int_equal(row.source_bits, 8);
	row = row_of(b, 0, 1); /* has ports to vary */
	assert_memory_equal(row.source, prefix4, 4);
	assert_int_equal(row.source_bits, 0);
	row = row_of(b, 0, 2);
	assert_int_equal(row.source[0], 0);
	row = row_of(b, 0, 3);
	assert_memory_equal(row.source, prefix6, 16);
	assert_int_equal(row.source_bits, 4);
	row = row_of(b, 1, 0);
	assert_memory_equal(row.source, one4, 4);
	assert_int_equal(row.source_bits, 0);
	assert_false(row_of(b, 1, 1).flags & SHUNT_BE_UDP_CSUM);
	assert_true(row_of(b, 2, 0).flags & SHUNT_BE_UDP_CSUM);
}

/* What is taken for this host's and is not, is told; it does not matter for the rows. */
static void an_address_that_is_not_this_hosts_is_asked_for_once(void **state)
{
	static const char services[] =
		"  - {" VIP "port: 80, backends: [10.9.0.10]}\n"
		"  - {" VIP "port: 81, forward: nat, backends: [10.9.0.10],\n"
		"     nat_pool: [10.9.0.1]}\n"
		"  - {" VIP "port: 82, forward: local}\n";
	struct bench *b = *state;
	struct engine_error text = {0};

	shell("ip address add 203.0.113.1/32 dev lo");
	begin(b, "tunnel_source: 100.64.3.0/24", services);
	assert_int_equal(b->engine->n_own, 3);
	for (size_t i = 0; i < 3; i++)
		assert_false(b->engine->own[i].waits);
	assert_true(row_of(b, 0, 0).flags & SHUNT_BE_USABLE);
	assert_int_equal(reload_now(b->engine, &text), 0);
	assert_int_equal(b->engine->n_own, 3);
	write_yaml(b, "tunnel_source: 10.9.0.10", "  - {" VIP "port: 80, backends: [10.9.0.11]}\n");
	assert_int_equal(reload_now(b->engine, &text), 0);
	turn_until_resolved(b);
	assert_int_equal(b->engine->n_own, 4);
	assert_false(b->engine->own[3].waits);
}

static void sources_vary_by_flow_within_their_prefix(void **state)
{
	struct bench *b = *state;
	uint8_t seen[256] = {0};
	unsigned int different = 0;
	struct frame out, again;

	begin(b, "tunnel_source: 100.64.3.0/24",
	      "  - {" VIP "port: 80, backends: [10.9.0.10]}\n"
	      "  - {" VIP "port: 81, forward: gue, backends: [10.9.0.10]}\n");
	for (uint16_t i = 0; i < 1024; i++) {
		const uint8_t *source = out.bytes + 14 + 12;

		assert_int_equal(send_to(b, 80, (uint16_t)(1024 + i), &out), XDP_REDIRECT);
		assert_memory_equal(source, ((uint8_t[]){100, 64, 3}), 3);
		assert_int_equal(source[3] & 3, 1);
		assert_int_equal(fold16(sum16(0, out.bytes + 14, 20)), 0xffff);
		different += !seen[source[3]];
		seen[source[3]] = 1;
		send_to(b, 80, (uint16_t)(1024 + i), &again);
		assert_memory_equal(out.bytes, again.bytes, out.len);
		send_to(b, 81, (uint16_t)(1024 + i), &out);
		assert_memory_equal(source, ((uint8_t[]){100, 64, 3, 1}), 4);
	}
	assert_int_equal(different, 64);
}

/* ---- what a method asks of the way --------------------------------------------------------------*/

static void assert_state(const struct bench *b, size_t service, size_t backend,
			 enum view_nexthop state)
{
	const struct backend *k = backend_at(b, service, backend);

	if (nexthops_state(b->engine, k) != state)
		fail_msg("%s/%s: %s", k->service->name, k->name,
			 view_nexthop_name(nexthops_state(b->engine, k)));
	assert_int_equal(!!(row_of(b, service, backend).flags & SHUNT_BE_USABLE),
			 state == VIEW_NH_RESOLVED || state == VIEW_NH_NOT_NEEDED);
	assert_int_equal(k->slots > 0, state == VIEW_NH_RESOLVED || state == VIEW_NH_NOT_NEEDED);
}

static void dsr_does_not_go_through_a_router(void **state)
{
	struct bench *b = *state;

	shell("ip route add 10.8.0.0/24 via 10.9.0.20 dev te0");
	begin(b, "",
	      "  - {" VIP "port: 80, forward: dsr, backends: [10.9.0.10, 10.8.0.10,\n"
	      "     10.8.0.11 forward=ipip, 10.8.0.12 forward=gue, 10.8.0.13 forward=gre]}\n"
	      "  - {" VIP "port: 81, forward: masq, backends: [10.8.0.10, 10.8.0.11 "
	      "forward=nat]}\n");
	assert_state(b, 0, 0, VIEW_NH_RESOLVED);
	assert_state(b, 0, 1, VIEW_NH_ROUTER);
	for (size_t i = 2; i < 5; i++)
		assert_state(b, 0, i, VIEW_NH_RESOLVED);
	assert_state(b, 1, 0, VIEW_NH_RESOLVED);
	assert_state(b, 1, 1, VIEW_NH_RESOLVED);
	shell("ip route replace 10.8.0.10/32 dev te0;"
	      "ip neigh add 10.8.0.10 lladdr 02:00:00:00:09:77 nud permanent dev te0");
	for (int turn = 0; turn < 2000 && backend_at(b, 0, 1)->slots == 0; turn++) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_state(b, 0, 1, VIEW_NH_RESOLVED);
	assert_int_equal(row_of(b, 0, 1).dmac[5], 0x77);
}

static void this_host_is_no_backend_but_by_local(void **state)
{
	struct bench *b = *state;

	begin(b, "",
	      "  - {" VIP "port: 80, backends: [10.9.0.1, 10.9.0.10, 203.0.113.1 forward=local]}\n"
	      "  - {" VIP "port: 81, forward: nat, backends: [10.9.0.1]}\n");
	assert_state(b, 0, 0, VIEW_NH_IS_LOCAL);
	assert_state(b, 0, 1, VIEW_NH_RESOLVED);
	assert_state(b, 0, 2, VIEW_NH_NOT_NEEDED);
	assert_state(b, 1, 0, VIEW_NH_IS_LOCAL);
}

static void without_an_address_of_its_own_a_host_tunnels_and_translates_not(void **state)
{
	struct bench *b = *state;

	/* neighbours go with the last address */
	shell("ip address flush dev te0; ip route add 10.9.0.0/24 dev te0;"
	      "for i in 10 11 12 13; do ip neigh replace 10.9.0.$i lladdr 02:00:00:00:09:$i "
	      "nud permanent dev te0; done");
	begin(b, "",
	      "  - {" VIP "port: 80, backends: [10.9.0.10, 10.9.0.11 forward=dsr, 10.9.0.12 "
	      "forward=gre,\n     10.9.0.13 forward=gue]}\n"
	      "  - {" VIP "port: 81, forward: nat, backends: [10.9.0.10, 10.9.0.11 forward=masq]}\n"
	      "  - {" VIP "port: 82, tunnel_source: 10.9.0.1, backends: [10.9.0.10]}\n"
	      "  - {" VIP "port: 83, forward: nat, nat_pool: [10.9.0.1], backends: [10.9.0.10]}\n");
	assert_state(b, 0, 0, VIEW_NH_NO_SOURCE);
	assert_state(b, 0, 1, VIEW_NH_RESOLVED);
	assert_state(b, 0, 2, VIEW_NH_NO_SOURCE);
	assert_state(b, 0, 3, VIEW_NH_NO_SOURCE);
	assert_state(b, 1, 0, VIEW_NH_NO_SOURCE);
	assert_state(b, 1, 1, VIEW_NH_RESOLVED);
	assert_state(b, 2, 0, VIEW_NH_RESOLVED);
	assert_state(b, 3, 0, VIEW_NH_RESOLVED);
}

/* ---- several methods in one service -------------------------------------------------------------*/

static void every_method_is_counted_by_its_name(void **state)
{
	static const struct {
		enum shunt_verdict verdict;
		size_t backend;
	} rows[] = {{SHUNT_FORWARD_DSR, 0},
		    {SHUNT_FORWARD_IPIP, 1},
		    {SHUNT_FORWARD_GUE, 2},
		    {SHUNT_FORWARD_GRE, 3},
		    {SHUNT_FORWARD_LOCAL, 4}};
	struct bench *b = *state;
	uint64_t all = 0;
	struct frame out;

	begin(b, "",
	      "  - {" VIP "port: 80, forward: dsr, backends: [10.9.0.10, 10.9.0.11 forward=ipip,\n"
	      "     10.9.0.12 forward=gue, 10.9.0.13 forward=gre, 203.0.113.1 forward=local]}\n");
	for (uint16_t i = 0; i < 512; i++)
		send_to(b, 80, (uint16_t)(1024 + i), &out);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct backend *k = backend_at(b, 0, rows[i].backend);
		struct dp_counter counter;

		dp_counter_read(b->engine->dp, k->service->row + k->number, &counter);
		assert_in_range(counter.packets, 512 / 10, 512 * 3 / 10);
		assert_int_equal(shown(b, rows[i].verdict), counter.packets);
		all += counter.packets;
	}
	assert_int_equal(all, 512);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_have_the_sources_and_checksums_that_were_asked_for),
		TEST(an_address_that_is_not_this_hosts_is_asked_for_once),
		TEST(sources_vary_by_flow_within_their_prefix),
		TEST(dsr_does_not_go_through_a_router),
		TEST(this_host_is_no_backend_but_by_local),
		TEST(without_an_address_of_its_own_a_host_tunnels_and_translates_not),
		TEST(every_method_is_counted_by_its_name),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
