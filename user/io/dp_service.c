/* SPDX-License-Identifier: BSD-2-Clause */
/* The services that packets find: perfect hashes and prefixes into the halves that are not in force,
 * then one store that puts them into force. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "pure/lookup.h"
#include "pure/phash.h"
#include "shunt_abi.h"

/* The services of one family on their way into a half. */
struct batch {
	uint8_t family; /* 4 or 6 */
	const struct lookup_exact **list; /* [n] */
	uint64_t *keys; /* [n] */
	size_t n;
	uint32_t flags; /* SHUNT_INDEX_* */
	struct phash hash;
	uint32_t by_prefix; /* services that have entries because a prefix finds them */
};

/* All services on their way into a half. */
struct change {
	const struct dp_service *s; /* [n] */
	size_t n;
	struct lookup_rule *rules; /* [n]; `service` is the number of the first with the same svc */
	struct lookup lookup; /* points into rules */
	bool *by_prefix; /* [n] a prefix finds it */
	uint32_t *entry_of; /* [n] where it stands then, from its family's entries_at on */
	struct batch v4, v6;
};

/* Addresses that have services are known by these, without ports. */
static bool is_address(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static uint32_t port_proto(const struct lookup_exact *e)
{
	return shunt_port_proto(htons(e->port), e->protocol);
}

static uint64_t key_of(const struct lookup_exact *e)
{
	uint64_t half[2];
	__be32 addr4;

	memcpy(half, e->vip->bytes, sizeof(half));
	memcpy(&addr4, e->vip->bytes, sizeof(addr4));
	return e->vip->family == 6 ? shunt_key6(half[0], half[1], port_proto(e))
				   : shunt_key4(addr4, port_proto(e));
}

static void batch_fini(struct batch *b)
{
	free(b->list);
	free(b->keys);
	if (b->hash.seeds)
		phash_fini(&b->hash);
}

static void change_fini(struct change *c)
{
	batch_fini(&c->v4);
	batch_fini(&c->v6);
	lookup_fini(&c->lookup);
	free(c->rules);
	free(c->by_prefix);
	free(c->entry_of);
}

/* ---- lookup -----------------------------------------------------------------------------------*/

static int fail_twice(const struct dp_service *s, struct dp_error *err)
{
	char text[ADDR_PORT_TEXT_MAX];

	return dp_fail(err, -EEXIST, "two services have the address %s, protocol %s",
		       addr_port_format(&s->vip, s->port, text),
		       s->protocol == IPPROTO_UDP ? "udp" : "tcp");
}

static void rules_fill(struct change *c)
{
	size_t i, first = 0;

	for (i = 0; i < c->n; i++) {
		const struct dp_service *s = &c->s[i];

		if (s->svc.row != c->s[first].svc.row)
			first = i;
		c->rules[i] = (struct lookup_rule){
			.vip = s->vip,
			.vip_bits = s->vip_bits		 ? s->vip_bits
				    : s->vip.family == 6 ? 128
							 : 32,
			.protocol = s->protocol,
			.from = s->port,
			.to = s->port_to ? s->port_to : s->port,
			.service = (uint32_t)first,
		};
	}
}

/* Fills all of @c but its batches. */
static int change_begin(struct change *c, struct dp_error *err)
{
	size_t clash[2], i;
	int rc;

	c->rules = calloc(c->n + 1, sizeof(*c->rules));
	c->by_prefix = calloc(c->n + 1, sizeof(*c->by_prefix));
	c->entry_of = calloc(c->n + 1, sizeof(*c->entry_of));
	if (!c->rules || !c->by_prefix || !c->entry_of)
		return -ENOMEM;
	rules_fill(c);
	rc = lookup_build(c->rules, c->n, &c->lookup, clash);
	if (rc == -EEXIST)
		return fail_twice(&c->s[clash[1]], err);
	for (i = 0; rc == 0 && i < c->lookup.n_spans; i++)
		if (c->lookup.spans[i].service != LOOKUP_NOBODY)
			c->by_prefix[c->lookup.spans[i].service] = true;
	return rc;
}

int dp_services_need(const struct dp_service *s, size_t n, struct dp_sizes *need)
{
	struct change c = {.s = s, .n = n};
	size_t i, entries[7] = {0};
	int rc = change_begin(&c, NULL);

	for (i = 0; rc == 0 && i < c.lookup.n_exact; i++)
		entries[c.lookup.exact[i].vip->family]++;
	for (i = 0; rc == 0 && i < n; i++)
		entries[s[i].vip.family] += c.by_prefix[i];
	if (entries[6] > entries[4])
		entries[4] = entries[6];
	if (entries[4] > need->services)
		need->services = entries[4] < UINT32_MAX ? (uint32_t)entries[4] : UINT32_MAX;
	if (rc == 0 && c.lookup.n_spans > need->spans)
		need->spans =
			c.lookup.n_spans < UINT32_MAX ? (uint32_t)c.lookup.n_spans : UINT32_MAX;
	change_fini(&c);
	return rc;
}

/* ---- build ------------------------------------------------------------------------------------*/

/* No packet meets an index that points at nothing, whatever the caller computed. */
static bool points_inside(const struct dp *dp, const struct shunt_service *svc)
{
	uint32_t slots = svc->slot_mask + 1;

	return slots >= SHUNT_SLOTS_PER_LINE && (slots & svc->slot_mask) == 0 &&
	       (uint64_t)svc->slots_at + slots / SHUNT_SLOTS_PER_LINE <= dp->set.sizes.slot_lines &&
	       (uint64_t)svc->row + svc->backends < dp->set.sizes.rows;
}

static int batch_fill(struct batch *b, const struct change *c)
{
	const struct lookup *l = &c->lookup;
	size_t i;

	b->list = malloc((l->n_exact + 1) * sizeof(*b->list));
	b->keys = malloc((l->n_exact + 1) * sizeof(*b->keys));
	if (!b->list || !b->keys)
		return -ENOMEM;
	for (i = 0; i < l->n_exact; i++) {
		const struct lookup_exact *e = &l->exact[i];

		if (e->vip->family != b->family)
			continue;
		if (is_address(e->protocol))
			b->flags |= SHUNT_INDEX_VIPS;
		else
			b->flags |= e->port ? SHUNT_INDEX_EXACT : SHUNT_INDEX_ANY_PORT;
		b->keys[b->n] = key_of(e);
		b->list[b->n++] = e;
	}
	for (i = 0; i < c->n; i++)
		b->by_prefix += c->by_prefix[i] && c->s[i].vip.family == b->family;
	for (i = 0; i < l->n_prefixes; i++)
		if (l->prefixes[i].vip->family == b->family)
			b->flags |= SHUNT_INDEX_PREFIXES;
	return 0;
}

static int batch_build(const struct dp *dp, struct batch *b, const struct change *c,
		       struct dp_error *err)
{
	int rc = batch_fill(b, c);

	if (rc == 0 && b->n)
		rc = phash_build(b->keys, b->n, &b->hash);
	if (rc == -EEXIST)
		return dp_fail(err, -EEXIST,
			       "two IPv6 services cannot be told apart by their hash; please "
			       "change the port of one");
	if (rc)
		return dp_fail_os(err, rc, "cannot build the table of services");
	if (b->hash.n_seeds > dp_half_seeds(&dp->set) ||
	    b->hash.n_entries > dp_half_entries(&dp->set) ||
	    b->n + b->by_prefix > dp_half_entries(&dp->set))
		return dp_fail(err, -ENOSPC, "%zu services do not fit into tables made for %u",
			       b->n + b->by_prefix, dp->set.sizes.services);
	return 0;
}

static int change_build(const struct dp *dp, struct change *c, struct dp_error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < c->n; i++)
		if (!is_address(c->s[i].protocol) && !points_inside(dp, &c->s[i].svc))
			return dp_fail(err, -ERANGE, "a service points outside of the tables");
	rc = change_begin(c, err);
	if (rc == -ENOMEM)
		return dp_fail_os(err, rc, "cannot build the table of services");
	if (rc == 0)
		rc = batch_build(dp, &c->v4, c, err);
	return rc ? rc : batch_build(dp, &c->v6, c, err);
}

