/* SPDX-License-Identifier: BSD-2-Clause */
/* From probe results to a conclusion: rise and fall by consecutive counts. */
#ifndef SHUNT_HEALTH_H
#define SHUNT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mono.h"

enum health_state {
	HEALTH_UNKNOWN, /* no verdict yet: counts as up, since unknown does not mean down */
	HEALTH_UP,
	HEALTH_DOWN,
	HEALTH_UNCHECKED, /* no check configured: up */
};

struct health {
	enum health_state state;
	uint16_t streak; /* consecutive results that speak against the state */
	mono_t since; /* when the state began */
};

/* @initial: HEALTH_UNKNOWN, HEALTH_UNCHECKED, or what an earlier daemon had concluded. */
void health_init(struct health *h, enum health_state initial, mono_t now);

/* Takes one result. @rise, @fall >= 1. From UNKNOWN the first good result makes UP; @fall bad ones
 * make DOWN. From UP @fall consecutive bad ones, from DOWN @rise consecutive good ones; one that
 * agrees with the state resets the streak. Returns true when the state changed. */
bool health_note(struct health *h, bool good, uint16_t rise, uint16_t fall, mono_t now);

/* True in every state but HEALTH_DOWN. */
bool health_is_usable(const struct health *h);

const char *health_name(enum health_state s); /* "unknown", "up", "down", "unchecked" */

#endif
