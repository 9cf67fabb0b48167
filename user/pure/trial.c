/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/trial.h"

#define ERRORS_MIN 16
#define SHARE_MORE 0.001

bool trial_is_error(enum shunt_verdict v)
{
	return v == SHUNT_DROP_BAD_TABLE || v == SHUNT_DROP_NO_HEADROOM ||
	       v == SHUNT_DROP_NO_EGRESS;
}

static double share(const struct trial_count *c)
{
	return c->packets ? (double)c->errors / (double)c->packets : 0;
}

bool trial_failed(const struct trial_count *before, const struct trial_count *since)
{
	return since->errors >= ERRORS_MIN && share(since) > 2 * share(before) + SHARE_MORE;
}