/* ---- write ------------------------------------------------------------------------------------*/

/* Services that prefixes find take entries without a key. @entries of @size bytes, of which the one
 * at @key_at is empty when its 32 bits there are 0, and @svc_at is where the service goes. */
struct layout {
	size_t size, key_at, svc_at;
};

static void write_by_prefix(char *to, const struct layout *at, uint8_t family, struct change *c)
{
	uint32_t entry = 0, key;
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (!c->by_prefix[i] || c->s[i].vip.family != family)
			continue;
		do
			memcpy(&key, to + entry++ * at->size + at->key_at, sizeof(key));
		while (key);
		c->entry_of[i] = entry - 1;
		memcpy(to + (entry - 1) * at->size + at->svc_at, &c->s[i].svc, sizeof(c->s[i].svc));
	}
}

static void write_entries4(struct dp *dp, uint32_t entries_at, struct change *c)
{
	/* the upper half of a key has the protocol, which is not 0 */
	static const struct layout layout = {sizeof(struct shunt_service4), 4,
					     offsetof(struct shunt_service4, svc)};
	struct shunt_service4 *to =
		(struct shunt_service4 *)dp->set.map[DP_SERVICES4].mem + entries_at;
	const struct batch *b = &c->v4;
	size_t i;

	memset(to, 0, dp_half_entries(&dp->set) * sizeof(*to));
	for (i = 0; i < b->n; i++)
		to[b->hash.entry_of[i]] = (struct shunt_service4){
			.key = b->keys[i], .svc = c->s[b->list[i]->service].svc};
	write_by_prefix((char *)to, &layout, 4, c);
}

