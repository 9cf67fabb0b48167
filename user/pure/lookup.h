/* SPDX-License-Identifier: BSD-2-Clause */
/* Which tables find which service. Of all rules that a packet's address, port and protocol match, the
 * one with the longest prefix holds, and among equal prefixes one with ports before one for any port.
 *
 * Rules for one address go into a table of exact ports, with its range of ports written out, as long
 * as the service has no more than LOOKUP_WRITTEN_OUT of them. All others, prefixes and wide ranges,
 * become the spans of a prefix: port 0 to 65535 cut into stretches that belong to one service each,
 * those of shorter prefixes carried over to where the prefix itself says nothing, so that the longest
 * prefix alone decides. */
#ifndef SHUNT_LOOKUP_H
#define SHUNT_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define LOOKUP_WRITTEN_OUT 1024 /* ports of a service, at most */

struct lookup_rule {
	struct addr vip; /* bits beyond the prefix are 0 */
	uint8_t vip_bits; /* length of the prefix: 32 or 128 for one address */
	uint8_t protocol;
	uint16_t from, to; /* ports, both included; 0 and 0: any */
	uint32_t service; /* less than UINT32_MAX; rules of one service stand together */
};

struct lookup_exact {
	const struct addr *vip; /* a rule's */
	uint16_t port; /* 0: any */
	uint8_t protocol;
	uint32_t service;
};

#define LOOKUP_NOBODY UINT32_MAX

struct lookup_span {
	uint16_t from; /* to the next span's, or 65535 */
	uint32_t service; /* or LOOKUP_NOBODY */
};

struct lookup_prefix {
	const struct addr *vip; /* a rule's */
	uint8_t vip_bits;
	uint8_t protocol;
	uint32_t spans_at, n_spans; /* n_spans >= 1, and the first begins at port 0 */
};

struct lookup {
	struct lookup_exact *exact;
	size_t n_exact;
	struct lookup_prefix *prefixes; /* no two equal */
	size_t n_prefixes;
	struct lookup_span *spans;
	size_t n_spans;
};

/* Returns 0, -ENOMEM, or -EEXIST with clash[0] < clash[1] two rules of the same prefix and protocol
 * that share a port, or are both for any. */
int lookup_check(const struct lookup_rule rules[], size_t n, size_t clash[static 2])
	__attribute__((warn_unused_result));

/* Fills @out, which points into @rules (lookup_fini). Returns as lookup_check does. */
int lookup_build(const struct lookup_rule rules[], size_t n, struct lookup *out,
		 size_t clash[static 2]) __attribute__((warn_unused_result));

void lookup_fini(struct lookup *l);

#endif
