/* SPDX-License-Identifier: BSD-2-Clause */
/* Which flows are remembered, one after the other. */
#ifndef SHUNT_DP_LIST_H
#define SHUNT_DP_LIST_H

#include "io/dp.h"

/* A word of the flow table. */
struct dp_listed {
	uint32_t row; /* the backend's; 0: the table does not say */
	uint16_t number; /* the backend's in its service; 0: nobody is remembered here */
	uint16_t age; /* flow ticks since its last packet */
	bool confirmed, ended;
};

/* How many words the flow table has, and the one at @i; memory alone, but for the first call. @now: dp_tick(). */
uint64_t dp_flow_words(const struct dp *dp);
bool dp_flow_read(struct dp *dp, uint64_t i, uint16_t now, struct dp_listed *out);

/* A translated connection. */
struct dp_nat_listed {
	uint8_t protocol;
	struct addr client, vip, backend, pool;
	uint16_t client_port, port, backend_port, pool_port; /* host order */
	uint16_t number; /* the backend's in its service */
	uint32_t state; /* SHUNT_NAT_* */
	uint32_t age; /* NAT ticks since the last packet that was noted */
};

/* How many there may be, and the one at @i; false: none that is alive. */
uint64_t dp_nat_records(const struct dp *dp);
bool dp_nat_read(struct dp *dp, uint64_t i, uint16_t now, struct dp_nat_listed *out);

#endif
