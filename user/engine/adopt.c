/* SPDX-License-Identifier: BSD-2-Clause */
/* From the maps of an earlier daemon to services without a configuration: what is in force is the
 * truth, and the owners tell whose it is. What does not fit together is left out, and so replaced by
 * the next configuration. */
#include "engine/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/policies.h"
#include "engine/quic.h"
#include "engine/transitions.h"
#include "base/own.h"
#include "pure/backend_row.h"

struct adoption {
	struct engine *e;
	int err;
	size_t room;
};

static void adopt_next_hop(struct backend *b)
{
	struct backend_row_spec spec;

	b->nexthop.state = NL_RESOLVING;
	b->told = VIEW_NH_RESOLVING;
	backend_row_read(&b->row, &spec);
	if (!spec.usable)
		return;
	b->nexthop = (struct nl_nexthop){
		.state = NL_RESOLVED,
		.ifindex = spec.ifindex,
		.vlan_tci = {spec.vlan_tci[0], spec.vlan_tci[1]},
		.tags = spec.tags,
		.mtu = spec.mtu,
		.source = spec.source,
	};
	memcpy(b->nexthop.dmac, spec.dmac, sizeof(spec.dmac));
	memcpy(b->nexthop.smac, spec.smac, sizeof(spec.smac));
	b->adopted = true;
	b->told = VIEW_NH_RESOLVED;
}

static struct backend *adopt_backend(struct engine *e, struct service *s, uint32_t number)
{
	struct shunt_owner owner;
	struct backend *b;

	dp_owner_read(e->dp, s->row + number, &owner);
	if (strncmp(owner.service, s->name, sizeof(s->name)) != 0 || !owner.backend[0] ||
	    owner.number != number)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->service = s;
	b->number = (uint16_t)number;
	memcpy(b->name, owner.backend, sizeof(b->name) - 1);
	b->addr.family = owner.addr6 ? 6 : 4;
	memcpy(b->addr.bytes, owner.addr, sizeof(owner.addr));
	dp_backend_read(e->dp, s->row + number, &b->row);
	adopt_next_hop(b);
	b->usable = b->row.flags & SHUNT_BE_USABLE;
	b->drain.by = owner.leaves_by;
	health_init(&b->health, b->usable ? HEALTH_UNKNOWN : HEALTH_DOWN, mono_now());
	return b;
}

static int adopt_backends(struct engine *e, struct service *s)
{
	uint32_t number;

	s->backends = calloc(s->rows, sizeof(struct backend *));
	if (!s->backends)
		return -ENOMEM;
	for (number = 1; number < s->rows; number++) {
		struct backend *b = adopt_backend(e, s, number);

		if (b)
			s->backends[s->n_backends++] = b;
	}
	return 0;
}

/* How many slots each has, by which the pools in force are known. */
static void count_slots(struct engine *e, struct service *s)
{
	uint32_t *owned = e->scratch_counts, i;
	size_t k;

	memset(owned, 0, (SHUNT_BACKENDS_PER_SERVICE + 1) * sizeof(*owned));
	dp_slots_read(e->dp, s->slots_at, e->scratch_slots, s->slots);
	for (i = 0; i < s->slots; i++)
		owned[e->scratch_slots[i] & SHUNT_SLOT_BACKEND]++;
	for (k = 0; k < s->n_backends; k++)
		s->backends[k]->slots = owned[s->backends[k]->number];
}

static bool fits(const struct engine *e, const struct dp_service *found,
		 const struct shunt_owner *owner)
{
	const struct dp_sizes *sizes = dp_sizes(e->dp);
	uint64_t lines = ((uint64_t)found->svc.slot_mask + 1) / SHUNT_SLOTS_PER_LINE;

	return owner->service[0] && !owner->backend[0] && owner->rows >= 2 && lines >= 1 &&
	       (uint64_t)found->svc.row + owner->rows <= sizes->rows &&
	       found->svc.slots_at + lines <= sizes->slot_lines;
}

