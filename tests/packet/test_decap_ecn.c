/* SPDX-License-Identifier: BSD-2-Clause */
/* What decap makes of the outer header beside taking it off: congestion marks, counters of sources, and
 * whose tunnels it takes at all. Every tunnel is built by hand. */
#include "fixture_frame.h"

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
enum { IPIP, GUE, GRE, KINDS };

/* ---- frames -------------------------------------------------------------------------------------*/

static struct recipe inner_recipe(uint8_t family, uint8_t tos)
{
	return (struct recipe){
		.family = family,
		.proto = IPPROTO_UDP,
		.src = {0x20, 1, 0xd, 0xb8, [15] = 9},
		.dst = {0x20, 1, 0xd, 0xb9, [15] = 10},
		.sport = 4000,
		.dport = 7000,
		.dmac = {2, [5] = 1},
		.smac = {2, [5] = 2},
		.tos = tos,
		.ttl = 17,
		.payload = 101,
	};
}

/* Our address of the family. */
static void our_address(uint8_t family, uint8_t out[static 16])
{
	memcpy(out, (uint8_t[16]){10, 0, 0, 7}, 16);
	if (family == 6)
		memcpy(out, (uint8_t[16]){0xfd, 7, [15] = 7}, 16);
}

/* @inner's packet in a tunnel of that kind from @source, marked with @tos. */
static void wrap(const struct frame *inner, uint8_t inner_family, int kind, uint8_t family,
		 const uint8_t source[static 16], uint8_t tos, struct frame *out)
{
	struct recipe outer = inner_recipe(family, tos);
	uint8_t protos[] = {inner_family == 4 ? 4 : 41, IPPROTO_UDP, IPPROTO_GRE};
	uint8_t shim[12] = {0xc0, 1, 6080 >> 8, 6080 & 0xff, [9] = protos[IPIP]};
	size_t len = kind == GUE ? 12 : kind == GRE ? 4 : 0;

	if (kind == GUE)
		put16(shim + 4, (uint16_t)(len + inner->l3_len));
	if (kind == GRE)
		put32(shim, inner_family == 4 ? 0x0800 : 0x86dd);
	our_address(family, outer.dst);
	memcpy(outer.src, source, 16);
	*out = (struct frame){0};
	frame_put_l2(out, &outer, family);
	frame_put_ip(out, &outer, protos[kind], len + inner->l3_len);
	frame_put(out, shim, len);
	frame_put(out, inner->bytes + inner->l3, inner->l3_len);
}

/* Runs the frame; returns the action. */
static uint32_t run_uncounted(const struct frame *in, struct frame *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes,
		    .data_size_in = (uint32_t)in->len, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(decap->progs.shunt_decap), &opts),
			 0);
	out->len = opts.data_size_out;
	return opts.retval;
}

/* Runs the frame; returns what was counted. */
static enum shunt_decap_count run(const struct frame *in, struct frame *out)
{
	int fd = bpf_map__fd(decap->maps.decap_counters);
	uint64_t zero[1024] = {0}, now[1024] = {0};
	enum shunt_decap_count what = SHUNT_DECAP_COUNT_MAX;
	uint32_t action;

	for (uint32_t i = 0; i < SHUNT_DECAP_COUNT_MAX; i++)
		bpf_map_update_elem(fd, &i, zero, BPF_ANY);
	action = run_uncounted(in, out);
	for (uint32_t i = 0; i < SHUNT_DECAP_COUNT_MAX; i++) {
		uint64_t sum = 0;

		assert_int_equal(bpf_map_lookup_elem(fd, &i, now), 0);
		for (int cpu = 0; cpu < 1024; cpu++)
			sum += now[cpu];
		assert_true(sum <= 1 && (sum == 0 || what == SHUNT_DECAP_COUNT_MAX));
		what = sum ? i : what;
	}
	assert_int_equal(action,
			 what == SHUNT_DECAP_BAD || what == SHUNT_DECAP_ECN ? XDP_DROP : XDP_PASS);
	return what;
}

static const uint8_t source4[16] = {10, 0, 0, 2};
static const uint8_t source6[16] = {0xfd, 7, [15] = 2};

static const uint8_t *source_of(uint8_t family)
{
	return family == 4 ? source4 : source6;
}

/* ---- ECN ----------------------------------------------------------------------------------------*/

