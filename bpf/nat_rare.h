/* SPDX-License-Identifier: GPL-2.0-only */
/* Translation of what is rare: what it has in common with nat_icmp.h, and fragments.
 *
 * A first fragment has the ports and is translated like any packet; which record it went by is
 * remembered with the fragments of other methods, under a key of its own, and the others follow with
 * their addresses translated.  The identification stays: it is 32 bits in IPv6; of IPv4 two clients may
 * meet behind one address of the pool with the same one, which a balancer without reassembly cannot
 * rule out by any other number either; then checksums tell the receiver.  Towards IPv6 it gets 16 bits of
 * 0 in front, towards IPv4 its lower 16 bits stay (nat64_frag.h). */
#ifndef SHUNT_NAT_RARE_H
#define SHUNT_NAT_RARE_H

#include "frag.h"
#include "icmp.h"
#include "nat.h"
#include "nat64_frag.h"
#include "rare.h"

/* A packet's or a quote's record, and which way it goes; 0 in `known` when it has none. */
struct nat_of {
	__u32 rec;
	__u32 at, way; /* as in struct nat_found */
	__u32 tag; /* also of a client's packet without a record */
	__u8 known;
	__u8 to_client;
	__u8 otherwise; /* it goes to the backend in pkt->row by another method */
};

static __always_inline void nat_of_found(struct nat_of *of, const struct nat_found *f,
					 __u32 to_client)
{
	of->known = !!f->conn;
	of->rec = f->rec;
	of->to_client = to_client;
	of->at = f->at;
	of->way = f->way;
	of->tag = f->tag;
}

/* ---- whose it is ---------------------------------------------------------------------------------*/

/* The record of the client's tuple @pkt, if its backend may be used; pkt->row becomes that. */
__noinline int nat_of_request(struct pkt *pkt, struct nat_of *of)
{
	const struct shunt_service *svc = NULL;
	struct nat_found f;

	if (!pkt || !of || service_find(pkt, pkt->is_v6, &svc))
		return 0;
	f = nat_known(pkt, svc);
	nat_of_found(of, &f, 0);
	return of->known;
}

/* The record of the backend's tuple @pkt. */
__noinline int nat_of_reply(struct pkt *pkt, struct nat_of *of)
{
	struct nat_found f;

	if (!pkt || !of)
		return 0;
	f = nat_find_reply(pkt);
	nat_of_found(of, &f, 1);
	return of->known;
}

/* Fills @of for a packet with ports, which may open a connection; 0 in `known` and `otherwise`: it is not
 * for us.  Or the verdict. */
__noinline int nat_of_first(struct pkt *pkt, struct nat_of *of)
{
	const struct shunt_service *svc = NULL;
	struct shunt_service copy;
	enum shunt_verdict verdict;
	__u32 rates = 0;
	__u64 got;

	if (!pkt || !of)
		return SHUNT_DROP_BAD_TABLE;
	pkt->hash = flow_hash(pkt);
	pkt->new_flow = pkt_is_syn(pkt);
	verdict = service_find(pkt, pkt->is_v6, &svc);
	if (verdict == SHUNT_PASS_NOT_VIP)
		nat_of_reply(pkt, of);
	if (verdict || !(svc->flags & SHUNT_SVC_NAT))
		return SHUNT_GO_ON;
	verdict = svc->policy ? source_check(pkt, svc, &rates) : SHUNT_GO_ON;
	if (verdict)
		return verdict;
	if (nat_of_request(pkt, of))
		return SHUNT_GO_ON;
	copy = *svc;
	copy.policy = rates;
	got = nat_open(pkt, &copy);
	if (got < NAT_OPENED(0))
		return got;
	if (got == NAT_OTHERWISE) {
		of->otherwise = 1;
		return SHUNT_GO_ON;
	}
	of->known = 1; /* whatever nat_known() would say of it */
	of->rec = got;
	of->at = of->rec / SHUNT_NAT_WAYS;
	of->way = of->rec % SHUNT_NAT_WAYS;
	return SHUNT_GO_ON;
}

