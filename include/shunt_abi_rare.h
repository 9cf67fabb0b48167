/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_abi.h about what is not in every packet's way: fragments, and ICMP errors that the
 * packet path sends. */
#ifndef SHUNT_ABI_RARE_H
#define SHUNT_ABI_RARE_H

#include <linux/types.h>

/* ---- fragments ---------------------------------------------------------------------------------
 * Where the first fragment of a packet went, so that the others follow.  Buckets of eight words,
 * shared by all CPUs, each word written whole:
 *   bits 63..44  tag   of the hash of addresses, identification and protocol
 *   bits 43..16  whereto: row of the backend; or 0 (never a backend's): it was passed to the stack
 *   bits 15..0   age   fragment tick of the first fragment
 * 0 is a free word.  A new packet takes the place of the same one, else a free or the oldest one.
 * From a 64-bit hash as of a flow, with addresses as they are, and as ports the identification (IPv4: it
 * and the protocol, in memory order):
 *   a = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15
 *   b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9
 *   bucket a >> 32 & frag_mask, tag b >> 44 | 1
 * Fragments of translated connections are beside them, under hash ^ SHUNT_FRAG_NAT_KEY: `whereto` is the
 * record, or SHUNT_FRAG_UNTOLD of a packet that the other family cannot have. */
#define SHUNT_FRAGS_PER_BUCKET 8
#define SHUNT_FRAG_TAG_SHIFT 44
#define SHUNT_FRAG_WHERETO_SHIFT 16
#define SHUNT_FRAG_WHERETO 0xfffffffu
#define SHUNT_FRAG_NAT_KEY 0x9e3779b97f4a7c15ull
#define SHUNT_FRAG_UNTOLD SHUNT_FRAG_WHERETO
#define SHUNT_FRAG_TICK_SHIFT 4 /* a fragment tick is 2^4 jiffies: 64 ms at HZ 250 */
#define SHUNT_FRAG_TIMEOUT_S 30 /* as Linux keeps the pieces of a packet */

struct shunt_frag_bucket {
	__u64 word[SHUNT_FRAGS_PER_BUCKET];
};

/* ---- answers -----------------------------------------------------------------------------------
 * One record a CPU: how many ICMP errors it may still send.  Credit grows by `rate` each jiffy, up to
 * a second's worth; an answer costs settings.hz. */
struct shunt_answer {
	__u64 credit;
	__u64 refilled; /* jiffies */
	__u32 rate; /* answers a second, set by the daemon; 0: none */
	__u32 pad;
	__u64 pads[5];
};

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_frag_bucket) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_answer) == 64, "a cache line");
#endif

#endif
