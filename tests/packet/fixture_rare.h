/* SPDX-License-Identifier: BSD-2-Clause */
/* A world whose addresses are known to be services', and frames for it that are not of every day:
 * fragments and ICMP, byte by byte and without a line of the packet path. */
#ifndef FIXTURE_RARE_H
#define FIXTURE_RARE_H

#include "fixture_expect.h"

#define RARE_RATE 1000 /* ICMP errors a second */

/* cmocka test fixture: the world with all its addresses live and room for answers. */
int rare_setup(void **state);

/* Whether packets of the kind are forwarded and count in its backend's row. */
bool rare_is_forwarded(enum world_kind kind);

/* A piece of a packet: @len bytes from byte @from of what is behind the headers that every piece has. */
struct piece {
	uint32_t id; /* host order; IPv4 takes the lower 16 bits */
	size_t from, len;
	bool more;
	bool ext_inside; /* IPv6: extension headers are in the pieces, not in front of each */
};

/* Cuts @p out of the recipe's frame @whole, which stays as it is. */
void rare_piece(const struct recipe *r, const struct frame *whole, const struct piece *p,
		struct frame *out);

/* As the recipe, but so that expect_frame() takes the piece for a flow of its own, as the path does. */
struct recipe rare_piece_flow(const struct recipe *r, const struct piece *p);

/* An ICMP or ICMPv6 message from the recipe's source to its destination. @rest: the header's last word;
 * @len bytes of @body behind it. */
struct icmp {
	uint8_t type, code;
	uint32_t rest;
	const uint8_t *body;
	size_t len;
};
void rare_icmp(const struct recipe *r, const struct icmp *m, struct frame *out);

/* Runs the frame and asserts the verdict, that it is the only one, and the action. */
void rare_assert(struct fixture *f, const struct frame *in, enum shunt_verdict verdict, int action);

/* Runs it and asserts that it goes to backend @number of the kind, all bytes right, with poisoned
 * headroom too; @flow: what expect_frame() is to take for the packet's flow. */
void rare_assert_forwarded(struct fixture *f, const struct recipe *flow, enum world_kind kind,
			   uint8_t number, const struct frame *in);

#endif
