/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool of a few backends, all of them well, to be made worse. */
#ifndef SHUNT_POOL_WORLD_H
#define SHUNT_POOL_WORLD_H

#include "pure/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define MOST 8
#define SECOND 1000000

static struct pool_backend pool[MOST];
static struct pool_policy policy;
static struct pool_answer answer;
static mono_t now;

static inline int fresh(void **state)
{
	(void)state;
	for (size_t i = 0; i < MOST; i++)
		pool[i] = (struct pool_backend){
			.weight = 1, .up = true, .reachable = true, .warm = true};
	policy = (struct pool_policy){0};
	answer = (struct pool_answer){0};
	now = (mono_t){1000 * (int64_t)SECOND};
	return 0;
}

static inline void decide(size_t n)
{
	pool_decide(pool, n, &policy, now, &answer);
}

/* A character for each: N new flows, P packets only, . nothing. */
static inline void assert_roles(const char *roles)
{
	for (size_t i = 0; roles[i]; i++) {
		char is = pool[i].takes ? 'N' : pool[i].usable ? 'P' : '.';

		if (pool[i].takes)
			assert_true(pool[i].usable);
		if (is != roles[i])
			fail_msg("backend %zu is '%c' of %s", i, is, roles);
	}
}

static inline void decides(const char *roles)
{
	size_t n = 0;

	while (roles[n])
		n++;
	decide(n);
	assert_roles(roles);
}

#endif
