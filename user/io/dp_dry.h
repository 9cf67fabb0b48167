/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a packet: asked of a twin of the packet path over the tables in force, which
 * remembers, counts and takes nothing (struct shunt_settings, `dry`). And what the flow tables have of
 * one flow. */
#ifndef SHUNT_DP_DRY_H
#define SHUNT_DP_DRY_H

#include "io/dp.h"

#define DP_DRY_FRAME_MAX 3500 /* bytes: what the kernel's test run takes within a page */
#define DP_DRY_OUT_MAX 4000

struct dp_dry {
	/* Asked. */
	const uint8_t *frame;
	uint32_t len; /* 14 to DP_DRY_FRAME_MAX */
	uint32_t ifindex; /* where it comes in; 0: anywhere */
	uint32_t own_row; /* of the service that it is likely for, whose turn counts; 0: none */
	/* Answered. */
	uint32_t action; /* XDP_* */
	enum shunt_verdict verdict; /* SHUNT_GO_ON: none was counted */
	uint32_t row; /* that would count it: a backend's or a service's own; 0: none */
	bool looked, remembers, no_room; /* in the flow table */
	bool opens; /* a translated connection */
	uint32_t out_len;
	uint8_t out[DP_DRY_OUT_MAX]; /* the frame that leaves */
};

/* Loads the twin if there is none yet for these tables, which takes about as long as starting. -EINVAL: no
 * frame of that length. */
int dp_dry_run(struct dp *dp, struct dp_dry *d, struct dp_error *err)
	__attribute__((warn_unused_result));
/* The twin is not needed for now. */
void dp_dry_drop(struct dp *dp);
bool dp_dry_is_loaded(const struct dp *dp);

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
	uint16_t now; /* flow tick */
};
void dp_flow_look(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
		  struct dp_known *out);

/* The translated connection that the client's packet @t is of; false: none that is alive. */
bool dp_nat_look(struct dp *dp, const struct dp_tuple *t, struct shunt_nat_conn *out);
/* Now, in NAT ticks, as far as the lower 16 bits of dp_tick() are concerned: how long ago @seen was. */
uint32_t dp_nat_age(const struct dp *dp, uint32_t seen);

#endif
