/* SPDX-License-Identifier: BSD-2-Clause */
/* What leaves the packet path: every forwarding method over every family, with the bytes compared
 * against frames built independently and the counters against what must have been counted. */
#include "fixture.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

#define MIN_FRAME 60

static const uint8_t families[] = {4, 6};
static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

static uint64_t flow_hash(const struct fixture *f, const struct recipe *r)
{
	uint32_t src[4], dst[4], ports;

	memcpy(src, r->src, 16);
	memcpy(dst, r->dst, 16);
	ports = htons(r->sport) | (uint32_t)htons(r->dport) << 16;
	return r->family == 4 ? hashkey_flow4(f->hash_key, src[0], dst[0], ports)
			      : hashkey_flow6(f->hash_key, src, dst, ports);
}

static bool is_tunnel(enum world_kind kind)
{
	return kind >= WORLD_IPIP4 && kind <= WORLD_IPIP6_TAG;
}

static uint8_t outer_family(enum world_kind kind)
{
	if (kind == WORLD_IPIP4 || kind == WORLD_IPIP4_TAGS)
		return 4;
	return kind == WORLD_IPIP6 || kind == WORLD_IPIP6_TAG ? 6 : 0;
}

static uint8_t tags_out(enum world_kind kind)
{
	if (kind == WORLD_DSR_TAGS || kind == WORLD_IPIP4_TAGS)
		return 2;
	return kind == WORLD_DSR_TAG || kind == WORLD_IPIP6_TAG ? 1 : 0;
}

/* The frame that must leave, for the backend number @number of the kind. */
static void expect(const struct fixture *f, const struct recipe *r, enum world_kind kind,
		   const struct frame *in, uint8_t number, struct frame *out)
{
	struct recipe way = {
		.family = outer_family(kind),
		.smac = {2, 0x5c, 0, 0, (uint8_t)kind, 1},
		.dmac = {2, 0xbe, 0, 0, (uint8_t)kind, number},
		.tags = tags_out(kind),
		.tci = {0x2064, 0x4065},
		.tos = r->tos,
		.ttl = 64,
		.frag = 0x4000,
	};
	size_t tail = in->len - in->l3 - in->l3_len;

	*out = (struct frame){0};
	frame_put_l2(out, &way, is_tunnel(kind) ? way.family : r->family);
	if (way.family == 4) {
		memcpy(way.src, (uint8_t[]){10, 255, 254, 253}, 4);
		memcpy(way.dst, (uint8_t[]){10, 0, (uint8_t)kind, number}, 4);
	} else {
		memcpy(way.src, (uint8_t[]){0xfd, 2, [6] = 0xcd, [15] = 9}, 16);
		memcpy(way.dst, (uint8_t[]){0xfd, 1, [7] = 0xab, [15] = number}, 16);
	}
	out->l3 = out->len;
	if (is_tunnel(kind))
		frame_put_ip(out, &way, r->family == 4 ? 4 : 41, in->l3_len);
	if (way.family == 6)
		put32(out->bytes + out->l3,
		      6u << 28 | (uint32_t)r->tos << 20 | (uint32_t)(flow_hash(f, r) >> 44));
	frame_put(out, in->bytes + in->l3, in->l3_len + (in->len <= MIN_FRAME ? tail : 0));
	if (kind == WORLD_LOCAL)
		*out = *in;
}

static void assert_same_frame(const struct frame *is, const struct frame *must)
{
	assert_int_equal(is->len, must->len);
	assert_memory_equal(is->bytes, must->bytes, must->len);
}

static void assert_forwarded(struct fixture *f, const struct recipe *r, enum world_kind kind)
{
	struct frame in, must;
	struct outcome o;
	int action = kind == WORLD_LOCAL ? XDP_PASS : XDP_TX;

	frame_build(r, &in);
	expect(f, r, kind, &in, 1, &must);
	fixture_run_poisoned(f, &in, &o);
	assert_int_equal(o.action, action);
	assert_same_frame(&o.out, &must);
	fixture_run(f, &in, &o);
	assert_int_equal(o.action, action);
	assert_same_frame(&o.out, &must);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.rows, 1);
	assert_int_equal(o.row, world_row(r->family, r->proto, kind) + 1);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.bytes, in.l3_len);
}

