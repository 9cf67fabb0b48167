/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies, and the words of their lists: plain memory shared with the packet path. What is written is
 * what no service in force names, so no packet sees it half done. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "io/dp_impl.h"
#include "pure/source_list.h"
#include "shunt_abi.h"

#define POLICIES_STEP 64
#define WORDS_STEP 512

static uint32_t round_up(uint32_t n, uint32_t step)
{
	return (n + step - 1) / step * step;
}

void dp_policy_entries(const struct dp_sizes *want, uint32_t entries[static DP_MAP_MAX])
{
	uint32_t lines = 1;

	while (want->rate_sources && (uint64_t)lines * SHUNT_RATE_WAYS < want->rate_sources * 2)
		lines *= 2;
	entries[DP_POLICIES] = want->policies ? round_up(want->policies, POLICIES_STEP) : 1;
	entries[DP_SOURCES] = want->source_words
				      ? round_up(want->source_words, WORDS_STEP) / SHUNT_SOURCE_LINE
				      : 1;
	entries[DP_RATES] = lines;
}

int dp_policy_measure(struct dp_set *set)
{
	const struct dp_map *m = set->map;
	uint32_t lines = m[DP_RATES].fd >= 0 ? m[DP_RATES].entries : 1;

	if (!lines || lines & (lines - 1))
		return -EINVAL;
	/* of one element where there are none */
	set->sizes.policies = m[DP_POLICIES].entries > 1 ? m[DP_POLICIES].entries : 0;
	set->sizes.source_words =
		m[DP_SOURCES].entries > 1 ? m[DP_SOURCES].entries * SHUNT_SOURCE_LINE : 0;
	set->sizes.rate_sources = lines > 1 ? (uint64_t)lines * SHUNT_RATE_WAYS / 2 : 0;
	return 0;
}

int dp_copy_policies(struct dp_set *from, struct dp_set *to)
{
	if (from->map[DP_POLICIES].fd < 0 || from->map[DP_SOURCES].fd < 0 ||
	    from->map[DP_POLICIES].id == to->map[DP_POLICIES].id)
		return 0;
	if (dp_map_mem(from, DP_POLICIES) || dp_map_mem(from, DP_SOURCES))
		return -ENOMEM;
	memcpy(to->map[DP_POLICIES].mem, from->map[DP_POLICIES].mem,
	       (size_t)from->map[DP_POLICIES].entries * sizeof(struct shunt_policy));
	memcpy(to->map[DP_SOURCES].mem, from->map[DP_SOURCES].mem,
	       (size_t)from->map[DP_SOURCES].entries * sizeof(struct shunt_source_line));
	return 0;
}

static void refresh_rates(const struct dp *dp, const struct dp_map *rates)
{
	source_rates_refresh(rates->mem, rates->entries, dp_tick(dp));
}

int dp_set_refresh_rates(const struct dp *dp, struct dp_set *set)
{
	int rc = dp_map_mem(set, DP_RATES);

	if (rc == 0)
		refresh_rates(dp, &set->map[DP_RATES]);
	return rc;
}

void dp_rates_refresh(struct dp *dp)
{
	refresh_rates(dp, &dp->set.map[DP_RATES]);
}

static struct shunt_policy *policy_at(const struct dp *dp, uint32_t number)
{
	assert(number < dp->set.sizes.policies);
	return (struct shunt_policy *)dp->set.map[DP_POLICIES].mem + number;
}

void dp_policy_write(struct dp *dp, uint32_t number, const struct shunt_policy *p)
{
	*policy_at(dp, number) = *p;
}

void dp_policy_read(const struct dp *dp, uint32_t number, struct shunt_policy *p)
{
	*p = *policy_at(dp, number);
}

void dp_sources_write(struct dp *dp, uint32_t at, const uint64_t *words, size_t n)
{
	uint64_t *there = dp->set.map[DP_SOURCES].mem;

	assert(at + n <= dp->set.sizes.source_words);
	memcpy(there + at, words, n * sizeof(*words));
}
