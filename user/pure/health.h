/* SPDX-License-Identifier: BSD-2-Clause */
/* From probe results to a conclusion: rise and fall by consecutive counts, who comes and goes too often
 * is held down, and how soon to probe again. No clock: times are arguments. */
#ifndef SHUNT_HEALTH_H
#define SHUNT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"

enum health_state {
	HEALTH_UNKNOWN, /* no verdict yet: counts as up, since unknown does not mean down */
	HEALTH_UP,
	HEALTH_DOWN,
	HEALTH_UNCHECKED, /* no check configured: up */
	HEALTH_STATES,
};

/* Damping after RFC 2439, section 4: each time it goes from up to down a penalty is added, which decays by half
 * every half-life. Above `suppress` it is held down, whatever the probes say, until the penalty is
 * below `reuse`, or nothing has been added for max_ms. */
struct health_flap {
	uint32_t suppress; /* 0: no damping */
	uint32_t reuse; /* less than suppress */
	uint32_t penalty; /* for one time */
	uint32_t half_life_ms, max_ms; /* not 0 */
};

struct health_policy {
	uint16_t rise, fall; /* consecutive results; at least 1 */
	uint32_t interval_ms;
	uint32_t fast_ms; /* while in doubt; 0: as interval_ms */
	uint32_t down_ms; /* while down and not in doubt; 0: as interval_ms */
	struct health_flap flap;
};

struct health {
	enum health_state state;
	uint16_t streak; /* consecutive results that speak against the state */
	bool held; /* down although the probes say up: it has flapped */
	bool cut; /* counts as down, since what it needs is down and it does not answer */
	uint32_t penalty; /* as it was at `charged` */
	mono_t charged; /* never: not at all yet */
	mono_t since; /* when the state began */
};

enum health_change {
	HEALTH_SAME,
	HEALTH_GOES_UP,
	HEALTH_GOES_DOWN,
	HEALTH_HELD, /* would go up, but is held down from now on */
};

/* @initial: HEALTH_UNKNOWN, HEALTH_UNCHECKED, or what an earlier daemon had concluded. */
void health_init(struct health *h, enum health_state initial, mono_t now);

/* Takes one result. From UNKNOWN the first good result makes UP; `fall` bad ones make DOWN. From UP
 * `fall` consecutive bad ones, from DOWN `rise` consecutive good ones; one that agrees with the state
 * resets the streak. What is held down goes up with the first good result after its time, if the
 * `rise` results before it were good too. */
enum health_change health_note(struct health *h, bool good, const struct health_policy *p,
			       mono_t now);

/* The same of one that needs something else, a gateway say, which is down if @gate_down: a bad result
 * is not held against it then, but it is cut off, and counts as down, from the first one on until it
 * answers again, or is down itself. One that answers is not cut off. */
enum health_change health_note_behind(struct health *h, bool good, bool gate_down,
				      const struct health_policy *p, mono_t now);

/* What it needs has gone down; @bad: its own last result was bad, so that it is cut off now. Returns
 * true when what it counts as has changed. */
bool health_gate_fell(struct health *h, bool bad);

/* What it counts as: DOWN when it is cut off, else its state. */
enum health_state health_counts_as(const struct health *h);

/* How long from the start of a probe to the next one's: fast while results speak against the state but
 * are too few, or, unknown, none was good yet. */
uint32_t health_pace_ms(const struct health *h, const struct health_policy *p);

/* The penalty now. */
uint32_t health_penalty(const struct health *h, const struct health_flap *f, mono_t now);

/* For how long it is held down yet, to the second above; 0: it is not, or no longer. */
uint32_t health_held_s(const struct health *h, const struct health_flap *f, mono_t now);

/* How many consecutive results have made the state what it is, by the policy. */
uint16_t health_took(enum health_state before, enum health_state now,
		     const struct health_policy *p);

/* What several checks of one backend say of it. */
enum health_join {
	HEALTH_ALL, /* down when one is down; unknown when one is unknown, and none down */
	HEALTH_ANY, /* up when one is up; down when all are; UNCHECKED counts as up in both */
};
/* UNCHECKED when @n is 0. */
enum health_state health_joined(enum health_join join, const enum health_state states[], size_t n);

/* True in every state but HEALTH_DOWN. */
bool health_is_usable(const struct health *h);

const char *health_name(enum health_state s); /* "unknown", "up", "down", "unchecked" */

#endif
