/* SPDX-License-Identifier: GPL-2.0-only */
/* Translation of addresses and ports.  A connection's backend is chosen once; from then on its record
 * (nat_table.h) says where its packets go, in both directions, as long as the record lives and the
 * backend may be used.  Replies go back by the layer 2 of the client's last packet, reversed: the
 * router that the client comes through is the one that knows the way to it. */
#ifndef SHUNT_NAT_H
#define SHUNT_NAT_H

#include "fwd.h"
#include "nat_rewrite.h"
#include "nat_table.h"

#define NAT_TRIES 48 /* of ports for a new connection: */
#define NAT_TRIES_OWN 16 /* first in this CPU's own part of the ports, */
#define NAT_TRIES_STABLE 40 /* these all at the address that the client always gets */
#define NAT_LONG_AGO 0x40000000u /* ticks: longer than any timeout */

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
	__u32 now = nat_now(), state = conn->state, next;

	if (pkt->l4_proto == IPPROTO_TCP)
		next = nat_tcp_state(state, flags, from_client);
	else
		next = from_client ? state : state | SHUNT_NAT_REPLIED;
	if (next != state)
		__sync_val_compare_and_swap(&conn->state, state, next);
	if (conn->seen != now)
		*(volatile __u32 *)&conn->seen = now;
}

/* Rewrites the packet as record @rec, that of @conn, says, and notes that it came. */
static __always_inline enum shunt_verdict nat_rewrite(struct xdp_md *ctx, struct pkt *pkt,
						      struct shunt_nat_conn *conn, __u32 rec,
						      int from_client)
{
	enum shunt_verdict verdict;
	struct nat_change to;
	__u32 flags, done;

	if (unlikely(pkt->ttl <= 1))
		return SHUNT_DROP_TTL;
	if (pkt->is_v6) {
		done = nat_rewrite6(ctx, pkt, rec, from_client);
		verdict = NAT_VERDICT(done);
		flags = NAT_FLAGS(done);
	} else {
		to = from_client ? (struct nat_change){conn->pool, conn->backend,
						       nat_turned(conn->backend_ports)}
				 : (struct nat_change){conn->vip, conn->client,
						       nat_turned(conn->client_ports)};
		verdict = nat_rewrite4(ctx, pkt, &to, &flags);
	}
	if (!verdict)
		nat_note(conn, pkt, flags, from_client);
	return verdict;
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

	if (!eth)
		return -1;
	for (int i = 0; i < 6; i++)
		differ |= conn->mac[i] ^ eth->mac[i];
	if (differ || conn->ifindex != ctx->ingress_ifindex || conn->tags != tags) {
		for (int i = 0; i < 6; i++)
			conn->mac[i] = eth->mac[i];
		conn->ifindex = ctx->ingress_ifindex;
		conn->tags = tags;
	}
	for (__u32 i = 0; i < 2 && i < tags; i++) {
		tag = take(&c, sizeof(*tag));
		if (!tag)
			return -1;
		if (conn->vlan_tci[i] != tag->tci)
			conn->vlan_tci[i] = tag->tci;
	}
	return 0;
}

