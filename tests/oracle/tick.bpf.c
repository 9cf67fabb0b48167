/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells how many jiffies it is, which nothing else tells to user space. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shunt_abi.h"

/* A NAT tick, of which a flow tick is the lower half. */
_Static_assert(SHUNT_NAT_TICK_SHIFT == SHUNT_FLOW_TICK_SHIFT, "one tick for both");

__u64 jiffies;

SEC("xdp")
int tell(struct xdp_md *ctx)
{
	(void)ctx;
	jiffies = bpf_jiffies64();
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
