/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames the packet path takes for what: row by row, cut at every length, and broken at
 * random.  What is not sound is never forwarded. */
#include "fixture.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../oracle/oracle.h"

#define GARBAGE 20000

/* The recipe to start from, then one 16-bit word set at an offset from the start of a header. */
struct row {
	const char *says;
	uint8_t family, proto;
	uint8_t tags, option_words, n_ext, ext;
	enum { L2, L3, L4 } from;
	uint16_t offset, value; /* offset 0: nothing is set, but for L2 */
	enum shunt_verdict verdict;
};

static const struct row rows[] = {
	{"ARP", 4, 6, 0, 0, 0, 0, L2, 12, 0x0806, SHUNT_PASS_NOT_IP},
	{"a length instead of a type", 4, 6, 0, 0, 0, 0, L2, 12, 0x0100, SHUNT_PASS_NOT_IP},
	{"three tags", 4, 6, 2, 0, 0, 0, L2, 20, 0x8100, SHUNT_PASS_NOT_IP},
	{"ARP behind a tag", 4, 6, 1, 0, 0, 0, L2, 16, 0x0806, SHUNT_PASS_NOT_IP},
	{"IPv6 called IPv4", 6, 6, 0, 0, 0, 0, L2, 12, 0x0800, SHUNT_DROP_BAD_IP},
	{"IPv4 called IPv6", 4, 6, 0, 0, 0, 0, L2, 12, 0x86dd, SHUNT_DROP_BAD_IP},
	{"IHL of 4 words", 4, 6, 0, 0, 0, 0, L3, 0, 0x442a, SHUNT_DROP_BAD_IP},
	{"IHL of 0", 4, 17, 0, 0, 0, 0, L3, 0, 0x402a, SHUNT_DROP_BAD_IP},
	{"version 5", 4, 6, 0, 0, 0, 0, L3, 0, 0x552a, SHUNT_DROP_BAD_IP},
	{"longer than the frame", 4, 6, 0, 0, 0, 0, L3, 2, 74, SHUNT_DROP_BAD_IP},
	{"much longer", 4, 17, 0, 0, 0, 0, L3, 2, 0xffff, SHUNT_DROP_BAD_IP},
	{"shorter than its header", 4, 6, 0, 0, 0, 0, L3, 2, 19, SHUNT_DROP_BAD_IP},
	{"shorter than its options", 4, 6, 0, 3, 0, 0, L3, 2, 31, SHUNT_DROP_BAD_IP},
	{"more fragments", 4, 6, 0, 0, 0, 0, L3, 6, 0x2000, SHUNT_PASS_FRAGMENT},
	{"last fragment", 4, 17, 0, 0, 0, 0, L3, 6, 0x0001, SHUNT_PASS_FRAGMENT},
	{"fragment behind tags", 4, 17, 2, 0, 0, 0, L3, 6, 0x3fff, SHUNT_PASS_FRAGMENT},
	{"reserved bit is no fragment", 4, 6, 0, 0, 0, 0, L3, 6, 0x8000, SHUNT_FORWARD_DSR},
	{"ICMP", 4, 6, 0, 0, 0, 0, L3, 8, 0x4001, SHUNT_PASS_ICMP},
	{"ICMPv6 in IPv4", 4, 6, 0, 0, 0, 0, L3, 8, 0x403a, SHUNT_PASS_NOT_TCP_UDP},
	{"SCTP", 4, 6, 0, 0, 0, 0, L3, 8, 0x4084, SHUNT_PASS_NOT_TCP_UDP},
	{"IPIP", 4, 6, 0, 0, 0, 0, L3, 8, 0x4004, SHUNT_PASS_NOT_TCP_UDP},
	{"another address", 4, 6, 0, 0, 0, 0, L3, 18, 0x710c, SHUNT_PASS_NOT_VIP},
	{"another port", 4, 6, 0, 0, 0, 0, L4, 2, 80, SHUNT_PASS_NOT_VIP},
	{"another port, UDP", 4, 17, 0, 0, 0, 0, L4, 2, 80, SHUNT_PASS_NOT_VIP},
	{"no room for TCP", 4, 6, 0, 0, 0, 0, L3, 2, 39, SHUNT_DROP_BAD_L4},
	{"TCP offset of 4 words", 4, 6, 0, 0, 0, 0, L4, 12, 0x4010, SHUNT_DROP_BAD_L4},
	{"TCP offset beyond the packet", 4, 6, 0, 0, 0, 0, L4, 12, 0xe010, SHUNT_DROP_BAD_L4},
	{"TCP options", 4, 6, 0, 0, 0, 0, L4, 12, 0xd010, SHUNT_FORWARD_DSR},
	{"no room for UDP", 4, 17, 0, 0, 0, 0, L3, 2, 27, SHUNT_DROP_BAD_L4},
	{"UDP length of 7", 4, 17, 0, 0, 0, 0, L4, 4, 7, SHUNT_DROP_BAD_L4},
	{"UDP length of 0", 6, 17, 0, 0, 0, 0, L4, 4, 0, SHUNT_DROP_BAD_L4},
	{"UDP longer than the packet", 4, 17, 0, 0, 0, 0, L4, 4, 42, SHUNT_DROP_BAD_L4},
	{"UDP shorter than the packet", 4, 17, 0, 0, 0, 0, L4, 4, 8, SHUNT_FORWARD_DSR},
	{"IPv6: version 4", 6, 6, 0, 0, 0, 0, L3, 0, 0x42a0, SHUNT_DROP_BAD_IP},
	{"IPv6: longer than the frame", 6, 6, 0, 0, 0, 0, L3, 4, 54, SHUNT_DROP_BAD_IP},
	{"IPv6: jumbo", 6, 6, 0, 0, 0, 0, L3, 4, 0, SHUNT_DROP_BAD_L4},
	{"ICMPv6", 6, 6, 0, 0, 0, 0, L3, 6, 0x3a40, SHUNT_PASS_ICMP},
	{"ICMP in IPv6", 6, 6, 0, 0, 0, 0, L3, 6, 0x0140, SHUNT_PASS_NOT_TCP_UDP},
	{"IPv6: no next header", 6, 6, 0, 0, 0, 0, L3, 6, 0x3b40, SHUNT_PASS_NOT_TCP_UDP},
	{"IPv6: ESP", 6, 6, 0, 0, 0, 0, L3, 6, 0x3240, SHUNT_PASS_NOT_TCP_UDP},
	{"IPv6: another address", 6, 6, 0, 0, 0, 0, L3, 38, 0x0012, SHUNT_PASS_NOT_VIP},
	{"IPv6: other upper half", 6, 6, 0, 0, 0, 0, L3, 30, 0x0001, SHUNT_PASS_NOT_VIP},
	{"IPv6: another port", 6, 17, 0, 0, 0, 0, L4, 2, 80, SHUNT_PASS_NOT_VIP},
	{"IPv6: fragment", 6, 17, 0, 0, 1, 44, L3, 0, 0, SHUNT_PASS_FRAGMENT},
	{"fragment behind options", 6, 6, 0, 0, 1, 60, L3, 40, 0x2c00, SHUNT_PASS_FRAGMENT},
	{"ICMPv6 behind options", 6, 6, 1, 0, 1, 0, L3, 40, 0x3a00, SHUNT_PASS_ICMP},
	{"six extension headers", 6, 6, 0, 0, 6, 60, L3, 0, 0, SHUNT_FORWARD_DSR},
	{"seven extension headers", 6, 6, 0, 0, 7, 60, L3, 0, 0, SHUNT_PASS_EXT_HEADERS},
	{"header beyond the packet", 6, 6, 0, 0, 1, 60, L3, 40, 0x0608, SHUNT_DROP_BAD_IP},
	{"header up to its end", 6, 6, 0, 0, 1, 60, L3, 40, 0x0606, SHUNT_DROP_BAD_L4},
	{"header and no TCP", 6, 6, 0, 0, 1, 60, L3, 4, 8, SHUNT_DROP_BAD_L4},
	{"half a header", 6, 6, 0, 0, 1, 60, L3, 4, 7, SHUNT_DROP_BAD_IP},
};

