/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/health.h"

void health_init(struct health *h, enum health_state initial, mono_t now)
{
	*h = (struct health){.state = initial, .since = now};
}

static bool change(struct health *h, enum health_state state, mono_t now)
{
	*h = (struct health){.state = state, .since = now};
	return true;
}

bool health_note(struct health *h, bool good, uint16_t rise, uint16_t fall, mono_t now)
{
	bool agrees = good ? h->state == HEALTH_UP : h->state == HEALTH_DOWN;

	if (h->state == HEALTH_UNCHECKED)
		return false;
	if (agrees) {
		h->streak = 0;
		return false;
	}
	if (good && h->state == HEALTH_UNKNOWN)
		return change(h, HEALTH_UP, now);
	if (++h->streak < (good ? rise : fall))
		return false;
	return change(h, good ? HEALTH_UP : HEALTH_DOWN, now);
}

bool health_is_usable(const struct health *h)
{
	return h->state != HEALTH_DOWN;
}

const char *health_name(enum health_state s)
{
	switch (s) {
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_UP:
		return "up";
	case HEALTH_DOWN:
		return "down";
	case HEALTH_UNCHECKED:
		return "unchecked";
	}
	return "unknown";
}
