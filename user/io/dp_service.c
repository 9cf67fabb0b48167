/* SPDX-License-Identifier: BSD-2-Clause */
/* The services that packets find: perfect hashes into the halves that are not in force, then one
 * store that puts them into force. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "pure/phash.h"
#include "shunt_abi.h"

/* The services of one family on their way into a half. */
struct batch {
	uint8_t family; /* 4 or 6 */
	const struct dp_service **list; /* [n] */
	uint64_t *keys; /* [n] */
	size_t n;
	uint32_t flags; /* SHUNT_INDEX_* */
	struct phash hash;
};

struct dp_services {
	struct dp_service *list; /* [n], what the batches point into */
	struct batch v4, v6;
};

static uint32_t port_proto(const struct dp_service *s)
{
	return shunt_port_proto(htons(s->port), s->protocol);
}

static uint64_t key_of(const struct dp_service *s)
{
	uint64_t half[2];
	__be32 addr4;

	memcpy(half, s->vip.bytes, sizeof(half));
	memcpy(&addr4, s->vip.bytes, sizeof(addr4));
	return s->vip.family == 6 ? shunt_key6(half[0], half[1], port_proto(s))
				  : shunt_key4(addr4, port_proto(s));
}

static void batch_fini(struct batch *b)
{
	free(b->list);
	free(b->keys);
	if (b->hash.seeds)
		phash_fini(&b->hash);
}

/* ---- checks -----------------------------------------------------------------------------------*/

static int compare_services(const void *a, const void *b)
{
	const struct dp_service *x = *(const struct dp_service **)a;
	const struct dp_service *y = *(const struct dp_service **)b;
	int order = addr_compare(&x->vip, &y->vip);

	if (order)
		return order;
	return (port_proto(x) > port_proto(y)) - (port_proto(x) < port_proto(y));
}

static int fail_twice(struct batch *b, struct dp_error *err)
{
	char text[ADDR_PORT_TEXT_MAX];
	size_t i;

	qsort(b->list, b->n, sizeof(*b->list), compare_services);
	for (i = 1; i < b->n; i++) {
		const struct dp_service *s = b->list[i];

		if (compare_services(&b->list[i - 1], &b->list[i]) == 0)
			return dp_fail(err, -EEXIST,
				       "two services have the address %s, protocol %s",
				       addr_port_format(&s->vip, s->port, text),
				       s->protocol == IPPROTO_UDP ? "udp" : "tcp");
	}
	return dp_fail(err, -EEXIST,
		       "two IPv6 services cannot be told apart by their hash; please "
		       "change the port of one");
}

/* No packet meets an index that points at nothing, whatever the caller computed. */
static bool points_inside(const struct dp *dp, const struct shunt_service *svc)
{
	uint32_t slots = svc->slot_mask + 1;

	return slots >= SHUNT_SLOTS_PER_LINE && (slots & svc->slot_mask) == 0 &&
	       (uint64_t)svc->slots_at + slots / SHUNT_SLOTS_PER_LINE <= dp->set.sizes.slot_lines &&
	       (uint64_t)svc->row + svc->backends < dp->set.sizes.rows;
}

/* ---- build ------------------------------------------------------------------------------------*/

static int batch_fill(const struct dp *dp, struct batch *b, const struct dp_service *s, size_t n)
{
	size_t i;

	b->list = malloc(n * sizeof(*b->list));
	b->keys = malloc(n * sizeof(*b->keys));
	if (!b->list || !b->keys)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		if (s[i].vip.family != b->family)
			continue;
		if (!points_inside(dp, &s[i].svc))
			return -ERANGE;
		b->flags |= s[i].port ? SHUNT_INDEX_EXACT : SHUNT_INDEX_ANY_PORT;
		b->keys[b->n] = key_of(&s[i]);
		b->list[b->n++] = &s[i];
	}
	return 0;
}

static int batch_build(const struct dp *dp, struct batch *b, const struct dp_service *s, size_t n,
		       struct dp_error *err)
{
	int rc;

	if (n == 0)
		return 0;
	rc = batch_fill(dp, b, s, n);
	if (rc == -ERANGE)
		return dp_fail(err, rc, "a service points outside of the tables");
	if (rc == 0 && b->n)
		rc = phash_build(b->keys, b->n, &b->hash);
	if (rc == -EEXIST)
		return fail_twice(b, err);
	if (rc)
		return dp_fail_os(err, rc, "cannot build the table of services");
	if (b->n && (b->hash.n_seeds > dp_half_seeds(&dp->set) ||
		     b->hash.n_entries > dp_half_entries(&dp->set)))
		return dp_fail(err, -ENOSPC, "%zu services do not fit into tables made for %u",
			       b->n, dp->set.sizes.services);
	return 0;
}

/* ---- write ------------------------------------------------------------------------------------*/

static void write_entries4(struct shunt_service4 *to, const struct batch *b)
{
	size_t i;

	memset(to, 0, b->hash.n_entries * sizeof(*to));
	for (i = 0; i < b->n; i++)
		to[b->hash.entry_of[i]] =
			(struct shunt_service4){.key = b->keys[i], .svc = b->list[i]->svc};
}

