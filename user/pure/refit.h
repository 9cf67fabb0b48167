/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of captures as frames that the packet path can be asked about. */
#ifndef SHUNT_REFIT_H
#define SHUNT_REFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFIT_MAX 3500

struct refit {
	uint8_t frame[REFIT_MAX];
	size_t len;
	bool padded; /* the capture had cut it: 0 in place of what is missing */
	bool shortened; /* it was longer than can be asked about: its first 1,500 bytes, with lengths to match */
};

/* Layer 2 of captures: the link types of pcap (LINKTYPE_*). */
#define REFIT_ETHERNET 1
#define REFIT_RAW 101 /* IPv4 or IPv6 at once */
#define REFIT_RAW4 228
#define REFIT_RAW6 229
#define REFIT_SLL 113
#define REFIT_SLL2 276

/* Whether packets of that link type can be made frames. */
bool refit_knows(int link);

/* Makes a frame of the @have bytes at @data, which were @len on the wire. False: it is no IP packet. */
bool refit_packet(int link, const uint8_t *data, size_t have, size_t len, struct refit *out);

#endif
