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
	assert_int_equal(*action,
			 what == SHUNT_DECAP_BAD || what == SHUNT_DECAP_ECN ? XDP_DROP : XDP_PASS);
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

/* The inner frame behind an outer IPv4 header of @proto and @shim; the inner packet stands at the end. */
static void wrap(uint8_t family, uint8_t proto, const uint8_t *shim, size_t len,
		 struct frame *inner, struct frame *out)
{
	struct recipe r = world_recipe(family, IPPROTO_TCP, WORLD_GUE4), outer = r;
	struct shunt_decap_addr addr;

	frame_build(&r, inner);
	local_addr(WORLD_GUE4, &addr);
	outer.family = 4;
	memcpy(outer.dst, addr.addr, 4);
	*out = (struct frame){0};
	frame_put_l2(out, &outer, 4);
	out->l3 = out->len;
	frame_put_ip(out, &outer, proto, len + inner->l3_len);
	frame_put(out, shim, len);
	if (proto == IPPROTO_UDP)
		put16(out->bytes + out->len - len + 4, (uint16_t)(len + inner->l3_len));
	frame_put(out, inner->bytes + inner->l3, inner->l3_len);
}

/* UDP and GUE's first four bytes, or GRE's, and what must become of the packet; @len with what is
 * behind these four. */
static const struct shim_row {
	const char *says;
	uint8_t family, proto;
	uint16_t port; /* of UDP */
	uint8_t head[4];
	uint8_t len;
	enum shunt_decap_count count;
} shim_rows[] = {
	{"GUE", 4, 17, 6080, {0, 4}, 12, SHUNT_DECAP_DECAPPED},
	{"GUE with private data", 6, 17, 6080, {3, 41}, 24, SHUNT_DECAP_DECAPPED},
	{"GUE with most of it", 4, 17, 6080, {31, 4}, 136, SHUNT_DECAP_DECAPPED},
	{"GUE variant 1", 4, 17, 6080, {0}, 8, SHUNT_DECAP_DECAPPED},
	{"GUE variant 1, IPv6", 6, 17, 6080, {0}, 8, SHUNT_DECAP_DECAPPED},
	{"another port", 4, 17, 6081, {0, 4}, 12, SHUNT_DECAP_PASSED},
	{"GUE variant 2", 4, 17, 6080, {0x80, 4}, 12, SHUNT_DECAP_PASSED},
	{"GUE variant 3", 4, 17, 6080, {0xc0, 4}, 12, SHUNT_DECAP_PASSED},
	{"GUE control", 4, 17, 6080, {0x20, 4}, 12, SHUNT_DECAP_PASSED},
	{"GUE with flags", 4, 17, 6080, {0, 4, 0x80, 0}, 12, SHUNT_DECAP_PASSED},
	{"GUE with other flags", 4, 17, 6080, {0, 4, 0, 1}, 12, SHUNT_DECAP_PASSED},
	{"GUE with nothing", 4, 17, 6080, {0, 59}, 12, SHUNT_DECAP_PASSED},
	{"GUE with the other family", 4, 17, 6080, {0, 41}, 12, SHUNT_DECAP_BAD},
	{"GUE without its private data", 4, 17, 6080, {1, 4}, 12, SHUNT_DECAP_BAD},
	{"GRE", 4, 47, 0, {0, 0, 8, 0}, 4, SHUNT_DECAP_DECAPPED},
	{"GRE with checksum", 6, 47, 0, {0x80, 0, 0x86, 0xdd}, 8, SHUNT_DECAP_DECAPPED},
	{"GRE with key", 4, 47, 0, {0x20, 0, 8, 0}, 8, SHUNT_DECAP_DECAPPED},
	{"GRE with number", 4, 47, 0, {0x10, 0, 8, 0}, 8, SHUNT_DECAP_DECAPPED},
	{"GRE with all", 6, 47, 0, {0xb0, 0, 0x86, 0xdd}, 16, SHUNT_DECAP_DECAPPED},
	{"GRE with reserved bits", 4, 47, 0, {0x03, 0xf8, 8, 0}, 4, SHUNT_DECAP_DECAPPED},
	{"GRE with routing", 4, 47, 0, {0x40, 0, 8, 0}, 4, SHUNT_DECAP_PASSED},
	{"GRE with strict routing", 4, 47, 0, {0x08, 0, 8, 0}, 4, SHUNT_DECAP_PASSED},
	{"GRE with bit 5", 4, 47, 0, {0x04, 0, 8, 0}, 4, SHUNT_DECAP_PASSED},
	{"GRE version 1", 4, 47, 0, {0, 1, 8, 0}, 4, SHUNT_DECAP_PASSED},
	{"GRE with Ethernet", 4, 47, 0, {0, 0, 0x65, 0x58}, 4, SHUNT_DECAP_PASSED},
	{"GRE with the other family", 4, 47, 0, {0, 0, 0x86, 0xdd}, 4, SHUNT_DECAP_BAD},
	{"GRE without its key", 6, 47, 0, {0x20, 0, 0x86, 0xdd}, 4, SHUNT_DECAP_BAD},
};

static void every_kind_of_shim_has_its_end(void **state)
{
	struct frame inner, in, out;
	int action;

	(void)state;
	listen_on(WORLD_GUE4, true);
	for (size_t i = 0; i < sizeof(shim_rows) / sizeof(*shim_rows); i++) {
		const struct shim_row *row = &shim_rows[i];
		size_t head = row->proto == IPPROTO_UDP ? 8 : 0;
		uint8_t shim[160] = {0};

		if (head)
			put16(shim + 2, row->port);
		if (row->len > head)
			memcpy(shim + head, row->head, 4);
		wrap(row->family, row->proto, shim, row->len, &inner, &in);
		if (take_off(&in, &out, &action) != row->count)
			fail_msg("%s: action %d", row->says, action);
		if (row->count == SHUNT_DECAP_PASSED)
			assert_untouched(&in);
		if (row->count != SHUNT_DECAP_DECAPPED)
			continue;
		assert_int_equal(out.len, 14 + inner.l3_len);
		assert_int_equal(get16(out.bytes + 12), row->family == 4 ? 0x0800 : 0x86dd);
		assert_memory_equal(out.bytes + 14, inner.bytes + inner.l3, inner.l3_len);
		for (size_t cut = 14; cut < in.len; cut++) {
			struct frame less = in;

			less.len = cut;
			assert_int_not_equal(take_off(&less, &out, &action), SHUNT_DECAP_DECAPPED);
		}
	}
}

/* UDP's length is the bound of what is inside, and bounded itself. */
static void a_gue_packet_ends_where_udp_says(void **state)
{
	static const uint8_t shim[12] = {0xc0, 0, 6080 >> 8, 6080 & 0xff, [9] = 4};
	struct frame inner, in, out;
	uint16_t len;
	int action;

	(void)state;
	listen_on(WORLD_GUE4, true);
	wrap(4, IPPROTO_UDP, shim, sizeof(shim), &inner, &in);
	len = get16(in.bytes + 38);
	for (uint16_t is = 0; is < len + 20; is++) {
		put16(in.bytes + 38, is);
		assert_int_equal(take_off(&in, &out, &action),
				 is == len ? SHUNT_DECAP_DECAPPED : SHUNT_DECAP_BAD);
	}
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
		TEST(every_kind_of_shim_has_its_end),
		TEST(a_gue_packet_ends_where_udp_says),
		TEST(what_contradicts_itself_is_dropped),
		TEST(a_tunnel_packet_cut_at_any_length_is_not_taken_off),
	};

	return cmocka_run_group_tests(tests, open_both, close_both);
}
