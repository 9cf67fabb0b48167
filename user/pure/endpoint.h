/* SPDX-License-Identifier: BSD-2-Clause */
/* "192.0.2.7:40000", "[2001:db8::7]:40000", and with a protocol "203.0.113.10:80/tcp". */
#ifndef SHUNT_ENDPOINT_H
#define SHUNT_ENDPOINT_H

#include "base/addr.h"

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order, 1 to 65535 */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP; 0: none is given */
};

/* Reads all of @text. NULL, or what is wrong with it: static, to stand behind "TEXT: ". */
const char *endpoint_parse(const char *text, struct endpoint *out)
	__attribute__((warn_unused_result));

#endif
