/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet path behind a headroom that is not zero, as a driver's is not: the kernel's test runner
 * zeroes it, which hides header bytes that are never written. */
#include "../../bpf/shunt.bpf.c"

#define POISON_LEN 128
#define POISON 0xa5a5a5a5a5a5a5a5ull

SEC("xdp")
int shunt_poisoned(struct xdp_md *ctx)
{
	struct cursor c;
	struct pkt pkt;
	__u64 *room;

	if (bpf_xdp_adjust_head(ctx, -POISON_LEN))
		return XDP_ABORTED;
	c = cursor_at_start(ctx);
	room = take(&c, POISON_LEN);
	if (!room)
		return XDP_ABORTED;
	for (__u32 i = 0; i < POISON_LEN / sizeof(*room); i++)
		room[i] = POISON;
	if (bpf_xdp_adjust_head(ctx, POISON_LEN))
		return XDP_ABORTED;
	return finish(ctx, &pkt, steer(ctx, &pkt));
}
