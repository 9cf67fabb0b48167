/* SPDX-License-Identifier: GPL-2.0-only */
/* Translation of addresses and ports.  A connection's backend is chosen once; from then on its record
 * (nat_table.h) says where its packets go, in both directions, as long as the record lives and the
 * backend may be used.  Replies go back by the layer 2 of the client's last packet, reversed: the
 * router that the client comes through is the one that knows the way to it. */
#ifndef SHUNT_NAT_H
#define SHUNT_NAT_H

#include "fwd.h"
#include "nat64.h"
#include "nat_back.h"
#include "nat_open.h"
#include "nat_rewrite.h"
#include "nat_table.h"
#include "signs.h"

/* ---- state --------------------------------------------------------------------------------------*/

/* The state after a TCP segment with these flags, from the client or else from the backend.  A RST
 * counts only while nothing else follows it: a forged one closes nothing that goes on. */
static __always_inline __u32 nat_tcp_state(__u32 state, __u32 flags, int from_client)
{
	const __u32 fins = SHUNT_NAT_FIN_CLIENT | SHUNT_NAT_FIN_BACKEND;
	const __u32 all = fins | SHUNT_NAT_RESET | SHUNT_NAT_REPLIED | SHUNT_NAT_ESTABLISHED;

	if (from_client && flags & TCP_SYN && (state & SHUNT_NAT_RESET || (state & fins) == fins))
		state &= ~all; /* the same ports once more */
	state &= ~SHUNT_NAT_RESET;
	if (flags & TCP_RST)
		state |= SHUNT_NAT_RESET;
	if (flags & TCP_FIN)
		state |= from_client ? SHUNT_NAT_FIN_CLIENT : SHUNT_NAT_FIN_BACKEND;
	if (!from_client)
		state |= SHUNT_NAT_REPLIED;
	else if (state & SHUNT_NAT_REPLIED && !(flags & TCP_SYN))
		state |= SHUNT_NAT_ESTABLISHED;
	return state;
}

/* A packet of the connection has passed.  Two CPUs may do this at once; the one that comes too late
 * with a new state leaves it to the next packet. */
static __always_inline void nat_note(struct shunt_nat_conn *conn, const struct pkt *pkt,
				     __u32 flags, int from_client)
{
	__u32 state = conn->state, next;

	if (settings.dry)
		return;
	if (pkt->l4_proto == IPPROTO_TCP)
		next = nat_tcp_state(state, flags, from_client);
	else
		next = from_client ? state : state | SHUNT_NAT_REPLIED;
	if (unlikely(next != state)) {
		__sync_val_compare_and_swap(&conn->state, state, next);
		if (!nat_is_steady(next) || nat_timeout(next) < nat_timeout(state))
			nat_back_forget(conn->reply_at, next);
	}
	if (unlikely(next != state || conn->seen != nat_now()))
		nat_live_for(conn, nat_timeout(*(volatile __u32 *)&conn->state));
}

/* ---- the client's layer 2 ------------------------------------------------------------------------*/

/* Notes by what layer 2 the client's packet came, if that is news. */
static __always_inline int nat_note_l2(struct xdp_md *ctx, const struct pkt *pkt,
				       struct shunt_nat_conn *conn)
{
	struct cursor c = cursor_at_start(ctx);
	const struct eth_head *eth = take(&c, sizeof(*eth));
	const struct vlan_tag *tag;
	__u32 tags = (pkt->l2_len - sizeof(*eth)) / sizeof(*tag), differ = 0;

