/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a slot when its service's backends change, and when it settles: the daemon's half of
 * what include/shunt_abi.h says at struct shunt_slot_line. One slot in, one slot out: no clock, and
 * nothing kept besides what stands in the maps, so that a daemon that starts anew goes on. */
#ifndef SHUNT_TRANSIT_H
#define SHUNT_TRANSIT_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt_abi.h"

struct transit_slot {
	uint16_t slot; /* SHUNT_SLOT_CHANGED and the number of cur */
	struct shunt_base base; /* of a settled slot only `since` holds */
};

/* How a service tells flows that it has from new ones. */
enum transit_kind {
	TRANSIT_SYN, /* new flows begin with a SYN; or all are remembered, and few had no room */
	TRANSIT_LEARN, /* nothing tells: slots learn their flows first (SHUNT_SVC_LEARN) */
	TRANSIT_AT_ONCE, /* nobody minds, or somebody else remembers: never in transition */
};

/* Of all slots of a service. Ticks are flow ticks, 16 bits that wrap; spans are at most 32767. */
struct transit_rules {
	enum transit_kind kind;
	/* Entries made before the change count too: until now every flow was remembered. */
	bool believe;
	/* Few flows have been remembered so far, and from now on all are: what is found of others does not
	 * count (SHUNT_BASE_SINCE); TRANSIT_LEARN: all slots learn. */
	bool all;
	const uint8_t *alive; /* [number]: may get packets. [0] is 0 */
	uint16_t now;
	uint16_t idle; /* the service's flow timeout: a flow without packets for longer has ended */
	/* Slots are found by another hash from now on, entries by the same: of what each flow was given in
	 * the last @flow ticks there is an entry, and it counts. */
	bool anew;
	uint16_t flow;
	uint16_t cap; /* how long a transition may last */
};

/* New flows of the slot are to go to @want, 0: to nobody. A slot whose former owner lives goes into
 * transition, or stays in it; one whose owner is dead is @want's at once. Also to be called with @want
 * as it is when somebody has died. */
struct transit_slot transit_change(struct transit_slot s, uint16_t want,
				   const struct transit_rules *rules);

/* To be called from time to time: ends learning after `idle`, and in a later call the transition, when
 * no packet has gone elsewhere than to cur for longer than `idle`, or `cap` has passed. What it decides is
 * to be written before the next slot is read. */
struct transit_slot transit_settle(struct transit_slot s, const struct transit_rules *rules);

static inline bool transit_is_on(uint16_t slot)
{
	return slot & SHUNT_SLOT_CHANGED;
}

/* Ticks from @then to @now, also when that is nearly all of a wrap ago: a daemon may have been away for
 * hours. 0 when @then is to come. */
uint16_t transit_age(uint16_t now, uint16_t then);

#endif