static void build_row(const struct row *row, struct frame *out)
{
	struct recipe r = world_recipe(row->family, row->proto, WORLD_DSR);
	size_t start;

	r.tags = row->tags;
	r.option_words = row->option_words;
	r.n_ext = row->n_ext;
	memset(r.ext, row->ext, sizeof(r.ext));
	memset(r.ext_units, 1, sizeof(r.ext_units));
	frame_build(&r, out);
	start = row->from == L2 ? 0 : row->from == L3 ? out->l3 : out->l4;
	if (row->offset || row->value)
		put16(out->bytes + start + row->offset, row->value);
}

static int action_of(enum shunt_verdict v)
{
	if (v == SHUNT_FORWARD_DSR)
		return XDP_TX;
	return v >= SHUNT_DROP_TRUNCATED ? XDP_DROP : XDP_PASS;
}

static void each_frame_has_its_verdict(void **state)
{
	struct outcome o;
	struct frame in;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool forwarded = rows[i].verdict == SHUNT_FORWARD_DSR;

		build_row(&rows[i], &in);
		fixture_run(*state, &in, &o);
		if (o.action != action_of(rows[i].verdict) || o.verdicts != !forwarded ||
		    o.rows != forwarded || (!forwarded && o.verdict != rows[i].verdict))
			fail_msg("%s: action %d, verdict %d (%u), %u rows", rows[i].says, o.action,
				 o.verdict, o.verdicts, o.rows);
		assert_int_equal(o.out.len, in.len);
		if (!forwarded)
			assert_memory_equal(o.out.bytes, in.bytes, in.len);
	}
}

