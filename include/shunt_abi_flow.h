/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow table, and what is known of flows beside it: part of shunt_abi.h, which includes this. */
#ifndef SHUNT_ABI_FLOW_H
#define SHUNT_ABI_FLOW_H

#include <linux/types.h>

/* ---- flow table --------------------------------------------------------------------------------
 * Buckets of eight words, shared by all CPUs, each word written whole:
 *   bits 63..33  tag        of the flow's hash
 *   bit  32      ended      its first FIN or RST has been seen (SHUNT_SVC_LOADS only)
 *   bit  31      confirmed  a second packet of the flow has been seen
 *   bits 30..16  backend    number in the service, never 0
 *   bits 15..0   age        flow tick of the last packet
 * 0 is a free word.  A flow is looked for in two buckets and may stand in either.  From its hash
 * (struct shunt_settings; with SHUNT_SVC_AFFINE its source's) and its service's salt, in 64 bits:
 *   a = (hash ^ hash >> 32 ^ salt) * 0x9e3779b97f4a7c15
 *   b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9
 *   buckets a >> 32 and b, each & flow_mask; tag b >> 33
 * A new flow takes the place of an expired word, an unconfirmed one first; else of an unconfirmed one
 * that is SHUNT_FLOW_PROBATION ticks old or older; of equals the oldest, then one of the first bucket,
 * then the last in its bucket.  A free word counts as unconfirmed and older than all.  Where there is
 * none the flow is not remembered. */
#define SHUNT_FLOWS_PER_BUCKET 8
#define SHUNT_FLOW_TICK_SHIFT 8 /* a flow tick is 2^8 jiffies: about 1 s at HZ 250 */
#define SHUNT_FLOW_PROBATION 2u /* ticks in which its second packet may come */
#define SHUNT_FLOW_CONFIRMED 0x80000000ull
#define SHUNT_FLOW_ENDED 0x100000000ull
#define SHUNT_FLOW_TAG_SHIFT 33
#define SHUNT_FLOW_AHEAD 8u /* ticks by which an entry may seem to be of the future (`since`) */

/* How long before tick @now @tick was: with SHUNT_FLOW_AHEAD added, so that the ticks which are still to
 * come, up to that many, are the youngest. */
static inline __attribute__((always_inline)) __u16 shunt_flow_age(__u16 now, __u16 tick)
{
	return now - tick + SHUNT_FLOW_AHEAD;
}

struct shunt_flow_bucket {
	__u64 word[SHUNT_FLOWS_PER_BUCKET];
};

/* Whose flow the word at the same place of `flows` is: the backend's row.  Written when a flow is
 * remembered; by it the daemon counts who has how many. The daemon writes 0, nobody's, or the new row where
 * a row is given up. */
struct shunt_flow_rows {
	__u32 row[SHUNT_FLOWS_PER_BUCKET];
};

/* How busy a backend is, by its row: `load` is its number of flows times `step`, which is smaller the
 * greater its weight is.  The daemon writes both anew again and again; meanwhile the packet path adds
 * step for each flow that it gives to the backend. */
struct shunt_load {
	__u64 load;
	__u64 step;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_flow_bucket) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_load) == 16, "two words");
#endif

#endif /* SHUNT_ABI_FLOW_H */
