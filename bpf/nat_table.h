/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of translated connections: finding a record from either side, taking one, giving it a
 * reply tuple that nobody else has.  shunt_abi.h says how it is laid out and why no reader meets a
 * record half written.
 *
 * A tuple, of a request or of a reply, is a struct pkt of which saddr, daddr, ports, l4_proto, is_v6
 * and hash hold.  The functions that are not inline are global, so that the verifier checks each once;
 * a NULL that it asks them about never comes. */
#ifndef SHUNT_NAT_TABLE_H
#define SHUNT_NAT_TABLE_H

#include "maps.h"
#include "sched.h"

#define NAT_NONE 0u /* else a record's number and one */

static __always_inline __u32 nat_now(void)
{
	return bpf_jiffies64() >> SHUNT_NAT_TICK_SHIFT;
}

static __always_inline __u64 nat_load(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

static __always_inline void nat_store(__u64 *word, __u64 w)
{
	*(volatile __u64 *)word = w;
}

static __always_inline int nat_swap(__u64 *word, __u64 from, __u64 to)
{
	return __sync_val_compare_and_swap(word, from, to) == from;
}

static __always_inline __u32 nat_timeout(__u32 state)
{
	__u32 zero = 0, type = shunt_nat_timeout_of(state);
	const struct shunt_nat_ctl *c = bpf_map_lookup_elem(&nat_ctl, &zero);

	return c && type < SHUNT_NAT_T_MAX ? c->timeout[type] : 0;
}

/* Ticks that the record has been void for; not positive while it is alive.  To be asked before
 * anything else of the record is relied on: whoever fills a record makes it void before he touches the
 * state, and alive when all the rest is there. */
static __always_inline __s32 nat_void_for(const struct shunt_nat_conn *conn)
{
	__u32 state = *(const volatile __u32 *)&conn->state;
	__u32 seen = *(const volatile __u32 *)&conn->seen;

	return nat_now() - seen - nat_timeout(state);
}

/* ---- comparing ----------------------------------------------------------------------------------*/

static __always_inline int nat_same6(const __be32 src[4], const __be32 dst[4], const struct pkt *p)
{
	const __u64 *d = (const void *)dst;
	__u32 differ = 0;

	for (int i = 0; i < 4; i++)
		differ |= src[i] ^ p->saddr[i];
	return !differ && d[0] == p->daddr[0] && d[1] == p->daddr[1];
}

/* Whether record @rec is alive and of the connection that the client's packet @p is of. */
__noinline int nat_is_request(__u32 rec, struct pkt *p)
{
	const struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);
	const struct shunt_nat_addrs *six;

	if (!p || !conn || nat_void_for(conn) > 0)
		return 0;
	if (conn->client_ports != p->ports || SHUNT_NAT_PROTO(conn->state) != p->l4_proto ||
	    !(conn->state & SHUNT_NAT_CLIENT6) != !p->is_v6)
		return 0;
	if (!p->is_v6)
		return conn->client == p->saddr[0] && conn->vip == (__u32)p->daddr[0];
	six = bpf_map_lookup_elem(&nat_addrs, &rec);
	return six && nat_same6(six->client, six->vip, p);
}

/* Whether record @rec, alive or not, has the reply tuple @p. */
__noinline int nat_has_reply(__u32 rec, struct pkt *p)
{
	const struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);
	const struct shunt_nat_addrs *six;

	if (!p || !conn || conn->backend_ports != p->ports ||
	    SHUNT_NAT_PROTO(conn->state) != p->l4_proto ||
	    !(conn->state & SHUNT_NAT_BACKEND6) != !p->is_v6)
		return 0;
	if (!p->is_v6)
		return conn->backend == p->saddr[0] && conn->pool == (__u32)p->daddr[0];
	six = bpf_map_lookup_elem(&nat_addrs, &rec);
	return six && nat_same6(six->backend, six->pool, p);
}

__noinline int nat_is_alive(__u32 rec)
{
	const struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);

	return conn && nat_void_for(conn) <= 0;
}

/* ---- finding ------------------------------------------------------------------------------------*/

static __always_inline __u32 nat_request_in(__u32 at, __u32 tag, struct pkt *p)
{
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_requests, &at);

	if (!b)
		return NAT_NONE;
	for (__u32 i = 0; i < SHUNT_NAT_WAYS; i++)
		if (nat_load(&b->word[i]) >> 32 == tag &&
		    nat_is_request(at * SHUNT_NAT_WAYS + i, p))
			return at * SHUNT_NAT_WAYS + i + 1;
	return NAT_NONE;
}

/* The live record of a client's packet, and one; NAT_NONE. */
__noinline __u32 nat_find_request(struct pkt *p)
{
	struct shunt_nat_place place;
	__u32 found;

	if (!p)
		return NAT_NONE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_mask);
	found = nat_request_in(place.first, place.tag, p);
	return found ? found : nat_request_in(place.second, place.tag, p);
}

