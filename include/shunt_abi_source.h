/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Policies: from which sources a service takes packets, and how many new flows a second.
 *
 * A service names its policy by number (struct shunt_service); 0 is none.  A policy that a service in
 * force names never changes, its bucket apart: what is to be different is a policy of another number,
 * and of another list, which the services are switched to in one step. */
#ifndef SHUNT_ABI_SOURCE_H
#define SHUNT_ABI_SOURCE_H

#include <linux/types.h>

/* ---- lists -------------------------------------------------------------------------------------
 * A list says for every address what becomes of its packets.  An address is looked at 32 bits at a
 * time, as a number: IPv4 takes one step, IPv6 up to four.  A step is a set of intervals: the numbers
 * of the block [base, base + last] are cut into equal buckets, and a bucket is one word:
 *   upper half 0: the lower half is the answer for all of the bucket
 *   upper half n: n words, sorted, from the lower half on (counted from the list's first word), of
 *                 which the last whose upper half is not above the number has the answer below; they
 *                 begin a line, and copies of the last one fill up what is left of it
 * and numbers outside of the block have the answer `out`.  So most addresses are answered by one
 * word, and the others by a binary search of a few.  An answer is one of the three below; or, with
 * SHUNT_SOURCE_DEEPER, where the set for the next 32 bits begins: with its struct
 * shunt_source_set, two words, and then its buckets. */
#define SHUNT_SOURCE_TAKEN 0u
#define SHUNT_SOURCE_DENIED 1u
#define SHUNT_SOURCE_NOT_ALLOWED 2u /* there is an allow list, and nothing of it fits */
#define SHUNT_SOURCE_DEEPER 0x80000000u
#define SHUNT_SOURCE_LINE 4u /* words; lists and sets begin a line */
#define SHUNT_SOURCE_SEARCH 16 /* halvings: at most 2^16 intervals in a bucket */

struct shunt_source_line {
	__u64 word[SHUNT_SOURCE_LINE];
};

struct shunt_source_set {
	__u32 base;
	__u32 last; /* size of the block less one */
	__u32 out;
	__u32 shift; /* a bucket has 2^shift numbers, shift at most 31 */
};

/* Most sources have their answer from one word more quickly.  A number is here all of an IPv4 address, or
 * the first 64 bits of an IPv6 address.  Those from base on are cut into n buckets of 2^shift numbers; a
 * bucket is a word, from `at` of `sources` on, which tells one block of numbers from the bucket's others:
 *   bits 63..58  the block has 2^size numbers
 *   bits 57..56  what becomes of packets from elsewhere, SHUNT_QUICK_*
 *   bits 55..54  and of those from the block, whose
 *   bits 53..0   number, less base, is this when shifted right by size; of upper bits nothing is said
 * What one word cannot tell, and all where there are no buckets, the list is asked for. */
#define SHUNT_QUICK_ASK 0u /* the list */
#define SHUNT_QUICK_TAKEN 3u /* and 1, 2: as the list's answers */
#define SHUNT_QUICK_IN 54
#define SHUNT_QUICK_OUT 56
#define SHUNT_QUICK_SIZE 58

struct shunt_source_quick {
	__u64 base;
	__u32 at;
	__u32 n;
	__u32 out; /* what becomes of packets from outside of the buckets */
	__u32 shift;
};

/* ---- rates -------------------------------------------------------------------------------------
 * Token buckets as the generic cell rate algorithm has them (ITU-T I.371): of a bucket only the time
 * is kept at which it will be full again.  A new flow puts that off by `cost`; one that would put it
 * further ahead than `limit` is refused and changes nothing.  Time is jiffies with
 * SHUNT_RATE_SHIFT more bits: a clock that is read for nothing, and fine enough for a million a
 * second.  It advances by whole jiffies, so a limit is at least what comes in one. */
#define SHUNT_RATE_SHIFT 20

struct shunt_rate {
	__u64 cost; /* of a new flow; 0: no limit */
	__u64 limit; /* below 2^42 */
};

/* Buckets of single sources, for all services together: eight words to a cache line,
 *   bits 63..44  tag of the source and service
 *   bits 43..0   when it is full again, mod 2^44
 * each replaced whole by compare-and-swap.  A word that is full again says nothing and is free.  A
 * source is looked for in one line; where that is full it takes the place of the word that will be
 * full first.  With 64-bit h = shunt_source_mix(): line h & rate_mask, tag h >> 44.
 * A time that is half of 2^44 ago reads as one to come, and so does a 0 during half of all uptimes: the
 * daemon writes the time into words that have been full for a while when it makes or opens the map, and
 * each hour. */
#define SHUNT_RATE_WAYS 8
#define SHUNT_RATE_TIME ((1ull << 44) - 1)

struct shunt_rate_line {
	__u64 word[SHUNT_RATE_WAYS];
};

/* What stands in a word is that of one source in one service.  @hash is keyed (struct shunt_settings)
 * and of the source address alone, of IPv6 the first 64 bits: who has one address there has all. */
static inline __attribute__((always_inline)) __u64 shunt_source_mix(__u64 hash, __u32 salt)
{
	__u64 a = (hash ^ hash >> 32 ^ salt) * 0x9e3779b97f4a7c15ull;
	__u64 b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;

	return b ^ b >> 32;
}

/* How far ahead of @now the bucket is full again, of which @full is read.  What is further ahead than
 * the limit is the past, wrapped around, or was written under another limit: a full bucket. */
static inline __attribute__((always_inline)) __u64 shunt_rate_ahead(__u64 full, __u64 now,
								    __u64 limit, __u64 mask)
{
	__u64 ahead = (full - now) & mask;

	return ahead > limit ? 0 : ahead;
}

/* ---- policies ----------------------------------------------------------------------------------*/

#define SHUNT_POLICIES_MAX 65536u /* numbers, 0 among them */

#define SHUNT_POLICY_LIST 1u
#define SHUNT_POLICY_SERVICE_RATE 2u
#define SHUNT_POLICY_SOURCE_RATE 4u
#define SHUNT_POLICY_RATES (SHUNT_POLICY_SERVICE_RATE | SHUNT_POLICY_SOURCE_RATE)

struct shunt_policy {
	/* a cache line that packets read */
	struct shunt_source_set root; /* of the list */
	__u32 root_at; /* its buckets' first word in `sources` */
	__u32 list_at; /* the list's */
	__u32 flags; /* SHUNT_POLICY_* */
	__u32 salt; /* the service's */
	struct shunt_rate service;
	struct shunt_rate source;
	/* one that they write */
	__u64 full; /* the service's bucket: time at which it is full */
	/* for the daemon alone, so that the next one knows what it finds */
	__u64 list_key[2]; /* of the list's content */
	__u64 owner; /* of the service's name, if there are rates */
	__u32 list_words;
	__u32 pad2;
	/* what packets read first; here, since a policy has no more than two lines; all 0 without a
	 * list, whatever flags say */
	struct shunt_source_quick quick;
};

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_source_set) == 16, "two words");
_Static_assert(sizeof(struct shunt_rate_line) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_policy) == 128, "two cache lines");
#endif

#endif