/* RFC 6040, figure 4. Codepoints: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
#define DROP 9
static const struct {
	uint8_t inner, outer, out;
} ecn_rows[] = {
	{0, 0, 0}, {0, 2, 0}, {0, 1, 0}, {0, 3, DROP}, /* Not-ECT inside */
	{2, 0, 2}, {2, 2, 2}, {2, 1, 1}, {2, 3, 3}, /* ECT(0) */
	{1, 0, 1}, {1, 2, 1}, {1, 1, 1}, {1, 3, 3}, /* ECT(1) */
	{3, 0, 3}, {3, 2, 3}, {3, 1, 3}, {3, 3, 3}, /* CE */
};

static void assert_marked(uint8_t inner_family, int kind, uint8_t family, size_t row)
{
	/* the two headers' DSCPs differ, and the outer one's does not matter */
	struct recipe r = inner_recipe(inner_family, 0xa8 | ecn_rows[row].inner);
	struct frame inner, in, out, wanted;
	enum shunt_decap_count what;

	frame_build(&r, &inner);
	wrap(&inner, inner_family, kind, family, source_of(family), 0x54 | ecn_rows[row].outer,
	     &in);
	what = run(&in, &out);
	if (ecn_rows[row].out == DROP) {
		assert_int_equal(what, SHUNT_DECAP_ECN);
		return;
	}
	assert_int_equal(what, SHUNT_DECAP_DECAPPED);
	r.tos = 0xa8 | ecn_rows[row].out;
	frame_build(&r, &wanted);
	assert_int_equal(out.len, wanted.len);
	assert_memory_equal(out.bytes, wanted.bytes, wanted.len);
}

static void marks_come_through_as_rfc_6040_has_it(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof(ecn_rows) / sizeof(*ecn_rows); row++)
		for (int kind = 0; kind < KINDS; kind++)
			for (int i = 0; i < 4; i++)
				assert_marked(families[i / 2], kind, families[i % 2], row);
}

/* Every value that the header's sum can have where the mark changes it. */
static void the_inner_checksum_is_right_after_a_mark(void **state)
{
	struct recipe r = inner_recipe(4, 2);
	struct frame inner, in, out;

	(void)state;
	frame_build(&r, &inner);
	for (uint32_t id = 0; id < 65536; id++) {
		uint8_t *ip = inner.bytes + inner.l3;

		put16(ip + 4, (uint16_t)id);
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, 20)));
		wrap(&inner, 4, IPIP, 4, source4, 3, &in);
		assert_int_equal(run_uncounted(&in, &out), XDP_PASS);
		assert_int_equal(out.bytes[15] & 3, 3);
		assert_int_equal(fold16(sum16(0, out.bytes + 14, 20)), 0xffff);
	}
}

/* ---- sources ------------------------------------------------------------------------------------*/

static struct shunt_decap_traffic traffic_of(uint8_t family, const uint8_t source[static 16])
{
	struct shunt_decap_addr key = {.family = family};
	struct shunt_decap_traffic per_cpu[1024] = {0}, sum = {0};

	memcpy(key.addr, source, family == 4 ? 4 : 16);
	bpf_map_lookup_elem(bpf_map__fd(decap->maps.decap_sources), &key, per_cpu);
	for (int cpu = 0; cpu < 1024; cpu++) {
		sum.packets += per_cpu[cpu].packets;
		sum.bytes += per_cpu[cpu].bytes;
	}
	return sum;
}

/* A tunnel packet from there; what it was counted as. */
static enum shunt_decap_count send_from(uint8_t family, const uint8_t source[static 16],
					struct frame *in)
{
	struct recipe r = inner_recipe(4, 0);
	struct frame inner, out;

	frame_build(&r, &inner);
	wrap(&inner, 4, GRE, family, source, 0, in);
	return run(in, &out);
}

static void every_source_has_a_counter(void **state)
{
	uint64_t packets[2] = {0};
	struct frame in;

	(void)state;
	for (int i = 0; i < 30; i++) {
		uint8_t family = families[i % 3 > 0];
		struct shunt_decap_traffic now;

		assert_int_equal(send_from(family, source_of(family), &in), SHUNT_DECAP_DECAPPED);
		packets[i % 3 > 0]++;
		now = traffic_of(family, source_of(family));
		assert_int_equal(now.packets, packets[i % 3 > 0]);
		assert_int_equal(now.bytes, now.packets * (in.len - 14));
	}
	assert_int_equal(traffic_of(4, source4).packets, 10);
	assert_int_equal(traffic_of(6, source6).packets, 20);
	assert_int_equal(traffic_of(4, (uint8_t[16]){10, 0, 0, 3}).packets, 0);
}

