/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_find.h"

#include <bpf/bpf.h>
#include <string.h>

#include "io/dp_impl.h"
#include "pure/hashkey.h"

/* ---- what is known of a flow ------------------------------------------------------------------*/

/* A word of the flow table, and where it stands. */
struct found {
	uint64_t word;
	uint32_t bucket;
	size_t way;
};

static uint32_t ports_of(const struct dp_tuple *t)
{
	uint8_t on_wire[4] = {(uint8_t)(t->client_port >> 8), (uint8_t)t->client_port,
			      (uint8_t)(t->port >> 8), (uint8_t)t->port};
	uint32_t ports;

	memcpy(&ports, on_wire, sizeof(ports));
	return ports;
}

static uint64_t hash_of(const struct dp *dp, const struct addr *client, const struct addr *vip,
			uint32_t ports)
{
	uint32_t from[4], to[4];

	memcpy(from, client->bytes, sizeof(from));
	memcpy(to, vip->bytes, sizeof(to));
	return client->family == 6 ? hashkey_flow6(dp->hash_key, from, to, ports)
				   : hashkey_flow4(dp->hash_key, from[0], to[0], ports);
}

static uint64_t source_hash(const struct dp *dp, const struct dp_tuple *t, uint8_t bits)
{
	struct addr client = t->client;
	size_t i;

	for (i = 0; i < sizeof(client.bytes); i++) {
		size_t left = bits > 8 * i ? bits - 8 * i : 0;

		client.bytes[i] &= left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
	}
	return hash_of(dp, &client, &t->vip, 0);
}

/* Finds the word with @tag in @bucket; false: there is none. */
static bool look_in(const struct dp *dp, uint32_t bucket, uint32_t tag, struct found *out)
{
	const struct shunt_flow_bucket *flows = dp->set.map[DP_FLOWS].mem;
	uint64_t word;
	size_t i;

	for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
		word = __atomic_load_n(&flows[bucket].word[i], __ATOMIC_RELAXED);
		if (word >> SHUNT_FLOW_TAG_SHIFT != tag)
			continue;
		*out = (struct found){word, bucket, i};
		return word != 0;
	}
	return false;
}

static bool find_entry(struct dp *dp, uint64_t hash, uint32_t salt, struct found *out)
{
	const uint32_t mask = dp->set.map[DP_FLOWS].entries - 1;
	uint64_t a = (hash ^ hash >> 32 ^ salt) * 0x9e3779b97f4a7c15ull;
	uint64_t b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;
	uint32_t tag = (uint32_t)(b >> SHUNT_FLOW_TAG_SHIFT);

	return dp_map_mem(&dp->set, DP_FLOWS) == 0 &&
	       (look_in(dp, (uint32_t)(a >> 32) & mask, tag, out) ||
		look_in(dp, (uint32_t)b & mask, tag, out));
}

static uint32_t row_of(struct dp *dp, const struct found *f)
{
	const struct shunt_flow_rows *rows;

	if (dp->set.map[DP_FLOW_ROWS].entries != dp->set.map[DP_FLOWS].entries ||
	    dp_map_mem(&dp->set, DP_FLOW_ROWS))
		return 0;
	rows = dp->set.map[DP_FLOW_ROWS].mem;
	return __atomic_load_n(&rows[f->bucket].row[f->way], __ATOMIC_RELAXED);
}

/* Of a service that remembers every flow. */
static bool since_counts(const struct dp_known *k)
{
	return transit_is_on(k->at.slot) && k->at.base.flags & SHUNT_BASE_SINCE;
}

/* As choice_recall() of the packet path, but for whether the backend may be used. */
static bool entry_holds(const struct shunt_service *svc, const struct dp_known *k, uint64_t word)
{
	uint16_t age = shunt_flow_age(k->now, (uint16_t)word);
	uint16_t oldest = svc->flow_timeout + SHUNT_FLOW_AHEAD;
	uint16_t since = shunt_flow_age(k->now, k->at.base.since);

	if (!k->number || k->number > svc->backends)
		return false;
	if (svc->flags & SHUNT_SVC_FLOWS && !since_counts(k))
		return age <= oldest;
	return transit_is_on(k->at.slot) && age <= (since < oldest ? since : oldest);
}

static void take_entry(struct dp *dp, const struct shunt_service *svc, const struct found *f,
		       struct dp_known *out)
{
	out->has_entry = true;
	out->confirmed = f->word & SHUNT_FLOW_CONFIRMED;
	out->ended = f->word & SHUNT_FLOW_ENDED;
	out->number = f->word >> 16 & SHUNT_SLOT_BACKEND;
	out->age = transit_age(out->now, (uint16_t)f->word);
	out->holds = entry_holds(svc, out, f->word);
	out->row = row_of(dp, f);
}

