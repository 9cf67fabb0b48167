/* SPDX-License-Identifier: BSD-2-Clause */
/* What live.bpf.c and the program that runs it share. */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include <linux/types.h>

#include "bench.h"

#define LIVE_FRAME 64 /* bytes */

/* Written by the runner before each run. */
struct live_state {
	__u64 sent; /* by the generator */
	__u64 back; /* frames that came back as they should */
	__u32 ifindex; /* of the generator's end */
	__u32 flow_mask; /* as in struct bench_state */
	__u32 dport; /* likewise */
	__u32 back_len; /* of a frame that comes back */
	__u64 back_mask, back_front; /* its first bytes, under the mask */
	__u8 frame[LIVE_FRAME]; /* of flow 0 */
};

#endif
