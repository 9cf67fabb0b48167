// SPDX-License-Identifier: GPL-2.0-only
/* Tells the daemon the packet path's clock, which nothing else tells user space: the flow tick is what
 * the program returns.  Only ever run by BPF_PROG_TEST_RUN. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shunt_abi.h"

SEC("xdp")
int shunt_tick(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_jiffies64() >> SHUNT_FLOW_TICK_SHIFT & 0xffff;
}

char LICENSE[] SEC("license") = "GPL";
