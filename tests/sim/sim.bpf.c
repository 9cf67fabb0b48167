// SPDX-License-Identifier: GPL-2.0-only
/* The packet path as it is shipped, but for the clock, which the simulation sets: its time passes as fast
 * as the packets can be sent.  Each run takes the next packet of the batch, writes it over the frame
 * and notes which backend it was sent to.  sim_lru does the same with the usual way to remember flows. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "batch.h"

struct sim_state state;
struct sim_packet batch[SIM_BATCH];
__u16 lru_slots[SIM_BATCH]; /* a table without transitions */

static __attribute__((always_inline)) __u64 sim_jiffies(void)
{
	return ((volatile struct sim_state *)&state)->jiffies;
}
#define bpf_jiffies64 sim_jiffies
#include "../../bpf/shunt.bpf.c"

#define AT_TTL 22 /* with protocol and checksum */
#define AT_SADDR 26
#define AT_DADDR 30
#define AT_PORTS 34
#define AT_FLAGS 47
#define TTL_AND_TCP 0x0640u

/* Global functions, so that the verifier looks at them once and not for each packet of a batch. */
__noinline int ours_packet(struct xdp_md *ctx)
{
	struct sim_packet *p = &batch[state.at++ % SIM_BATCH];
	struct cursor c = cursor_at_start(ctx);
	__u8 *frame = take(&c, SIM_FRAME);
	int action;

	if (!frame)
		return XDP_ABORTED;
	*(__u64 *)frame = 0;
	*(__u32 *)(frame + AT_TTL) = TTL_AND_TCP;
	*(__u64 *)(frame + AT_SADDR) = p->saddr | (__u64)state.daddr << 32;
	*(__u32 *)(frame + AT_PORTS) = p->ports;
	frame[AT_FLAGS] = p->flags;
	barrier();
	action = packet(ctx);
	c = cursor_at_start(ctx);
	frame = take(&c, SIM_FRAME);
	p->backend = frame && action == XDP_TX ? frame[5] : 0;
	return action;
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct sim_flow);
	__type(value, __u32);
	__uint(max_entries, 1);
} lru SEC(".maps");

#define FLAG_SYN 2

/* As a balancer does that trusts a table of all flows: what is in it is followed, unless it is a SYN;
 * what is not goes by the hash and is noted, up to a rate. */
__noinline int lru_packet(struct xdp_md *ctx)
{
	struct sim_packet *p = &batch[state.at++ % SIM_BATCH];
	struct sim_flow key = {p->saddr, p->ports};
	__u32 *known = NULL, number;

	asm volatile("" ::"r"(ctx)); /* or clang would leave it out of the call */
	if (!(p->flags & FLAG_SYN))
		known = bpf_map_lookup_elem(&lru, &key);
	if (known) {
		p->backend = *known;
		return 0;
	}
	number = lru_slots[p->slot];
	p->backend = number;
	state.lru_misses++;
	if (!state.lru_rate)
		return 0;
	state.lru_rate--;
	bpf_map_update_elem(&lru, &key, &number, BPF_ANY);
	return 0;
}

/* A batch in one run: the kernel waits for all CPUs before and after runs that are repeated.  In rounds,
 * as the verifier follows so many jumps only. */
#define ROUND 4096u
#define BATCH_OF(way)                                                                              \
	__noinline int way##_round(struct xdp_md *ctx)                                             \
	{                                                                                          \
		for (__u32 i = 0; i < ROUND && state.at < state.n; i++)                            \
			way##_packet(ctx);                                                         \
		return 0;                                                                          \
	}                                                                                          \
	SEC("xdp") int sim_##way(struct xdp_md *ctx)                                               \
	{                                                                                          \
		for (__u32 i = 0; i < SIM_BATCH / ROUND && state.at < state.n; i++)                \
			way##_round(ctx);                                                          \
		return XDP_TX;                                                                     \
	}
BATCH_OF(ours)
BATCH_OF(lru)
