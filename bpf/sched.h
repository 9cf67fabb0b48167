/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend a packet goes to.  One slot table serves every scheduler: maglev indexes it with the
 * flow's hash and remembers nothing, unless the slot is in transition; rr and wrr index it with a
 * cursor and remember the flow.  shunt_abi.h has the rules (struct shunt_slot_line). */
#ifndef SHUNT_SCHED_H
#define SHUNT_SCHED_H

#include "flow.h"
#include "load.h"
#include "maps.h"
#include "slot.h"
#include "source.h"

/* Beside a backend's number: */
#define FLOW_IS_NEW 0x10000u /* UDP: the flow has just been remembered */
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

/* What a decision has to know of the packet, beside its addresses and hash: ports, protocol, flags of TCP,
 * and these. */
#define HOW_PROTOCOL_SHIFT 32
#define HOW_TCP_SHIFT 40
#define HOW_ABOUT (1ull << 49) /* it only is about the flow: nothing is remembered */
#define HOW_ASK (1ull << 50) /* SLOT_ASK is to be said of a new flow */
#define HOW_NAT                                                                                    \
	(1ull << 51) /* flows of backends that translate are known elsewhere: there is none */

/* A decision on the way. */
struct choice {
	const struct shunt_service *svc;
	struct slot slot;
	struct flow flow;
	__u64 hash; /* that the slot was found by */
	struct shunt_verdict_line *counts; /* this CPU's */
	struct flow_place place; /* what the flow table has of the flow, valid or not */
	__u64 how; /* HOW_* */
	__u32 syn; /* 1: SYN without ACK */
	__u32 udp; /* 1: UDP: the packet may be its flow's first */
	__u32 confirms; /* the packet is the flow's second */
};

/* Beside a backend's number, on the way: */
#define FLOW_REMEMBERED 0x1000000u
#define PLAN_REMEMBERS 0x2000000u /* it is to be remembered */

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

/* What the packet adds to what is remembered of its flow. */
static __always_inline __u64 choice_adds(const struct choice *c)
{
	__u32 counts = c->svc->flags / SHUNT_SVC_LOADS & ~c->svc->flags / SHUNT_SVC_AFFINE & 1;
	__u64 confirms = 1 - c->syn, ends = tcp_ends(c->how >> HOW_TCP_SHIFT) & counts;

	return confirms * SHUNT_FLOW_CONFIRMED | ends * SHUNT_FLOW_ENDED;
}

/* The number of the backend that the flow was given, if that holds; else FLOW_*.  Notes that the flow
 * is alive and, unless the packet is a SYN, that this was not its first.  A number 0 is that of a
 * free word; a SYN begins a flow that had ended anew. */
