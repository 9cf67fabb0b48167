/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops of watched addresses: routes, links, many at a time, lost events. */
#include "nl_world.h"

/* ---- addresses --------------------------------------------------------------------------------*/

static void watching_reports_nothing_by_itself_and_then_the_mac(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");
	struct nl_nexthop nh;
	char mac[18];

	assert_int_equal(s->reports, 0);
	assert_int_equal(nl_nexthop(s->nl, &a, &nh), 0);
	assert_int_equal(nh.state, NL_RESOLVING);
	mac_of("vb", mac);
	print_message("# resolved in %ld us\n",
		      (long)expect(s, (struct wanted){a, NL_RESOLVED, mac, "va", 1500, "10.9.0.1"},
				   SECOND));
	assert_int_equal(addr_compare(&s->last_addr, &a), 0);
	assert_int_equal(s->last.tags, 0);
}

static void an_ipv6_address_resolves(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "fd09::2");
	char mac[18];

	mac_of("vb", mac);
	expect(s, (struct wanted){a, NL_RESOLVED, mac, "va", 1500, "fd09::1"}, SECOND);
}

static void source_mac_is_the_links(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");
	struct nl_link link;

	expect(s, (struct wanted){a, NL_RESOLVED, NULL, "va", 0, NULL}, SECOND);
	assert_int_equal(nl_link_by_name(s->nl, "va", &link), 0);
	assert_memory_equal(link.mac, s->last.smac, 6);
	assert_int_equal(link.ifindex, s->last.ifindex);
	assert_true(link.up);
	assert_int_equal(nl_link_by_name(s->nl, "nosuch", &link), -ENODEV);
}

