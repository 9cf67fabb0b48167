/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables that fixture.h describes, written by hand. */
#include "fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/phash.h"

#define HALF_SEEDS (2 * WORLD_SERVICES)
#define HALF_ENTRIES (4 * WORLD_SERVICES)
#define PER_FAMILY (2 * WORLD_MAX)
#define VIPS 2 /* of a family: an entry each besides */

static uint32_t service_index(uint8_t family, uint8_t proto, enum world_kind kind)
{
	return (family == 6 ? 2u : 0u) * WORLD_MAX + (proto == IPPROTO_UDP ? 1u : 0u) * WORLD_MAX +
	       (uint32_t)kind;
}

uint32_t world_row(uint8_t family, uint8_t proto, enum world_kind kind)
{
	return service_index(family, proto, kind) * WORLD_ROWS_EACH;
}

/* 203.0.113.10 and .11, 2001:db8::10 and ::11. */
static void vip(uint8_t family, enum world_kind kind, uint8_t out[static 16])
{
	uint8_t last = kind == WORLD_EXACT || kind == WORLD_ANY ? 1 : 0;

	memset(out, 0, 16);
	if (family == 4)
		memcpy(out, (uint8_t[]){203, 0, 113, (uint8_t)(10 + last)}, 4);
	else
		memcpy(out, (uint8_t[]){0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(0x10 + last)}, 16);
}

struct recipe world_recipe(uint8_t family, uint8_t proto, enum world_kind kind)
{
	struct recipe r = {
		.family = family,
		.proto = proto,
		.sport = 40123,
		.dport = (uint16_t)(WORLD_PORT + kind),
		.smac = {2, 0, 0, 0, 0, 1},
		.dmac = {2, 0, 0, 0, 0, 2},
		.tos = 0x2a,
		.ttl = 57,
		.tcp_flags = TCP_FLAG_ACK,
		.payload = 33,
		.tci = {0x0123, 0x0456, 0x0789},
	};

	if (family == 4)
		memcpy(r.src, (uint8_t[]){198, 51, 100, 23}, 4);
	else
		memcpy(r.src, (uint8_t[]){0x20, 1, 0xd, 0xb8, 0, 7, 9, 8, 1, 2, 3, 4, 5, 6, 7, 8},
		       16);
	vip(family, kind, r.dst);
	return r;
}

const struct world_way *world_way(enum world_kind kind)
{
	static const struct world_way ways[WORLD_MAX] = {
		[WORLD_DSR_TAG] = {SHUNT_DSR, .tags = 1},
		[WORLD_DSR_TAGS] = {SHUNT_DSR, .tags = 2},
		[WORLD_IPIP4] = {SHUNT_IPIP, 4},
		[WORLD_IPIP4_TAGS] = {SHUNT_IPIP, 4, .tags = 2},
		[WORLD_IPIP6] = {SHUNT_IPIP, 6},
		[WORLD_IPIP6_TAG] = {SHUNT_IPIP, 6, .tags = 1},
		[WORLD_SPREAD4] = {SHUNT_IPIP, 4, .source_bits = 16},
		[WORLD_SPREAD6] = {SHUNT_IPIP, 6, .source_bits = 32},
		[WORLD_GRE4] = {SHUNT_GRE, 4},
		[WORLD_GRE4_TAG] = {SHUNT_GRE, 4, .tags = 1},
		[WORLD_GRE6] = {SHUNT_GRE, 6},
		[WORLD_GRE6_TAGS] = {SHUNT_GRE, 6, .tags = 2},
		[WORLD_GRE4_SPREAD] = {SHUNT_GRE, 4, .source_bits = 4},
		[WORLD_GUE4] = {SHUNT_GUE, 4},
		[WORLD_GUE4_TAGS] = {SHUNT_GUE, 4, .tags = 2},
		[WORLD_GUE6] = {SHUNT_GUE, 6, .udp_csum = true},
		[WORLD_GUE6_TAG] = {SHUNT_GUE, 6, .tags = 1, .udp_csum = true},
		[WORLD_GUE6_ZERO] = {SHUNT_GUE, 6},
		[WORLD_LOCAL] = {SHUNT_LOCAL},
		[WORLD_BAD_METHOD] = {SHUNT_FORWARD_MAX},
	};

	return &ways[kind];
}

void world_source(enum world_kind kind, uint8_t out[static 16])
{
	const struct world_way *way = world_way(kind);
	uint8_t last = way->source_bits ? 1 : 253;

	memset(out, 0, 16);
	if (way->family == 6)
		memcpy(out, (uint8_t[]){0xfd, 2, [6] = 0xcd, [15] = last}, 16);
	else
		memcpy(out, (uint8_t[]){10, 255, way->source_bits > 8 ? 0 : 254, last}, 4);
}

static uint32_t words_sum(const uint8_t *bytes, size_t len)
{
	uint16_t word;
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		memcpy(&word, bytes + i, 2);
		sum += word;
	}
	return sum;
}

