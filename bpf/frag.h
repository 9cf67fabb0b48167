/* SPDX-License-Identifier: GPL-2.0-only */
/* Fragments.  The first one carries the ports: it is steered like any packet of its flow, and where
 * it went is remembered under the packet's addresses, identification and protocol.  The others follow
 * it; those that come before it, or long after, are orphans.  A packet's later fragments must not
 * write over the ports and flags by which the first one was judged (RFC 1858, RFC 3128), and the
 * first must have them all (RFC 7112).
 *
 * Which packet of a flood is forgotten first is decided by age alone: fragments of one packet follow
 * each other closely, so that a table that turns over in a few milliseconds still serves. */
#ifndef SHUNT_FRAG_H
#define SHUNT_FRAG_H

#include "flow.h"
#include "maps.h"
#include "parse.h"
#include "rare.h"

#define FRAG_UNKNOWN 0xffffffffu /* no row */
#define FRAG_PASSED 0u /* no backend's row */
#define IP_LEN_MAX 0xffff

/* What a fragment says of itself. */
struct frag {
	__u64 hash; /* of the packet that it is a piece of */
	__u32 at; /* where in the frame its payload is */
	__u32 id;
	__u32 offset; /* bytes */
	__u32 len; /* bytes of the packet's payload in it */
	__u8 more; /* it is not the last */
	__u8 next; /* protocol of the packet's first byte that is in fragments */
};

/* ---- the table ---------------------------------------------------------------------------------*/

struct frag_place {
	struct shunt_frag_bucket *bucket;
	__u32 tag; /* 20 bits, never 0 */
	__u16 now; /* fragment tick */
};

static __always_inline int frag_locate(struct frag_place *p, __u64 hash)
{
	__u64 a = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ull;
	__u64 b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;
	__u32 bucket = a >> 32 & settings.frag_mask;

	p->tag = b >> SHUNT_FRAG_TAG_SHIFT | 1;
	p->now = bpf_jiffies64() >> SHUNT_FRAG_TICK_SHIFT;
	p->bucket = bpf_map_lookup_elem(&frags, &bucket);
	return p->bucket ? 0 : -1;
}

static __always_inline __u32 frag_tag(__u64 w)
{
	return w >> SHUNT_FRAG_TAG_SHIFT;
}

/* Ticks since the first fragment, and one: another CPU's clock may be a tick ahead. */
static __always_inline __u16 frag_age(const struct frag_place *p, __u64 w)
{
	return p->now - (__u16)w + 1;
}

/* The row to which the first fragment of that packet went; FRAG_UNKNOWN.  A global function like its
 * fellow below, so that the verifier checks it once. */
__noinline __u32 frag_find(__u64 hash)
{
	__u32 timeout = SHUNT_FRAG_TIMEOUT_S * settings.hz >> SHUNT_FRAG_TICK_SHIFT;
	struct frag_place p;
	__u64 w;

	if (frag_locate(&p, hash))
		return FRAG_UNKNOWN;
	for (int i = 0; i < SHUNT_FRAGS_PER_BUCKET; i++) {
		w = flow_read(&p.bucket->word[i]);
		if (frag_tag(w) == p.tag)
			return frag_age(&p, w) <= timeout + 1
				       ? w >> SHUNT_FRAG_WHERETO_SHIFT & SHUNT_FRAG_WHERETO
				       : FRAG_UNKNOWN;
	}
	return FRAG_UNKNOWN;
}

/* How readily @w gives its place to a packet with the tag: it is of that packet, free, old. */
static __always_inline __u32 frag_place_score(const struct frag_place *p, __u64 w)
{
	__u32 is_same = is_less(frag_tag(w) ^ p->tag, 1);
	__u32 is_free = is_less(frag_tag(w), 1);

	return is_same << 17 | is_free << 16 | frag_age(p, w);
}

/* Remembers the row.  Among words of one age the tag decides which goes, or a flood would replace the
 * same word again and again. */
