/* SPDX-License-Identifier: GPL-2.0-only */
/* QUIC: the backend that has issued the connection id gets the packet, from whatever address it comes
 * (draft-ietf-quic-load-balancers-21; shunt_abi_quic.h).  Only what every version of QUIC has is looked
 * at (RFC 8999).  Ids that no backend could have issued, such as those that clients make up, are the
 * scheduler's business, which the draft calls the baseline fallback: a hash of addresses and ports, or
 * the flow table. */
#ifndef SHUNT_QUIC_H
#define SHUNT_QUIC_H

#include "aes.h"
#include "maps.h"
#include "parse.h"
#include "sched.h"

#define QUIC_LONG_HEADER 0x80
#define QUIC_LONG_TYPE 0x30 /* of version 1: Initial and 0-RTT are below Handshake */
#define QUIC_HANDSHAKE 0x20
#define KATRAN_CID_MIN 8 /* octets, in a long header */
#define QUIC_BEFORE_LENGTH 5 /* octets of a long header before the length of its connection id */
#define QUIC_NOBODY 0 /* no backend's number */

/* The destination connection id: its first octet, and up to 19 that follow, those that are not there 0,
 * eight to a word in network order as a number. */
struct quic_cid {
	__u64 word[3];
	__u32 len; /* octets behind the first */
	__u32 said; /* octets of the whole, as a long header says; of a short one the rest of the packet */
	__u8 first;
	__u8 header; /* the packet's first octet */
};

/* ---- finding it ---------------------------------------------------------------------------------*/

/* Bytes from the IP header to the UDP header; 0: unknown. */
static __always_inline __u32 quic_udp_at(struct xdp_md *ctx, const struct pkt *pkt,
					 struct cursor *c)
{
	const struct ipv4_head *ip4;
	const struct ipv6_head *ip6;
	__u32 ext;

	if (!pkt->is_v6) {
		ip4 = take(c, sizeof(*ip4));
		return ip4 ? (ip4->version_ihl & 0xf) * 4 : 0;
	}
	ip6 = take(c, sizeof(*ip6));
	if (!ip6)
		return 0;
	if (likely(ip6->next == IPPROTO_UDP))
		return sizeof(*ip6);
	ext = parse_ext_headers(ctx, pkt->l2_len + sizeof(*ip6), ip6->next,
				bpf_ntohs(ip6->payload_len));
	return EXT_VERDICT(ext) ? 0 : sizeof(*ip6) + EXT_LEN(ext);
}

/* Puts the cursor behind the UDP header; @left is the length of what follows. */
static __always_inline int quic_payload(struct xdp_md *ctx, const struct pkt *pkt, struct cursor *c,
					__u32 *left)
{
	__u32 l2_len = pkt->l2_len, udp_at;
	const struct udp_head *udp;

	*c = cursor_at_start(ctx);
	if (l2_len > L2_LEN_MAX || !take(c, l2_len))
		return -1;
	udp_at = quic_udp_at(ctx, pkt, c);
	*c = cursor_at_start(ctx);
	if (!udp_at || udp_at > sizeof(struct ipv6_head) + 0x3fff || !take(c, l2_len) ||
	    !take(c, udp_at))
		return -1;
	udp = take(c, sizeof(*udp));
	if (!udp)
		return -1;
	*left = bpf_ntohs(udp->len) - sizeof(*udp);
	return 0;
}

/* Moves the cursor to the connection id; @left becomes how long it may be: a short header does not say
 * how long it is (RFC 8999 section 5.2).  @header: the packet's first octet. */
static __always_inline int quic_header(struct cursor *c, __u32 *left, __u8 *header)
{
	const __u8 *first = take(c, 1), *len;
	__u32 before = QUIC_BEFORE_LENGTH;

	if (!first || !*left)
		return -1;
	--*left;
	*header = *first;
	if (!(*header & QUIC_LONG_HEADER))
		return 0;
	if (*left < before || !take(c, before - 1))
		return -1;
	len = take(c, 1);
	if (!len || *len > *left - before)
		return -1;
	*left = *len;
	return 0;
}

static __always_inline int quic_find(struct xdp_md *ctx, const struct pkt *pkt,
				     struct quic_cid *cid)
{
	const __u8 *octet;
	struct cursor c;
	__u8 header;
	__u32 left;

