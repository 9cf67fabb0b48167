/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation, byte for byte and in both directions. */
#include "fixture_nat.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* ---- both ways ----------------------------------------------------------------------------------*/

static void requests_and_replies_are_translated(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = nat_request(nat_protos[i], 40123), t;
		uint16_t port = nat_forwarded(f, &r, 1, &t);

		assert_in_range(port, FIRST_PORT, FIRST_PORT + PORTS - 1);
		nat_assert_returned(f, &t, &r);
		assert_int_equal(nat_forwarded(f, &r, 1, &t), port); /* again, and the same */
		nat_assert_returned(f, &t, &r);
	}
	assert_int_equal(nat_records(f), 2);
}

static void options_and_tags_stay_where_they_belong(void **state)
{
	struct fixture *f = *state;

	for (uint8_t tags = 0; tags < 3; tags++)
		for (uint8_t words = 0; words < 11; words += 5) {
			struct recipe r = nat_request(IPPROTO_TCP, 40123), t;

			r.tags = tags;
			r.option_words = words;
			nat_forwarded(f, &r, 1, &t);
			nat_assert_returned(f, &t, &r);
		}
	assert_int_equal(nat_records(f), 1);
}

static void extension_headers_stay(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = nat_request(nat_protos[i], 40123), t;

		r.n_ext = 3;
		memcpy(r.ext, (uint8_t[]){0, 60, 43}, 3);
		memcpy(r.ext_units, (uint8_t[]){1, 3, 2}, 3);
		nat_forwarded(f, &r, 1, &t);
		nat_assert_returned(f, &t, &r);
		r.n_ext = 0; /* of the same connection */
		nat_forwarded(f, &r, 1, &t);
	}
}

static void another_address_is_another_connection(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < (nat_family == 4 ? 4 : 16); i++) {
		struct recipe r = nat_request(IPPROTO_UDP, 12345), other = r, t1, t2;
		uint32_t before = nat_records(f);

		r.src[3] = other.src[3] = (uint8_t)(100 + i);
		other.src[i] ^= 1;
		nat_forwarded(f, &r, 1, &t1);
		nat_forwarded(f, &other, 1, &t2);
		assert_int_equal(nat_records(f), before + 2);
		nat_assert_returned(f, &t1, &r);
		nat_assert_returned(f, &t2, &other);
		if (i % 3 == 2)
			nat_setup_again(state);
	}
}

static void the_backends_tags_are_put_in_front(void **state)
{
	struct fixture *f = *state;
	struct shunt_backend *be = &f->backends[world_row(nat_family, IPPROTO_UDP, WORLD_DSR) + 1];
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t;
	struct outcome o;

	be->tags = 2;
	nat_arrive(f, &r, &o);
	t = nat_translated(&r, 1, get16(o.out.bytes + 22 + 20));
	t.tags = 2;
	t.tci[0] = 0x2064;
	t.tci[1] = 0x4065;
	nat_assert_frame(&o.out, &t);
	nat_assert_returned(f, &t, &r);
}

static void padding_stays_and_a_tail_goes(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t;
	struct outcome o;
	struct frame in;

	r.payload = 3;
	r.padding = 15; /* 60 bytes in all */
	nat_forwarded(f, &r, 1, &t);
	r.payload = 200;
	frame_build(&r, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.out.len, in.len - r.padding);
}

static void udp_without_a_checksum_stays_without(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t = nat_translated(&r, 1, 0), a;
	struct outcome o;
	struct frame in;

	frame_build(&r, &in);
	put16(in.bytes + in.l4 + 6, 0);
	fixture_run(f, &in, &o);
	assert_int_equal(get16(o.out.bytes + in.l4 + 6), 0);
	t.sport = nat_port_of(&o, &r);
	a = nat_answer(&t);
	frame_build(&a, &in);
	put16(in.bytes + in.l4 + 6, 0);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
	assert_int_equal(get16(o.out.bytes + in.l4 + 6), 0);
}