static void assert_verdict(struct fixture *f, const struct recipe *r, enum shunt_verdict verdict,
			   int action)
{
	struct outcome o;
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.verdict, verdict);
	assert_int_equal(o.action, action);
	if (verdict == SHUNT_PASS_NO_BACKEND || verdict == SHUNT_DROP_NO_BACKEND)
		return;
	assert_int_equal(o.rows, 0);
}

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
	for (enum world_kind kind = WORLD_DSR; kind <= WORLD_IPIP6_TAG; kind++) {
		struct recipe r = world_recipe(4, IPPROTO_UDP, kind);

		r.payload = 1;
		for (r.padding = 0; r.padding < 40; r.padding++)
			assert_forwarded(*state, &r, kind);
	}
}

/* So also every value of the outer checksum's carries. */
static void every_tos_and_length_has_a_right_header(void **state)
{
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);

	for (int tos = 0; tos < 256; tos++) {
		r.tos = (uint8_t)tos;
		r.payload = (uint16_t)(tos * 5);
		r.sport = (uint16_t)(tos * 257);
		assert_forwarded(*state, &r, WORLD_IPIP4);
	}
	r = world_recipe(6, IPPROTO_TCP, WORLD_IPIP6);
	for (int tos = 0; tos < 256; tos++) {
		r.tos = (uint8_t)tos;
		r.sport = (uint16_t)(tos * 257);
		assert_forwarded(*state, &r, WORLD_IPIP6);
	}
}

/* Every value of one word of the header, so every way that the sum can carry. */
static void the_outer_checksum_is_right_for_every_sum(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_IPIP4);
	struct shunt_backend *be = &f->backends[world_row(4, IPPROTO_UDP, WORLD_IPIP4) + 1];
	struct outcome o;
	struct frame in;

	frame_build(&r, &in);
	be->addr[0] = 0;
	be->outer_csum -= htons(10 << 8) + htons(WORLD_IPIP4 << 8 | 1);
	for (uint32_t word = 0; word < 65536; word++) {
		memcpy((char *)be->addr + 2, &(uint16_t){(uint16_t)word}, 2);
		be->outer_csum += word;
		fixture_run(f, &in, &o);
		be->outer_csum -= word;
		assert_int_equal(o.packets, 1);
		assert_int_equal(fold16(sum16(0, o.out.bytes + 14, 20)), 0xffff);
	}
}

static uint16_t overhead(enum world_kind kind)
{
	return is_tunnel(kind) ? (outer_family(kind) == 4 ? 20 : 40) : 0;
}

static void what_the_path_does_not_take_is_too_big(void **state)
{
	for (int i = 0; i < 4; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_IPIP6_TAG; kind++) {
			struct recipe r = world_recipe(families[i / 2], protos[i % 2], kind);

			r.payload =
				(uint16_t)(WORLD_MTU - overhead(kind) - (r.family == 4 ? 20 : 40) -
					   (r.proto == IPPROTO_TCP ? 20 : 8));
			assert_forwarded(*state, &r, kind);
			r.payload++;
			assert_verdict(*state, &r, SHUNT_DROP_TOO_BIG, XDP_DROP);
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
	expect(*state, &r, WORLD_REDIRECT, &in, 1, &must);
	fixture_run(*state, &in, &o);
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

static void without_headroom_a_tunnel_is_dropped(void **state)
{
	static const enum world_kind kinds[] = {WORLD_IPIP4, WORLD_IPIP6, WORLD_DSR_TAG};
	struct outcome o;
	struct frame in;

	for (size_t i = 0; i < 3; i++) {
		struct recipe r = world_recipe(4, IPPROTO_TCP, kinds[i]);

		frame_build(&r, &in);
		if (!fixture_run_cramped(*state, &in, &o))
			skip(); /* the kernel takes no more than 32 bytes of metadata */
		assert_int_equal(o.action, XDP_DROP);
		assert_int_equal(o.verdicts, 1);
		assert_int_equal(o.verdict, SHUNT_DROP_NO_HEADROOM);
		assert_int_equal(o.rows, 0);
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
		TEST(every_tos_and_length_has_a_right_header),
		TEST(the_outer_checksum_is_right_for_every_sum),
		TEST(what_the_path_does_not_take_is_too_big),
		TEST(a_syn_is_counted_as_a_flow),
		TEST(the_way_out_is_the_backends),
		TEST(without_a_backend_the_service_decides_and_counts),
		TEST(tables_that_point_at_nothing_have_their_verdict),
		TEST(without_headroom_a_tunnel_is_dropped),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
