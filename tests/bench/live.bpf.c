// SPDX-License-Identifier: GPL-2.0-only
/* Both ends of a veth for bench_live.c, and the least that a forwarder can do there. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "live.h"

struct live_state state;

/* A frame of the next flow, out through the veth to the forwarder.  Every byte is written anew: a
 * buffer comes back as the forwarder left it. */
SEC("xdp")
int generate(struct xdp_md *ctx)
{
	void *frame = (void *)(long)ctx->data;
	__u32 flow = bench_flow(++state.sent, state.flow_mask);
	const __u64 *from = (const void *)state.frame;
	__u64 *to = frame;

	if (frame + LIVE_FRAME > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	for (int i = 0; i < LIVE_FRAME / 8; i++)
		to[i] = from[i];
	*(__u32 *)(frame + BENCH_SADDR4) = bench_saddr4(flow);
	*(__u32 *)(frame + BENCH_PORTS4) = bench_ports(flow, state.dport);
	return bpf_redirect(state.ifindex, 0);
}

SEC("xdp")
int mac_swap(struct xdp_md *ctx)
{
	__u64 *front = (void *)(long)ctx->data;
	__u32 *back = (void *)(front + 1);
	__u64 a;

	if ((void *)(back + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	a = *front;
	*front = a >> 48 | (__u64)*back << 16 | a << 48;
	*back = a >> 16;
	return XDP_TX;
}

/* Counts what comes back with the length and the first bytes that it must have. */
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	const __u64 *front = (void *)(long)ctx->data;

	if ((void *)(front + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	if (ctx->data_end - ctx->data == state.back_len &&
	    (*front & state.back_mask) == state.back_front)
		state.back++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
