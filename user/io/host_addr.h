/* SPDX-License-Identifier: BSD-2-Clause */
/* Which addresses this host has, in the daemon's network namespace. */
#ifndef SHUNT_HOST_ADDR_H
#define SHUNT_HOST_ADDR_H

#include <stdbool.h>

struct addr;

/* Whether @a stands on one of its interfaces.  When the kernel does not say, it does. */
bool host_has_addr(const struct addr *a);

#endif
