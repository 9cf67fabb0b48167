/* SPDX-License-Identifier: BSD-2-Clause */
/* What bench.bpf.c and the program that runs it share: which flow a run sends, and where its bytes
 * are. Little-endian hosts only, as the ABI is. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>

#define BENCH_INLINE static inline __attribute__((always_inline))

/* Written by the runner before it starts, but for runs. */
struct bench_state {
	__u64 runs; /* so far: decides which flow is next */
	__u64 mac_front; /* the frame's bytes 0 to 7 */
	__u64 mac_back; /* its bytes 6 to 13, with the type */
	__u32 flow_mask; /* number of flows less one, a power of two less one */
	__u32 frame_len; /* of a frame that nothing has been put in front of */
	__u32 daddr; /* IPv4, as on the wire */
	__u32 dport; /* as on the wire, in the upper half */
	__u32 ttl4; /* TTL, protocol and checksum of an IPv4 frame, as on the wire */
	__u32 pad;
};

/* Every flow once in each cycle of flow_mask + 1 runs, in no order that a prefetcher would know. */
BENCH_INLINE __u32 bench_flow(__u64 run, __u32 flow_mask)
{
	return (__u32)run * 0x9e3779b1u & flow_mask;
}

/* The client's address: IPv4 10.0.0.0/8, or the lower half of an IPv6 privacy address. */
BENCH_INLINE __u32 bench_saddr4(__u32 flow)
{
	return __builtin_bswap32(0x0a000000u | flow);
}

BENCH_INLINE __u64 bench_saddr6(__u32 flow)
{
	return (flow + 1) * 0x9e3779b97f4a7c15ull;
}

/* Both ports in memory order. */
BENCH_INLINE __u32 bench_ports(__u32 flow, __u32 dport)
{
	return dport | __builtin_bswap16(1024 + (flow * 40503u >> 8 & 0x7fff));
}

/* Offsets in a frame without tags. */
#define BENCH_MAC_BACK 6
#define BENCH_L3 14
#define BENCH_TTL4 22 /* and protocol and checksum */
#define BENCH_HOPS6 21
#define BENCH_HOPS 64
#define BENCH_SADDR4 26 /* source and destination: 8 bytes */
#define BENCH_PORTS4 34
#define BENCH_SADDR6_LOWER 30
#define BENCH_PORTS6 54
#define BENCH_SHORTEST 64 /* no frame is shorter */

#endif
