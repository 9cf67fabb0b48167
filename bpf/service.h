/* SPDX-License-Identifier: GPL-2.0-only */
/* Which service a packet is for: the exact port first, then any port, then prefixes.  Each family has
 * maps of its own, reached by calls of their own: a map pointer that could be either would make the
 * verifier fall back to generic lookups. */
#ifndef SHUNT_SERVICE_H
#define SHUNT_SERVICE_H

#include "maps.h"
#include "martian.h"

/* Where the word @key must stand in its family's entries, if at all. */
static __always_inline enum shunt_verdict service_entry(const struct shunt_index *x, __u64 key,
							__u32 *entry)
{
	__u32 at = x->seeds_at + (key * x->bucket_mul >> x->bucket_shift);
	const __u64 *seed = element(seeds, at);

	if (!seed)
		return SHUNT_DROP_BAD_TABLE;
	*entry = x->entries_at + (key * *seed >> x->shift);
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict service_at4(const struct shunt_index *x,
						      const struct pkt *pkt, __u32 port_proto,
						      const struct shunt_service **svc)
{
	__u64 key = shunt_key4(pkt->daddr[0], port_proto);
	const struct shunt_service4 *s;
	__u32 entry;

	if (service_entry(x, key, &entry))
		return SHUNT_DROP_BAD_TABLE;
	s = element(services4, entry);
	if (!s)
		return SHUNT_DROP_BAD_TABLE;
	if (s->key != key)
		return SHUNT_PASS_NOT_VIP;
	*svc = &s->svc;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict service_at6(const struct shunt_index *x,
						      const struct pkt *pkt, __u32 port_proto,
						      const struct shunt_service **svc)
{
	const struct shunt_service6 *s;
	const __u64 *addr;
	__u32 entry;

	if (service_entry(x, shunt_key6(pkt->daddr[0], pkt->daddr[1], port_proto), &entry))
		return SHUNT_DROP_BAD_TABLE;
	s = element(services6, entry);
	if (!s)
		return SHUNT_DROP_BAD_TABLE;
	addr = (const void *)s->addr;
	if (addr[0] != pkt->daddr[0] || addr[1] != pkt->daddr[1] || s->port_proto != port_proto)
		return SHUNT_PASS_NOT_VIP;
	*svc = &s->svc;
	return SHUNT_GO_ON;
}

/* What service_by_prefix() is asked for beside the address. */
#define PREFIX_WHERE(half, family, proto) ((half) | (family) << 8 | (proto) << 16)

/* The entry of servicesN, from the index's first on, for the address @a, @b (in memory order) by its
 * longest prefix among those of @where; SHUNT_SPAN_NOBODY.  A trie is slow, but few have prefixes: a
 * global function, which the verifier checks once, on its own. */
__noinline __u32 service_by_prefix(__u64 a, __u64 b, __u32 where, __u32 port)
{
	__u32 is_v6 = (where >> 8 & 0xff) == 6;
	struct shunt_prefix_key key = {
		.prefixlen = SHUNT_PREFIX_BITS + (is_v6 ? 128 : 32),
		.half = where,
		.family = where >> 8,
		.protocol = where >> 16,
		.addr = {a, a >> 32, b, b >> 32},
	};
	const struct shunt_prefix *prefix = bpf_map_lookup_elem(&prefixes, &key);
	const struct shunt_span *span;
	__u32 at, n, middle;

	if (!prefix)
		return SHUNT_SPAN_NOBODY;
	at = prefix->spans_at;
	n = prefix->spans;
	for (int i = 0; i < 17 && n > 1; i++) {
		middle = at + n / 2;
		span = element(spans, middle);
		if (!span)
			return SHUNT_SPAN_NOBODY;
		at += n / 2 * is_less(span->from_port, port + 1);
		n -= n / 2;
	}
	span = element(spans, at);
	return span ? span->entry : SHUNT_SPAN_NOBODY;
}

static __always_inline enum shunt_verdict service_prefix4(const struct shunt_index *x, __u32 half,
							  const struct pkt *pkt,
							  const struct shunt_service **svc)
{
	__u32 where = PREFIX_WHERE(half, 4, (__u32)pkt->l4_proto);
	__u32 entry =
		service_by_prefix((__u32)pkt->daddr[0], 0, where, bpf_ntohs(pkt->ports >> 16));
	const struct shunt_service4 *s;

	if (entry == SHUNT_SPAN_NOBODY)
		return SHUNT_PASS_NOT_VIP;
	entry += x->entries_at;
	s = element(services4, entry);
	if (!s)
		return SHUNT_DROP_BAD_TABLE;
	*svc = &s->svc;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict service_prefix6(const struct shunt_index *x, __u32 half,
							  const struct pkt *pkt,
							  const struct shunt_service **svc)
{
	__u32 where = PREFIX_WHERE(half, 6, (__u32)pkt->l4_proto);
	__u32 entry =
		service_by_prefix(pkt->daddr[0], pkt->daddr[1], where, bpf_ntohs(pkt->ports >> 16));
	const struct shunt_service6 *s;

	if (entry == SHUNT_SPAN_NOBODY)
		return SHUNT_PASS_NOT_VIP;
	entry += x->entries_at;
	s = element(services6, entry);
	if (!s)
		return SHUNT_DROP_BAD_TABLE;
	*svc = &s->svc;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict service_find4(const struct shunt_ctl *c, __u32 half,
							const struct pkt *pkt,
							const struct shunt_service **svc)
{
	__u32 exact = shunt_port_proto(pkt->ports >> 16, pkt->l4_proto);
	const struct shunt_index *x = &c->v4[half];
	enum shunt_verdict verdict = SHUNT_PASS_NOT_VIP;

	if (x->flags & SHUNT_INDEX_EXACT)
		verdict = service_at4(x, pkt, exact, svc);
	if (verdict == SHUNT_PASS_NOT_VIP && x->flags & SHUNT_INDEX_ANY_PORT && !WITHOUT(any_port))
		verdict = service_at4(x, pkt, shunt_port_proto(0, pkt->l4_proto), svc);
	if (verdict == SHUNT_PASS_NOT_VIP && unlikely(x->flags & SHUNT_INDEX_PREFIXES) &&
	    !WITHOUT(prefixes))
		verdict = service_prefix4(x, half, pkt, svc);
	return verdict;
}

static __always_inline enum shunt_verdict service_find6(const struct shunt_ctl *c, __u32 half,
							const struct pkt *pkt,
							const struct shunt_service **svc)
{
	__u32 exact = shunt_port_proto(pkt->ports >> 16, pkt->l4_proto);
	const struct shunt_index *x = &c->v6[half];
	enum shunt_verdict verdict = SHUNT_PASS_NOT_VIP;

	if (x->flags & SHUNT_INDEX_EXACT)
		verdict = service_at6(x, pkt, exact, svc);
	if (verdict == SHUNT_PASS_NOT_VIP && x->flags & SHUNT_INDEX_ANY_PORT && !WITHOUT(any_port))
		verdict = service_at6(x, pkt, shunt_port_proto(0, pkt->l4_proto), svc);
	if (verdict == SHUNT_PASS_NOT_VIP && unlikely(x->flags & SHUNT_INDEX_PREFIXES) &&
	    !WITHOUT(prefixes))
		verdict = service_prefix6(x, half, pkt, svc);
	return verdict;
}

/* Fills @svc, or says PASS_NOT_VIP; or that no service is to see such a packet.
 * @is_v6: as @pkt says. */
static __always_inline enum shunt_verdict service_find(const struct pkt *pkt, __u32 is_v6,
						       const struct shunt_service **svc)
{
	__u32 zero = 0;
	const struct shunt_ctl *c = element(ctl, zero);
	__u32 active;

	if (!c)
		return SHUNT_DROP_BAD_TABLE;
	active = *(const volatile __u32 *)&c->active & 1;
	if (is_v6) {
		if (unlikely(is_martian6(pkt)))
			return martian6(pkt);
		return service_find6(c, active, pkt, svc);
	}
	if (unlikely(is_martian4(pkt)))
		return martian4(pkt);
	return service_find4(c, active, pkt, svc);
}

/* The entry of an address, or of the longest prefix with services that has it. */
static __always_inline enum shunt_verdict
vip_find4(const struct shunt_ctl *c, __u32 half, struct pkt *pkt, const struct shunt_service **vip)
{
	const struct shunt_index *x = &c->v4[half];
	enum shunt_verdict verdict = SHUNT_PASS_NOT_VIP;

	if (x->flags & SHUNT_INDEX_VIPS)
		verdict = service_at4(x, pkt, shunt_port_proto(0, pkt->l4_proto), vip);
	if (verdict == SHUNT_PASS_NOT_VIP && x->flags & SHUNT_INDEX_PREFIXES)
		verdict = service_prefix4(x, half, pkt, vip);
	return verdict;
}

static __always_inline enum shunt_verdict
vip_find6(const struct shunt_ctl *c, __u32 half, struct pkt *pkt, const struct shunt_service **vip)
{
	const struct shunt_index *x = &c->v6[half];
	enum shunt_verdict verdict = SHUNT_PASS_NOT_VIP;

	if (x->flags & SHUNT_INDEX_VIPS)
		verdict = service_at6(x, pkt, shunt_port_proto(0, pkt->l4_proto), vip);
	if (verdict == SHUNT_PASS_NOT_VIP && x->flags & SHUNT_INDEX_PREFIXES)
		verdict = service_prefix6(x, half, pkt, vip);
	return verdict;
}

/* Says PASS_NOT_VIP when no service has the packet's destination, else fills @flags: SHUNT_VIP_*. */
static __always_inline enum shunt_verdict vip_find(struct pkt *pkt, __u32 *flags)
{
	const struct shunt_service *vip = NULL;
	__u8 l4_proto = pkt->l4_proto;
	enum shunt_verdict verdict;
	__u32 zero = 0;
	const struct shunt_ctl *c = element(ctl, zero);
	__u32 active;

	if (!c)
		return SHUNT_DROP_BAD_TABLE;
	active = *(const volatile __u32 *)&c->active & 1;
	pkt->l4_proto = pkt->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	verdict = pkt->is_v6 ? vip_find6(c, active, pkt, &vip) : vip_find4(c, active, pkt, &vip);
	pkt->l4_proto = l4_proto;
	if (!verdict)
		*flags = vip->flags;
	return verdict;
}

#endif
