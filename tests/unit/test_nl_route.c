/* SPDX-License-Identifier: BSD-2-Clause */
/* Route messages and prefixes, and the sorted set that makes a prefix a range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "io/nl_route.h"
#include "io/nl_set.h"

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, strlen(text), &a), 0);
	return a;
}

/* ---- prefixes ---------------------------------------------------------------------------------*/

static void a_prefix_covers_what_begins_with_it(void **state)
{
	static const struct {
		const char *prefix;
		uint8_t length;
		const char *addr;
		bool covers;
	} rows[] = {
		{"10.0.0.0", 8, "10.255.1.2", true},
		{"10.0.0.0", 8, "11.0.0.0", false},
		{"10.0.0.0", 9, "10.127.0.0", true},
		{"10.0.0.0", 9, "10.128.0.0", false},
		{"10.1.2.3", 32, "10.1.2.3", true},
		{"10.1.2.3", 32, "10.1.2.2", false},
		{"10.1.2.2", 31, "10.1.2.3", true},
		{"192.0.2.1", 0, "10.1.2.3", true},
		{"192.0.2.1", 0, "2001:db8::1", false},
		{"2001:db8::", 32, "2001:db8:9::1", true},
		{"2001:db8::", 33, "2001:db8:8000::1", false},
		{"2001:db8::1", 128, "2001:db8::1", true},
		{"2001:db8::1", 128, "2001:db8::2", false},
		{"2001:db8::1", 127, "2001:db8::", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr prefix = address(rows[i].prefix), a = address(rows[i].addr);

		assert_int_equal(nl_route_covers(&prefix, rows[i].length, &a), rows[i].covers);
	}
}

static int compare(const void *item, const void *key)
{
	return addr_compare(item, key);
}

static void a_set_finds_inserts_and_removes_in_order(void **state)
{
	struct nl_set s = {.compare = compare};
	struct addr a[256];

	(void)state;
	for (uint32_t i = 0; i < 256; i++) {
		a[i] = (struct addr){.family = 4, .bytes = {10, 0, 0, (uint8_t)(i * 37)}};
		assert_null(nl_set_find(&s, &a[i]));
		assert_int_equal(nl_set_insert(&s, &a[i]), 0);
	}
	for (uint32_t i = 0; i < 256; i++) {
		assert_int_equal(((struct addr *)s.items[i])->bytes[3], i);
		assert_ptr_equal(nl_set_find(&s, &a[i]), &a[i]);
	}
	for (uint32_t i = 0; i < 256; i += 2)
		nl_set_remove(&s, &a[i]);
	nl_set_remove(&s, &a[0]);
	assert_int_equal(s.n, 128);
	for (uint32_t i = 0; i < 256; i++)
		assert_ptr_equal(nl_set_find(&s, &a[i]), i % 2 ? &a[i] : NULL);
	nl_set_fini(&s);
}

/* ---- messages ---------------------------------------------------------------------------------*/

static struct nl_msg *route(unsigned char family, unsigned char type, unsigned char dst_len)
{
	struct rtmsg body = {.rtm_family = family, .rtm_type = type, .rtm_dst_len = dst_len};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

	assert_non_null(m);
	nlmsg_append(m, &body, sizeof(body), NLMSG_ALIGNTO);
	return m;
}

static void put_addr(struct nl_msg *m, int type, const char *text)
{
	struct addr a = address(text);

	nla_put(m, type, a.family == 6 ? 16 : 4, a.bytes);
}

static struct nl_route read_back(struct nl_msg *m)
{
	struct nl_route r;

	assert_int_equal(nl_route_read(nlmsg_hdr(m), &r), 0);
	nlmsg_free(m);
	return r;
}

static void an_answer_names_link_gateway_source_and_mtu(void **state)
{
	struct nl_msg *m = route(AF_INET, RTN_UNICAST, 32);
	struct addr via = address("10.0.0.254"), source = address("10.0.0.1");
	struct nlattr *metrics;
	struct nl_route r;

	(void)state;
	nla_put_u32(m, RTA_OIF, 7);
	put_addr(m, RTA_GATEWAY, "10.0.0.254");
	put_addr(m, RTA_PREFSRC, "10.0.0.1");
	metrics = nla_nest_start(m, RTA_METRICS);
	nla_put_u32(m, RTAX_MTU, 1400);
	nla_nest_end(m, metrics);
	r = read_back(m);
	assert_int_equal(r.kind, NL_ROUTE_UNICAST);
	assert_int_equal(r.ifindex, 7);
	assert_int_equal(r.mtu, 1400);
	assert_int_equal(addr_compare(&r.via, &via), 0);
	assert_int_equal(addr_compare(&r.source, &source), 0);
}

static void a_gateway_may_be_of_the_other_family(void **state)
{
	struct nl_msg *m = route(AF_INET, RTN_UNICAST, 32);
	struct addr gateway = address("fe80::1");
	struct {
		uint16_t family;
		uint8_t bytes[16];
	} via = {.family = AF_INET6};
	struct nl_route r;

	(void)state;
	memcpy(via.bytes, gateway.bytes, sizeof(via.bytes));
	nla_put_u32(m, RTA_OIF, 7);
	nla_put(m, RTA_VIA, sizeof(via), &via);
	r = read_back(m);
	assert_int_equal(addr_compare(&r.via, &gateway), 0);
}

static void kinds_of_routes_are_told_apart(void **state)
{
	static const struct {
		unsigned char type;
		enum nl_route_kind kind;
	} rows[] = {
		{RTN_UNICAST, NL_ROUTE_UNICAST},
		{RTN_LOCAL, NL_ROUTE_LOCAL},
		{RTN_ANYCAST, NL_ROUTE_LOCAL},
		{RTN_UNREACHABLE, NL_ROUTE_NONE},
		{RTN_BLACKHOLE, NL_ROUTE_NONE},
		{RTN_PROHIBIT, NL_ROUTE_NONE},
		{RTN_THROW, NL_ROUTE_NONE},
		{RTN_BROADCAST, NL_ROUTE_UNSUPPORTED},
		{RTN_MULTICAST, NL_ROUTE_UNSUPPORTED},
	};
	struct nl_msg *encap = route(AF_INET, RTN_UNICAST, 32);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(read_back(route(AF_INET, rows[i].type, 32)).kind, rows[i].kind);
	nla_put_u32(encap, RTA_ENCAP, 0);
	assert_int_equal(read_back(encap).kind, NL_ROUTE_UNSUPPORTED);
}

static int read_error(int error, struct nl_route *r)
{
	struct nlmsgerr body = {.error = error};
	struct nl_msg *m = nlmsg_alloc_simple(NLMSG_ERROR, 0);
	int ret;

	nlmsg_append(m, &body, sizeof(body), NLMSG_ALIGNTO);
	ret = nl_route_read(nlmsg_hdr(m), r);
	nlmsg_free(m);
	return ret;
}

static void errors_are_no_route_or_no_answer(void **state)
{
	static const int no_route[] = {ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL};
	struct nl_route r;

	(void)state;
	for (size_t i = 0; i < sizeof(no_route) / sizeof(no_route[0]); i++) {
		assert_int_equal(read_error(-no_route[i], &r), 0);
		assert_int_equal(r.kind, NL_ROUTE_NONE);
	}
	assert_int_equal(read_error(-ENOBUFS, &r), -EAGAIN);
	assert_int_equal(read_error(-ENOMEM, &r), -EAGAIN);
}

static void a_changed_route_concerns_its_prefix(void **state)
{
	struct nl_msg *m = route(AF_INET, RTN_UNICAST, 24);
	struct addr prefix, wanted = address("10.1.2.0");
	uint8_t length;

	(void)state;
	put_addr(m, RTA_DST, "10.1.2.0");
	assert_int_equal(nl_route_prefix(nlmsg_hdr(m), &prefix, &length), 0);
	assert_int_equal(addr_compare(&prefix, &wanted), 0);
	assert_int_equal(length, 24);
	nlmsg_free(m);
	m = route(AF_INET6, RTN_UNICAST, 0);
	assert_int_equal(nl_route_prefix(nlmsg_hdr(m), &prefix, &length), 0);
	assert_int_equal(prefix.family, 6);
	assert_int_equal(length, 0);
	nlmsg_free(m);
}

static void messages_that_make_no_sense_concern_nothing(void **state)
{
	static const struct rtmsg bodies[] = {
		{.rtm_family = AF_INET, .rtm_dst_len = 33},
		{.rtm_family = AF_INET6, .rtm_dst_len = 129},
		{.rtm_family = AF_INET, .rtm_flags = RTM_F_CLONED},
		{.rtm_family = 77},
	};
	struct addr prefix;
	uint8_t length;

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

		nlmsg_append(m, (void *)&bodies[i], sizeof(bodies[i]), NLMSG_ALIGNTO);
		assert_int_equal(nl_route_prefix(nlmsg_hdr(m), &prefix, &length), -EINVAL);
		nlmsg_free(m);
	}
}

