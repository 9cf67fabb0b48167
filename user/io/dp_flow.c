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
	uint16_t age = (uint16_t)(now - (uint16_t)word);

	return age > UINT16_MAX - SHUNT_FLOW_AHEAD ? 0 : age;
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

void dp_flows_move_rows(struct dp *dp, const uint32_t *to, uint32_t n)
{
	struct shunt_flow_rows *rows;
	uint32_t b, row;
	size_t i;

	if (!map_flows(dp))
		return;
	rows = dp->set.map[DP_FLOW_ROWS].mem;
	for (b = 0; b < dp->set.map[DP_FLOW_ROWS].entries; b++)
		for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
			row = __atomic_load_n(&rows[b].row[i], __ATOMIC_RELAXED);
			if (row < n && to[row] != row)
				__atomic_compare_exchange_n(&rows[b].row[i], &row, to[row], false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		}
}

/* More than half of the ticks' range ago; not one that seems to be to come (SHUNT_FLOW_AHEAD). */
static bool is_old(uint64_t word, uint16_t now)
{
	uint16_t age = (uint16_t)(now - (uint16_t)word);

	return word && age > INT16_MAX && age < UINT16_MAX - SHUNT_FLOW_AHEAD;
}

uint32_t dp_flows_forget_old(struct dp *dp)
{
	const uint16_t now = dp_tick(dp);
	struct shunt_flow_bucket *flows;
	uint32_t forgotten = 0, b;
	uint64_t word;
	size_t i;

	if (dp_map_mem(&dp->set, DP_FLOWS))
		return 0;
	flows = dp->set.map[DP_FLOWS].mem;
	for (b = 0; b < dp->set.map[DP_FLOWS].entries; b++)
		for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
			word = __atomic_load_n(&flows[b].word[i], __ATOMIC_RELAXED);
			if (is_old(word, now))
				forgotten += __atomic_compare_exchange_n(
					(uint64_t *)&flows[b].word[i], &word, 0, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED);
		}
	return forgotten;
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
