/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/transitions.h"

#include <errno.h>
#include <event2/event.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "engine/rehash.h"
#include "pure/transit.h"

/* Slots are looked at so often within the shortest flow timeout among services that have some in
 * transition, within these bounds. */
#define LOOKS_A_TIMEOUT 8
#define LOOK_MIN_MS 100
#define LOOK_MAX_MS 1000
#define BIRTH_US 2000000

/* ---- rules --------------------------------------------------------------------------------------*/

/* Translated connections are remembered one by one, by NAT. */
static bool all_translate(const struct service *s)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (!conf_translates(s->backends[i]->conf->forward))
			return false;
	return s->n_backends > 0;
}

static bool is_stateless(const struct conf_service *conf)
{
	return conf->protocol == IPPROTO_UDP && conf->udp_flows == CONF_UDP_STATELESS;
}

static enum transit_kind kind_of(const struct service *s)
{
	if (all_translate(s) || is_stateless(s->conf))
		return TRANSIT_AT_ONCE;
	if (!(s->flags & SHUNT_SVC_LEARN) &&
	    !(s->begins && rehash_sees_no_beginning(&s->scheme, s->conf)))
		return TRANSIT_SYN;
	/* The backends of a new service are found one by one: the first is not to have all for long. */
	return mono_diff_us(s->born, mono_now()) < BIRTH_US ? TRANSIT_AT_ONCE : TRANSIT_LEARN;
}

/* Whose flows are worth keeping: those of rows that packets get through. */
static const uint8_t *alive_of(struct engine *e, const struct service *s)
{
	size_t i;

	memset(e->scratch_alive, 0, s->rows);
	for (i = 0; i < s->n_backends; i++)
		e->scratch_alive[s->backends[i]->number] = s->backends[i]->usable;
	return e->scratch_alive;
}

static struct transit_rules rules_of(struct engine *e, const struct service *s)
{
	return (struct transit_rules){
		.kind = kind_of(s),
		.anew = s->anew,
		.flow = flow_ticks(s->conf->flow_timeout_ms),
		.believe = s->believe,
		.all = s->begins,
		.alive = alive_of(e, s),
		.now = dp_tick(e->dp),
		.idle = flow_ticks(conf_flow_timeout_ms(s->conf)),
		/* Who believes begins a timeout ago. */
		.cap = flow_ticks(s->conf->settle_within_ms + conf_flow_timeout_ms(s->conf)),
	};
}

/* ---- looking from time to time ------------------------------------------------------------------*/

static uint32_t look_ms(const struct service *s)
{
	/* One that is adopted has no configuration yet, for this moment. */
	uint32_t ms = s->conf ? conf_flow_timeout_ms(s->conf) / LOOKS_A_TIMEOUT : LOOK_MAX_MS;

	return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

/* An earlier look stays as it is. */
static void look_again(struct engine *e)
{
	uint32_t ms = LOOK_MAX_MS;
	struct timeval in;
	bool any = false;
	size_t i;

	for (i = 0; i < e->n_services; i++)
		if (e->services[i]->moving) {
			any = true;
			ms = look_ms(e->services[i]) < ms ? look_ms(e->services[i]) : ms;
		}
	if (!any || event_pending(e->look, EV_TIMEOUT, NULL))
		return;
	in = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	event_add(e->look, &in);
}

static void count(struct engine *e, struct service *s, uint32_t moving)
{
	bool was = s->moving != 0;

	s->moving = moving;
	if (was && !moving)
		rehash_wait(e);
	if (was && !moving)
		engine_tell(e, SHUNT_EVENT_TRANSITION, s, NULL,
			    "service %s: all slots have settled", s->name);
	else if (!was && moving)
		engine_tell(e, SHUNT_EVENT_TRANSITION, s, NULL,
			    "service %s: %u of %u slots change hands; their flows stay where they "
			    "are",
			    s->name, moving, s->slots);
}

static void settle(struct engine *e, struct service *s)
{
	const struct transit_rules rules = rules_of(e, s);
	uint32_t moving = 0, i;

	for (i = 0; i < s->slots; i++) {
		const struct transit_slot was = dp_slot_read(e->dp, s->slots_at, i);
		struct transit_slot slot = was;

		if (!transit_is_on(was.slot))
			continue;
		slot = transit_settle(was, &rules);
		dp_slot_write(e->dp, s->slots_at, i, &was, &slot);
		moving += transit_is_on(slot.slot);
	}
	count(e, s, moving);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < e->n_services; i++)
		if (e->services[i]->moving)
			settle(e, e->services[i]);
	look_again(e);
}

#define FORGET_EVERY_S 3600

static void on_forget(evutil_socket_t fd, short what, void *arg)
{
	const struct engine *e = arg;

	(void)fd;
	(void)what;
	dp_flows_forget_old(e->dp);
	dp_rates_refresh(e->dp);
}

