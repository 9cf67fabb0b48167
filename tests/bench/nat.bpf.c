// SPDX-License-Identifier: GPL-2.0-only
/* The packet path with translation, as it is measured: like bench.bpf.c, but every packet is given its
 * whole tuple from a table, since translation leaves nothing of it. */
#include "../../bpf/shunt.bpf.c"

#include "bench.h"
#include "nat.h"

struct nat_bench bench;

SHUNT_ARRAY(tuples4, struct nat_tuple4, NAT_BENCH_TUPLES);
SHUNT_ARRAY(tuples6, struct nat_tuple6, NAT_BENCH_TUPLES);

/* @pushed: what the measured code puts in front of the frame.  NULL, or the frame. */
static __always_inline void *restore_l2(struct xdp_md *ctx, int pushed)
{
	struct cursor c = cursor_at_start(ctx);
	void *frame;

	if (pushed && (__u32)(c.end - c.pos) != bench.frame_len && bpf_xdp_adjust_head(ctx, pushed))
		return NULL;
	c = cursor_at_start(ctx);
	frame = take(&c, BENCH_SHORTEST);
	if (!frame)
		return NULL;
	*(__u64 *)frame = bench.mac_front;
	*(__u64 *)(frame + BENCH_MAC_BACK) = bench.mac_back;
	return frame;
}

static __always_inline int restore4(struct xdp_md *ctx, int pushed)
{
	void *frame = restore_l2(ctx, pushed);
	__u32 at = ++bench.runs & bench.mask;
	const struct nat_tuple4 *t = bpf_map_lookup_elem(&tuples4, &at);

	if (!frame || !t)
		return -1;
	*(__u32 *)(frame + BENCH_TTL4) = bench.ttl4;
	*(__u64 *)(frame + BENCH_SADDR4) = t->addrs;
	*(__u32 *)(frame + BENCH_PORTS4) = t->ports;
	barrier();
	return 0;
}

static __always_inline int restore6(struct xdp_md *ctx, int pushed)
{
	void *frame = restore_l2(ctx, pushed);
	__u32 at = ++bench.runs & bench.mask;
	const struct nat_tuple6 *t = bpf_map_lookup_elem(&tuples6, &at);

	if (!frame || !t)
		return -1;
	*(__u8 *)(frame + BENCH_HOPS6) = BENCH_HOPS;
	for (int i = 0; i < 4; i++)
		*(__u64 *)(frame + BENCH_SADDR6_LOWER - 8 + 8 * i) = t->addrs[i];
	*(__u32 *)(frame + BENCH_PORTS6) = t->ports;
	barrier();
	return 0;
}

#define PATH(name, restored)                                                                       \
	SEC("xdp") int name(struct xdp_md *ctx)                                                    \
	{                                                                                          \
		return restored ? XDP_ABORTED : packet(ctx);                                       \
	}
PATH(plain4, restore4(ctx, 0))
PATH(plain6, restore6(ctx, 0))
PATH(tunnel4, restore4(ctx, sizeof(struct ipv4_head)))
PATH(tunnel6, restore6(ctx, sizeof(struct ipv6_head)))

/* What that costs without a packet path. */
SEC("xdp")
int shell4(struct xdp_md *ctx)
{
	return restore4(ctx, 0) ? XDP_ABORTED : XDP_TX;
}

SEC("xdp")
int shell6(struct xdp_md *ctx)
{
	return restore6(ctx, 0) ? XDP_ABORTED : XDP_TX;
}
