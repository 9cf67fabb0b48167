/* SPDX-License-Identifier: BSD-2-Clause */
/* Which port and tags frames leave by, with links as the kernel would describe them: VLAN devices
 * need a module that not every kernel has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "io/nl_link.h"

#define UP (IFF_UP | IFF_LOWER_UP)

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

/* ---- messages ---------------------------------------------------------------------------------*/

struct row {
	int ifindex;
	unsigned int flags;
	uint16_t type;
	const char *name;
	uint32_t mtu;
	uint32_t lower; /* 0: not a VLAN device */
	uint16_t id;
	uint16_t proto;
	bool elsewhere; /* lower is in another namespace */
};

static void put_vlan(struct nl_msg *m, const struct row *r)
{
	struct nlattr *info, *data;

	nla_put_u32(m, IFLA_LINK, r->lower);
	if (r->elsewhere)
		nla_put_u32(m, IFLA_LINK_NETNSID, 0);
	info = nla_nest_start(m, IFLA_LINKINFO);
	nla_put_string(m, IFLA_INFO_KIND, "vlan");
	data = nla_nest_start(m, IFLA_INFO_DATA);
	nla_put_u16(m, IFLA_VLAN_ID, r->id);
	nla_put_u16(m, IFLA_VLAN_PROTOCOL, htons(r->proto));
	nla_nest_end(m, data);
	nla_nest_end(m, info);
}

static struct nl_msg *message(const struct row *r)
{
	struct ifinfomsg body = {
		.ifi_type = r->type, .ifi_index = r->ifindex, .ifi_flags = r->flags};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	assert_non_null(m);
	nlmsg_append(m, &body, sizeof(body), NLMSG_ALIGNTO);
	if (r->name)
		nla_put_string(m, IFLA_IFNAME, r->name);
	if (r->mtu)
		nla_put_u32(m, IFLA_MTU, r->mtu);
	nla_put(m, IFLA_ADDRESS, sizeof(mac), mac);
	if (r->lower)
		put_vlan(m, r);
	return m;
}

static void add(struct nl_set *ifaces, const struct row *r)
{
	struct nl_msg *m = message(r);
	struct nl_iface *iface = calloc(1, sizeof(*iface));

	assert_int_equal(nl_iface_read(nlmsg_hdr(m), iface), 0);
	assert_int_equal(nl_set_insert(ifaces, iface), 0);
	nlmsg_free(m);
}

static void clear(struct nl_set *ifaces)
{
	while (ifaces->n > 0)
		free(ifaces->items[--ifaces->n]);
	nl_set_fini(ifaces);
}

/* ---- egress -----------------------------------------------------------------------------------*/

static int egress(const struct row *rows, uint32_t ifindex, struct nl_egress *e, uint32_t *port)
{
	struct nl_set ifaces = {.compare = nl_iface_compare};
	int ret;

	for (; rows->ifindex; rows++)
		add(&ifaces, rows);
	memset(e, 0, sizeof(*e));
	ret = nl_egress_find(&ifaces, ifindex, e);
	*port = e->port ? e->port->ifindex : 0;
	clear(&ifaces);
	return ret;
}

static const struct row plain[] = {
	{.ifindex = 9, .flags = UP, .type = ARPHRD_ETHER, .name = "eth9", .mtu = 1500},
	{.ifindex = 2, .flags = UP, .type = ARPHRD_ETHER, .name = "eth2", .mtu = 1500},
	{.ifindex = 1, .flags = UP | IFF_LOOPBACK, .type = ARPHRD_LOOPBACK, .name = "lo"},
	{.ifindex = 3, .flags = UP, .type = ARPHRD_NONE, .name = "tun0", .mtu = 1400},
	{.ifindex = 4, .flags = IFF_UP, .type = ARPHRD_ETHER, .name = "eth4", .mtu = 1500},
	{0},
};

static void a_plain_link_is_its_own_port(void **state)
{
	struct nl_egress e;
	uint32_t port;

	(void)state;
	assert_int_equal(egress(plain, 2, &e, &port), 0);
	assert_int_equal(port, 2);
	assert_int_equal(e.tags, 0);
	assert_int_equal(e.mtu, 1500);
	assert_true(e.up);
	assert_int_equal(egress(plain, 4, &e, &port), 0);
	assert_false(e.up);
}

static void links_that_carry_no_ethernet_do_not_serve(void **state)
{
	struct nl_egress e;
	uint32_t port;

	(void)state;
	assert_int_equal(egress(plain, 1, &e, &port), -ENOTSUP);
	assert_int_equal(egress(plain, 3, &e, &port), -ENOTSUP);
	assert_int_equal(port, 3);
	assert_int_equal(egress(plain, 77, &e, &port), -ENODEV);
	assert_int_equal(port, 0);
}

