/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "engine/explain.h"
#include "pure/explain.h"

static size_t count_pools(const struct engine *e, const struct service *s,
			  struct explain_pool pools[static POOL_MAX])
{
	struct explain_pool all[POOL_MAX] = {0};
	struct pool_backend known;
	size_t i, n = 0;

	for (i = 0; i < s->n_backends; i++) {
		const struct backend *b = s->backends[i];
		struct explain_pool *p = &all[b->conf->pool];

		if (b->leaving)
			continue;
		p->backends++;
		members_ask(e, b, &known);
		p->up += known.up && known.reachable;
		p->used |= b->in_slots;
	}
	for (i = 0; i < POOL_MAX; i++)
		if (all[i].backends) {
			pools[n] = all[i];
			pools[n++].number = (uint8_t)i;
		}
	return n;
}

int explain_service(struct engine *e, const char *name, struct explanation *out)
{
	struct explain_pool pools[POOL_MAX];
	struct explain_service x = {.pools = pools};
	const struct service *s;
	struct pool_policy policy;
	size_t i = 0;

	while (i < e->n_services && strcmp(e->services[i]->name, name) != 0)
		i++;
	if (!views_service(e, (uint32_t)i, &x.view))
		return -ENOENT;
	s = e->services[i];
	policy = members_policy(e, s->conf);
	x.flow_timeout_ms = s->conf->flow_timeout_ms;
	x.min_healthy = policy.min_healthy ? policy.min_healthy : 1;
	x.percent = policy.percent;
	x.panic = policy.panic;
	x.wanted = s->pools.wanted;
	x.up = s->pools.up;
	x.enough = s->pools.enough;
	x.n_pools = count_pools(e, s, pools);
	x.has_list = s->conf->has_list;
	x.only_allowed = s->conf->only_allowed;
	x.has_rates = s->conf->rate.new_flows || s->conf->rate.per_source;
	out->n_steps = explain_service_words(&x, out->steps);
	return 0;
}
