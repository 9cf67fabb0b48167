// SPDX-License-Identifier: GPL-2.0-only
/* The packet path and its floors as they are measured.
 *
 * BPF_PROG_TEST_RUN does not restore the packet between the runs of one call.  So every measured
 * program first takes off what its last run put in front, writes the MACs and the TTL anew and gives the
 * packet the next flow's address and ports: restore().  What follows is the same inlined code that
 * shunt_xdp consists of, or, in a floor, the least that could be done.  Floors and cases begin with
 * the same restore(), so their figures compare as they stand; shell_* measure it alone.
 *
 * The address and the ports are written by stores at least as wide as the loads that will read them,
 * since a narrower store would make the next load wait for it. */
#include "../../bpf/shunt.bpf.c"

#include "bench.h"

struct bench_state state;

#define INNER_V4 0
#define INNER_V6 1

static __always_inline void write_flow(void *frame, int is_v6)
{
	__u32 flow = bench_flow(++state.runs, state.flow_mask);

	if (is_v6) {
		*(__u8 *)(frame + BENCH_HOPS6) = BENCH_HOPS;
		*(__u64 *)(frame + BENCH_SADDR6_LOWER) = bench_saddr6(flow);
		*(__u32 *)(frame + BENCH_PORTS6) = bench_ports(flow, state.dport);
	} else {
		*(__u32 *)(frame + BENCH_TTL4) = state.ttl4;
		*(__u64 *)(frame + BENCH_SADDR4) = bench_saddr4(flow) | (__u64)state.daddr << 32;
		*(__u32 *)(frame + BENCH_PORTS4) = bench_ports(flow, state.dport);
	}
}

/* @pushed: what the measured code puts in front of the frame. */
static __always_inline int restore(struct xdp_md *ctx, int pushed, int is_v6)
{
	struct cursor c = cursor_at_start(ctx);
	void *frame;

	if (pushed && (__u32)(c.end - c.pos) != state.frame_len && bpf_xdp_adjust_head(ctx, pushed))
		return -1;
	c = cursor_at_start(ctx);
	frame = take(&c, BENCH_SHORTEST);
	if (!frame)
		return -1;
	*(__u64 *)frame = state.mac_front;
	*(__u64 *)(frame + BENCH_MAC_BACK) = state.mac_back;
	write_flow(frame, is_v6);
	barrier(); /* the parser reads the frame, not what the compiler remembers of it */
	return 0;
}

/* ---- the packet path ---------------------------------------------------------------------------*/

static __always_inline int measured(struct xdp_md *ctx, int pushed, int is_v6)
{
	if (restore(ctx, pushed, is_v6))
		return XDP_ABORTED;
	return packet(ctx);
}

