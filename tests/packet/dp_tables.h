/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of dp's tables, without pins and interfaces. */
#ifndef DP_TABLES_H
#define DP_TABLES_H

#include "dp_fixture.h"

#include <stdlib.h>

#define N 600

static inline struct dp *open_dp(uint32_t services, uint32_t rows, uint32_t lines)
{
	struct dp_options opt = {
		.sizes = {.services = services, .rows = rows, .slot_lines = lines, .flows = 1000},
		.hash_key = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19},
	};
	struct dp_error err = {""};
	struct dp *dp = NULL;

	if (dp_open(&opt, &dp, &err))
		fail_msg("%s", err.text);
	return dp;
}

static inline struct dp_service *many(uint32_t n)
{
	struct dp_service *s = calloc(n, sizeof(*s));
	uint32_t i;

	assert_non_null(s);
	for (i = 0; i < n; i++)
		s[i] = test_service(i);
	return s;
}

static inline void switch_to(struct dp *dp, const struct dp_service *s, size_t n)
{
	struct dp_error err = {""};

	if (dp_services_switch(dp, s, n, &err))
		fail_msg("%s", err.text);
}

static inline void fill(struct dp *dp, uint32_t n)
{
	struct shunt_backend b = local_backend();
	uint32_t i;

	for (i = 0; i < n; i++)
		fill_rows(dp, i, &b);
}

static inline struct shunt_backend dsr_backend(uint8_t mark)
{
	struct shunt_backend b = {
		.ifindex = 1, .mtu = 1500, .method = SHUNT_DSR, .flags = SHUNT_BE_USABLE};

	memset(b.dmac, mark, sizeof(b.dmac));
	b.dmac[0] = 2;
	memcpy(b.smac, "\2smac!", sizeof(b.smac));
	return b;
}

#endif
