/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that another one includes by a pattern, as keepalived does. */
#ifndef SHUNT_CONF_INCLUDE_H
#define SHUNT_CONF_INCLUDE_H

#include "pure/convert.h"

/* A convert_include_fn: wildcards and braces of glob(7), relative to the directory of @from; directories are
 * passed over. */
size_t conf_include(const char *from, const char *pattern, convert_file_fn *each, void *arg);

#endif
