/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors about path probes: one comes to the host's address from whoever it is, quotes the probe as it
 * was on the way, and is made one that quotes what the probing process has sent.  One that quotes a tunnel's
 * header in front of it is left to the stack. */
#ifndef SHUNT_PATH_ERROR_H
#define SHUNT_PATH_ERROR_H

#include "pkt.h"
#include "shunt_path.h"

enum { ICMP_UNREACHABLE = 3, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETER = 12, ICMP6_ERROR_MAX = 4 };

static __always_inline void copy_addr(__be32 to[4], const __be32 from[4])
{
	for (int i = 0; i < 4; i++)
		to[i] = from[i];
}

static __always_inline struct cursor skb_cursor(const struct __sk_buff *skb)
{
	return (struct cursor){(void *)(long)skb->data, (void *)(long)skb->data_end};
}

/* Where things are in an error. */
struct error {
	struct shunt_path_flow flow; /* that is quoted, from its sender's side */
	__be32 host[4]; /* to whom it comes */
	__u32 quoted_at; /* where the quoted IP header is, in bytes from the frame's start on */
	__u32 ports_at;
};

/* Without IP options, and without extension headers. */
struct quoting4 {
	struct ipv4_head ip;
	struct icmp_head icmp;
	struct ipv4_head quoted;
};
struct quoting6 {
	struct ipv6_head ip;
	struct icmp_head icmp;
	struct ipv6_head quoted;
};

#define ERROR_OUTER4 (sizeof(struct eth_head) + sizeof(struct ipv4_head))
#define ERROR_OUTER6 (sizeof(struct eth_head) + sizeof(struct ipv6_head))
#define ERROR_CSUM_AT 2 /* of the ICMP header, which has eight bytes */

static __always_inline int read_quoted_ports(struct cursor *c, struct error *e)
{
	const __u32 *ports = take(c, 8);

	if (!ports || (e->flow.proto != IPPROTO_TCP && e->flow.proto != IPPROTO_UDP))
		return -1;
	e->flow.local_port = *ports;
	e->flow.remote_port = *ports >> 16;
	return 0;
}

static __always_inline int read_error4(struct cursor *c, struct error *e)
{
	const struct quoting4 *in = take(c, sizeof(*in));

	if (!in || in->ip.version_ihl != 0x45 || in->quoted.version_ihl != 0x45 ||
	    in->ip.proto != IPPROTO_ICMP ||
	    (in->ip.frag | in->quoted.frag) & bpf_htons(IPV4_FRAGMENT))
		return -1;
	if (in->icmp.type != ICMP_UNREACHABLE && in->icmp.type != ICMP_TIME_EXCEEDED &&
	    in->icmp.type != ICMP_PARAMETER)
		return -1;
	*e = (struct error){
		.flow = {.local = {in->quoted.saddr},
			 .remote = {in->quoted.daddr},
			 .proto = in->quoted.proto},
		.host = {in->ip.daddr},
		.quoted_at = ERROR_OUTER4 + 8,
		.ports_at = ERROR_OUTER4 + 8 + sizeof(in->quoted),
	};
	return read_quoted_ports(c, e);
}

static __always_inline int read_error6(struct cursor *c, struct error *e)
{
	const struct quoting6 *in = take(c, sizeof(*in));

	if (!in || in->ip.next != IPPROTO_ICMPV6 || !in->icmp.type ||
	    in->icmp.type > ICMP6_ERROR_MAX)
		return -1;
	*e = (struct error){
		.flow = {.proto = in->quoted.next},
		.quoted_at = ERROR_OUTER6 + 8,
		.ports_at = ERROR_OUTER6 + 8 + sizeof(in->quoted),
	};
	copy_addr(e->host, in->ip.daddr);
	copy_addr(e->flow.local, in->quoted.saddr);
	copy_addr(e->flow.remote, in->quoted.daddr);
	return read_quoted_ports(c, e);
}

