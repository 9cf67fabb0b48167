/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of translated connections: taking a record, and giving it a reply tuple that nobody else
 * has. */
#ifndef SHUNT_NAT_TAKE_H
#define SHUNT_NAT_TAKE_H

#include "nat_back.h"

/* ---- taking a record ----------------------------------------------------------------------------*/

static __always_inline __u64 *nat_word_of(__u32 rec)
{
	__u32 at = rec / SHUNT_NAT_WAYS;
	struct shunt_nat_bucket *b;
	struct nat_dry *dry;

	if (nat_is_dry(rec)) {
		dry = nat_dry();
		return dry ? &dry->word : NULL;
	}
	b = bpf_map_lookup_elem(&nat_requests, &at);
	if (!b)
		return NULL;
	barrier_var(b); /* or clang adds to it before it is known not to be NULL */
	return &b->word[rec % SHUNT_NAT_WAYS];
}

/* Removes the reply word of record @rec; what it was, or 0: it has none. */
static __always_inline __u64 nat_unlink_reply(const struct shunt_nat_conn *conn, __u32 rec)
{
	__u32 at = conn->reply_at / SHUNT_NAT_WAYS;
	struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &at);
	__u64 *word, w;

	if (!b)
		return 0;
	word = &b->word[conn->reply_at % SHUNT_NAT_WAYS];
	w = nat_load(word);
	return w >> 63 && (__u32)w == rec && nat_swap(word, w, 0) ? w : 0;
}

/* Ticks for which the word has been ready to be taken, as far as it knows; positive: it is. */
static __always_inline __s32 nat_ready_for(__u64 w)
{
	return !w ? 1 : w == SHUNT_NAT_BUSY ? 0 : nat_now() - (__u32)w - SHUNT_NAT_GRACE;
}

/* Makes the word of record @rec SHUNT_NAT_BUSY, if the record is free or has been void for long
 * enough; 0 if not.  The record is the caller's then, and without a reply tuple. */
__noinline int nat_take(__u32 rec)
{
	__u64 *word = nat_word_of(rec), w;
	struct shunt_nat_conn *conn;
	__s32 void_for;

	if (!word)
		return 0;
	w = nat_load(word);
	if (!w)
		return nat_swap(word, 0, SHUNT_NAT_BUSY);
	if (nat_ready_for(w) <= 0)
		return 0;
	conn = nat_conn_at(rec);
	if (!conn)
		return 0;
	void_for = nat_void_for(conn);
	if (void_for <= (__s32)SHUNT_NAT_GRACE) { /* replies kept it: the word did not know */
		nat_swap(word, w, (w >> 32 << 32) | (__u32)(nat_now() - void_for));
		return 0;
	}
	if (!nat_swap(word, w, SHUNT_NAT_BUSY))
		return 0;
	nat_unlink_reply(conn, rec);
	return 1;
}

/* The same for the record of a half-open connection that has been silent since before NAT tick
 * @before.  One that has been answered may be in nat_backs, where of void ones nothing holds. */
__noinline int nat_steal(__u32 rec, __u32 before)
{
	struct shunt_nat_conn *conn = nat_conn_at(rec);
	__u64 *word = nat_word_of(rec), w;

	if (!word || !conn)
		return 0;
	w = nat_load(word);
	if (!(w >> 63) || !nat_is_half_open(conn->state) || (__s32)(conn->seen - before) >= 0 ||
	    !nat_swap(word, w, SHUNT_NAT_BUSY))
		return 0;
	w = nat_unlink_reply(conn, rec);
	if (w && conn->state & SHUNT_NAT_REPLIED)
		nat_back_drop(conn->reply_at / SHUNT_NAT_WAYS, w >> 32,
			      conn->state & SHUNT_NAT_BACKEND6);
	return 1;
}

/* Ticks that the half-open record has been silent for, and one; 0 of one that is not half open. */
__noinline __u32 nat_silent_for(__u32 rec)
{
	const struct shunt_nat_conn *conn = nat_conn_at(rec);
	const __u64 *word = nat_word_of(rec);

	if (!conn || !word || !(nat_load(word) >> 63) || !nat_is_half_open(conn->state))
		return 0;
	return nat_now() - conn->seen + 1;
}

/* The half-open record of bucket @at that has been silent the longest, @sofar being that of another
 * one: both as ticks and one, and in the lower half the record. */
__noinline __u64 nat_oldest_in(__u32 at, __u64 sofar, __u32 first)
{
	__u32 rec, silent;

	for (__u32 i = 0; i < SHUNT_NAT_WAYS; i++) {
		rec = at * SHUNT_NAT_WAYS + (first + i) % SHUNT_NAT_WAYS;
		silent = nat_silent_for(rec);
		if (silent > sofar >> 32)
			sofar = (__u64)silent << 32 | rec;
	}
	return sofar;
}

/* Takes a record from a half-open connection, when there is no place, so that a flood of SYNs does not
 * keep others out: its number and one; NAT_NONE.  Of equally old ones the tag says which. */
static __always_inline __u32 nat_evict(const struct shunt_nat_place *place)
{
	__u64 oldest = nat_oldest_in(place->first, 0, place->tag);

	oldest = nat_oldest_in(place->second, oldest, place->tag);
	return oldest && nat_steal(oldest, nat_now() + 1) ? (__u32)oldest + 1 : NAT_NONE;
}

/* How many of a bucket's words seem ready to be taken, or nearly so. */
static __always_inline __u32 nat_room(__u32 at)
{
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_requests, &at);
	__u32 room = 0, now = nat_now();

	if (!b)
		return 0;
	for (int i = 0; i < SHUNT_NAT_WAYS; i++)
		room += is_less((__u32)nat_load(&b->word[i]), now);
	return room;
}

