/* SPDX-License-Identifier: BSD-2-Clause */
/* The words that answer most sources before a list is asked (struct shunt_source_quick). */
#ifndef SHUNT_SOURCE_QUICK_H
#define SHUNT_SOURCE_QUICK_H

#include "pure/source_list.h"

struct source_quick {
	struct shunt_source_quick head; /* its `at` is 0 */
	uint64_t *words; /* head.n of them; NULL when there are none */
};

/* Of the @n rules of @family, sorted by address and then length, each prefix once; elsewhere the answer is
 * @otherwise. Returns 0 with @out's words the caller's to free, or -ENOMEM. */
int source_quick_build(const struct source_rule *rules, size_t n, uint8_t family,
		       uint32_t otherwise, struct source_quick *out)
	__attribute__((warn_unused_result));

/* SHUNT_QUICK_* for @addr, of the family that @words were built for. */
uint32_t source_quick_find(const struct shunt_source_quick *head, const uint64_t *words,
			   const struct addr *addr); /* for tests */

#endif
