/* SPDX-License-Identifier: BSD-2-Clause */
/* What a kernel that refuses the packet path has not got, in words instead of the verifier's. */
#ifndef SHUNT_DP_KERNEL_H
#define SHUNT_DP_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

/* Tries one feature after the other with small maps and programs, which takes the right to load them.
 * False when there are all, with @out untouched; else @out lists what is missing, each with the
 * release that brought it, and says which kernel this is. */
bool dp_kernel_lacks(char *out, size_t size);

struct dp_error;

/* Says in @err that the packet path could not be loaded, which ended with @rc, and why. Returns @rc. */
int dp_kernel_fail(int rc, struct dp_error *err);

#endif