static __always_inline __u32 nat_reply_in(__u32 at, __u32 tag, struct pkt *p)
{
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &at);
	__u64 w;

	if (!b)
		return NAT_NONE;
	for (__u32 i = 0; i < SHUNT_NAT_WAYS; i++) {
		w = nat_load(&b->word[i]);
		if (w >> 32 == tag && nat_is_alive(w) && nat_has_reply(w, p))
			return (__u32)w + 1;
	}
	return NAT_NONE;
}

/* The live record of a backend's packet, and one; NAT_NONE. */
__noinline __u32 nat_find_reply(struct pkt *p)
{
	struct shunt_nat_place place;
	__u32 found;

	if (!p)
		return NAT_NONE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_reply_mask);
	found = nat_reply_in(place.first, place.tag, p);
	return found ? found : nat_reply_in(place.second, place.tag, p);
}

/* ---- taking a record ----------------------------------------------------------------------------*/

static __always_inline __u64 *nat_word_of(__u32 rec)
{
	__u32 at = rec / SHUNT_NAT_WAYS;
	struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_requests, &at);

	return b ? &b->word[rec % SHUNT_NAT_WAYS] : NULL;
}

/* Removes the reply word of record @rec, if it has one. */
static __always_inline void nat_unlink_reply(const struct shunt_nat_conn *conn, __u32 rec)
{
	__u32 at = conn->reply_at / SHUNT_NAT_WAYS;
	struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &at);
	__u64 *word, w;

	if (!b)
		return;
	word = &b->word[conn->reply_at % SHUNT_NAT_WAYS];
	w = nat_load(word);
	if (w >> 63 && (__u32)w == rec)
		nat_swap(word, w, 0);
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
	conn = bpf_map_lookup_elem(&nat_conns, &rec);
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

/* Takes a record for the request tuple @p, from the roomier bucket: its number and one; NAT_NONE. */
__noinline __u32 nat_take_for(struct pkt *p)
{
	struct shunt_nat_place place;
	__u32 at;

	if (!p)
		return NAT_NONE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_mask);
	at = place.first;
	if (nat_room(place.second) > nat_room(at))
		at = place.second;
	for (__u32 i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		if (i == SHUNT_NAT_WAYS)
			at = place.first ^ place.second ^ at;
		if (nat_take(at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS))
			return at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS + 1;
	}
	return NAT_NONE;
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
	NAT_NO_PLACE, /* both buckets are full */
};

/* Whether a record other than @rec has the reply tuple @p.  One that has been void for long enough
 * loses it here. */
__noinline int nat_is_taken_in(__u32 at, __u32 tag, struct pkt *p, __u32 rec)
{
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &at);
	__u64 *word, w;

	if (!b || !p)
		return 1;
	for (__u32 i = 0; i < SHUNT_NAT_WAYS; i++) {
		w = nat_load(&b->word[i]);
		if (w >> 32 != tag || (__u32)w == rec || !nat_has_reply(w, p))
			continue;
		if (!nat_take(w))
			return 1;
		word = nat_word_of(w);
		if (word)
			nat_store(word, 0);
	}
	return 0;
}

static __always_inline int nat_is_taken(const struct shunt_nat_place *place, struct pkt *p,
					__u32 rec)
{
	return nat_is_taken_in(place->first, place->tag, p, rec) ||
	       nat_is_taken_in(place->second, place->tag, p, rec);
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

static __always_inline __u32 nat_roomier(const struct shunt_nat_place *place)
{
	const struct shunt_nat_bucket *a = bpf_map_lookup_elem(&nat_replies, &place->first);
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &place->second);

	return a && b && nat_free_words(b) > nat_free_words(a) ? place->second : place->first;
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
	six = bpf_map_lookup_elem(&nat_addrs, &rec);
	if (!six)
		return;
	for (int i = 0; i < 4; i++)
		six->backend[i] = p->saddr[i];
	pool = (void *)six->pool;
	pool[0] = p->daddr[0];
	pool[1] = p->daddr[1];
}

/* Gives record @rec, which is the caller's, the reply tuple @p, unless another record has it.  Whoever
 * puts the same tuple in at the same time is seen by the second look, by at least one of the two. */
__noinline int nat_bind(__u32 rec, struct pkt *p)
{
	struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);
	struct shunt_nat_place place;
	__u32 at;

	if (!p || !conn)
		return NAT_NO_PLACE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_reply_mask);
	if (nat_is_taken(&place, p, rec))
		return NAT_TAKEN;
	nat_fill_reply(conn, rec, p);
	at = nat_put_reply(nat_roomier(&place), (__u64)place.tag << 32 | rec);
	if (!at)
		return NAT_NO_PLACE;
	conn->reply_at = at - 1;
	if (!nat_is_taken(&place, p, rec))
		return NAT_BOUND;
	nat_unlink_reply(conn, rec);
	return NAT_TAKEN;
}

#endif
