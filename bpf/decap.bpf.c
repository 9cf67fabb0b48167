// SPDX-License-Identifier: GPL-2.0-only
/* For backends: takes the tunnel header off packets for the addresses in decap_local and passes what
 * was inside to the stack.  All else passes untouched: what is not a tunnel packet, and what is one
 * for another address.  A tunnel packet for us that contradicts itself, or that is a fragment (shunt
 * sends none), is dropped.  VLAN tags stay. */
#include "shunt_decap.h"

#include "pkt.h"
#include "parse.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct shunt_decap_addr);
	__type(value, __u32);
} decap_local SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SHUNT_DECAP_COUNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} decap_counters SEC(".maps");

/* What is learnt of a tunnel packet. */
struct tunnel {
	__u32 outer_len; /* bytes to take off */
	__u32 inner_max; /* bytes that the outer header says it carries */
	__u8 inner; /* IPPROTO_IPIP or IPPROTO_IPV6 */
};

static __always_inline int is_tunnel(__u8 proto)
{
	return proto == IPPROTO_IPIP || proto == IPPROTO_IPV6 || proto == IPPROTO_GRE ||
	       proto == IPPROTO_UDP;
}

static __always_inline int is_local(const struct shunt_decap_addr *addr)
{
	return bpf_map_lookup_elem(&decap_local, addr) != NULL;
}

static __always_inline enum shunt_decap_count outer_ipv4(struct cursor *c, struct tunnel *t)
{
	const struct ipv4_head *ip = take(c, sizeof(*ip));
	struct shunt_decap_addr to = {.family = 4};
	__u32 len;

	if (!ip || ip->version_ihl >> 4 != 4 || !is_tunnel(ip->proto))
		return SHUNT_DECAP_PASSED;
	to.addr[0] = ip->daddr;
	if (!is_local(&to))
		return SHUNT_DECAP_PASSED;
	t->inner = ip->proto;
	t->outer_len = (ip->version_ihl & 0xf) * 4;
	len = bpf_ntohs(ip->len);
	if (t->outer_len < sizeof(*ip) || len < t->outer_len || len > bytes_from(c, ip) ||
	    !take(c, t->outer_len - sizeof(*ip)))
		return SHUNT_DECAP_BAD;
	if (ip->frag & bpf_htons(IPV4_FRAGMENT)) /* of UDP and GRE it may be the host's own */
		return ip->proto == IPPROTO_UDP || ip->proto == IPPROTO_GRE ? SHUNT_DECAP_PASSED
									    : SHUNT_DECAP_BAD;
	t->inner_max = len - t->outer_len;
	return SHUNT_DECAP_DECAPPED;
}

static __always_inline enum shunt_decap_count outer_ipv6(struct cursor *c, struct tunnel *t)
{
	const struct ipv6_head *ip = take(c, sizeof(*ip));
	struct shunt_decap_addr to = {.family = 6};

	if (!ip || bpf_ntohl(ip->version_class_label) >> 28 != 6 || !is_tunnel(ip->next))
		return SHUNT_DECAP_PASSED;
	for (int i = 0; i < 4; i++)
		to.addr[i] = ip->daddr[i];
	if (!is_local(&to))
		return SHUNT_DECAP_PASSED;
	t->inner = ip->next;
	t->outer_len = sizeof(*ip);
	t->inner_max = bpf_ntohs(ip->payload_len);
	if (t->inner_max > bytes_from(c, ip) - sizeof(*ip))
		return SHUNT_DECAP_BAD;
	return SHUNT_DECAP_DECAPPED;
}

/* Whether the bytes at the cursor are an IP packet of the kind and length that was said. */
static __always_inline enum shunt_decap_count inner(struct cursor *c, const struct tunnel *t)
{
	const struct ipv4_head *ip4;
	const struct ipv6_head *ip6;
	__u32 len;

	if (t->inner == IPPROTO_IPIP) {
		ip4 = take(c, sizeof(*ip4));
		if (!ip4 || ip4->version_ihl >> 4 != 4)
			return SHUNT_DECAP_BAD;
		len = bpf_ntohs(ip4->len);
		return len < sizeof(*ip4) || len > t->inner_max ? SHUNT_DECAP_BAD
								: SHUNT_DECAP_DECAPPED;
	}
	ip6 = take(c, sizeof(*ip6));
	if (!ip6 || bpf_ntohl(ip6->version_class_label) >> 28 != 6)
		return SHUNT_DECAP_BAD;
	len = sizeof(*ip6) + bpf_ntohs(ip6->payload_len);
	return len > t->inner_max ? SHUNT_DECAP_BAD : SHUNT_DECAP_DECAPPED;
}

/* GUE, variant 0 without flags or with private data behind its header, or variant 1, which is none.
 * Anything else that comes by UDP is not ours. */