/* Whether the addresses of @pkt are those of record @rec, one way or the other. */
__noinline int nat_of_addrs(__u32 rec, struct pkt *pkt, struct nat_of *of)
{
	struct shunt_nat_conn *conn = nat_conn_at(rec);
	struct pkt whole;

	if (!pkt || !of || !conn)
		return 0;
	whole = *pkt;
	whole.l4_proto = SHUNT_NAT_PROTO(conn->state);
	whole.ports = conn->client_ports;
	whole.hash = flow_hash(&whole);
	whole.tcp_flags = 0;
	if (nat_of_request(&whole, of) && of->rec == rec) {
		pkt->row = whole.row;
		return 1;
	}
	whole.ports = conn->backend_ports;
	whole.hash = flow_hash(&whole);
	return nat_of_reply(&whole, of) && of->rec == rec;
}

/* ---- where it goes -------------------------------------------------------------------------------*/

/* What becomes of a packet by its record, and the layer 2 that it leaves by. */
struct nat_plan {
	struct nat_change to;
	struct shunt_backend way;
};

/* Fills @plan and pkt->egress.  SHUNT_GO_ON, or a verdict. */
__noinline int nat_plan(struct pkt *pkt, struct nat_of *of, struct nat_plan *plan)
{
	struct nat_found f = {};
	const struct shunt_backend *be;
	int holds;

	if (!pkt || !of || !plan)
		return SHUNT_DROP_BAD_TABLE;
	f.rec = of->rec;
	f.at = of->at;
	f.way = of->way;
	f.tag = of->tag;
	f.conn = nat_conn_at(f.rec);
	be = backend_at(pkt->row);
	if (!f.conn || !be)
		return SHUNT_DROP_BAD_TABLE;
	if (of->to_client) {
		if (nat_to_client(f.conn, f.rec, &plan->to))
			return SHUNT_DROP_BAD_TABLE;
		plan->way = nat_way_back(f.conn);
		plan->way.mtu = 0xffff;
		pkt->egress = f.conn->ifindex;
		holds = nat_holds_reply(&f);
	} else {
		if (nat_to_backend(f.conn, f.rec, &plan->to))
			return SHUNT_DROP_BAD_TABLE;
		plan->way = *be;
		pkt->egress = be->ifindex;
		holds = nat_holds_request(&f);
	}
	return holds ? SHUNT_GO_ON : SHUNT_DROP_NAT_FULL;
}

static __always_inline enum shunt_verdict nat_verdict(const struct nat_of *of,
						      const struct nat_plan *plan)
{
	if (of->to_client)
		return SHUNT_RETURN_NAT;
	return plan->way.method == SHUNT_MASQ ? SHUNT_FORWARD_MASQ : SHUNT_FORWARD_NAT;
}

/* ---- the IP header -------------------------------------------------------------------------------*/

#define NAT_NO_HEADER (1ull << 63)

/* Puts @saddr and @daddr into the IP header @at bytes into the frame, and takes a hop if @hops.  What
 * checksums over the addresses lose and gain; in the upper half, folded, what the header's own does
 * besides. */
