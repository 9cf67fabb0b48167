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

/* ---- fragments ----------------------------------------------------------------------------------*/

/* What a fragment says of itself. */
struct oracle_piece {
	uint64_t hash; /* of the packet that it is of */
	uint8_t id[4]; /* of IPv4: identification, protocol, 0 */
	size_t at, len; /* in the frame, what it has of the packet */
	size_t offset;
	bool more;
	uint8_t proto; /* of the first byte that is in pieces */
};

/* Reads the fragment, which may be a piece of TCP or UDP: SHUNT_GO_ON, or the verdict. */
enum shunt_verdict oracle_piece(const struct oracle_case *c, struct oracle_piece *f);
/* Reads the ports of a first piece into @c->p: SHUNT_GO_ON, or the verdict. */
enum shunt_verdict oracle_piece_ports(struct oracle_case *c, const struct oracle_piece *f);

/* What is remembered of the packet of that hash; ORACLE_NOT_THERE.  And what is to be, in @r. */
#define ORACLE_NOT_THERE UINT64_MAX
uint64_t oracle_whereto(const struct oracle_case *c, uint64_t hash);
void oracle_remember_piece(const struct oracle_case *c, uint64_t hash, uint32_t whereto,
			   struct oracle_result *r);

/* ---- ICMP ---------------------------------------------------------------------------------------*/

bool oracle_is_error(const struct oracle_parsed *p, uint8_t type);
/* Makes @flow what the packet quoted in @len bytes from @ip on says of its flow, the other way round; where
 * its ports are, or 0 when it says nothing. */
size_t oracle_quote(const uint8_t *ip, size_t len, struct oracle_parsed *flow);
/* A longer message is not read. */
#define ORACLE_READ_MAX 9216

#endif