/* A program for each length that may be in front of the frame: a constant, as it is in the floors. */
#define PATH(pushed, version)                                                                      \
	SEC("xdp") int path_##pushed##_v##version(struct xdp_md *ctx)                              \
	{                                                                                          \
		return measured(ctx, pushed, INNER_V##version);                                    \
	}
PATH(0, 4)
PATH(0, 6)
PATH(20, 4)
PATH(24, 4)
PATH(32, 4)
PATH(40, 6)
PATH(44, 6)
PATH(52, 6)

/* ---- floors ------------------------------------------------------------------------------------*/

SEC("xdp")
int floor_null_tx(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

SEC("xdp")
int floor_mac_swap(struct xdp_md *ctx)
{
	struct cursor c;
	__u64 *front;
	__u32 *back;
	__u64 a;

	if (restore(ctx, 0, INNER_V4))
		return XDP_ABORTED;
	c = cursor_at_start(ctx);
	front = take(&c, sizeof(*front));
	if (!front)
		return XDP_ABORTED;
	back = take(&c, sizeof(*back));
	if (!back)
		return XDP_ABORTED;
	a = *front;
	*front = a >> 48 | (__u64)*back << 16 | a << 48;
	*back = a >> 16;
	return XDP_TX;
}

/* The packet parsed, its facts in registers, and nothing done with them: what drops are held to. */
static __always_inline int parse_only(struct xdp_md *ctx, int is_v6)
{
	struct pkt pkt;

	if (restore(ctx, 0, is_v6) || parse(ctx, &pkt))
		return XDP_ABORTED;
	asm volatile("" ::"r"(pkt.saddr[0]), "r"(pkt.daddr[0]), "r"(pkt.ports), "r"(pkt.l3_len));
	asm volatile("" ::"r"(pkt.tos), "r"(pkt.tcp_flags), "r"(pkt.l4_proto), "r"(pkt.ttl));
	if (is_v6)
		asm volatile("" ::"r"(pkt.saddr[1]), "r"(pkt.saddr[2]), "r"(pkt.saddr[3]),
			     "r"(pkt.daddr[1]));
	return XDP_DROP;
}

SEC("xdp")
int floor_parse_v4(struct xdp_md *ctx)
{
	return parse_only(ctx, INNER_V4);
}

SEC("xdp")
int floor_parse_v6(struct xdp_md *ctx)
{
	return parse_only(ctx, INNER_V6);
}

/* Makes room for a tunnel header and writes the Ethernet header. */
static __always_inline int push(struct xdp_md *ctx, int len, __be16 type, struct cursor *c)
{
	struct eth_head *eth;

	if (bpf_xdp_adjust_head(ctx, -len))
		return -1;
	*c = cursor_at_start(ctx);
	eth = take(c, sizeof(*eth));
	if (!eth)
		return -1;
	*eth = (struct eth_head){{2, 0, 1, 2, 0, 2}, type};
	return 0;
}

SEC("xdp")
int floor_encap20(struct xdp_md *ctx)
{
	struct ipv4_head *ip;
	struct cursor c;

	if (restore(ctx, sizeof(*ip), INNER_V4))
		return XDP_ABORTED;
	if (push(ctx, sizeof(*ip), bpf_htons(ETH_P_IP), &c))
		return XDP_ABORTED;
	ip = take(&c, sizeof(*ip));
	if (!ip)
		return XDP_ABORTED;
	*ip = (struct ipv4_head){
		.version_ihl = 0x45,
		.len = bpf_htons(70),
		.ttl = 64,
		.proto = IPPROTO_IPIP,
		.csum = 0x1234,
		.saddr = 0x0100000a,
		.daddr = 0x0200000a,
	};
	return XDP_TX;
}

SEC("xdp")
int floor_encap40(struct xdp_md *ctx)
{
	struct ipv6_head *ip;
	struct cursor c;

	if (restore(ctx, sizeof(*ip), INNER_V6))
		return XDP_ABORTED;
	if (push(ctx, sizeof(*ip), bpf_htons(ETH_P_IPV6), &c))
		return XDP_ABORTED;
	ip = take(&c, sizeof(*ip));
	if (!ip)
		return XDP_ABORTED;
	*ip = (struct ipv6_head){
		.version_class_label = bpf_htonl(6u << 28),
		.payload_len = bpf_htons(70),
		.next = IPPROTO_IPV6,
		.hop_limit = 64,
		.saddr = {0x200d0d20, 1, 2, 3},
		.daddr = {0x200d0d20, 4, 5, 6},
	};
	return XDP_TX;
}

/* ---- what measuring costs ----------------------------------------------------------------------*/

SEC("xdp")
int shell_l2_v4(struct xdp_md *ctx)
{
	return restore(ctx, 0, INNER_V4) ? XDP_ABORTED : XDP_TX;
}

SEC("xdp")
int shell_l2_v6(struct xdp_md *ctx)
{
	return restore(ctx, 0, INNER_V6) ? XDP_ABORTED : XDP_TX;
}

/* With what restore() takes off put there again, or there would be nothing to take off. */
SEC("xdp")
int shell_encap20(struct xdp_md *ctx)
{
	if (restore(ctx, sizeof(struct ipv4_head), INNER_V4))
		return XDP_ABORTED;
	return bpf_xdp_adjust_head(ctx, -(int)sizeof(struct ipv4_head)) ? XDP_ABORTED : XDP_TX;
}

SEC("xdp")
int shell_encap40(struct xdp_md *ctx)
{
	if (restore(ctx, sizeof(struct ipv6_head), INNER_V6))
		return XDP_ABORTED;
	return bpf_xdp_adjust_head(ctx, -(int)sizeof(struct ipv6_head)) ? XDP_ABORTED : XDP_TX;
}