static void write_entries6(struct dp *dp, uint32_t entries_at, struct change *c)
{
	static const struct layout layout = {sizeof(struct shunt_service6),
					     offsetof(struct shunt_service6, port_proto),
					     offsetof(struct shunt_service6, svc)};
	struct shunt_service6 *to =
		(struct shunt_service6 *)dp->set.map[DP_SERVICES6].mem + entries_at;
	const struct batch *b = &c->v6;
	size_t i;

	memset(to, 0, dp_half_entries(&dp->set) * sizeof(*to));
	for (i = 0; i < b->n; i++) {
		struct shunt_service6 *e = &to[b->hash.entry_of[i]];

		*e = (struct shunt_service6){.port_proto = port_proto(b->list[i]),
					     .svc = c->s[b->list[i]->service].svc};
		memcpy(e->addr, b->list[i]->vip->bytes, sizeof(e->addr));
	}
	write_by_prefix((char *)to, &layout, 6, c);
}

static void write_half(struct dp *dp, const struct batch *b, uint32_t half,
		       struct shunt_index *index)
{
	uint32_t seeds_at = (2 * half + (b->family == 6)) * dp_half_seeds(&dp->set);
	uint64_t *seeds = dp->set.map[DP_SEEDS].mem;

	*index = (struct shunt_index){
		.bucket_mul = b->hash.bucket_mul,
		.bucket_shift = b->hash.bucket_shift,
		.shift = b->hash.shift,
		.seeds_at = seeds_at,
		.entries_at = half * dp_half_entries(&dp->set),
		.flags = b->flags,
	};
	if (b->n)
		memcpy(seeds + seeds_at, b->hash.seeds, b->hash.n_seeds * sizeof(*seeds));
}

/* Fills the half that is not in force. */
static int write_change(struct dp *dp, struct change *c, uint32_t half, struct dp_error *err)
{
	struct shunt_ctl *ctl = dp_ctl(dp);
	int rc;

	write_half(dp, &c->v4, half, &ctl->v4[half]);
	write_half(dp, &c->v6, half, &ctl->v6[half]);
	write_entries4(dp, ctl->v4[half].entries_at, c);
	write_entries6(dp, ctl->v6[half].entries_at, c);
	rc = dp_prefixes_write(dp, &(struct dp_prefixes){&c->lookup, c->entry_of, half});
	if (rc == -ENOSPC)
		return dp_fail(err, rc, "%zu stretches of ports do not fit into tables made for %u",
			       c->lookup.n_spans, dp->set.sizes.spans);
	return rc ? dp_fail_os(err, rc, "cannot write the services' prefixes") : 0;
}