	if (quic_payload(ctx, pkt, &c, &left) || quic_header(&c, &left, &header) || !left)
		return -1;
	octet = take(&c, 1);
	if (!octet)
		return -1;
	*cid = (struct quic_cid){.said = left, .first = *octet, .header = header};
	for (__u32 i = 0; i < SHUNT_QUIC_BLOCK_MAX && i + 1 < left; i++) {
		barrier_var(c.pos); /* or clang makes one check of all */
		octet = take(&c, 1);
		if (!octet)
			break;
		cid->word[i / 8] |= (__u64)*octet << (56 - i % 8 * 8);
		cid->len++;
	}
	return 0;
}

/* ---- up to sixteen octets, as a number of 128 bits in network order ---------------------------------*/

struct quic_octets {
	__u64 upper, lower;
};

/* The first @bits bits of ones; @bits < 128. */
static __always_inline struct quic_octets quic_mask(__u32 bits)
{
	if (bits < 64)
		return (struct quic_octets){~(~0ull >> bits), 0};
	return (struct quic_octets){~0ull, ~(~0ull >> (bits - 64))};
}

static __always_inline struct quic_octets quic_and(struct quic_octets x, struct quic_octets mask)
{
	return (struct quic_octets){x.upper & mask.upper, x.lower & mask.lower};
}

/* What follows the first @bits bits of the id; @bits < 128. */
static __always_inline struct quic_octets quic_behind(const struct quic_cid *cid, __u32 bits)
{
	__u64 a = cid->word[0], b = cid->word[1], c = cid->word[2];

	if (bits >= 64) {
		a = b;
		b = c;
		c = 0;
	}
	bits &= 63;
	if (!bits)
		return (struct quic_octets){a, b};
	return (struct quic_octets){a << bits | b >> (64 - bits), b << bits | c >> (64 - bits)};
}

/* @x moved back by @bits bits; @bits < 128. */
static __always_inline struct quic_octets quic_moved(struct quic_octets x, __u32 bits)
{
	if (bits >= 64) {
		x.lower = x.upper;
		x.upper = 0;
	}
	bits &= 63;
	if (!bits)
		return x;
	return (struct quic_octets){x.upper >> bits, x.lower >> bits | x.upper << (64 - bits)};
}

/* ---- QUIC-LB ------------------------------------------------------------------------------------*/

/* A round of the draft's Feistel network (section 5.4.2): @from's cipher over @to, within @mask. */
static __always_inline void quic_round(const struct shunt_quic_config *c, struct quic_octets from,
				       struct quic_octets *to, struct quic_octets mask, __u32 pass)
{
	struct aes_block block = {from.upper, from.lower | (c->id_len + c->nonce_len) << 8 | pass};

	aes_encrypt(&block, c);
	to->upper = (to->upper ^ block.a) & mask.upper;
	to->lower = (to->lower ^ block.b) & mask.lower;
}

/* The two halves overlap in an octet if the whole is odd, which gives four bits to each. */
static __always_inline struct quic_octets quic_four_passes(const struct shunt_quic_config *c,
							   const struct quic_cid *cid)
{
	__u32 len = c->id_len + c->nonce_len, half = (len + 1) / 2, odd = len & 1;
	__u32 behind = (len - half) * 8 & 127;
	struct quic_octets mask_left = quic_mask((half * 8 - odd * 4) & 127);
	struct quic_octets mask_right = quic_mask(half * 8 & 127);
	struct quic_octets left, right;

	if (odd)
		mask_right.upper &= ~0ull >> 4;
	left = quic_and(quic_behind(cid, 0), mask_left);
	right = quic_and(quic_behind(cid, behind), mask_right);
	quic_round(c, right, &left, mask_left, 4);
	quic_round(c, left, &right, mask_right, 3);
	quic_round(c, right, &left, mask_left, 2);
	if (c->id_len <= c->nonce_len)
		return left; /* has all of the server's id */
	quic_round(c, left, &right, mask_right, 1);
	right = quic_moved(right, behind);
	return (struct quic_octets){left.upper | right.upper, left.lower | right.lower};
}

/* The server's id behind the first octet of @cid, and what may follow it. */
static __always_inline struct quic_octets quic_decode(const struct shunt_quic_config *c,
						      const struct quic_cid *cid)
{
	struct aes_block block = {cid->word[0], cid->word[1]};

	if (c->mode == SHUNT_QUIC_FOUR_PASS)
		return quic_four_passes(c, cid);
	if (c->mode == SHUNT_QUIC_ONE_PASS)
		aes_decrypt(&block, c);
	return (struct quic_octets){block.a, block.b};
}

