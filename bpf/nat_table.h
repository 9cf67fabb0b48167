/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of translated connections: finding a record from either side.  shunt_abi.h says how it is
 * laid out and why no reader meets a record half written.
 *
 * A tuple, of a request or of a reply, is a struct pkt of which saddr, daddr, ports, l4_proto, is_v6
 * and hash hold.  The functions that are not inline are global, so that the verifier checks each once;
 * a NULL that it asks them about never comes. */
#ifndef SHUNT_NAT_TABLE_H
#define SHUNT_NAT_TABLE_H

#include "maps.h"
#include "sched.h"

#define NAT_NONE 0u /* else a record's number and one */
#define NAT_LONG_AGO 0x40000000u /* ticks: longer than any timeout */

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
	if (settings.dry)
		return;
	*(volatile __u64 *)word = w;
}

static __always_inline int nat_swap(__u64 *word, __u64 from, __u64 to)
{
	if (settings.dry)
		return nat_load(word) == from;
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
 * rest, and alive when all of it is there. */
static __always_inline __s32 nat_void_for(const struct shunt_nat_conn *conn)
{
	return nat_now() - *(const volatile __u32 *)&conn->until;
}

/* From now on, for a timeout of @ticks and the packets of the backend that are not noted. */
static __always_inline void nat_live_for(struct shunt_nat_conn *conn, __u32 ticks)
{
	__u32 now = nat_now();

	conn->seen = now;
	*(volatile __u32 *)&conn->until = now + ticks + shunt_nat_lag(ticks);
}

/* Half open: who is connected does not lose it. */
static __always_inline int nat_is_half_open(__u32 state)
{
	if (SHUNT_NAT_PROTO(state) == IPPROTO_TCP)
		return !(state & SHUNT_NAT_ESTABLISHED);
	return !(state & SHUNT_NAT_REPLIED);
}

/* ---- a dry run's record --------------------------------------------------------------------------
 * Where a dry run writes what it finds out about a connection that it would open: in `news`, which it
 * does not need and has for itself. */

struct nat_dry {
	__u64 word;
	__u64 pad[7];
	struct shunt_nat_conn conn;
	struct shunt_nat_addrs addrs;
};
_Static_assert(sizeof(struct nat_dry) <= sizeof(struct shunt_news), "there is room");

/* Whether @rec is that record.  The barrier keeps clang from asking for @rec first, which the verifier
 * would have to leave in where nothing is dry. */
static __always_inline int nat_is_dry(__u32 rec)
{
	if (!settings.dry)
		return 0;
	barrier();
	return rec == SHUNT_NAT_DRY;
}

static __always_inline struct nat_dry *nat_dry(void)
{
	__u32 zero = 0;

	return (struct nat_dry *)bpf_map_lookup_elem(&news, &zero);
}

static __always_inline struct shunt_nat_conn *nat_conn_at(__u32 rec)
{
	struct nat_dry *dry;

	if (nat_is_dry(rec)) {
		dry = nat_dry();
		return dry ? &dry->conn : NULL;
	}
	return bpf_map_lookup_elem(&nat_conns, &rec);
}

static __always_inline struct shunt_nat_addrs *nat_addrs_at(__u32 rec)
{
	struct nat_dry *dry;

	if (nat_is_dry(rec)) {
		dry = nat_dry();
		return dry ? &dry->addrs : NULL;
	}
	return bpf_map_lookup_elem(&nat_addrs, &rec);
}

/* ---- comparing ----------------------------------------------------------------------------------*/

static __always_inline int nat_same4(const __be32 pair[2], const struct pkt *p)
{
	return !((pair[0] ^ p->saddr[0]) | (pair[1] ^ (__u32)p->daddr[0]));
}

static __always_inline int nat_same6(const __be32 src[4], const __be32 dst[4], const struct pkt *p)
{
	const __u64 *d = (const void *)dst;
	__u32 differ = 0;

	for (int i = 0; i < 4; i++)
		differ |= src[i] ^ p->saddr[i];
	return !differ && d[0] == p->daddr[0] && d[1] == p->daddr[1];
}

/* What of the state says that protocol and the family that is @six are those of @p. */
static __always_inline int nat_same_kind(__u32 state, const struct pkt *p, __u32 six)
{
	return SHUNT_NAT_PROTO(state) == p->l4_proto && !(state & six) == !p->is_v6;
}

/* Whether @conn, record @rec, is alive and of the connection that the client's packet @p is of. */
static __always_inline int nat_is_request(const struct shunt_nat_conn *conn, __u32 rec,
					  const struct pkt *p)
{
	const struct shunt_nat_addrs *six;

	if (nat_void_for(conn) > 0 || conn->client_ports != p->ports ||
	    !nat_same_kind(conn->state, p, SHUNT_NAT_CLIENT6))
		return 0;
	if (!p->is_v6)
		return nat_same4(&conn->client, p);
	six = nat_addrs_at(rec);
	return six && nat_same6(six->client, six->vip, p);
}

/* Whether @conn, record @rec, alive or not, has the reply tuple @p. */
static __always_inline int nat_is_reply(const struct shunt_nat_conn *conn, __u32 rec,
					const struct pkt *p)
{
	const struct shunt_nat_addrs *six;

	if (conn->backend_ports != p->ports || !nat_same_kind(conn->state, p, SHUNT_NAT_BACKEND6))
		return 0;
	if (!p->is_v6)
		return nat_same4(&conn->backend, p);
	six = nat_addrs_at(rec);
	return six && nat_same6(six->backend, six->pool, p);
}

/* The same by number alone. */
__noinline int nat_has_request(__u32 rec, struct pkt *p)
{
	const struct shunt_nat_conn *conn = nat_conn_at(rec);

	return p && conn && nat_is_request(conn, rec, p);
}

__noinline int nat_has_reply(__u32 rec, struct pkt *p)
{
	const struct shunt_nat_conn *conn = nat_conn_at(rec);

	return p && conn && nat_is_reply(conn, rec, p);
}

__noinline int nat_is_alive(__u32 rec)
{
	const struct shunt_nat_conn *conn = nat_conn_at(rec);

	return conn && nat_void_for(conn) <= 0;
}

/* ---- finding ------------------------------------------------------------------------------------
 * By a bucket's first word with the tag, or, once in 10^8 times, when that is a stranger's or a dead
 * one's, by all of them. */

/* Upper half of a word. */
static __always_inline __u32 nat_tag(const __u64 *word)
{
	return ((const volatile __u32 *)word)[1];
}

/* The first word of the bucket with the tag, or SHUNT_NAT_WAYS. */
static __always_inline __u32 nat_way(const struct shunt_nat_bucket *b, __u32 tag)
{
	__u32 i;

	for (i = 0; i < SHUNT_NAT_WAYS; i++)
		if (nat_tag(&b->word[i]) == tag)
			break;
	return forget(i, tag);
}

__noinline __u32 nat_search_request(struct pkt *p)
{
	const struct shunt_nat_bucket *b;
	struct shunt_nat_place place;
	__u32 at, rec;

	if (!p)
		return NAT_NONE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_mask);
	for (__u32 i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		at = i < SHUNT_NAT_WAYS ? place.first : place.second;
		b = bpf_map_lookup_elem(&nat_requests, &at);
		rec = at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS;
		if (b && nat_tag(&b->word[i % SHUNT_NAT_WAYS]) == place.tag &&
		    nat_has_request(rec, p))
			return rec + 1;
	}
	return NAT_NONE;
}

