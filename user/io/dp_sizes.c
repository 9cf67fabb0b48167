/* SPDX-License-Identifier: BSD-2-Clause */
/* From capacities to how many elements each map has, and back. */
#include <errno.h>

#include "io/dp_impl.h"
#include "pure/phash.h"
#include "shunt_abi.h"

#define ROWS_STEP 64
#define SLOT_LINES_STEP 64
#define SERVICES_MIN 16
#define SPANS_MIN 64
#define PREFIXES_MAX (1u << 20)

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static uint32_t round_up_to(uint32_t n, uint32_t step)
{
	return n < step ? step : (n + step - 1) / step * step;
}

/* The most services for which both halves of seeds and entries suffice. */
static uint32_t services_for(uint32_t seeds, uint32_t entries)
{
	uint32_t low = 0, high = DP_SERVICES_MAX, mid, s, e;

	while (low < high) {
		mid = low + (high - low + 1) / 2;
		phash_capacity(mid, &s, &e);
		if (s <= seeds && e <= entries)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

static uint64_t flows_of(const struct dp_set *set)
{
	return (uint64_t)set->map[DP_FLOWS].entries * SHUNT_FLOWS_PER_BUCKET / 2;
}

static uint64_t frags_of(const struct dp_set *set)
{
	return (uint64_t)set->map[DP_FRAGS].entries * SHUNT_FRAGS_PER_BUCKET;
}

static bool services_fit(const struct dp_map *m)
{
	return m[DP_CTL].entries == 1 && m[DP_SEEDS].entries % 4 == 0 &&
	       m[DP_SPANS].entries % 2 == 0 && is_power_of_two(m[DP_SERVICES4].entries) &&
	       m[DP_SERVICES4].entries == m[DP_SERVICES6].entries;
}

static bool rows_fit(const struct dp_map *m, uint32_t cpus)
{
	uint32_t rows = m[DP_BACKENDS].entries;

	return rows && m[DP_OWNERS].entries == rows && m[DP_BASES].entries == m[DP_SLOTS].entries &&
	       m[DP_COUNTERS].entries == (uint64_t)cpus * rows;
}

/* A map that need not be there: if it is, it has @entries, or a power of two of them if that is 0. */
static bool one_fits(const struct dp_map *m, uint32_t entries)
{
	if (m->fd < 0)
		return true;
	return entries ? m->entries == entries : is_power_of_two(m->entries);
}

/* One for each CPU, or one that is not used. */
static uint32_t entries_if(bool used, uint32_t cpus)
{
	return !used ? 1 : cpus > 1 ? cpus : 2;
}

static bool are_such(const struct dp_map *m, uint32_t cpus)
{
	return m->fd < 0 || m->entries == 1 || m->entries == entries_if(true, cpus);
}

static bool is_used(const struct dp_map *m)
{
	return m->fd >= 0 && m->entries > 1;
}

int dp_set_measure(const struct dp *dp, struct dp_set *set)
{
	const struct dp_map *m = set->map;

	if (!services_fit(m) || !rows_fit(m, dp->cpus))
		return -EINVAL;
	if (!one_fits(&m[DP_VERDICTS], dp->cpus) || !one_fits(&m[DP_ANSWERS], dp->cpus) ||
	    !one_fits(&m[DP_FLOWS], 0) || !one_fits(&m[DP_FRAGS], 0) ||
	    !one_fits(&m[DP_LOADS], m[DP_BACKENDS].entries) || !one_fits(&m[DP_FLOW_ROWS], 0) ||
	    !one_fits(&m[DP_SIGNS], m[DP_BACKENDS].entries) || !are_such(&m[DP_NEWS], dp->cpus) ||
	    !are_such(&m[DP_SYNS], dp->cpus))
		return -EINVAL;
	if (dp_nat_measure(set))
		return -EINVAL;
	set->sizes.services = services_for(dp_half_seeds(set), dp_half_entries(set));
	set->sizes.spans = dp_half_spans(set);
	set->sizes.rows = m[DP_BACKENDS].entries;
	set->sizes.slot_lines = m[DP_SLOTS].entries;
	set->sizes.flows = m[DP_FLOWS].fd >= 0 ? flows_of(set) : 0;
	set->sizes.flow_rows = m[DP_FLOW_ROWS].fd >= 0 && m[DP_FLOW_ROWS].entries > 1;
	set->sizes.news = is_used(&m[DP_NEWS]);
	set->sizes.passive = is_used(&m[DP_SYNS]);
	set->sizes.frags = m[DP_FRAGS].fd >= 0 ? frags_of(set) : 0;
	dp_quic_measure(set);
	return dp_policy_measure(set);
}

bool dp_set_has(const struct dp_set *set, const struct dp_sizes *want)
{
	return set->sizes.services >= want->services && set->sizes.spans >= want->spans &&
	       set->sizes.rows >= want->rows && set->sizes.slot_lines >= want->slot_lines &&
	       set->sizes.flows >= want->flows && set->sizes.flow_rows >= want->flow_rows &&
	       set->sizes.news >= want->news && set->sizes.passive >= want->passive &&
	       set->sizes.frags >= want->frags && set->sizes.nat >= want->nat &&
	       set->sizes.nat6 >= want->nat6 && set->sizes.policies >= want->policies &&
	       set->sizes.source_words >= want->source_words &&
	       set->sizes.rate_sources >= want->rate_sources &&
	       set->sizes.quic_records >= want->quic_records &&
	       set->sizes.quic_places >= want->quic_places;
}

/* A power of two, for twice as many words as there are @flows, eight a bucket. */
static uint32_t flow_buckets(uint64_t flows)
{
	uint32_t buckets = 1;

	while ((uint64_t)buckets * SHUNT_FLOWS_PER_BUCKET < flows * 2)
		buckets *= 2;
	return buckets;
}
_Static_assert(SHUNT_NAT_WAYS == SHUNT_FLOWS_PER_BUCKET, "flow_buckets() is for all");
_Static_assert(SHUNT_FRAGS_PER_BUCKET == SHUNT_FLOWS_PER_BUCKET, "flow_buckets() is for all");

static void nat_entries(const struct dp_sizes *want, uint32_t entries[static DP_MAP_MAX])
{
	uint32_t buckets = want->nat ? flow_buckets(want->nat) : 1;

	if (want->nat && buckets < 2)
		buckets = 2;
	entries[DP_NAT_REQUESTS] = buckets;
	entries[DP_NAT_REPLIES] = buckets;
	entries[DP_NAT_CONNS] = buckets * SHUNT_NAT_WAYS;
	entries[DP_NAT_ADDRS] = want->nat && want->nat6 ? entries[DP_NAT_CONNS] : 1;
	entries[DP_NAT_BACKS] = want->nat ? buckets * SHUNT_NAT_BACKS : 1;
	entries[DP_NAT_BACKS6] = want->nat && want->nat6 ? buckets * SHUNT_NAT_BACKS6 : 1;
	entries[DP_NAT_CTL] = 1;
}

void dp_entries_for(const struct dp *dp, const struct dp_sizes *want,
		    uint32_t entries[static DP_MAP_MAX])
{
	uint32_t n = want->services < SERVICES_MIN ? SERVICES_MIN : want->services;
	uint32_t rows = round_up_to(want->rows, ROWS_STEP);
	uint32_t seeds, half;

	phash_capacity(n, &seeds, &half);
	entries[DP_CTL] = 1;
	entries[DP_SEEDS] = 4 * seeds;
	entries[DP_SERVICES4] = entries[DP_SERVICES6] = 2 * half;
	entries[DP_PREFIXES] = PREFIXES_MAX;
	entries[DP_SPANS] = 2 * round_up_to(want->spans, SPANS_MIN);
	entries[DP_SLOTS] = round_up_to(want->slot_lines, SLOT_LINES_STEP);
	entries[DP_BASES] = entries[DP_SLOTS];
	entries[DP_BACKENDS] = entries[DP_OWNERS] = entries[DP_LOADS] = rows;
	entries[DP_SIGNS] = rows;
	entries[DP_COUNTERS] = dp->cpus * rows;
	entries[DP_VERDICTS] = dp->cpus;
	entries[DP_NEWS] = entries_if(want->news, dp->cpus);
	entries[DP_SYNS] = entries_if(want->passive, dp->cpus);
	entries[DP_FLOWS] = flow_buckets(want->flows);
	entries[DP_FLOW_ROWS] = want->flow_rows ? entries[DP_FLOWS] : 1;
	entries[DP_FRAGS] = flow_buckets((want->frags + 1) / 2);
	nat_entries(want, entries);
	dp_policy_entries(want, entries);
	entries[DP_HANDOVER] = entries[DP_ANSWERS] = dp->cpus;
	dp_quic_entries(want, entries);
	entries[DP_TX_PORTS] = entries[DP_STAGES] = 0;
}
