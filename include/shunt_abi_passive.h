/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_abi.h about passive checks: what passing packets tell of a backend. */
#ifndef SHUNT_ABI_PASSIVE_H
#define SHUNT_ABI_PASSIVE_H

#include <linux/types.h>

/* ---- SYNs that come again -----------------------------------------------------------------------
 * Whoever gets no answer to a SYN sends it again, with the same ports and the same sequence number.
 * Each CPU remembers what it sent last: a word of 32 bits for a SYN of backends with SHUNT_BE_PASSIVE, at
 * the place that its flow, sequence number and backend say (shunt_syn_of), whoever was there before.
 *   bits 31..1  tag     of the same
 *   bit  0      again   it has come again
 * So what has been moved to another backend has not come again there; and a SYN counts as repeated
 * once, however often it comes.  What was written over, or has come to another CPU, is not seen again:
 * too few repeats are counted then, never too many.
 *
 * Counted in struct shunt_counter of the backend's row, in one word:
 *   repeats    bits 31..0   SYNs that came again for the first time
 *              bits 63..32  for the second time, or later
 * Of two readings the difference is right in both halves, if each is less than 2^32. */
#define SHUNT_SYNS 16384u
struct shunt_syns {
	__u32 word[SHUNT_SYNS];
};
#define SHUNT_SYN_AGAIN 1u

/* 64 bits of a SYN to the backend of @row: the upper half is its tag, the lowest bits are its place. */
static inline __attribute__((always_inline)) __u64 shunt_syn_of(__u64 hash, __be32 seq, __u32 row)
{
	__u64 a = (hash ^ hash >> 32) + ((__u64)seq << 32 | row);

	a *= 0x9e3779b97f4a7c15ull;
	a = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;
	return a ^ a >> 32; /* the sequence number reaches the upper bits only */
}

/* ---- what is said of it -------------------------------------------------------------------------
 * By a backend's row, all CPUs together, never reset; of rows with SHUNT_BE_PASSIVE. */
struct shunt_signs {
	__u64 refused; /* NAT: connections whose first answer was a RST */
	__u64 unreachable; /* ICMP errors that say so of what was sent to the backend: of its tunnel's
			    * packets and of translated ones */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_signs) == 16, "two words");
#endif

#endif /* SHUNT_ABI_PASSIVE_H */
