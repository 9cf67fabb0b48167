/* SPDX-License-Identifier: GPL-2.0-only */
/* The way back of a translated connection, where the hash of its backend's packets alone says:
 * shunt_abi_nat.h.
 *
 * A record stands where its client's hash says; a backend's packet finds its number in a word first.
 * With a million connections both are in memory, 140 ns away, and the second load cannot begin before
 * the first has ended.  A client's packet reads as many lines for less: where its record is follows from
 * where its word is, so the processor guesses and loads both at once.  Here a backend's packet reads one
 * line, and nothing waits for it but what it says.
 *
 * Measured with a million connections, room for two, over one connection's cost (a request 4.5):
 *   word, then record                                       6.2, IPv6 5.0 to 5.5
 *   this, one connection to a place, half as many places    5.2, IPv6 4.4
 *   two to a place, both of whose tags are looked at first  4.3 to 4.7
 *   of IPv6, one to a place, as many places                 4.1
 *   a copy that holds for one tick                          7.4: in most ticks it was used once
 * Huge pages, had maps any, would save 7 ns of the 140. */
#ifndef SHUNT_NAT_BACK_H
#define SHUNT_NAT_BACK_H

#include "nat_rewrite.h"
#include "nat_table.h"

/* ---- reading ------------------------------------------------------------------------------------*/

static __always_inline __u32 nat_back_at4(__u32 bucket, __u32 tag)
{
	return bucket * SHUNT_NAT_BACKS + tag % SHUNT_NAT_BACKS;
}

static __always_inline __u32 nat_back_at6(__u32 bucket, __u32 tag)
{
	return bucket * SHUNT_NAT_BACKS6 + tag % SHUNT_NAT_BACKS6;
}

static __always_inline __u32 nat_load32(const __u32 *at)
{
	return *(const volatile __u32 *)at;
}

/* Whether @b holds, for whomever. */
static __always_inline int nat_back_holds(const struct shunt_nat_back *b)
{
	return nat_load32(&b->until) - nat_now() <= SHUNT_NAT_LAG;
}

/* Whether @b holds for @p, but for its addresses. @turn: what its turn was before. */
static __always_inline int nat_back_is(const struct shunt_nat_back *b, const struct pkt *p,
				       __u32 tag, __u32 turn)
{
	return !((turn & 1) | (nat_load32(&b->tag) ^ tag) | (b->ports ^ p->ports) |
		 (b->proto ^ p->l4_proto)) &&
	       nat_back_holds(b);
}

static __always_inline void nat_back_way(const struct shunt_nat_back *b, struct nat_change *to,
					 struct shunt_backend *way)
{
	to->ports = b->to_ports;
	way->ifindex = b->ifindex;
	way->tags = b->tags;
	way->vlan_tci[0] = b->vlan_tci[0];
	way->vlan_tci[1] = b->vlan_tci[1];
	__builtin_memcpy(way->dmac, b->mac, sizeof(b->mac));
}

/* Which of two has the tag, if any: without a branch, so that nobody waits for one line to load the
 * other. */
static __always_inline __u32 nat_back_second(const struct shunt_nat_backs *two, __u32 tag)
{
	__u32 second = nat_load32(&two->way[1].tag) == tag;

	barrier_var(second);
	return second & 1;
}

static __always_inline int nat_back_find4(const struct pkt *p, const struct shunt_nat_place *place,
					  struct nat_change *to, struct shunt_backend *way)
{
	__u32 at = nat_back_at4(place->first, place->tag), turn;
	const struct shunt_nat_backs *two = bpf_map_lookup_elem(&nat_backs, &at);
	const struct shunt_nat_back *b;

	if (!two)
		return 0;
	b = &two->way[nat_back_second(two, place->tag)];
	turn = nat_load32(&b->turn);
	barrier();
	if (!nat_back_is(b, p, place->tag, turn) || !nat_same4(&b->backend, p))
		return 0;
	to->is_v6 = 0;
	to->saddr[0] = b->vip;
	to->daddr[0] = b->client;
	nat_back_way(b, to, way);
	barrier();
	return likely(nat_load32(&b->turn) == turn);
}

