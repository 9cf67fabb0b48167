/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC: which backends connection ids name. The records of a configuration to come are written beside
 * those in force, at numbers and places of their own, and each service goes over by one word. */
#ifndef SHUNT_ENGINE_QUIC_H
#define SHUNT_ENGINE_QUIC_H

#include "engine/state.h"

struct plan;

/* Raises @sizes to what @conf takes, with room for the next ones beside them. Returns 0 or -ENOMEM. */
int quic_sizes(const struct conf *conf, struct dp_sizes *sizes);

/* Before any other; then the record that service @s, found at its row, goes by. Returns 0 or -ENOMEM. */
int quic_init(struct engine *e);
void quic_adopt(struct engine *e, struct service *s, const struct dp_service *found);
void quic_free(struct engine *e);

/* Writes the records of @conf where no packet finds them, and their places into @p's changes. On failure
 * -errno with @err, and nothing has changed. */
int quic_plan(struct engine *e, const struct conf *conf, struct plan *p, struct engine_error *err);
/* How many backends of @s have no server_id. */
size_t quic_without_id(const struct conf_service *s);

/* Warns of services of which backends have no server_id. */
void quic_tell(const struct conf *conf);
/* Gives back what the plan took. */
void quic_drop(struct engine *e, struct plan *p);

/* Has @s, at its row already, go by @to; returns where its former record stands. */
struct quic_place quic_switch(struct engine *e, struct service *s, struct quic_place to);
/* No packet is under the record at @former any more. */
void quic_give_back(struct engine *e, const struct quic_place *former);

#endif
