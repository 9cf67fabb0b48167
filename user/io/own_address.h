/* SPDX-License-Identifier: BSD-2-Clause */
/* What addresses this host has, asked of the kernel's sockets: no privilege, no netlink. */
#ifndef SHUNT_OWN_ADDRESS_H
#define SHUNT_OWN_ADDRESS_H

#include <stdbool.h>

#include "base/addr.h"

/* The address from which this host would send to @to, by its route. Nothing is sent. Returns 0, or -errno
 * with @out untouched: there is no route. */
int own_address_towards(const struct addr *to, struct addr *out);

/* Whether packets to @a are delivered here: an address of an interface, or of a local route. */
bool own_address_is(const struct addr *a);

/* Whether somebody here has the port (host order) of @a; @protocol: IPPROTO_TCP or IPPROTO_UDP. Returns 1,
 * 0, or -errno: that cannot be told (-EACCES: a port that is for root). */
int own_address_is_served(const struct addr *a, int protocol, uint16_t port);

#endif
