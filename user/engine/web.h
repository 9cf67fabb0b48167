/* SPDX-License-Identifier: BSD-2-Clause */
/* The page and the metrics: the process that serves them, joined to what the daemon knows. */
#ifndef SHUNT_ENGINE_WEB_H
#define SHUNT_ENGINE_WEB_H

#include "engine/state.h"

/* Starts what e->conf says; what runs goes on if that is the same. Does not fail: what cannot be had now is
 * told, and tried again. To be called once the stats are served. */
void webs_configure(struct engine *e);
void webs_close(struct engine *e);
/* Passes on what happens, an event with number and time. */
void webs_tell(struct engine *e, const struct msg_event *event);
/* Fills in where it is and why it is not. */
void webs_view(const struct engine *e, struct view_status *out);
uint64_t webs_restarts(const struct engine *e);

/* ---- figures.c: what the daemon counts of itself -------------------------------------------------*/

/* The @i-th; false past the end. @arg is the engine. */
bool figures_view(void *arg, uint32_t i, struct view_figure *out);

#endif
