/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SHUNT_CONVERT_FIT_H
#define SHUNT_CONVERT_FIT_H

#include "pure/convert.h"

/* Brings what was read within shunt's bounds. Services that it cannot have lose their backends. */
void convert_fit(struct convert *c);

#endif