static __always_inline enum shunt_decap_count shim_gue(struct cursor *c, struct tunnel *t)
{
	const struct udp_head *udp = take(c, sizeof(*udp));
	__u32 len, private_len;
	const __u8 *gue;

	if (!udp || udp->ports >> 16 != bpf_htons(SHUNT_GUE_PORT))
		return SHUNT_DECAP_PASSED;
	len = bpf_ntohs(udp->len);
	gue = take(c, 4);
	if (len > t->inner_max || len < sizeof(struct gue_head) || !gue)
		return SHUNT_DECAP_BAD;
	t->inner_max = len - sizeof(*udp);
	t->outer_len += sizeof(*udp);
	if (gue[0] >> 6 == 1) {
		c->pos = (void *)gue;
		t->inner = gue[0] >> 4 == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
		return SHUNT_DECAP_DECAPPED;
	}
	if (gue[0] >> 5 || gue[2] || gue[3] || (gue[1] != IPPROTO_IPIP && gue[1] != IPPROTO_IPV6))
		return SHUNT_DECAP_PASSED;
	private_len = (gue[0] & 0x1f) * 4;
	t->inner = gue[1];
	if (4 + private_len > t->inner_max || !take(c, private_len))
		return SHUNT_DECAP_BAD;
	t->inner_max -= 4 + private_len;
	t->outer_len += 4 + private_len;
	return SHUNT_DECAP_DECAPPED;
}

/* GRE (RFC 2784, RFC 2890): checksum, key and sequence number are stepped over. */
static __always_inline enum shunt_decap_count shim_gre(struct cursor *c, struct tunnel *t)
{
	const struct gre_head *gre = take(c, sizeof(*gre));
	__u32 len = sizeof(*gre), flags;

	if (!gre)
		return SHUNT_DECAP_BAD;
	flags = bpf_ntohs(gre->flags);
	if (flags & 0x4c07 ||
	    (gre->type != bpf_htons(ETH_P_IP) && gre->type != bpf_htons(ETH_P_IPV6)))
		return SHUNT_DECAP_PASSED;
	t->inner = gre->type == bpf_htons(ETH_P_IP) ? IPPROTO_IPIP : IPPROTO_IPV6;
	len += 4 * ((flags >> 15 & 1) + (flags >> 13 & 1) + (flags >> 12 & 1));
	if (len > t->inner_max || !take(c, (len - sizeof(*gre)) & 15))
		return SHUNT_DECAP_BAD;
	t->inner_max -= len;
	t->outer_len += len;
	return SHUNT_DECAP_DECAPPED;
}

/* What is between the outer header and the packet. */
static __always_inline enum shunt_decap_count shim(struct cursor *c, struct tunnel *t)
{
	if (t->inner == IPPROTO_UDP)
		return shim_gue(c, t);
	if (t->inner == IPPROTO_GRE)
		return shim_gre(c, t);
	return SHUNT_DECAP_DECAPPED;
}

/* Moves the Ethernet header and its tags back over the outer header, with the inner packet's type,
 * and gives the freed bytes up. */
static __always_inline enum shunt_decap_count take_off(struct xdp_md *ctx, __u32 l2_len,
						       const struct tunnel *t)
{
	__be16 type = t->inner == IPPROTO_IPIP ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	struct eth_head eth, *new_eth;
	struct vlan_tag tag[VLAN_TAGS_MAX], *new_tag;
	const void *from;
	struct cursor c;
	__u32 tags = 0;

	c = cursor_at_start(ctx);
	from = take(&c, sizeof(eth));
	if (!from)
		return SHUNT_DECAP_BAD;
	__builtin_memcpy(&eth, from, sizeof(eth));
	for (; tags < VLAN_TAGS_MAX && sizeof(eth) + tags * sizeof(*tag) < l2_len; tags++) {
		from = take(&c, sizeof(*tag));
		if (!from)
			return SHUNT_DECAP_BAD;
		__builtin_memcpy(&tag[tags], from, sizeof(*tag));
	}
	if (bpf_xdp_adjust_head(ctx, t->outer_len))
		return SHUNT_DECAP_BAD;
	c = cursor_at_start(ctx);
	new_eth = take(&c, sizeof(eth));
	if (!new_eth)
		return SHUNT_DECAP_BAD;
	__builtin_memcpy(new_eth, &eth, sizeof(eth));
	for (__u32 i = 0; i < VLAN_TAGS_MAX && i < tags; i++) {
		new_tag = take(&c, sizeof(*new_tag));
		if (!new_tag)
			return SHUNT_DECAP_BAD;
		*new_tag = tag[i];
		if (i == tags - 1)
			new_tag->type = type;
	}
	if (!tags)
		new_eth->type = type;
	return SHUNT_DECAP_DECAPPED;
}

static __always_inline enum shunt_decap_count decap(struct xdp_md *ctx)
{
	struct cursor c = cursor_at_start(ctx);
	enum shunt_decap_count result;
	struct tunnel t = {0};
	struct pkt pkt;
	__be16 type;

	if (parse_l2(&c, &pkt, &type))
		return SHUNT_DECAP_PASSED;
	if (type == bpf_htons(ETH_P_IP))
		result = outer_ipv4(&c, &t);
	else if (type == bpf_htons(ETH_P_IPV6))
		result = outer_ipv6(&c, &t);
	else
		return SHUNT_DECAP_PASSED;
	if (result == SHUNT_DECAP_DECAPPED)
		result = shim(&c, &t);
	if (result == SHUNT_DECAP_DECAPPED)
		result = inner(&c, &t);
	if (result == SHUNT_DECAP_DECAPPED)
		result = take_off(ctx, pkt.l2_len, &t);
	return result;
}

SEC("xdp")
int shunt_decap(struct xdp_md *ctx)
{
	__u32 result = decap(ctx);
	__u64 *count = bpf_map_lookup_elem(&decap_counters, &result);

	if (count)
		++*count;
	return result == SHUNT_DECAP_BAD ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
