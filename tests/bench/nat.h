/* SPDX-License-Identifier: BSD-2-Clause */
/* What nat.bpf.c and bench_nat.c share: the tuples that packets are given, one after the other.  They
 * stand in the order of the runs, so that reading them costs little and the same in every row. */
#ifndef BENCH_NAT_H
#define BENCH_NAT_H

#include <linux/types.h>

#define NAT_BENCH_TUPLES 1048576

struct nat_tuple4 {
	__u64 addrs; /* source and destination */
	__u32 ports;
	__u32 pad;
};

struct nat_tuple6 {
	__u64 addrs[4];
	__u32 ports;
	__u32 pad;
};

/* Written by the runner before it starts, but for runs. */
struct nat_bench {
	__u64 runs;
	__u64 mac_front, mac_back; /* the frame's bytes 0 to 7, and 6 to 13 */
	__u32 mask; /* number of tuples less one, a power of two less one */
	__u32 frame_len;
	__u32 ttl4; /* TTL, protocol and checksum, as on the wire */
	__u32 pad;
};

#endif
