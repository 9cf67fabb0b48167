/* SPDX-License-Identifier: BSD-2-Clause */
/* The backend's half of the tunnel: what the packet path puts on, decap takes off; what is not for
 * it passes as it came; what is broken is dropped. */
#include "fixture.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "decap.skel.h"
#include "shunt_decap.h"

static struct decap_bpf *decap;

static const uint8_t families[] = {4, 6};
static const enum world_kind tunnels[] = {
	WORLD_IPIP4,	 WORLD_IPIP4_TAGS, WORLD_IPIP6,	   WORLD_IPIP6_TAG, WORLD_SPREAD4,
	WORLD_GRE4,	 WORLD_GRE4_TAG,   WORLD_GRE6,	   WORLD_GRE6_TAGS, WORLD_GUE4,
	WORLD_GUE4_TAGS, WORLD_GUE6,	   WORLD_GUE6_TAG, WORLD_GUE6_ZERO,
};
#define N_TUNNELS (sizeof(tunnels) / sizeof(*tunnels))

static void local_addr(enum world_kind kind, struct shunt_decap_addr *out)
{
	bool v6 = world_way(kind)->family == 6;

	*out = (struct shunt_decap_addr){.family = v6 ? 6 : 4};
	if (v6)
		memcpy(out->addr, (uint8_t[]){0xfd, 1, [7] = 0xab, [15] = 1}, 16);
	else
		memcpy(out->addr, (uint8_t[]){10, 0, (uint8_t)kind, 1}, 4);
}

static void listen_on(enum world_kind kind, bool yes)
{
	int fd = bpf_map__fd(decap->maps.decap_local);
	struct shunt_decap_addr addr;
	uint32_t one = 1;

	local_addr(kind, &addr);
	if (yes)
		assert_int_equal(bpf_map_update_elem(fd, &addr, &one, BPF_ANY), 0);
	else
		bpf_map_delete_elem(fd, &addr);
}

static uint64_t counted(enum shunt_decap_count count)
{
	uint64_t per_cpu[1024] = {0}, sum = 0;
	uint32_t key = count;

	assert_int_equal(
		bpf_map_lookup_elem(bpf_map__fd(decap->maps.decap_counters), &key, per_cpu), 0);
	for (int i = 0; i < 1024; i++)
		sum += per_cpu[i];
	return sum;
}

/* Runs the frame; returns what was counted, by exactly one. */
static enum shunt_decap_count take_off(const struct frame *in, struct frame *out, int *action)
{
	uint64_t before[SHUNT_DECAP_COUNT_MAX];
	enum shunt_decap_count what = SHUNT_DECAP_COUNT_MAX;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes,
		    .data_size_in = (uint32_t)in->len, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes));

	for (int i = 0; i < SHUNT_DECAP_COUNT_MAX; i++)
		before[i] = counted(i);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(decap->progs.shunt_decap), &opts),
			 0);
	for (int i = 0; i < SHUNT_DECAP_COUNT_MAX; i++) {
		if (counted(i) == before[i])
			continue;
		assert_int_equal(what, SHUNT_DECAP_COUNT_MAX);
		assert_int_equal(counted(i), before[i] + 1);
		what = i;
	}
	out->len = opts.data_size_out;
	*action = (int)opts.retval;
	assert_int_equal(*action, what == SHUNT_DECAP_BAD ? XDP_DROP : XDP_PASS);
	return what;
}

static void assert_untouched(const struct frame *in)
{
	struct frame out;
	int action;

	assert_int_equal(take_off(in, &out, &action), SHUNT_DECAP_PASSED);
	assert_int_equal(out.len, in->len);
	assert_memory_equal(out.bytes, in->bytes, in->len);
}

static void assert_bad(const struct frame *in)
{
	struct frame out;
	int action;

	assert_int_equal(take_off(in, &out, &action), SHUNT_DECAP_BAD);
}

static uint8_t tags_of(enum world_kind kind)
{
	return world_way(kind)->tags;
}

/* What a router does to the packet on the way. */
static void take_hop(struct frame *f)
{
	uint8_t *ip = f->bytes + f->l3;

	if (ip[0] >> 4 == 6) {
		ip[7]--;
		return;
	}
	ip[8]--;
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, 4u * (ip[0] & 15))));
}

/* The recipe's frame in the tunnel of its kind, as the packet path makes it. */
static void tunnelled(struct fixture *f, const struct recipe *r, enum world_kind kind,
		      struct frame *inner, struct frame *out)
{
	struct outcome o;

