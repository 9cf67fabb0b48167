/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets a service's packets, and the order of writes that makes it so: first the rows of those
 * that may get packets, then the slots that name them, then the rows of those that no longer may. */
#include "engine/state.h"

#include "engine/paths.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/log.h"
#include "engine/loads.h"
#include "engine/replicate.h"
#include "engine/transitions.h"
#include "pure/backend_row.h"

/* What varies by flow leaves the last two bits alone: with one of them set no source is the first of
 * its prefix, which may be a network's own address, from which hosts take nothing. */
static void fill_tunnel(const struct backend *b, struct backend_row_spec *spec)
{
	const struct conf_tunnel *tunnel = &b->service->conf->tunnel;
	const struct conf_source *set = b->addr.family == 6 ? &tunnel->source6 : &tunnel->source4;

	spec->udp_csum = tunnel->gue_checksum == CONF_GUE_FULL;
	if (addr_is_none(&set->addr)) {
		spec->source = b->nexthop.source;
		return;
	}
	spec->source = set->addr;
	spec->source_bits = set->bits;
	if (set->bits)
		spec->source.bytes[addr_bits(&set->addr) / 8 - 1] |= 1;
}

static void build_row(const struct engine *e, const struct backend *b, bool usable,
		      struct shunt_backend *out)
{
	enum shunt_forward method = b->conf->forward;
	struct backend_row_spec spec = {
		.addr = b->addr,
		.ifindex = b->nexthop.ifindex,
		.tags = b->nexthop.tags,
		.mtu = b->nexthop.mtu,
		.method = method,
		.vip_family = b->service->conf->vip.family,
		.usable = usable,
		.no_new = b->drained || b->disabled || b->weight == 0,
		.passive = b->service->conf->passive.action != PASSIVE_OFF,
	};

	if (conf_translates(method))
		nat_fill_row(e, b, &spec);
	if (method == SHUNT_LOCAL)
		spec.mtu = UINT16_MAX;
	else if (backend_row_is_tunnel(method))
		fill_tunnel(b, &spec);
	memcpy(spec.dmac, b->nexthop.dmac, sizeof(spec.dmac));
	memcpy(spec.smac, b->nexthop.smac, sizeof(spec.smac));
	memcpy(spec.vlan_tci, b->nexthop.vlan_tci, sizeof(spec.vlan_tci));
	backend_row_build(&spec, out);
}

static void write_row(struct engine *e, struct backend *b)
{
	struct shunt_backend row;

	paths_aim(e, b);
	/* Given another method while no daemon ran: the former one serves for this moment. */
	if (b->adopted && b->usable && !nexthops_has_source(b))
		return;
	build_row(e, b, b->usable, &row);
	if (memcmp(&row, &b->row, sizeof(row)) == 0)
		return;
	dp_backend_write(e->dp, b->service->row + b->number, &row);
	b->row = row;
}

static void write_rows(struct engine *e, struct service *s, bool usable)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->usable == usable)
			write_row(e, s->backends[i]);
}

/* lc and wlc take two slots by two hashes. */
static bool is_by_hash(enum shunt_scheduler s)
{
	return !conf_remembers_flows(s) || conf_counts_flows(s);
}

int slots_make(struct engine *e, enum shunt_scheduler scheduler, size_t n, uint32_t logical)
{
	if (is_by_hash(scheduler))
		return maglev_fill(e->scratch, n, e->scratch_slots, logical);
	return interleave_fill(e->scratch, n, scheduler == SHUNT_RR, e->scratch_slots, logical);
}

/* False when the table could not be made; an empty one is a table too. */
static bool fill_slots(struct engine *e, struct service *s)
{
	struct slot_backend *in = e->scratch;
	size_t i;
	int err;

	for (i = 0; i < s->n_backends; i++) {
		const struct backend *b = s->backends[i];

		in[i] = (struct slot_backend){
			.id = slot_backend_id(b->name),
			.number = b->number,
			.weight = s->scheme.scheduler == SHUNT_LC ? b->weight > 0 : b->weight,
			.up = b->in_slots,
			.held_back = b->held_back,
		};
	}
	err = slots_make(e, s->scheme.scheduler, s->n_backends, s->logical);
	if (!err || err == -ENOENT)
		return true;
	log_error("service %s: slots not rebuilt: %s; the former ones stay", s->name,
		  strerror(-err));
	return false;
}

static void count_slots(struct engine *e, struct service *s)
{
	uint32_t *owned = e->scratch_counts;
	uint32_t i;
	size_t k;

	for (k = 0; k < s->n_backends; k++)
		owned[s->backends[k]->number] = 0;
	owned[0] = 0;
	for (i = 0; i < s->logical; i++)
		owned[e->scratch_slots[i]] += s->slots / s->logical;
	for (k = 0; k < s->n_backends; k++)
		s->backends[k]->slots = owned[s->backends[k]->number];
}

static const char *when_empty(const struct service *s)
{
	if (s->pools.panicking)
		return "packets go to all configured backends that have a next hop (panic)";
	switch (s->conf->on_empty) {
	case CONF_EMPTY_ALL:
		return "packets go to all configured backends that have a next hop";
	case CONF_EMPTY_DROP:
		return "packets are dropped";
	case CONF_EMPTY_PASS:
		break;
	}
	return "packets are passed to this host's stack";
}

void slots_tell_if_empty(struct engine *e, const struct service *s)
{
	if (s->usable == 0)
		engine_tell(e, SHUNT_EVENT_SERVICE_EMPTY, s, NULL,
			    "service %s: no usable backend; %s", s->name, when_empty(s));
}

void service_rebuild(struct engine *e, struct service *s)
{
	bool was_empty = s->usable == 0;

	s->dirty = false;
	members_decide(e, s);
	write_rows(e, s, true);
	if (!fill_slots(e, s))
		return;
	transitions_apply(e, s, e->scratch_slots);
	replicate_changed(e, s);
	loads_changed(e, s);
	write_rows(e, s, false);
	vips_note(e, s);
	count_slots(e, s);
	if (!e->said_ready || was_empty == (s->usable == 0))
		return;
	slots_tell_if_empty(e, s);
	if (was_empty)
		engine_tell(e, SHUNT_EVENT_SERVICE_EMPTY, s, NULL,
			    "service %s: has usable backends again", s->name);
}

void service_touch(struct engine *e, struct service *s)
{
	s->dirty = true;
	event_active(e->flush, 0, 0);
}

void slots_flush(struct engine *e)
{
	size_t i;

	for (i = 0; i < e->n_services; i++)
		if (e->services[i]->dirty)
			service_rebuild(e, e->services[i]);
}
