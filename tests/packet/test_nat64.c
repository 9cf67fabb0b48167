/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation between the families: what RFC 7915 has to say beyond addresses and ports.  What holds
 * for every translation is in test_nat.c. */
#include "fixture_nat.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "base/own.h"

#define MOST4 1260 /* bytes of an IPv4 packet without DF */

/* ---- UDP's checksum -----------------------------------------------------------------------------*/

static void udp_without_a_checksum_gets_one(void **state)
{
	struct fixture *f = *state;

	for (uint16_t n = 0; n < 1470; n += n < 600 ? 1 : 97) {
		struct recipe r = nat_request(IPPROTO_UDP, 12345), t;
		struct outcome o;
		struct frame in;

		r.payload = n;
		r.option_words = n % 3;
		r.padding = n < 10 ? 7 : 0;
		if (n + 4u * r.option_words + 28 > WORLD_MTU - 20)
			break;
		frame_build(&r, &in);
		put16(in.bytes + in.l4 + 6, 0);
		fixture_run(f, &in, &o);
		assert_int_equal(o.verdicts, 0);
		t = nat_translated(&r, 1, 12345);
		nat_assert_frame(&o.out, &t);
	}
}

/* The datagram may be shorter than what IP carries (RFC 9868); the rest is not summed up. */
static void a_shorter_datagram_is_summed_up_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t = nat_translated(&r, 1, 12345),
		      shorter;
	struct frame in, out;
	struct outcome o;

	r.payload = t.payload = 100;
	frame_build(&r, &in);
	put16(in.bytes + in.l4 + 4, 8 + 51);
	put16(in.bytes + in.l4 + 6, 0);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdicts, 0);
	shorter = t;
	shorter.payload = 51;
	frame_build(&shorter, &out);
	assert_memory_equal(o.out.bytes + out.l4, out.bytes + out.l4, 8 + 51);
	frame_build(&t, &out);
	assert_int_equal(o.out.len, out.len);
}

static void towards_ipv4_none_is_needed(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345);
	struct outcome o;
	struct frame in;

	frame_build(&r, &in);
	put16(in.bytes + in.l4 + 6, 0);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(get16(o.out.bytes + 14 + 20 + 6), 0);
}

/* ---- what cannot be said ------------------------------------------------------------------------*/

static void a_source_route_is_not_followed(void **state)
{
	static const struct {
		uint8_t options[12];
		enum shunt_verdict verdict; /* SHUNT_GO_ON: forwarded */
	} rows[] = {
		{{1, 131, 11, 4}, SHUNT_DROP_NAT_FAMILY},
		{{131, 7, 4, 10, 0, 0, 1}, SHUNT_DROP_NAT_FAMILY},
		{{1, 1, 137, 7, 4}, SHUNT_DROP_NAT_FAMILY},
		{{7, 7, 4, 0, 0, 0, 0, 137, 3, 3}, SHUNT_DROP_NAT_FAMILY},
		{{131, 7, 8, 10, 0, 0, 1}, SHUNT_GO_ON}, /* used up */
		{{7, 7, 4, 131, 7, 4, 4}, SHUNT_GO_ON}, /* a route's bytes in another option */
		{{0, 131, 7, 4}, SHUNT_GO_ON}, /* behind the end */
		{{148, 4, 0, 0}, SHUNT_GO_ON},
		{{148, 1}, SHUNT_DROP_NAT_FAMILY}, /* lengths that lie */
		{{148, 0}, SHUNT_DROP_NAT_FAMILY},
		{{148, 13}, SHUNT_DROP_NAT_FAMILY},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct recipe r = nat_request(IPPROTO_TCP, 12345), t;
		struct outcome o;
		struct frame in;

		r.option_words = 3;
		frame_build(&r, &in);
		memcpy(in.bytes + in.l3 + 20, rows[i].options, 12);
		fixture_run(f, &in, &o);
		assert_int_equal(o.verdict, rows[i].verdict);
		if (rows[i].verdict)
			continue;
		t = nat_translated(&r, 1, 12345);
		nat_assert_frame(&o.out, &t);
	}
}