/* Each message cut at every length is refused or read, never read beyond (SAN=1 sees). */
static void cut_messages_do_no_harm(void **state)
{
	struct nl_msg *m = route(AF_INET, RTN_UNICAST, 32);
	uint32_t len;

	(void)state;
	nla_put_u32(m, RTA_OIF, 7);
	put_addr(m, RTA_DST, "10.0.0.2");
	put_addr(m, RTA_PREFSRC, "10.0.0.1");
	nla_put(m, RTA_VIA, 1, "");
	nla_put(m, RTA_METRICS, 3, "xyz");
	nla_put(m, RTA_CACHEINFO, 3, "xyz");
	len = nlmsg_hdr(m)->nlmsg_len;
	for (uint32_t cut = sizeof(struct nlmsghdr); cut <= len; cut++) {
		struct nlmsghdr *copy = malloc(cut);
		struct nl_route r;
		struct addr prefix;
		uint8_t length;

		memcpy(copy, nlmsg_hdr(m), cut);
		copy->nlmsg_len = cut;
		if (nl_route_read(copy, &r) == 0)
			assert_true(cut >= sizeof(struct nlmsghdr) + sizeof(struct rtmsg));
		(void)!nl_route_prefix(copy, &prefix, &length);
		free(copy);
	}
	nlmsg_free(m);
}