static __always_inline __u64 nat_put_addrs(struct xdp_md *ctx, __u32 is_v6, __u32 at,
					   const __be32 *saddr, const __be32 *daddr, __u32 hops)
{
	struct ipv4_head *ip4;
	struct ipv6_head *ip6;
	struct cursor c;
	__u64 delta;
	__u16 was;

	if (cursor_at(ctx, at, &c))
		return NAT_NO_HEADER;
	if (is_v6) {
		ip6 = take(&c, sizeof(*ip6));
		if (!ip6)
			return NAT_NO_HEADER;
		delta = nat_write_addr6(ip6->saddr, saddr);
		delta += nat_write_addr6(ip6->daddr, daddr);
		ip6->hop_limit -= hops;
		return csum_add_up(delta);
	}
	ip4 = take(&c, sizeof(*ip4));
	if (!ip4)
		return NAT_NO_HEADER;
	delta = (__u64)(__u32)~ip4->saddr + (__u32)~ip4->daddr + saddr[0] + daddr[0];
	was = ip4->csum;
	ip4->csum = csum_change(was, delta + (hops ? 0xfffe : 0));
	ip4->ttl -= hops;
	ip4->saddr = saddr[0];
	ip4->daddr = daddr[0];
	return csum_add_up(delta) | (__u64)csum_add_up((__u64)(__u16)~was + ip4->csum) << 32;
}
#define NAT_DELTA(r) ((__u32)(r))
#define NAT_DELTA_HEADER(r) ((__u32)((r) >> 32))

/* The packet's own header. */
__noinline __u64 nat_put_outer(struct xdp_md *ctx, struct pkt *pkt, struct nat_change *to)
{
	if (!pkt || !to)
		return NAT_NO_HEADER;
	return nat_put_addrs(ctx, pkt->is_v6, pkt->l2_len & 31, to->saddr, to->daddr, 1);
}

/* The header quoted @at bytes into the frame: of a packet the other way round. */
__noinline __u64 nat_put_quoted(struct xdp_md *ctx, struct pkt *pkt, struct nat_change *to,
				__u32 at)
{
	if (!pkt || !to)
		return NAT_NO_HEADER;
	return nat_put_addrs(ctx, pkt->is_v6, at, to->daddr, to->saddr, 0);
}

