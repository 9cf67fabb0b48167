/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots in transition, as include/shunt_abi.h has them at struct shunt_slot_line. */
#include "oracle.h"

#include <netinet/in.h>

bool oracle_may_have(const struct oracle_tables *t, const struct shunt_service *svc,
		     uint32_t number)
{
	const struct shunt_backend *be = &t->backends[svc->row + number];

	if (svc->row + number >= t->rows || !(be->flags & SHUNT_BE_USABLE))
		return false;
	/* a method that is none may be taken for any */
	return !(svc->flags & SHUNT_SVC_NAT) || svc->flags & SHUNT_SVC_FLOWS ||
	       !((1u << SHUNT_NAT | 1u << SHUNT_MASQ) >> be->method % 32 & 1);
}

bool oracle_slot_at(const struct oracle_case *c, const struct shunt_service *svc, uint64_t hash,
		    struct oracle_slot *slot)
{
	uint32_t n = shunt_slot_of(hash, svc->slot_mask);
	size_t line = (size_t)svc->slots_at + n / SHUNT_SLOTS_PER_LINE;
	uint16_t word;

	if (line >= c->t->n_lines)
		return false;
	word = c->t->slots[line].slot[n % SHUNT_SLOTS_PER_LINE];
	slot->at = line * SHUNT_SLOTS_PER_LINE + n % SHUNT_SLOTS_PER_LINE;
	slot->changed = word & SHUNT_SLOT_CHANGED;
	slot->cur = word & SHUNT_SLOT_BACKEND;
	slot->base = c->s->bases[line].slot[n % SHUNT_SLOTS_PER_LINE];
	slot->old = slot->cur;
	if (slot->changed && slot->base.base && oracle_may_have(c->t, svc, slot->base.base))
		slot->old = slot->base.base;
	return true;
}

/* The source alone, as far as it counts. */
static struct oracle_tuple source_of(const struct oracle_tuple *tuple, uint32_t bits)
{
	struct oracle_tuple source = *tuple;

	source.sport = source.dport = 0;
	for (uint32_t i = bits; i < 8 * sizeof(source.src); i++)
		source.src[i / 8] &= (uint8_t) ~(128 >> i % 8);
	return source;
}

void oracle_flow_hashes(const struct oracle_case *c, const struct shunt_service *svc,
			const struct oracle_tuple *tuple, struct oracle_flow *flow)
{
	struct oracle_tuple source = source_of(tuple, svc->source_bits);

	flow->hash = oracle_hash(c->t, tuple);
	flow->slot_hash = flow->hash;
	if (!(svc->flags & SHUNT_SVC_SOURCE))
		return;
	flow->slot_hash = oracle_hash(c->t, &source);
	if (svc->flags & SHUNT_SVC_AFFINE)
		flow->hash = flow->slot_hash;
}

static void write_base(const struct oracle_slot *slot, const struct shunt_base *base,
		       struct oracle_result *r)
{
	if (!r->base_written)
		r->base_was = slot->base;
	r->base_written = true;
	r->base_at = slot->at;
	r->base_is = *base;
}

void oracle_slot_use(struct oracle_slot *slot, uint16_t tick, struct oracle_result *r)
{
	struct shunt_base base = slot->base;

	base.used = tick;
	if (slot->changed)
		write_base(slot, &base, r);
	slot->base = base;
}

void oracle_slot_is_full(struct oracle_slot *slot, struct oracle_result *r)
{
	struct shunt_base base = slot->base;

	base.flags |= SHUNT_BASE_FULL;
	if (slot->changed)
		write_base(slot, &base, r);
	slot->base = base;
}

void oracle_count_since(struct oracle_flow *flow, const struct oracle_slot *slot)
{
	uint16_t age = (uint16_t)(flow->tick + SHUNT_FLOW_AHEAD - slot->base.since);

	if (!slot->changed)
		return;
	flow->has_since = true;
	flow->oldest = age;
	flow->mark = flow->tick;
	if (age < SHUNT_FLOW_AHEAD)
		flow->mark = slot->base.since;
}

/* Where a flow goes that nothing is remembered of, and whether that is to be remembered. */
static uint32_t plan(const struct oracle_case *c, const struct oracle_flow *flow,
		     const struct oracle_slot *slot, bool is_orphan, bool *remembers)
{
	bool learns = flow->svc->flags & SHUNT_SVC_LEARN;
	bool learning = learns && slot->base.flags & SHUNT_BASE_LEARNING;
	bool begins = is_orphan || (learns ? !learning : c->p.is_syn);

	uint32_t number = begins ? slot->cur : slot->old;

	*remembers = (begins || learning) && !flow->is_about;
	if (flow->svc->flags & SHUNT_SVC_NAT && !oracle_may_have(c->t, flow->svc, number))
		*remembers = false;
	return number;
}

uint32_t oracle_by_slot(const struct oracle_case *c, struct oracle_flow *flow,
			struct oracle_slot *slot, struct oracle_result *r)
{
	enum oracle_memory memory;
	uint32_t number;
	bool remembers;

	if (!slot->changed)
		return slot->cur;
	oracle_count_since(flow, slot);
	memory = oracle_recall(c->t, c->s, flow, &number, r);
	if (memory != ORACLE_KNOWN) {
		number = plan(c, flow, slot, memory == ORACLE_ORPHANED, &remembers);
		if (remembers && number && oracle_remember(c->t, c->s, flow, number, r)) {
			r->remembered++;
			r->flows |= c->p.proto == IPPROTO_UDP;
		} else if (remembers && number) {
			r->no_room++;
			oracle_slot_is_full(slot, r);
			if (!(flow->svc->flags & SHUNT_SVC_LEARN))
				number = slot->old;
		}
	}
	if (number != slot->cur)
		oracle_slot_use(slot, flow->tick, r);
	return number;
}
