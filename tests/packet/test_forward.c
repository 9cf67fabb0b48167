/* SPDX-License-Identifier: BSD-2-Clause */
/* What leaves the packet path: every forwarding method over every family, with the bytes compared
 * against frames built independently and the counters against what must have been counted. */
#include "fixture_expect.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t families[] = {4, 6};
static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

static void each_method_writes_what_its_row_says(void **state)
{
	for (int i = 0; i < 4; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
			struct recipe r = world_recipe(families[i / 2], protos[i % 2], kind);

			for (r.tags = 0; r.tags <= 2; r.tags++)
				assert_forwarded(*state, &r, kind);
		}
}

static void ipv4_options_travel_along(void **state)
{
	for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
		struct recipe r = world_recipe(4, IPPROTO_TCP, kind);

		for (r.option_words = 1; r.option_words <= 10; r.option_words++)
			assert_forwarded(*state, &r, kind);
	}
}

static void ipv6_extension_headers_travel_along(void **state)
{
	for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
		struct recipe r = world_recipe(6, IPPROTO_UDP, kind);

		memcpy(r.ext, (uint8_t[]){0, 60, 43, 51, 135, 60}, 6);
		memcpy(r.ext_units, (uint8_t[]){1, 2, 3, 2, 1, 9}, 6);
		for (r.n_ext = 1; r.n_ext <= 6; r.n_ext++)
			assert_forwarded(*state, &r, kind);
	}
}

static void padding_stays_and_a_longer_tail_goes(void **state)
{
	for (enum world_kind kind = WORLD_DSR; kind <= WORLD_TUNNEL_LAST; kind++) {
		struct recipe r = world_recipe(4, IPPROTO_UDP, kind);

		r.payload = 1;
		for (r.padding = 0; r.padding < 40; r.padding++)
			assert_forwarded(*state, &r, kind);
	}
}

static void what_the_path_does_not_take_is_too_big(void **state)
{
	for (int i = 0; i < 4; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_TUNNEL_LAST; kind++) {
			struct recipe r = world_recipe(families[i / 2], protos[i % 2], kind);

			r.payload = (uint16_t)(WORLD_MTU - expect_overhead(kind) -
					       (r.family == 4 ? 20 : 40) -
					       (r.proto == IPPROTO_TCP ? 20 : 8));
			assert_forwarded(*state, &r, kind);
			r.payload++;
			assert_verdict(*state, &r, SHUNT_DROP_TOO_BIG, XDP_DROP);
		}
}

static void a_hop_is_taken_and_the_checksum_right_for_every_sum(void **state)
{
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_DSR);
	struct outcome o;
	struct frame in;

	frame_build(&r, &in);
	for (uint32_t id = 0; id < 65536; id++) {
		put16(in.bytes + in.l3 + 4, (uint16_t)id);
		put16(in.bytes + in.l3 + 8, 57 << 8 | IPPROTO_UDP);
		put16(in.bytes + in.l3 + 10, 0);
		put16(in.bytes + in.l3 + 10, (uint16_t)~fold16(sum16(0, in.bytes + in.l3, 20)));
		fixture_run(*state, &in, &o);
		assert_int_equal(o.packets, 1);
		expect_hop(in.bytes + in.l3);
		assert_memory_equal(o.out.bytes + 14, in.bytes + 14, 20);
	}
}

static void the_last_hop_is_not_taken(void **state)
{
	for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++)
		for (int i = 0; i < 4; i++) {
			struct recipe r = world_recipe(families[i / 2], protos[i % 2], kind);

			for (r.ttl = 2; r.ttl; r.ttl++)
				assert_forwarded(*state, &r, kind);
			for (r.ttl = 0; r.ttl < 2; r.ttl++)
				if (kind == WORLD_LOCAL)
					assert_forwarded(*state, &r, kind);
				else
					assert_verdict(*state, &r, SHUNT_DROP_TTL, XDP_DROP);
		}
}