__noinline __u32 nat_search_reply(struct pkt *p)
{
	const struct shunt_nat_bucket *b;
	struct shunt_nat_place place;
	__u32 at, rec;

	if (!p)
		return NAT_NONE;
	place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_reply_mask);
	for (__u32 i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		at = i < SHUNT_NAT_WAYS ? place.first : place.second;
		b = bpf_map_lookup_elem(&nat_replies, &at);
		if (!b || nat_tag(&b->word[i % SHUNT_NAT_WAYS]) != place.tag)
			continue;
		rec = nat_load(&b->word[i % SHUNT_NAT_WAYS]);
		if (nat_is_alive(rec) && nat_has_reply(rec, p))
			return rec + 1;
	}
	return NAT_NONE;
}

/* A record and the word that led to it; conn is NULL when there is none. */
struct nat_found {
	struct shunt_nat_conn *conn;
	__u32 rec;
	__u32 at, way, tag;
};

/* The live record of a client's packet. */
static __always_inline struct nat_found nat_find_request(struct pkt *p)
{
	struct shunt_nat_place place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_mask);
	struct nat_found f = {.at = place.first, .tag = place.tag};
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_requests, &f.at);

	if (!b)
		return f;
	f.way = nat_way(b, f.tag);
	if (unlikely(f.way == SHUNT_NAT_WAYS)) {
		f.at = place.second;
		b = bpf_map_lookup_elem(&nat_requests, &f.at);
		if (!b)
			return f;
		f.way = nat_way(b, f.tag);
		if (f.way == SHUNT_NAT_WAYS)
			return f;
	}
	f.rec = f.at * SHUNT_NAT_WAYS + f.way;
	f.conn = nat_conn_at(f.rec);
	if (likely(f.conn && nat_is_request(f.conn, f.rec, p)))
		return f;
	f.conn = NULL;
	f.rec = nat_search_request(p) - 1;
	if (f.rec == -1u)
		return f;
	f.at = f.rec / SHUNT_NAT_WAYS;
	f.way = f.rec % SHUNT_NAT_WAYS;
	f.conn = nat_conn_at(f.rec);
	return f;
}

