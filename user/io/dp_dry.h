/* SPDX-License-Identifier: BSD-2-Clause */
/* What would become of a packet: asked of a twin of the packet path over the tables in force, which
 * remembers, counts and takes nothing (struct shunt_settings, `dry`). */
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

/* Loads what the packet needs of the twin, as far as it is not there yet for these tables: the kernel looks at
 * each program for 10 to 50 ms. -EINVAL: no frame of that length. */
int dp_dry_run(struct dp *dp, struct dp_dry *d, struct dp_error *err)
	__attribute__((warn_unused_result));
/* Loads one program of the twin that is missing. 1: others are missing yet, 0: all are there, or -errno. */
int dp_dry_prepare(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
/* Lets the twin go, and with it the tables that it works on. */
void dp_dry_drop(struct dp *dp);
/* Whether there is one of the tables in force, whole or in part. */
bool dp_dry_is_loaded(const struct dp *dp);

#endif
