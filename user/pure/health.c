/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/health.h"

#define ROOTS 12

void health_init(struct health *h, enum health_state initial, mono_t now)
{
	*h = (struct health){.state = initial, .since = now};
}

/* ---- the penalty -------------------------------------------------------------------------------*/

/* @penalty times 2^-(us / half-life): whole half-lives are shifts, and of the rest each bit behind the
 * point stands for a root of one half. */
static uint32_t decayed(uint32_t penalty, int64_t us, uint32_t half_life_ms)
{
	/* 2^-(1/2), 2^-(1/4), ... with 32 bits behind the point */
	static const uint32_t roots[ROOTS] = {
		3037000499, 3611622602, 3938502375, 4112874773, 4202935003, 4248701964,
		4271771996, 4283353945, 4289156690, 4292061009, 4293513906, 4294240539,
	};
	const uint64_t half_us = (uint64_t)half_life_ms * 1000;
	const uint64_t passed = us > 0 ? (uint64_t)us : 0;
	uint64_t rest = ((passed % half_us) << ROOTS) / half_us;
	uint64_t factor = 1ull << 32;

	if (passed / half_us >= 32)
		return 0;
	for (int i = 0; i < ROOTS; i++)
		if (rest & (1ull << (ROOTS - 1 - i)))
			factor = factor * roots[i] >> 32;
	return (uint32_t)(penalty * factor >> 32 >> passed / half_us);
}

uint32_t health_penalty(const struct health *h, const struct health_flap *f, mono_t now)
{
	if (mono_is_never(h->charged) || !f->suppress)
		return 0;
	return decayed(h->penalty, mono_diff_us(h->charged, now), f->half_life_ms);
}

static void charge(struct health *h, const struct health_flap *f, mono_t now)
{
	const uint32_t before = health_penalty(h, f, now);

	if (!f->suppress)
		return;
	h->penalty = before > UINT32_MAX - f->penalty ? UINT32_MAX : before + f->penalty;
	h->charged = now;
}

static bool may_return(const struct health *h, const struct health_flap *f, mono_t now)
{
	return !f->suppress || health_penalty(h, f, now) < f->reuse ||
	       mono_diff_us(h->charged, now) >= (int64_t)f->max_ms * 1000;
}

uint32_t health_held_s(const struct health *h, const struct health_flap *f, mono_t now)
{
	int64_t low = 0, high = (int64_t)f->max_ms / 1000 + 1;

	if (!h->held)
		return 0;
	while (low < high) {
		int64_t middle = (low + high) / 2;

		if (may_return(h, f, mono_add_us(now, middle * 1000000)))
			high = middle;
		else
			low = middle + 1;
	}
	return (uint32_t)low;
}

/* ---- the state ---------------------------------------------------------------------------------*/

static enum health_change change(struct health *h, enum health_state state, mono_t now)
{
	h->state = state;
	h->streak = 0;
	h->held = false;
	h->since = now;
	return state == HEALTH_UP ? HEALTH_GOES_UP : HEALTH_GOES_DOWN;
}

static enum health_change go_down(struct health *h, const struct health_flap *f, mono_t now)
{
	if (h->state == HEALTH_UP)
		charge(h, f, now);
	return change(h, HEALTH_DOWN, now);
}

static enum health_change go_up(struct health *h, const struct health_flap *f, mono_t now)
{
	const bool began = !h->held;

	/* Only what was above `suppress` when it went down is held, and then down to `reuse`. */
	if (f->suppress && !mono_is_never(h->charged) && (h->held || h->penalty > f->suppress) &&
	    !may_return(h, f, now)) {
		h->held = true;
		return began ? HEALTH_HELD : HEALTH_SAME;
	}
	if (h->held && health_penalty(h, f, now) > f->reuse)
		h->penalty = f->reuse, h->charged = now; /* held for as long as may be */
	return change(h, HEALTH_UP, now);
}

enum health_change health_note(struct health *h, bool good, const struct health_policy *p,
			       mono_t now)
{
	const uint16_t needed = good ? p->rise : p->fall;
	const bool agrees = good ? h->state == HEALTH_UP : h->state == HEALTH_DOWN;

	if (h->state == HEALTH_UNCHECKED)
		return HEALTH_SAME;
	if (agrees) {
		h->streak = 0;
		h->held = false;
		return HEALTH_SAME;
	}
	if (good && h->state == HEALTH_UNKNOWN)
		return go_up(h, &p->flap, now);
	if (h->streak < needed)
		h->streak++;
	if (h->streak < needed)
		return HEALTH_SAME;
	return good ? go_up(h, &p->flap, now) : go_down(h, &p->flap, now);
}

enum health_state health_counts_as(const struct health *h)
{
	return h->cut ? HEALTH_DOWN : h->state;
}

bool health_gate_fell(struct health *h, bool bad)
{
	const enum health_state before = health_counts_as(h);

	if (bad && h->state != HEALTH_UNCHECKED && h->state != HEALTH_DOWN)
		h->cut = true;
	return health_counts_as(h) != before;
}

enum health_change health_note_behind(struct health *h, bool good, bool gate_down,
				      const struct health_policy *p, mono_t now)
{
	const enum health_state before = health_counts_as(h);
	enum health_change change = HEALTH_SAME;

	if (!good && gate_down) {
		health_gate_fell(h, true);
	} else {
		change = health_note(h, good, p, now);
		if (good || h->state == HEALTH_DOWN)
			h->cut = false;
	}
	if (before == health_counts_as(h))
		return change == HEALTH_HELD ? HEALTH_HELD : HEALTH_SAME;
	return health_counts_as(h) == HEALTH_DOWN ? HEALTH_GOES_DOWN : HEALTH_GOES_UP;
}

uint32_t health_pace_ms(const struct health *h, const struct health_policy *p)
{
	const bool doubt = h->streak > 0 && !h->held && !h->cut;

	if (doubt && p->fast_ms)
		return p->fast_ms;
	if (health_counts_as(h) == HEALTH_DOWN && !doubt && p->down_ms)
		return p->down_ms;
	return p->interval_ms;
}

uint16_t health_took(enum health_state before, enum health_state now, const struct health_policy *p)
{
	if (now == HEALTH_UP)
		return before == HEALTH_UNKNOWN ? 1 : p->rise;
	return p->fall;
}

/* ---- several checks ----------------------------------------------------------------------------*/

enum health_state health_joined(enum health_join join, const enum health_state states[], size_t n)
{
	size_t count[HEALTH_STATES] = {0};

	for (size_t i = 0; i < n; i++)
		count[states[i]]++;
	if (count[HEALTH_UNCHECKED] == n)
		return HEALTH_UNCHECKED;
	if (join == HEALTH_ALL && count[HEALTH_DOWN])
		return HEALTH_DOWN;
	if (join == HEALTH_ANY && count[HEALTH_UP] + count[HEALTH_UNCHECKED])
		return HEALTH_UP;
	if (count[HEALTH_UNKNOWN])
		return HEALTH_UNKNOWN;
	return count[HEALTH_DOWN] ? HEALTH_DOWN : HEALTH_UP;
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
	default:
		return s == HEALTH_UNCHECKED ? "unchecked" : "unknown";
	}
}