/* The live record of a backend's packet. */
static __always_inline struct nat_found nat_find_reply(struct pkt *p)
{
	struct shunt_nat_place place = shunt_nat_mix(p->hash, p->l4_proto, settings.nat_reply_mask);
	struct nat_found f = {.at = place.first, .tag = place.tag};
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &f.at);

	if (!b)
		return f;
	f.way = nat_way(b, f.tag);
	if (unlikely(f.way == SHUNT_NAT_WAYS)) {
		f.at = place.second;
		b = bpf_map_lookup_elem(&nat_replies, &f.at);
		if (!b)
			return f;
		f.way = nat_way(b, f.tag);
		if (f.way == SHUNT_NAT_WAYS)
			return f;
	}
	f.rec = nat_load(&b->word[f.way % SHUNT_NAT_WAYS]);
	f.conn = nat_conn_at(f.rec);
	if (likely(f.conn && nat_void_for(f.conn) <= 0 && nat_is_reply(f.conn, f.rec, p)))
		return f;
	f.conn = NULL;
	f.rec = nat_search_reply(p) - 1;
	if (f.rec == -1u)
		return f;
	f.conn = nat_conn_at(f.rec);
	if (f.conn) {
		f.at = f.conn->reply_at / SHUNT_NAT_WAYS;
		f.way = f.conn->reply_at % SHUNT_NAT_WAYS;
	}
	return f;
}

/* Whether the record is still the one that was found, and so was when it was copied from. */
static __always_inline int nat_holds_request(const struct nat_found *f)
{
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_requests, &f->at);

	if (settings.dry)
		return 1;
	barrier();
	return b && nat_tag(&b->word[f->way % SHUNT_NAT_WAYS]) == f->tag;
}

static __always_inline int nat_holds_reply(const struct nat_found *f)
{
	const struct shunt_nat_bucket *b = bpf_map_lookup_elem(&nat_replies, &f->at);

	barrier();
	return b && nat_tag(&b->word[f->way % SHUNT_NAT_WAYS]) == f->tag;
}

#endif
