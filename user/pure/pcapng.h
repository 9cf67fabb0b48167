/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures as pcapng files (draft-ietf-opsawg-pcapng), with comments. Written to the caller's buffer. */
#ifndef SHUNT_PCAPNG_H
#define SHUNT_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_FRAME_MAX 4000
#define PCAPNG_MAX (PCAPNG_FRAME_MAX + 1024) /* bytes of a block, at most */

/* What a file begins with; and an interface, numbered 0 and up in their order, with Ethernet frames. Each
 * returns the block's length. */
size_t pcapng_begin(const char *application, uint8_t out[static PCAPNG_MAX]);
size_t pcapng_interface(const char *name, const char *description, uint8_t out[static PCAPNG_MAX]);

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_us; /* since 1970 */
	const uint8_t *frame;
	uint32_t have,
		len; /* bytes that there are, at most PCAPNG_FRAME_MAX, and that there were */
	const char *comment;
};
size_t pcapng_packet(const struct pcapng_packet *p, uint8_t out[static PCAPNG_MAX]);

#endif
