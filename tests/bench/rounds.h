/* SPDX-License-Identifier: BSD-2-Clause */
/* What every measurement here does alike: one CPU, rounds in which everything takes its turn in an
 * order of its own, the least and the median of them. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stddef.h>

#define BENCH_ROUNDS_MAX 1000

/* The environment variable @name, or @otherwise where it is not set or empty. */
const char *setting(const char *name, const char *otherwise);

/* ROUNDS of the environment; @otherwise if it is none from 1 to BENCH_ROUNDS_MAX. */
int rounds_wanted(int otherwise);

/* Stays on the CPU that the environment names, or the last. Returns 0, or -errno with words on
 * standard error. */
int pin_to_cpu(void);

/* Fills @order with 0 to @n - 1 in any order. */
void shuffle(size_t order[], size_t n);

/* From the least; the median is [n / 2] then. */
void sort_ns(double ns[], size_t n);

#endif