static void write_entries6(struct shunt_service6 *to, const struct batch *b)
{
	size_t i;

	memset(to, 0, b->hash.n_entries * sizeof(*to));
	for (i = 0; i < b->n; i++) {
		struct shunt_service6 *e = &to[b->hash.entry_of[i]];

		*e = (struct shunt_service6){.port_proto = port_proto(b->list[i]),
					     .svc = b->list[i]->svc};
		memcpy(e->addr, b->list[i]->vip.bytes, sizeof(e->addr));
	}
}

static void write_half(struct dp *dp, const struct batch *b, uint32_t half,
		       struct shunt_index *index)
{
	bool v6 = b->family == 6;
	uint32_t seeds_at = (2 * half + v6) * dp_half_seeds(&dp->set);
	uint32_t entries_at = half * dp_half_entries(&dp->set);
	uint64_t *seeds = dp->set.map[DP_SEEDS].mem;

	if (b->n == 0) {
		*index = (struct shunt_index){0};
		return;
	}
	memcpy(seeds + seeds_at, b->hash.seeds, b->hash.n_seeds * sizeof(*seeds));
	if (v6)
		write_entries6((struct shunt_service6 *)dp->set.map[DP_SERVICES6].mem + entries_at,
			       b);
	else
		write_entries4((struct shunt_service4 *)dp->set.map[DP_SERVICES4].mem + entries_at,
			       b);
	*index = (struct shunt_index){
		.bucket_mul = b->hash.bucket_mul,
		.bucket_shift = b->hash.bucket_shift,
		.shift = b->hash.shift,
		.seeds_at = seeds_at,
		.entries_at = entries_at,
		.flags = b->flags,
	};
}

int dp_services_prepare(const struct dp *dp, const struct dp_service *s, size_t n,
			struct dp_services **out, struct dp_error *err)
{
	struct dp_services *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (p)
		p->list = malloc((n + 1) * sizeof(*p->list));
	if (!p || !p->list) {
		dp_services_drop(p);
		return dp_fail_os(err, rc, "cannot build the table of services");
	}
	if (n)
		memcpy(p->list, s, n * sizeof(*p->list));
	p->v4.family = 4;
	p->v6.family = 6;
	rc = batch_build(dp, &p->v4, p->list, n, err);
	if (rc == 0)
		rc = batch_build(dp, &p->v6, p->list, n, err);
	if (rc) {
		dp_services_drop(p);
		return rc;
	}
	*out = p;
	return 0;
}

void dp_services_apply(struct dp *dp, struct dp_services *services)
{
	struct shunt_ctl *ctl = dp_ctl(dp);
	uint32_t half = !(ctl->active & 1);

	write_half(dp, &services->v4, half, &ctl->v4[half]);
	write_half(dp, &services->v6, half, &ctl->v6[half]);
	__atomic_store_n(&ctl->active, half, __ATOMIC_RELEASE);
	dp_grace(dp);
	dp_services_drop(services);
}

void dp_services_drop(struct dp_services *services)
{
	if (!services)
		return;
	batch_fini(&services->v4);
	batch_fini(&services->v6);
	free(services->list);
	free(services);
}

int dp_services_switch(struct dp *dp, const struct dp_service *s, size_t n, struct dp_error *err)
{
	struct dp_services *p = NULL;
	int rc = dp_services_prepare(dp, s, n, &p, err);

	if (rc == 0)
		dp_services_apply(dp, p);
	return rc;
}

/* ---- read back --------------------------------------------------------------------------------*/

static void to_service(const void *addr, size_t len, uint32_t pp, const struct shunt_service *svc,
		       struct dp_service *out)
{
	*out = (struct dp_service){
		.vip.family = len == 4 ? 4 : 6,
		.port = ntohs((uint16_t)pp),
		.protocol = (uint8_t)(pp >> 16),
		.svc = *svc,
	};
	memcpy(out->vip.bytes, addr, len);
}

/* How many entries the index spans, 0 when it is empty or reaches outside of the map. */
static uint32_t span(const struct dp_set *set, const struct shunt_index *index)
{
	uint64_t n;

	if (!index->flags || index->shift < 32 || index->shift > 63)
		return 0;
	n = 1ull << (64 - index->shift);
	return index->entries_at + n <= set->map[DP_SERVICES4].entries ? (uint32_t)n : 0;
}

void dp_services_each(const struct dp *dp, void (*fn)(void *arg, const struct dp_service *s),
		      void *arg)
{
	uint32_t active = dp_ctl(dp)->active & 1;
	const struct shunt_index *v4 = &dp_ctl(dp)->v4[active], *v6 = &dp_ctl(dp)->v6[active];
	const struct shunt_service4 *e4 = dp->set.map[DP_SERVICES4].mem;
	const struct shunt_service6 *e6 = dp->set.map[DP_SERVICES6].mem;
	struct dp_service s;
	uint32_t i, n4 = span(&dp->set, v4), n6 = span(&dp->set, v6);

	for (i = 0; i < n4; i++) {
		const struct shunt_service4 *e = &e4[v4->entries_at + i];
		__be32 addr = (__be32)e->key;

		if (!e->key)
			continue;
		to_service(&addr, sizeof(addr), (uint32_t)(e->key >> 32), &e->svc, &s);
		fn(arg, &s);
	}
	for (i = 0; i < n6; i++) {
		const struct shunt_service6 *e = &e6[v6->entries_at + i];

		if (!e->port_proto)
			continue;
		to_service(e->addr, sizeof(e->addr), e->port_proto, &e->svc, &s);
		fn(arg, &s);
	}
}
