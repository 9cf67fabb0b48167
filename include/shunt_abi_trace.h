/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_abi.h about packets that somebody watches, of which a twin of the program (bpf/traced.bpf.c)
 * tells, which is in force only while somebody does.  In front of it stands a program of the daemon's making that
 * gives it the packets that match, and all others to the program itself. */
#ifndef SHUNT_ABI_TRACE_H
#define SHUNT_ABI_TRACE_H

#include <linux/types.h>

#define SHUNT_TRACE_SNAP 1600u /* bytes of a frame that are kept, at most */

/* A packet of this CPU on its way: as it came. */
struct shunt_trace_head {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex;
	__u32 len; /* of the frame */
	__u8 frame[SHUNT_TRACE_SNAP];
};

/* Of which packets it tells, the one element of `trace_only`: of those that would be counted in @rows rows
 * from @row on, and by chance of one of @one_of of these. A twin of which nobody has said so tells of none. */
struct shunt_trace_only {
	__u32 row;
	__u32 rows; /* ~0: all, and those that are counted in none */
	__u32 one_of; /* 0 and 1: each */
	__u32 pad;
};

/* A record in the ring. */
struct shunt_traced {
	struct shunt_trace_head before;
	__u32 verdict; /* enum shunt_verdict */
	__u32 action; /* XDP_* */
	__u32 row; /* as it would be counted; 0: in none */
	__u32 len; /* of the frame, as it is now */
	__u8 after[SHUNT_TRACE_SNAP];
};

#endif
