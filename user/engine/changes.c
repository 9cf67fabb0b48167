/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of backends, told: to the log, to whoever listens, and to their histories. */
#include "engine/state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/passive.h"
#include "pure/msg.h"

enum standing backend_standing(const struct backend *b)
{
	if (b->leaving)
		return STANDING_LEAVING;
	if (b->disabled)
		return STANDING_MAINTENANCE;
	if (b->drained)
		return STANDING_DRAINED;
	return passive_is_out(b) ? STANDING_DOWN : (enum standing)b->health.state;
}

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* "backend web/web1: up -> down: L4CON: connection refused, 3 of 3 (check http)" */
static void line_of(const struct backend *b, const struct history_event *c, char *out, size_t size)
{
	size_t used = (size_t)snprintf(out, size, "backend %s/%s: %s", b->service->name, b->name,
				       standing_name(c->from));

	if (c->to != c->from)
		used += (size_t)snprintf(out + used, size - used, " -> %s", standing_name(c->to));
	if (c->code[0])
		used += (size_t)snprintf(out + used, size - used, ": %s", c->code);
	if (c->reason[0])
		used += (size_t)snprintf(out + used, size - used, ": %s", c->reason);
	if (c->check[0])
		used += (size_t)snprintf(out + used, size - used, " (check %s)", c->check);
	if (c->by[0])
		snprintf(out + used, size - used, "; by %s", c->by);
}

void changes_tell(struct engine *e, struct backend *b, enum shunt_event_kind kind,
		  const struct history_event *change)
{
	struct msg_event event = {.kind = kind, .change = *change};

	event.change.time_ms = wall_ms();
	history_add(&b->history, &event.change);
	b->changes++;
	memcpy(event.service, b->service->name, sizeof(event.service));
	memcpy(event.backend, b->name, sizeof(event.backend));
	line_of(b, change, event.text, sizeof(event.text));
	engine_say(e, &event);
}
