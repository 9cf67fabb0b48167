/* SPDX-License-Identifier: BSD-2-Clause */
/* What passing packets have told of backends. */
#include "io/dp_impl.h"

void dp_passive_read(const struct dp *dp, uint32_t row, struct passive_totals *out)
{
	const struct shunt_counter *records = dp->set.map[DP_COUNTERS].mem;
	const struct shunt_signs *signs = dp->set.map[DP_SIGNS].mem;

	*out = (struct passive_totals){
		.refused = __atomic_load_n(&signs[row].refused, __ATOMIC_RELAXED),
		.unreachable = __atomic_load_n(&signs[row].unreachable, __ATOMIC_RELAXED),
	};
	for (uint32_t cpu = 0; cpu < dp->cpus; cpu++) {
		const struct shunt_counter *r = &records[(size_t)cpu * dp->set.sizes.rows + row];

		/* Repeats first: of a SYN in between it is not to seem that only they have come. */
		out->repeats += __atomic_load_n(&r->repeats, __ATOMIC_ACQUIRE);
		out->syns += __atomic_load_n(&r->flows, __ATOMIC_RELAXED);
	}
}
