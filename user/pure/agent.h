/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend's agent asks for (HAProxy's configuration manual, "agent-check"), and how fast that comes
 * into force: draining and maintenance at once, a weight in steps, so that an agent that changes its mind
 * with each probe does not turn the tables over each time. No clock: whoever calls keeps the pace. */
#ifndef SHUNT_AGENT_H
#define SHUNT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/check.h"
#include "shunt_abi.h"

enum agent_admin { AGENT_READY, AGENT_DRAIN, AGENT_MAINT }; /* the later is stricter */

#define AGENT_STEP 25 /* percent of the configured weight, at most, from one step to the next */
#define AGENT_PACE_MS 1000 /* between steps */

struct agent_wish {
	enum agent_admin admin;
	uint16_t percent; /* of the configured weight; up to CHECK_WEIGHT_PERCENT_MAX */
};

/* Nothing but what the configuration says. */
#define AGENT_NO_WISH ((struct agent_wish){.admin = AGENT_READY, .percent = 100})

bool agent_wish_is_same(struct agent_wish a, struct agent_wish b);

/* Takes a line that the agent has said. `drain` and `maint` hold until `up` or `ready` without them, a percentage
 * until another one, or `up` or `ready` without one; what a line says nothing of stays. Returns whether
 * @w has changed. */
bool agent_hear(struct agent_wish *w, const struct check_result *r);

/* What two agents of one backend ask for: the stricter, and the smaller percentage. */
struct agent_wish agent_join(struct agent_wish a, struct agent_wish b);

/* Whether a line says whether the backend is to be used, or how much. */
bool agent_speaks_of_admin(const struct check_result *r);
bool agent_speaks_of_weight(const struct check_result *r);

/* One step from @in_force to @wanted: the percentage by AGENT_STEP at most, or beyond 100 by a quarter of
 * itself, but to 0 at once. Returns whether anything has changed. */
bool agent_step(struct agent_wish *in_force, struct agent_wish wanted);

/* The weight that @percent of @configured is, up to @most; not 0 unless one of them is. */
uint16_t agent_weight(uint16_t configured, uint16_t percent, uint16_t most);

/* A wish as a line of the file in which it outlives the daemon: "web web1 drain 50\n". */
#define AGENT_LINE_MAX (2 * SHUNT_NAME_MAX + 24)
struct agent_line {
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX];
	struct agent_wish wish;
};
const char *agent_line_format(const struct agent_line *l, char out[static AGENT_LINE_MAX]);
/* Reads the line at @text, of at most @len bytes. Returns its length, or 0 when it is none that
 * agent_line_format() writes. */
size_t agent_line_read(const char *text, size_t len, struct agent_line *out);

#endif
