/* SPDX-License-Identifier: BSD-2-Clause */
/* From one set's maps to those of a larger one, without losing a flow or a count. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "io/dp_impl.h"
#include "shunt_abi.h"

static bool same_map(const struct dp_set *a, const struct dp_set *b, enum dp_map_id i)
{
	return a->map[i].id == b->map[i].id;
}

/* ---- services ---------------------------------------------------------------------------------
 * Only the index in force is copied; halves begin elsewhere in a larger map. Prefixes may point at
 * any entry of the half. */

struct stretch {
	enum dp_map_id map;
	size_t size; /* of an element */
	uint32_t from, to, n;
};

static void copy_stretch(struct dp_set *from, struct dp_set *to, const struct stretch *s)
{
	const char *source = from->map[s->map].mem;
	char *target = to->map[s->map].mem;

	if ((uint64_t)s->from + s->n <= from->map[s->map].entries &&
	    (uint64_t)s->to + s->n <= to->map[s->map].entries)
		memcpy(target + s->to * s->size, source + s->from * s->size, s->n * s->size);
}

static void copy_index(struct dp_set *from, struct dp_set *to, const struct shunt_index *old,
		       struct shunt_index *new, bool v6)
{
	struct stretch seeds = {.map = DP_SEEDS,
				.size = sizeof(uint64_t),
				.from = old->seeds_at,
				.to = v6 ? dp_half_seeds(to) : 0};
	struct stretch entries = {.map = v6 ? DP_SERVICES6 : DP_SERVICES4,
				  .size = v6 ? sizeof(struct shunt_service6)
					     : sizeof(struct shunt_service4),
				  .from = old->entries_at,
				  .n = dp_half_entries(from)};

	if (!old->flags)
		return;
	if (old->flags & ~SHUNT_INDEX_PREFIXES) {
		if (old->bucket_shift < 32 || old->bucket_shift > 63)
			return;
		seeds.n = 1u << (64 - old->bucket_shift);
	}
	copy_stretch(from, to, &seeds);
	copy_stretch(from, to, &entries);
	*new = *old;
	new->seeds_at = seeds.to;
	new->entries_at = entries.to;
}

static int copy_services(struct dp_set *from, struct dp_set *to)
{
	const struct shunt_ctl *old;
	struct shunt_ctl *new = to->map[DP_CTL].mem;
	uint32_t active;

	if (same_map(from, to, DP_CTL))
		return 0;
	if (dp_map_mem(from, DP_CTL) || dp_map_mem(from, DP_SEEDS) || dp_map_mem(from, DP_SPANS) ||
	    dp_map_mem(from, DP_SERVICES4) || dp_map_mem(from, DP_SERVICES6))
		return -ENOMEM;
	old = from->map[DP_CTL].mem;
	active = old->active & 1;
	copy_index(from, to, &old->v4[active], &new->v4[0], false);
	copy_index(from, to, &old->v6[active], &new->v6[0], true);
	return dp_prefixes_copy(from, active, to);
}

/* ---- rows and slots ---------------------------------------------------------------------------*/

void dp_counter_sum(const struct dp *dp, const struct dp_set *set, uint32_t row,
		    struct dp_counter *c)
{
	const struct shunt_counter *record = set->map[DP_COUNTERS].mem;
	uint32_t cpu;

	*c = (struct dp_counter){0};
	for (cpu = 0; cpu < dp->cpus; cpu++) {
		const struct shunt_counter *r = &record[(size_t)cpu * set->sizes.rows + row];

		c->packets += __atomic_load_n(&r->packets, __ATOMIC_RELAXED);
		c->bytes += __atomic_load_n(&r->bytes, __ATOMIC_RELAXED);
		c->flows += __atomic_load_n(&r->flows, __ATOMIC_RELAXED);
	}
}

static void copy_cursors(const struct dp *dp, const struct dp_set *from, struct dp_set *to)
{
	const struct shunt_counter *old = from->map[DP_COUNTERS].mem;
	struct shunt_counter *new = to->map[DP_COUNTERS].mem;
	uint32_t cpu, row;

	for (cpu = 0; cpu < dp->cpus; cpu++)
		for (row = 0; row < from->sizes.rows; row++)
			new[(size_t)cpu * to->sizes.rows + row].cursor =
				old[(size_t)cpu * from->sizes.rows + row].cursor;
}

/* What was counted so far is taken off the bases at once, so that a daemon killed before the last
 * correction (dp_settle_counters) loses only what was counted in between. */
static int copy_rows(struct dp *dp, struct dp_set *from, struct dp_set *to)
{
	struct shunt_owner *owners = to->map[DP_OWNERS].mem;
	uint32_t row;

	if (same_map(from, to, DP_BACKENDS))
		return 0;
	if (dp_map_mem(from, DP_BACKENDS) || dp_map_mem(from, DP_OWNERS) ||
	    dp_map_mem(from, DP_COUNTERS))
		return -ENOMEM;
	free(dp->old_counts);
	dp->old_counts = calloc(from->sizes.rows, sizeof(*dp->old_counts));
	if (!dp->old_counts)
		return -ENOMEM;
	memcpy(to->map[DP_BACKENDS].mem, from->map[DP_BACKENDS].mem,
	       (size_t)from->sizes.rows * sizeof(struct shunt_backend));
	memcpy(owners, from->map[DP_OWNERS].mem, (size_t)from->sizes.rows * sizeof(*owners));
	copy_cursors(dp, from, to);
	for (row = 0; row < from->sizes.rows; row++) {
		struct dp_counter *c = &dp->old_counts[row];

		dp_counter_sum(dp, from, row, c);
		owners[row].base_packets -= c->packets;
		owners[row].base_bytes -= c->bytes;
		owners[row].base_flows -= c->flows;
	}
	return 0;
}