	if (settings.dry)
		return 0;
	if (!eth)
		return -1;
	for (int i = 0; i < 6; i++)
		differ |= conn->mac[i] ^ eth->mac[i];
	differ |= (conn->ifindex ^ ctx->ingress_ifindex) | (conn->tags ^ tags);
	if (differ) {
		for (int i = 0; i < 6; i++)
			conn->mac[i] = eth->mac[i];
		conn->ifindex = ctx->ingress_ifindex;
		conn->tags = tags;
	}
	for (__u32 i = 0; i < 2 && i < tags; i++) {
		tag = take(&c, sizeof(*tag));
		if (!tag)
			return -1;
		if (conn->vlan_tci[i] != tag->tci) {
			conn->vlan_tci[i] = tag->tci;
			differ = 1;
		}
	}
	if (unlikely(differ) && conn->state & SHUNT_NAT_REPLIED)
		nat_back_forget(conn->reply_at, conn->state);
	return 0;
}

/* ---- what a record makes of a packet --------------------------------------------------------------*/

/* Fills @to with what becomes of the client's packet. */
static __always_inline int nat_to_backend(const struct shunt_nat_conn *conn, __u32 rec,
					  struct nat_change *to)
{
	const struct shunt_nat_addrs *six;

	to->ports = nat_turned(conn->backend_ports);
	to->is_v6 = conn->state & SHUNT_NAT_BACKEND6;
	if (likely(!to->is_v6)) {
		to->saddr[0] = conn->pool;
		to->daddr[0] = conn->backend;
		return 0;
	}
	six = nat_addrs_at(rec);
	if (!six)
		return -1;
	__builtin_memcpy(to->saddr, six->pool, sizeof(to->saddr));
	__builtin_memcpy(to->daddr, six->backend, sizeof(to->daddr));
	return 0;
}

/* The same of the backend's packet. */
static __always_inline int nat_to_client(const struct shunt_nat_conn *conn, __u32 rec,
					 struct nat_change *to)
{
	const struct shunt_nat_addrs *six;

	to->ports = nat_turned(conn->client_ports);
	to->is_v6 = conn->state & SHUNT_NAT_CLIENT6;
	if (likely(!to->is_v6)) {
		to->saddr[0] = conn->vip;
		to->daddr[0] = conn->client;
		return 0;
	}
	six = nat_addrs_at(rec);
	if (!six)
		return -1;
	__builtin_memcpy(to->saddr, six->vip, sizeof(to->saddr));
	__builtin_memcpy(to->daddr, six->client, sizeof(to->daddr));
	return 0;
}

/* Rewrites the packet, or what it carries when the family changes; at most @most bytes may leave.
 * NAT_DONE(), or a verdict. */
static __always_inline __u32 nat_rewrite(struct xdp_md *ctx, struct pkt *pkt, struct nat_change *to,
					 __u32 most)
{
	if (unlikely(pkt->ttl <= 1))
		return SHUNT_DROP_TTL;
	if (unlikely(!to->is_v6 != !pkt->is_v6))
		return to->is_v6 ? nat_carried_by6(ctx, pkt, to, most)
				 : nat_carried_by4(ctx, pkt, to, most);
	if (unlikely(pkt->l3_len > most))
		return SHUNT_DROP_TOO_BIG;
	return to->is_v6 ? nat_rewrite6(ctx, pkt, to) : nat_rewrite4(ctx, pkt, to);
}

