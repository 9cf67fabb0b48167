/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in the decap program's maps, by the maps' descriptors. */
#ifndef SHUNT_DP_DECAP_MAP_H
#define SHUNT_DP_DECAP_MAP_H

#include "io/dp_decap.h"

/* Fills @addrs, sorted. Returns how many. */
size_t dp_decap_read_addrs(int map_fd, struct addr addrs[static DP_DECAP_ADDRS_MAX]);

/* -E2BIG when they do not all fit; those before are in then. */
int dp_decap_add_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result));
/* All or, where one is not there, none: -ENOENT. */
int dp_decap_del_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err);
/* Makes exactly these the addresses. */
int dp_decap_set_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Makes exactly these the prefixes of @only_fd, and @flags_fd say whether there are any; in an order that
 * never takes from somebody who is in neither the former nor these. */
int dp_decap_set_only(int only_fd, int flags_fd, const struct dp_decap_prefix *only, size_t n,
		      struct dp_error *err) __attribute__((warn_unused_result));
/* Fills @d's only, n_only and is_limited. */
void dp_decap_read_only(int only_fd, int flags_fd, struct dp_decap *d);

/* Fills @d's sources, sorted. 0 or -errno. */
int dp_decap_read_sources(int map_fd, struct dp_decap *d) __attribute__((warn_unused_result));

/* Sums over the CPUs. 0 or -errno. */
int dp_decap_read_counters(int map_fd, uint64_t packets[static SHUNT_DECAP_COUNT_MAX])
	__attribute__((warn_unused_result));

#endif