static __always_inline enum shunt_verdict nat_put_l2(struct xdp_md *ctx, const struct pkt *pkt,
						     const struct shunt_backend *way)
{
	enum shunt_verdict verdict = make_room(ctx, pkt, way, 0);
	struct cursor c;

	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	return write_l2(&c, way, pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
}

/* ---- fragments -----------------------------------------------------------------------------------*/

/* The first fragment's ports, @l4 bytes into the frame; and the connection lives on. */
static __always_inline enum shunt_verdict nat_send_first(struct xdp_md *ctx, struct pkt *pkt,
							 const struct nat_of *of, __u32 l4,
							 __u32 delta, __u32 ports)
{
	__u32 rec = of->rec, done;
	struct shunt_nat_conn *conn = nat_conn_at(rec);
	struct cursor c;

	if (!conn || cursor_at(ctx, l4, &c))
		return SHUNT_DROP_TRUNCATED;
	done = nat_write_l4(&c, pkt, delta, ports);
	if (NAT_VERDICT(done) || (!of->to_client && nat_note_l2(ctx, pkt, conn)))
		return SHUNT_DROP_TRUNCATED;
	nat_note(conn, pkt, NAT_FLAGS(done), !of->to_client);
	return SHUNT_GO_ON;
}

/* The same of the other family. */
__noinline int nat_cross_piece(struct xdp_md *ctx, struct pkt *pkt, struct nat_of *of,
			       struct nat_plan *plan, struct frag *f)
{
	enum shunt_verdict verdict = SHUNT_GO_ON;
	__u64 delta;
	__u32 most;

	if (!pkt || !of || !plan || !f)
		return SHUNT_DROP_BAD_TABLE;
	most = of->to_client ? nat_most_back(ctx, pkt, &plan->to, pkt->egress) : plan->way.mtu;
	verdict = nat64_piece_may(ctx, pkt, f, &plan->to, most);
	if (verdict)
		return verdict;
	delta = plan->to.is_v6 ? nat64_piece_delta6(pkt, &plan->to)
			       : nat64_piece_delta4(pkt, &plan->to);
	if (!f->offset)
		verdict = nat_send_first(ctx, pkt, of, f->at, csum_add_up(delta), plan->to.ports);
	return verdict ? verdict : nat64_piece_put(ctx, pkt, f, &plan->to, &plan->way);
}

/* Sends the fragment as @of says.  A function, as nat_icmp() is, so that its room on the stack is not
 * beside that of what opens connections, which goes deep: Linux 6.1 allows 512 bytes for all calls, 32
 * at a time. */
__noinline int nat_send_piece(struct xdp_md *ctx, struct pkt *pkt, struct nat_of *of,
			      struct frag *f)
{
	enum shunt_verdict verdict;
	struct nat_plan plan = {};
	__u64 delta;

	if (!pkt || !of || !f)
		return SHUNT_DROP_BAD_TABLE;
	verdict = nat_plan(pkt, of, &plan);
	if (verdict)
		return verdict;
	if (pkt->ttl <= 1)
		return SHUNT_DROP_TTL;
	if (!plan.to.is_v6 != !pkt->is_v6) {
		verdict = nat_cross_piece(ctx, pkt, of, &plan, f);
		return verdict ? verdict : nat_verdict(of, &plan);
	}
	if (pkt->l3_len > plan.way.mtu)
		return SHUNT_DROP_TOO_BIG;
	delta = nat_put_outer(ctx, pkt, &plan.to);
	if (delta & NAT_NO_HEADER)
		return SHUNT_DROP_TRUNCATED;
	if (!f->offset)
		verdict = nat_send_first(ctx, pkt, of, f->at, NAT_DELTA(delta), plan.to.ports);
	if (!verdict)
		verdict = nat_put_l2(ctx, pkt, &plan.way);
	return verdict ? verdict : nat_verdict(of, &plan);
}

static __always_inline enum shunt_verdict nat_later(struct xdp_md *ctx, struct pkt *pkt,
						    struct nat_of *of, struct frag *f)
{
	__u32 rec = frag_find(f->hash ^ SHUNT_FRAG_NAT_KEY);

	if (rec == SHUNT_FRAG_UNTOLD)
		return SHUNT_DROP_NAT_FAMILY;
	if (rec == FRAG_UNKNOWN || !nat_of_addrs(rec, pkt, of))
		return SHUNT_GO_ON;
	if (pkt->l4_proto == IPPROTO_TCP && f->offset < sizeof(struct tcp_head))
		return SHUNT_DROP_FRAGMENT_BAD;
	return nat_send_piece(ctx, pkt, of, f);
}

/* SHUNT_GO_ON: the fragment is not of a translated connection.  @is_first: its sender may be told what
 * becomes of it. */
static __always_inline enum shunt_verdict nat_fragment(struct xdp_md *ctx, struct pkt *pkt,
						       int *is_first)
{
	enum shunt_verdict verdict;
	struct nat_of of = {};
	struct frag f = {0};
	__u32 found;

	pkt_clear(pkt);
	found = rare_parse(ctx, pkt);
	if (RARE_VERDICT(found) != SHUNT_PASS_FRAGMENT || parse_fragment(ctx, pkt, found, &f) ||
	    !frag_is_steered(pkt) || !frag_is_sound(pkt, &f))
		return SHUNT_GO_ON;
	if (f.offset)
		return nat_later(ctx, pkt, &of, &f);
	if (parse_first(ctx, pkt, &f))
		return SHUNT_GO_ON;
	verdict = nat_of_first(pkt, &of);
	if (verdict || !(of.known | of.otherwise))
		return verdict;
	*is_first = 1;
	if (!of.known) { /* the others follow it in shunt_rare */
		if (f.more)
			frag_remember(f.hash, pkt->row);
		pkt->hash = f.hash;
		return rare_forward(ctx, pkt);
	}
	verdict = nat_send_piece(ctx, pkt, &of, &f);
	if (f.more)
		frag_remember(f.hash ^ SHUNT_FRAG_NAT_KEY,
			      verdict == SHUNT_DROP_NAT_FAMILY ? SHUNT_FRAG_UNTOLD : of.rec);
	return verdict;
}

#endif