static __always_inline __u32 choice_recall(struct choice *c)
{
	__u32 number;
	__u64 w;

	c->counts->packets[SHUNT_COUNT_LOOKUPS]++;
	c->place = flow_word(&c->flow);
	if (!c->place.word)
		return FLOW_UNKNOWN;
	meet();
	w = flow_read(c->place.word);
	number = flow_number(w);
	if (!number || flow_age(&c->flow, w) > c->flow.oldest || number > c->svc->backends ||
	    w / SHUNT_FLOW_ENDED & c->syn)
		return FLOW_UNKNOWN;
	if (!choice_may_be(c, number))
		return FLOW_ORPHANED;
	if (!(c->how & HOW_ABOUT)) {
		flow_refresh(&c->flow, c->place.word, w, choice_adds(c));
		c->confirms = ~(__u32)w / (__u32)SHUNT_FLOW_CONFIRMED & ~c->syn;
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
	*((volatile __u64 *)e + 1) = c->svc->salt | (__u64)number << 32 |
				     (__u64)shunt_slot_of(c->hash, c->svc->slot_mask) << 48;
	*(volatile __u64 *)&own->written = at + 1;
}

/* Where the slot's flows are that nothing is remembered of. */
static __always_inline __u32 choice_old(const struct choice *c)
{
	__u32 base = slot_base(&c->slot);

	return base && choice_may_be(c, base) ? base : c->slot.cur;
}

/* The service's flags, of which the verifier does not know what has been found out of them. */
static __always_inline __u32 flags_again(const struct shunt_service *svc)
{
	return *(const volatile __u16 *)&svc->flags;
}

/* Where a flow goes that nothing valid is remembered of, which so far has been at @old: a backend's number
 * or SLOT_*.  In a slot in transition.  @memory: FLOW_UNKNOWN or FLOW_ORPHANED. */
static __always_inline __u32 plan_by_slot(const struct choice *c, __u32 memory, __u32 old)
{
	__u32 learns = c->svc->flags / SHUNT_SVC_LEARN & 1;
	__u32 learning = learns & slot_flags(&c->slot) / SHUNT_BASE_LEARNING;
	__u32 begins = memory / FLOW_ORPHANED | (learns & ~learning) | (c->syn & ~learns);
	__u32 remembers = (begins | learning) & ~(__u32)(c->how / HOW_ABOUT) & 1;
	/* without branches, each of which the verifier would follow both ways */
	__u32 number = either(c->slot.cur, old, begins & 1);

	if (c->how & HOW_NAT && !choice_may_be(c, number))
		return number;
	return number | remembers * PLAN_REMEMBERS;
}

/* The same in a service that remembers every flow: by turn if the packet may start a flow or the flow has
 * lost its backend; else, and when there is no place to remember, by hash, on which all later packets
 * of the flow agree.  A slot that is learning has all that is not known go by hash, and remembered. */
static __always_inline __u32 plan_by_turn(const struct choice *c, __u32 memory, __u32 old)
{
	__u32 learning = slot_flags(&c->slot) & SHUNT_BASE_LEARNING;
	__u32 starts = ((c->syn | c->udp) & ~learning) | memory / FLOW_ORPHANED;
	__u32 learns = learning & ~(__u32)(c->how / HOW_ABOUT);
	__u32 ask = c->how / HOW_ASK & c->udp & ~(memory / FLOW_ORPHANED);

	/* two branches for the verifier to follow, not six */
	starts &= ~(__u32)(c->how / HOW_ABOUT);
	barrier_var(starts);
	barrier_var(ask);
	if (!(starts & 1))
		return old + learns * PLAN_REMEMBERS;
	if (ask & 1)
		return SLOT_ASK;
	meet();
	if (flags_again(c->svc) & SHUNT_SVC_LOADS)
		old = load_choose(c->svc, c->hash, c->slot.cur);
	else
		old = slot_number(c->svc, cursor_next(c->svc) & c->svc->slot_mask);
	return old | PLAN_REMEMBERS;
}

/* Gives the flow to backend @number for good; the number of the one that it goes to, with FLOW_REMEMBERED
 * if there is room. */
static __always_inline __u32 choice_remember(struct choice *c, __u32 number, __u32 old)
{
	if (!c->place.word)
		c->place = flow_place(&c->flow);
	if (!c->place.word) {
		c->counts->packets[SHUNT_COUNT_NO_ROOM]++;
		slot_is_full(&c->slot);
		return flags_again(c->svc) & SHUNT_SVC_LEARN ? number : old;
	}
	flow_remember(&c->flow, &c->place, number);
	flow_note_row(&c->place, c->svc->row + number);
	if (flags_again(c->svc) & SHUNT_SVC_LOADS)
		load_add(c->svc, number);
	c->counts->packets[SHUNT_COUNT_REMEMBERED]++;
	return number | FLOW_REMEMBERED;
}

/* The source's hash, from the flow's: without the ports and what is behind the upper @bits of the source's
 * address, of which @a and @b are the halves in memory order (IPv4 in @a). */
static __always_inline __u64 source_hash(__u64 hash, __u32 ports, __u64 a, __u64 b, __u32 bits)
{
	const volatile __u64 *k = settings.hash_key;
	__u64 is_upper = is_less(bits, 64), rest = ~0ull >> (bits & 63);

	a &= __builtin_bswap64(rest) * is_upper;
	b &= __builtin_bswap64(rest | -is_upper) * is_less(bits, 128);
	hash -= k[1] * (__u32)a + k[2] * ports + k[4] * (a >> 32);
	return hash - k[5] * (__u32)b - k[6] * (b >> 32);
}

/* The backend of a packet whose service remembers every flow, or goes by sources, or whose slot is in
 * transition.  @hash is the flow's, @how what is said above, @a and @b the source's address in memory
 * order (IPv4 in @a). */
static __always_inline __u32 flow_backend_of(const struct shunt_service *svc, __u64 hash, __u64 how,
					     __u64 a, __u64 b)
{
	struct choice c = {.svc = svc, .how = how, .hash = hash};
	__u32 number, old, gone;
	int changed;

	if (!svc)
		return SLOT_BAD_TABLE;
	c.syn = tcp_is_syn(how >> HOW_TCP_SHIFT);
	c.udp = is_less((__u8)(how >> HOW_PROTOCOL_SHIFT) ^ IPPROTO_UDP, 1);
	if (svc->flags & SHUNT_SVC_SOURCE) {
		c.hash = source_hash(hash, how, a, b, svc->source_bits);
		if (svc->flags & SHUNT_SVC_AFFINE)
			hash = c.hash;
	}
	hash = forget(hash, a);
	c.hash = forget(c.hash, a);
	meet();
	c.counts = flow_counts();
	if (!c.counts || flow_locate(&c.flow, hash, svc))
		return SLOT_BAD_TABLE;
	changed = slot_read(&c.slot, svc, shunt_slot_of(c.hash, svc->slot_mask));
	if (changed < 0)
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
	old = forget(choice_old(&c), hash);
	meet();
	if (svc->flags & SHUNT_SVC_FLOWS)
		number = plan_by_turn(&c, number, old);
	else
		number = plan_by_slot(&c, number, old);
	number = forget(number, hash);
	meet();
	if (number > PLAN_REMEMBERS && number < PLAN_REMEMBERS + SLOT_BAD_TABLE)
		number = choice_remember(&c, number - PLAN_REMEMBERS, old);
	gone = number &= ~PLAN_REMEMBERS;
	if (!(flags_again(svc) & SHUNT_SVC_FLOWS))
		gone &= ~FLOW_REMEMBERED;
	if (gone == old && gone != c.slot.cur)
		slot_use(&c.slot, c.flow.now);
	return (number & ~FLOW_REMEMBERED) | (number / FLOW_REMEMBERED & c.udp) * FLOW_IS_NEW;
}

/* Global functions, so that the verifier checks each once. */
__noinline __u32 flow_backend(const struct shunt_service *svc, __u64 hash, __u64 how, __u64 a,
			      __u64 b)
{
	return flow_backend_of(svc, hash, how & ~HOW_NAT, a, b);
}

/* The same where @how may say HOW_NAT. */
__noinline __u32 flow_backend_nat(const struct shunt_service *svc, __u64 hash, __u64 how, __u64 a,
				  __u64 b)
{
	return flow_backend_of(svc, hash, how, a, b);
}

/* Whether the service may have a policy. */
enum sched_policy { SCHED_NO_POLICY, SCHED_POLICY };

/* The number of the packet's backend, with HOW_* @how and what else the packet says. */
static __always_inline __u32 backend_number_how(struct pkt *pkt, const struct shunt_service *svc,
						enum sched_policy policy, __u64 how)
{
	__u64 a, b;
	__u32 number;

	if (likely(!(svc->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_SOURCE))) || WITHOUT(flow_table)) {
		number = slot_word(svc, shunt_slot_of(pkt->hash, svc->slot_mask));
		if (likely(!(number & SHUNT_SLOT_CHANGED)) || WITHOUT(transitions))
			return number;
	}
	if (policy == SCHED_POLICY && svc->policy && !pkt_is_syn(pkt) && !(how & HOW_ABOUT))
		how |= HOW_ASK; /* of SYNs it has been asked */
	how |= pkt->ports | (__u64)pkt->l4_proto << HOW_PROTOCOL_SHIFT |
	       (__u64)pkt->tcp_flags << HOW_TCP_SHIFT;
	source_words(pkt, &a, &b);
	if (how & HOW_NAT)
		number = flow_backend_nat(svc, pkt->hash, how, a, b);
	else
		number = flow_backend(svc, pkt->hash, how, a, b);
	if (policy == SCHED_POLICY && number == SLOT_ASK) {
		number = source_rate(a, svc->policy);
		if (number)
			return SLOT_REFUSED | number;
		number = flow_backend(svc, pkt->hash, how & ~HOW_ASK, a, b);
	}
	pkt->new_flow |= number / FLOW_IS_NEW & 1;
	return number & ~FLOW_IS_NEW;
}

