/* SPDX-License-Identifier: BSD-2-Clause */
/* Backends that get no new flows while they still have some: those that an operator drains, and those
 * that leave: no longer configured, they keep number, row, next hop and check until their flows have
 * ended, they are dead, or the deadline has come. They stand behind the configured ones in
 * service.backends and have no weight. */
#ifndef SHUNT_ENGINE_DRAIN_H
#define SHUNT_ENGINE_DRAIN_H

#include "engine/state.h"

int drain_open(struct engine *e, struct engine_error *err);

/* Whether it is slots in transition that keep the flows of @s: for settle_within at most. */
bool drain_by_slots(const struct service *s);
/* Seconds until the deadline; -1: there is none. */
int64_t drain_left_s(const struct drain *d);

/* Begins the drain of @b, or gives it another deadline: @by, in seconds since 1970, and @most_s from now
 * at most, should the clock have gone back; @by 0: none but that of slots. Of a drain that goes on with the same deadline
 * nothing changes, whatever the clock says now. */
void drain_begin(struct engine *e, struct backend *b, int64_t by, int64_t most_s);
void drain_end(struct backend *b);

/* Whether @b, which the configuration of @conf no longer has, still has to leave. */
bool drain_leaves(const struct conf_service *conf, const struct backend *b);
/* What a backend that leaves goes by, in place of its configuration; NULL when there is no memory. */
struct conf_backend *drain_keep(const struct backend *b);
/* Makes @b, of a service with the new configuration already, one that leaves, by @kept, which it owns
 * then. */
void drain_leave(struct engine *e, struct backend *b, struct conf_backend *kept);
/* Makes it one that stays: configured again. */
void drain_come_back(struct engine *e, struct backend *b);

/* Milliseconds without a packet after which the flows of @b have ended. */
uint64_t drain_quiet_ms(const struct engine *e, const struct backend *b);

#endif
