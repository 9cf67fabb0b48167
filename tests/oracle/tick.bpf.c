/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells the NAT tick that it is, which nothing else tells to user space.  A flow tick is its lower half. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shunt_abi.h"

_Static_assert(SHUNT_NAT_TICK_SHIFT == SHUNT_FLOW_TICK_SHIFT, "one tick for both");

SEC("xdp")
int flow_tick(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_jiffies64() >> SHUNT_NAT_TICK_SHIFT;
}

char LICENSE[] SEC("license") = "GPL";
