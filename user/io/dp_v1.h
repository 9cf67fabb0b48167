/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of version 1, as far as they differ from today's; frozen. Its slots had no `changed` and no
 * bases, flows no rows, backends no loads; whatever else it had is as today. */
#ifndef SHUNT_DP_V1_H
#define SHUNT_DP_V1_H

#include <stdint.h>

struct v1_service {
	uint32_t slots_at;
	uint32_t slot_mask; /* at most 65535 */
	uint32_t row;
	uint16_t backends;
	uint8_t flags; /* the lower ones of SHUNT_SVC_* */
	uint8_t scheduler;
	uint16_t flow_timeout;
	uint16_t policy;
	uint32_t salt;
};

struct v1_service4 {
	uint64_t key;
	struct v1_service svc;
};

struct v1_service6 {
	uint32_t addr[4];
	uint32_t port_proto;
	uint32_t pad;
	struct v1_service svc;
};

/* A word of the flow table had a tag of 32 bits, 63 to 32, of which the last was always 1 and the others
 * are those of today's. */
#define V1_FLOW_TAG_LAST 0x100000000ull

#endif
