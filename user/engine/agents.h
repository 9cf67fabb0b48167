/* SPDX-License-Identifier: BSD-2-Clause */
/* What backends' agents ask for, brought into force at the pace of pure/agent.h, once a second for all services
 * together. What an operator has set by hand stays as it is. In force it outlives the daemon, in
 * <state_dir>/<instance>.agents, until the agent has spoken anew. */
#ifndef SHUNT_ENGINE_AGENTS_H
#define SHUNT_ENGINE_AGENTS_H

#include "engine/state.h"

/* Reads what an earlier daemon left. */
int agents_open(struct engine *e, struct engine_error *err);
void agents_close(struct engine *e);

/* The checks of @b have been started: what an earlier daemon had in force holds on if one of them asks an agent,
 * and nothing does if none. */
void agents_begin(struct engine *e, struct backend *b);

/* Takes the last result of @p, a check of a backend that asks an agent. */
void agents_hear(struct engine *e, struct probing *p);

/* Whether what the agent asks for is in force, and not overruled by hand. */
bool agents_admin_counts(const struct engine *e, const struct backend *b);
/* The weight that the agent leaves @b, which has none by hand. */
uint16_t agents_weight(const struct backend *b);
/* Says in @out who asks and why, if an agent does. */
void agents_view(const struct engine *e, const struct backend *b, struct view_backend *out);

#endif