static void a_syn_is_counted_as_a_flow(void **state)
{
	static const struct {
		uint8_t flags;
		uint64_t flows;
	} rows[] = {{TCP_FLAG_SYN, 1}, {TCP_FLAG_SYN | TCP_FLAG_ACK, 0}, {TCP_FLAG_ACK, 0}, {0, 0}};
	struct outcome o;
	struct frame in;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);

		r.tcp_flags = rows[i].flags;
		frame_build(&r, &in);
		fixture_run(*state, &in, &o);
		assert_int_equal(o.packets, 1);
		assert_int_equal(o.flows, rows[i].flows);
	}
}

static void the_way_out_is_the_backends(void **state)
{
	struct recipe r = world_recipe(6, IPPROTO_TCP, WORLD_REDIRECT);
	struct frame in, must;
	struct outcome o;

	frame_build(&r, &in);
	fixture_run(*state, &in, &o);
	expect_frame(*state, &r, WORLD_REDIRECT, &in, 1, &o.out, &must);
	assert_int_equal(o.action, XDP_REDIRECT);
	assert_same_frame(&o.out, &must);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.verdicts, 0);
	r = world_recipe(6, IPPROTO_TCP, WORLD_NO_EGRESS);
	assert_verdict(*state, &r, SHUNT_DROP_NO_EGRESS, XDP_DROP);
}

static void without_a_backend_the_service_decides_and_counts(void **state)
{
	static const struct {
		enum world_kind kind;
		enum shunt_verdict verdict;
		int action;
	} rows[] = {
		{WORLD_EMPTY_DROP, SHUNT_DROP_NO_BACKEND, XDP_DROP},
		{WORLD_EMPTY_PASS, SHUNT_PASS_NO_BACKEND, XDP_PASS},
		{WORLD_UNUSABLE, SHUNT_DROP_NO_BACKEND, XDP_DROP},
	};
	struct outcome o;
	struct frame in;

	for (size_t i = 0; i < 4 * sizeof(rows) / sizeof(*rows); i++) {
		struct recipe r =
			world_recipe(families[i / 2 % 2], protos[i % 2], rows[i / 4].kind);

		r.tcp_flags = TCP_FLAG_SYN;
		assert_verdict(*state, &r, rows[i / 4].verdict, rows[i / 4].action);
		frame_build(&r, &in);
		fixture_run(*state, &in, &o);
		assert_int_equal(o.rows, 1);
		assert_int_equal(o.row, world_row(r.family, r.proto, rows[i / 4].kind));
		assert_int_equal(o.packets, 1);
		assert_int_equal(o.bytes, in.l3_len);
		assert_int_equal(o.flows, 0);
		assert_same_frame(&o.out, &in);
	}
}

static void tables_that_point_at_nothing_have_their_verdict(void **state)
{
	struct fixture *f = *state;
	struct recipe r;

	for (enum world_kind kind = WORLD_BAD_METHOD; kind <= WORLD_BAD_ROW; kind++) {
		r = world_recipe(4, IPPROTO_TCP, kind);
		assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE, XDP_DROP);
	}
	for (int i = 0; i < 2; i++) {
		r = world_recipe(families[i], IPPROTO_UDP, WORLD_DSR);
		f->ctl->v4[0].entries_at += 1u << 24;
		f->ctl->v6[0].entries_at += 1u << 24;
		assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE, XDP_DROP);
		f->ctl->v4[0].seeds_at += 1u << 24;
		f->ctl->v6[0].seeds_at += 1u << 24;
		assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE, XDP_DROP);
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_method_writes_what_its_row_says),
		TEST(ipv4_options_travel_along),
		TEST(ipv6_extension_headers_travel_along),
		TEST(padding_stays_and_a_longer_tail_goes),
		TEST(what_the_path_does_not_take_is_too_big),
		TEST(a_hop_is_taken_and_the_checksum_right_for_every_sum),
		TEST(the_last_hop_is_not_taken),
		TEST(a_syn_is_counted_as_a_flow),
		TEST(the_way_out_is_the_backends),
		TEST(without_a_backend_the_service_decides_and_counts),
		TEST(tables_that_point_at_nothing_have_their_verdict),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
