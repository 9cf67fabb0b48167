/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of backends, in struct shunt_signs: seldom, so that all CPUs share the counts. */
#ifndef SHUNT_SIGNS_H
#define SHUNT_SIGNS_H

#include "maps.h"
#include "nat_table.h"
#include "service.h"

enum sign { SIGN_REFUSED, SIGN_UNREACHABLE };

static __always_inline void sign_add(__u32 row, enum sign sign)
{
	const struct shunt_backend *be = backend_at(row);
	struct shunt_signs *s = element(signs, row);

	if (!be || !s || !(be->flags & SHUNT_BE_PASSIVE))
		return;
	__sync_fetch_and_add(sign == SIGN_REFUSED ? &s->refused : &s->unreachable, 1);
}

/* The same of the backend of connection number @rec: whose service it is the record says only by what
 * the client sends. */
__noinline int nat_sign(__u32 rec, __u32 sign)
{
	const struct shunt_nat_conn *conn = bpf_map_lookup_elem(&nat_conns, &rec);
	const struct shunt_nat_addrs *six = bpf_map_lookup_elem(&nat_addrs, &rec);
	const struct shunt_service *svc = NULL;
	struct pkt p = {};

	if (!conn)
		return 0;
	p.l4_proto = SHUNT_NAT_PROTO(conn->state);
	p.is_v6 = !!(conn->state & SHUNT_NAT_CLIENT6);
	p.ports = conn->client_ports;
	p.saddr[0] = conn->client;
	p.daddr[0] = conn->vip;
	if (p.is_v6 && six) {
		const __u64 *vip = (const void *)six->vip;

		for (int i = 0; i < 4; i++)
			p.saddr[i] = six->client[i];
		p.daddr[0] = vip[0];
		p.daddr[1] = vip[1];
	}
	if (service_find(&p, p.is_v6, &svc) || !svc)
		return 0;
	sign_add(svc->row + conn->number, sign);
	return 0;
}

#endif