/* Puts @way's layer 2 in front, and the other family's header where nat_rewrite() has @done so. */
static __always_inline enum shunt_verdict nat_leave(struct xdp_md *ctx, const struct pkt *pkt,
						    const struct nat_change *to, __u32 done,
						    const struct shunt_backend *way)
{
	enum shunt_verdict verdict;
	struct cursor c;

	if (unlikely(NAT_REMOVED(done)))
		return nat_replace(ctx, pkt, to, NAT_REMOVED(done), way);
	verdict = make_room(ctx, pkt, way, 0);
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	return write_l2(&c, way, pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
}

/* ---- requests -----------------------------------------------------------------------------------*/

static __always_inline int nat_same_backend6(__u32 rec, const struct shunt_backend *be)
{
	const struct shunt_nat_addrs *six = nat_addrs_at(rec);

	return six && !((six->backend[1] ^ be->addr[1]) | (six->backend[2] ^ be->addr[2]) |
			(six->backend[3] ^ be->addr[3]));
}

/* Whether the backend of @conn, record @rec, is still what it was and may be used. */
static __always_inline int nat_holds(const struct shunt_nat_conn *conn, __u32 rec,
				     const struct pkt *pkt, const struct shunt_backend *be)
{
	__be16 port = be->port ? be->port : pkt->ports >> 16;

	if (!(be->flags & SHUNT_BE_USABLE) || be->method != conn->method ||
	    be->addr[0] != conn->backend || (__u16)conn->backend_ports != port ||
	    !(be->flags & SHUNT_BE_ADDR6) != !(conn->state & SHUNT_NAT_BACKEND6))
		return 0;
	if (be->flags & SHUNT_BE_ADDR6 && !nat_same_backend6(rec, be))
		return 0;
	return likely(!pkt_is_syn(pkt)) || !(be->flags & SHUNT_BE_NO_NEW);
}

/* The record of the client's packet, if it has one that holds; pkt->row becomes the backend's. */
static __always_inline struct nat_found nat_known(struct pkt *pkt, const struct shunt_service *svc)
{
	struct nat_found f = nat_find_request(pkt);
	const struct shunt_backend *be;
	__u32 row = pkt->row;

	if (unlikely(!f.conn))
		return f;
	pkt->row = svc->row + f.conn->number;
	be = backend_at(pkt->row);
	if (likely(be && f.conn->number <= svc->backends && nat_holds(f.conn, f.rec, pkt, be)))
		return f;
	nat_forget(f.rec);
	pkt->row = row;
	f.conn = NULL;
	return f;
}

/* Sends the client's packet as record @f says to the backend in pkt->row. */
static __always_inline enum shunt_verdict nat_send(struct xdp_md *ctx, struct pkt *pkt,
						   const struct nat_found *f)
{
	const struct shunt_backend *be = backend_at(pkt->row);
	struct nat_change to = {};
	enum shunt_verdict verdict;
	__u32 done;

	if (!be || nat_to_backend(f->conn, f->rec, &to) || nat_note_l2(ctx, pkt, f->conn))
		return SHUNT_DROP_BAD_TABLE;
	if (unlikely(!nat_holds_request(f)))
		return SHUNT_DROP_NAT_FULL; /* taken this very moment */
	done = nat_rewrite(ctx, pkt, &to, be->mtu);
	if (NAT_VERDICT(done))
		return NAT_VERDICT(done);
	nat_note(f->conn, pkt, NAT_FLAGS(done), 1);
	pkt->egress = be->ifindex;
	verdict = nat_leave(ctx, pkt, &to, done, be);
	if (verdict)
		return verdict;
	return be->method == SHUNT_MASQ ? SHUNT_FORWARD_MASQ : SHUNT_FORWARD_NAT;
}

/* Forwards to the backend in pkt->row by its own method, which is not translation. */
__noinline int nat_otherwise(struct xdp_md *ctx, struct pkt *pkt)
{
	const struct shunt_backend *be;

	if (!pkt)
		return SHUNT_DROP_BAD_TABLE;
	be = backend_at(pkt->row);
	return be ? forward(ctx, pkt, be, SUM_QUICKLY) : SHUNT_DROP_BAD_TABLE;
}

/* A client's packet for a service with backends that translate. */
static __always_inline int nat_request(struct xdp_md *ctx, struct pkt *pkt,
				       struct shunt_service *svc)
{
	struct nat_found f;
	__u64 got;

	if (!pkt || !svc)
		return SHUNT_DROP_BAD_TABLE;
	pkt->hash = flow_hash(pkt);
	pkt->new_flow = pkt_is_syn(pkt);
	f = nat_known(pkt, svc);
	if (unlikely(!f.conn)) {
		got = nat_open(pkt, svc);
		if (got == NAT_OTHERWISE)
			return nat_otherwise(ctx, pkt);
		if (got < NAT_OPENED(0))
			return got;
		f.rec = got;
		f.at = f.rec / SHUNT_NAT_WAYS;
		f.way = f.rec % SHUNT_NAT_WAYS;
		f.conn = nat_conn_at(f.rec);
		if (!f.conn)
			return SHUNT_DROP_BAD_TABLE;
	}
	return nat_send(ctx, pkt, &f);
}

/* ---- replies ------------------------------------------------------------------------------------*/

/* The way back: the layer 2 of the client's last packet, reversed. */
static __always_inline struct shunt_backend nat_way_back(const struct shunt_nat_conn *conn)
{
	struct shunt_backend way = {
		.tags = conn->tags,
		.vlan_tci = {conn->vlan_tci[0], conn->vlan_tci[1]},
		.ifindex = conn->ifindex,
	};

	__builtin_memcpy(way.dmac, &conn->mac[3], ETH_ALEN);
	__builtin_memcpy(way.smac, &conn->mac[0], ETH_ALEN);
	return way;
}

/* How much a packet may be that leaves where the client's come in.  Asked only where it grows: the
 * backend's own way took the packet as it was. */
static __always_inline __u32 nat_most_back(struct xdp_md *ctx, const struct pkt *pkt,
					   const struct nat_change *to, __u32 ifindex)
{
	__u32 mtu;

	if (likely(!to->is_v6 || pkt->is_v6))
		return 0xffff;
	mtu = link_mtu(ctx, ifindex);
	return mtu ? mtu : 0xffff;
}

/* What becomes of a backend's packet, by its record.  SHUNT_GO_ON, or the verdict. */
static __always_inline enum shunt_verdict
nat_reply_by(struct pkt *pkt, struct nat_found *f, struct nat_change *to, struct shunt_backend *way)
{
	*f = nat_find_reply(pkt);
	if (!f->conn)
		return SHUNT_PASS_NOT_VIP;
	if (nat_to_client(f->conn, f->rec, to))
		return SHUNT_DROP_BAD_TABLE;
	*way = nat_way_back(f->conn);
	if (unlikely(!nat_holds_reply(f)))
		return SHUNT_DROP_NAT_FULL; /* taken this very moment */
	return SHUNT_GO_ON;
}

/* A backend's packet has passed by record @f. */
static __always_inline void nat_replied(const struct nat_found *f, const struct pkt *pkt,
					__u32 flags)
{
	struct shunt_nat_place place =
		shunt_nat_mix(pkt->hash, pkt->l4_proto, settings.nat_reply_mask);

	if (settings.passive && unlikely(flags & TCP_RST) && !(f->conn->state & SHUNT_NAT_REPLIED))
		nat_sign(f->rec, SIGN_REFUSED);
	nat_note(f->conn, pkt, flags, 0);
	if (f->at == place.first) /* where the next one looks */
		nat_back_keep(f->rec, f->at, f->way);
}

/* A packet for no service: a backend's reply, or somebody else's. */
static __always_inline int nat_reply(struct xdp_md *ctx, struct pkt *pkt)
{
	enum shunt_verdict verdict;
	struct shunt_backend way = {};
	struct nat_change to = {};
	struct nat_found f = {};
	__u32 done;

	if (!pkt)
		return SHUNT_PASS_NOT_VIP;
	pkt->row =
		0; /* if the packet is too big, it is not for a backend's path: answer_sender() */
	pkt->hash = flow_hash(pkt);
	if (!nat_back_find(pkt, &to, &way)) {
		verdict = nat_reply_by(pkt, &f, &to, &way);
		if (verdict)
			return verdict;
	}
	pkt->egress = way.ifindex;
	done = nat_rewrite(ctx, pkt, &to, nat_most_back(ctx, pkt, &to, pkt->egress));
	if (NAT_VERDICT(done))
		return NAT_VERDICT(done);
	if (f.conn)
		nat_replied(&f, pkt, NAT_FLAGS(done));
	verdict = nat_leave(ctx, pkt, &to, done, &way);
	return verdict ? verdict : SHUNT_RETURN_NAT;
}

#endif
