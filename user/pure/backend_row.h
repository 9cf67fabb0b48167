/* SPDX-License-Identifier: BSD-2-Clause */
/* What the packet path reads of a backend, made from what the daemon knows of it. */
#ifndef SHUNT_BACKEND_ROW_H
#define SHUNT_BACKEND_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "shunt_abi.h"

/* Host byte order. */
struct backend_row_spec {
	struct addr addr; /* the backend's */
	struct addr source; /* of the tunnel header, or by nat; none where there is neither */
	uint8_t source_bits; /* how many of its last bits may vary by flow, 0 or 4 to 32; its last two
				* bits never do, and gue, which has ports for it, leaves all of them */
	uint8_t dmac[6], smac[6];
	uint32_t ifindex;
	uint16_t vlan_tci[2];
	uint8_t tags;
	uint32_t mtu; /* largest IP packet; more than 65535 counts as 65535 */
	enum shunt_forward method;
	uint16_t port; /* nat, masq: the destination port; 0: stays */
	uint32_t nat_pool; /* nat: the pool's number; 0: source alone */
	uint8_t vip_family; /* 4 or 6: what the tunnel carries */
	bool udp_csum; /* gue over IPv6: a UDP checksum, not 0 */
	bool usable, no_new;
	bool passive; /* what its packets tell of it is counted */
};

bool backend_row_is_tunnel(enum shunt_forward method);

/* Fills all of @out, the precomputed checksum included. */
void backend_row_build(const struct backend_row_spec *spec, struct shunt_backend *out);

/* The reverse, for adoption; `vip_family` is not in a row and comes out as 0. */
void backend_row_read(const struct shunt_backend *row, struct backend_row_spec *out);

#endif
