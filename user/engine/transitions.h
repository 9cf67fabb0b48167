/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots in transition: from the table that a service is to have to what stands in its slots and bases,
 * and until they have settled. All there is to know of them is in the maps. */
#ifndef SHUNT_TRANSITIONS_H
#define SHUNT_TRANSITIONS_H

#include "engine/state.h"

int transitions_open(struct engine *e, struct engine_error *err);

/* Has new flows of slot i of @s go to @wanted[i & s->logical - 1], as a change that keeps the flows of
 * backends whose `usable` is set. */
void transitions_apply(struct engine *e, struct service *s, const uint16_t *wanted);

/* The slots that @s is to have in the @lines from @at on, before any packet looks there: those that it
 * has now, repeated. A new service has none: they are empty. */
void transitions_move(struct engine *e, const struct service *s, uint32_t at, uint32_t slots);

/* What is in transition has all of the flow timeout from here on: packets come to these slots only now. */
void transitions_freshen(struct engine *e, const struct service *s);

/* Counts what is in transition in the tables that an earlier daemon left, and goes on with it. */
void transitions_adopt(struct engine *e, struct service *s);

/* The flows that a backend may have in slots that are others' by now. */
struct transitions_left {
	uint32_t slots; /* in transition, whose base it is */
	uint32_t in_use; /* of these, used within the service's flow timeout */
	uint16_t last; /* ticks since the latest of all uses */
	uint16_t oldest; /* and since the oldest among those that are in use */
	uint32_t flows; /* at least, if `many`; else about so many: see transitions.c */
	bool many;
};
/* @had: slots that were @b's before they came into transition; 0: not known. */
void transitions_left(struct engine *e, const struct backend *b, uint32_t had,
		      struct transitions_left *out);

#endif
