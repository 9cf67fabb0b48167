/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of the stats server that are not rows of a table: about one packet, and about flows. */
#ifndef SHUNT_STATS_EXPLAIN_H
#define SHUNT_STATS_EXPLAIN_H

#include "io/stats_server.h"
#include "pure/msg.h"

struct nlmsghdr;

/* Puts the answer to the request @m into @o. 0; -EBADMSG; or what the source says, then with words in
 * @text, of @size bytes. */
int stats_explain(const struct stats_source *s, const struct nlmsghdr *m, struct msg_out *o,
		  char *text, size_t size) __attribute__((warn_unused_result));

/* Puts one page of packets that were watched. 0; -ENODATA: nobody watches. */
int stats_traced(const struct stats_source *s, const struct msg_get *get, struct msg_out *o)
	__attribute__((warn_unused_result));

/* Puts one page of flows. 0; -ENOENT: no such service; -EINVAL: too much is asked for, with words in
 * @text, of @size bytes. */
int stats_flows(const struct stats_source *s, const struct msg_get *get, struct msg_out *o,
		char *text, size_t size) __attribute__((warn_unused_result));

#endif
