/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/own.h"
#include "io/host.h"

struct host_net {
	struct mnl_socket *rt;
	int control; /* for ethtool */
	uint32_t seq;
	char buffer[32768] __attribute__((aligned(8)));
};

struct host_net *host_net_open(void)
{
	struct host_net *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->rt = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	h->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (h->rt && mnl_socket_bind(h->rt, 0, MNL_SOCKET_AUTOPID) == 0)
		return h;
	host_net_close(h);
	return NULL;
}

void host_net_close(struct host_net *h)
{
	if (!h)
		return;
	if (h->rt)
		mnl_socket_close(h->rt);
	if (h->control >= 0)
		close(h->control);
	free(h);
}

/* Sends what stands in @m and hands what comes back to @fn. Returns 0 or -errno. */
static int ask(struct host_net *h, struct nlmsghdr *m, mnl_cb_t fn, void *arg)
{
	ssize_t n;
	int ret = MNL_CB_OK;

	m->nlmsg_seq = ++h->seq;
	if (mnl_socket_sendto(h->rt, m, m->nlmsg_len) < 0)
		return -errno;
	while (ret > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(h->rt, h->buffer, sizeof(h->buffer));
		if (n < 0)
			return -errno;
		ret = mnl_cb_run(h->buffer, (size_t)n, h->seq, mnl_socket_get_portid(h->rt), fn,
				 arg);
		if (ret == MNL_CB_OK && !(m->nlmsg_flags & NLM_F_DUMP))
			break; /* one answer, without an end */
	}
	return ret < 0 ? -errno : 0;
}

/* ---- links --------------------------------------------------------------------------------------*/

static int read_xdp(const struct nlattr *a, void *arg)
{
	struct doctor_interface *i = arg;

	if (mnl_attr_get_type(a) == IFLA_XDP_PROG_ID)
		i->program = mnl_attr_get_u32(a);
	if (mnl_attr_get_type(a) == IFLA_XDP_ATTACHED)
		i->program_is_generic = mnl_attr_get_u8(a) == XDP_ATTACHED_SKB;
	return MNL_CB_OK;
}

static int read_link(const struct nlmsghdr *m, void *arg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(m);
	struct doctor_interface *i = arg;
	const struct nlattr *a;

	i->exists = true;
	i->up = (link->ifi_flags & IFF_UP) && (link->ifi_flags & IFF_RUNNING);
	mnl_attr_for_each (a, m, sizeof(*link)) {
		if (mnl_attr_get_type(a) == IFLA_MTU)
			i->mtu = mnl_attr_get_u32(a);
		else if (mnl_attr_get_type(a) == IFLA_XDP)
			mnl_attr_parse_nested(a, read_xdp, i);
	}
	return MNL_CB_OK;
}

static void ask_link(struct host_net *h, struct doctor_interface *i)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);

	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_REQUEST;
	mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(m, IFLA_IFNAME, i->name);
	(void)ask(h, m, read_link, i);
}

struct above {
	int ifindex;
	bool found;
};

/* A VLAN device that stands on it. */
static int read_above(const struct nlmsghdr *m, void *arg)
{
	struct above *above = arg;
	const struct nlattr *a, *kind;
	bool on_it = false, vlan = false;

	mnl_attr_for_each (a, m, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(a) == IFLA_LINK)
			on_it = mnl_attr_get_u32(a) == (uint32_t)above->ifindex;
		if (mnl_attr_get_type(a) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested (kind, a)
			vlan |= mnl_attr_get_type(kind) == IFLA_INFO_KIND &&
				strcmp(mnl_attr_get_str(kind), "vlan") == 0;
	}
	above->found |= on_it && vlan;
	return MNL_CB_OK;
}

static bool has_vlans(struct host_net *h, const char *name)
{
	char buffer[256] __attribute__((aligned(8)));
	struct above above = {.ifindex = (int)if_nametoindex(name)};
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);

	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(m, sizeof(struct ifinfomsg));
	(void)ask(h, m, read_above, &above);
	return above.found;
}

