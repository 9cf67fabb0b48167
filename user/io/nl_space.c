/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl_space.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/own.h"
#include "shunt_path.h"

#define INNER "path" /* the end in the namespace */
#define GATEWAY4 0xa9fe0001u /* 169.254.0.1: nobody's, a name for the other end */
#define STEP_US 2000
#define MTU 1400 /* leaves room for every tunnel within Ethernet's 1500 */

const uint8_t nl_space_mac[6] = {0x02, 0, 0, 0, 0, 2};
static const uint8_t host_mac[6] = {0x02, 0, 0, 0, 0, 1};
static const uint8_t gateway6[16] = {0xfe, 0x80, [15] = 1};

/* ---- requests -------------------------------------------------------------------------------------*/

struct asking {
	struct nl_sock *sock;
	struct nl_msg *msg;
};

static void asking_free(struct asking *a)
{
	nlmsg_free(a->msg);
	nl_socket_free(a->sock);
}

/* A request of @type with @header; NULL: no memory, or no socket. */
static bool asking_open(struct asking *a, int type, int flags, const void *header, size_t len)
{
	*a = (struct asking){
		.sock = nl_socket_alloc(),
		.msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags),
	};
	return a->sock && a->msg && nl_connect(a->sock, NETLINK_ROUTE) == 0 &&
	       nlmsg_append(a->msg, (void *)header, len, NLMSG_ALIGNTO) == 0;
}

static int errno_of(int nl_error)
{
	switch (-nl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return -ENODEV;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

/* Sends the request and waits for what the kernel says. @filled: the sum of what nla_put said. */
static int asking_send(struct asking *a, int filled)
{
	int rc = -ENOMEM;

	if (filled == 0) {
		rc = nl_send_auto(a->sock, a->msg);
		rc = errno_of(rc < 0 ? rc : nl_wait_for_ack(a->sock));
	}
	asking_free(a);
	return rc;
}

static int link_up(uint32_t ifindex)
{
	const struct ifinfomsg up = {
		.ifi_index = (int)ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct asking a;
	bool open = asking_open(&a, RTM_NEWLINK, 0, &up, sizeof(up));

	return asking_send(&a, open ? 0 : -1);
}

/* ---- the namespace ----------------------------------------------------------------------------------*/

int nl_space_leave(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return 0;
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) ? -errno : 0;
}

static int wait_for_link(uint32_t *ifindex)
{
	int left = NL_SPACE_WAIT_MS * 1000;

	for (*ifindex = 0; left > 0; left -= STEP_US) {
		*ifindex = if_nametoindex(INNER);
		if (*ifindex)
			return 0;
		usleep(STEP_US);
	}
	return -ETIMEDOUT;
}

/* What the program at the other end rewrites has to be whole. Segments that are left to the device too
 * end with the checksums. */
static int offloads_off(void)
{
	struct ethtool_value off = {.cmd = ETHTOOL_STXCSUM};
	struct ifreq request = {.ifr_data = (void *)&off};
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), INNER);
	return fd < 0 || ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

/* All of the probes' addresses of a family are this namespace's. */
static int route_local(int family, const void *prefix, int len, int bits)
{
	const struct rtmsg header = {.rtm_family = (unsigned char)family,
				     .rtm_dst_len = (unsigned char)bits,
				     .rtm_table = RT_TABLE_LOCAL,
				     .rtm_protocol = RTPROT_STATIC,
				     .rtm_scope = RT_SCOPE_HOST,
				     .rtm_type = RTN_LOCAL};
	struct asking a;
	int filled = -1;

	if (asking_open(&a, RTM_NEWROUTE, NLM_F_CREATE, &header, sizeof(header)))
		filled = nla_put(a.msg, RTA_DST, len, prefix) |
			 nla_put_u32(a.msg, RTA_OIF, if_nametoindex("lo"));
	return asking_send(&a, filled);
}

/* The other end's MAC address is known, and nobody is there who could say it. */
static int neighbour(uint32_t ifindex, int family, const void *gateway, int len)
{
	const struct ndmsg header = {.ndm_family = (unsigned char)family,
				     .ndm_ifindex = (int)ifindex,
				     .ndm_state = NUD_PERMANENT};
	struct asking a;
	int filled = -1;

	if (asking_open(&a, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header)))
		filled = nla_put(a.msg, NDA_DST, len, gateway) |
			 nla_put(a.msg, NDA_LLADDR, sizeof(host_mac), host_mac);
	return asking_send(&a, filled);
}

/* Everything else is behind the veth. */
static int route_out(uint32_t ifindex, int family, const void *gateway, int len)
{
	const struct rtmsg header = {.rtm_family = (unsigned char)family,
				     .rtm_table = RT_TABLE_MAIN,
				     .rtm_protocol = RTPROT_STATIC,
				     .rtm_scope = RT_SCOPE_UNIVERSE,
				     .rtm_type = RTN_UNICAST,
				     .rtm_flags = RTNH_F_ONLINK};
	struct asking a;
	int filled = -1;

	if (asking_open(&a, RTM_NEWROUTE, NLM_F_CREATE, &header, sizeof(header)))
		filled = nla_put(a.msg, RTA_GATEWAY, len, gateway) |
			 nla_put_u32(a.msg, RTA_OIF, ifindex);
	return asking_send(&a, filled);
}

