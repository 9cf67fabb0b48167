/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reload would do, to be told and not to be done. */
#ifndef SHUNT_PREVIEW_H
#define SHUNT_PREVIEW_H

#include "engine/plan.h"

/* ---- preview_slots.c ----------------------------------------------------------------------------*/

/* Fills the counts of @out, which is of the service of @c, and leaves in e->scratch_counts how many slots
 * each of its backends would have, by number. @edits are those that would be in force. Returns how many
 * backends would get new flows because they are well. */
uint32_t preview_slots(struct engine *e, const struct edits *edits, const struct plan *p,
		       const struct change *c, struct view_plan *out);

/* How many flows @s has; false: it is not known. */
bool preview_flows(const struct engine *e, const struct service *s, uint64_t *flows);

#endif
