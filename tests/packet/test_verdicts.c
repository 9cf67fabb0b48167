/* SPDX-License-Identifier: BSD-2-Clause */
/* Every verdict there is has a frame here that gets it: a row of SHUNT_VERDICTS without one fails.
 *
 * Whoever adds a verdict adds a row: what to change in the fixture's world, if anything, and the frame.
 * What a verdict does besides is for the tests of its stage. */
#include "fixture_nat.h"
#include "fixture_rare.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* ---- a way to each ------------------------------------------------------------------------------
 * Each makes the frame that gets the verdict, after whatever must come before it. */

typedef void way(struct fixture *f, struct frame *in);

static void a_packet_of(enum world_kind kind, struct frame *in)
{
	struct recipe r = world_recipe(4, IPPROTO_UDP, kind);

	frame_build(&r, in);
}

#define KIND(name, kind)                                                                           \
	static void name(struct fixture *f, struct frame *in)                                      \
	{                                                                                          \
		(void)f;                                                                           \
		a_packet_of(kind, in);                                                             \
	}

/* A datagram for the DSR service with the word @at bytes into its headers changed. */
#define WORD(name, header, at, value)                                                              \
	static void name(struct fixture *f, struct frame *in)                                      \
	{                                                                                          \
		(void)f;                                                                           \
		a_packet_of(WORLD_DSR, in);                                                        \
		put16(in->bytes + in->header + (at), value);                                       \
	}

KIND(dsr, WORLD_DSR)
KIND(ipip, WORLD_IPIP4)
KIND(gue, WORLD_GUE6)
KIND(gre, WORLD_GRE4)
KIND(local, WORLD_LOCAL)
KIND(empty_pass, WORLD_EMPTY_PASS)
KIND(empty_drop, WORLD_EMPTY_DROP)
KIND(no_egress, WORLD_NO_EGRESS)
KIND(bad_table, WORLD_BAD_SLOTS)
WORD(arp, l3, -2, 0x0806)
WORD(sctp, l3, 8, 0x4084)
WORD(icmp, l3, 8, 0x4001)
WORD(fragment, l3, 6, 0x2000)
WORD(another_port, l4, 2, 9)
WORD(too_long, l3, 2, 1500)
WORD(udp_of_seven_bytes, l4, 4, 7)
WORD(last_hop, l3, 8, 0x0111)
WORD(from_loopback, l3, 12, 0x7f01)

static void cut(struct fixture *f, struct frame *in)
{
	(void)f;
	a_packet_of(WORLD_DSR, in);
	in->len = in->l3 + 19;
}

static void seven_ext_headers(struct fixture *f, struct frame *in)
{
	struct recipe r = world_recipe(6, IPPROTO_UDP, WORLD_DSR);

	(void)f;
	r.n_ext = 7;
	memset(r.ext, IPPROTO_DSTOPTS, 7);
	memset(r.ext_units, 1, 7);
	frame_build(&r, in);
}

static void too_big(struct fixture *f, struct frame *in)
{
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_GUE4);

	(void)f;
	r.payload = WORLD_MTU - 28 - 31;
	frame_build(&r, in);
}

/* ---- fragments, ICMP and answers */

static void piece_of(struct fixture *f, const struct piece *p, struct frame *in)
{
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);
	struct frame whole;
	void *state = f;

	rare_setup(&state);
	frame_build(&r, &whole);
	rare_piece(&r, &whole, p, in);
}

static void bad_fragment(struct fixture *f, struct frame *in)
{
	piece_of(f, &(struct piece){.len = 16, .more = true}, in);
}

static void orphan(struct fixture *f, struct frame *in)
{
	piece_of(f, &(struct piece){.from = 24, .len = 24}, in);
}

static void echo(struct fixture *f, struct frame *in)
{
	struct recipe r = world_recipe(4, IPPROTO_ICMP, WORLD_DSR);
	void *state = f;

	rare_setup(&state);
	rare_icmp(&r, &(struct icmp){.type = 8}, in);
}

static void too_big_told(struct fixture *f, struct frame *in)
{
	void *state = f;

	rare_setup(&state);
	too_big(f, in);
}

static void last_hop_told(struct fixture *f, struct frame *in)
{
	void *state = f;

	rare_setup(&state);
	last_hop(f, in);
}

/* ---- translation */

