/* SPDX-License-Identifier: BSD-2-Clause */
/* How many flows backends have, by what stands in the flow table: a bit of it is counted from time to
 * time, which is shown; every LOADS_EVERY_MS where services go by lc and wlc, to whom it is published, and
 * the packet path adds what it gives away until the next time. Services that remember every flow are
 * counted; while there are none nothing runs. */
#ifndef SHUNT_LOADS_H
#define SHUNT_LOADS_H

#include "engine/state.h"

#define LOADS_EVERY_MS 50

int loads_open(struct engine *e, struct engine_error *err);
void loads_close(struct engine *e);
/* To be called after a change of the list of services: starts counting if it is needed. */
void loads_start(struct engine *e);
/* The same after a change of the backends of @s, their weights or their drains. */
void loads_changed(struct engine *e, const struct service *s);
/* The flows that the backend has, if they are counted; false: not known, or not all of them yet. */
bool loads_flows(const struct engine *e, const struct backend *b, uint64_t *flows);

#endif