/* Its length would stand in the TCP header. */
static void an_option_without_a_length_makes_no_sense(void **state)
{
	for (int kind = 0; kind < 256; kind++) {
		struct recipe r = nat_request(IPPROTO_TCP, 12345);
		struct outcome o;
		struct frame in;

		r.option_words = 10;
		r.sport = 0x0303;
		frame_build(&r, &in);
		in.bytes[in.l4 - 1] = (uint8_t)kind;
		fixture_run(*state, &in, &o);
		assert_int_equal(o.verdict, kind < 2 ? SHUNT_GO_ON : SHUNT_DROP_NAT_FAMILY);
	}
}

static void extension_headers_that_matter_are_not_left_out(void **state)
{
	static const struct {
		uint8_t type, segments_left;
		enum shunt_verdict verdict;
	} rows[] = {
		{IPPROTO_ROUTING, 0, SHUNT_GO_ON},	{IPPROTO_ROUTING, 1, SHUNT_DROP_NAT_FAMILY},
		{IPPROTO_AH, 0, SHUNT_DROP_NAT_FAMILY}, {IPPROTO_HOPOPTS, 1, SHUNT_GO_ON},
		{IPPROTO_DSTOPTS, 1, SHUNT_GO_ON},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (uint8_t before = 0; before < 3; before++) {
			struct recipe r = nat_request(IPPROTO_UDP, 12345), t;
			struct outcome o;
			struct frame in;

			r.n_ext = before + 1;
			memset(r.ext, IPPROTO_DSTOPTS, before);
			memset(r.ext_units, 2, before + 1);
			r.ext[before] = rows[i].type;
			frame_build(&r, &in);
			in.bytes[in.l3 + 40 + 16 * before + 3] = rows[i].segments_left;
			fixture_run(f, &in, &o);
			assert_int_equal(o.verdict, rows[i].verdict);
			if (rows[i].verdict)
				continue;
			t = nat_translated(&r, 1, 12345);
			nat_assert_frame(&o.out, &t);
		}
	}
}

/* ---- sizes --------------------------------------------------------------------------------------*/

/* RFC 7915 section 5.1, RFC 6864 section 4. */
static void what_may_be_cut_up_has_an_id(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t;
	uint16_t ids[8], differ = 0;
	struct outcome o;

	for (uint16_t n = MOST4 - 2; n < MOST4 + 3; n++) {
		r.payload = n - 28;
		nat_forwarded(f, &r, 1, &t);
		assert_int_equal(t.frag, n > MOST4 ? 0x4000 : 0);
	}
	r.payload = 10;
	for (int i = 0; i < 8; i++) {
		nat_arrive(f, &r, &o);
		ids[i] = get16(o.out.bytes + 14 + 4);
		differ += ids[i] != ids[0];
	}
	assert_in_range(differ, 1, 7);
}

static void it_is_the_size_that_leaves_which_must_fit(void **state)
{
	struct fixture *f = *state;
	int headers = nat_family == 4 ? 20 : 40, leaving = 60 - headers;

	for (int i = 0; i < 2; i++) {
		int l4_len = nat_protos[i] == IPPROTO_TCP ? 20 : 8;
		struct recipe r = nat_request(nat_protos[i], 12345), t;

		r.payload = (uint16_t)(WORLD_MTU - leaving - l4_len);
		nat_forwarded(f, &r, 1, &t);
		r.payload++;
		nat_assert_verdict(f, &r, SHUNT_DROP_TOO_BIG);
	}
}

static void masq_does_not_cross(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_TCP, 12345);

	nat_service(f, IPPROTO_TCP, SHUNT_MASQ);
	nat_assert_verdict(f, &r, SHUNT_DROP_BAD_TABLE); /* no configuration says so */
	assert_int_equal(nat_records(f), 0);
}

