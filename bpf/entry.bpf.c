// SPDX-License-Identifier: GPL-2.0-only
/* What runs on an interface that shunt shares with other XDP programs: behind libxdp's dispatcher,
 * which takes extension programs only.  It goes on in the packet path, an ordinary program, that so can
 * be exchanged by one write for all such interfaces; where there is none, packets pass. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} entry SEC(".maps");

SEC("xdp")
int shunt_entry(struct xdp_md *ctx)
{
	bpf_tail_call_static(ctx, &entry, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
