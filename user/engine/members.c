/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of a service's backends gets packets: what the engine knows of them, put to pool_decide(), and
 * what comes of it. */
#include "engine/state.h"

static bool has_next_hop(const struct engine *e, const struct backend *b)
{
	enum view_nexthop state = nexthops_state(e, b);

	return state == VIEW_NH_RESOLVED || state == VIEW_NH_NOT_NEEDED;
}

static struct pool_policy policy_of(const struct engine *e, const struct service *s)
{
	return (struct pool_policy){
		.open_when_empty = s->conf->on_empty == CONF_EMPTY_ALL,
		.starting = !e->said_ready,
	};
}

static void ask(const struct engine *e, const struct backend *b, struct pool_backend *p)
{
	*p = (struct pool_backend){
		.weight = b->weight,
		.up = health_is_usable(&b->health),
		.reachable = has_next_hop(e, b),
		.drained = b->drained,
		.warm = b->warm,
		.climbs_since = b->climbs_since,
	};
}

static void take(struct backend *b, const struct pool_backend *p)
{
	b->usable = p->usable;
	b->in_slots = p->takes;
	b->held_back = p->held_back;
	b->warm = p->warm;
	b->climbs_since = p->climbs_since;
}

void members_decide(struct engine *e, struct service *s)
{
	const struct pool_policy policy = policy_of(e, s);
	struct pool_answer answer = {.last_pool = s->last_pool};
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		ask(e, s->backends[i], &e->scratch_pool[i]);
	pool_decide(e->scratch_pool, s->n_backends, &policy, mono_now(), &answer);
	for (i = 0; i < s->n_backends; i++)
		take(s->backends[i], &e->scratch_pool[i]);
	s->usable = answer.takers;
	s->failing_open = answer.failing_open;
	s->last_pool = answer.last_pool;
}
