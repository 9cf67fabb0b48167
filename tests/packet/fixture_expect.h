/* SPDX-License-Identifier: BSD-2-Clause */
/* What must leave the packet path, built without a line of it. */
#ifndef FIXTURE_EXPECT_H
#define FIXTURE_EXPECT_H

#include "fixture.h"

/* Bytes that the kind's tunnel puts in front of a packet. */
size_t expect_overhead(enum world_kind kind);

/* What a router does to the packet at @ip: one hop less, the header's checksum made anew. */
void expect_hop(uint8_t *ip);

/* Fills @out with the frame that must leave when @in, of the recipe, goes to the backend number
 * @number of the kind; what varies by flow is taken from @left, which did leave, where it may vary. */
void expect_frame(const struct fixture *f, const struct recipe *r, enum world_kind kind,
		  const struct frame *in, uint8_t number, const struct frame *left,
		  struct frame *out);

void assert_same_frame(const struct frame *is, const struct frame *must);

/* Runs the recipe's frame, or @in, which is of the recipe but for what no tunnel looks at; with
 * poisoned headroom too. */
void assert_forwarded(struct fixture *f, const struct recipe *r, enum world_kind kind);
void assert_frame_forwarded(struct fixture *f, const struct recipe *r, enum world_kind kind,
			    const struct frame *in);

void assert_verdict(struct fixture *f, const struct recipe *r, enum shunt_verdict verdict,
		    int action);

#endif