uint32_t world_outer_csum(uint8_t family, const struct shunt_backend *be)
{
	uint8_t inner = family == 4 ? 4 : 41;
	uint8_t proto = be->method == SHUNT_GUE ? 17 : be->method == SHUNT_GRE ? 47 : inner;
	uint8_t ip[20] = {0x45, [6] = 0x40, [8] = 64, [9] = proto};
	uint8_t gue[40] = {0, 17, 6080 >> 8, 6080 & 0xff, 0, inner};

	if (!(be->flags & SHUNT_BE_ADDR6)) {
		memcpy(ip + 12, be->source, 4);
		memcpy(ip + 16, be->addr, 4);
		return words_sum(ip, 20);
	}
	if (!(be->flags & SHUNT_BE_UDP_CSUM))
		return 0;
	memcpy(gue + 8, be->source, 16);
	memcpy(gue + 24, be->addr, 16);
	return words_sum(gue, 40);
}

static uint32_t egress_of(enum world_kind kind)
{
	switch (kind) {
	case WORLD_REDIRECT:
		return WORLD_IFINDEX_MANAGED;
	case WORLD_NO_EGRESS:
		return WORLD_IFINDEX_UNMANAGED;
	default:
		return WORLD_IFINDEX_IN;
	}
}

static void backend_fill(struct shunt_backend *be, uint8_t family, enum world_kind kind, uint8_t n)
{
	const struct world_way *way = world_way(kind);

	*be = (struct shunt_backend){
		.dmac = {2, 0xbe, 0, 0, (uint8_t)kind, n},
		.smac = {2, 0x5c, 0, 0, (uint8_t)kind, 1},
		.ifindex = egress_of(kind),
		.vlan_tci = {htons(0x2064), htons(0x4065)},
		.mtu = WORLD_MTU,
		.method = way->method,
		.flags = kind == WORLD_UNUSABLE ? 0 : SHUNT_BE_USABLE,
		.tags = way->tags,
		.source_bits = way->source_bits,
	};
	if (way->family == 6) {
		be->flags |= SHUNT_BE_ADDR6 | (way->udp_csum ? SHUNT_BE_UDP_CSUM : 0);
		memcpy(be->addr, (uint8_t[]){0xfd, 1, [7] = 0xab, [15] = n}, 16);
	} else {
		memcpy(be->addr, (uint8_t[]){10, 0, (uint8_t)kind, n}, 4);
	}
	world_source(kind, (uint8_t *)be->source);
	be->outer_csum = world_outer_csum(family, be);
}

static struct shunt_service service_fill(struct fixture *f, uint8_t family, uint8_t proto,
					 enum world_kind kind)
{
	uint32_t index = service_index(family, proto, kind);
	struct shunt_service svc = {
		.slots_at = index * (WORLD_SLOTS / SHUNT_SLOTS_PER_LINE),
		.slot_mask = WORLD_SLOTS - 1,
		.row = index * WORLD_ROWS_EACH,
		.backends = 1,
		.flags = kind == WORLD_EMPTY_PASS ? SHUNT_SVC_ON_EMPTY_PASS : 0,
		.flow_timeout = WORLD_TIMEOUT,
		.salt = index + 1,
	};
	uint16_t number = kind == WORLD_EMPTY_DROP || kind == WORLD_EMPTY_PASS ? 0 : 1;

	if (kind == WORLD_BAD_SLOTS)
		svc.slots_at = 1u << 24;
	if (kind == WORLD_BAD_ROW)
		number = SHUNT_BACKENDS_PER_SERVICE;
	for (uint32_t i = 0; kind != WORLD_BAD_SLOTS && i < WORLD_SLOTS; i++)
		*world_slot(f, &svc, i) = number;
	for (uint8_t n = 1; n < WORLD_ROWS_EACH; n++)
		backend_fill(&f->backends[svc.row + n], family, kind, n);
	return svc;
}

uint16_t *world_slot(struct fixture *f, const struct shunt_service *svc, uint32_t slot)
{
	return &f->slots[svc->slots_at + slot / SHUNT_SLOTS_PER_LINE]
			.slot[slot % SHUNT_SLOTS_PER_LINE];
}

struct shunt_base *world_base(struct fixture *f, const struct shunt_service *svc, uint32_t slot)
{
	return &f->bases[svc->slots_at + slot / SHUNT_SLOTS_PER_LINE]
			.slot[slot % SHUNT_SLOTS_PER_LINE];
}

/* The service as its number among its family's: TCP first. */
static uint32_t port_proto_of(uint32_t i)
{
	uint16_t port = i % WORLD_MAX == WORLD_ANY ? 0 : (uint16_t)(WORLD_PORT + i % WORLD_MAX);

	return shunt_port_proto(htons(port), i < WORLD_MAX ? IPPROTO_TCP : IPPROTO_UDP);
}

static uint64_t key_with(uint8_t family, enum world_kind kind, uint32_t port_proto)
{
	uint8_t addr[16];
	uint64_t half[2];
	uint32_t word;

	vip(family, kind, addr);
	memcpy(&word, addr, 4);
	memcpy(half, addr, 16);
	return family == 4 ? shunt_key4(word, port_proto)
			   : shunt_key6(half[0], half[1], port_proto);
}

