/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive checks of services that have them: read, judged, and what comes of it. */
#ifndef SHUNT_ENGINE_PASSIVE_H
#define SHUNT_ENGINE_PASSIVE_H

#include <stdbool.h>

#include "engine/state.h"

/* Follows what the configuration says from now on; who was out of a service without passive checks is in
 * again. To be called after each change of the configuration. */
void passive_configure(struct engine *e);
void passive_close(struct engine *e);

bool passive_is_out(const struct backend *b);
void passive_view(const struct backend *b, struct view_backend *out);

#endif
