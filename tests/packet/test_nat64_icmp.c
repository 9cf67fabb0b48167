/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors between the families, against frames built independently. */
#include "fixture_nat_error.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* RFC 7915 sections 4.2 and 5.2; type 0 on the other side: not told. */
static const struct told {
	struct icmp v4, v6;
} told46[] =
	{
		{{3, 0, 0, NULL, 0}, {1, 0, 0, NULL, 0}},
		{{3, 1, 0, NULL, 0}, {1, 0, 0, NULL, 0}},
		{{3, 2, 0, NULL, 0}, {0}},
		{{3, 3, 77, NULL, 0}, {1, 4, 0, NULL, 0}},
		{{3, 4, 1400, NULL, 0}, {2, 0, 1420, NULL, 0}},
		{{3, 4, 0, NULL, 0}, {2, 0, 1280, NULL, 0}},
		{{3, 4, 900, NULL, 0}, {2, 0, 1280, NULL, 0}},
		{{3, 9, 0, NULL, 0}, {1, 1, 0, NULL, 0}},
		{{3, 10, 0, NULL, 0}, {1, 1, 0, NULL, 0}},
		{{3, 13, 0, NULL, 0}, {1, 1, 0, NULL, 0}},
		{{3, 14, 0, NULL, 0}, {0}},
		{{3, 15, 0, NULL, 0}, {1, 1, 0, NULL, 0}},
		{{4, 0, 0, NULL, 0}, {0}},
		{{11, 0, 0, NULL, 0}, {3, 0, 0, NULL, 0}},
		{{11, 1, 0, NULL, 0}, {3, 1, 0, NULL, 0}},
		{{11, 4, 1400, NULL, 0}, {3, 4, 0, NULL, 0}}, /* no MTU, whatever is in its place */
		{{12, 0, 0, NULL, 0}, {0}},
},
  told64[] = {
	  {{3, 1, 0, NULL, 0}, {1, 0, 0, NULL, 0}},
	  {{3, 10, 0, NULL, 0}, {1, 1, 0, NULL, 0}},
	  {{3, 1, 0, NULL, 0}, {1, 2, 0, NULL, 0}},
	  {{3, 1, 0, NULL, 0}, {1, 3, 0, NULL, 0}},
	  {{3, 3, 0, NULL, 0}, {1, 4, 0, NULL, 0}},
	  {{0}, {1, 5, 0, NULL, 0}},
	  {{3, 4, 1380, NULL, 0}, {2, 0, 1400, NULL, 0}},
	  {{3, 4, 68, NULL, 0}, {2, 0, 50, NULL, 0}},
	  {{3, 4, 65515, NULL, 0}, {2, 0, 70000, NULL, 0}},
	  {{11, 0, 0, NULL, 0}, {3, 0, 0, NULL, 0}},
	  {{0}, {4, 0, 0, NULL, 0}},
};

/* What the other side must be told, of packets that it had sent as @sent. */
static void told_across(struct fixture *f, const struct recipe *e, const struct recipe *quoted,
			const struct recipe *there, const struct recipe *sent, bool to_client)
{
	bool from4 = e->family == 4;
	size_t n = from4 ? sizeof(told46) / sizeof(*told46) : sizeof(told64) / sizeof(*told64);
	struct recipe out_r = *there, sent_r = *sent;
	struct frame in, out;

	out_r.frag = sent_r.frag = from4 ? 0 : 0x4000;
	for (size_t i = 0; i < n; i++) {
		const struct told *t = from4 ? &told46[i] : &told64[i];
		const struct icmp *says = from4 ? &t->v4 : &t->v6, *must = from4 ? &t->v6 : &t->v4;

		for (size_t l4 = 8; l4 < 40; l4 += l4 == 14 ? 5 : 3) { /* 17 halves a checksum */
			nat_error_of(e, quoted, (from4 ? 20 : 40) + l4, *says, &in);
			if (!must->type) {
				rare_assert(f, &in, SHUNT_DROP_NAT_FAMILY, XDP_DROP);
				continue;
			}
			nat_error_of(&out_r, &sent_r, (from4 ? 40 : 20) + l4, *must, &out);
			nat_assert_leaves(f, &in, &out, to_client);
		}
	}
}

static void errors_cross_the_families(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = nat_request(nat_protos[i], 12345), t, a, b, e, there, sent = r;

		r.payload = sent.payload = 60;
		nat_forwarded(f, &r, 1, &t);
		e = nat_router_of(&t);
		there = nat_returned(&e, &r);
		sent.ttl = t.ttl;
		told_across(f, &e, &t, &there, &sent, true);
		a = nat_answer(&t);
		b = nat_returned(&a, &r);
		nat_assert_returned(f, &t, &r);
		a.ttl = b.ttl;
		e = nat_router_of(&b);
		memcpy(e.dmac, r.dmac, 6);
		memcpy(e.smac, r.smac, 6);
		there = nat_translated(&e, 1, 12345);
		told_across(f, &e, &b, &there, &a, false);
	}
}

/* RFC 4443 section 2.4: no error is longer than the least MTU. */
static void a_long_quote_is_cut(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t, e, back, sent = r;
	struct icmp m = {3, 1, 0, NULL, 0}, must = {1, 0, 0, NULL, 0};
	struct frame in, out;

	r.payload = sent.payload = 1400;
	nat_forwarded(f, &r, 1, &t);
	e = nat_router_of(&t);
	back = nat_returned(&e, &r);
	back.frag = 0;
	sent.ttl = t.ttl;
	nat_error_of(&e, &t, 1428, m, &in);
	nat_error_of(&back, &sent, 1280 - 48, must, &out);
	nat_assert_leaves(f, &in, &out, true);
}

static void a_wrong_checksum_is_not_made_right(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t, e;
	struct frame in;

	nat_forwarded(f, &r, 1, &t);
	e = nat_router_of(&t);
	nat_error_about(&e, &t, 60, &in);
	in.bytes[in.l4 + 2] ^= 1;
	rare_assert(f, &in, SHUNT_DROP_BAD_L4, XDP_DROP);
}

#define T46(name)                                                                                  \
	{                                                                                          \
#name " (IPv4 to IPv6)", name, nat_setup46, NULL, NULL                             \
	}
#define T64(name)                                                                                  \
	{                                                                                          \
#name " (IPv6 to IPv4)", name, nat_setup64, NULL, NULL                             \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T46(errors_cross_the_families),
		T64(errors_cross_the_families),
		T64(a_long_quote_is_cut),
		T46(a_wrong_checksum_is_not_made_right),
		T64(a_wrong_checksum_is_not_made_right),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