	frame_build(r, inner);
	fixture_run(f, inner, &o);
	assert_int_equal(o.action, XDP_TX);
	take_hop(inner);
	*out = o.out;
	out->l3 = 14 + 4u * tags_of(kind);
}

static void assert_round_trip(struct fixture *f, const struct recipe *r, enum world_kind kind)
{
	struct frame inner, in, out;
	size_t l2 = 14 + 4u * tags_of(kind), l3;
	int action;

	tunnelled(f, r, kind, &inner, &in);
	/* the padding of a frame of the least length travels along */
	l3 = inner.len <= 60 ? inner.len - inner.l3 : inner.l3_len;
	assert_int_equal(take_off(&in, &out, &action), SHUNT_DECAP_DECAPPED);
	assert_int_equal(out.len, l2 + l3);
	assert_memory_equal(out.bytes, in.bytes, l2 - 2);
	assert_int_equal(get16(out.bytes + l2 - 2), r->family == 4 ? 0x0800 : 0x86dd);
	assert_memory_equal(out.bytes + l2, inner.bytes + inner.l3, l3);
}

static void what_is_put_on_comes_off(void **state)
{
	for (size_t i = 0; i < 4 * N_TUNNELS; i++) {
		enum world_kind kind = tunnels[i / 4];
		struct recipe r =
			world_recipe(families[i % 2], i / 2 % 2 ? IPPROTO_UDP : IPPROTO_TCP, kind);

		listen_on(kind, true);
		for (r.tags = 0; r.tags <= 2; r.tags++)
			assert_round_trip(*state, &r, kind);
		r.tags = 0;
		r.option_words = 5;
		assert_round_trip(*state, &r, kind);
		r.option_words = 0;
		for (r.payload = 0; r.payload < 12; r.payload++)
			assert_round_trip(*state, &r, kind);
		r.padding = 3;
		assert_round_trip(*state, &r, kind);
		r.payload = 0;
		assert_round_trip(*state, &r, kind);
	}
}

static void without_an_address_all_passes_untouched(void **state)
{
	struct frame inner, in;

	for (size_t i = 0; i < 2 * N_TUNNELS; i++) {
		struct recipe r = world_recipe(families[i % 2], IPPROTO_TCP, tunnels[i / 2]);

		tunnelled(*state, &r, tunnels[i / 2], &inner, &in);
		assert_untouched(&in);
		assert_untouched(&inner);
		listen_on(WORLD_DSR, true); /* another address */
		assert_untouched(&in);
		listen_on(WORLD_DSR, false);
	}
}

static void what_is_no_tunnel_passes_untouched(void **state)
{
	struct shunt_decap_addr addr;
	struct frame in;

	(void)state;
	for (size_t i = 0; i < N_TUNNELS; i++) {
		struct recipe r = world_recipe(i / 2 ? 6 : 4, IPPROTO_TCP, tunnels[i]);

		listen_on(tunnels[i], true);
		local_addr(tunnels[i], &addr);
		memcpy(r.dst, addr.addr, 16);
		for (r.tags = 0; r.tags <= 2; r.tags++) {
			frame_build(&r, &in);
			assert_untouched(&in);
		}
		put16(in.bytes + 12, 0x0806);
		assert_untouched(&in);
	}
}

static void outer_options_come_off_too(void **state)
{
	struct recipe outer = world_recipe(4, 4, WORLD_IPIP4), r = outer;
	struct frame inner, in = {0}, out;
	struct shunt_decap_addr addr;
	int action;

	(void)state;
	r.proto = IPPROTO_TCP;
	frame_build(&r, &inner);
	listen_on(WORLD_IPIP4, true);
	local_addr(WORLD_IPIP4, &addr);
	memcpy(outer.dst, addr.addr, 4);
	outer.option_words = 10;
	frame_put_l2(&in, &outer, 4);
	frame_put_ip(&in, &outer, 4, inner.l3_len);
	frame_put(&in, inner.bytes + inner.l3, inner.l3_len);
	assert_int_equal(take_off(&in, &out, &action), SHUNT_DECAP_DECAPPED);
	assert_int_equal(out.len, inner.len);
	assert_memory_equal(out.bytes + 14, inner.bytes + 14, inner.len - 14);
}

/* They may be anybody's: without the first one nobody knows. */
static void fragments_of_udp_and_gre_pass_untouched(void **state)
{
	static const enum world_kind kinds[] = {WORLD_GUE4, WORLD_GRE4};
	struct frame inner, in;

	for (size_t i = 0; i < 4; i++) {
		struct recipe r = world_recipe(families[i / 2], IPPROTO_TCP, kinds[i % 2]);

		listen_on(kinds[i % 2], true);
		tunnelled(*state, &r, kinds[i % 2], &inner, &in);
		put16(in.bytes + in.l3 + 6, 0x2000);
		assert_untouched(&in);
		put16(in.bytes + in.l3 + 6, 0x0010);
		assert_untouched(&in);
	}
}

