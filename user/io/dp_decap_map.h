/* SPDX-License-Identifier: BSD-2-Clause */
/* The decap program's two maps: its addresses and its counters, by the maps' descriptors. */
#ifndef SHUNT_DP_DECAP_MAP_H
#define SHUNT_DP_DECAP_MAP_H

#include "io/dp_decap.h"

/* Fills @addrs, sorted. Returns how many. */
size_t dp_decap_read_addrs(int map_fd, struct addr addrs[static DP_DECAP_ADDRS_MAX]);

/* -E2BIG when they do not all fit; those before are in then. */
int dp_decap_add_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result));
void dp_decap_del_addrs(int map_fd, const struct addr *addrs, size_t n);
/* Makes exactly these the addresses. */
int dp_decap_set_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Sums over the CPUs. 0 or -errno. */
int dp_decap_read_counters(int map_fd, uint64_t packets[static SHUNT_DECAP_COUNT_MAX])
	__attribute__((warn_unused_result));

#endif