static void a_request(struct fixture *f, enum shunt_forward method, struct frame *in)
{
	void *state = f;
	struct recipe r;

	nat_setup(&state);
	nat_service(f, IPPROTO_TCP, method);
	r = nat_request(IPPROTO_TCP, 40123);
	frame_build(&r, in);
}

static void nat(struct fixture *f, struct frame *in)
{
	a_request(f, SHUNT_NAT, in);
}

static void masq(struct fixture *f, struct frame *in)
{
	a_request(f, SHUNT_MASQ, in);
}

static void nat_reply(struct fixture *f, struct frame *in)
{
	struct recipe r, t, a;

	a_request(f, SHUNT_NAT, in);
	r = nat_request(IPPROTO_TCP, 40123);
	nat_forwarded(f, &r, 1, &t);
	a = nat_answer(&t);
	frame_build(&a, in);
}

static void nat_full(struct fixture *f, struct frame *in)
{
	a_request(f, SHUNT_NAT, in);
	for (uint32_t i = 0; i < WORLD_NAT_RECORDS; i++)
		f->nat_requests[i / SHUNT_NAT_WAYS].word[i % SHUNT_NAT_WAYS] = SHUNT_NAT_BUSY;
}

static void nat_exhausted(struct fixture *f, struct frame *in)
{
	struct recipe first, t;

	a_request(f, SHUNT_NAT, in);
	f->nat_ctl->ports = 1;
	first = nat_request(IPPROTO_TCP, 40122);
	nat_forwarded(f, &first, 1, &t);
	nat_establish(f, &first, &t); /* or it would give way */
}

/* A source route, on the way to IPv6. */
static void nat_family_differs(struct fixture *f, struct frame *in)
{
	void *state = f;
	struct recipe r;

	nat_setup46(&state);
	r = nat_request(IPPROTO_TCP, 40123);
	r.option_words = 2;
	frame_build(&r, in);
	put32(in->bytes + in->l3 + 20, 0x83070400);
}

/* ---- sources */

/* A packet for a service whose policy answers @answer to all but one source, with rates of nothing. */
static void a_source(struct fixture *f, uint32_t flags, uint32_t answer, struct frame *in)
{
	f->policies[1] = (struct shunt_policy){
		.root.out = answer,
		.flags = flags,
		.service = {.cost = 2, .limit = 1},
		.source = {.cost = 1ull << 40, .limit = 1ull << 40},
	};
	world_service(f, 4, IPPROTO_UDP, WORLD_DSR)->policy = 1;
	a_packet_of(WORLD_DSR, in);
}

static void denied(struct fixture *f, struct frame *in)
{
	a_source(f, SHUNT_POLICY_LIST, SHUNT_SOURCE_DENIED, in);
}

static void not_allowed(struct fixture *f, struct frame *in)
{
	a_source(f, SHUNT_POLICY_LIST, SHUNT_SOURCE_NOT_ALLOWED, in);
}

static void rate_of_source(struct fixture *f, struct frame *in)
{
	struct outcome o;

	a_source(f, SHUNT_POLICY_SOURCE_RATE, 0, in);
	fixture_run(f, in, &o); /* one new flow it may have */
}

static void rate_of_service(struct fixture *f, struct frame *in)
{
	a_source(f, SHUNT_POLICY_SERVICE_RATE, 0, in);
}

static const struct row {
	enum shunt_verdict verdict;
	way *way;
} rows[] = {
	{SHUNT_FORWARD_DSR, dsr},
	{SHUNT_FORWARD_IPIP, ipip},
	{SHUNT_FORWARD_GUE, gue},
	{SHUNT_FORWARD_GRE, gre},
	{SHUNT_FORWARD_LOCAL, local},
	{SHUNT_FORWARD_NAT, nat},
	{SHUNT_FORWARD_MASQ, masq},
	{SHUNT_RETURN_NAT, nat_reply},
	{SHUNT_REPLY_ECHO, echo},
	{SHUNT_REPLY_TOO_BIG, too_big_told},
	{SHUNT_REPLY_TTL, last_hop_told},
	{SHUNT_PASS_NOT_IP, arp},
	{SHUNT_PASS_NOT_TCP_UDP, sctp},
	{SHUNT_PASS_ICMP, icmp},
	{SHUNT_PASS_FRAGMENT, fragment},
	{SHUNT_PASS_EXT_HEADERS, seven_ext_headers},
	{SHUNT_PASS_NOT_VIP, another_port},
	{SHUNT_PASS_NO_BACKEND, empty_pass},
	{SHUNT_DROP_TRUNCATED, cut},
	{SHUNT_DROP_BAD_IP, too_long},
	{SHUNT_DROP_BAD_L4, udp_of_seven_bytes},
	{SHUNT_DROP_DENIED, denied},
	{SHUNT_DROP_NOT_ALLOWED, not_allowed},
	{SHUNT_DROP_RATE_SOURCE, rate_of_source},
	{SHUNT_DROP_RATE_SERVICE, rate_of_service},
	{SHUNT_DROP_BAD_SOURCE, from_loopback},
	{SHUNT_DROP_FRAGMENT_BAD, bad_fragment},
	{SHUNT_DROP_FRAGMENT_ORPHAN, orphan},
	{SHUNT_DROP_NO_BACKEND, empty_drop},
	{SHUNT_DROP_NAT_FULL, nat_full},
	{SHUNT_DROP_NAT_EXHAUSTED, nat_exhausted},
	{SHUNT_DROP_NAT_FAMILY, nat_family_differs},
	{SHUNT_DROP_TTL, last_hop},
	{SHUNT_DROP_TOO_BIG, too_big},
	{SHUNT_DROP_NO_HEADROOM, ipip},
	{SHUNT_DROP_NO_EGRESS, no_egress},
	{SHUNT_DROP_BAD_TABLE, bad_table},
};

