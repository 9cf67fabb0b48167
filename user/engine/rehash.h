/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes that find a service's flows by another hash, or remember others than before, so that no table can
 * say where they are: to and from sh, of affinity and of source_prefix.  In two steps: for one flow_timeout
 * the service goes on as it is, and of every flow is remembered where it goes (SHUNT_SVC_KEEP); then it
 * goes by the new hash, in slots that are all in transition, and what is remembered holds.  How far it has
 * come stands in the tables: a daemon that starts anew goes on, and a change that is taken back, or
 * made another, is nothing special. */
#ifndef SHUNT_REHASH_H
#define SHUNT_REHASH_H

#include "engine/plan.h"

int rehash_open(struct engine *e, struct engine_error *err);

/* Decides how the service of @c is to find its flows now, and by which step it comes there. */
void rehash_plan(struct change *c);

/* No packet tells whether what a service remembers by @m, as @conf has it, is new. */
bool rehash_sees_no_beginning(const struct scheme *m, const struct conf_service *conf);

/* SHUNT_SVC_OWN, as far as the service of @c needs it. */
uint16_t rehash_flags(const struct change *c);

/* Says what becomes of the flows, if @c does more than go on: to @text up to a few lines, and to the log
 * unless it is only @planned. */
void rehash_tell(struct engine *e, const struct change *c, bool planned, struct engine_error *text);

/* To be called when the services are in force: notes since when flows are remembered. */
void rehash_note(struct engine *e, struct service *s);

/* Goes on with those that are under way when it is time for that. */
void rehash_wait(struct engine *e);

#endif