static int claim(struct engine *e, struct service *s)
{
	int err = ranges_claim(&e->rows, s->row, s->rows);

	if (err)
		return err;
	err = ranges_claim(&e->lines, s->slots_at, s->slots / SHUNT_SLOTS_PER_LINE);
	if (err)
		ranges_give(&e->rows, s->row, s->rows);
	return err;
}

static struct scheme scheme_of(const struct shunt_service *svc)
{
	return (struct scheme){
		.scheduler = svc->scheduler,
		.affinity = svc->flags & SHUNT_SVC_AFFINE,
		.source_bits = svc->flags & SHUNT_SVC_SOURCE ? svc->source_bits : 0,
	};
}

static int adopt_service(struct adoption *a, const struct dp_service *found)
{
	struct engine *e = a->e;
	struct shunt_owner owner;
	struct service *s;
	int err;

	if (found->svc.row >= dp_sizes(e->dp)->rows)
		return 0;
	dp_owner_read(e->dp, found->svc.row, &owner);
	if (!fits(e, found, &owner))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	memcpy(s->name, owner.service, sizeof(s->name) - 1);
	s->row = found->svc.row;
	s->rows = owner.rows;
	s->slots_at = found->svc.slots_at;
	s->slots = found->svc.slot_mask + 1;
	s->logical = s->slots;
	s->flags = found->svc.flags;
	s->scheme = scheme_of(&found->svc);
	if (s->flags & SHUNT_SVC_KEEP)
		s->keeps_since.us = (int64_t)owner.keeps_since;
	s->knows_all = s->flags & SHUNT_SVC_FLOWS && owner.knows_all;
	s->policy = found->svc.policy;
	if (claim(e, s)) {
		free(s);
		return 0;
	}
	transitions_adopt(e, s);
	quic_adopt(e, s, found);
	e->services[e->n_services++] = s;
	err = adopt_backends(e, s);
	if (!err)
		count_slots(e, s);
	return err;
}

static void on_service(void *arg, const struct dp_service *found)
{
	struct adoption *a = arg;

	if (!a->err)
		a->err = policies_adopt(a->e, found);
	if (!a->err && a->e->n_services < a->room)
		a->err = adopt_service(a, found);
}

/* Rows that nobody holds but that name an owner: a reload was cut off before it was in force, or
 * before it had cleaned up. */
static void clear_leftovers(struct engine *e)
{
	const struct shunt_backend no_backend = {0};
	const struct shunt_owner nobody = {0};
	struct shunt_owner owner;
	size_t i;
	uint32_t row;

	for (i = 0; i < e->rows.count; i++) {
		const struct range *r = &e->rows.free[i];

		for (row = r->at; row < r->at + r->n; row++) {
			dp_owner_read(e->dp, row, &owner);
			if (!owner.service[0])
				continue;
			dp_backend_write(e->dp, row, &no_backend);
			dp_owner_write(e->dp, row, &nobody);
		}
	}
}

int adopt_tables(struct engine *e)
{
	struct adoption a = {.e = e, .room = (size_t)dp_sizes(e->dp)->services * 2};
	int err;

	err = ranges_init(&e->rows, dp_sizes(e->dp)->rows);
	if (!err)
		err = ranges_init(&e->lines, dp_sizes(e->dp)->slot_lines);
	if (!err)
		err = policies_init(e);
	if (!err)
		err = quic_init(e);
	if (err || !dp_adopted(e->dp))
		return err;
	e->services = calloc(a.room + 1, sizeof(struct service *));
	if (!e->services)
		return -ENOMEM;
	dp_services_each(e->dp, on_service, &a);
	policies_sort(&e->policies);
	if (!a.err)
		clear_leftovers(e);
	if (e->n_services)
		log_info("adopted the services of an earlier daemon: %zu; forwarding went on",
			 e->n_services);
	return a.err;
}
