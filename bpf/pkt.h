/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of the frame in hand, and the cursor with which its bytes are reached.  A pointer
 * into the frame lives inside one function; what must outlive bpf_xdp_adjust_head() is here. */
#ifndef SHUNT_PKT_H
#define SHUNT_PKT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shunt_abi.h"

/* Whether this is built to show what @part costs, which is left out then (tests/bench/ablation.h). */
#ifndef WITHOUT
#define WITHOUT(part) 0
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* @x, of which the verifier knows no more than of @unknown: what it had told apart by @x it follows
 * once from here on, not once for each value. */
static __always_inline __u64 forget(__u64 x, __u64 unknown)
{
	asm volatile("%0 ^= %1; %0 ^= %1" : "+r"(x) : "r"(unknown));
	return x;
}

/* Where ways meet again that the verifier cannot tell apart any more: here it compares them, not only at
 * some later branch.  Jumps to what follows, which the kernel takes out. */
static __always_inline void meet(void)
{
	asm volatile("goto +0; goto +0");
}

/* 1 if @a < @b, for small numbers; without a branch, or the verifier would follow every combination
 * of the ways through a loop (barrier_var() keeps clang from finding that there could be one). */
static __always_inline __u64 is_less(__u64 a, __u64 b)
{
	__u64 is = a - b;

	barrier_var(is);
	is >>= 63;
	barrier_var(is);
	return is;
}

/* @a if @first is 1, @b if it is 0; without a branch. */
static __always_inline __u32 either(__u32 a, __u32 b, __u32 first)
{
	first = -first;
	barrier_var(first);
	return b ^ ((a ^ b) & first);
}

struct pkt {
	__be32 saddr[4]; /* as on the wire; IPv4 in [0], the rest undefined */
	__u64 daddr[2]; /* in memory order; IPv4 in the lower half of [0], the rest undefined */
	__u64 hash; /* of the flow, as struct shunt_settings says */
	union {
		struct {
			__u32 ports; /* source and destination port, in memory order */
			__be32 seq; /* TCP: sequence number; UDP: length and checksum */
		};
		__u64 ports_seq; /* both, read and written by one instruction */
	};
	__u32 row; /* of the chosen backend; of the service when there is none */
	union {
		__u32 egress; /* ifindex behind which the next hop is */
		__u32 is_v6_word; /* till then, after parse(): is_v6 in a word, of which the verifier keeps
				   * what is in it, so that it follows a packet only as of its family */
	};
	__u16 l2_len; /* bytes in front of the IP header */
	__u8 l4_proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 is_v6;
	__u8 tos; /* type of service or traffic class: DSCP and ECN */
	__u8 tcp_flags; /* as on the wire; 0 of UDP */
	__u8 new_flow; /* to be counted as a flow */
	__u8 ttl; /* or hop limit, as it came */
	__u32 l3_len; /* bytes of the IP packet as its header says; what follows is padding */
	__u32 pad;
};
_Static_assert(sizeof(struct pkt) == 72, "a packet's facts are nine words");

/* Where the next header starts, and the frame's end. */
struct cursor {
	void *pos;
	void *end;
};

static __always_inline struct cursor cursor_at_start(const struct xdp_md *ctx)
{
	return (struct cursor){(void *)(long)ctx->data, (void *)(long)ctx->data_end};
}

/* The next @len bytes, on which the cursor moves; NULL when the frame ends before.  The one bounds
 * check of the packet path. */
static __always_inline void *take(struct cursor *c, __u32 len)
{
	void *at = c->pos;

	if (unlikely(at + len > c->end))
		return NULL;
	c->pos = at + len;
	return at;
}

/* ---- headers, with the fields that are looked at.  The kernel's struct ethhdr is packed, which
 * makes clang load it byte by byte. */

struct eth_head {
	__be16 mac[6]; /* destination, source */
	__be16 type;
};

struct vlan_tag {
	__be16 tci;
	__be16 type;
};

struct ipv4_head {
	__u8 version_ihl;
	__u8 tos;
	__be16 len;
	__be16 id;
	__be16 frag;
	__u8 ttl;
	__u8 proto;
	__be16 csum;
	__be32 saddr;
	__be32 daddr;
};
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET 0x1fff /* in units of 8 bytes */

struct ipv6_head {
	__be32 version_class_label;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	__be32 saddr[4];
	__be32 daddr[4];
};

struct tcp_head {
	__u32 ports;
	__be32 seq;
	__be32 ack;
	__u8 offset; /* upper half: header length in words */
	__u8 flags;
	__be16 window;
	__be16 csum;
	__be16 urgent;
};
#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_SYN_BIT 1
#define TCP_RST_BIT 2
#define TCP_ACK_BIT 4

/* 1: SYN without ACK. */
static __always_inline __u32 tcp_is_syn(__u8 flags)
{
	return flags >> TCP_SYN_BIT & ~flags >> TCP_ACK_BIT & 1;
}

/* 1: FIN or RST. */
static __always_inline __u32 tcp_ends(__u8 flags)
{
	return (flags | flags >> TCP_RST_BIT) & TCP_FIN;
}

static __always_inline __u32 pkt_is_syn(const struct pkt *pkt)
{
	return tcp_is_syn(pkt->tcp_flags);
}

/* Of IPv6. */
struct frag_head {
	__u8 next;
	__u8 reserved;
	__be16 offset; /* in bytes, but for the lowest bits */
	__be32 id;
};
#define IPV6_MORE_FRAGMENTS 1
#define IPV6_OFFSET 0xfff8

struct icmp_head {
	__u8 type;
	__u8 code;
	__be16 csum;
	__be32 rest; /* by type */
};

struct udp_head {
	__u32 ports;
	__be16 len;
	__be16 csum;
};

struct gue_head {
	struct udp_head udp;
	__u8 hlen; /* upper two bits: variant; next: control; the rest: words behind this header */
	__u8 proto; /* of what follows */
	__be16 flags;
};

struct gre_head {
	__be16 flags;
	__be16 type; /* of what follows, as Ethernet's */
};

#endif
