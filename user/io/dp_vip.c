/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept true in place of the services' addresses in force. */
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <string.h>

#include "io/dp_impl.h"
#include "shunt_abi.h"

static uint8_t protocol_of(const struct addr *vip)
{
	return vip->family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

static const struct shunt_index *index_of(const struct dp *dp, const struct addr *vip)
{
	const struct shunt_ctl *ctl = dp_ctl(dp);
	uint32_t active = ctl->active & 1;

	return vip->family == 6 ? &ctl->v6[active] : &ctl->v4[active];
}

/* Where the perfect hash has @key, from the map's first entry on. */
static uint64_t place_of(const struct dp *dp, const struct shunt_index *x, uint64_t key)
{
	const uint64_t *seeds = dp->set.map[DP_SEEDS].mem;
	uint64_t seed = seeds[x->seeds_at + (key * x->bucket_mul >> x->bucket_shift)];

	return x->entries_at + (key * seed >> x->shift);
}

static struct shunt_service *by_address4(struct dp *dp, const struct addr *vip)
{
	struct shunt_service4 *entries = dp->set.map[DP_SERVICES4].mem;
	__be32 addr;
	uint64_t key, at;

	memcpy(&addr, vip->bytes, sizeof(addr));
	key = shunt_key4(addr, shunt_port_proto(0, protocol_of(vip)));
	at = place_of(dp, index_of(dp, vip), key);
	return entries[at].key == key ? &entries[at].svc : NULL;
}

static struct shunt_service *by_address6(struct dp *dp, const struct addr *vip)
{
	struct shunt_service6 *entries = dp->set.map[DP_SERVICES6].mem;
	uint32_t port_proto = shunt_port_proto(0, protocol_of(vip));
	struct shunt_service6 *e;
	uint64_t half[2];

	memcpy(half, vip->bytes, sizeof(half));
	e = &entries[place_of(dp, index_of(dp, vip), shunt_key6(half[0], half[1], port_proto))];
	return e->port_proto == port_proto && memcmp(e->addr, vip->bytes, sizeof(e->addr)) == 0
		       ? &e->svc
		       : NULL;
}

static struct shunt_service *by_prefix(struct dp *dp, const struct addr *vip, uint8_t bits)
{
	const struct shunt_index *x = index_of(dp, vip);
	const struct shunt_span *spans = dp->set.map[DP_SPANS].mem;
	struct shunt_prefix_key key = {
		.prefixlen = SHUNT_PREFIX_BITS + bits,
		.half = (uint8_t)(dp_ctl(dp)->active & 1),
		.family = vip->family,
		.protocol = protocol_of(vip),
	};
	struct shunt_prefix prefix;
	uint64_t at;

	memcpy(key.addr, vip->bytes, sizeof(key.addr));
	if (bpf_map_lookup_elem(dp->set.map[DP_PREFIXES].fd, &key, &prefix) ||
	    prefix.spans_at >= dp->set.map[DP_SPANS].entries ||
	    spans[prefix.spans_at].entry >= dp_half_entries(&dp->set))
		return NULL;
	at = x->entries_at + spans[prefix.spans_at].entry;
	return vip->family == 6 ? &((struct shunt_service6 *)dp->set.map[DP_SERVICES6].mem)[at].svc
				: &((struct shunt_service4 *)dp->set.map[DP_SERVICES4].mem)[at].svc;
}

/* The address's entry in force, or NULL. */
static struct shunt_service *entry_of(struct dp *dp, const struct addr *vip, uint8_t bits)
{
	uint8_t whole = vip->family == 6 ? 128 : 32;

	if (bits && bits != whole)
		return by_prefix(dp, vip, bits);
	if (!(index_of(dp, vip)->flags & SHUNT_INDEX_VIPS))
		return NULL;
	return vip->family == 6 ? by_address6(dp, vip) : by_address4(dp, vip);
}

bool dp_vip_is_live(struct dp *dp, const struct addr *vip, uint8_t bits)
{
	const struct shunt_service *entry = entry_of(dp, vip, bits);

	return entry && entry->flags & SHUNT_VIP_LIVE;
}

bool dp_vip_live(struct dp *dp, const struct addr *vip, uint8_t bits, bool live)
{
	struct shunt_service *entry = entry_of(dp, vip, bits);

	if (!entry)
		return false;
	__atomic_store_n(&entry->flags, live ? SHUNT_VIP_LIVE : 0, __ATOMIC_RELAXED);
	return true;
}