static void what_contradicts_itself_is_dropped(void **state)
{
	static const struct {
		const char *says;
		enum world_kind kind;
		uint8_t family;
		uint8_t at; /* from the outer header on */
		uint16_t value;
	} rows[] = {
		{"IHL of 4", WORLD_IPIP4, 4, 0, 0x442a},
		{"IHL beyond the packet", WORLD_IPIP4_TAGS, 6, 0, 0x4f2a},
		{"outer longer than the frame", WORLD_IPIP4, 4, 2, 94},
		{"outer shorter than its header", WORLD_IPIP4, 4, 2, 19},
		{"outer shorter than the inner", WORLD_IPIP4, 4, 2, 92},
		{"outer without an inner", WORLD_IPIP4, 6, 2, 20},
		{"more fragments", WORLD_IPIP4, 4, 6, 0x2000},
		{"last fragment", WORLD_IPIP4, 6, 6, 0x0010},
		{"IPv4 said, IPv6 inside", WORLD_IPIP4, 6, 8, 0x4004},
		{"IPv6 said, IPv4 inside", WORLD_IPIP4, 4, 8, 0x4029},
		{"inner longer than the outer", WORLD_IPIP4, 4, 22, 74},
		{"inner version 5", WORLD_IPIP4, 4, 20, 0x552a},
		{"inner shorter than a header", WORLD_IPIP4, 4, 22, 19},
		{"inner longer, IPv6", WORLD_IPIP4, 6, 24, 54},
		{"outer IPv6 longer than the frame", WORLD_IPIP6, 4, 4, 74},
		{"outer IPv6 shorter than the inner", WORLD_IPIP6, 6, 4, 92},
		{"IPv6 in IPv6 said, IPv4 inside", WORLD_IPIP6_TAG, 4, 6, 0x2940},
		{"IPv4 in IPv6 said, IPv6 inside", WORLD_IPIP6, 6, 6, 0x0440},
	};
	struct frame inner, in;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct recipe r = world_recipe(rows[i].family, IPPROTO_TCP, rows[i].kind);

		listen_on(rows[i].kind, true);
		tunnelled(*state, &r, rows[i].kind, &inner, &in);
		put16(in.bytes + in.l3 + rows[i].at, rows[i].value);
		if (rows[i].at == 0 && (rows[i].value >> 8 & 0xf) > 5)
			put16(in.bytes + in.l3 + 2, 59); /* an IHL of 15 must not fit */
		assert_bad(&in);
	}
}

static void a_tunnel_packet_cut_at_any_length_is_not_taken_off(void **state)
{
	for (size_t i = 0; i < 2 * N_TUNNELS; i++) {
		enum world_kind kind = tunnels[i / 2];
		struct recipe r = world_recipe(families[i % 2], IPPROTO_UDP, kind);
		struct frame inner, in, out;
		size_t outer_len, len;
		int action;

		listen_on(kind, true);
		tunnelled(*state, &r, kind, &inner, &in);
		outer_len = world_way(kind)->family == 4 ? 20 : 40;
		len = in.len;
		for (in.len = 14; in.len < len; in.len++)
			assert_int_equal(take_off(&in, &out, &action), in.len < in.l3 + outer_len
									       ? SHUNT_DECAP_PASSED
									       : SHUNT_DECAP_BAD);
	}
}

static int open_both(void **state)
{
	decap = decap_bpf__open_and_load();
	assert_non_null(decap);
	return fixture_open(state);
}

static int close_both(void **state)
{
	decap_bpf__destroy(decap);
	return fixture_close(state);
}

static int reset_both(void **state)
{
	for (size_t i = 0; i < N_TUNNELS; i++)
		listen_on(tunnels[i], false);
	return fixture_reset(state);
}

#define TEST(name) cmocka_unit_test_setup(name, reset_both)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_on_comes_off),
		TEST(without_an_address_all_passes_untouched),
		TEST(what_is_no_tunnel_passes_untouched),
		TEST(outer_options_come_off_too),
		TEST(fragments_of_udp_and_gre_pass_untouched),
		TEST(what_contradicts_itself_is_dropped),
		TEST(a_tunnel_packet_cut_at_any_length_is_not_taken_off),
	};

	return cmocka_run_group_tests(tests, open_both, close_both);
}
