/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that somebody made on purpose: lengths that lie, headers that overlap, options that overrun,
 * chains of extension headers, fragments that are too small, loops.  A row each, with its verdict, over
 * every method that could take them for sound. */
#include "fixture_nat.h"
#include "fixture_rare.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* From where on a word is set. */
enum from { NOT, L3, L4 };

/* A frame for a service, of which words are set. */
struct row {
	const char *says;
	uint8_t family, proto;
	uint8_t option_words, n_ext; /* of 8 bytes each, destination options */
	struct {
		enum from from;
		uint16_t offset, value;
	} set[4];
	size_t tail; /* bytes that the frame is longer than the packet was */
	enum shunt_verdict verdict; /* SHUNT_GO_ON: forwarded */
};

#define TCP4 4, IPPROTO_TCP
#define UDP4 4, IPPROTO_UDP
#define TCP6 6, IPPROTO_TCP
#define UDP6 6, IPPROTO_UDP

static const struct row rows[] = {
	/* ---- lengths that lie: 33 bytes of payload behind the headers */
	{"a byte more than there is", TCP4, 0, 0, {{L3, 2, 74}}, 0, SHUNT_DROP_BAD_IP},
	{"a byte more, IPv6", UDP6, 0, 0, {{L3, 4, 42}}, 0, SHUNT_DROP_BAD_IP},
	{"as many as can be", UDP4, 0, 0, {{L3, 2, 0xffff}}, 0, SHUNT_DROP_BAD_IP},
	{"as many as can be, IPv6", TCP6, 0, 0, {{L3, 4, 0xffff}}, 0, SHUNT_DROP_BAD_IP},
	{"none", TCP4, 0, 0, {{L3, 2, 0}}, 0, SHUNT_DROP_BAD_IP},
	{"less than IP's header", TCP4, 0, 0, {{L3, 2, 19}}, 0, SHUNT_DROP_BAD_IP},
	{"IP's header alone", TCP4, 0, 0, {{L3, 2, 20}}, 0, SHUNT_DROP_BAD_L4},
	{"ends inside TCP's header", TCP4, 0, 0, {{L3, 2, 39}}, 0, SHUNT_DROP_BAD_L4},
	{"ends inside UDP's header", UDP4, 0, 0, {{L3, 2, 27}}, 0, SHUNT_DROP_BAD_L4},
	{"ends inside TCP's header, IPv6", TCP6, 0, 0, {{L3, 4, 19}}, 0, SHUNT_DROP_BAD_L4},
	{"a jumbogram's length", TCP6, 0, 0, {{L3, 4, 0}}, 0, SHUNT_DROP_BAD_L4},
	{"UDP says a byte more", UDP4, 0, 0, {{L4, 4, 42}}, 0, SHUNT_DROP_BAD_L4},
	{"UDP says it with a tail", UDP4, 0, 0, {{L4, 4, 42}}, 9, SHUNT_DROP_BAD_L4},
	{"UDP says all, IPv6", UDP6, 0, 0, {{L4, 4, 0xffff}}, 0, SHUNT_DROP_BAD_L4},
	{"UDP says none", UDP6, 0, 0, {{L4, 4, 0}}, 0, SHUNT_DROP_BAD_L4},
	{"UDP says less than its header", UDP4, 0, 0, {{L4, 4, 7}}, 0, SHUNT_DROP_BAD_L4},
	{"IPv4 in a frame of IPv6", TCP6, 0, 0, {{L3, 0, 0x4500}}, 0, SHUNT_DROP_BAD_IP},
	{"IPv6 in a frame of IPv4", TCP4, 0, 0, {{L3, 0, 0x6000}}, 0, SHUNT_DROP_BAD_IP},
	/* ---- headers that overlap */
	{"TCP's data in its ports", TCP4, 0, 0, {{L4, 12, 0x0010}}, 0, SHUNT_DROP_BAD_L4},
	{"TCP's data in its checksum", TCP6, 0, 0, {{L4, 12, 0x4010}}, 0, SHUNT_DROP_BAD_L4},
	{"TCP's data behind its packet", TCP4, 0, 0, {{L4, 12, 0xe010}}, 9, SHUNT_DROP_BAD_L4},
	{"TCP in IP's addresses", TCP4, 0, 0, {{L3, 0, 0x432a}}, 0, SHUNT_DROP_BAD_IP},
	{"TCP in IP's first word", TCP4, 0, 0, {{L3, 0, 0x402a}}, 0, SHUNT_DROP_BAD_IP},
	/* ---- options that overrun */
	{"options up to TCP's end", TCP4, 0, 0, {{L3, 0, 0x4f2a}}, 0, SHUNT_DROP_BAD_L4},
	{"options behind the packet",
	 UDP4,
	 0,
	 0,
	 {{L3, 0, 0x4f2a}, {L3, 2, 28}},
	 0,
	 SHUNT_DROP_BAD_IP},
	/* nobody on the way reads them */
	{"an option longer than all", TCP4, 2, 0, {{L3, 20, 0x07ff}}, 0, SHUNT_GO_ON},
	{"an option of no length", TCP4, 2, 0, {{L3, 20, 0x0700}}, 0, SHUNT_GO_ON},
	/* ---- extension headers */
	{"one that is longer than all", TCP6, 0, 1, {{L3, 40, 0x06ff}}, 0, SHUNT_DROP_BAD_IP},
	{"one up to the packet's end", TCP6, 0, 1, {{L3, 40, 0x0606}}, 0, SHUNT_DROP_BAD_L4},
	{"one that swallows TCP", TCP6, 0, 1, {{L3, 40, 0x0602}}, 0, SHUNT_DROP_BAD_L4},
	{"one behind the packet", UDP6, 0, 1, {{L3, 4, 7}}, 0, SHUNT_DROP_BAD_IP},
	{"one that names itself", UDP6, 0, 1, {{L3, 40, 0x3c00}}, 0, SHUNT_DROP_BAD_IP},
	{"eight, of which each is small", UDP6, 0, 8, {{NOT}}, 0, SHUNT_PASS_EXT_HEADERS},
	{"hop by hop in the middle", TCP6, 0, 2, {{L3, 40, 0x0000}}, 0, SHUNT_GO_ON},
	{"an authentication header of none", TCP6, 0, 1, {{L3, 6, 0x3340}}, 0, SHUNT_GO_ON},
	{"no next header", TCP6, 0, 1, {{L3, 40, 0x3b00}}, 0, SHUNT_PASS_NOT_TCP_UDP},
	/* ---- IP in IP to a VIP: not ours to take off */
	{"IPIP to a VIP", TCP4, 0, 0, {{L3, 8, 0x4004}}, 0, SHUNT_PASS_NOT_TCP_UDP},
	{"GRE to a VIP", TCP4, 0, 0, {{L3, 8, 0x402f}}, 0, SHUNT_PASS_NOT_TCP_UDP},
	/* ---- sources that nobody has; those beside them are somebody's */
	{"from 0.0.0.0", UDP4, 0, 0, {{L3, 12, 0}, {L3, 14, 0}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from this network", TCP4, 0, 0, {{L3, 12, 0x00ff}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from 1.0.0.0", TCP4, 0, 0, {{L3, 12, 0x0100}, {L3, 14, 0}}, 0, SHUNT_GO_ON},
	{"from 126.255", UDP4, 0, 0, {{L3, 12, 0x7eff}}, 0, SHUNT_GO_ON},
	{"from loopback", UDP4, 0, 0, {{L3, 12, 0x7f00}, {L3, 14, 1}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from 128.0", TCP4, 0, 0, {{L3, 12, 0x8000}}, 0, SHUNT_GO_ON},
	{"from 223.255", TCP4, 0, 0, {{L3, 12, 0xdfff}}, 0, SHUNT_GO_ON},
	{"from a group", TCP4, 0, 0, {{L3, 12, 0xe000}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from the last group", TCP4, 0, 0, {{L3, 12, 0xefff}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from class E", UDP4, 0, 0, {{L3, 12, 0xf000}}, 0, SHUNT_GO_ON},
	{"from 254.255", UDP4, 0, 0, {{L3, 12, 0xfeff}}, 0, SHUNT_GO_ON},
	{"from all", UDP4, 0, 0, {{L3, 12, 0xffff}, {L3, 14, 0xffff}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from a group, IPv6", UDP6, 0, 0, {{L3, 8, 0xff02}}, 0, SHUNT_DROP_BAD_SOURCE},
	{"from a link, IPv6", TCP6, 0, 0, {{L3, 8, 0xfe80}}, 0, SHUNT_GO_ON},
	/* ---- a hop that is not there */
	{"no hop left", UDP4, 0, 0, {{L3, 8, 0x0011}}, 0, SHUNT_DROP_TTL},
	{"the last hop, IPv6", TCP6, 0, 0, {{L3, 6, 0x0601}}, 0, SHUNT_DROP_TTL},
};

/* Whole IPv6 sources, and the service's own. */
static const struct source_row {
	const char *says;
	uint8_t src[16];
	bool bad;
} source_rows[] = {
	{"::", {0}, true},
	{"::1", {[15] = 1}, true},
	{"::2", {[15] = 2}, false},
	{"::101", {[14] = 1, 1}, false},
	{"::1:0:0:1", {[9] = 1, [15] = 1}, false},
	{"0:1::1", {[3] = 1, [15] = 1}, false},
	{"0:0:1::", {[5] = 1}, false},
	{"::ffff:192.0.2.1", {[10] = 0xff, 0xff, 192, 0, 2, 1}, true},
	{"::fffe:192.0.2.1", {[10] = 0xff, 0xfe, 192, 0, 2, 1}, false},
	{"64:ff9b::192.0.2.1", {0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 1}, false},
	{"100::", {1}, false},
};

static void assert_source(struct fixture *f, const struct recipe *r, const char *says, bool bad)
{
	struct outcome o;
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, &o);
	if (bad ? o.verdicts != 1 || o.verdict != SHUNT_DROP_BAD_SOURCE || o.rows
		: o.verdicts || o.packets != 1)
		fail_msg("%s: verdict %d (%u)", says, o.verdict, o.verdicts);
}

static void nobody_sends_from_an_address_of_nobody(void **state)
{
	static const enum world_kind kinds[] = {WORLD_DSR, WORLD_IPIP4, WORLD_LOCAL, WORLD_ANY};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		struct recipe r = world_recipe(6, IPPROTO_TCP, kinds[k]);

		for (size_t i = 0; i < sizeof(source_rows) / sizeof(*source_rows); i++) {
			memcpy(r.src, source_rows[i].src, 16);
			assert_source(*state, &r, source_rows[i].says, source_rows[i].bad);
		}
		memcpy(r.src, r.dst, 16);
		assert_source(*state, &r, "its own, IPv6", true);
		r.src[15] ^= 1;
		assert_source(*state, &r, "beside its own, IPv6", false);
		r = world_recipe(4, IPPROTO_UDP, kinds[k]);
		memcpy(r.src, r.dst, 4);
		assert_source(*state, &r, "its own", true);
		r.src[3] ^= 1;
		assert_source(*state, &r, "beside its own", false);
	}
}

/* Somebody asks for an address, or whether one is free; from none. */
static void who_has_no_address_yet_may_ask_everybody(void **state)
{
	static const struct {
		uint8_t family, dst[16];
	} asked[] = {{4, {255, 255, 255, 255}},
		     {4, {224, 0, 0, 251}},
		     {6, {0xff, 2, [11] = 1, 0xff, 0, 1, 2}}};
	struct outcome o;
	struct frame in;

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		struct recipe r = world_recipe(asked[i].family, IPPROTO_UDP, WORLD_DSR);

		memset(r.src, 0, 16);
		memcpy(r.dst, asked[i].dst, 16);
		frame_build(&r, &in);
		fixture_run(*state, &in, &o);
		assert_int_equal(o.action, XDP_PASS);
		assert_int_equal(o.verdict, SHUNT_PASS_NOT_VIP);
	}
}

/* Nor is somebody else's address one to send to from there. */
static void a_martian_for_no_service_is_dropped_too(void **state)
{
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	struct outcome o;
	struct frame in;

	r.dst[3] ^= 0x55;
	memcpy(r.src, (uint8_t[]){127, 0, 0, 1}, 4);
	frame_build(&r, &in);
	fixture_run(*state, &in, &o);
	assert_int_equal(o.action, XDP_DROP);
	assert_int_equal(o.verdict, SHUNT_DROP_BAD_SOURCE);
}

static void row_build(const struct row *row, enum world_kind kind, struct frame *out)
{
	struct recipe r = world_recipe(row->family, row->proto, kind);
	uint8_t *start;

	r.option_words = row->option_words;
	r.n_ext = row->n_ext;
	memset(r.ext, IPPROTO_DSTOPTS, sizeof(r.ext));
	memset(r.ext_units, 1, sizeof(r.ext_units));
	r.padding = (uint16_t)row->tail;
	frame_build(&r, out);
	for (int i = 0; i < 4 && row->set[i].from != NOT; i++) {
		start = out->bytes + (row->set[i].from == L3 ? out->l3 : out->l4);
		put16(start + row->set[i].offset, row->set[i].value);
	}
}

static void row_run(struct fixture *f, const struct row *row, enum world_kind kind)
{
	struct outcome o;
	struct frame in;

	row_build(row, kind, &in);
	fixture_run(f, &in, &o);
	if (row->verdict == SHUNT_GO_ON ? o.verdicts || o.packets != 1
					: o.verdicts != 1 || o.verdict != row->verdict || o.rows)
		fail_msg("%s, kind %d: verdict %d (%u), action %d", row->says, kind, o.verdict,
			 o.verdicts, o.action);
	if (o.action != XDP_PASS || o.rows)
		return;
	assert_int_equal(o.out.len, in.len);
	assert_memory_equal(o.out.bytes, in.bytes, in.len);
}

static void whatever_lies_has_its_verdict(void **state)
{
	static const enum world_kind kinds[] = {WORLD_DSR,   WORLD_DSR_TAGS, WORLD_IPIP4,
						WORLD_IPIP6, WORLD_GUE4,     WORLD_GUE6,
						WORLD_GRE6};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
			row_run(*state, &rows[i], kinds[k]);
}

static void whatever_lies_is_not_translated(void **state)
{
	struct fixture *f = *state;

	for (int family = 4; family <= 6; family += 2) {
		family == 4 ? nat_setup(state) : nat_setup6(state);
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
			if (rows[i].family == family)
				row_run(f, &rows[i], WORLD_DSR);
	}
}

/* ---- fragments -----------------------------------------------------------------------------------
 * Of a TCP segment with 20 bytes of header, or a datagram with 8 (RFC 1858, RFC 3128, RFC 5722). */

static const struct {
	const char *says;
	uint8_t proto;
	size_t from, len;
	bool more;
	uint16_t offset; /* that it claims, if not 0 */
	enum shunt_verdict verdict;
} fragments[] = {
	{"half of TCP's header", IPPROTO_TCP, 0, 8, true, 0, SHUNT_DROP_FRAGMENT_BAD},
	{"all but its end", IPPROTO_TCP, 0, 16, true, 0, SHUNT_DROP_FRAGMENT_BAD},
	{"TCP's flags once more", IPPROTO_TCP, 8, 24, false, 0, SHUNT_DROP_FRAGMENT_BAD},
	{"the end of TCP's header", IPPROTO_TCP, 16, 24, false, 0, SHUNT_DROP_FRAGMENT_BAD},
	{"without the first", IPPROTO_TCP, 24, 24, false, 0, SHUNT_DROP_FRAGMENT_ORPHAN},
	{"UDP without the first", IPPROTO_UDP, 8, 24, true, 0, SHUNT_DROP_FRAGMENT_ORPHAN},
	{"not a multiple of 8", IPPROTO_UDP, 0, 20, true, 0, SHUNT_DROP_FRAGMENT_BAD},
	{"nothing", IPPROTO_UDP, 8, 0, false, 0, SHUNT_DROP_FRAGMENT_BAD},
	{"beyond the longest packet", IPPROTO_UDP, 8, 24, false, 0xfff8, SHUNT_DROP_FRAGMENT_BAD},
};

static void fragments_that_would_deceive_are_dropped(void **state)
{
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(fragments) / sizeof(*fragments); k++) {
			struct recipe r = world_recipe(i ? 6 : 4, fragments[k].proto, WORLD_DSR);
			struct piece p = {7, fragments[k].from, fragments[k].len, fragments[k].more,
					  false};
			struct frame whole, in;
			struct outcome o;

			rare_setup(state);
			frame_build(&r, &whole);
			rare_piece(&r, &whole, &p, &in);
			if (fragments[k].offset && i)
				put16(in.bytes + in.l4 - 6, fragments[k].offset);
			else if (fragments[k].offset)
				put16(in.bytes + in.l3 + 6, fragments[k].offset / 8);
			fixture_run(*state, &in, &o);
			if (o.verdict != fragments[k].verdict || o.action != XDP_DROP)
				fail_msg("%s, IPv%d: verdict %d", fragments[k].says, i ? 6 : 4,
					 o.verdict);
		}
}

/* ---- ICMP ----------------------------------------------------------------------------------------*/

/* An error that quotes an error is about no flow, and an error is not answered by another one. */
static void an_error_about_an_error_goes_nowhere(void **state)
{
	for (uint8_t family = 4; family <= 6; family += 2) {
		struct recipe r = world_recipe(family, IPPROTO_UDP, WORLD_DSR), back = r;
		struct icmp inner = {.type = family == 4 ? 3 : 1}, outer = inner;
		struct frame whole, error, in;

		rare_setup(state);
		memcpy(back.src, r.dst, 16);
		memcpy(back.dst, r.src, 16);
		frame_build(&r, &whole);
		inner.body = whole.bytes + whole.l3;
		inner.len = whole.l3_len;
		rare_icmp(&back, &inner, &error);
		outer.body = error.bytes + error.l3;
		outer.len = error.l3_len;
		rare_icmp(&r, &outer, &in);
		rare_assert(*state, &in, SHUNT_PASS_ICMP, XDP_PASS);
		r.ttl = 1;
		rare_icmp(&r, &outer, &in);
		rare_assert(*state, &in, SHUNT_PASS_ICMP, XDP_PASS);
	}
}

/* ---- loops --------------------------------------------------------------------------------------*/

/* Lets what leaves come in again until it does not leave; how often it did, and the last verdict. */
static uint32_t go_round(struct fixture *f, struct frame *in, struct outcome *o)
{
	uint32_t times = 0;

	for (;; times++) {
		fixture_run(f, in, o);
		if (o->action != XDP_TX)
			return times;
		assert_true(times < 300);
		in->len = o->out.len;
		memcpy(in->bytes, o->out.bytes, o->out.len);
	}
}

/* Two balancers that send a VIP's packets to each other. */
static void a_loop_ends_with_its_hops(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct recipe r = world_recipe(i / 2 ? 6 : 4, nat_protos[i % 2], WORLD_DSR);
		struct outcome o;
		struct frame in;

		r.ttl = 255;
		frame_build(&r, &in);
		assert_int_equal(go_round(*state, &in, &o), 254);
		assert_int_equal(o.verdict, SHUNT_DROP_TTL);
	}
}

/* A tunnel to a VIP is a packet for that VIP, whose hops are new each time: its length is not. */
static void a_tunnel_into_itself_ends_when_it_is_too_big(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_ANY);
	uint32_t row = world_row(4, IPPROTO_UDP, WORLD_ANY) + 1;
	struct shunt_backend *be = &f->backends[row];
	struct outcome o;
	struct frame in;

	be->method = SHUNT_GUE;
	memcpy(be->addr, r.dst, 4);
	be->outer_csum = world_outer_csum(4, be);
	r.dport = 1;
	frame_build(&r, &in);
	assert_int_equal(go_round(f, &in, &o), (WORLD_MTU - in.l3_len) / 32);
	assert_int_equal(o.verdict, SHUNT_DROP_TOO_BIG);
}