static void pools_are_of_the_backends_family(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t = nat_translated(&r, 1, 12345);
	struct outcome o;

	f->nat_ctl->pool[7].n = 1;
	memset(f->nat_ctl->pool[7].addr[0], 0x21, 16);
	f->backends[world_row(nat_family, IPPROTO_UDP, WORLD_DSR) + 1].nat_pool = 7;
	memset(t.src, 0x21, nat_backend_family == 4 ? 4 : 16);
	nat_arrive(f, &r, &o);
	nat_assert_frame(&o.out, &t);
	nat_assert_returned(f, &t, &r);
}

/* RFC 7915 sections 4.2 and 5.2: the path's MTU as it is for the sender's own header. */
static void the_sender_is_told_what_fits(void **state)
{
	struct fixture *f = *state;
	bool is4 = nat_family == 4;
	struct recipe r = nat_request(IPPROTO_UDP, 12345);
	uint16_t most = (uint16_t)(is4 ? WORLD_MTU - 20 : WORLD_MTU + 20);
	uint16_t told_at = is4 ? 14 + 20 + 6 : 14 + 40 + 6;
	struct outcome o;

	for (uint32_t i = 0; i < f->cpus; i++)
		f->answers[i] = (struct shunt_answer){.rate = 1, .credit = 1u << 30};
	r.payload = (uint16_t)(most - (is4 ? 20 : 40) - 8);
	nat_arrive(f, &r, &o);
	assert_int_equal(o.verdicts, 0);
	r.payload++;
	nat_arrive(f, &r, &o);
	assert_int_equal(o.verdict, SHUNT_REPLY_TOO_BIG);
	assert_int_equal(get16(o.out.bytes + told_at), most);
}

/* What this thread's loopback, by which all frames come and go, takes of an IP packet. */
static void loopback_takes(int mtu)
{
	struct ifreq link = {.ifr_name = "lo", .ifr_mtu = mtu};
	auto_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(s, SIOCSIFMTU, &link), 0);
}

/* An answer of IPv4 grows on its way to the client: what no longer fits is told to the backend, in the
 * name of whom it had answered, as the size of its own packet. */
static void the_backend_is_told_what_fits_the_client(void **state)
{
	struct fixture *f = *state;
	struct recipe r = nat_request(IPPROTO_UDP, 12345), t, a;
	auto_close int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct outcome o;

	nat_forwarded(f, &r, 1, &t);
	a = nat_answer(&t);
	for (uint32_t i = 0; i < f->cpus; i++)
		f->answers[i] = (struct shunt_answer){.rate = 1, .credit = 1u << 30};
	assert_true(home >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	loopback_takes(1400);
	a.payload = 1400 - 40 - 8;
	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
	a.payload++;
	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_REPLY_TOO_BIG);
	assert_int_equal(o.action, XDP_TX);
	assert_memory_equal(o.out.bytes, a.smac, 6);
	assert_memory_equal(o.out.bytes + 14 + 12, a.dst, 4);
	assert_memory_equal(o.out.bytes + 14 + 16, a.src, 4);
	assert_int_equal(get16(o.out.bytes + 14 + 20), 3 << 8 | 4);
	assert_int_equal(get16(o.out.bytes + 14 + 20 + 6), 1400 - 20);
	memset(f->answers, 0, f->cpus * sizeof(*f->answers));
	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_DROP_TOO_BIG);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
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
		T46(udp_without_a_checksum_gets_one),
		T46(a_shorter_datagram_is_summed_up_to_its_end),
		T64(towards_ipv4_none_is_needed),
		T46(a_source_route_is_not_followed),
		T46(an_option_without_a_length_makes_no_sense),
		T64(extension_headers_that_matter_are_not_left_out),
		T64(what_may_be_cut_up_has_an_id),
		T46(it_is_the_size_that_leaves_which_must_fit),
		T46(the_sender_is_told_what_fits),
		T64(it_is_the_size_that_leaves_which_must_fit),
		T64(the_sender_is_told_what_fits),
		T64(the_backend_is_told_what_fits_the_client),
		T46(masq_does_not_cross),
		T64(masq_does_not_cross),
		T46(pools_are_of_the_backends_family),
		T64(pools_are_of_the_backends_family),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
