// SPDX-License-Identifier: GPL-2.0-only
/* For backends: takes the tunnel header off packets for the addresses in decap_local and passes what
 * was inside to the stack.  All else passes untouched: what is not a tunnel packet, what is one for
 * another address, and what comes from somebody whose tunnels we are not told to take, since the stack
 * may have a tunnel with them.  A tunnel packet for us that contradicts itself, or that is a fragment
 * (shunt sends none), is dropped.  VLAN tags stay.
 *
 * ECN is that of RFC 6040, section 4.2: congestion that was marked on the way reaches the packet inside,
 * and ends one that could not bear the mark. */
#include "shunt_decap.h"

#include "csum.h"
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} decap_flags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct shunt_decap_prefix);
	__type(value, __u32);
} decap_only SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct shunt_decap_addr);
	__type(value, struct shunt_decap_traffic);
} decap_sources SEC(".maps");

/* What is learnt of a tunnel packet. */
struct tunnel {
	struct shunt_decap_addr source;
	__u32 all_len; /* of the outer packet */
	__u32 outer_len; /* bytes to take off */
	__u32 inner_max; /* bytes that the outer header says it carries */
	__u8 inner; /* IPPROTO_IPIP or IPPROTO_IPV6 */
	__u8 tos; /* the outer one */
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
	t->tos = ip->tos;
	t->source = (struct shunt_decap_addr){.addr = {ip->saddr}, .family = 4};
	t->outer_len = (ip->version_ihl & 0xf) * 4;
	t->all_len = len = bpf_ntohs(ip->len);
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
	t->tos = bpf_ntohl(ip->version_class_label) >> 20;
	t->source.family = 6;
	for (int i = 0; i < 4; i++)
		t->source.addr[i] = ip->saddr[i];
	t->outer_len = sizeof(*ip);
	t->inner_max = bpf_ntohs(ip->payload_len);
	t->all_len = sizeof(*ip) + t->inner_max;
	if (t->inner_max > bytes_from(c, ip) - sizeof(*ip))
		return SHUNT_DECAP_BAD;
	return SHUNT_DECAP_DECAPPED;
}

/* Whether tunnels are taken from this source. */
static __always_inline int is_allowed(const struct shunt_decap_addr *source)
{
	struct shunt_decap_prefix key = {.family = source->family};
	__u32 zero = 0, *flags = bpf_map_lookup_elem(&decap_flags, &zero);

	if (!flags || !(*flags & SHUNT_DECAP_ONLY))
		return 1;
	key.prefixlen = SHUNT_DECAP_PREFIX_BITS + (source->family == 6 ? 128 : 32);
	for (int i = 0; i < 4; i++)
		key.addr[i] = source->addr[i];
	return bpf_map_lookup_elem(&decap_only, &key) != NULL;
}

static __always_inline void count_source(const struct tunnel *t)
{
	struct shunt_decap_traffic *there = bpf_map_lookup_elem(&decap_sources, &t->source);
	struct shunt_decap_traffic first = {1, t->all_len};

	if (!there) {
		bpf_map_update_elem(&decap_sources, &t->source, &first, BPF_ANY);
		return;
	}
	there->packets++;
	there->bytes += t->all_len;
}

/* The four codepoints, and what becomes of the inner one: RFC 6040, figure 4.  Two bits for each pair,
 * the inner one times four and the outer one. */
#define NOT_ECT 0u
#define ECT1 1u
#define ECT0 2u
#define CE 3u
#define ECN_AT(inner, outer, is) ((is) << ((inner)*4 + (outer)) * 2)
#define ECN_OF(inner, a, b, c, d)                                                                  \
	(ECN_AT(inner, NOT_ECT, a) | ECN_AT(inner, ECT0, b) | ECN_AT(inner, ECT1, c) |             \
	 ECN_AT(inner, CE, d))
