/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "io/nl_wire.h"

#define VLAN_VID_MASK 0x0fff

int nl_iface_compare(const void *iface, const void *ifindex)
{
	uint32_t a = ((const struct nl_iface *)iface)->ifindex, b = *(const uint32_t *)ifindex;

	return a < b ? -1 : a > b;
}

uint32_t nl_iface_index(const struct nlmsghdr *m)
{
	const struct ifinfomsg *body = nlmsg_data(m);

	if (nlmsg_datalen(m) < (int)sizeof(*body) || body->ifi_family != AF_UNSPEC)
		return 0;
	return (uint32_t)body->ifi_index;
}

static void read_vlan(struct nlattr *info, struct nl_iface *iface)
{
	struct nlattr *data[IFLA_VLAN_MAX + 1];

	if (nla_parse_nested(data, IFLA_VLAN_MAX, info, NULL) < 0)
		return;
	if (data[IFLA_VLAN_ID] && nla_len(data[IFLA_VLAN_ID]) >= 2)
		iface->vlan_id = nla_get_u16(data[IFLA_VLAN_ID]) & VLAN_VID_MASK;
	if (data[IFLA_VLAN_PROTOCOL] && nla_len(data[IFLA_VLAN_PROTOCOL]) >= 2)
		iface->vlan_proto = ntohs(nla_get_u16(data[IFLA_VLAN_PROTOCOL]));
}

static void read_kind(struct nlattr *linkinfo, struct nl_iface *iface)
{
	static const struct nla_policy policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = {.type = NLA_STRING},
	};
	struct nlattr *info[IFLA_INFO_MAX + 1];

	if (nla_parse_nested(info, IFLA_INFO_MAX, linkinfo, (struct nla_policy *)policy) < 0 ||
	    !info[IFLA_INFO_KIND])
		return;
	iface->vlan = nla_strcmp(info[IFLA_INFO_KIND], "vlan") == 0;
	iface->bond = nla_strcmp(info[IFLA_INFO_KIND], "bond") == 0;
	if (iface->vlan && info[IFLA_INFO_DATA])
		read_vlan(info[IFLA_INFO_DATA], iface);
}

static void read_attrs(struct nlattr *const tb[], struct nl_iface *iface)
{
	struct nl_link *seen = &iface->seen;

	if (tb[IFLA_IFNAME]) {
		memset(seen->name, 0, sizeof(seen->name));
		nla_strlcpy(seen->name, tb[IFLA_IFNAME], sizeof(seen->name));
	}
	if (tb[IFLA_MTU])
		seen->mtu = nla_get_u32(tb[IFLA_MTU]);
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == (int)sizeof(seen->mac))
		memcpy(seen->mac, nla_data(tb[IFLA_ADDRESS]), sizeof(seen->mac));
	if (tb[IFLA_LINK])
		iface->lower = nla_get_u32(tb[IFLA_LINK]);
	if (tb[IFLA_LINK_NETNSID])
		iface->lower = 0;
	iface->master = tb[IFLA_MASTER] ? nla_get_u32(tb[IFLA_MASTER]) : 0;
	if (tb[IFLA_LINKINFO])
		read_kind(tb[IFLA_LINKINFO], iface);
}

int nl_iface_read(const struct nlmsghdr *m, struct nl_iface *iface)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = {.type = NLA_STRING},	[IFLA_MTU] = {.type = NLA_U32},
		[IFLA_LINK] = {.type = NLA_U32},	[IFLA_MASTER] = {.type = NLA_U32},
		[IFLA_LINKINFO] = {.type = NLA_NESTED},
	};
	const struct ifinfomsg *body = nlmsg_data(m);
	struct nlattr *tb[IFLA_MAX + 1];

	if (nl_wire_attrs(m, sizeof(*body), tb, IFLA_MAX, policy) < 0)
		return -EINVAL;
	iface->ifindex = iface->seen.ifindex = (uint32_t)body->ifi_index;
	iface->seen.up = (body->ifi_flags & IFF_UP) && (body->ifi_flags & IFF_LOWER_UP);
	iface->ethernet = body->ifi_type == ARPHRD_ETHER && !(body->ifi_flags & IFF_LOOPBACK);
	read_attrs(tb, iface);
	return 0;
}

/* ---- egress -----------------------------------------------------------------------------------*/

/* The packet path writes 802.1Q for one tag, and 802.1ad outside 802.1Q for two. */
static bool tag_writable(const struct nl_iface *vlan, unsigned int already_inside)
{
	return vlan->vlan_proto == (already_inside ? ETH_P_8021AD : ETH_P_8021Q);
}

static void enter(struct nl_egress *e, const struct nl_iface *iface)
{
	e->port = iface;
	e->up = e->up && iface->seen.up;
	if (iface->seen.mtu < e->mtu)
		e->mtu = iface->seen.mtu;
}

int nl_egress_find(const struct nl_set *ifaces, uint32_t ifindex, struct nl_egress *out)
{
	const struct nl_iface *iface = nl_set_find(ifaces, &ifindex);
	struct nl_egress none = {.upper = iface, .port = iface};
	struct nl_egress e = {.upper = iface, .mtu = UINT32_MAX, .up = true};

	if (!iface)
		return -ENODEV;
	*out = none;
	for (; iface && iface->vlan; iface = nl_set_find(ifaces, &iface->lower)) {
		if (e.tags == 2 || !tag_writable(iface, e.tags))
			return -ENOTSUP;
		e.tci[1] = e.tci[0];
		e.tci[0] = iface->vlan_id;
		e.tags++;
		enter(&e, iface);
	}
	if (!iface || !iface->ethernet)
		return -ENOTSUP;
	enter(&e, iface);
	*out = e;
	return 0;
}
