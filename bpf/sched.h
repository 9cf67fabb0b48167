/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend a packet goes to.  One slot table serves every scheduler: maglev indexes it with the
 * flow's hash and remembers nothing, unless the slot is in transition; rr and wrr index it with a
 * cursor and remember the flow.  shunt_abi.h has the rules (struct shunt_slot_line). */
#ifndef SHUNT_SCHED_H
#define SHUNT_SCHED_H

#include "flow.h"
#include "maps.h"
#include "slot.h"
#include "source.h"

/* Beside a backend's number: */
#define FLOW_IS_NEW 0x10000u /* the flow has just been remembered */
#define SLOT_REFUSED 0x20000u /* no number: with what source_rate() says of the new flow */
#define SLOT_ASK 0x40000u /* no number: the flow is new, and source_rate() is to be asked first */

/* As struct shunt_settings says. */
static __always_inline __u64 flow_hash(const struct pkt *pkt)
{
	const volatile __u64 *k = settings.hash_key;
	__u64 hash = k[0] + k[1] * pkt->saddr[0] + k[2] * pkt->ports + k[3] * (__u32)pkt->daddr[0];

	if (WITHOUT(hash_key))
		return (__u64)pkt->ports << 32 ^ pkt->saddr[0];
	if (pkt->is_v6) {
		hash += k[4] * pkt->saddr[1] + k[5] * pkt->saddr[2] + k[6] * pkt->saddr[3];
		hash += k[7] * (pkt->daddr[0] >> 32);
		hash += k[8] * (__u32)pkt->daddr[1] + k[9] * (pkt->daddr[1] >> 32);
	}
	return hash;
}

/* The next turn of this CPU in the service; the CPUs start evenly spread over the table. */
static __always_inline __u32 cursor_next(const struct shunt_service *svc)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u32 at = cpu * settings.rows + svc->row;
	struct shunt_counter *own = element(counters, at);

	if (!own)
		return 0;
	return own->cursor++ + (__u64)cpu * (svc->slot_mask + 1) / settings.cpus;
}

/* Beside a slot's number: what a decision has to know of the packet. */
#define HOW_SLOT 0xffffu
#define HOW_SYN 0x10000u
#define HOW_MAY_START 0x20000u /* SYN or UDP: it may be its flow's first */
#define HOW_ABOUT 0x40000u /* it only is about the flow: nothing is remembered */
#define HOW_ASK 0x80000u /* SLOT_ASK is to be said of a new flow */
#define HOW_NAT 0x100000u /* flows of backends that translate are known elsewhere: there is none */

/* A decision on the way. */
struct choice {
	const struct shunt_service *svc;
	struct slot slot;
	struct flow flow;
	__u64 *word; /* what the flow table has of the flow, valid or not; NULL: nothing */
	__u32 how;
	__u32 confirms; /* the packet is the flow's second */
};

/* Beside a backend's number: what choice_recall() has to say when there is none that holds. */
#define FLOW_UNKNOWN 0u
#define FLOW_ORPHANED 0x10000u /* remembered, but its backend is not usable any more */

#define METHODS_THAT_TRANSLATE (1u << SHUNT_NAT | 1u << SHUNT_MASQ)

/* Whether flows are, or may be, backend @number's: what translates has them in records of its own. */
static __always_inline __u32 choice_may_be(const struct choice *c, __u32 number)
{
	const struct shunt_backend *be = backend_at(c->svc->row + number);
	__u32 elsewhere = be ? c->how / HOW_NAT & METHODS_THAT_TRANSLATE >> (be->method & 31) : 0;

	return be ? be->flags & ~elsewhere & SHUNT_BE_USABLE : 0;
}

/* The number of the backend that the flow was given, if that holds; else FLOW_*.  Notes that the flow
 * is alive and, unless the packet is a SYN, that this was not its first.  A number 0 is that of a
 * free word. */
static __always_inline __u32 choice_recall(struct choice *c)
{
	__u32 number;
	__u64 w;

	flow_count(SHUNT_COUNT_LOOKUPS);
	c->word = flow_word(&c->flow);
	if (!c->word)
		return FLOW_UNKNOWN;
	meet();
	w = flow_read(c->word);
	number = flow_number(w);
	if (!number || flow_age(&c->flow, w) > c->flow.oldest || number > c->svc->backends)
		return FLOW_UNKNOWN;
	if (!choice_may_be(c, number))
		return FLOW_ORPHANED;
	if (!(c->how & HOW_ABOUT)) {
		flow_refresh(&c->flow, c->word, w, !(c->how & HOW_SYN));
		c->confirms = ~(__u32)w / (__u32)SHUNT_FLOW_CONFIRMED & !(c->how & HOW_SYN);
	}
	return number;
}

