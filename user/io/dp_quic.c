/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC's records and servers' ids: plain memory shared with the packet path, as policies are. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "io/dp_impl.h"
#include "shunt_abi.h"

void dp_quic_entries(const struct dp_sizes *want, uint32_t entries[static DP_MAP_MAX])
{
	entries[DP_QUIC_RECORDS] = want->quic_records > 1 ? want->quic_records : 1;
	entries[DP_QUIC_SERVERS] = want->quic_places > 1 ? want->quic_places : 1;
}

void dp_quic_measure(struct dp_set *set)
{
	const struct dp_map *m = set->map;

	/* of one element where there are none */
	set->sizes.quic_records = m[DP_QUIC_RECORDS].fd >= 0 && m[DP_QUIC_RECORDS].entries > 1
					  ? m[DP_QUIC_RECORDS].entries
					  : 0;
	set->sizes.quic_places = m[DP_QUIC_SERVERS].fd >= 0 && m[DP_QUIC_SERVERS].entries > 1
					 ? m[DP_QUIC_SERVERS].entries
					 : 0;
}

int dp_copy_quic(struct dp_set *from, struct dp_set *to)
{
	if (from->map[DP_QUIC_RECORDS].fd < 0 || from->map[DP_QUIC_SERVERS].fd < 0 ||
	    from->map[DP_QUIC_RECORDS].id == to->map[DP_QUIC_RECORDS].id)
		return 0;
	if (dp_map_mem(from, DP_QUIC_RECORDS) || dp_map_mem(from, DP_QUIC_SERVERS))
		return -ENOMEM;
	memcpy(to->map[DP_QUIC_RECORDS].mem, from->map[DP_QUIC_RECORDS].mem,
	       (size_t)from->map[DP_QUIC_RECORDS].entries * sizeof(struct shunt_quic));
	memcpy(to->map[DP_QUIC_SERVERS].mem, from->map[DP_QUIC_SERVERS].mem,
	       (size_t)from->map[DP_QUIC_SERVERS].entries * sizeof(struct shunt_quic_server));
	return 0;
}

static struct shunt_quic *record_at(const struct dp *dp, uint32_t number)
{
	assert(number < dp->set.sizes.quic_records);
	return (struct shunt_quic *)dp->set.map[DP_QUIC_RECORDS].mem + number;
}

void dp_quic_write(struct dp *dp, uint32_t number, const struct shunt_quic *record)
{
	*record_at(dp, number) = *record;
}

void dp_quic_read(const struct dp *dp, uint32_t number, struct shunt_quic *record)
{
	*record = *record_at(dp, number);
}

void dp_quic_servers_write(struct dp *dp, uint32_t at, const struct shunt_quic_server *servers,
			   size_t n)
{
	struct shunt_quic_server *there = dp->set.map[DP_QUIC_SERVERS].mem;

	assert(at + n <= dp->set.sizes.quic_places);
	memcpy(there + at, servers, n * sizeof(*servers));
}

static uint32_t *number_at(const struct dp *dp, uint32_t row)
{
	struct shunt_backend *rows = dp->set.map[DP_BACKENDS].mem;

	assert(row < dp->set.sizes.rows);
	return (uint32_t *)&rows[row].addr[0];
}

void dp_quic_choose(struct dp *dp, uint32_t row, uint32_t number)
{
	__atomic_store_n(number_at(dp, row), number, __ATOMIC_RELEASE);
}

uint32_t dp_quic_chosen(const struct dp *dp, uint32_t row)
{
	return __atomic_load_n(number_at(dp, row), __ATOMIC_RELAXED);
}
