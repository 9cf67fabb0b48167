/* SPDX-License-Identifier: BSD-2-Clause */
/* The vips of all services, to be asked which of them an address meets. What stands there cannot also
 * be a backend, an address of a pool or a tunnel's source: packets for it are taken for requests. */
#ifndef SHUNT_CONF_VIPS_H
#define SHUNT_CONF_VIPS_H

#include <stddef.h>
#include <stdint.h>

#include "pure/conf.h"

struct conf_vips {
	const struct conf_service **sorted; /* by vip, then by length */
	size_t n;
	uint32_t lengths[2][5]; /* bit n of IPv4's, IPv6's: there is a vip of that length */
};

/* Of the services of @conf, which must stay. Returns 0 or -ENOMEM. */
int conf_vips_init(struct conf_vips *v, const struct conf *conf)
	__attribute__((warn_unused_result));
void conf_vips_fini(struct conf_vips *v);

/* A service whose vip has an address in common with the first @bits of @a, beyond which @a is 0; NULL.
 * O(log n) for each length that there is. */
const struct conf_service *conf_vips_meet(const struct conf_vips *v, const struct addr *a,
					  uint8_t bits);

#endif