/* ---- what came of it ----------------------------------------------------------------------------*/

static const struct {
	const char *name;
	enum shunt_verdict_class class;
} verdicts[SHUNT_VERDICT_MAX] = {
#define X(name, class_, words) [SHUNT_##name] = {#name, SHUNT_CLASS_##class_},
	SHUNT_VERDICTS(X)
#undef X
};

/* The verdict of a packet that was forwarded, which has no counter of its own. */
static enum shunt_verdict forward_of(const struct fixture *f, const struct outcome *o)
{
	static const enum shunt_verdict by_method[SHUNT_FORWARD_MAX] = {
		[SHUNT_DSR] = SHUNT_FORWARD_DSR,     [SHUNT_IPIP] = SHUNT_FORWARD_IPIP,
		[SHUNT_GUE] = SHUNT_FORWARD_GUE,     [SHUNT_GRE] = SHUNT_FORWARD_GRE,
		[SHUNT_NAT] = SHUNT_FORWARD_NAT,     [SHUNT_MASQ] = SHUNT_FORWARD_MASQ,
		[SHUNT_LOCAL] = SHUNT_FORWARD_LOCAL,
	};

	assert_int_equal(o->rows, 1);
	assert_int_equal(o->packets, 1);
	assert_int_not_equal(o->row % WORLD_ROWS_EACH, 0);
	return by_method[f->backends[o->row].method];
}

/* Whether a packet of the verdict may end so. */
static bool is_action_of(enum shunt_verdict v, int action)
{
	switch (verdicts[v].class) {
	case SHUNT_CLASS_DROP:
		return action == XDP_DROP;
	case SHUNT_CLASS_PASS:
		return action == XDP_PASS;
	case SHUNT_CLASS_FORWARD:
		if (v == SHUNT_FORWARD_LOCAL)
			return action == XDP_PASS;
		return action == XDP_TX || action == XDP_REDIRECT;
	default:
		return action == XDP_TX || action == XDP_REDIRECT;
	}
}

static void run_row(void **state, const struct row *row)
{
	struct fixture *f = *state;
	enum shunt_verdict got;
	struct outcome o;
	struct frame in;

	fixture_reset(state);
	row->way(f, &in);
	if (row->verdict != SHUNT_DROP_NO_HEADROOM)
		fixture_run(f, &in, &o);
	else if (!fixture_run_cramped(f, &in, &o))
		return; /* the kernel takes no more than 32 bytes of metadata */
	got = o.verdicts ? o.verdict : forward_of(f, &o);
	if (o.verdicts > 1 || got != row->verdict || !is_action_of(got, o.action))
		fail_msg("%s: %u verdicts, the last %s, action %d", verdicts[row->verdict].name,
			 o.verdicts, verdicts[got].name, o.action);
}

static void every_verdict_has_a_frame(void **state)
{
	bool seen[SHUNT_VERDICT_MAX] = {false};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run_row(state, &rows[i]);
		seen[rows[i].verdict] = true;
	}
	for (int v = 1; v < SHUNT_VERDICT_MAX; v++)
		if (!seen[v])
			fail_msg("no frame gets %s: add a row", verdicts[v].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verdict_has_a_frame),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
