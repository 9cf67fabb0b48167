/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a reply holds the expected text and matches the expected pattern, found while the reply
 * comes in. Bounded in memory (PROBE_BODY_MAX) and steps, whatever the pattern and the reply. */
#ifndef SHUNT_PROBE_MATCH_H
#define SHUNT_PROBE_MATCH_H

#include "io/probe.h"

struct probe_match;

enum probe_found { PROBE_FOUND, PROBE_NOT_YET, PROBE_NOT_FOUND };

/* Returns 0 with *out NULL when @q expects nothing, or -ENOMEM. @q stays until the end. */
int probe_match_new(const struct probe_question *q, struct probe_match **out)
	__attribute__((warn_unused_result));
void probe_match_free(struct probe_match *m);

/* The next bytes. After PROBE_BODY_MAX of them the answer is certain. */
enum probe_found probe_match_feed(struct probe_match *m, const char *data, size_t len);

/* The reply has ended: PROBE_FOUND or PROBE_NOT_FOUND. */
enum probe_found probe_match_end(struct probe_match *m);

/* After PROBE_NOT_FOUND. */
struct check_result probe_match_failure(const struct probe_match *m);

/* The same for texts that are whole at once: whether one of them is the expected one, letters' case
 * ignored, and matches the pattern. */
bool probe_match_whole(struct probe_match *m, const char *text);

#endif
