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

/* Where a flow may stand, what it is known by there, and which entries hold. */
struct flow {
	struct shunt_flow_bucket *first;
	struct shunt_flow_bucket *second;
	__u32 first_at; /* their numbers */
	__u32 second_at;
	__u32 tag;
	__u32 oldest; /* flow_age() of the oldest entry that holds */
	__u32 expires; /* flow_age() of the oldest entry that keeps its place */
	__u16 now; /* flow tick */
	__u16 mark; /* the tick that entries get */
};

/* The lower half of the packet's hash is weak (its lowest bits depend on few bits of the packet), so
 * it is mixed before bits are picked from it.  The salt keeps apart the same addresses and ports
 * under two services.  Fails only if flow_mask contradicts the map. */
static __always_inline int flow_locate(struct flow *f, __u64 hash, const struct shunt_service *svc)
{
	__u64 a = (hash ^ hash >> 32 ^ svc->salt) * 0x9e3779b97f4a7c15ull;
	__u64 b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;

	f->first_at = a >> 32 & settings.flow_mask;
	f->second_at = b & settings.flow_mask;
	f->tag = b >> SHUNT_FLOW_TAG_SHIFT;
	f->now = bpf_jiffies64() >> settings.flow_shift;
	f->mark = f->now;
	f->expires = svc->flow_timeout + SHUNT_FLOW_AHEAD;
	f->oldest = f->expires;
	f->first = element(flows, f->first_at);
	f->second = element(flows, f->second_at);
	return f->first && f->second ? 0 : -1;
}

static __always_inline __u64 flow_read(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

static __always_inline void flow_write(__u64 *word, __u64 w)
{
	if (settings.dry)
		return;
	*(volatile __u64 *)word = w;
}

static __always_inline __u32 flow_tag(__u64 w)
{
	return w >> SHUNT_FLOW_TAG_SHIFT;
}

static __always_inline __u32 flow_number(__u64 w)
{
	return w >> 16 & SHUNT_SLOT_BACKEND;
}

/* Ticks since the last packet, and SHUNT_FLOW_AHEAD. */
static __always_inline __u32 flow_age(const struct flow *f, __u64 w)
{
	return shunt_flow_age(f->now, w);
}

/* From here on only entries from tick @since on hold, and those that are written are not older. */
static __always_inline void flow_since(struct flow *f, __u16 since)
{
	__u32 age = shunt_flow_age(f->now, since);

	f->mark += (__u16)(since - f->now) * is_less(age, SHUNT_FLOW_AHEAD);
	f->oldest -= (f->oldest - age) * is_less(age, f->oldest);
}

/* A word of the table, or nothing. */
struct flow_place {
	__u64 *word; /* NULL: nothing */
	__u32 at; /* its bucket's number times SHUNT_FLOWS_PER_BUCKET, and its place there */
};

/* Which word it is the verifier forgets, or it would follow the rest once for each. */
static __always_inline struct flow_place flow_word_at(struct shunt_flow_bucket *b, __u32 bucket,
						      __u32 i)
{
	i %= SHUNT_FLOWS_PER_BUCKET;
	return (struct flow_place){&b->word[i], bucket * SHUNT_FLOWS_PER_BUCKET + i};
}

static __always_inline struct flow_place flow_word_in(struct shunt_flow_bucket *b, __u32 bucket,
						      __u32 tag)
{
	for (__u32 i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++)
		if (flow_tag(flow_read(&b->word[i])) == tag)
			return flow_word_at(b, bucket, forget(i, tag));
	return (struct flow_place){};
}

/* The word that has the flow's tag, void or not. */
static __always_inline struct flow_place flow_word(const struct flow *f)
{
	struct flow_place place = flow_word_in(f->first, f->first_at, f->tag);

	return place.word ? place : flow_word_in(f->second, f->second_at, f->tag);
}

/* A packet of the flow in @word (read as @w) has come, which @adds SHUNT_FLOW_CONFIRMED, SHUNT_FLOW_ENDED
 * or nothing. */
static __always_inline void flow_refresh(const struct flow *f, __u64 *word, __u64 w, __u64 adds)
{
	__u64 now = (w & ~0xffffull) | f->mark | adds;

	if (now != w)
		flow_write(word, now);
}

/* How readily @w gives its place to a new flow: free or expired, oldest unconfirmed; below PLACE_TAKEN
 * never.  A free word is unconfirmed and of the greatest age.  One on probation may have its second
 * packet on the way. */
#define PLACE_TAKEN (1u << 16)
static __always_inline __u32 flow_place_score(const struct flow *f, __u64 w)
{
	__s64 free = (__s64)((w - 1) & ~w) >> 63; /* ~0 or 0 */
	__u32 age, is_ready;

	barrier_var(free);
	age = (flow_age(f, w) | free) & 0xffff;
	/* bit 31 of @w, or of what is below 0 on probation */
	is_ready = ~((__u32)w | (age - SHUNT_FLOW_AHEAD - SHUNT_FLOW_PROBATION)) >> 31;
	return is_less(f->expires, age) << 17 | is_ready << 16 | age;
}

/* The index and above it the score of the bucket's best word. */
static __always_inline __u32 flow_place_in(const struct flow *f, const struct shunt_flow_bucket *b)
{
	__u64 best = 0, score;

	for (int i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
		score = flow_place_score(f, flow_read(&b->word[i])) << 3 | i;
		best += (score - best) * is_less(best, score);
	}
	return best;
}

/* The best word for a new flow; nothing when all are confirmed and fresh. */
static __always_inline struct flow_place flow_place(const struct flow *f)
{
	__u32 first, second;

	meet();
	first = flow_place_in(f, f->first);
	second = flow_place_in(f, f->second);
	if (first >> 3 >= second >> 3 && first >> 3 >= PLACE_TAKEN)
		return flow_word_at(f->first, f->first_at, first);
	if (second >> 3 >= PLACE_TAKEN)
		return flow_word_at(f->second, f->second_at, second);
	return (struct flow_place){};
}

/* Remembers at @place, which is not nothing, that the flow was given backend @number. */
static __always_inline void flow_remember(const struct flow *f, const struct flow_place *place,
					  __u32 number)
{
	flow_write(place->word,
		   (__u64)f->tag << SHUNT_FLOW_TAG_SHIFT | (__u64)number << 16 | f->mark);
}

/* Notes whose flow the word at @place is, where the daemon wants to know. */
static __always_inline void flow_note_row(const struct flow_place *place, __u32 row)
{
	__u32 bucket = place->at / SHUNT_FLOWS_PER_BUCKET;
	struct shunt_flow_rows *rows = element(flow_rows, bucket);

	if (rows && !settings.dry)
		rows->row[place->at % SHUNT_FLOWS_PER_BUCKET] = row;
}

/* This CPU's verdict line, for SHUNT_COUNT_*. */
static __always_inline struct shunt_verdict_line *flow_counts(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return element(verdicts, cpu);
}

#endif
