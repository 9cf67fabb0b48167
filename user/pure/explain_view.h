/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of a packet or of flows, and the answers, as messages carry them. */
#ifndef SHUNT_EXPLAIN_VIEW_H
#define SHUNT_EXPLAIN_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "shunt_abi.h"
#include "shunt_msg.h"

#define EXPLAIN_TEXT_MAX 512
#define EXPLAIN_STEPS_MAX 16

/* Bytes as they are. */
struct msg_bytes {
	uint32_t len;
	uint8_t at[SHUNT_MSG_BYTES_MAX];
};

/* A packet to be explained; or a service: then the rest is 0. */
struct explain_ask {
	char service[SHUNT_NAME_MAX];
	struct addr client, vip; /* of one family */
	uint16_t client_port, port; /* host order */
	uint8_t protocol;
	bool established; /* TCP: not the flow's first packet */
	char interface[16]; /* empty: whichever */
	struct msg_bytes frame; /* instead of addresses and ports, unless its length is 0 */
};

/* One decision. */
struct explain_step {
	char what[16]; /* "packet", "interface", "service", "sources", "flow", "slot", "backend",
			* "next hop", "verdict", "leaves", "note", "do" */
	char text[EXPLAIN_TEXT_MAX];
};

/* How the backend was come by, as far as the tables say. */
enum explain_why {
	EXPLAIN_NONE, /* there is no backend */
	EXPLAIN_SETTLED, /* its slot is settled */
	EXPLAIN_NEW, /* the slot is in transition, and the flow is new: cur */
	EXPLAIN_OLD, /* the slot is in transition, and the flow is older: base */
	EXPLAIN_ENTRY, /* the flow is remembered */
	EXPLAIN_CONNECTION, /* the translated connection is known */
	EXPLAIN_TURN, /* its turn */
	EXPLAIN_LOAD, /* of two the less loaded */
	EXPLAIN_OTHERWISE, /* the packet path came to another than the tables say */
	EXPLAIN_MAX,
};

struct view_explain {
	enum shunt_verdict verdict;
	uint8_t action; /* XDP_* */
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX]; /* empty: none */
	enum shunt_forward forward; /* with a backend */
	enum explain_why why;
	char interface[16], egress[16];
	uint32_t slot, slots; /* slots 0: no slot was asked */
	bool moves; /* the slot is in transition */
	char cur[SHUNT_NAME_MAX], base[SHUNT_NAME_MAX], entry[SHUNT_NAME_MAX]; /* empty: nobody */
	bool remembers, no_room, opens;
};

struct view_frame {
	bool leaves; /* else: as it comes */
	struct msg_bytes bytes;
};

enum view_flow_kind {
	VIEW_FLOW_MOVING,
	VIEW_FLOW_ALL,
	VIEW_FLOW_SOURCE,
	VIEW_FLOW_NAT,
	VIEW_FLOW_MAX
};
enum view_flow_state {
	VIEW_FLOW_NEW, /* one packet so far */
	VIEW_FLOW_CONFIRMED, /* or answered */
	VIEW_FLOW_ESTABLISHED,
	VIEW_FLOW_CLOSING,
	VIEW_FLOW_RESET,
	VIEW_FLOW_ENDED,
	VIEW_FLOW_STATE_MAX
};

/* A flow that is remembered. */
struct view_flow {
	enum view_flow_kind kind;
	enum view_flow_state state;
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX]; /* empty: the table does not say */
	uint32_t number; /* the backend's in its service */
	uint64_t age_ms; /* since its last packet, as far as that is noted */
	/* Of translated connections. */
	uint8_t protocol;
	struct addr client, vip, pool;
	uint16_t client_port, port, pool_port; /* host order */
};

/* A packet that was watched. */
struct view_traced {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	char interface[16];
	enum shunt_verdict verdict;
	uint8_t action; /* XDP_* */
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX]; /* empty: none, or not known */
	uint32_t len, len_after; /* of the frame */
	struct msg_bytes frame, frame_after; /* as much as is kept of it */
};

const char *view_flow_kind_name(enum view_flow_kind k); /* "transition", "all", "source", "nat" */
const char *view_flow_state_name(enum view_flow_state s); /* "new", "confirmed", ... */
const char *explain_why_name(enum explain_why w); /* "settled", "turn", ... */

#endif