/* RFC 768: a checksum that comes out as 0 is written as all ones.  Of the 65536 first words of a
 * payload one makes it so. */
static void udp_never_gets_a_checksum_of_zero(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t = nat_translated(&r, 1, 12345);
	struct outcome o;
	struct frame in, out;
	uint16_t csum, first;

	frame_build(&r, &in);
	frame_build(&t, &out);
	csum = get16(out.bytes + out.l4 + 6);
	first = get16(out.bytes + out.l4 + 8);
	/* The sum of the words is ~csum; with csum added to one of them it is all ones. */
	put16(in.bytes + in.l4 + 8, fold16((uint32_t)first + csum));
	csum = get16(in.bytes + in.l4 + 6);
	put16(in.bytes + in.l4 + 6,
	      fold16((uint32_t)csum + (uint16_t)~get16(out.bytes + out.l4 + 6)));
	fixture_run(f, &in, &o);
	assert_int_equal(nat_port_of(&o, &r), 12345);
	assert_int_equal(get16(o.out.bytes + out.l4 + 6), 0xffff);
}

static void every_checksum_holds(void **state)
{
	struct fixture *f = *state;

	for (uint32_t n = 0; n < 4000; n++) {
		struct recipe r = nat_request(nat_protos[n % 2], (uint16_t)(1024 + n * 31)), t;

		r.src[1] = (uint8_t)(n * 7);
		r.src[nat_family == 4 ? 3 : 15] = (uint8_t)n;
		r.payload = (uint16_t)(n % 60);
		if (n % 16 == 0)
			nat_setup_again(state);
		nat_forwarded(f, &r, 1, &t);
		nat_assert_returned(f, &t, &r);
	}
}

static void masq_keeps_the_client(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = nat_request(nat_protos[i], 40123),
			      t = nat_translated(&r, 1, 40123);
		struct outcome o;

		nat_service(f, nat_protos[i], SHUNT_MASQ);
		memcpy(t.src, r.src, 16);
		nat_arrive(f, &r, &o);
		assert_int_equal(o.verdicts, 0);
		nat_assert_frame(&o.out, &t);
		nat_assert_returned(f, &t, &r);
	}
}

static void any_port_keeps_its_port(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), t;
	struct outcome o;

	f->backends[world_row(nat_family, IPPROTO_TCP, WORLD_DSR) + 1].port = 0;
	nat_arrive(f, &r, &o);
	t = nat_translated(&r, 1, nat_port_of(&o, &r));
	t.dport = r.dport;
	nat_assert_frame(&o.out, &t);
	nat_assert_returned(f, &t, &r);
}

/* ---- what is not ours ---------------------------------------------------------------------------*/

static void others_packets_go_to_the_stack(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), t, a;

	nat_forwarded(f, &r, 1, &t);
	for (int i = 0; i < 5; i++) {
		a = nat_answer(&t);
		a.src[3] += i == 0;
		a.dst[3] += i == 1;
		a.sport = (uint16_t)(a.sport + (i == 2));
		a.dport = (uint16_t)(a.dport + (i == 3));
		a.proto = i == 4 ? IPPROTO_UDP : IPPROTO_TCP;
		nat_assert_verdict(f, &a, SHUNT_PASS_NOT_VIP);
	}
}

static void the_clients_router_may_change(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 40123), t;

	nat_forwarded(f, &r, 1, &t);
	r.smac[5] ^= 0x55;
	r.tags = 1;
	nat_forwarded(f, &r, 1, &t);
	nat_assert_returned(f, &t, &r);
	r.tags = 0;
	nat_forwarded(f, &r, 1, &t);
	nat_assert_returned(f, &t, &r);
}

static void the_last_hop_is_not_taken(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t, a;

	r.ttl = 2;
	nat_forwarded(f, &r, 1, &t);
	r.ttl = 1;
	nat_assert_verdict(f, &r, SHUNT_DROP_TTL);
	a = nat_answer(&t);
	a.ttl = 1;
	nat_assert_verdict(f, &a, SHUNT_DROP_TTL);
}