static __always_inline __u32 backend_number(struct pkt *pkt, const struct shunt_service *svc,
					    enum sched_policy policy)
{
	pkt->new_flow = pkt_is_syn(pkt);
	return backend_number_how(pkt, svc, policy, 0);
}

/* Fills @out with the backend's row.  The service's own row, to which a slot without a backend
 * points, is never usable. */
static __always_inline enum shunt_verdict backend_numbered(struct pkt *pkt,
							   const struct shunt_service *svc,
							   enum sched_policy policy, __u32 number,
							   const struct shunt_backend **out)
{
	const struct shunt_backend *be;

	if (policy == SCHED_POLICY && unlikely(number & SLOT_REFUSED))
		return source_over(svc, number & ~SLOT_REFUSED);
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
	return backend_numbered(pkt, svc, policy, backend_number(pkt, svc, policy), out);
}

/* The backend that has the flow, for a packet that is only about it: nothing is remembered. */
static __always_inline enum shunt_verdict
backend_of_flow(struct pkt *pkt, const struct shunt_service *svc, const struct shunt_backend **out)
{
	__u32 nat = svc->flags & (SHUNT_SVC_NAT | SHUNT_SVC_FLOWS);
	__u64 how = HOW_ABOUT | (nat == SHUNT_SVC_NAT ? HOW_NAT : 0);

	pkt->new_flow = 0;
	pkt->hash = flow_hash(pkt);
	return backend_numbered(pkt, svc, SCHED_POLICY,
				backend_number_how(pkt, svc, SCHED_POLICY, how), out);
}

#endif
