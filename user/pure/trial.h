/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a packet path that has just taken over does worse than the former one. */
#ifndef SHUNT_TRIAL_H
#define SHUNT_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt_abi.h"

struct trial_count {
	uint64_t packets; /* all */
	uint64_t
		errors; /* of them, with a verdict that speaks of shunt itself, not of the packet */
};

/* Whether @v is counted as an error: nothing that a sender could bring about by what he sends. */
bool trial_is_error(enum shunt_verdict v);

/* Whether so many errors are no accident: at least 16, and a share of more than twice the former one
 * and a thousandth. */
bool trial_failed(const struct trial_count *before, const struct trial_count *since);

#endif