__noinline int frag_remember(__u64 hash, __u32 row)
{
	__u64 best = 0, score;
	struct frag_place p;

	if (frag_locate(&p, hash))
		return 0;
	for (int i = 0; i < SHUNT_FRAGS_PER_BUCKET; i++) {
		score = (__u64)frag_place_score(&p, flow_read(&p.bucket->word[i])) << 3;
		score |= (i ^ p.tag >> 1) & 7;
		best += (score - best) * is_less(best, score);
	}
	flow_write(&p.bucket->word[(best ^ p.tag >> 1) & 7],
		   (__u64)p.tag << SHUNT_FRAG_TAG_SHIFT |
			   (__u64)(row & SHUNT_FRAG_WHERETO) << SHUNT_FRAG_WHERETO_SHIFT | p.now);
	return 1;
}

/* ---- the fragment ------------------------------------------------------------------------------*/

static __always_inline enum shunt_verdict frag_ipv4(struct xdp_md *ctx, struct pkt *pkt,
						    struct frag *f)
{
	const struct ipv4_head *ip;
	struct cursor c;

	if (cursor_at(ctx, pkt->l2_len, &c))
		return SHUNT_DROP_TRUNCATED;
	ip = take(&c, sizeof(*ip));
	if (!ip)
		return SHUNT_DROP_TRUNCATED;
	f->id = ip->id | (__u32)ip->proto << 16;
	f->offset = (bpf_ntohs(ip->frag) & IPV4_OFFSET) * 8;
	f->more = !!(ip->frag & bpf_htons(IPV4_MORE_FRAGMENTS));
	return SHUNT_GO_ON;
}

/* The protocol is no part of the key: it stands in the first fragment only where extension headers
 * are in front of it (RFC 8200 section 4.5). */
static __always_inline enum shunt_verdict frag_ipv6(struct xdp_md *ctx, struct pkt *pkt,
						    struct frag *f)
{
	const struct frag_head *head;
	struct cursor c;

	if (cursor_at(ctx, f->at, &c))
		return SHUNT_DROP_TRUNCATED;
	head = take(&c, sizeof(*head));
	if (!head || f->len < sizeof(*head))
		return SHUNT_DROP_FRAGMENT_BAD;
	f->at += sizeof(*head);
	f->len -= sizeof(*head);
	f->id = head->id;
	f->offset = bpf_ntohs(head->offset) & IPV6_OFFSET;
	f->more = !!(head->offset & bpf_htons(IPV6_MORE_FRAGMENTS));
	pkt->l4_proto = head->next;
	return SHUNT_GO_ON;
}

/* Fills all of @f and of @pkt but the ports, from what rare_parse() @found. */
static __always_inline enum shunt_verdict parse_fragment(struct xdp_md *ctx, struct pkt *pkt,
							 __u32 found, struct frag *f)
{
	enum shunt_verdict verdict;

	f->at = RARE_FOUND(found);
	f->len = pkt->l2_len + pkt->l3_len - f->at;
	verdict = pkt->is_v6 ? frag_ipv6(ctx, pkt, f) : frag_ipv4(ctx, pkt, f);
	pkt->ports = f->id;
	f->next = pkt->l4_proto;
	f->hash = flow_hash(pkt);
	return verdict;
}

/* Whether it can be a piece of something that is steered. */
static __always_inline int frag_is_steered(const struct pkt *pkt)
{
	return pkt->l4_proto == IPPROTO_TCP || pkt->l4_proto == IPPROTO_UDP ||
	       (pkt->is_v6 && ext_header_len(pkt->l4_proto, 0));
}

/* All but the last carry a multiple of 8 bytes, none is empty, and the whole fits a packet. */
static __always_inline int frag_is_sound(const struct pkt *pkt, const struct frag *f)
{
	__u32 not_counted = pkt->is_v6 ? sizeof(struct ipv6_head) + sizeof(struct frag_head) : 0;

	if (!f->len || (f->more && f->len % 8))
		return 0;
	return f->offset + pkt->l3_len <= IP_LEN_MAX + not_counted;
}