/* Has the daemon tell other balancers of the flow: one that has sent a second packet, so that a flood of
 * SYNs does not reach them. */
static __always_inline void choice_tell(const struct choice *c, __u64 hash, __u32 number)
{
	struct shunt_news *own = element(news, bpf_get_smp_processor_id());
	struct shunt_new *e;
	__u64 at;

	if (!own)
		return;
	at = own->written;
	e = &own->entry[at % SHUNT_NEWS];
	*(volatile __u64 *)&e->hash = hash;
	*((volatile __u64 *)e + 1) =
		c->svc->salt | (__u64)number << 32 | (__u64)(c->how & HOW_SLOT) << 48;
	*(volatile __u64 *)&own->written = at + 1;
}

/* Where the slot's flows are that nothing is remembered of. */
static __always_inline __u32 choice_old(const struct choice *c)
{
	__u32 base = slot_base(&c->slot);

	return base && choice_may_be(c, base) ? base : c->slot.cur;
}

/* Where a flow goes that nothing valid is remembered of. */
struct plan {
	__u32 number; /* of the backend; or SLOT_* */
	__u32 otherwise; /* if it is to be remembered and there is no room */
	__u32 remembers;
};

/* In a slot in transition.  @memory: FLOW_UNKNOWN or FLOW_ORPHANED. */
static __always_inline void plan_by_slot(const struct choice *c, __u32 memory, struct plan *p)
{
	__u32 learns = c->svc->flags / SHUNT_SVC_LEARN & 1, old = p->otherwise;
	__u32 learning = learns & slot_flags(&c->slot) / SHUNT_BASE_LEARNING;
	__u32 syn = c->how / HOW_SYN & 1, orphaned = memory / FLOW_ORPHANED & 1;
	__u32 begins = orphaned | (learns & ~learning) | (syn & ~learns);

	/* without branches, each of which the verifier would follow both ways */
	p->number = either(c->slot.cur, old, begins);
	p->otherwise = either(p->number, old, learns);
	p->remembers = (begins | learning) & ~(c->how / HOW_ABOUT);
	if (c->how & HOW_NAT && !choice_may_be(c, p->number))
		p->remembers = 0;
}

/* In a service that remembers every flow: by turn if the packet may start a flow or the flow has lost its
 * backend; else, and when there is no place to remember, by hash, on which all later packets of the
 * flow agree. */
static __always_inline void plan_by_turn(const struct choice *c, __u32 memory, struct plan *p)
{
	p->number = p->otherwise;
	p->remembers = 0;
	if (!((c->how & HOW_MAY_START) | memory) || c->how & HOW_ABOUT)
		return;
	if (c->how & HOW_ASK && !memory) {
		p->number = SLOT_ASK;
		return;
	}
	p->number = slot_number(c->svc, cursor_next(c->svc) & c->svc->slot_mask);
	p->remembers = 1;
}

/* Gives the flow to the plan's backend for good, if there is room. */
static __always_inline __u32 choice_remember(const struct choice *c, const struct plan *p)
{
	if (flow_remember(&c->flow, c->word, p->number)) {
		flow_count(SHUNT_COUNT_REMEMBERED);
		return p->number | FLOW_IS_NEW;
	}
	flow_count(SHUNT_COUNT_NO_ROOM);
	slot_is_full(&c->slot);
	return p->otherwise;
}

/* The backend of a packet whose service remembers every flow or whose slot is in transition.  @hash is
 * what the flow is remembered by, @how HOW_* and its slot's number.  A global function, so that the verifier
 * checks it once. */
__noinline __u32 flow_backend(const struct shunt_service *svc, __u64 hash, __u32 how)
{
	struct choice c = {.svc = svc, .how = how};
	struct plan p;
	__u32 number, gone;
	int changed;

	if (!svc)
		return SLOT_BAD_TABLE;
	changed = slot_read(&c.slot, svc, how & HOW_SLOT);
	if (changed < 0 || flow_locate(&c.flow, hash, svc))
		return SLOT_BAD_TABLE;
	if (!(svc->flags & SHUNT_SVC_FLOWS)) {
		if (!changed)
			return c.slot.cur;
		flow_since(&c.flow, slot_since(&c.slot));
	}
	meet();
	number = choice_recall(&c);
	if (number != FLOW_UNKNOWN && number != FLOW_ORPHANED) {
		if (settings.news && c.confirms)
			choice_tell(&c, hash, number);
		if (!(svc->flags & SHUNT_SVC_FLOWS) && number != c.slot.cur)
			slot_use(&c.slot, c.flow.now);
		return number;
	}
	number = forget(number, hash); /* or the verifier would follow what is below for each */
	meet();
	p.otherwise = choice_old(&c);
	p.otherwise = forget(p.otherwise, hash);
	meet();
	if (svc->flags & SHUNT_SVC_FLOWS)
		plan_by_turn(&c, number, &p);
	else
		plan_by_slot(&c, number, &p);
	p.number = forget(p.number, hash);
	p.otherwise = forget(p.otherwise, hash);
	meet();
	number = p.number;
	if (p.remembers && number && number < SLOT_BAD_TABLE)
		number = choice_remember(&c, &p);
	gone = svc->flags & SHUNT_SVC_FLOWS ? number : number & ~FLOW_IS_NEW;
	if (gone == p.otherwise && gone != c.slot.cur)
		slot_use(&c.slot, c.flow.now);
	return number;
}

