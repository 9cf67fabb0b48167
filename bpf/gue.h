/* SPDX-License-Identifier: GPL-2.0-only */
/* The UDP checksum of GUE over IPv6.
 *
 * It covers the packet inside, byte by byte, but a packet's own checksums say what its bytes sum up
 * to: an IPv4 header to nothing, and a TCP segment or UDP datagram to what its pseudo header lacks.
 * So the sum follows from a few header fields.  If the packet is broken, the tunnel's checksum is
 * wrong as well, and the backend drops the one for the other.  Only what has no checksum over all of
 * it is read from end to end: UDP without one, UDP shorter than its packet, fragments, other
 * protocols, and packets with IPv6 extension headers. */
#ifndef SHUNT_GUE_H
#define SHUNT_GUE_H

#include "csum.h"
#include "encap.h"
#include "parse.h"
#include "pkt.h"

#define SUM_UNKNOWN 0x10000u /* beside a sum of 16 bits */
#define SUM_CHUNK 512 /* what the kernel takes at a time */
#define SUM_BYTES_MAX (18 * SUM_CHUNK) /* longer packets are not read */

/* Whether the @len bytes at the cursor have a checksum of their own over all of them. */
static __always_inline int is_summed(struct cursor *c, __u8 proto, __u32 len)
{
	const struct udp_head *udp;

	if (proto == IPPROTO_TCP)
		return 1;
	if (proto != IPPROTO_UDP)
		return 0;
	udp = take(c, sizeof(*udp));
	return udp && udp->csum && bpf_ntohs(udp->len) == len;
}

static __always_inline __u32 sum_by_ipv4(struct cursor *c, __u32 len)
{
	const struct ipv4_head *ip = take(c, sizeof(*ip));
	__u32 header_len, l4_len;

	if (!ip || ip->frag & bpf_htons(IPV4_FRAGMENT))
		return SUM_UNKNOWN;
	header_len = (ip->version_ihl & 0xf) * 4;
	l4_len = len - header_len;
	if (header_len < sizeof(*ip) || header_len > len || !take(c, header_len - sizeof(*ip)) ||
	    !is_summed(c, ip->proto, l4_len))
		return SUM_UNKNOWN;
	return 0xffff ^
	       csum_add_up((__u64)ip->saddr + ip->daddr + bpf_htons(ip->proto) + bpf_htons(l4_len));
}

/* The addresses and the length stand in the header and in the pseudo header, so they cancel out; the
 * hop limit is one less by the time that the packet leaves. */
static __always_inline __u32 sum_by_ipv6(struct cursor *c)
{
	const struct ipv6_head *ip = take(c, sizeof(*ip));
	__u32 not_next;

	if (!ip || !is_summed(c, ip->next, bpf_ntohs(ip->payload_len)))
		return SUM_UNKNOWN;
	not_next = 0xffff ^ bpf_htons(ip->next);
	return csum_add_up((__u64)ip->version_class_label + ip->next + ((ip->hop_limit - 1) << 8) +
			   not_next);
}

/* What has been read. */
struct summing {
	__u32 at; /* from the frame's start on */
	__u32 left;
	__u64 sum;
};

/* Adds as many bytes as @chunk divides, at most @times. */
static __always_inline int sum_chunks(struct xdp_md *ctx, struct summing *s, __u32 chunk, int times)
{
	struct cursor c = cursor_at_start(ctx);
	__u32 at = forget(s->at, s->left); /* or the verifier would follow every start */
	void *bytes;

	if (at > L2_LEN_MAX + SUM_BYTES_MAX || !take(&c, at))
		return -1;
	for (int i = 0; i < times && s->left >= chunk; i++) {
		bytes = take(&c, chunk);
		if (!bytes)
			return -1;
		s->sum += (__u32)bpf_csum_diff(NULL, 0, bytes, chunk, 0);
		at += chunk;
		s->left -= chunk;
	}
	s->at = at;
	return 0;
}

/* Adds up to three bytes, the frame's last ones. */
static __always_inline int sum_rest(struct xdp_md *ctx, struct summing *s)
{
	struct cursor c = cursor_at_start(ctx);
	__u32 at = forget(s->at, s->left);
	const __u8 *byte;

	if (at > L2_LEN_MAX + SUM_BYTES_MAX || !take(&c, at))
		return -1;
	for (__u32 i = 0; i < 3 && i < s->left; i++) {
		barrier_var(c.pos); /* or clang makes one check of all three */
		byte = take(&c, 1);
		if (!byte)
			return -1;
		s->sum += (__u32)*byte << (i & 1) * 8;
	}
	return 0;
}

static __always_inline __u32 sum_by_bytes(struct xdp_md *ctx, __u32 at, __u32 len, int is_v6)
{
	struct summing s = {.at = at, .left = len};

	if (len > SUM_BYTES_MAX || sum_chunks(ctx, &s, SUM_CHUNK, SUM_BYTES_MAX / SUM_CHUNK) ||
	    sum_chunks(ctx, &s, 128, 3) || sum_chunks(ctx, &s, 32, 3) ||
	    sum_chunks(ctx, &s, 4, 7) || sum_rest(ctx, &s))
		return SUM_UNKNOWN;
	return csum_add_up(s.sum + (is_v6 ? 0xffff ^ 0x0100 : 0)); /* one hop less */
}

/* The sum, in memory order, of the @len bytes of IP packet @at bytes into the frame, as they will be
 * with one hop less; SUM_UNKNOWN.  By its headers, and by all of its bytes: global functions, so that
 * the verifier checks them once. */
__noinline __u32 packet_sum(struct xdp_md *ctx, __u32 at, __u32 len, __u32 is_v6)
{
	struct cursor c = cursor_at_start(ctx);

	if (at > L2_LEN_MAX || !take(&c, at))
		return SUM_UNKNOWN;
	return is_v6 ? sum_by_ipv6(&c) : sum_by_ipv4(&c, len);
}

__noinline __u32 packet_sum_all(struct xdp_md *ctx, __u32 at, __u32 len, __u32 is_v6)
{
	return sum_by_bytes(ctx, at, len, is_v6);
}

enum sum_how {
	SUM_QUICKLY, /* by headers only: what else there is is another stage's */
	SUM_ALL,
};

/* The checksum for the tunnel's UDP header, to be asked before the frame is changed.  Over IPv4 it is
 * 0 (RFC 768) and, over IPv6, by configuration and for what is too long to read (RFC 6935).
 * SUM_UNKNOWN: SUM_ALL would know it. */
static __always_inline __u32 gue_csum(struct xdp_md *ctx, const struct pkt *pkt,
				      const struct shunt_backend *be, enum sum_how how)
{
	__u32 sum;
	__u16 csum;

	sum = packet_sum(ctx, pkt->l2_len, pkt->l3_len, pkt->is_v6);
	if (sum == SUM_UNKNOWN && how == SUM_QUICKLY)
		return SUM_UNKNOWN;
	if (sum == SUM_UNKNOWN)
		sum = packet_sum_all(ctx, pkt->l2_len, pkt->l3_len, pkt->is_v6);
	if (sum == SUM_UNKNOWN)
		return 0;
	sum += be->outer_csum + bpf_htons(shunt_gue_port_of(pkt->hash));
	sum += 2 * bpf_htons(pkt->l3_len + sizeof(struct gue_head));
	csum = ~csum_add_up(sum);
	return csum ? csum : 0xffff;
}

#endif
