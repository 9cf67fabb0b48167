/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl_route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "io/nl_wire.h"

struct request {
	struct nlmsghdr header;
	struct rtmsg body;
	struct nlattr dst_header;
	uint8_t dst[16];
};
_Static_assert(sizeof(struct request) == NL_ROUTE_REQUEST_MAX, "no holes");

size_t nl_route_request(void *buffer, const struct addr *a, uint32_t seq)
{
	size_t len = nl_wire_addr_len(a);
	struct request r = {
		.header = {.nlmsg_len = (uint32_t)(offsetof(struct request, dst) + len),
			   .nlmsg_type = RTM_GETROUTE,
			   .nlmsg_flags = NLM_F_REQUEST,
			   .nlmsg_seq = seq},
		.body = {.rtm_family = (unsigned char)nl_wire_family(a),
			 .rtm_dst_len = (unsigned char)(8 * len)},
		.dst_header = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = RTA_DST},
	};

	memcpy(r.dst, a->bytes, len);
	memcpy(buffer, &r, r.header.nlmsg_len);
	return r.header.nlmsg_len;
}

/* ---- answers ----------------------------------------------------------------------------------*/

static int read_error(const struct nlmsghdr *m, struct nl_route *r)
{
	const struct nlmsgerr *e = nlmsg_data(m);

	if (nlmsg_datalen(m) < (int)sizeof(*e))
		return -EINVAL;
	switch (-e->error) {
	case ENETUNREACH:
	case EHOSTUNREACH: /* unreachable */
	case EACCES: /* prohibit */
	case EINVAL: /* blackhole */
	case ENETDOWN:
	case ENODEV:
		*r = (struct nl_route){.kind = NL_ROUTE_NONE};
		return 0;
	default:
		return -EAGAIN;
	}
}

static enum nl_route_kind kind_of(const struct rtmsg *body)
{
	switch (body->rtm_type) {
	case RTN_UNICAST:
		return NL_ROUTE_UNICAST;
	case RTN_LOCAL:
	case RTN_ANYCAST: /* of the kind that routers have on their links: this host */
		return NL_ROUTE_LOCAL;
	case RTN_UNREACHABLE:
	case RTN_BLACKHOLE:
	case RTN_PROHIBIT:
	case RTN_THROW:
		return NL_ROUTE_NONE;
	default:
		return NL_ROUTE_UNSUPPORTED;
	}
}

static struct addr address(int family, const struct nlattr *attr)
{
	return nl_wire_addr(family, nla_data(attr), (size_t)nla_len(attr));
}

static struct addr gateway(int family, struct nlattr *const tb[])
{
	const struct rtvia *via;

	if (tb[RTA_GATEWAY])
		return address(family, tb[RTA_GATEWAY]);
	if (!tb[RTA_VIA] || nla_len(tb[RTA_VIA]) < (int)sizeof(*via))
		return (struct addr){0};
	via = nla_data(tb[RTA_VIA]);
	return nl_wire_addr(via->rtvia_family, via->rtvia_addr,
			    (size_t)nla_len(tb[RTA_VIA]) - sizeof(*via));
}

static uint32_t route_mtu(struct nlattr *metrics)
{
	struct nlattr *tb[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(tb, RTAX_MAX, metrics, NULL) < 0)
		return 0;
	if (!tb[RTAX_MTU] || nla_len(tb[RTAX_MTU]) < 4)
		return 0;
	return nla_get_u32(tb[RTAX_MTU]);
}

static bool expires(const struct nlattr *cacheinfo)
{
	const struct rta_cacheinfo *info;

	if (!cacheinfo || nla_len(cacheinfo) < (int)sizeof(*info))
		return false;
	info = nla_data(cacheinfo);
	return info->rta_expires != 0;
}

static int read_route(const struct nlmsghdr *m, struct nl_route *r)
{
	static const struct nla_policy policy[RTA_MAX + 1] = {
		[RTA_OIF] = {.type = NLA_U32},
		[RTA_METRICS] = {.type = NLA_NESTED},
	};
	const struct rtmsg *body = nlmsg_data(m);
	struct nlattr *tb[RTA_MAX + 1];

	if (nl_wire_attrs(m, sizeof(*body), tb, RTA_MAX, policy) < 0)
		return -EINVAL;
	*r = (struct nl_route){.kind = kind_of(body)};
	if (r->kind == NL_ROUTE_NONE)
		return 0;
	if (tb[RTA_ENCAP] || tb[RTA_NEWDST])
		r->kind = NL_ROUTE_UNSUPPORTED;
	if (tb[RTA_OIF])
		r->ifindex = nla_get_u32(tb[RTA_OIF]);
	if (tb[RTA_PREFSRC])
		r->source = address(body->rtm_family, tb[RTA_PREFSRC]);
	r->via = gateway(body->rtm_family, tb);
	r->mtu = route_mtu(tb[RTA_METRICS]);
	r->expires = expires(tb[RTA_CACHEINFO]);
	return 0;
}

int nl_route_read(const struct nlmsghdr *m, struct nl_route *r)
{
	if (m->nlmsg_type == NLMSG_ERROR)
		return read_error(m, r);
	if (m->nlmsg_type == RTM_NEWROUTE)
		return read_route(m, r);
	return -EINVAL;
}

/* ---- events -----------------------------------------------------------------------------------*/

int nl_route_prefix(const struct nlmsghdr *m, struct addr *prefix, uint8_t *length)
{
	const struct rtmsg *body = nlmsg_data(m);
	struct nlattr *tb[RTA_MAX + 1];
	static const uint8_t any[16];

	if (nl_wire_attrs(m, sizeof(*body), tb, RTA_MAX, NULL) < 0)
		return -EINVAL;
	if ((body->rtm_flags & RTM_F_CLONED) || body->rtm_type == RTN_MULTICAST)
		return -EINVAL;
	if (tb[RTA_DST])
		*prefix = address(body->rtm_family, tb[RTA_DST]);
	else
		*prefix =
			nl_wire_addr(body->rtm_family, any, body->rtm_family == AF_INET6 ? 16 : 4);
	*length = body->rtm_dst_len;
	if (addr_is_none(prefix) || *length > 8 * nl_wire_addr_len(prefix))
		return -EINVAL;
	return 0;
}

bool nl_route_covers(const struct addr *prefix, uint8_t length, const struct addr *a)
{
	size_t whole = length / 8;
	uint8_t mask = (uint8_t)(0xff00 >> length % 8);

	if (a->family != prefix->family || memcmp(a->bytes, prefix->bytes, whole) != 0)
		return false;
	return mask == 0 || ((a->bytes[whole] ^ prefix->bytes[whole]) & mask) == 0;
}