static const struct row vlans[] = {
	{.ifindex = 2, .flags = UP, .type = ARPHRD_ETHER, .name = "eth2", .mtu = 9000},
	{.ifindex = 10,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "eth2.100",
	 .mtu = 1500,
	 .lower = 2,
	 .id = 100,
	 .proto = ETH_P_8021Q},
	{.ifindex = 11,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "outer",
	 .mtu = 1504,
	 .lower = 2,
	 .id = 200,
	 .proto = ETH_P_8021AD},
	{.ifindex = 12,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "inner",
	 .mtu = 1600,
	 .lower = 11,
	 .id = 300,
	 .proto = ETH_P_8021Q},
	{.ifindex = 13,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "third",
	 .mtu = 1500,
	 .lower = 12,
	 .id = 400,
	 .proto = ETH_P_8021Q},
	{.ifindex = 14,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "q-in-q",
	 .mtu = 1500,
	 .lower = 10,
	 .id = 500,
	 .proto = ETH_P_8021Q},
	{.ifindex = 15,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "theirs",
	 .mtu = 1500,
	 .lower = 2,
	 .id = 600,
	 .proto = ETH_P_8021Q,
	 .elsewhere = true},
	{.ifindex = 16, .flags = IFF_UP, .type = ARPHRD_ETHER, .name = "down", .mtu = 1500},
	{.ifindex = 17,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "down.700",
	 .mtu = 1500,
	 .lower = 16,
	 .id = 700,
	 .proto = ETH_P_8021Q},
	{.ifindex = 18,
	 .flags = UP,
	 .type = ARPHRD_ETHER,
	 .name = "self",
	 .mtu = 1500,
	 .lower = 18,
	 .id = 800,
	 .proto = ETH_P_8021Q},
	{0},
};

static void a_vlan_device_leads_to_the_port_below_with_its_tag(void **state)
{
	struct nl_egress e;
	uint32_t port;

	(void)state;
	assert_int_equal(egress(vlans, 10, &e, &port), 0);
	assert_int_equal(port, 2);
	assert_int_equal(e.tags, 1);
	assert_int_equal(e.tci[0], 100);
	assert_int_equal(e.mtu, 1500);
	assert_int_equal(egress(vlans, 17, &e, &port), 0);
	assert_false(e.up);
}

static void two_tags_come_outermost_first(void **state)
{
	struct nl_egress e;
	uint32_t port;

	(void)state;
	assert_int_equal(egress(vlans, 12, &e, &port), 0);
	assert_int_equal(port, 2);
	assert_int_equal(e.tags, 2);
	assert_int_equal(e.tci[0], 200);
	assert_int_equal(e.tci[1], 300);
	assert_int_equal(e.mtu, 1504);
}

static void tags_that_cannot_be_written_do_not_serve(void **state)
{
	static const uint32_t bad[] = {11, 13, 14, 15, 18};
	struct nl_egress e;
	uint32_t port;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(egress(vlans, bad[i], &e, &port), -ENOTSUP);
		assert_int_equal(port, bad[i]);
		assert_int_equal(e.tags, 0);
	}
}

/* ---- reading ----------------------------------------------------------------------------------*/

static void what_a_message_leaves_out_stays(void **state)
{
	struct nl_iface iface = {0};
	struct nl_msg *first = message(&plain[0]);
	struct nl_msg *second = message(&(struct row){.ifindex = 9, .type = ARPHRD_ETHER});

	(void)state;
	assert_int_equal(nl_iface_index(nlmsg_hdr(first)), 9);
	assert_int_equal(nl_iface_read(nlmsg_hdr(first), &iface), 0);
	assert_true(iface.seen.up);
	assert_memory_equal(iface.seen.mac, mac, sizeof(mac));
	assert_int_equal(nl_iface_read(nlmsg_hdr(second), &iface), 0);
	assert_false(iface.seen.up);
	assert_string_equal(iface.seen.name, "eth9");
	assert_int_equal(iface.seen.mtu, 1500);
	nlmsg_free(first);
	nlmsg_free(second);
}

static void a_bridges_view_of_its_port_is_not_the_link(void **state)
{
	struct nl_msg *m = message(&plain[0]);
	struct ifinfomsg *body = nlmsg_data(nlmsg_hdr(m));

	(void)state;
	body->ifi_family = AF_BRIDGE;
	assert_int_equal(nl_iface_index(nlmsg_hdr(m)), 0);
	nlmsg_free(m);
}

/* Each message cut at every length is refused or read, never read beyond (SAN=1 sees). */
static void cut_messages_do_no_harm(void **state)
{
	struct nl_msg *m = message(&vlans[3]);
	uint32_t len = nlmsg_hdr(m)->nlmsg_len;

	(void)state;
	for (uint32_t cut = sizeof(struct nlmsghdr); cut <= len; cut++) {
		struct nlmsghdr *copy = malloc(cut);
		struct nl_iface iface = {0};

		memcpy(copy, nlmsg_hdr(m), cut);
		copy->nlmsg_len = cut;
		nl_iface_index(copy);
		if (nl_iface_read(copy, &iface) < 0)
			assert_int_equal(iface.ifindex, 0);
		free(copy);
	}
	nlmsg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_link_is_its_own_port),
		cmocka_unit_test(links_that_carry_no_ethernet_do_not_serve),
		cmocka_unit_test(a_vlan_device_leads_to_the_port_below_with_its_tag),
		cmocka_unit_test(two_tags_come_outermost_first),
		cmocka_unit_test(tags_that_cannot_be_written_do_not_serve),
		cmocka_unit_test(what_a_message_leaves_out_stays),
		cmocka_unit_test(a_bridges_view_of_its_port_is_not_the_link),
		cmocka_unit_test(cut_messages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