static int settle_family(uint32_t ifindex, int family)
{
	const uint32_t prefix6[4] = SHUNT_PATH_PREFIX6;
	const uint32_t net4 = htonl(SHUNT_PATH_NET4), gateway4 = htonl(GATEWAY4);
	uint32_t net6[4];
	int rc;

	if (family == AF_INET) {
		rc = route_local(family, &net4, sizeof(net4), 8);
		rc = rc ? rc : neighbour(ifindex, family, &gateway4, sizeof(gateway4));
		return rc ? rc : route_out(ifindex, family, &gateway4, sizeof(gateway4));
	}
	for (size_t i = 0; i < 4; i++)
		net6[i] = htonl(prefix6[i]);
	rc = route_local(family, net6, sizeof(net6), 96);
	rc = rc ? rc : neighbour(ifindex, family, gateway6, sizeof(gateway6));
	return rc ? rc : route_out(ifindex, family, gateway6, sizeof(gateway6));
}

int nl_space_settle(void)
{
	uint32_t ifindex;
	int rc = wait_for_link(&ifindex);

	if (rc == 0)
		rc = offloads_off();
	if (rc == 0)
		rc = link_up(if_nametoindex("lo"));
	if (rc == 0)
		rc = link_up(ifindex);
	if (rc == 0)
		rc = settle_family(ifindex, AF_INET);
	if (rc == 0 && access("/proc/net/if_inet6", F_OK) == 0)
		rc = settle_family(ifindex, AF_INET6);
	return rc;
}

/* ---- the daemon's end -------------------------------------------------------------------------------*/

/* The end that is to be in the namespace of @pid. */
static int put_peer(struct nl_msg *msg, pid_t pid)
{
	const struct ifinfomsg header = {0};
	struct nlattr *peer = nla_nest_start(msg, VETH_INFO_PEER);

	if (!peer || nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) ||
	    nla_put_string(msg, IFLA_IFNAME, INNER) ||
	    nla_put_u32(msg, IFLA_NET_NS_PID, (uint32_t)pid) ||
	    nla_put(msg, IFLA_ADDRESS, sizeof(nl_space_mac), nl_space_mac) ||
	    nla_put_u32(msg, IFLA_MTU, MTU))
		return -1;
	return nla_nest_end(msg, peer);
}

static int put_veth(struct nl_msg *msg, const char *name, pid_t pid)
{
	struct nlattr *info, *data;

	if (nla_put_string(msg, IFLA_IFNAME, name) ||
	    nla_put(msg, IFLA_ADDRESS, sizeof(host_mac), host_mac) ||
	    nla_put_u32(msg, IFLA_MTU, MTU))
		return -1;
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (!info || nla_put_string(msg, IFLA_INFO_KIND, "veth"))
		return -1;
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (!data || put_peer(msg, pid))
		return -1;
	return nla_nest_end(msg, data) | nla_nest_end(msg, info);
}

int nl_space_join(pid_t pid, uint32_t *ifindex)
{
	const struct ifinfomsg header = {0};
	char name[IFNAMSIZ];
	struct asking a;
	bool open;
	int rc;

	snprintf(name, sizeof(name), "shuntp%u", (unsigned int)pid % 10000000);
	open = asking_open(&a, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	rc = asking_send(&a, open ? put_veth(a.msg, name, pid) : -1);
	if (rc)
		return rc;
	*ifindex = if_nametoindex(name);
	return *ifindex ? link_up(*ifindex) : -ENODEV;
}

/* A datagram socket that is connected has its source address, and nothing is sent. The destinations are of
 * the ranges for documentation (RFC 5737, RFC 3849). */
static struct addr source_by_route(uint8_t family)
{
	static const struct addr nowhere[] = {
		{.family = 4, .bytes = {203, 0, 113, 1}},
		{.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
	};
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&nowhere[family == 6], 9, &ss);
	auto_close int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&ss, len))
		return (struct addr){0};
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len))
		return (struct addr){0};
	return addr_from_sockaddr(&ss);
}

static struct addr addr_at(const struct ifaddrs *one)
{
	return one->ifa_addr ? addr_from_sockaddr((const void *)one->ifa_addr) : (struct addr){0};
}

/* The name of the interface that has @own; NULL: none. */
static const char *interface_of(const struct ifaddrs *all, const struct addr *own)
{
	for (; all; all = all->ifa_next) {
		struct addr a = addr_at(all);

		if (addr_compare(&a, own) == 0)
			return all->ifa_name;
	}
	return NULL;
}

struct addr nl_space_source(const struct addr *own, uint8_t family)
{
	struct addr found = {0};
	struct ifaddrs *all, *one;
	const char *name;

	if (getifaddrs(&all))
		return source_by_route(family);
	name = addr_is_none(own) ? NULL : interface_of(all, own);
	for (one = all; name && one && addr_is_none(&found); one = one->ifa_next) {
		struct addr a = addr_at(one);

		if (a.family == family && !addr_is_unusable(&a) && strcmp(one->ifa_name, name) == 0)
			found = a;
	}
	freeifaddrs(all);
	return addr_is_none(&found) ? source_by_route(family) : found;
}
