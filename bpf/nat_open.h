/* SPDX-License-Identifier: GPL-2.0-only */
/* A new translated connection: its backend, address and port. */
#ifndef SHUNT_NAT_OPEN_H
#define SHUNT_NAT_OPEN_H

#include "nat_take.h"
#include "source.h"

#define NAT_TRIES 48 /* of ports for a new connection: */
#define NAT_TRIES_OWN 16 /* first in this CPU's own part of the ports, */
#define NAT_TRIES_STABLE 32 /* these all at the address that the client always gets, */
#define NAT_TRIES_FORCED 40 /* and, from here on, ports of half-open connections too */

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
	if (try >= NAT_TRIES_STABLE && try < NAT_TRIES_FORCED)
		at += try;
	at %= n;
	barrier_var(at); /* the verifier does not know that this is less than n */
	return pool->addr[at % SHUNT_NAT_POOL_ADDRS];
}

/* From whom try number @try takes a port: from half-open connections that have been silent since
 * before this tick. */
static __always_inline __u32 nat_force(__u32 try)
{
	__u32 now = nat_now();

	if (likely(try < NAT_TRIES_FORCED))
		return now - NAT_LONG_AGO;
	return try < NAT_TRIES_FORCED + 4 ? now : now + 1;
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
	reply.is_v6 = !!(be->flags & SHUNT_BE_ADDR6);
	source = nat_source(pkt, be, try, c);
	for (int i = 0; i < 4; i++)
		reply.saddr[i] = be->addr[i];
	reply.daddr[0] = source[0];
	if (reply.is_v6) {
		reply.daddr[0] |= (__u64)source[1] << 32;
		reply.daddr[1] = source[2] | (__u64)source[3] << 32;
	}
	reply.ports = port | (__u32)bpf_htons(nat_port(pkt, be, try, c)) << 16;
	if (!reply.daddr[0])
		return NAT_TAKEN; /* no address of ours is known */
	reply.hash = flow_hash(&reply);
	return nat_bind(rec, &reply, nat_force(try));
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
	six = nat_addrs_at(rec);
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
	struct shunt_nat_conn *conn = nat_conn_at(rec);
	int bound = NAT_TAKEN;

	if (!conn)
		return SHUNT_DROP_BAD_TABLE;
	*(volatile __u32 *)&conn->until = nat_now() - NAT_LONG_AGO;
	barrier();
	*(volatile __u32 *)&conn->state = (__u32)pkt->l4_proto << 8 |
					  (pkt->is_v6 ? SHUNT_NAT_CLIENT6 : 0) |
					  (be->flags & SHUNT_BE_ADDR6 ? SHUNT_NAT_BACKEND6 : 0);
	nat_fill_client(conn, rec, pkt);
	conn->number = number;
	conn->method = be->method;
	for (__u32 try = 0; try < NAT_TRIES && bound != NAT_BOUND; try++)
		bound = nat_try(rec, pkt, be, try);
	if (bound == NAT_BOUND) {
		barrier();
		nat_live_for(conn, nat_timeout((__u32)pkt->l4_proto << 8));
		return SHUNT_GO_ON;
	}
	return bound == NAT_TAKEN ? SHUNT_DROP_NAT_EXHAUSTED : SHUNT_DROP_NAT_FULL;
}

/* The number of the backend of a new connection, or of a flow that is not translated. */
static __always_inline __u32 nat_choose(struct pkt *pkt, const struct shunt_service *svc)
{
	if (unlikely(!(svc->flags & SHUNT_SVC_NAT)))
		return pkt->row - svc->row; /* it has been chosen */
	if (svc->flags & SHUNT_SVC_FLOWS)
		return backend_number(pkt, svc, SCHED_POLICY);
	if (svc->flags & SHUNT_SVC_TURNS)
		return slot_number(svc, cursor_next(svc) & svc->slot_mask);
	return backend_number_how(pkt, svc, SCHED_POLICY, HOW_NAT);
}

static __always_inline enum shunt_verdict nat_no_backend(struct pkt *pkt,
							 const struct shunt_service *svc)
{
	pkt->row = svc->row;
	return svc->flags & SHUNT_SVC_ON_EMPTY_PASS ? SHUNT_PASS_NO_BACKEND : SHUNT_DROP_NO_BACKEND;
}

#define NAT_OPENED(rec) (0x100000000ull | (rec))
#define NAT_OTHERWISE 0x200000000ull

static __always_inline int nat_translates(const struct shunt_backend *be)
{
	return be->method == SHUNT_NAT || be->method == SHUNT_MASQ;
}

/* Chooses a backend for the client's packet, pkt->row, and opens a connection if that one translates.
 * NAT_OPENED(record); NAT_OTHERWISE: the backend is reached by another method; or the verdict. */
__noinline __u64 nat_open(struct pkt *pkt, struct shunt_service *svc)
{
	enum shunt_verdict verdict;
	struct shunt_backend *be;
	__u32 rec, number;
	__u64 *word;

	if (!pkt || !svc)
		return SHUNT_DROP_BAD_TABLE;
	number = nat_choose(pkt, svc);
	if (unlikely(number & SLOT_REFUSED))
		return source_over(svc, number & ~SLOT_REFUSED);
	pkt->row = svc->row + number;
	be = backend_at(pkt->row);
	if (!be)
		return SHUNT_DROP_BAD_TABLE;
	if (!(be->flags & SHUNT_BE_USABLE))
		return nat_no_backend(pkt, svc);
	if (!nat_translates(be))
		return NAT_OTHERWISE;
	if (be->method == SHUNT_MASQ && !(be->flags & SHUNT_BE_ADDR6) != !pkt->is_v6)
		return SHUNT_DROP_BAD_TABLE; /* no configuration says so */
	/* else it has been counted: source.h, sched.h */
	if (unlikely(svc->policy) && pkt->l4_proto == IPPROTO_UDP &&
	    (svc->flags & (SHUNT_SVC_NAT | SHUNT_SVC_FLOWS)) == SHUNT_SVC_NAT) {
		verdict = source_opens(pkt, svc);
		if (verdict)
			return verdict;
	}
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

#endif