/* Puts the layer 2 of the way back in front. */
static __always_inline enum shunt_verdict nat_write_l2(struct xdp_md *ctx, const struct pkt *pkt,
						       const struct shunt_nat_conn *conn)
{
	struct shunt_backend way = {
		.tags = conn->tags,
		.vlan_tci = {conn->vlan_tci[0], conn->vlan_tci[1]},
	};
	enum shunt_verdict verdict;
	struct cursor c;

	__builtin_memcpy(way.dmac, &conn->mac[3], ETH_ALEN);
	__builtin_memcpy(way.smac, &conn->mac[0], ETH_ALEN);
	verdict = make_room(ctx, pkt, &way, 0);
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	return write_l2(&c, &way, pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
}

/* ---- opening a connection ------------------------------------------------------------------------*/

static __always_inline __u64 nat_dice(__u64 hash, __u32 try)
{
	__u64 x = (hash + try) * 0x9e3779b97f4a7c15ull;

	return (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
}

/* The port of try number @try, in host order: the client's own if it is one of ours, then any of this
 * CPU's part, so that CPUs do not meet, then any. */
static __always_inline __u32 nat_port(const struct pkt *pkt, const struct shunt_backend *be,
				      __u32 try, const struct shunt_nat_ctl *c)
{
	__u32 own = bpf_ntohs(pkt->ports), ports = c->ports, first = c->first_port, part;
	__u64 dice = nat_dice(pkt->hash, try) >> 32;

	if (be->method == SHUNT_MASQ) {
		first = 1024; /* the client's address is not ours: neither are its ports */
		ports = 65536 - 1024;
	}
	if (!try && (be->method == SHUNT_MASQ || own - first < ports))
		return own;
	part = ports / settings.cpus;
	if (try < NAT_TRIES_OWN && part)
		return first + bpf_get_smp_processor_id() * part + (dice * part >> 32);
	return first + (dice * ports >> 32);
}

/* The address that the backend sees. */
static __always_inline const __be32 *nat_source(const struct pkt *pkt,
						const struct shunt_backend *be, __u32 try,
						const struct shunt_nat_ctl *c)
{
	const struct shunt_nat_pool *pool;
	__u32 n, at, number = be->nat_pool;

	if (be->method == SHUNT_MASQ)
		return pkt->saddr;
	if (!number)
		return be->source;
	barrier_var(number); /* one comparison of both would be of another register: before 6.13 */
	if (number >= SHUNT_NAT_POOLS)
		return be->source;
	pool = &c->pool[number];
	n = pool->n;
	if (!n || n > SHUNT_NAT_POOL_ADDRS)
		return be->source;
	at = nat_dice(pkt->saddr[pkt->is_v6 ? 3 : 0], 0) >> 40;
	if (try >= NAT_TRIES_STABLE)
		at += try;
	at %= n;
	barrier_var(at); /* the verifier does not know that this is less than n */
	return pool->addr[at % SHUNT_NAT_POOL_ADDRS];
}

/* Try number @try to give record @rec a reply tuple; enum nat_bound. */
__noinline int nat_try(__u32 rec, struct pkt *pkt, struct shunt_backend *be, __u32 try)
{
	__u32 zero = 0;
	const struct shunt_nat_ctl *c = bpf_map_lookup_elem(&nat_ctl, &zero);
	const __be32 *source;
	struct pkt reply = {};
	__be16 port;

	if (!pkt || !be || !c)
		return NAT_NO_PLACE;
	port = be->port ? be->port : pkt->ports >> 16;
	reply.l4_proto = pkt->l4_proto;
	reply.is_v6 = pkt->is_v6;
	source = nat_source(pkt, be, try, c);
	for (int i = 0; i < 4; i++)
		reply.saddr[i] = be->addr[i];
	reply.daddr[0] = source[0];
	if (pkt->is_v6) {
		reply.daddr[0] |= (__u64)source[1] << 32;
		reply.daddr[1] = source[2] | (__u64)source[3] << 32;
	}
	reply.ports = port | (__u32)bpf_htons(nat_port(pkt, be, try, c)) << 16;
	if (!reply.daddr[0])
		return NAT_TAKEN; /* no address of ours is known */
	reply.hash = flow_hash(&reply);
	return nat_bind(rec, &reply);
}

static __always_inline void nat_fill_client(struct shunt_nat_conn *conn, __u32 rec,
					    const struct pkt *pkt)
{
	struct shunt_nat_addrs *six;
	__u64 *vip;

	conn->client = pkt->saddr[0];
	conn->vip = pkt->daddr[0];
	conn->client_ports = pkt->ports;
	if (!pkt->is_v6)
		return;
	six = bpf_map_lookup_elem(&nat_addrs, &rec);
	if (!six)
		return; /* then nobody finds the record, and it is void soon */
	for (int i = 0; i < 4; i++)
		six->client[i] = pkt->saddr[i];
	vip = (void *)six->vip;
	vip[0] = pkt->daddr[0];
	vip[1] = pkt->daddr[1];
}

/* Fills record @rec, which is the caller's, for the client's packet @pkt and the backend. */
static __always_inline enum shunt_verdict nat_fill(__u32 rec, struct pkt *pkt,
						   struct shunt_backend *be, __u32 number)
{
	struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);
	int bound = NAT_TAKEN;

	if (!conn)
		return SHUNT_DROP_BAD_TABLE;
	*(volatile __u32 *)&conn->seen = nat_now() - NAT_LONG_AGO;
	barrier();
	*(volatile __u32 *)&conn->state = (__u32)pkt->l4_proto << 8 |
					  (pkt->is_v6 ? SHUNT_NAT_CLIENT6 | SHUNT_NAT_BACKEND6 : 0);
	nat_fill_client(conn, rec, pkt);
	conn->number = number;
	conn->method = be->method;
	for (__u32 try = 0; try < NAT_TRIES && bound == NAT_TAKEN; try++)
		bound = nat_try(rec, pkt, be, try);
	if (bound == NAT_BOUND) {
		barrier();
		*(volatile __u32 *)&conn->seen = nat_now();
		return SHUNT_GO_ON;
	}
	return bound == NAT_TAKEN ? SHUNT_DROP_NAT_EXHAUSTED : SHUNT_DROP_NAT_FULL;
}

/* The backend of a new connection: its number; pkt->row is its row then. */
static __always_inline struct shunt_backend *
nat_choose(struct pkt *pkt, const struct shunt_service *svc, __u32 *number)
{
	__u32 slot = shunt_slot_of(pkt->hash, svc->slot_mask);

	if (svc->flags & SHUNT_SVC_TURNS)
		slot = cursor_next(svc) & svc->slot_mask;
	*number = slot_number(svc, slot);
	pkt->row = svc->row + *number;
	return backend_at(pkt->row);
}

static __always_inline enum shunt_verdict nat_no_backend(struct pkt *pkt,
							 const struct shunt_service *svc)
{
	pkt->row = svc->row;
	return svc->flags & SHUNT_SVC_ON_EMPTY_PASS ? SHUNT_PASS_NO_BACKEND : SHUNT_DROP_NO_BACKEND;
}

#define NAT_OPENED(rec) (0x100000000ull | (rec))

/* Opens a connection for the client's packet.  NAT_OPENED(record), or the verdict. */
__noinline __u64 nat_open(struct pkt *pkt, struct shunt_service *svc)
{
	enum shunt_verdict verdict;
	struct shunt_backend *be;
	__u32 rec, number;
	__u64 *word;

	if (!pkt || !svc)
		return SHUNT_DROP_BAD_TABLE;
	be = nat_choose(pkt, svc, &number);
	if (!be)
		return SHUNT_DROP_BAD_TABLE;
	if (!(be->flags & SHUNT_BE_USABLE))
		return nat_no_backend(pkt, svc);
	if ((be->method != SHUNT_NAT && be->method != SHUNT_MASQ) ||
	    !(be->flags & SHUNT_BE_ADDR6) != !pkt->is_v6)
		return SHUNT_DROP_BAD_TABLE; /* the service's method is being changed */
	rec = nat_take_for(pkt) - 1;
	word = rec == -1u ? NULL : nat_word_of(rec);
	if (!word)
		return SHUNT_DROP_NAT_FULL;
	verdict = nat_fill(rec, pkt, be, number);
	if (verdict) {
		nat_store(word, 0);
		return verdict;
	}
	nat_store(word, (__u64)shunt_nat_mix(pkt->hash, pkt->l4_proto, 0).tag << 32 |
				(nat_now() + nat_timeout((__u32)pkt->l4_proto << 8)));
	if (pkt->l4_proto == IPPROTO_UDP)
		pkt->new_flow = 1;
	return NAT_OPENED(rec);
}

/* ---- requests -----------------------------------------------------------------------------------*/

static __always_inline int nat_same_backend6(__u32 rec, const struct shunt_backend *be)
{
	const struct shunt_nat_addrs *six = bpf_map_lookup_elem(&nat_addrs, &rec);

	return six && !((six->backend[1] ^ be->addr[1]) | (six->backend[2] ^ be->addr[2]) |
			(six->backend[3] ^ be->addr[3]));
}

/* Whether the backend of @conn, record @rec, is still what it was and may be used. */
static __always_inline int nat_holds(const struct shunt_nat_conn *conn, __u32 rec,
				     const struct pkt *pkt, const struct shunt_backend *be)
{
	__be16 port = be->port ? be->port : pkt->ports >> 16;

	if (!(be->flags & SHUNT_BE_USABLE) || be->method != conn->method ||
	    be->addr[0] != conn->backend || (__u16)conn->backend_ports != port)
		return 0;
	if (pkt->is_v6 && !nat_same_backend6(rec, be))
		return 0;
	return !pkt->is_syn || !(be->flags & SHUNT_BE_NO_NEW);
}

/* The record of the client's packet, of which pkt->row becomes the backend's: NAT_OPENED(), or a
 * verdict. */
__noinline __u64 nat_record(struct pkt *pkt, struct shunt_service *svc)
{
	const struct shunt_nat_conn *conn;
	const struct shunt_backend *be;
	__u32 rec;

	if (!pkt || !svc)
		return SHUNT_DROP_BAD_TABLE;
	pkt->hash = flow_hash(pkt);
	pkt->new_flow = pkt->is_syn;
	rec = nat_find_request(pkt);
	if (!rec)
		return nat_open(pkt, svc);
	rec--;
	conn = bpf_map_lookup_elem(&nat_conns, &rec);
	if (!conn)
		return SHUNT_DROP_BAD_TABLE;
	pkt->row = svc->row + conn->number;
	be = backend_at(pkt->row);
	if (likely(be && conn->number <= svc->backends && nat_holds(conn, rec, pkt, be)))
		return NAT_OPENED(rec);
	nat_forget(rec);
	return nat_open(pkt, svc);
}

/* A client's packet for a service that translates. */
__noinline int nat_request(struct xdp_md *ctx, struct pkt *pkt, struct shunt_service *svc)
{
	const struct shunt_backend *be;
	struct shunt_nat_conn *conn;
	enum shunt_verdict verdict;
	struct cursor c;
	__u32 rec;
	__u64 got;

	if (!pkt || !svc)
		return SHUNT_DROP_BAD_TABLE;
	got = nat_record(pkt, svc);
	if (got < NAT_OPENED(0))
		return got;
	rec = got;
	conn = bpf_map_lookup_elem(&nat_conns, &rec);
	be = backend_at(pkt->row);
	if (!conn || !be || nat_note_l2(ctx, pkt, conn))
		return SHUNT_DROP_BAD_TABLE;
	if (unlikely(pkt->l3_len > be->mtu))
		return SHUNT_DROP_TOO_BIG;
	verdict = nat_rewrite(ctx, pkt, conn, rec, 1);
	if (verdict)
		return verdict;
	pkt->egress = be->ifindex;
	verdict = make_room(ctx, pkt, be, 0);
	if (verdict)
		return verdict;
	c = cursor_at_start(ctx);
	verdict = write_l2(&c, be, pkt->is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	if (verdict)
		return verdict;
	return be->method == SHUNT_MASQ ? SHUNT_FORWARD_MASQ : SHUNT_FORWARD_NAT;
}

/* ---- replies ------------------------------------------------------------------------------------*/

/* A packet for no service: a backend's reply, or somebody else's. */
__noinline int nat_reply(struct xdp_md *ctx, struct pkt *pkt)
{
	struct shunt_nat_conn *conn;
	enum shunt_verdict verdict;
	__u32 rec;

	if (!pkt)
		return SHUNT_PASS_NOT_VIP;
	pkt->hash = flow_hash(pkt);
	rec = nat_find_reply(pkt);
	if (!rec)
		return SHUNT_PASS_NOT_VIP;
	rec--;
	conn = bpf_map_lookup_elem(&nat_conns, &rec);
	if (!conn)
		return SHUNT_PASS_NOT_VIP;
	verdict = nat_rewrite(ctx, pkt, conn, rec, 0);
	if (verdict)
		return verdict;
	pkt->egress = conn->ifindex;
	verdict = nat_write_l2(ctx, pkt, conn);
	return verdict ? verdict : SHUNT_RETURN_NAT;
}

#endif