/* ---- switch -----------------------------------------------------------------------------------*/

/* What stands in the half that is not in force. */
struct dp_services {
	struct dp *dp;
	uint32_t half;
};

int dp_services_prepare(struct dp *dp, const struct dp_service *s, size_t n,
			struct dp_services **out, struct dp_error *err)
{
	struct change c = {.s = s, .n = n, .v4.family = 4, .v6.family = 6};
	struct dp_services *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return dp_fail_os(err, -ENOMEM, "cannot build the table of services");
	*p = (struct dp_services){dp, !(dp_ctl(dp)->active & 1)};
	rc = change_build(dp, &c, err);
	if (rc == 0)
		rc = write_change(dp, &c, p->half, err);
	change_fini(&c);
	if (rc)
		free(p);
	else
		*out = p;
	return rc;
}

void dp_services_apply(struct dp *dp, struct dp_services *services)
{
	__atomic_store_n(&dp_ctl(dp)->active, services->half, __ATOMIC_RELEASE);
	dp_grace(dp);
	dp_prefixes_clear(dp, !services->half);
	free(services);
}

void dp_services_drop(struct dp_services *services)
{
	if (services)
		dp_prefixes_clear(services->dp, services->half);
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

/* Whom the services go to, and the entries of both families in force. */
struct reader {
	const struct dp *dp;
	void (*fn)(void *arg, const struct dp_service *s);
	void *arg;
	const struct shunt_service4 *v4;
	const struct shunt_service6 *v6;
};

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

/* How many entries the index's hash spans, 0 when it is empty or reaches outside of the map. */
static uint32_t span(const struct dp_set *set, const struct shunt_index *index)
{
	uint64_t n;

	if (!index->flags || index->shift < 32 || index->shift > 63)
		return 0;
	n = 1ull << (64 - index->shift);
	return index->entries_at + n <= set->map[DP_SERVICES4].entries ? (uint32_t)n : 0;
}

static void tell(const struct reader *r, const struct dp_service *s)
{
	if (!is_address(s->protocol))
		r->fn(r->arg, s);
}

static void each_exact(const struct reader *r, uint32_t n4, uint32_t n6)
{
	struct dp_service s;
	uint32_t i;

	for (i = 0; i < n4; i++) {
		__be32 addr = (__be32)r->v4[i].key;

		if (!r->v4[i].key)
			continue;
		to_service(&addr, sizeof(addr), (uint32_t)(r->v4[i].key >> 32), &r->v4[i].svc, &s);
		tell(r, &s);
	}
	for (i = 0; i < n6; i++) {
		const struct shunt_service6 *e = &r->v6[i];

		if (!e->port_proto)
			continue;
		to_service(e->addr, sizeof(e->addr), e->port_proto, &e->svc, &s);
		tell(r, &s);
	}
}

static void on_span(void *arg, const struct dp_prefix_span *span)
{
	const struct reader *r = arg;
	bool any = span->from == 0 && span->to == UINT16_MAX;
	struct dp_service s = {
		.vip = span->vip,
		.vip_bits = span->vip_bits,
		.port = any ? 0 : span->from,
		.port_to = any || span->from == span->to ? 0 : span->to,
		.protocol = span->protocol,
	};

	if (span->entry >= dp_half_entries(&r->dp->set))
		return;
	s.svc = span->vip.family == 6 ? r->v6[span->entry].svc : r->v4[span->entry].svc;
	tell(r, &s);
}

void dp_services_each(const struct dp *dp, void (*fn)(void *arg, const struct dp_service *s),
		      void *arg)
{
	uint32_t active = dp_ctl(dp)->active & 1, at = active * dp_half_entries(&dp->set);
	const struct shunt_index *v4 = &dp_ctl(dp)->v4[active], *v6 = &dp_ctl(dp)->v6[active];
	const struct shunt_service4 *e4 = dp->set.map[DP_SERVICES4].mem;
	const struct shunt_service6 *e6 = dp->set.map[DP_SERVICES6].mem;
	struct reader r = {dp, fn, arg, e4 + at, e6 + at};

	each_exact(&r, span(&dp->set, v4), span(&dp->set, v6));
	dp_prefixes_each(dp, on_span, &r);
}
