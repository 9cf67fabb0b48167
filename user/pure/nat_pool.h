/* SPDX-License-Identifier: BSD-2-Clause */
/* The pools of addresses that NAT uses, numbered as the packet path knows them: each distinct list of
 * one family once. */
#ifndef SHUNT_NAT_POOL_H
#define SHUNT_NAT_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "pure/conf.h"
#include "shunt_abi.h"

/* All zero is a set without pools. */
struct nat_pools {
	/* [0] is no pool; IPv4 stands in the first half and IPv6 in the second, so that a number
	 * that gets another meaning while rows still name it has the same family. */
	struct shunt_nat_pool pool[SHUNT_NAT_POOLS];
};

/* How many addresses of @family (4 or 6) there are. */
size_t nat_pool_count(const struct conf_nat_pool *pool, uint8_t family);

/* Takes in the lists of both families, if they are new. Returns 0, or -ENOSPC. */
int nat_pools_add(struct nat_pools *pools, const struct conf_nat_pool *pool)
	__attribute__((warn_unused_result));

/* The number of @pool's list of @family; 0 when it has none, or was never added. */
uint32_t nat_pools_find(const struct nat_pools *pools, const struct conf_nat_pool *pool,
			uint8_t family);

#endif
