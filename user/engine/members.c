/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of a service's backends gets packets: what the engine knows of them, put to pool_decide(), and
 * what comes of it. */
#include "engine/state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#include "engine/passive.h"

static bool has_next_hop(const struct engine *e, const struct backend *b)
{
	enum view_nexthop state = nexthops_state(e, b);

	return state == VIEW_NH_RESOLVED || state == VIEW_NH_NOT_NEEDED;
}

struct pool_policy members_policy(const struct engine *e, const struct conf_service *conf)
{
	return (struct pool_policy){
		.open_when_empty = conf->on_empty == CONF_EMPTY_ALL,
		.panic = (uint8_t)conf->panic,
		.min_healthy = conf->min_healthy.n,
		.percent = conf->min_healthy.percent,
		.slow_start_ms = conf->slow_start_ms,
		.starting = !e->said_ready,
	};
}

void members_ask(const struct engine *e, const struct backend *b, struct pool_backend *out)
{
	*out = (struct pool_backend){
		.weight = b->weight,
		.pool = (uint8_t)b->conf->pool,
		.up = health_is_usable(&b->health) && !passive_is_out(b),
		.taken_out = passive_is_out(b),
		.reachable = has_next_hop(e, b),
		.drained = b->drained || b->disabled,
		.idle = b->drain.state == VIEW_DRAIN_DONE,
		.expired = b->drain.state == VIEW_DRAIN_EXPIRED || b->disabled,
		.warm = b->warm,
		.climbs_since = b->climbs_since,
	};
}

bool members_stands_by(const struct backend *b)
{
	return b->usable && b->weight && !b->drained && !b->disabled && !b->in_slots;
}

static void take(struct backend *b, const struct pool_backend *p)
{
	b->usable = p->usable;
	b->in_slots = p->takes;
	b->held_back = p->held_back;
	b->warm = p->warm;
	b->climbs_since = p->climbs_since;
	if (!members_stands_by(b))
		b->standby_since = mono_never();
	else if (mono_is_never(b->standby_since))
		b->standby_since = mono_now();
}

/* ---- again -------------------------------------------------------------------------------------*/

static bool is_earlier(mono_t a, mono_t b)
{
	return !mono_is_never(a) && (mono_is_never(b) || a.us < b.us);
}

/* Has on_again run at @when, or before. */
static void wake(struct engine *e, mono_t when)
{
	int64_t us = mono_diff_us(mono_now(), when);
	struct timeval wait = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	if (mono_is_never(when) ||
	    (event_pending(e->again, EV_TIMEOUT, NULL) && !is_earlier(when, e->wakes)))
		return;
	if (us < 0)
		wait = (struct timeval){0};
	e->wakes = when;
	event_add(e->again, &wait);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	mono_t now = mono_now(), next = mono_never();
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < e->n_services; i++) {
		struct service *s = e->services[i];

		if (mono_is_never(s->again))
			continue;
		if (mono_diff_us(s->again, now) >= 0)
			service_touch(e, s);
		else if (is_earlier(s->again, next))
			next = s->again;
	}
	wake(e, next);
}

int members_open(struct engine *e, struct engine_error *err)
{
	e->again = evtimer_new(e->base, on_again, e);
	if (e->again)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

/* The last pool that has slots: what was decided before, also by an earlier daemon. */
static uint8_t pool_in_force(const struct service *s)
{
	uint8_t last = 0;
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->slots && s->backends[i]->conf->pool > last)
			last = (uint8_t)s->backends[i]->conf->pool;
	return last;
}

static const char *last_pool_words(uint8_t pool, char out[static 16])
{
	if (pool == POOL_BACKUP)
		return "the backups";
	snprintf(out, 16, "pool %u", pool);
	return out;
}

static void tell_pools(struct engine *e, const struct service *s, uint8_t former)
{
	char words[16];

	if (!e->said_ready || s->last_pool == former)
		return;
	engine_tell(e, SHUNT_EVENT_POOL, s, NULL, "service %s: %s: new flows go to pools up to %s",
		    s->name,
		    s->last_pool > former ? "too few backends are up" : "enough backends are up",
		    last_pool_words(s->last_pool, words));
}

static void tell_panic(struct engine *e, const struct service *s, const struct pool_answer *now)
{
	if (!e->said_ready || s->pools.panicking == now->panicking)
		return;
	engine_tell(e, SHUNT_EVENT_POOL, s, NULL,
		    "service %s: %u of %u backends are up, %s panic: %u%%: %s", s->name, now->up,
		    now->wanted, now->panicking ? "less than" : "and enough for", s->conf->panic,
		    now->panicking ? "all of them are used, whatever their checks say"
				   : "their checks count again");
}

void members_words(const struct engine *e, const struct backend *b, char out[static POOL_WORDS_MAX])
{
	const struct pool_policy policy = members_policy(e, b->service->conf);
	struct pool_backend p;

	members_ask(e, b, &p);
	p.usable = b->usable;
	p.takes = b->in_slots;
	p.held_back = b->held_back;
	pool_words(&p, &policy, &b->service->pools, out);
}

void members_decide(struct engine *e, struct service *s)
{
	const struct pool_policy policy = members_policy(e, s->conf);
	const uint8_t former = s->last_pool;
	struct pool_answer answer = {.last_pool = pool_in_force(s),
				     .panicking = s->pools.panicking};
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		members_ask(e, s->backends[i], &e->scratch_pool[i]);
	pool_decide(e->scratch_pool, s->n_backends, &policy, mono_now(), &answer);
	for (i = 0; i < s->n_backends; i++)
		take(s->backends[i], &e->scratch_pool[i]);
	s->usable = answer.takers;
	s->failing_open = answer.failing_open;
	s->last_pool = answer.last_pool;
	tell_panic(e, s, &answer);
	s->pools = answer;
	tell_pools(e, s, former);
	s->again = answer.again;
	wake(e, s->again);
}