/* Whether the service may have a policy. */
enum sched_policy { SCHED_NO_POLICY, SCHED_POLICY };

/* The number of the packet's backend, with HOW_* @how and what else the packet says. */
static __always_inline __u32 backend_number_how(struct pkt *pkt, const struct shunt_service *svc,
						enum sched_policy policy, __u32 how)
{
	int is_udp = pkt->l4_proto == IPPROTO_UDP;
	__u32 slot = shunt_slot_of(pkt->hash, svc->slot_mask), number;

	if (likely(!(svc->flags & SHUNT_SVC_FLOWS)) || WITHOUT(flow_table)) {
		number = slot_word(svc, slot);
		if (likely(!(number & SHUNT_SLOT_CHANGED)) || WITHOUT(transitions))
			return number;
	}
	how |= slot | pkt->is_syn * HOW_SYN | (is_udp | pkt->is_syn) * HOW_MAY_START;
	if (policy == SCHED_POLICY && svc->policy && is_udp && !(how & HOW_ABOUT))
		how |= HOW_ASK; /* of SYNs it has been asked */
	number = flow_backend(svc, pkt->hash, how);
	if (policy == SCHED_POLICY && number == SLOT_ASK) {
		number = source_rate(source_upper(pkt), svc->policy);
		if (number)
			return SLOT_REFUSED | number;
		number = flow_backend(svc, pkt->hash, how & ~HOW_ASK);
	}
	if (is_udp && number & FLOW_IS_NEW)
		pkt->new_flow = 1;
	return number & ~FLOW_IS_NEW;
}

static __always_inline __u32 backend_number(struct pkt *pkt, const struct shunt_service *svc,
					    enum sched_policy policy)
{
	pkt->new_flow = pkt->is_syn;
	return backend_number_how(pkt, svc, policy, 0);
}

/* Fills @out with the backend's row.  The service's own row, to which a slot without a backend
 * points, is never usable. */
static __always_inline enum shunt_verdict backend_numbered(struct pkt *pkt,
							   const struct shunt_service *svc,
							   __u32 number,
							   const struct shunt_backend **out)
{
	const struct shunt_backend *be;

	if (unlikely(number & SLOT_REFUSED))
		return source_verdict(number & ~SLOT_REFUSED);
	if (number == SLOT_BAD_TABLE)
		return SHUNT_DROP_BAD_TABLE;
	pkt->row = svc->row + number;
	be = backend_at(pkt->row);
	if (!be)
		return SHUNT_DROP_BAD_TABLE;
	if (unlikely(!(be->flags & SHUNT_BE_USABLE))) {
		pkt->row = svc->row;
		return svc->flags & SHUNT_SVC_ON_EMPTY_PASS ? SHUNT_PASS_NO_BACKEND
							    : SHUNT_DROP_NO_BACKEND;
	}
	*out = be;
	return SHUNT_GO_ON;
}

static __always_inline enum shunt_verdict backend_choose(struct pkt *pkt,
							 const struct shunt_service *svc,
							 enum sched_policy policy,
							 const struct shunt_backend **out)
{
	pkt->hash = flow_hash(pkt);
	return backend_numbered(pkt, svc, backend_number(pkt, svc, policy), out);
}

/* The backend that has the flow, for a packet that is only about it: nothing is remembered. */
static __always_inline enum shunt_verdict
backend_of_flow(struct pkt *pkt, const struct shunt_service *svc, const struct shunt_backend **out)
{
	pkt->new_flow = 0;
	pkt->hash = flow_hash(pkt);
	return backend_numbered(pkt, svc, backend_number_how(pkt, svc, SCHED_POLICY, HOW_ABOUT),
				out);
}

#endif
