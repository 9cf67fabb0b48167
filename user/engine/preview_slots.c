/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose the slots of a service would be, once what is planned has been done and all has settled. Backends
 * that are new, and those whose check is another one, are taken for up. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "engine/loads.h"
#include "engine/preview.h"

#define WHOLE 1000000u

/* What the backend would be to pool_decide(). */
static struct pool_backend will_be(const struct engine *e, const struct edits *edits,
				   const struct change_backend *cb)
{
	const struct edit *edit;
	struct pool_backend p = {.up = true, .reachable = true};

	if (!cb->is_new)
		members_ask(e, cb->backend, &p);
	p.up |= cb->check_changed;
	p.warm = true; /* nobody climbs for ever */
	p.climbs_since = mono_never();
	p.drained = !cb->conf;
	p.weight = cb->conf ? cb->conf->weight : 0;
	if (!cb->conf)
		return p;
	edit = edits_find(edits, cb->backend->service->name, cb->backend->name);
	p.pool = (uint8_t)cb->conf->pool;
	p.expired = edit && edit->disabled;
	p.idle = false;
	p.drained = edit && (edit->drained || edit->disabled);
	if (edit && edit->has_weight)
		p.weight = edit->weight;
	return p;
}

/* Fills e->scratch_slots; returns how many backends get new flows because they are well. */
static uint32_t fill(struct engine *e, const struct edits *edits, const struct change *c)
{
	struct pool_policy policy = members_policy(e, c->conf);
	struct pool_answer answer = {0};
	size_t i;

	policy.slow_start_ms = 0;
	for (i = 0; i < c->n_backends; i++)
		e->scratch_pool[i] = will_be(e, edits, &c->backends[i]);
	pool_decide(e->scratch_pool, c->n_backends, &policy, mono_now(), &answer);
	for (i = 0; i < c->n_backends; i++) {
		const struct backend *b = c->backends[i].backend;
		const uint16_t weight = e->scratch_pool[i].weight;

		e->scratch[i] = (struct slot_backend){
			.id = slot_backend_id(b->name),
			.number = b->number,
			.weight = c->conf->scheduler == SHUNT_LC ? weight > 0 : weight,
			.up = e->scratch_pool[i].takes,
		};
	}
	if (slots_make(e, c->conf->scheduler, c->n_backends, c->logical))
		memset(e->scratch_slots, 0, c->logical * sizeof(*e->scratch_slots));
	return answer.takers;
}

/* Leaves in e->scratch_counts how many slots each number would have. */
static void count(struct engine *e, const struct change *c)
{
	uint32_t i;
	size_t k;

	e->scratch_counts[0] = 0;
	for (k = 0; k < c->n_backends; k++)
		e->scratch_counts[c->backends[k].backend->number] = 0;
	for (i = 0; i < c->logical; i++)
		e->scratch_counts[e->scratch_slots[i]] += c->slots / c->logical;
}

/* Slots whose new flows would go elsewhere; those of a table that grows are compared with those that they
 * come from. */
static uint32_t moved(const struct engine *e, const struct change *c)
{
	const struct service *s = c->service;
	auto_free uint16_t *now = calloc(s->slots + 1, sizeof(*now));
	uint32_t n = 0, i;

	if (!now || !s->slots)
		return 0;
	dp_slots_read(e->dp, s->slots_at, now, s->slots);
	for (i = 0; i < c->slots; i++)
		n += (now[i & (s->slots - 1)] & SHUNT_SLOT_BACKEND) !=
		     e->scratch_slots[i & (c->logical - 1)];
	return n;
}

/* ---- flows --------------------------------------------------------------------------------------*/

static bool has_port(const struct conf_service *conf, const struct conf_ports *range)
{
	size_t i;

	for (i = 0; i < conf->n_ports; i++)
		if (conf->ports[i].from <= range->from && range->to <= conf->ports[i].to)
			return true;
	return conf->n_ports == 0;
}

/* No packet of its flows would find the service. */
static bool is_elsewhere(const struct conf_service *now, const struct conf_service *then)
{
	size_t i;

	if (now->protocol != then->protocol ||
	    !addr_is_within(&now->vip, &then->vip, then->vip_bits))
		return true;
	for (i = 0; i < now->n_ports; i++)
		if (has_port(then, &now->ports[i]))
			return false;
	return now->n_ports && then->n_ports;
}

static uint32_t flows_moved(const struct plan *p, const struct change *c, uint32_t slots_moved)
{
	const struct service *s = c->service;
	uint64_t slots = 0;
	size_t i;

	if (is_elsewhere(s->conf, c->conf))
		return WHOLE;
	if (c->conf->protocol == IPPROTO_UDP && c->conf->udp_flows == CONF_UDP_STATELESS)
		return (uint32_t)((uint64_t)slots_moved * WHOLE / c->slots);
	for (i = 0; i < p->n_gone_backends; i++)
		if (p->gone_backends[i].backend->service == s)
			slots += p->gone_backends[i].backend->slots;
	return s->slots ? (uint32_t)(slots * WHOLE / s->slots) : 0;
}

bool preview_flows(const struct engine *e, const struct service *s, uint64_t *flows)
{
	uint64_t of_backend;
	size_t i;

	*flows = 0;
	for (i = 0; i < s->n_backends; i++) {
		if (!loads_flows(e, s->backends[i], &of_backend))
			return false;
		*flows += of_backend;
	}
	return s->n_backends > 0;
}

uint32_t preview_slots(struct engine *e, const struct edits *edits, const struct plan *p,
		       const struct change *c, struct view_plan *out)
{
	uint32_t takers;

	if (c->n_backends > SHUNT_BACKENDS_PER_SERVICE)
		return 0;
	takers = fill(e, edits, c);
	count(e, c);
	out->slots = c->slots;
	out->slots_before = c->service->slots;
	if (c->is_new)
		return takers;
	out->slots_moved = moved(e, c);
	out->flows_moved = flows_moved(p, c, out->slots_moved);
	out->flows_known = preview_flows(e, c->service, &out->flows);
	return takers;
}
