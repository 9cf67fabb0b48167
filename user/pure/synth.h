/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that nobody has sent, to ask a program what it would do with such: what a flow in the middle of
 * its life sends, so that no program remembers anything of it; or its first one. */
#ifndef SHUNT_SYNTH_H
#define SHUNT_SYNTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define SYNTH_FRAME_MAX 160

enum synth_kind {
	SYNTH_TCP, /* an ACK without data */
	SYNTH_UDP, /* one byte, 0 */
	SYNTH_ICMP_TCP, /* a router's "destination unreachable" for a packet of the flow's other */
	SYNTH_ICMP_UDP, /* direction */
};

struct synth {
	enum synth_kind kind;
	struct addr client, vip; /* of the same family */
	uint16_t client_port, port; /* host order */
	bool syn; /* SYNTH_TCP: the flow's first packet */
};

/* Writes an Ethernet frame and returns its length. Checksums of TCP, UDP and ICMP are 0: who sends
 * on only changes them. */
size_t synth_frame(const struct synth *s, uint8_t frame[static SYNTH_FRAME_MAX]);

/* Length of the IP packet in a frame of that length. */
size_t synth_l3_len(size_t frame_len);

#endif
