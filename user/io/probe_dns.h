/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS messages of a probe (RFC 1035): the query, and what a reply to it means. Memory only. */
#ifndef SHUNT_PROBE_DNS_H
#define SHUNT_PROBE_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "io/probe.h"

#define PROBE_DNS_QUERY_MAX 300

struct probe_match;

/* Writes the query that @q asks for, with @id, into @out. Returns its length, or 0 for a name that is
 * none (@r says so) or without memory. */
size_t probe_dns_query(const struct probe_question *q, uint16_t id,
		       uint8_t out[static PROBE_DNS_QUERY_MAX], struct check_result *r);

/* Judges the @len bytes at @reply, any bytes, as a reply to that query. @match: what is expected, or
 * NULL: any answer of the type. Returns false when it is no reply to it, which waits on. */
bool probe_dns_judge(const struct probe_question *q, uint16_t id, const uint8_t *reply, size_t len,
		     struct probe_match *match, struct check_result *r);

#endif