/* Of two buckets the first, in which packets look first, until it is nearly full: then the roomier. */
#define NAT_NEARLY_FULL 2 /* words left */

/* Takes a record for the request tuple @p: its number and one; NAT_NONE. */
__noinline __u32 nat_take_for(struct pkt *p)
{
	struct shunt_nat_place place;
	__u32 at, room;

	if (!p)
		return NAT_NONE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_mask);
	at = place.first;
	room = nat_room(at);
	if (room < NAT_NEARLY_FULL && nat_room(place.second) > room)
		at = place.second;
	for (__u32 i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		if (i == SHUNT_NAT_WAYS)
			at = place.first ^ place.second ^ at;
		if (nat_take(at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS))
			return settings.dry ? SHUNT_NAT_DRY + 1
					    : at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS + 1;
	}
	at = nat_evict(&place);
	return settings.dry && at ? SHUNT_NAT_DRY + 1 : at;
}

/* The client's packets do not find the record any more; the backend's do until it is void. */
static __always_inline void nat_forget(__u32 rec)
{
	__u64 *word = nat_word_of(rec);
	__u64 w;

	if (!word)
		return;
	w = nat_load(word);
	if (w >> 63)
		nat_swap(word, w, SHUNT_NAT_GONE | (__u32)w);
}

/* ---- giving it a reply tuple --------------------------------------------------------------------*/

enum nat_bound {
	NAT_BOUND,
	NAT_TAKEN, /* somebody else has the tuple */
	NAT_NO_PLACE, /* both buckets are full; those of another tuple may not be */
};

/* Whether a record other than @rec has the reply tuple @p.  One that has been void for long enough
 * loses it here; so does a half-open one that has been silent since before tick @before. */
__noinline int nat_is_taken_in(__u64 at_tag, struct pkt *p, __u32 rec, __u32 before)
{
	__u32 at = at_tag, tag = at_tag >> 32;
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &at);
	__u64 *word, w;

	if (!b || !p)
		return 1;
	for (__u32 i = 0; i < SHUNT_NAT_WAYS; i++) {
		w = nat_load(&b->word[i]);
		if (w >> 32 != tag || (__u32)w == rec || !nat_has_reply(w, p))
			continue;
		if (!nat_take(w) && !nat_steal(w, before))
			return 1;
		word = nat_word_of(w);
		if (word)
			nat_store(word, 0);
	}
	return 0;
}

static __always_inline int nat_is_taken(const struct shunt_nat_place *place, struct pkt *p,
					__u32 rec, __u32 before)
{
	__u64 tag = (__u64)place->tag << 32;

	return nat_is_taken_in(tag | place->first, p, rec, before) ||
	       nat_is_taken_in(tag | place->second, p, rec, before);
}

/* How many words of a bucket are free. is_less() is for numbers without their upper bit, which tags
 * have set; no word is 1. */
static __always_inline __u32 nat_free_words(const struct shunt_nat_bucket *b)
{
	__u32 n = 0;

	for (int i = 0; i < SHUNT_NAT_WAYS; i++)
		n += is_less(nat_load(&b->word[i]) >> 1, 1);
	return n;
}

/* Puts @w into a free word of bucket @at; the word's number and one, or 0. */
static __always_inline __u32 nat_put_reply(__u32 at, __u64 w)
{
	struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &at);

	if (!b)
		return 0;
	for (__u32 i = 0; i < SHUNT_NAT_WAYS; i++)
		if (!nat_load(&b->word[i]) && nat_swap(&b->word[i], 0, w))
			return at * SHUNT_NAT_WAYS + i + 1;
	return 0;
}

static __always_inline __u32 nat_bucket_for(const struct shunt_nat_place *place)
{
	const struct shunt_nat_bucket *a = bpf_map_lookup_elem(&nat_replies, &place->first);
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &place->second);
	__u32 room = a ? nat_free_words(a) : 0;

	if (room < NAT_NEARLY_FULL && b && nat_free_words(b) > room)
		return place->second;
	return place->first;
}

/* The reply tuple @p into record @rec, that of @conn. */
static __always_inline void nat_fill_reply(struct shunt_nat_conn *conn, __u32 rec,
					   const struct pkt *p)
{
	struct shunt_nat_addrs *six;
	__u64 *pool;

	conn->backend = p->saddr[0];
	conn->pool = p->daddr[0];
	conn->backend_ports = p->ports;
	if (!p->is_v6)
		return;
	six = nat_addrs_at(rec);
	if (!six)
		return;
	for (int i = 0; i < 4; i++)
		six->backend[i] = p->saddr[i];
	pool = (void *)six->pool;
	pool[0] = p->daddr[0];
	pool[1] = p->daddr[1];
}

/* Gives record @rec, which is the caller's, the reply tuple @p, unless another record has it that is
 * not half open and silent since before tick @before.  Whoever puts the same tuple in at the same time
 * is seen by the second look, by at least one of the two. */
static __always_inline int nat_bind(__u32 rec, struct pkt *p, __u32 before)
{
	struct shunt_nat_conn *conn = nat_conn_at(rec);
	struct shunt_nat_place place;
	__u32 at;

	if (!p || !conn)
		return NAT_NO_PLACE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_reply_mask);
	if (nat_is_taken(&place, p, rec, before))
		return NAT_TAKEN;
	nat_fill_reply(conn, rec, p);
	at = nat_put_reply(nat_bucket_for(&place), (__u64)place.tag << 32 | rec);
	if (!at)
		return NAT_NO_PLACE;
	conn->reply_at = at - 1;
	if (!nat_is_taken(&place, p, rec, nat_now() - NAT_LONG_AGO))
		return NAT_BOUND;
	nat_unlink_reply(conn, rec);
	return NAT_TAKEN;
}

#endif
