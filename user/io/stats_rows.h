/* SPDX-License-Identifier: BSD-2-Clause */
/* One page of a dump: from the rows of a source to the messages of an answer. No socket here. */
#ifndef SHUNT_STATS_ROWS_H
#define SHUNT_STATS_ROWS_H

#include "io/stats_server.h"
#include "pure/msg.h"

/* Appends as many records as fit, and the PAGE message, to @o (of SHUNT_MSG_PAGE_MAX bytes).
 * -ESTALE: @get's cursor is of another generation; -ENOENT: no such service; -EINVAL: no such
 * request. */
int stats_rows_page(const struct stats_source *source, enum shunt_msg_command command,
		    const struct msg_get *get, struct msg_out *o)
	__attribute__((warn_unused_result));

/* Into @out: "there are: a, b, c", as many as fit; for who asked for one that there is not. */
void stats_rows_no_service(const struct stats_source *source, char *out, size_t size);

#endif
