/* SPDX-License-Identifier: BSD-2-Clause */
/* What a frame says, for people: its headers from the outermost to the innermost that is known. It is not
 * the packet path's parser, and judges nothing. */
#ifndef SHUNT_DISSECT_H
#define SHUNT_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Of the outermost IP header, and what it carries. */
struct dissect {
	bool is_ip; /* the rest is 0 if not */
	struct addr source, destination;
	uint8_t protocol; /* behind IPv6 extension headers; 44 of a later fragment */
	bool has_ports; /* TCP or UDP, not a later fragment */
	uint16_t source_port, destination_port; /* host order */
	uint8_t tcp_flags;
	size_t ip_at; /* where it begins in the frame */
	size_t l3_len; /* as its header says */
};

void dissect_frame(const uint8_t *frame, size_t len, struct dissect *out);

/* "02:00:00:00:00:01 > 02:00:00:00:00:02, VLAN 10, IPv4 10.0.0.1 > 10.0.0.12, IPv4 192.0.2.7 > 203.0.113.10,
 * TCP 40000 > 80 SYN": a header after the other, into @out, which is cut where it is full. */
#define DISSECT_WORDS_MAX 512
const char *dissect_words(const uint8_t *frame, size_t len, char out[static DISSECT_WORDS_MAX]);

/* "TCP SYN 192.0.2.7:40000 > 203.0.113.10:80", "ICMP 192.0.2.7 > 203.0.113.10", "not IP". */
#define DISSECT_LINE_MAX 160
const char *dissect_line(const struct dissect *d, char out[static DISSECT_LINE_MAX]);

#endif
