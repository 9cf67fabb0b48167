/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/nat_pool.h"

#include <errno.h>
#include <string.h>

size_t nat_pool_count(const struct conf_nat_pool *pool, uint8_t family)
{
	size_t n = 0, i;

	for (i = 0; i < pool->n; i++)
		n += pool->addrs[i].family == family;
	return n;
}

/* The list as the packet path has it. */
static struct shunt_nat_pool list_of(const struct conf_nat_pool *pool, uint8_t family)
{
	struct shunt_nat_pool out = {0};
	size_t i;

	for (i = 0; i < pool->n; i++)
		if (pool->addrs[i].family == family)
			memcpy(out.addr[out.n++], pool->addrs[i].bytes, sizeof(out.addr[0]));
	return out;
}

/* The number of @list, or of the free place for it; 0 when there is none. */
static uint32_t place_of(const struct nat_pools *pools, const struct shunt_nat_pool *list,
			 uint8_t family)
{
	uint32_t i = family == 4 ? 1 : SHUNT_NAT_POOLS / 2;
	uint32_t end = family == 4 ? SHUNT_NAT_POOLS / 2 : SHUNT_NAT_POOLS;

	for (; i < end; i++)
		if (!pools->pool[i].n || memcmp(&pools->pool[i], list, sizeof(*list)) == 0)
			return i;
	return 0;
}

static int add(struct nat_pools *pools, const struct conf_nat_pool *pool, uint8_t family)
{
	struct shunt_nat_pool list = list_of(pool, family);
	uint32_t place = place_of(pools, &list, family);

	if (!list.n)
		return 0;
	if (!place)
		return -ENOSPC;
	pools->pool[place] = list;
	return 0;
}

int nat_pools_add(struct nat_pools *pools, const struct conf_nat_pool *pool)
{
	int rc = add(pools, pool, 4);

	return rc ? rc : add(pools, pool, 6);
}

uint32_t nat_pools_find(const struct nat_pools *pools, const struct conf_nat_pool *pool,
			uint8_t family)
{
	struct shunt_nat_pool list = list_of(pool, family);

	uint32_t place = place_of(pools, &list, family);

	return list.n && place && pools->pool[place].n ? place : 0;
}