static __always_inline int nat_back_find6(const struct pkt *p, const struct shunt_nat_place *place,
					  struct nat_change *to, struct shunt_backend *way)
{
	__u32 at = nat_back_at6(place->first, place->tag), turn;
	const struct shunt_nat_back6 *b = bpf_map_lookup_elem(&nat_backs6, &at);

	if (!b)
		return 0;
	turn = nat_load32(&b->b.turn);
	barrier();
	if (!nat_back_is(&b->b, p, place->tag, turn) ||
	    !nat_same6(b->addrs.backend, b->addrs.pool, p))
		return 0;
	to->is_v6 = 1;
	__builtin_memcpy(to->saddr, b->addrs.vip, sizeof(to->saddr));
	__builtin_memcpy(to->daddr, b->addrs.client, sizeof(to->daddr));
	nat_back_way(&b->b, to, way);
	barrier();
	return likely(nat_load32(&b->b.turn) == turn);
}

/* What becomes of a backend's packet that begins and ends nothing: 0 if that is not known here. */
static __always_inline int nat_back_find(const struct pkt *p, struct nat_change *to,
					 struct shunt_backend *way)
{
	struct shunt_nat_place place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_reply_mask);

	if (unlikely(tcp_ends(p->tcp_flags)))
		return 0;
	return p->is_v6 ? nat_back_find6(p, &place, to, way) : nat_back_find4(p, &place, to, way);
}

/* ---- writing ------------------------------------------------------------------------------------*/

/* Whether a backend's packets change nothing of such a state but by what they begin or end. */
static __always_inline int nat_is_steady(__u32 state)
{
	return (state & (SHUNT_NAT_REPLIED | SHUNT_NAT_RESET)) == SHUNT_NAT_REPLIED;
}

/* Makes the element the caller's to write: not one that holds, be it another connection's or this one's. */
static __always_inline int nat_back_take(struct shunt_nat_back *b)
{
	__u32 turn = nat_load32(&b->turn);

	if (turn & 1 || (nat_load32(&b->tag) && nat_back_holds(b)))
		return 0;
	return __sync_val_compare_and_swap(&b->turn, turn, turn + 1) == turn;
}

/* What is copied. */
struct nat_back_of {
	const struct shunt_nat_conn *conn;
	const __u64 *word; /* which names it, and what that says */
	__u64 w;
	__u32 rec, state;
};

static __always_inline void nat_back_fill(struct shunt_nat_back *b, const struct nat_back_of *of)
{
	const struct shunt_nat_conn *conn = of->conn;

	b->until = nat_now() + shunt_nat_lag(nat_timeout(of->state));
	b->rec = of->rec;
	b->ifindex = conn->ifindex;
	b->ports = conn->backend_ports;
	b->to_ports = nat_turned(conn->client_ports);
	b->proto = SHUNT_NAT_PROTO(of->state);
	b->tags = conn->tags;
	b->vlan_tci[0] = conn->vlan_tci[0];
	b->vlan_tci[1] = conn->vlan_tci[1];
	for (int i = 0; i < 6; i++)
		b->mac[i] = conn->mac[(i + 3) % 6];
}

/* Whether the record still says what has been copied of it, as far as that changes while it lives. */
static __always_inline int nat_back_agrees(const struct shunt_nat_back *b,
					   const volatile struct shunt_nat_conn *conn)
{
	__u32 differ = b->ifindex ^ conn->ifindex;

	differ |= b->tags ^ conn->tags;
	differ |= b->vlan_tci[0] ^ conn->vlan_tci[0];
	differ |= b->vlan_tci[1] ^ conn->vlan_tci[1];
	for (int i = 0; i < 6; i++)
		differ |= b->mac[i] ^ conn->mac[(i + 3) % 6];
	return !differ;
}

/* Shows the element.  Who has changed the record or its word before it could be seen is met here; who
 * does afterwards takes it out himself. */
static __always_inline void nat_back_show(struct shunt_nat_back *b, const struct nat_back_of *of)
{
	__u32 turn = b->turn;

	b->tag = of->w >> 32;
	__sync_val_compare_and_swap(&b->turn, turn,
				    turn + 1); /* and all of it before what follows */
	if (nat_load(of->word) != of->w || nat_load32(&of->conn->state) != of->state ||
	    !nat_back_agrees(b, of->conn))
		*(volatile __u32 *)&b->tag = 0;
}