/* From one VIP to another: a backend that answers is not asked again.  From a VIP to itself goes nothing
 * at all. */
static void a_vip_may_be_a_client_but_not_for_ever(void **state)
{
	struct fixture *f = *state;

	for (int own = 0; own < 2; own++) {
		struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
		struct recipe other = world_recipe(4, IPPROTO_TCP, own ? WORLD_DSR : WORLD_ANY);
		struct outcome o;
		struct frame in;

		memcpy(r.src, other.dst, 4);
		r.sport = own ? r.dport : 80;
		r.ttl = 9;
		frame_build(&r, &in);
		assert_int_equal(go_round(f, &in, &o), own ? 0 : 8);
		assert_int_equal(o.verdict, own ? SHUNT_DROP_BAD_SOURCE : SHUNT_DROP_TTL);
	}
}

/* The backend is the VIP itself: every round is a connection of its own, as long as there are hops. */
static void translation_into_itself_ends(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123);
	uint32_t row = world_row(4, IPPROTO_TCP, WORLD_DSR) + 1;
	struct outcome o;
	struct frame in;

	memcpy(f->backends[row].addr, r.dst, 4);
	f->backends[row].port = htons(r.dport);
	r.ttl = 20;
	frame_build(&r, &in);
	assert_in_range(go_round(f, &in, &o), 1, 19);
	assert_int_equal(o.action, XDP_DROP);
}

#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_sends_from_an_address_of_nobody),
		TEST(who_has_no_address_yet_may_ask_everybody),
		TEST(a_martian_for_no_service_is_dropped_too),
		TEST(whatever_lies_has_its_verdict),
		TEST(whatever_lies_is_not_translated),
		TEST(fragments_that_would_deceive_are_dropped),
		TEST(an_error_about_an_error_goes_nowhere),
		TEST(a_loop_ends_with_its_hops),
		TEST(a_tunnel_into_itself_ends_when_it_is_too_big),
		TEST(a_vip_may_be_a_client_but_not_for_ever),
		cmocka_unit_test_setup(translation_into_itself_ends, nat_setup),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