int transitions_open(struct engine *e, struct engine_error *err)
{
	const struct timeval hour = {.tv_sec = FORGET_EVERY_S};

	e->look = evtimer_new(e->base, on_look, e);
	e->forget = event_new(e->base, -1, EV_PERSIST, on_forget, e);
	if (e->look && e->forget && event_add(e->forget, &hour) == 0)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

/* ---- changes ------------------------------------------------------------------------------------*/

/* Has the slots in transition be used @now: they have all of the flow timeout from here on. */
static void freshen(struct engine *e, const struct service *s, uint16_t now)
{
	uint32_t i;

	for (i = 0; i < s->slots; i++) {
		const struct transit_slot was = dp_slot_read(e->dp, s->slots_at, i);
		struct transit_slot slot = was;

		slot.base.used = now;
		if (transit_is_on(was.slot))
			dp_slot_write(e->dp, s->slots_at, i, &was, &slot);
	}
}

void transitions_freshen(struct engine *e, const struct service *s)
{
	freshen(e, s, dp_tick(e->dp));
}

void transitions_apply(struct engine *e, struct service *s, const uint16_t *wanted)
{
	const struct transit_rules rules = rules_of(e, s);
	uint32_t moving = 0, i;
	uint16_t then;

	for (i = 0; i < s->slots; i++) {
		const struct transit_slot was = dp_slot_read(e->dp, s->slots_at, i);
		struct transit_slot slot;

		slot = transit_change(was, wanted[i & (s->logical - 1)], &rules);
		dp_slot_write(e->dp, s->slots_at, i, &was, &slot);
		moving += transit_is_on(slot.slot);
	}
	then = dp_tick(e->dp);
	if (moving && transit_age(then, rules.now) > 1) /* the daemon was stopped in between */
		freshen(e, s, then);
	s->believe = s->begins = s->anew = false;
	count(e, s, moving);
	look_again(e);
}

/* A slot of a table that has doubled gets the flows that the one half as far had; and those in transition
 * all of the flow timeout, since packets will write into the former slots for a moment yet. */
void transitions_move(struct engine *e, const struct service *s, uint32_t at, uint32_t slots)
{
	const uint16_t now = dp_tick(e->dp);
	struct transit_slot was, slot = {0};
	uint32_t i;

	for (i = 0; i < slots; i++) {
		if (s->slots)
			slot = dp_slot_read(e->dp, s->slots_at, i & (s->slots - 1));
		if (transit_is_on(slot.slot))
			slot.base.used = now;
		was = dp_slot_read(e->dp, at, i);
		dp_slot_write(e->dp, at, i, &was, &slot);
	}
}

/* Ticks wrap: what was used longer ago than half of their range looks as if it were to be. */
void transitions_adopt(struct engine *e, struct service *s)
{
	const uint16_t now = dp_tick(e->dp);
	bool old = false;
	uint32_t i;

	for (i = 0; i < s->slots; i++) {
		const struct transit_slot slot = dp_slot_read(e->dp, s->slots_at, i);

		s->moving += transit_is_on(slot.slot);
		old |= transit_is_on(slot.slot) &&
		       transit_age(slot.base.used, now) > SHUNT_FLOW_AHEAD;
	}
	if (old)
		freshen(e, s, now);
}

/* ---- what a backend has left --------------------------------------------------------------------*/

/* Linear counting (Whang, Vander-Zanden and Taylor, "A linear-time probabilistic counting algorithm",
 * 1990): the slots are the bitmap into which the flows are hashed, those that have settled included. */
static void estimate(struct transitions_left *left, uint32_t had)
{
	uint32_t slots = left->slots > had ? left->slots : had;
	double m = slots, zero = (double)(slots - left->in_use);

	left->many = slots && left->in_use == slots;
	if (left->many)
		zero = 1;
	left->flows = left->in_use ? (uint32_t)(m * log(m / zero) + 0.5) : 0;
	if (left->flows < left->in_use)
		left->flows = left->in_use;
}

/* What stands in `used` at the beginning is no packet's. */
static bool was_used(const struct shunt_base *base, uint16_t age, uint16_t within)
{
	return age <= within && (int16_t)(base->used - base->since) >= 0;
}

void transitions_left(struct engine *e, const struct backend *b, uint32_t had,
		      struct transitions_left *out)
{
	const struct service *s = b->service;
	const uint16_t now = dp_tick(e->dp), within = flow_ticks(conf_flow_timeout_ms(s->conf));
	uint32_t i;

	*out = (struct transitions_left){.last = UINT16_MAX};
	for (i = 0; i < s->slots && s->moving; i++) {
		struct transit_slot slot = dp_slot_read(e->dp, s->slots_at, i);
		uint16_t age = transit_age(now, slot.base.used);

		if (!transit_is_on(slot.slot) || slot.base.base != b->number)
			continue;
		out->slots++;
		out->last = age < out->last ? age : out->last;
		if (!was_used(&slot.base, age, within))
			continue;
		out->in_use++;
		out->oldest = age > out->oldest ? age : out->oldest;
	}
	estimate(out, had);
}
