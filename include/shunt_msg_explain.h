/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_msg.h about single packets and flows. */
#ifndef SHUNT_MSG_EXPLAIN_H
#define SHUNT_MSG_EXPLAIN_H

/* What becomes of a packet: a FRAME, or one that is made up of the rest; or SERVICE alone: how that one
 * chooses. */
enum shunt_explain_ask {
	SHUNT_ASK_SERVICE = 1, /* text */
	SHUNT_ASK_CLIENT = 2, /* addr */
	SHUNT_ASK_CLIENT_PORT = 3, /* u16, host order */
	SHUNT_ASK_VIP = 4, /* addr */
	SHUNT_ASK_PORT = 5, /* u16, host order */
	SHUNT_ASK_PROTOCOL = 6, /* u8: 6 TCP, 17 UDP */
	SHUNT_ASK_ESTABLISHED = 7, /* u8, 1: TCP: an ACK in the midst of a flow, not its SYN */
	SHUNT_ASK_INTERFACE = 8, /* text: where it comes in; left out: whichever */
	SHUNT_ASK_FRAME = 9, /* bytes, from the Ethernet header on, up to 3500 */
};

enum shunt_explain_attr {
	SHUNT_EXPLAIN_VERDICT = 1, /* text: as SHUNT_VERDICT_NAME */
	SHUNT_EXPLAIN_ACTION =
		2, /* u8: 0 aborted, 1 drop, 2 pass, 3 sent where it came, 4 elsewhere */
	SHUNT_EXPLAIN_SERVICE = 3, /* text; left out: none */
	SHUNT_EXPLAIN_BACKEND = 4, /* text; left out: none */
	SHUNT_EXPLAIN_FORWARD = 5, /* u8: as SHUNT_BACKEND_FORWARD, where there is a BACKEND */
	SHUNT_EXPLAIN_WHY =
		6, /* u8: 0 none, 1 slot settled, 2 slot in transition and flow new, 3 and flow
				* old, 4 remembered, 5 connection known, 6 turn, 7 load, 8 otherwise */
	SHUNT_EXPLAIN_INTERFACE = 7, /* text */
	SHUNT_EXPLAIN_EGRESS = 8, /* text */
	SHUNT_EXPLAIN_SLOT = 9, /* u32 */
	SHUNT_EXPLAIN_SLOTS = 10, /* u32; left out: no slot was asked */
	SHUNT_EXPLAIN_MOVES = 11, /* u8, 1: the slot is in transition */
	SHUNT_EXPLAIN_CUR = 12, /* text: the backend of the slot's new flows */
	SHUNT_EXPLAIN_BASE = 13, /* text: that of its older ones, in transition */
	SHUNT_EXPLAIN_ENTRY = 14, /* text: the backend that the flow is remembered with */
	SHUNT_EXPLAIN_REMEMBERS = 15, /* u8, 1: the flow would be remembered, */
	SHUNT_EXPLAIN_NO_ROOM = 16, /* u8, 1: or would not for want of room */
	SHUNT_EXPLAIN_OPENS = 17, /* u8, 1: a translated connection would be opened */
};

/* A decision on the packet's way, in words. */
enum shunt_step_attr {
	SHUNT_STEP_WHAT = 1, /* text: "packet", "service", "slot", "verdict", ...; may come again */
	SHUNT_STEP_TEXT = 2, /* text */
};

enum shunt_frame_attr {
	SHUNT_FRAME_LEAVES = 1, /* u8, 1: as it leaves; left out: as it comes */
	SHUNT_FRAME_BYTES = 2, /* bytes */
};

/* A flow that is remembered. */
enum shunt_flow_attr {
	SHUNT_FLOW_KIND =
		1, /* u8: 0 one of a slot in transition, or that remained of one, 1 of a service
			      * that remembers all, 2 a source (affinity), 3 a translated connection */
	SHUNT_FLOW_SERVICE = 2, /* text; left out: the table does not say */
	SHUNT_FLOW_BACKEND = 3, /* text; the same */
	SHUNT_FLOW_AGE = 4, /* u64, milliseconds since its last packet, as far as that is noted */
	SHUNT_FLOW_PROTOCOL = 5, /* u8; this and what follows of translated connections only */
	SHUNT_FLOW_CLIENT = 6, /* addr */
	SHUNT_FLOW_CLIENT_PORT = 7, /* u16, host order */
	SHUNT_FLOW_VIP = 8, /* addr */
	SHUNT_FLOW_PORT = 9, /* u16, host order */
	SHUNT_FLOW_POOL = 10, /* addr: that the backend sees */
	SHUNT_FLOW_POOL_PORT = 11, /* u16, host order */
	SHUNT_FLOW_STATE =
		12, /* u8: 0 new (one packet so far), 1 confirmed, or answered, 2 established,
				* 3 closing, 4 reset, 5 ended */
	SHUNT_FLOW_NUMBER = 13, /* u32: the backend's number in its service */
};

/* A packet that was watched. */
enum shunt_traced_attr {
	SHUNT_TRACED_TIME = 1, /* u64, nanoseconds, CLOCK_MONOTONIC: when it came */
	SHUNT_TRACED_INTERFACE = 2, /* text: where it came in */
	SHUNT_TRACED_VERDICT = 3, /* text: as SHUNT_VERDICT_NAME */
	SHUNT_TRACED_ACTION = 4, /* u8: as SHUNT_EXPLAIN_ACTION */
	SHUNT_TRACED_SERVICE = 5, /* text; left out: none, or it was not chosen */
	SHUNT_TRACED_BACKEND = 6, /* text; the same */
	SHUNT_TRACED_LEN = 7, /* u32: bytes of the frame as it came */
	SHUNT_TRACED_LEN_AFTER = 8, /* u32: and as it left, or was dropped */
	SHUNT_TRACED_FRAME = 9, /* bytes: the first 1600 of it as it came */
	SHUNT_TRACED_FRAME_AFTER = 10, /* bytes */
};

#endif
