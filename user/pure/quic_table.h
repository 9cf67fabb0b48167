/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC as the packet path looks it up (shunt_abi_quic.h). */
#ifndef SHUNT_QUIC_TABLE_H
#define SHUNT_QUIC_TABLE_H

#include <stddef.h>

#include "pure/conf.h"

struct quic_server {
	const struct conf_server_id *id;
	uint32_t number; /* of the backend in its service, not 0 */
};

/* Fills the configurations and the format of @out. */
void quic_record(const struct conf_quic *quic, struct shunt_quic *out);

/* The ids in places of their own: *out is the caller's, *places a power of two. @servers has each id once.
 * Returns 0 or -ENOMEM. */
int quic_table_build(const struct quic_server *servers, size_t n, struct shunt_quic_server **out,
		     uint32_t *places) __attribute__((warn_unused_result));

#endif
