/* SPDX-License-Identifier: BSD-2-Clause */
/* What both spellings of IPVS share. */
#ifndef SHUNT_CONVERT_IPVS_H
#define SHUNT_CONVERT_IPVS_H

#include "pure/convert.h"

/* The scheduler that is most like IPVS's @name; remarks where that is not the same. */
const char *convert_ipvs_scheduler(struct convert *c, unsigned int line, const char *name);

#endif
