/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stages for rare packets share: fragments, ICMP, answers to senders. */
#ifndef ORACLE_RARE_H
#define ORACLE_RARE_H

#include "oracle.h"

/* The address of services that the packet is for; NULL when it is nobody's. */
const struct oracle_vip *oracle_vip(const struct oracle_case *c);

/* Whether the sender of the packet is one host that may be told something about it: RFC 1122
 * section 3.2.2, RFC 4443 section 2.4. */
bool oracle_may_answer(const struct oracle_case *c);

/* The checksum of RFC 1071 over what sums up to @sum. */
uint16_t oracle_checksum(uint32_t sum);
uint32_t oracle_sum(const uint8_t *bytes, size_t len);
/* The sum of the pseudo header of @len bytes of ICMPv6 between the packet's addresses; over IPv4,
 * where there is none, 0. */
uint32_t oracle_pseudo_sum(const struct oracle_parsed *p, size_t len);

#endif
