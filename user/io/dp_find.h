/* SPDX-License-Identifier: BSD-2-Clause */
/* What the flow tables have of one flow. */
#ifndef SHUNT_DP_FIND_H
#define SHUNT_DP_FIND_H

#include "io/dp.h"

/* A client's flow to a service, as it is found in the tables. */
struct dp_tuple {
	struct addr client, vip; /* of one family */
	uint16_t client_port, port; /* host order */
	uint8_t protocol;
};

struct dp_known {
	uint32_t slot; /* by the flow's hash, or its source's */
	struct transit_slot at; /* what stands there */
	bool has_entry; /* in the flow table, */
	bool holds; /* which counts */
	bool confirmed, ended;
	uint16_t number; /* of the backend */
	uint16_t age; /* flow ticks since its last packet */
	uint32_t row; /* of the entry; 0: the table does not say */
	uint16_t now; /* flow tick; dp_flow_find() is told it */
};
/* Looks as the packet path does: with SHUNT_SVC_AFFINE for what is remembered of its source. */
void dp_flow_look(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
		  struct dp_known *out);

/* Whose entry: the flow's own, or its source's, which its ports do not matter for. */
enum dp_whose { DP_OF_FLOW, DP_OF_SOURCE };
/* The same for one of both, by memory alone but for the first call: for who asks for many. Where only
 * slots in transition have entries it looks for none in others. @out->now: dp_tick(). */
void dp_flow_find(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
		  enum dp_whose whose, struct dp_known *out);

/* The translated connection that the client's packet @t is of; false: none that is alive. */
bool dp_nat_look(struct dp *dp, const struct dp_tuple *t, struct shunt_nat_conn *out);
/* Now, in NAT ticks, as far as the lower 16 bits of dp_tick() are concerned: how long ago @seen was. */
uint32_t dp_nat_age(const struct dp *dp, uint32_t seen);

#endif