/* Whether there may be entries of flows in the slot. */
static bool may_hold(const struct shunt_service *svc, const struct dp_known *k)
{
	return svc->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_OWN) || transit_is_on(k->at.slot);
}

/* Finds the slot; returns the hash that the entry is found by. */
static uint64_t find_slot(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
			  enum dp_whose whose, struct dp_known *out)
{
	uint64_t hash = hash_of(dp, &t->client, &t->vip, ports_of(t)), source = hash;

	*out = (struct dp_known){.now = out->now};
	if (svc->flags & SHUNT_SVC_SOURCE)
		source = source_hash(dp, t, svc->source_bits);
	out->slot = shunt_slot_of(source, svc->slot_mask);
	out->at = dp_slot_read(dp, svc->slots_at, out->slot);
	return whose == DP_OF_SOURCE ? source : hash;
}

void dp_flow_find(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
		  enum dp_whose whose, struct dp_known *out)
{
	uint64_t hash = find_slot(dp, svc, t, whose, out);
	struct found f;

	if (may_hold(svc, out) && find_entry(dp, hash, svc->salt, &f))
		take_entry(dp, svc, &f, out);
}

void dp_flow_look(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
		  struct dp_known *out)
{
	const enum dp_whose whose = svc->flags & SHUNT_SVC_AFFINE ? DP_OF_SOURCE : DP_OF_FLOW;
	struct found f;
	uint64_t hash;

	out->now = dp_tick(dp);
	hash = find_slot(dp, svc, t, whose, out);
	if (find_entry(dp, hash, svc->salt, &f))
		take_entry(dp, svc, &f, out);
}

/* ---- translated connections -------------------------------------------------------------------*/

uint32_t dp_nat_age(const struct dp *dp, uint32_t seen)
{
	/* A flow tick is a NAT tick: what there is of it. */
	uint16_t age = (uint16_t)(dp_tick(dp) - (uint16_t)seen);

	return age > UINT16_MAX - SHUNT_FLOW_AHEAD ? 0 : age;
}
_Static_assert(SHUNT_NAT_TICK_SHIFT == SHUNT_FLOW_TICK_SHIFT, "as dp_nat_age() says");

static bool same_addrs(const struct dp *dp, uint32_t rec, const struct shunt_nat_conn *conn,
		       const struct dp_tuple *t)
{
	struct shunt_nat_addrs six;

	if (t->client.family != 6)
		return !memcmp(&conn->client, t->client.bytes, 4) &&
		       !memcmp(&conn->vip, t->vip.bytes, 4);
	return bpf_map_lookup_elem(dp->set.map[DP_NAT_ADDRS].fd, &rec, &six) == 0 &&
	       !memcmp(six.client, t->client.bytes, 16) && !memcmp(six.vip, t->vip.bytes, 16);
}

static bool is_of(const struct dp *dp, uint32_t rec, const struct dp_tuple *t,
		  struct shunt_nat_conn *conn)
{
	bool six = t->client.family == 6;

	return bpf_map_lookup_elem(dp->set.map[DP_NAT_CONNS].fd, &rec, conn) == 0 &&
	       conn->client_ports == ports_of(t) && SHUNT_NAT_PROTO(conn->state) == t->protocol &&
	       !(conn->state & SHUNT_NAT_CLIENT6) == !six && same_addrs(dp, rec, conn, t) &&
	       (int16_t)(dp_tick(dp) - (uint16_t)conn->until) <= 0;
}

bool dp_nat_look(struct dp *dp, const struct dp_tuple *t, struct shunt_nat_conn *out)
{
	const uint32_t n = dp->set.map[DP_NAT_REQUESTS].entries;
	struct shunt_nat_place place;
	struct shunt_nat_bucket b;
	uint32_t i, at;

	if (n <= 1)
		return false;
	place = shunt_nat_mix(hash_of(dp, &t->client, &t->vip, ports_of(t)), t->protocol, n - 1);
	for (i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		at = i < SHUNT_NAT_WAYS ? place.first : place.second;
		if (bpf_map_lookup_elem(dp->set.map[DP_NAT_REQUESTS].fd, &at, &b) == 0 &&
		    b.word[i % SHUNT_NAT_WAYS] >> 32 == place.tag &&
		    is_of(dp, at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS, t, out))
			return true;
	}
	return false;
}
