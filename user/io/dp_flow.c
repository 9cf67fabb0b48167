/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table as the daemon reads it, and loads: plain memory shared with the packet path. */
#include "io/dp_impl.h"

static bool map_flows(struct dp *dp)
{
	return dp_map_mem(&dp->set, DP_FLOWS) == 0 && dp_map_mem(&dp->set, DP_FLOW_ROWS) == 0 &&
	       dp->set.map[DP_FLOW_ROWS].entries == dp->set.map[DP_FLOWS].entries;
}

/* Of one that its service counts: it has sent a second packet, and none that ends it. */
static bool is_live(uint64_t word)
{
	return word & SHUNT_FLOW_CONFIRMED && !(word & SHUNT_FLOW_ENDED);
}

static uint16_t age_of(uint64_t word, uint16_t now)
{
	int16_t age = (int16_t)(uint16_t)(now - (uint16_t)word);

	return age < 0 ? 0 : (uint16_t)age;
}

void dp_flows_each(struct dp *dp, uint32_t part, uint32_t parts,
		   void (*fn)(void *arg, uint32_t row, uint16_t age), void *arg)
{
	const struct shunt_flow_bucket *flows;
	const struct shunt_flow_rows *rows;
	const uint16_t now = dp_tick(dp);
	uint64_t n, b, word;
	size_t i;

	if (!map_flows(dp))
		return;
	flows = dp->set.map[DP_FLOWS].mem;
	rows = dp->set.map[DP_FLOW_ROWS].mem;
	n = dp->set.map[DP_FLOWS].entries;
	for (b = n * part / parts; b < n * (part + 1) / parts; b++)
		for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
			word = __atomic_load_n(&flows[b].word[i], __ATOMIC_RELAXED);
			if (is_live(word))
				fn(arg, rows[b].row[i], age_of(word, now));
		}
}

static struct shunt_load *load_at(const struct dp *dp, uint32_t row)
{
	return (struct shunt_load *)dp->set.map[DP_LOADS].mem + row;
}

uint64_t dp_load_read(const struct dp *dp, uint32_t row)
{
	return __atomic_load_n(&load_at(dp, row)->load, __ATOMIC_RELAXED);
}

void dp_load_write(struct dp *dp, uint32_t row, uint64_t more, uint64_t step)
{
	__atomic_store_n(&load_at(dp, row)->step, step, __ATOMIC_RELAXED);
	__atomic_fetch_add(&load_at(dp, row)->load, more, __ATOMIC_RELAXED);
}
