// SPDX-License-Identifier: GPL-2.0-only
/* The packet path as it is while somebody watches packets: the same, and it tells of each (trace.h). */
#define TRACED 1
#include "shunt.bpf.c"