/* ---- drivers ------------------------------------------------------------------------------------*/

static bool ask_driver(const struct host_net *h, const char *name, void *data)
{
	struct ifreq request = {.ifr_data = data};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return h->control >= 0 && ioctl(h->control, SIOCETHTOOL, &request) == 0;
}

static bool is_on(const struct host_net *h, const char *name, uint32_t what, uint32_t bits)
{
	struct ethtool_value value = {.cmd = what};

	return ask_driver(h, name, &value) && (value.data & bits);
}

static void ask_queues(const struct host_net *h, struct doctor_interface *i)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};

	if (!ask_driver(h, i->name, &c))
		return;
	i->combined = c.max_combined > 0;
	i->rx_queues = c.combined_count + c.rx_count;
	i->rx_queues_max = i->combined ? c.max_combined : c.max_rx;
}

static int strictest(const char *name)
{
	char path[64];
	int all = host_sysctl("net/ipv4/conf/all/rp_filter"), own;

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", name);
	own = host_sysctl(path);
	return own > all ? own : all;
}

void host_interface(struct host_net *h, struct doctor_interface *i)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};

	ask_link(h, i);
	if (!i->exists)
		return;
	if (ask_driver(h, i->name, &driver))
		snprintf(i->driver, sizeof(i->driver), "%.31s", driver.driver);
	i->lro = is_on(h, i->name, ETHTOOL_GFLAGS, ETH_FLAG_LRO);
	i->gro = is_on(h, i->name, ETHTOOL_GGRO, 1);
	i->takes_tags = is_on(h, i->name, ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN);
	i->has_vlans = i->takes_tags && has_vlans(h, i->name);
	ask_queues(h, i);
	i->rp_filter = strictest(i->name);
}

/* ---- routes -------------------------------------------------------------------------------------*/

static int read_metrics(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == RTAX_MTU)
		((struct host_route *)arg)->mtu = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static void read_address(const struct nlattr *a, struct addr *out)
{
	const bool four = mnl_attr_get_payload_len(a) == 4;

	out->family = four ? 4 : 6;
	memcpy(out->bytes, mnl_attr_get_payload(a), four ? 4 : 16);
}

static int read_route(const struct nlmsghdr *m, void *arg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(m);
	struct host_route *out = arg;
	const struct nlattr *a;

	out->local = route->rtm_type == RTN_LOCAL;
	out->found = out->local || route->rtm_type == RTN_UNICAST;
	out->on_link = true;
	mnl_attr_for_each (a, m, sizeof(*route)) {
		switch (mnl_attr_get_type(a)) {
		case RTA_OIF:
			if_indextoname(mnl_attr_get_u32(a), out->link);
			break;
		case RTA_GATEWAY:
			read_address(a, &out->gateway);
			out->on_link = false;
			break;
		case RTA_VIA:
			out->on_link = false;
			break;
		case RTA_PREFSRC:
			read_address(a, &out->source);
			break;
		case RTA_METRICS:
			mnl_attr_parse_nested(a, read_metrics, out);
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

void host_route(struct host_net *h, const struct addr *to, struct host_route *out)
{
	char buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *m = mnl_nlmsg_put_header(buffer);
	struct doctor_interface i = {0};
	struct rtmsg *route;

	*out = (struct host_route){0};
	m->nlmsg_type = RTM_GETROUTE;
	m->nlmsg_flags = NLM_F_REQUEST;
	route = mnl_nlmsg_put_extra_header(m, sizeof(*route));
	route->rtm_family = to->family == 4 ? AF_INET : AF_INET6;
	route->rtm_dst_len = addr_bits(to);
	mnl_attr_put(m, RTA_DST, addr_bits(to) / 8u, to->bytes);
	if (ask(h, m, read_route, out) < 0 || out->mtu || !out->link[0])
		return;
	memcpy(i.name, out->link, sizeof(i.name));
	ask_link(h, &i);
	out->mtu = i.mtu;
}