static void a_request_is_as_long_as_it_says(void **state)
{
	char buffer[NL_ROUTE_REQUEST_MAX];
	struct nlmsghdr header;
	struct addr v4 = address("10.0.0.1"), v6 = address("2001:db8::1");

	(void)state;
	assert_int_equal(nl_route_request(buffer, &v4, 5), 36);
	memcpy(&header, buffer, sizeof(header));
	assert_int_equal(header.nlmsg_len, 36);
	assert_int_equal(header.nlmsg_seq, 5);
	assert_int_equal(nl_route_request(buffer, &v6, 6), NL_ROUTE_REQUEST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_covers_what_begins_with_it),
		cmocka_unit_test(a_set_finds_inserts_and_removes_in_order),
		cmocka_unit_test(an_answer_names_link_gateway_source_and_mtu),
		cmocka_unit_test(a_gateway_may_be_of_the_other_family),
		cmocka_unit_test(kinds_of_routes_are_told_apart),
		cmocka_unit_test(errors_are_no_route_or_no_answer),
		cmocka_unit_test(a_changed_route_concerns_its_prefix),
		cmocka_unit_test(messages_that_make_no_sense_concern_nothing),
		cmocka_unit_test(cut_messages_do_no_harm),
		cmocka_unit_test(a_request_is_as_long_as_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
