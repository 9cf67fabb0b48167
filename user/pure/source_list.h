/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of sources, allowed and denied, as the words that the packet path looks them up in
 * (shunt_abi_source.h). */
#ifndef SHUNT_SOURCE_LIST_H
#define SHUNT_SOURCE_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "shunt_abi_source.h"

struct source_prefix {
	struct addr addr; /* bits beyond the length are 0 */
	uint8_t bits;
};

/* A prefix with what becomes of packets from it: SHUNT_SOURCE_*. */
struct source_rule {
	const struct source_prefix *prefix;
	uint32_t answer;
};

struct source_list {
	uint64_t *words;
	size_t n;
	struct shunt_source_set root; /* where a lookup begins */
	uint32_t root_at; /* its buckets' first word */
	struct shunt_source_quick quick; /* its words are the last ones */
};

/* Builds the list of @n rules, which it sorts; those of other families than @family are left out.
 * The longest prefix that an address is in decides, of equal ones the greater answer, so that to be
 * denied outweighs to be allowed; with none the answer is @otherwise. Returns 0 with @out the
 * caller's (source_list_fini), -E2BIG above SOURCE_RULES_MAX, or -ENOMEM. O(n log n). */
#define SOURCE_RULES_MAX (1u << 20)
int source_list_build(struct source_rule *rules, size_t n, uint8_t family, uint32_t otherwise,
		      struct source_list *out) __attribute__((warn_unused_result));

void source_list_fini(struct source_list *list);

/* What the packet path finds for @addr, of the list's family, when it asks the list. */
uint32_t source_list_find(const struct source_list *list, const struct addr *addr); /* for tests */

/* Fills into @policy where the list is once its words stand from @at of `sources` on. */
void source_list_place(const struct source_list *list, uint32_t at,
		       struct shunt_policy *policy); /* for tests */

/* ---- rates --------------------------------------------------------------------------------------*/

#define SOURCE_RATE_MAX 1000000u /* a second */
#define SOURCE_BURST_SECONDS 3600u /* of its rate that a burst may be */

/* @per_second new flows in [1, SOURCE_RATE_MAX] on a kernel of @hz jiffies a second; @burst at once,
 * at most SOURCE_BURST_SECONDS of them. What comes in a jiffy may always come at once. */
struct shunt_rate source_rate_of(uint32_t per_second, uint64_t burst, uint32_t hz);

/* Writes the time of flow tick @now into all buckets of @n lines that have been full for a while, those that
 * have never been used among them. Times wrap (SHUNT_RATE_TIME): half of that later a full one would look as
 * if it were far from full, and would stay where others have to go. The lines are the packet path's, which
 * goes on with them. */
void source_rates_refresh(struct shunt_rate_line *lines, size_t n, uint16_t now);

#endif