static __always_inline int read_error(struct __sk_buff *skb, struct error *e)
{
	const int is_v6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	const __u32 len = is_v6 ? ERROR_OUTER6 + 8 + sizeof(struct ipv6_head) + 8
				: ERROR_OUTER4 + 8 + sizeof(struct ipv4_head) + 8;
	const struct eth_head *eth;
	struct cursor c;

	if (!is_v6 && skb->protocol != bpf_htons(ETH_P_IP))
		return -1;
	bpf_skb_pull_data(skb, len);
	c = skb_cursor(skb);
	eth = take(&c, sizeof(*eth));
	if (!eth)
		return -1;
	return is_v6 ? read_error6(&c, e) : read_error4(&c, e);
}

/* IPv4 headers sum to the same before and after, those that are quoted too: of what the ICMP checksum
 * covers the ports alone change it. */
static __always_inline int put_error_addr4(struct __sk_buff *skb, __u32 head_at, __u32 at,
					   __be32 from, __be32 to)
{
	const __u32 csum_at = head_at + __builtin_offsetof(struct ipv4_head, csum);

	if (bpf_l3_csum_replace(skb, csum_at, from, to, 4))
		return -1;
	return bpf_skb_store_bytes(skb, head_at + at, &to, 4, 0);
}

static __always_inline int put_error4(struct __sk_buff *skb, const struct error *e,
				      const struct shunt_path_flow *probe)
{
	const __u32 saddr = __builtin_offsetof(struct ipv4_head, saddr);
	const __u32 daddr = __builtin_offsetof(struct ipv4_head, daddr);
	const __u32 outer = sizeof(struct eth_head);

	return put_error_addr4(skb, outer, daddr, e->host[0], probe->local[0]) ||
	       put_error_addr4(skb, e->quoted_at, saddr, e->flow.local[0], probe->local[0]) ||
	       put_error_addr4(skb, e->quoted_at, daddr, e->flow.remote[0], probe->remote[0]);
}

static __always_inline int put_error_addr6(struct __sk_buff *skb, __u32 at, __be32 from[4],
					   __be32 to[4], __u64 flags)
{
	const __s64 change = bpf_csum_diff(from, 16, to, 16, 0);

	if (bpf_l4_csum_replace(skb, ERROR_OUTER6 + ERROR_CSUM_AT, 0, change, flags))
		return -1;
	return bpf_skb_store_bytes(skb, at, to, 16, 0);
}

static __always_inline int put_error6(struct __sk_buff *skb, struct error *e,
				      struct shunt_path_flow *probe)
{
	const __u32 saddr = __builtin_offsetof(struct ipv6_head, saddr);
	const __u32 daddr = __builtin_offsetof(struct ipv6_head, daddr);

	return put_error_addr6(skb, sizeof(struct eth_head) + daddr, e->host, probe->local,
			       BPF_F_PSEUDO_HDR) ||
	       put_error_addr6(skb, e->quoted_at + saddr, e->flow.local, probe->local, 0) ||
	       put_error_addr6(skb, e->quoted_at + daddr, e->flow.remote, probe->remote, 0);
}

static __always_inline int put_error_ports(struct __sk_buff *skb, const struct error *e,
					   __u32 icmp_at, const struct shunt_path_flow *probe)
{
	const __u32 was = e->flow.local_port | (__u32)e->flow.remote_port << 16;
	const __u32 now = probe->local_port | (__u32)probe->remote_port << 16;

	if (bpf_l4_csum_replace(skb, icmp_at + ERROR_CSUM_AT, was, now, 4))
		return -1;
	return bpf_skb_store_bytes(skb, e->ports_at, &now, 4, 0);
}

static __always_inline int put_error(struct __sk_buff *skb, struct error *e,
				     struct shunt_path_flow *probe)
{
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return put_error6(skb, e, probe) || put_error_ports(skb, e, ERROR_OUTER6, probe);
	return put_error4(skb, e, probe) || put_error_ports(skb, e, ERROR_OUTER4, probe);
}

#endif