static uint64_t key_of(uint8_t family, uint32_t i)
{
	return key_with(family, i % WORLD_MAX, port_proto_of(i));
}

static uint32_t vip_proto(uint8_t family)
{
	return shunt_port_proto(0, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Of the entry of the address that services of the kind have. */
static uint64_t vip_key(uint8_t family, enum world_kind kind)
{
	return key_with(family, kind, vip_proto(family));
}

static uint64_t entry_of(const struct fixture *f, uint8_t family, uint64_t key)
{
	uint32_t half = f->ctl->active;
	const struct shunt_index *x = family == 4 ? &f->ctl->v4[half] : &f->ctl->v6[half];
	uint64_t seed = f->seeds[x->seeds_at + (key * x->bucket_mul >> x->bucket_shift)];

	return x->entries_at + (key * seed >> x->shift);
}

struct shunt_service *world_service(struct fixture *f, uint8_t family, uint8_t proto,
				    enum world_kind kind)
{
	uint32_t i = (proto == IPPROTO_UDP ? WORLD_MAX : 0u) + (uint32_t)kind;
	uint64_t at = entry_of(f, family, key_of(family, i));

	return family == 4 ? &f->services4[at].svc : &f->services6[at].svc;
}

static void index_build(struct fixture *f, uint8_t family)
{
	uint32_t half = f->ctl->active, seeds_at = half * HALF_SEEDS + (family == 6) * PER_FAMILY;
	struct shunt_index *x = family == 4 ? &f->ctl->v4[half] : &f->ctl->v6[half];
	uint64_t keys[PER_FAMILY + VIPS];
	struct phash p;

	for (uint32_t i = 0; i < PER_FAMILY; i++)
		keys[i] = key_of(family, i);
	keys[PER_FAMILY] = vip_key(family, WORLD_DSR);
	keys[PER_FAMILY + 1] = vip_key(family, WORLD_ANY);
	assert_int_equal(phash_build(keys, PER_FAMILY + VIPS, &p), 0);
	assert_true(p.n_seeds <= PER_FAMILY && p.n_entries <= HALF_ENTRIES);
	memcpy(f->seeds + seeds_at, p.seeds, p.n_seeds * sizeof(*p.seeds));
	*x = (struct shunt_index){
		.bucket_mul = p.bucket_mul,
		.bucket_shift = p.bucket_shift,
		.shift = p.shift,
		.seeds_at = seeds_at,
		.entries_at = half * HALF_ENTRIES,
		.flags = SHUNT_INDEX_EXACT | SHUNT_INDEX_ANY_PORT,
	};
	phash_fini(&p);
}

static void services_build(struct fixture *f, uint8_t family)
{
	index_build(f, family);
	for (uint32_t i = 0; i < PER_FAMILY; i++) {
		uint8_t proto = i < WORLD_MAX ? IPPROTO_TCP : IPPROTO_UDP;
		struct shunt_service svc = service_fill(f, family, proto, i % WORLD_MAX);
		uint64_t key = key_of(family, i), at = entry_of(f, family, key);

		if (family == 4) {
			f->services4[at] = (struct shunt_service4){key, svc};
		} else {
			f->services6[at].port_proto = port_proto_of(i);
			f->services6[at].svc = svc;
			vip(family, i % WORLD_MAX, (uint8_t *)f->services6[at].addr);
		}
	}
}

void world_vip(struct fixture *f, uint8_t family, enum world_kind kind, bool live)
{
	struct shunt_service svc = {.flags = live ? SHUNT_VIP_LIVE : 0};
	uint64_t key = vip_key(family, kind), at = entry_of(f, family, key);
	uint32_t half = f->ctl->active;

	if (family == 4) {
		f->ctl->v4[half].flags |= SHUNT_INDEX_VIPS;
		f->services4[at] = (struct shunt_service4){key, svc};
		return;
	}
	f->ctl->v6[half].flags |= SHUNT_INDEX_VIPS;
	f->services6[at] = (struct shunt_service6){.port_proto = vip_proto(family), .svc = svc};
	vip(family, kind, (uint8_t *)f->services6[at].addr);
}

const uint16_t *world_vip_flags(const struct fixture *f, uint8_t family, enum world_kind kind)
{
	uint64_t key = vip_key(family, kind), at = entry_of(f, family, key);
	uint32_t half = f->ctl->active;

	if (family == 4)
		return f->ctl->v4[half].flags & SHUNT_INDEX_VIPS && f->services4[at].key == key
			       ? &f->services4[at].svc.flags
			       : NULL;
	return f->ctl->v6[half].flags & SHUNT_INDEX_VIPS &&
			       f->services6[at].port_proto == vip_proto(family)
		       ? &f->services6[at].svc.flags
		       : NULL;
}

void world_build(struct fixture *f)
{
	services_build(f, 4);
	services_build(f, 6);
}