static void what_the_path_does_not_take_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 40123), t;

	r.payload = WORLD_MTU - 28;
	nat_forwarded(f, &r, 1, &t);
	r.payload++;
	nat_assert_verdict(f, &r, SHUNT_DROP_TOO_BIG);
}

/* Whatever is cut off, nothing that is not whole is translated, and nothing but headers is written. */
static void a_cut_frame_is_never_translated(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct recipe r = nat_request(nat_protos[i], 40123), t, a;
		struct frame in[2], cut;
		struct outcome o;

		nat_forwarded(f, &r, 1, &t);
		a = nat_answer(&t);
		frame_build(&r, &in[0]);
		frame_build(&a, &in[1]);
		for (int way = 0; way < 2; way++)
			for (size_t len = 14; len < in[way].len; len++) {
				cut = in[way];
				cut.len = len;
				fixture_run(f, &cut, &o);
				assert_int_equal(o.action, XDP_DROP);
				assert_int_equal(o.verdicts, 1);
			}
	}
}

static void no_byte_stays_unwritten(void **state)
{
	struct fixture *f = *state;

	for (uint8_t in_tags = 0; in_tags < 3; in_tags++)
		for (uint8_t out_tags = 0; out_tags < 3; out_tags++) {
			struct recipe r = nat_request(IPPROTO_TCP, 12345), t, a, back;
			struct frame in;
			struct outcome o;

			nat_setup_again(state);
			f->backends[world_row(nat_family, IPPROTO_TCP, WORLD_DSR) + 1].tags =
				out_tags;
			r.tags = in_tags;
			t = nat_translated(&r, 1, 12345);
			t.tags = out_tags;
			t.tci[0] = 0x2064;
			t.tci[1] = 0x4065;
			frame_build(&r, &in);
			fixture_run_poisoned(f, &in, 0xa5, &o);
			nat_assert_frame(&o.out, &t);
			t.tags = 0;
			a = nat_answer(&t);
			back = nat_returned(&a, &r);
			frame_build(&a, &in);
			fixture_run_poisoned(f, &in, 0xa5, &o);
			assert_int_equal(o.action, XDP_TX);
			nat_assert_frame(&o.out, &back);
		}
}

#define T4(name) cmocka_unit_test_setup(name, nat_setup)
#define T6(name)                                                                                   \
	{                                                                                          \
#name " (IPv6)", name, nat_setup6, NULL, NULL                                      \
	}
#define T46(name)                                                                                  \
	{                                                                                          \
#name " (IPv4 to IPv6)", name, nat_setup46, NULL, NULL                             \
	}
#define T64(name)                                                                                  \
	{                                                                                          \
#name " (IPv6 to IPv4)", name, nat_setup64, NULL, NULL                             \
	}
#define T(name) T4(name), T6(name)
#define TX(name) T4(name), T6(name), T46(name), T64(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TX(requests_and_replies_are_translated),
		T4(options_and_tags_stay_where_they_belong),
		T46(options_and_tags_stay_where_they_belong),
		T6(extension_headers_stay),
		T64(extension_headers_stay),
		TX(another_address_is_another_connection),
		T4(the_backends_tags_are_put_in_front),
		T4(padding_stays_and_a_tail_goes),
		T4(udp_without_a_checksum_stays_without),
		TX(udp_never_gets_a_checksum_of_zero),
		TX(every_checksum_holds),
		T(masq_keeps_the_client),
		TX(any_port_keeps_its_port),
		TX(others_packets_go_to_the_stack),
		TX(the_clients_router_may_change),
		TX(the_last_hop_is_not_taken),
		T4(what_the_path_does_not_take_is_dropped),
		TX(a_cut_frame_is_never_translated),
		TX(no_byte_stays_unwritten),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