void dp_settle_counters(struct dp *dp)
{
	struct shunt_owner *owners = dp_owners(dp);
	struct dp_counter now;
	uint32_t row;

	if (!dp->old_counts)
		return;
	for (row = 0; row < dp->old.sizes.rows; row++) {
		dp_counter_sum(dp, &dp->old, row, &now);
		owners[row].base_packets -= now.packets - dp->old_counts[row].packets;
		owners[row].base_bytes -= now.bytes - dp->old_counts[row].bytes;
		owners[row].base_flows -= now.flows - dp->old_counts[row].flows;
	}
	free(dp->old_counts);
	dp->old_counts = NULL;
}

static int copy_slots(struct dp_set *from, struct dp_set *to)
{
	if (same_map(from, to, DP_SLOTS))
		return 0;
	if (dp_map_mem(from, DP_SLOTS) || dp_map_mem(from, DP_BASES))
		return -ENOMEM;
	memcpy(to->map[DP_SLOTS].mem, from->map[DP_SLOTS].mem,
	       (size_t)from->map[DP_SLOTS].entries * sizeof(struct shunt_slot_line));
	memcpy(to->map[DP_BASES].mem, from->map[DP_BASES].mem,
	       (size_t)from->map[DP_BASES].entries * sizeof(struct shunt_base_line));
	return 0;
}

/* NAT's connections are copied later; without its timeouts every one of them would be void. */
static int copy_nat_ctl(struct dp_set *from, struct dp_set *to)
{
	if (from->map[DP_NAT_CTL].fd < 0 || same_map(from, to, DP_NAT_CTL))
		return 0;
	if (dp_map_mem(from, DP_NAT_CTL))
		return -ENOMEM;
	memcpy(to->map[DP_NAT_CTL].mem, from->map[DP_NAT_CTL].mem, sizeof(struct shunt_nat_ctl));
	return 0;
}

int dp_copy_tables(struct dp *dp, struct dp_set *from, struct dp_set *to)
{
	int rc;

	if (!dp_set_is_whole(from))
		return 0;
	rc = copy_services(from, to);
	if (rc == 0)
		rc = copy_slots(from, to);
	if (rc == 0)
		rc = copy_rows(dp, from, to);
	if (rc == 0)
		rc = copy_nat_ctl(from, to);
	if (rc == 0)
		rc = dp_copy_policies(from, to);
	if (rc == 0)
		rc = dp_copy_quic(from, to);
	return rc;
}

/* ---- flows ------------------------------------------------------------------------------------
 * A bucket is chosen by the low bits of words that do not depend on the table's size, so what stood
 * in bucket b of 2^k may be looked for in every b + i * 2^k of the larger table. It is put into all
 * of them; those where nobody looks grow old there. */

/* The packet path may write to @to meanwhile: a word is only put where there is none. */
static void add_flow(struct shunt_flow_bucket *to, uint64_t word)
{
	uint64_t none = 0, there;
	size_t i;

	for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
		there = __atomic_load_n(&to->word[i], __ATOMIC_RELAXED);
		if (there >> SHUNT_FLOW_TAG_SHIFT == word >> SHUNT_FLOW_TAG_SHIFT && there)
			return;
	}
	for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++, none = 0)
		if (__atomic_compare_exchange_n((uint64_t *)&to->word[i], &none, word, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
}

static void add_flows(const struct dp_set *set, const struct shunt_flow_bucket *from,
		      struct shunt_flow_bucket *to, uint32_t n_to)
{
	uint32_t n_from = set->map[DP_FLOWS].entries;
	uint32_t b, i;
	uint64_t word;

	for (b = 0; b < n_to; b++)
		for (i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
			word = __atomic_load_n(&from[b % n_from].word[i], __ATOMIC_RELAXED);
			if (word)
				add_flow(&to[b], set->flow_word ? set->flow_word(word) : word);
		}
}

static void *map_flows(const struct dp_set *set, size_t *len)
{
	*len = (size_t)set->map[DP_FLOWS].entries * sizeof(struct shunt_flow_bucket);
	return mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_SHARED, set->map[DP_FLOWS].fd, 0);
}

int dp_copy_flows(const struct dp_set *from, const struct dp_set *to)
{
	size_t from_len, to_len;
	void *source, *target;
	int rc = 0;

	if (from->map[DP_FLOWS].fd < 0 || same_map(from, to, DP_FLOWS))
		return 0;
	source = map_flows(from, &from_len);
	if (source == MAP_FAILED)
		return -errno;
	target = map_flows(to, &to_len);
	if (target == MAP_FAILED)
		rc = -errno;
	else
		add_flows(from, source, target, to->map[DP_FLOWS].entries);
	if (target != MAP_FAILED)
		munmap(target, to_len);
	munmap(source, from_len);
	return rc;
}
