/* SPDX-License-Identifier: BSD-2-Clause */
/* What the packet path must find in a frame, said a second time and differently. */
#ifndef FIXTURE_ORACLE_H
#define FIXTURE_ORACLE_H

#include <stddef.h>
#include <stdint.h>

#include "shunt_abi.h"

/* Where things are in a sound frame. */
struct sound {
	uint8_t family;
	uint8_t proto;
	size_t l3, l3_len, l4;
};

/* The verdict that a frame of at least 14 bytes must get before any service is looked for;
 * SHUNT_GO_ON with @out filled when it is a sound TCP or UDP packet. */
enum shunt_verdict oracle_parse(const uint8_t *frame, size_t len, struct sound *out);

#endif
