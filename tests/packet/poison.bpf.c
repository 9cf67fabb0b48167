/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet path behind a headroom that is not zero, as a driver's is not: the kernel's test runner
 * zeroes it, which hides header bytes that are never written. */
#include "pkt.h"

#define POISON_LEN 128

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} packet_path SEC(".maps");

__u64 poison = 0xa5a5a5a5a5a5a5a5ull;

SEC("xdp")
int shunt_poisoned(struct xdp_md *ctx)
{
	struct cursor c;
	__u64 *room;

	if (bpf_xdp_adjust_head(ctx, -POISON_LEN))
		return XDP_ABORTED;
	c = cursor_at_start(ctx);
	room = take(&c, POISON_LEN);
	if (!room)
		return XDP_ABORTED;
	for (__u32 i = 0; i < POISON_LEN / sizeof(*room); i++)
		room[i] = poison;
	if (!bpf_xdp_adjust_head(ctx, POISON_LEN))
		bpf_tail_call(ctx, &packet_path, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "GPL";