/* The server's id by the configuration that its first octet names; its length, or 0: there is none. */
static __always_inline __u32 quic_lb_id(const struct shunt_quic *q, const struct quic_cid *cid,
					struct quic_octets *id)
{
	const struct shunt_quic_config *c = &q->config[cid->first >> 5 & 7];
	__u32 len = c->id_len;

	if (c->mode == SHUNT_QUIC_UNUSED || !len || len > SHUNT_QUIC_ID_MAX ||
	    cid->len < len + c->nonce_len)
		return 0;
	*id = quic_and(quic_decode(c, cid), quic_mask(len * 8 & 127));
	return len;
}

/* ---- Katran -------------------------------------------------------------------------------------*/

/* Whether the id may be one that a client has made up, in a packet of type Initial or 0-RTT or of a
 * length that no server's has.  The types are those of QUIC's version 1 (RFC 9000 section 17.2), as Katran
 * has it. */
static __always_inline int quic_katran_made_up(const struct quic_cid *cid)
{
	return (cid->header & QUIC_LONG_HEADER) &&
	       ((cid->header & QUIC_LONG_TYPE) < QUIC_HANDSHAKE || cid->said < KATRAN_CID_MIN);
}

static __always_inline __u32 quic_katran_id(const struct quic_cid *cid, struct quic_octets *id)
{
	__u32 version = cid->first >> 6, len = version + 1;

	if (!version || cid->len < len || quic_katran_made_up(cid))
		return 0;
	id->lower = 0;
	if (version == 1) /* 16 bits behind the version's two */
		id->upper = ((__u64)cid->first << 58 | cid->word[0] >> 6) & ~(~0ull >> 16);
	else
		id->upper = cid->word[0] & ~(~0ull >> len * 8);
	return len;
}

/* ---- the backend --------------------------------------------------------------------------------*/

static __always_inline __u32 quic_server(const struct shunt_quic *q, const struct quic_octets *id,
					 __u32 len)
{
	__u64 last = id->lower | len;
	__u32 place = shunt_quic_place(id->upper, last, q->servers_mask), at;
	const struct shunt_quic_server *s;

	for (__u32 i = 0; i < SHUNT_QUIC_PROBES; i++) {
		at = q->servers_at + ((place + i) & q->servers_mask);
		s = bpf_map_lookup_elem(&quic_servers, &at);
		if (!s || !s->number)
			break;
		if (s->id[0] == id->upper && s->id[1] == last)
			return s->number;
	}
	return QUIC_NOBODY;
}

/* Of the backend that has issued the packet's connection id; QUIC_NOBODY. */
static __always_inline __u32 quic_number(struct xdp_md *ctx, const struct pkt *pkt,
					 const struct shunt_service *svc)
{
	__u32 row = svc->row, at, len;
	const struct shunt_backend *own = bpf_map_lookup_elem(&backends, &row);
	const struct shunt_quic *q;
	struct quic_octets id;
	struct quic_cid cid;

	if (!own || quic_find(ctx, pkt, &cid))
		return QUIC_NOBODY;
	at = own->addr[0];
	q = at ? bpf_map_lookup_elem(&quic_records, &at) : NULL;
	if (!q)
		return QUIC_NOBODY;
	len = q->format == SHUNT_QUIC_KATRAN ? quic_katran_id(&cid, &id) : quic_lb_id(q, &cid, &id);
	return len ? quic_server(q, &id, len) : QUIC_NOBODY;
}

/* Fills @out with the row of the backend that the connection id names, or says that there is none that
 * could take the packet. */
static __always_inline int quic_backend(struct xdp_md *ctx, struct pkt *pkt,
					const struct shunt_service *svc,
					const struct shunt_backend **out)
{
	__u32 number = quic_number(ctx, pkt, svc), row = svc->row + number;
	const struct shunt_backend *be;

	if (number == QUIC_NOBODY || number > svc->backends)
		return -1;
	be = bpf_map_lookup_elem(&backends, &row);
	if (!be || !(be->flags & SHUNT_BE_USABLE))
		return -1;
	pkt->hash = flow_hash(pkt);
	pkt->new_flow = 0;
	pkt->row = row;
	*out = be;
	return 0;
}

#endif
