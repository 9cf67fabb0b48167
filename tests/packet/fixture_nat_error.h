/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors about translated connections, and what must become of them. */
#ifndef FIXTURE_NAT_ERROR_H
#define FIXTURE_NAT_ERROR_H

#include "fixture_nat.h"
#include "fixture_rare.h"

/* Runs @in and asserts that @must leaves, with poisoned headroom too. */
void nat_assert_leaves(struct fixture *f, const struct frame *in, const struct frame *must,
		       bool to_client);

/* A router beyond the receiver of @sent, which says that it could not deliver that. */
struct recipe nat_router_of(const struct recipe *sent);

/* Fills @out with an error by the addresses of @from that quotes the first @quoted bytes of @of's
 * packet: unreachable, or as @m says. */
void nat_error_about(const struct recipe *from, const struct recipe *of, size_t quoted,
		     struct frame *out);
void nat_error_of(const struct recipe *from, const struct recipe *of, size_t quoted, struct icmp m,
		  struct frame *out);

#endif
