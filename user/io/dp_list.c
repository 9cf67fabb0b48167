/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_list.h"

#include <string.h>

#include "io/dp_impl.h"

uint64_t dp_flow_words(const struct dp *dp)
{
	return (uint64_t)dp->set.map[DP_FLOWS].entries * SHUNT_FLOWS_PER_BUCKET;
}

bool dp_flow_read(struct dp *dp, uint64_t i, uint16_t now, struct dp_listed *out)
{
	const uint64_t bucket = i / SHUNT_FLOWS_PER_BUCKET, way = i % SHUNT_FLOWS_PER_BUCKET;
	const struct shunt_flow_bucket *flows;
	const struct shunt_flow_rows *rows = NULL;
	uint64_t word;

	if (i >= dp_flow_words(dp) || dp_map_mem(&dp->set, DP_FLOWS))
		return false;
	flows = dp->set.map[DP_FLOWS].mem;
	word = __atomic_load_n(&flows[bucket].word[way], __ATOMIC_RELAXED);
	*out = (struct dp_listed){.number = word >> 16 & SHUNT_SLOT_BACKEND,
				  .confirmed = word & SHUNT_FLOW_CONFIRMED,
				  .ended = word & SHUNT_FLOW_ENDED};
	if (!out->number)
		return false;
	out->age = (uint16_t)(now - (uint16_t)word);
	if (out->age > UINT16_MAX - SHUNT_FLOW_AHEAD)
		out->age = 0;
	if (dp->set.map[DP_FLOW_ROWS].entries == dp->set.map[DP_FLOWS].entries &&
	    dp_map_mem(&dp->set, DP_FLOW_ROWS) == 0)
		rows = dp->set.map[DP_FLOW_ROWS].mem;
	out->row = rows ? __atomic_load_n(&rows[bucket].row[way], __ATOMIC_RELAXED) : 0;
	return true;
}

/* ---- translated connections -------------------------------------------------------------------*/

uint64_t dp_nat_records(const struct dp *dp)
{
	return dp->set.sizes.nat ? dp->set.map[DP_NAT_CONNS].entries : 0;
}

static struct addr ip4(uint32_t on_wire)
{
	struct addr a = {.family = 4};

	memcpy(a.bytes, &on_wire, sizeof(on_wire));
	return a;
}

static struct addr ip6(const __be32 on_wire[4])
{
	struct addr a = {.family = 6};

	memcpy(a.bytes, on_wire, sizeof(a.bytes));
	return a;
}

static uint16_t port(uint32_t ports, int second)
{
	uint8_t on_wire[4];

	memcpy(on_wire, &ports, sizeof(ports));
	return (uint16_t)(on_wire[2 * second] << 8 | on_wire[2 * second + 1]);
}

static void read_addrs(const struct shunt_nat_conn *c, const struct shunt_nat_addrs *six,
		       struct dp_nat_listed *out)
{
	bool client6 = six && c->state & SHUNT_NAT_CLIENT6;
	bool backend6 = six && c->state & SHUNT_NAT_BACKEND6;

	out->client = client6 ? ip6(six->client) : ip4(c->client);
	out->vip = client6 ? ip6(six->vip) : ip4(c->vip);
	out->backend = backend6 ? ip6(six->backend) : ip4(c->backend);
	out->pool = backend6 ? ip6(six->pool) : ip4(c->pool);
}

bool dp_nat_read(struct dp *dp, uint64_t i, uint16_t now, struct dp_nat_listed *out)
{
	const struct shunt_nat_bucket *words;
	const struct shunt_nat_conn *c;
	const struct shunt_nat_addrs *six = NULL;

	if (i >= dp_nat_records(dp) || dp_map_mem(&dp->set, DP_NAT_CONNS) ||
	    dp_map_mem(&dp->set, DP_NAT_REQUESTS))
		return false;
	words = dp->set.map[DP_NAT_REQUESTS].mem;
	c = (const struct shunt_nat_conn *)dp->set.map[DP_NAT_CONNS].mem + i;
	if (words[i / SHUNT_NAT_WAYS].word[i % SHUNT_NAT_WAYS] <= SHUNT_NAT_BUSY ||
	    (int16_t)(now - (uint16_t)c->until) > 0)
		return false;
	if (dp->set.sizes.nat6 && dp_map_mem(&dp->set, DP_NAT_ADDRS) == 0)
		six = (const struct shunt_nat_addrs *)dp->set.map[DP_NAT_ADDRS].mem + i;
	*out = (struct dp_nat_listed){.protocol = SHUNT_NAT_PROTO(c->state),
				      .client_port = port(c->client_ports, 0),
				      .port = port(c->client_ports, 1),
				      .backend_port = port(c->backend_ports, 0),
				      .pool_port = port(c->backend_ports, 1),
				      .number = c->number,
				      .state = c->state};
	out->age = (uint16_t)(now - (uint16_t)c->seen);
	if (out->age > UINT16_MAX - SHUNT_FLOW_AHEAD)
		out->age = 0;
	read_addrs(c, six, out);
	return true;
}
