/* SPDX-License-Identifier: BSD-2-Clause */
/* How many flows backends have, by what stands in the flow table: a bit of it is counted every
 * LOADS_EVERY_MS, and what that says is published to the packet path, which adds what it gives away
 * until the next time. Runs only while somebody asks: services by lc and wlc, and drains of services
 * that remember every flow. */
#ifndef SHUNT_LOADS_H
#define SHUNT_LOADS_H

#include "engine/state.h"

#define LOADS_EVERY_MS 50

int loads_open(struct engine *e, struct engine_error *err);
void loads_close(struct engine *e);
/* To be called after a change of services, or a drain's beginning: starts counting if it is needed. */
void loads_start(struct engine *e);
/* The flows that the backend has, if they are counted; false: not known, or not all of them yet. */
bool loads_flows(const struct engine *e, const struct backend *b, uint64_t *flows);

#endif
