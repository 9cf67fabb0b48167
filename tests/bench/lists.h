/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies of the bench's services: lists of 100,000 denied prefixes, with the first client or
 * without any. */
#ifndef BENCH_LISTS_H
#define BENCH_LISTS_H

#include "cases.h"
#include "io/dp.h"

/* Raises @sizes to what lists_write() takes. */
void lists_sizes(struct dp_sizes *sizes);

/* Writes them. Returns 0 or -errno. */
int lists_write(struct dp *dp);

/* The number of the policy that @c wants, 0: none. */
uint16_t lists_policy(const struct bench_case *c);

#endif
