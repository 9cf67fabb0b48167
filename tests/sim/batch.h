/* SPDX-License-Identifier: BSD-2-Clause */
/* What sim.bpf.c and the program that runs it share: a batch of packets of one moment. */
#ifndef SIM_BATCH_H
#define SIM_BATCH_H

#include <linux/types.h>

#define SIM_BATCH 65536u
#define SIM_BACKENDS 110 /* of which some come and some go */
#define SIM_FRAME 64

struct sim_packet {
	__u32 saddr, ports; /* as on the wire */
	__u32 connection; /* whose it is; SIM_FLOOD: nobody's */
	__u16 slot;
	__u8 flags; /* TCP's */
	__u8 backend; /* where it was sent: its number, 0: nowhere */
};
#define SIM_FLOOD 0xffffffffu

struct sim_state {
	__u64 jiffies; /* the time */
	__u32 at, n; /* the packet that is next, and how many there are */
	__u32 daddr;
	__u32 lru_rate; /* flows that may yet be noted in this second */
	__u32 lru_misses;
	__u32 pad;
};

/* The key of the table to compare with, and of which it has as many as it may. */
struct sim_flow {
	__u32 saddr, ports;
};

#endif