static void an_address_behind_a_gateway_gets_the_gateways_mac(void **state)
{
	struct seen *s = *state;
	struct addr v4, v6, mixed;
	char mac[18];

	mac_of("vb", mac);
	run("ip route add 10.70.0.0/16 via 10.9.0.2 && ip -6 route add fd70::/64 via fd09::2");
	run("ip route add 10.71.0.0/16 via inet6 fd09::2");
	v4 = watch(s, "10.70.1.1");
	v6 = watch(s, "fd70::1");
	mixed = watch(s, "10.71.1.1");
	expect(s, (struct wanted){v4, NL_RESOLVED, mac, "va", 1500, "10.9.0.1"}, SECOND);
	expect(s, (struct wanted){v6, NL_RESOLVED, mac, "va", 1500, "fd09::1"}, SECOND);
	expect(s, (struct wanted){mixed, NL_RESOLVED, mac, "va", 1500, NULL}, SECOND);
	run("ip route del 10.70.0.0/16 && ip -6 route del fd70::/64 && ip route del 10.71.0.0/16");
	expect(s, (struct wanted){v4, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){mixed, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
}

static void routes_that_lead_nowhere_are_no_route(void **state)
{
	static const char *const kinds[] = {"unreachable", "blackhole", "prohibit"};
	struct seen *s = *state;
	struct addr v4 = watch(s, "10.72.0.1"), v6 = watch(s, "fd72::1");

	expect(s, (struct wanted){v4, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	run("ip route add 10.72.0.0/16 via 10.9.0.2 && ip -6 route add fd72::/64 via fd09::2");
	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	for (size_t i = 0; i < 3; i++) {
		run("ip route add %s 10.72.0.1/32 && ip -6 route add %s fd72::1/128", kinds[i],
		    kinds[i]);
		expect(s, (struct wanted){v4, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
		expect(s, (struct wanted){v6, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
		run("ip route del %s 10.72.0.1/32 && ip -6 route del %s fd72::1/128", kinds[i],
		    kinds[i]);
		expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
		expect(s, (struct wanted){v6, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	}
	run("ip route del 10.72.0.0/16 && ip -6 route del fd72::/64");
}

static void this_hosts_own_addresses_are_local(void **state)
{
	struct seen *s = *state;
	struct addr v4 = watch(s, "10.9.0.1"), v6 = watch(s, "fd09::1");
	struct addr later = watch(s, "10.9.0.77");

	expect(s, (struct wanted){v4, NL_LOCAL, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_LOCAL, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){later, NL_RESOLVING, NULL, "va", 0, NULL}, SECOND);
	run("ip addr add 10.9.0.77/32 dev lo");
	expect(s, (struct wanted){later, NL_LOCAL, NULL, NULL, 0, NULL}, SECOND);
	run("ip addr del 10.9.0.77/32 dev lo");
	expect(s, (struct wanted){later, NL_RESOLVING, NULL, "va", 0, NULL}, SECOND);
}

static void links_without_ethernet_are_unsupported(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.73.0.1");

	run("ip tuntap add mode tun name tu && ip link set tu up && ip route add 10.73.0.0/16 dev "
	    "tu");
	expect(s, (struct wanted){a, NL_UNSUPPORTED, NULL, "tu", 0, NULL}, SECOND);
	run("ip link del tu");
	expect(s, (struct wanted){a, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
}

/* ---- links and routes -------------------------------------------------------------------------*/

static void a_link_that_goes_down_is_seen_and_comes_back(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");
	struct wanted up = {a, NL_RESOLVED, NULL, "va", 0, NULL};
	struct nl_link link;

	expect(s, up, SECOND);
	run_there("ip link set vb down");
	expect(s, (struct wanted){a, NL_LINK_DOWN, NULL, "va", 0, NULL}, SECOND);
	assert_int_equal(nl_link_by_name(s->nl, "va", &link), 0);
	assert_false(link.up);
	assert_true(s->links > 0);
	assert_false(s->last_link.up);
	run_there("ip link set vb up");
	expect(s, up, 2 * SECOND);
	run("ip link set va down");
	expect(s, (struct wanted){a, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	run("ip link set va up");
	expect(s, up, 2 * SECOND);
}

static bool resolved_at_all(struct seen *s, const void *arg)
{
	(void)arg;
	return s->last.state == NL_RESOLVED;
}

static void a_mac_from_before_the_link_went_down_is_not_believed(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");
	const char *mac;

	expect(s, (struct wanted){a, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	run_there("ip link set vb down");
	expect(s, (struct wanted){a, NL_LINK_DOWN, NULL, NULL, 0, NULL}, SECOND);
	mac = change_mac(false);
	run_there("ip link set vb up");
	assert_true(until(s, resolved_at_all, NULL, 2 * PATIENCE * SECOND) >= 0);
	assert_true(is_mac(s->last.dmac, mac));
}

static bool is_gone(struct seen *s, const void *arg)
{
	(void)arg;
	return s->gone == 1;
}

static void a_link_that_comes_back_under_its_name_is_used_again(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.8.0.2");
	struct nl_link before, after;

	expect(s, (struct wanted){a, NL_RESOLVED, NULL, "vc", 0, NULL}, SECOND);
	assert_int_equal(nl_link_by_name(s->nl, "vc", &before), 0);
	run("ip link del vc");
	expect(s, (struct wanted){a, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	assert_true(until(s, is_gone, NULL, PATIENCE * SECOND) >= 0);
	assert_int_equal(nl_link_by_name(s->nl, "vc", &after), -ENODEV);
	make_link("vc", "vd");
	run("ip addr add 10.8.0.1/24 dev vc");
	run_there("ip addr add 10.8.0.2/24 dev vd");
	expect(s, (struct wanted){a, NL_RESOLVED, NULL, "vc", 0, NULL}, 2 * SECOND);
	assert_int_equal(nl_link_by_name(s->nl, "vc", &after), 0);
	assert_int_not_equal(before.ifindex, after.ifindex);
	assert_int_equal(s->last.ifindex, after.ifindex);
}

static void a_better_route_takes_over_and_gives_back(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");
	char direct[18], other[18];

	mac_of("vb", direct);
	mac_of("vd", other);
	expect(s, (struct wanted){a, NL_RESOLVED, direct, "va", 0, NULL}, SECOND);
	run("ip route add 10.9.0.2/32 via 10.8.0.2");
	expect(s, (struct wanted){a, NL_RESOLVED, other, "vc", 0, "10.8.0.1"}, SECOND);
	run("ip route del 10.9.0.2/32");
	expect(s, (struct wanted){a, NL_RESOLVED, direct, "va", 0, "10.9.0.1"}, SECOND);
	/* One that does not is no news. */
	s->reports = 0;
	run("ip route add 10.9.0.0/16 via 10.8.0.2");
	idle(s, 100000);
	run("ip route del 10.9.0.0/16");
	idle(s, 100000);
	assert_int_equal(s->reports, 0);
}

static void a_rule_that_leads_elsewhere_is_followed(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");

	run("ip route add default via 10.8.0.2 table 77");
	expect(s, (struct wanted){a, NL_RESOLVED, NULL, "va", 0, NULL}, SECOND);
	run("ip rule add to 10.9.0.2 lookup 77");
	expect(s, (struct wanted){a, NL_RESOLVED, NULL, "vc", 0, NULL}, SECOND);
	run("ip rule del to 10.9.0.2 lookup 77");
	expect(s, (struct wanted){a, NL_RESOLVED, NULL, "va", 0, NULL}, SECOND);
}

static void the_mtu_is_the_smaller_of_link_and_route(void **state)
{
	struct seen *s = *state;
	struct addr v4, v6;

	run("ip route add 10.74.0.0/16 via 10.9.0.2 mtu 1400");
	run("ip -6 route add fd74::/64 via fd09::2 mtu 1300");
	v4 = watch(s, "10.74.0.1");
	v6 = watch(s, "fd74::1");
	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 1400, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_RESOLVED, NULL, NULL, 1300, NULL}, SECOND);
	run("ip route change 10.74.0.0/16 via 10.9.0.2 mtu 1350");
	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 1350, NULL}, SECOND);
	run("ip link set va mtu 1320");
	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 1320, NULL}, SECOND);
	run("ip link set va mtu 1500");
	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 1350, NULL}, SECOND);
	run("ip route del 10.74.0.0/16 && ip -6 route del fd74::/64");
}

/* ---- many -------------------------------------------------------------------------------------*/

#define MANY 2000

struct crowd {
	uint32_t first; /* the addresses' last 16 bits begin here */
	enum nl_state state;
	const char *mac;
};

static struct addr member(uint32_t i)
{
	return (struct addr){.family = 4, .bytes = {10, 77, (uint8_t)(i >> 8), (uint8_t)i}};
}

static bool all_are(struct seen *s, const void *arg)
{
	const struct crowd *c = arg;

	for (uint32_t i = 0; i < MANY; i++) {
		struct addr a = member(i);
		struct nl_nexthop nh;

		if (nl_nexthop(s->nl, &a, &nh) < 0 || nh.state != c->state ||
		    (c->mac && !is_mac(nh.dmac, c->mac)))
			return false;
	}
	return true;
}

static void two_thousand_behind_one_gateway_move_together(void **state)
{
	struct crowd nowhere = {.state = NL_NO_ROUTE}, resolved = {.state = NL_RESOLVED};
	struct seen *s = *state;
	int tries = 0;
	int64_t us;

	run("ip route add 10.77.0.0/16 via 10.9.0.3");
	for (uint32_t i = 0; i < MANY; i++) {
		struct addr a = member(i * 7919 % MANY); /* in no order */

		assert_int_equal(nl_watch(s->nl, &a), 0);
	}
	us = until(s, all_are, &resolved, PATIENCE * SECOND);
	print_message("# %d resolved in %ld us\n", MANY, (long)us);
	assert_true(us >= 0);
	do { /* a machine that has much to do may let some wait */
		resolved.mac = change_mac(true);
		us = until(s, all_are, &resolved, 50000);
		idle(s, us < 0 ? SECOND : 0);
	} while (us < 0 && ++tries < 5);
	print_message("# %d followed a MAC in %ld us\n", MANY, (long)us);
	assert_true(us >= 0);
	run("ip route del 10.77.0.0/16");
	us = until(s, all_are, &nowhere, PATIENCE * SECOND);
	print_message("# %d lost their route in %ld us\n", MANY, (long)us);
	assert_true(us >= 0);
	for (uint32_t i = 0; i < MANY; i++) {
		struct addr a = member(i);

		nl_unwatch(s->nl, &a);
	}
}

static void lost_events_are_made_up_for(void **state)
{
	struct seen *s = *state;
	struct addr route = watch(s, "10.75.0.1"), neigh = watch(s, "10.9.0.60");
	struct nl_link link;

	expect(s, (struct wanted){route, NL_NO_ROUTE, NULL, NULL, 0, NULL}, SECOND);
	/* Far more than the socket holds while nobody reads: the rest of this comes after it. */
	run("for i in $(seq 0 29999); do echo route add 10.$((100+i/65536)).$((i/256%%256))."
	    "$((i%%256))/32 dev vc; done | ip -batch -");
	run("ip link set va down && ip link set va name vz && ip link set vz up");
	run("ip neigh replace 10.9.0.60 lladdr 02:00:00:00:00:60 dev vz nud permanent");
	run("ip route add 10.75.0.0/16 via 10.8.0.2");
	run("ip link add vlost type veth peer name vlost2");
	expect(s, (struct wanted){neigh, NL_RESOLVED, "02:00:00:00:00:60", "vz", 0, NULL},
	       9 * SECOND);
	expect(s, (struct wanted){route, NL_RESOLVED, NULL, "vc", 0, NULL}, 9 * SECOND);
	assert_int_equal(nl_link_by_name(s->nl, "vlost", &link), 0);
	run("ip route flush dev vc proto boot scope link");
	run("ip link del vlost && ip link set vz down && ip link set vz name va && ip link set va "
	    "up");
	run("ip route del 10.75.0.0/16");
	expect(s, (struct wanted){route, NL_NO_ROUTE, NULL, NULL, 0, NULL}, 9 * SECOND);
	expect(s, (struct wanted){neigh, NL_NO_NEIGHBOUR, NULL, "va", 0, NULL}, 9 * SECOND);
	assert_int_equal(nl_link_by_name(s->nl, "vlost", &link), -ENODEV);
}

/* ---- contract ---------------------------------------------------------------------------------*/

static void watches_are_counted(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.2");
	struct nl_nexthop nh;

	watch(s, "10.9.0.2");
	nl_unwatch(s->nl, &a);
	assert_int_equal(nl_nexthop(s->nl, &a, &nh), 0);
	nl_unwatch(s->nl, &a);
	assert_int_equal(nl_nexthop(s->nl, &a, &nh), -ENOENT);
	nl_unwatch(s->nl, &a);
	idle(s, 50000);
	assert_int_equal(s->reports, 0);
}

static void end_watch_in_report(void *arg, const struct addr *a, const struct nl_nexthop *nh)
{
	struct seen *s = arg;
	struct addr other = address("10.9.0.3");

	s->reports++;
	s->last = *nh;
	nl_unwatch(s->nl, a);
	if (addr_compare(a, &other) != 0)
		assert_int_equal(nl_watch(s->nl, &other), 0);
}

static bool twice(struct seen *s, const void *arg)
{
	(void)arg;
	return s->reports == 2;
}

static void a_report_may_end_its_watch_and_begin_another(void **state)
{
	struct seen *s = *state;
	struct nl_events events = {.nexthop = end_watch_in_report, .arg = s};
	struct nl_nexthop nh;
	struct addr a = address("10.9.0.3");

	nl_shutdown(s->nl);
	assert_int_equal(nl_open(s->base, &events, &s->nl), 0);
	watch(s, "10.9.0.2");
	assert_true(until(s, twice, NULL, PATIENCE * SECOND) >= 0);
	assert_int_equal(nl_nexthop(s->nl, &a, &nh), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(watching_reports_nothing_by_itself_and_then_the_mac),
		story(an_ipv6_address_resolves),
		story(source_mac_is_the_links),
		story(an_address_behind_a_gateway_gets_the_gateways_mac),
		story(routes_that_lead_nowhere_are_no_route),
		story(this_hosts_own_addresses_are_local),
		story(links_without_ethernet_are_unsupported),
		story(a_link_that_goes_down_is_seen_and_comes_back),
		story(a_mac_from_before_the_link_went_down_is_not_believed),
		story(a_link_that_comes_back_under_its_name_is_used_again),
		story(a_better_route_takes_over_and_gives_back),
		story(a_rule_that_leads_elsewhere_is_followed),
		story(the_mtu_is_the_smaller_of_link_and_route),
		story(two_thousand_behind_one_gateway_move_together),
		story(lost_events_are_made_up_for),
		story(watches_are_counted),
		story(a_report_may_end_its_watch_and_begin_another),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