static void more_sources_than_there_is_room_for_do_no_harm(void **state)
{
	uint8_t source[16] = {10};
	unsigned int known = 0;
	struct frame in;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		source[2] = (uint8_t)(i >> 8);
		source[3] = (uint8_t)i;
		assert_int_equal(send_from(4, source, &in), SHUNT_DECAP_DECAPPED);
		assert_int_equal(traffic_of(4, source).packets, 1);
	}
	for (int i = 0; i < 5000; i++) {
		source[2] = (uint8_t)(i >> 8);
		source[3] = (uint8_t)i;
		known += traffic_of(4, source).packets == 1;
	}
	assert_in_range(known, 100, 1024);
}

/* ---- only ---------------------------------------------------------------------------------------*/

static void allow_only(bool on)
{
	uint32_t zero = 0, flags = on ? SHUNT_DECAP_ONLY : 0;

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(decap->maps.decap_flags), &zero, &flags, BPF_ANY),
		0);
}

static void allow(uint8_t family, const uint8_t first[static 16], uint32_t bits)
{
	struct shunt_decap_prefix key = {.prefixlen = SHUNT_DECAP_PREFIX_BITS + bits,
					 .family = family};
	uint32_t one = 1;

	memcpy(key.addr, first, 16);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(decap->maps.decap_only), &key, &one, BPF_ANY), 0);
}

static void assert_passed_untouched(uint8_t family, const uint8_t source[static 16])
{
	struct recipe r = inner_recipe(4, 0);
	struct frame inner, in, out;

	frame_build(&r, &inner);
	for (int kind = 0; kind < KINDS; kind++) {
		wrap(&inner, 4, kind, family, source, 0, &in);
		assert_int_equal(run(&in, &out), SHUNT_DECAP_FOREIGN);
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.bytes, in.bytes, in.len);
		in.len--; /* nor is it for us to say that it is broken */
		assert_int_equal(run(&in, &out), SHUNT_DECAP_FOREIGN);
	}
	assert_int_equal(traffic_of(family, source).packets, 0);
}

static void only_allowed_sources_are_taken_from(void **state)
{
	uint8_t v4_bytes_in_v6[16] = {10, 0, 0, 2};
	struct frame in;

	(void)state;
	allow_only(true); /* and nobody is */
	assert_passed_untouched(4, source4);
	assert_passed_untouched(6, source6);
	allow(4, (uint8_t[16]){10, 0, 0, 0}, 30);
	assert_int_equal(send_from(4, source4, &in), SHUNT_DECAP_DECAPPED);
	assert_int_equal(send_from(4, (uint8_t[16]){10, 0, 0, 3}, &in), SHUNT_DECAP_DECAPPED);
	assert_passed_untouched(4, (uint8_t[16]){10, 0, 0, 4});
	assert_passed_untouched(4, (uint8_t[16]){9, 255, 255, 255});
	assert_passed_untouched(6, source6);
	assert_passed_untouched(6, v4_bytes_in_v6);
	allow(6, (uint8_t[16]){0xfd, 7}, 126);
	assert_int_equal(send_from(6, source6, &in), SHUNT_DECAP_DECAPPED);
	assert_passed_untouched(6, (uint8_t[16]){0xfd, 7, [15] = 4});
	allow_only(false);
	assert_int_equal(send_from(4, (uint8_t[16]){10, 0, 0, 4}, &in), SHUNT_DECAP_DECAPPED);
}

/* ---- the whole ----------------------------------------------------------------------------------*/

static int begin(void **state)
{
	uint32_t one = 1;

	(void)state;
	decap = decap_bpf__open_and_load();
	assert_non_null(decap);
	for (int i = 0; i < 2; i++) {
		struct shunt_decap_addr key = {.family = families[i]};
		uint8_t addr[16];

		our_address(families[i], addr);
		memcpy(key.addr, addr, 16);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(decap->maps.decap_local), &key,
						     &one, BPF_ANY),
				 0);
	}
	return 0;
}

static int end(void **state)
{
	(void)state;
	decap_bpf__destroy(decap);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(marks_come_through_as_rfc_6040_has_it),
		TEST(the_inner_checksum_is_right_after_a_mark),
		TEST(every_source_has_a_counter),
		TEST(more_sources_than_there_is_room_for_do_no_harm),
		TEST(only_allowed_sources_are_taken_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