/* Runs what may be no sound frame and compares with the oracle.  Returns whether it was forwarded. */
static bool assert_as_oracle(struct fixture *f, const struct frame *in)
{
	struct oracle_parsed s;
	enum shunt_verdict must = oracle_parse(in->bytes, in->len, &s);
	struct outcome o;
	size_t l4_len;

	fixture_run(f, in, &o);
	if (must != SHUNT_GO_ON) {
		assert_int_equal(o.verdicts, 1);
		assert_int_equal(o.verdict, must);
		assert_int_equal(o.action, action_of(must));
		assert_int_equal(o.rows, 0);
		return false;
	}
	if (o.verdicts) {
		assert_int_equal(o.verdicts, 1);
		return false;
	}
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.bytes, s.l3_len);
	assert_int_not_equal(o.action, XDP_DROP);
	/* what the IP packet carries is as it was, at the end or in front of its padding */
	l4_len = s.l3 + s.l3_len - s.l4;
	assert_true(o.out.len >= s.l3_len);
	assert_non_null(memmem(o.out.bytes, o.out.len, in->bytes + s.l4, l4_len));
	return true;
}

/* One of each way that a sound packet can look. */
#define SHAPES 24
static struct recipe shape(unsigned int i)
{
	uint8_t family = i % 2 ? 6 : 4, proto = i / 2 % 2 ? IPPROTO_UDP : IPPROTO_TCP;
	enum world_kind kind = i / 4 % 2 ? WORLD_IPIP4 : WORLD_DSR;
	struct recipe r = world_recipe(family, proto, kind);

	r.tags = (uint8_t)(i / 8 % 3);
	r.option_words = (uint8_t)(i % 5);
	r.n_ext = (uint8_t)(i / 4 % 3);
	memcpy(r.ext, (uint8_t[]){60, 51}, 2);
	memcpy(r.ext_units, (uint8_t[]){2, 2}, 2);
	return r;
}

static void a_frame_cut_at_any_length_is_not_forwarded(void **state)
{
	struct frame in;
	size_t len;

	for (unsigned int i = 0; i < SHAPES; i++) {
		struct recipe r = shape(i);

		frame_build(&r, &in);
		assert_true(assert_as_oracle(*state, &in));
		for (len = in.len, in.len = 14; in.len < len; in.len++)
			assert_false(assert_as_oracle(*state, &in));
	}
}

static void cut_headers_are_told_from_cut_packets(void **state)
{
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	struct outcome o;
	struct frame in;

	r.option_words = 2;
	frame_build(&r, &in);
	in.len = in.l3 + 27;
	fixture_run(*state, &in, &o);
	assert_int_equal(o.verdict, SHUNT_DROP_TRUNCATED);
	in.len = in.l3 + 28;
	fixture_run(*state, &in, &o);
	assert_int_equal(o.verdict, SHUNT_DROP_BAD_IP);
}

/* Small and reproducible (xorshift). */
static uint32_t roll(uint32_t below)
{
	static uint64_t x = 0x2545f4914f6cdd1dull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 33) % below;
}

static void garbage_is_never_forwarded(void **state)
{
	unsigned int forwarded = 0;
	struct frame in;

	for (int n = 0; n < GARBAGE; n++) {
		struct recipe r = shape(roll(SHAPES));

		r.padding = (uint16_t)(roll(2) * roll(60));
		frame_build(&r, &in);
		for (uint32_t k = roll(4); k > 0; k--) {
			uint32_t at = 12 + roll((uint32_t)in.l4 + 8);

			if (at < in.len)
				in.bytes[at] = (uint8_t)(roll(2) ? roll(256)
								 : in.bytes[at] ^ 1u << roll(8));
		}
		if (roll(4) == 0)
			in.len = 14 + roll((uint32_t)in.len - 14);
		forwarded += assert_as_oracle(*state, &in);
	}
	/* else this tested nothing */
	assert_in_range(forwarded, GARBAGE / 10, GARBAGE * 9 / 10);
}

static void noise_is_never_forwarded(void **state)
{
	struct frame in = {0};

	for (int n = 0; n < GARBAGE / 4; n++) {
		in.len = 14 + roll(200);
		for (size_t i = 0; i < in.len; i++)
			in.bytes[i] = (uint8_t)roll(256);
		put16(in.bytes + 12, roll(2) ? 0x0800 : roll(2) ? 0x86dd : 0x8100);
		in.bytes[14] = roll(2) ? 0x45 : (uint8_t)roll(256);
		assert_false(assert_as_oracle(*state, &in));
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_frame_has_its_verdict),
		TEST(a_frame_cut_at_any_length_is_not_forwarded),
		TEST(cut_headers_are_told_from_cut_packets),
		TEST(garbage_is_never_forwarded),
		TEST(noise_is_never_forwarded),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
