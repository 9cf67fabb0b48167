/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow table: which backend a flow was given.  Buckets are shared by all CPUs without a lock:
 * every word is read whole and written whole, so the worst that a race does is to lose an entry.
 *
 * A flow that has sent a second packet is confirmed and gives its place up only when it expires; one
 * that has not is replaced, oldest first, when both its buckets are full.  So a flood of SYNs takes
 * nothing from anybody who is connected. */
#ifndef SHUNT_FLOW_H
#define SHUNT_FLOW_H

#include "maps.h"

/* Where a flow may stand and what it is known by there. */
struct flow {
	struct shunt_flow_bucket *first;
	struct shunt_flow_bucket *second;
	__u32 tag;
	__u16 now; /* flow tick */
	__u16 timeout; /* in flow ticks */
};

/* The lower half of the packet's hash is weak (its lowest bits depend on few bits of the packet), so
 * it is mixed before bits are picked from it.  The salt keeps apart the same addresses and ports
 * under two services.  Fails only if flow_mask contradicts the map. */
static __always_inline int flow_locate(struct flow *f, __u64 hash, __u32 salt, __u16 timeout)
{
	__u64 a = (hash ^ hash >> 32 ^ salt) * 0x9e3779b97f4a7c15ull;
	__u64 b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;
	__u32 first = a >> 24 & settings.flow_mask;
	__u32 second = b >> 24 & settings.flow_mask;

	f->tag = b >> 32 | 1;
	f->now = bpf_jiffies64() >> SHUNT_FLOW_TICK_SHIFT;
	f->timeout = timeout;
	f->first = bpf_map_lookup_elem(&flows, &first);
	f->second = bpf_map_lookup_elem(&flows, &second);
	return f->first && f->second ? 0 : -1;
}

static __always_inline __u64 flow_read(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

static __always_inline void flow_write(__u64 *word, __u64 w)
{
	*(volatile __u64 *)word = w;
}

static __always_inline __u32 flow_tag(__u64 w)
{
	return w >> 32;
}

static __always_inline __u32 flow_number(__u64 w)
{
	return w >> 16 & SHUNT_SLOT_BACKEND;
}

/* Ticks since the last packet, and one: another CPU's clock may be a tick ahead of @f->now. */
static __always_inline __u16 flow_age(const struct flow *f, __u64 w)
{
	return f->now - (__u16)w + 1;
}

static __always_inline int flow_is_fresh(const struct flow *f, __u64 w)
{
	return flow_age(f, w) <= f->timeout + 1;
}

static __always_inline __u64 *flow_find_in(struct shunt_flow_bucket *b, __u32 tag)
{
	for (int i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++)
		if (flow_tag(flow_read(&b->word[i])) == tag)
			return &b->word[i];
	return NULL;
}

/* The word that has the flow's tag, void or not; NULL. */
static __always_inline __u64 *flow_find(const struct flow *f)
{
	__u64 *word = flow_find_in(f->first, f->tag);

	return word ? word : flow_find_in(f->second, f->tag);
}

/* A packet of the flow in @word (read as @w) has come. */
static __always_inline void flow_refresh(const struct flow *f, __u64 *word, __u64 w, int confirms)
{
	__u64 now = (w & ~0xffffull) | f->now | (confirms ? SHUNT_FLOW_CONFIRMED : 0);

	if (now != w)
		flow_write(word, now);
}

/* How readily @w gives its place to a new flow: free, expired, oldest unconfirmed; below
 * PLACE_TAKEN never.  Without branches (barrier_var() hides from clang that there could be), or the verifier
 * would follow every combination of the ways through 16 words. */
#define PLACE_TAKEN (1u << 16)
static __always_inline __u32 flow_place_score(const struct flow *f, __u64 w)
{
	__u64 age = flow_age(f, w);
	__u64 is_free = (w - 1) >> 63 & ~w >> 63;
	__u64 is_expired = ((__u64)f->timeout + 1 - age) >> 63;
	__u64 is_unconfirmed = ~w >> 31 & 1;

	barrier_var(is_free);
	barrier_var(is_expired);
	barrier_var(is_unconfirmed);
	return is_free << 18 | is_expired << 17 | is_unconfirmed << 16 | age;
}

/* The index and above it the score of the bucket's best word. */
static __always_inline __u32 flow_place_in(const struct flow *f, const struct shunt_flow_bucket *b)
{
	__u64 best = 0, score, better;

	for (int i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
		score = (__u64)flow_place_score(f, flow_read(&b->word[i])) << 3 | i;
		better = (best - score) >> 63;
		barrier_var(better);
		best += (score - best) * better;
	}
	return best;
}

/* The best word for a new flow; NULL when all are confirmed and fresh. */
static __always_inline __u64 *flow_place(const struct flow *f)
{
	__u32 first = flow_place_in(f, f->first);
	__u32 second = flow_place_in(f, f->second);

	if (first >> 3 >= second >> 3 && first >> 3 >= PLACE_TAKEN)
		return &f->first->word[first & 7];
	if (second >> 3 >= PLACE_TAKEN)
		return &f->second->word[second & 7];
	return NULL;
}

static __always_inline void flow_remember(const struct flow *f, __u64 *word, __u32 number)
{
	flow_write(word, (__u64)f->tag << 32 | number << 16 | f->now);
}

#endif