static __always_inline void nat_back_keep4(__u32 at, const struct nat_back_of *of)
{
	struct shunt_nat_backs *two = bpf_map_lookup_elem(&nat_backs, &at);
	struct shunt_nat_back *b;
	__u32 tag = of->w >> 32;

	if (!two)
		return;
	b = &two->way[nat_back_second(two, tag)];
	if (!nat_back_take(b)) {
		if (nat_load32(&b->tag) == tag)
			return;
		b = &two->way[1];
		if (!nat_back_take(b))
			return;
	}
	nat_back_fill(b, of);
	b->backend = of->conn->backend;
	b->pool = of->conn->pool;
	b->vip = of->conn->vip;
	b->client = of->conn->client;
	nat_back_show(b, of);
}

static __always_inline void nat_back_keep6(__u32 at, const struct nat_back_of *of)
{
	struct shunt_nat_back6 *b = bpf_map_lookup_elem(&nat_backs6, &at);
	const struct shunt_nat_addrs *six;
	__u32 rec = of->rec;

	six = nat_addrs_at(rec);
	if (!b || !six || !nat_back_take(&b->b))
		return;
	nat_back_fill(&b->b, of);
	b->addrs = *six;
	nat_back_show(&b->b, of);
}

/* A packet of the backend of record @rec has been noted, which word @way of bucket @bucket has led to:
 * the next ones need not look so far. */
__noinline int nat_back_keep(__u32 rec, __u32 bucket, __u32 way)
{
	const struct shunt_nat_bucket *r = bpf_map_lookup_elem(&nat_replies, &bucket);
	struct nat_back_of of = {.conn = nat_conn_at(rec), .rec = rec};
	__u32 six;

	if (!of.conn || !r || settings.dry)
		return 0;
	of.word = &r->word[way % SHUNT_NAT_WAYS];
	of.w = nat_load(of.word);
	of.state = nat_load32(&of.conn->state);
	six = of.state & (SHUNT_NAT_CLIENT6 | SHUNT_NAT_BACKEND6);
	if (!(of.w >> 63) || (__u32)of.w != rec || !nat_is_steady(of.state))
		return 0;
	if (!six)
		nat_back_keep4(nat_back_at4(bucket, of.w >> 32), &of);
	else if (six == (SHUNT_NAT_CLIENT6 | SHUNT_NAT_BACKEND6))
		nat_back_keep6(nat_back_at6(bucket, of.w >> 32), &of);
	return 0;
}

/* Takes out what may have been copied of a record whose word in bucket @bucket has the tag @tag;
 * @six: SHUNT_NAT_BACKEND6 of its state.  By compare-and-swap, since a mere look might come before the
 * caller's change is seen. */
static __always_inline int nat_back_drop(__u32 bucket, __u32 tag, __u32 six)
{
	__u32 at = six ? nat_back_at6(bucket, tag) : nat_back_at4(bucket, tag);
	struct shunt_nat_backs *two;
	struct shunt_nat_back6 *one;

	if (settings.dry)
		return 0;
	if (six) {
		one = bpf_map_lookup_elem(&nat_backs6, &at);
		if (one)
			__sync_val_compare_and_swap(&one->b.tag, tag, 0);
		return 0;
	}
	two = bpf_map_lookup_elem(&nat_backs, &at);
	if (!two)
		return 0;
	__sync_val_compare_and_swap(&two->way[0].tag, tag, 0);
	__sync_val_compare_and_swap(&two->way[1].tag, tag, 0);
	return 0;
}

/* The same of a record of which only where its word is is known, and its @state. */
__noinline int nat_back_forget(__u32 reply_at, __u32 state)
{
	__u32 bucket = reply_at / SHUNT_NAT_WAYS;
	const struct shunt_nat_bucket *r = bpf_map_lookup_elem(&nat_replies, &bucket);
	__u64 w;

	if (!r)
		return 0;
	w = nat_load(&r->word[reply_at % SHUNT_NAT_WAYS]);
	return nat_back_drop(bucket, w >> 32, state & SHUNT_NAT_BACKEND6);
}

#endif