#define ECN_TABLE                                                                                  \
	(ECN_OF(NOT_ECT, NOT_ECT, NOT_ECT, NOT_ECT, CE) | ECN_OF(ECT0, ECT0, ECT0, ECT1, CE) |     \
	 ECN_OF(ECT1, ECT1, ECT1, ECT1, CE) | ECN_OF(CE, CE, CE, CE, CE))

/* What the inner codepoint becomes; NOT_ECT that would have to become CE is the caller's to drop. */
static __always_inline __u32 ecn_of(__u32 inner_tos, __u32 outer_tos)
{
	return ECN_TABLE >> ((inner_tos & 3) * 4 + (outer_tos & 3)) * 2 & 3;
}

/* Changes the codepoint in the IPv4 header; the checksum after RFC 1624. */
static __always_inline enum shunt_decap_count ecn_ipv4(struct ipv4_head *ip, __u32 outer_tos)
{
	__u32 ecn = ecn_of(ip->tos, outer_tos), more = ecn ^ (ip->tos & 3);
	__u8 tos = (ip->tos & ~3u) | ecn;

	if (!more)
		return SHUNT_DECAP_DECAPPED;
	if (!(ip->tos & 3))
		return SHUNT_DECAP_ECN;
	ip->csum = csum_change(ip->csum, (__u64)bpf_htons(tos) + (__u16)~bpf_htons(ip->tos));
	ip->tos = tos;
	return SHUNT_DECAP_DECAPPED;
}

static __always_inline enum shunt_decap_count ecn_ipv6(struct ipv6_head *ip, __u32 outer_tos)
{
	__u32 first = bpf_ntohl(ip->version_class_label), tos = first >> 20;
	__u32 ecn = ecn_of(tos, outer_tos);

	if (ecn == (tos & 3))
		return SHUNT_DECAP_DECAPPED;
	if (!(tos & 3))
		return SHUNT_DECAP_ECN;
	ip->version_class_label = bpf_htonl((first & ~(3u << 20)) | ecn << 20);
	return SHUNT_DECAP_DECAPPED;
}

/* Whether the bytes at the cursor are an IP packet of the kind and length that was said; if so it gets
 * the tunnel's congestion mark. */
static __always_inline enum shunt_decap_count inner(struct cursor *c, const struct tunnel *t)
{
	struct ipv4_head *ip4;
	struct ipv6_head *ip6;
	__u32 len;

	if (t->inner == IPPROTO_IPIP) {
		ip4 = take(c, sizeof(*ip4));
		if (!ip4 || ip4->version_ihl >> 4 != 4)
			return SHUNT_DECAP_BAD;
		len = bpf_ntohs(ip4->len);
		if (len < sizeof(*ip4) || len > t->inner_max)
			return SHUNT_DECAP_BAD;
		return ecn_ipv4(ip4, t->tos);
	}
	ip6 = take(c, sizeof(*ip6));
	if (!ip6 || bpf_ntohl(ip6->version_class_label) >> 28 != 6)
		return SHUNT_DECAP_BAD;
	len = sizeof(*ip6) + bpf_ntohs(ip6->payload_len);
	if (len > t->inner_max)
		return SHUNT_DECAP_BAD;
	return ecn_ipv6(ip6, t->tos);
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
	if (result != SHUNT_DECAP_PASSED && !is_allowed(&t.source))
		return SHUNT_DECAP_FOREIGN;
	if (result == SHUNT_DECAP_DECAPPED)
		result = inner(&c, &t);
	if (result == SHUNT_DECAP_DECAPPED)
		result = take_off(ctx, pkt.l2_len, &t);
	if (result == SHUNT_DECAP_DECAPPED)
		count_source(&t);
	return result;
}

SEC("xdp")
int shunt_decap(struct xdp_md *ctx)
{
	__u32 result = decap(ctx);
	__u64 *count = bpf_map_lookup_elem(&decap_counters, &result);

	if (count)
		++*count;
	return result == SHUNT_DECAP_BAD || result == SHUNT_DECAP_ECN ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
