/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/transit.h"

/* By how many ticks one that is to come can be ahead, and some more: SHUNT_FLOW_AHEAD, and what the packet
 * path writes while the daemon looks. */
#define TO_COME 64u

uint16_t transit_age(uint16_t now, uint16_t then)
{
	return (uint16_t)(then - now) <= TO_COME ? 0 : (uint16_t)(now - then);
}

static uint16_t cur_of(uint16_t slot)
{
	return slot & SHUNT_SLOT_BACKEND;
}

/* The later of the tick after now and that after the last transition's, since what that has left in the
 * flow table must not count. The packet path takes entries from SHUNT_FLOW_AHEAD ticks ahead; a slot
 * that has had more transitions than that within a tick is beyond what health checks can cause. */
static uint16_t since_of(uint16_t former, const struct transit_rules *rules)
{
	uint16_t next = (uint16_t)(rules->now + 1);
	uint16_t ahead = (uint16_t)(former + 1 - rules->now);

	if (rules->believe)
		return (uint16_t)(rules->now - rules->idle);
	if (ahead < 2 || ahead > SHUNT_FLOW_AHEAD)
		return next;
	return (uint16_t)(rules->now + (ahead < SHUNT_FLOW_AHEAD ? ahead : SHUNT_FLOW_AHEAD - 1));
}

static struct transit_slot begin(struct transit_slot s, uint16_t want,
				 const struct transit_rules *rules)
{
	return (struct transit_slot){
		.slot = want | SHUNT_SLOT_CHANGED,
		.base = {.base = rules->alive[cur_of(s.slot)] ? cur_of(s.slot) : 0,
			 .used = rules->now,
			 .since = since_of(s.base.since, rules),
			 .flags = (rules->kind == TRANSIT_LEARN ? SHUNT_BASE_LEARNING : 0) |
				  (rules->all ? SHUNT_BASE_SINCE : 0)},
	};
}

/* Takes away from @number what it has in the slot by being its base; entries are not concerned. */
static struct transit_slot transit_leave(struct transit_slot s, uint16_t number, uint16_t now)
{
	if (transit_is_on(s.slot) && s.base.base == number) {
		s.base.base = 0;
		s.base.used = now;
		s.base.flags &= (uint16_t)~SHUNT_BASE_LEARNING;
	}
	return s;
}

/* Whoever was cur may have flows, known by their entries: they get the whole of `idle` to show. Where
 * the base has died, those of which nothing is remembered have been cur's. */
static struct transit_slot go_on(struct transit_slot s, uint16_t want,
				 const struct transit_rules *rules)
{
	uint16_t cur = cur_of(s.slot);

	if (s.base.base && !rules->alive[s.base.base])
		s = transit_leave(s, s.base.base, rules->now);
	if (rules->believe && !(s.base.flags & SHUNT_BASE_SINCE))
		s.base.since = since_of(s.base.since, rules);
	if (rules->all)
		s.base.flags |= SHUNT_BASE_SINCE;
	if (rules->believe || rules->all)
		s.base.used = rules->now; /* which nobody writes while all is remembered */
	if (cur == want)
		return s;
	if (!s.base.base && rules->alive[cur])
		s.base.base = cur;
	s.base.used = rules->now;
	s.slot = want | SHUNT_SLOT_CHANGED;
	return s;
}

/* Nobody whose flow is not remembered has ever been here. */
static struct transit_slot begin_anew(uint16_t want, const struct transit_rules *rules)
{
	return (struct transit_slot){
		.slot = want | SHUNT_SLOT_CHANGED,
		.base = {.used = rules->now, .since = (uint16_t)(rules->now - rules->flow)},
	};
}

static struct transit_slot settled(struct transit_slot s, uint16_t cur)
{
	s.slot = cur;
	return s;
}

struct transit_slot transit_change(struct transit_slot s, uint16_t want,
				   const struct transit_rules *rules)
{
	uint16_t cur = cur_of(s.slot);

	if (rules->kind == TRANSIT_AT_ONCE)
		return settled(s, want);
	if (rules->anew)
		return begin_anew(want, rules);
	if (transit_is_on(s.slot))
		return go_on(s, want, rules);
	if (!rules->believe && !rules->all && (cur == want || !rules->alive[cur]))
		return settled(s, want);
	return begin(s, want, rules);
}

/* The packet path may have written `used` since the word was read, and a tick may go by before it is
 * written: whatever else changes in it, `used` is now, and what is to be old has a tick more. */
static struct transit_slot end_of_learning(struct transit_slot s, const struct transit_rules *rules)
{
	s.base.flags &= (uint16_t)~SHUNT_BASE_LEARNING;
	s.base.used = rules->now;
	return s;
}

struct transit_slot transit_settle(struct transit_slot s, const struct transit_rules *rules)
{
	uint16_t lasts = transit_age(rules->now, s.base.since);

	if (!transit_is_on(s.slot))
		return s;
	if (s.base.flags & SHUNT_BASE_LEARNING && rules->kind != TRANSIT_AT_ONCE)
		return lasts > rules->idle + 1 ? end_of_learning(s, rules) : s;
	/* What does not count would, once the slot has settled. */
	if (s.base.flags & SHUNT_BASE_SINCE && lasts <= rules->idle)
		return s;
	if (rules->kind == TRANSIT_AT_ONCE || lasts > rules->cap ||
	    transit_age(rules->now, s.base.used) > rules->idle + 1)
		return settled(s, cur_of(s.slot));
	return s;
}
