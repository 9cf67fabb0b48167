/* SPDX-License-Identifier: BSD-2-Clause */
/* Where shunt-decap is, which is a program of its own so that shunt links without libbpf. */
#ifndef SHUNT_DECAP_PATH_H
#define SHUNT_DECAP_PATH_H

#include <limits.h>
#include <stdbool.h>

#define DECAP_PATH_MAX (2 * PATH_MAX)

/* Beside our own executable, or else where it was to be installed; false: at neither place, and @out is
 * the first of them. */
bool decap_path(char out[static DECAP_PATH_MAX]);

#endif
