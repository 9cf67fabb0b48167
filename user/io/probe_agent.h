/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend says of itself in a line, as HAProxy's agent-check has it. */
#ifndef SHUNT_PROBE_AGENT_H
#define SHUNT_PROBE_AGENT_H

#include <stddef.h>

#include "io/probe.h"

/* Reads the words of @line, @len bytes without its end, separated by spaces, tabs and commas: up, ready,
 * drain, maint, down, fail, failed, stopped (the last four mean down), N%; "#" begins words for people. Words for
 * other balancers (maxconn:N) are passed over. @r becomes the result with its words: CHECK_SAYS_DOWN or
 * CHECK_OK with notes and weight, or CHECK_BAD_REPLY when there is no word that is known.
 * HAProxy's configuration manual, "agent-check". */
void probe_agent_judge(const char *line, size_t len, struct check_result *r);

#endif