/* Takes the TCP or UDP header.  A UDP length is that of the whole packet. */
static __always_inline enum shunt_verdict parse_first(struct xdp_md *ctx, struct pkt *pkt,
						      struct frag *f)
{
	struct cursor c;
	__u32 ext;

	if (pkt->is_v6) {
		ext = parse_ext_headers(ctx, f->at, pkt->l4_proto, f->len);
		if (EXT_VERDICT(ext))
			return EXT_VERDICT(ext);
		pkt->l4_proto = EXT_PROTO(ext);
		f->at += EXT_LEN(ext);
		f->len -= EXT_LEN(ext);
	}
	if (cursor_at(ctx, f->at, &c))
		return SHUNT_DROP_TRUNCATED;
	if (pkt->l4_proto == IPPROTO_TCP)
		return parse_tcp(&c, pkt, f->len);
	if (pkt->l4_proto != IPPROTO_UDP)
		return SHUNT_PASS_NOT_TCP_UDP;
	if (f->len < sizeof(struct udp_head))
		return SHUNT_DROP_BAD_L4;
	return parse_udp(&c, pkt, f->more ? IP_LEN_MAX : f->len);
}

/* The first fragment, or all of a packet that is called one (RFC 6946). */
static __always_inline enum shunt_verdict frag_first(struct xdp_md *ctx, struct pkt *pkt,
						     struct frag *f)
{
	enum shunt_verdict verdict = parse_first(ctx, pkt, f);

	if (verdict == SHUNT_PASS_NOT_TCP_UDP)
		return SHUNT_PASS_FRAGMENT;
	if (verdict)
		return verdict == SHUNT_PASS_EXT_HEADERS ? verdict : SHUNT_DROP_FRAGMENT_BAD;
	verdict = rare_backend(pkt, 0);
	if (f->more && (!verdict || verdict == SHUNT_PASS_NOT_VIP))
		frag_remember(f->hash, verdict ? FRAG_PASSED : pkt->row);
	return verdict;
}

static __always_inline enum shunt_verdict frag_later(struct pkt *pkt, const struct frag *f)
{
	__u32 row = frag_find(f->hash);

	if (pkt->l4_proto == IPPROTO_TCP && f->offset < sizeof(struct tcp_head))
		return SHUNT_DROP_FRAGMENT_BAD;
	if (row == FRAG_PASSED)
		return SHUNT_PASS_FRAGMENT;
	pkt->row = row;
	return row != FRAG_UNKNOWN && backend_is_usable(row) ? SHUNT_GO_ON
							     : SHUNT_DROP_FRAGMENT_ORPHAN;
}

/* All pieces of a packet end up with one hash, so that they keep to one path.  @is_first: the sender
 * may be told what becomes of it. */
static __always_inline enum shunt_verdict frag_steer(struct xdp_md *ctx, struct pkt *pkt,
						     int *is_first)
{
	enum shunt_verdict verdict;
	struct frag f = {0};
	__u32 found;

	*is_first = 0;
	pkt_clear(pkt);
	found = rare_parse(ctx, pkt);
	verdict = RARE_VERDICT(found);
	if (verdict != SHUNT_PASS_FRAGMENT)
		return verdict ? verdict : SHUNT_DROP_BAD_TABLE;
	verdict = RARE_VERDICT(rare_vip(pkt));
	if (verdict)
		return verdict == SHUNT_PASS_NOT_VIP ? SHUNT_PASS_FRAGMENT : verdict;
	verdict = parse_fragment(ctx, pkt, found, &f);
	if (verdict)
		return verdict;
	if (!frag_is_steered(pkt))
		return SHUNT_PASS_FRAGMENT;
	if (!frag_is_sound(pkt, &f))
		return SHUNT_DROP_FRAGMENT_BAD;
	*is_first = !f.offset;
	verdict = f.offset ? frag_later(pkt, &f) : frag_first(ctx, pkt, &f);
	pkt->hash = f.hash;
	return verdict ? verdict : rare_forward(ctx, pkt);
}

#endif
