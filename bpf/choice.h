/* SPDX-License-Identifier: GPL-2.0-only */
/* The backend of a packet that is asked more of than a hash: of a service that remembers flows or goes by
 * sources, or in a slot in transition. shunt_abi.h has the rules (struct shunt_slot_line). */
#ifndef SHUNT_CHOICE_H
#define SHUNT_CHOICE_H

#include "flow.h"
#include "load.h"
#include "maps.h"
#include "slot.h"
#include "source.h"

/* Beside a backend's number: */
#define FLOW_IS_NEW 0x10000u /* UDP: the flow has just been remembered */
#define SLOT_REFUSED 0x20000u /* no number: with what source_rate() says of the new flow */
#define SLOT_ASK 0x40000u /* no number: the flow is new, and source_rate() is to be asked first */
#define FLOW_STIRS 0x10000u /* HOW_OWN: times what is not 0 in the flow's first packet of a tick */

/* Of services whose flows are asked more of than a hash. */
#define SVC_NOT_BY_HASH (SHUNT_SVC_FLOWS | SHUNT_SVC_SOURCE | SHUNT_SVC_OWN)

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

/* What a decision has to know of the packet, beside its addresses and hash: ports, flags of TCP, and
 * these. */
#define HOW_TCP_SHIFT 32
#define HOW_UDP (1ull << 40)
#define HOW_ABOUT (1ull << 41) /* it only is about the flow: nothing is remembered */
#define HOW_ASK (1ull << 42) /* SLOT_ASK is to be said of a new flow */
#define HOW_NAT                                                                                    \
	(1ull << 43) /* flows of backends that translate are known elsewhere: there is none */
/* What is remembered of the flow alone, not of its source: the backend's number by that, perhaps with
 * FLOW_STIRS, or 0.  With a number the flow is that backend's, and to be remembered so. */
#define HOW_OWN (1ull << 44)
#define HOW_NUMBER_SHIFT 48
#define HOW_ALWAYS (HOW_NAT - 1) /* what holds in every program */

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
	__u32 stirs; /* FLOW_STIRS, or nothing */
	int may_own; /* @how may say HOW_OWN, the service may have SHUNT_SVC_OWN: a constant */
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
	__u32 is_flows = ~c->svc->flags / SHUNT_SVC_AFFINE | c->how / HOW_OWN;
	__u32 counts = c->svc->flags / SHUNT_SVC_LOADS & is_flows & 1;
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
		c->stirs = (__u32)(w ^ c->flow.mark) * FLOW_STIRS;
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

/* The same where it has been found out already that it goes to @number. */
static __always_inline __u32 plan_given(const struct choice *c, __u32 number)
{
	if (c->how & HOW_NAT && !choice_may_be(c, number))
		return number;
	return number | PLAN_REMEMBERS;
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

/* 1 if it is a source that is remembered, whose flows are as well: the backend has those. */
static __always_inline __u32 is_counted_itself(const struct choice *c)
{
	__u32 flags = c->may_own ? flags_again(c->svc) : 0;

	return flags / SHUNT_SVC_AFFINE & flags / SHUNT_SVC_KEEP & ~(c->how / HOW_OWN) & 1;
}

/* Gives the flow to backend @number for good; the number of the one that it goes to, with FLOW_REMEMBERED
 * if there is room. */
static __always_inline __u32 choice_remember(struct choice *c, __u32 number, __u32 old)
{
	const __u32 has = 1 - is_counted_itself(c);

	if (!c->place.word)
		c->place = flow_place(&c->flow);
	if (!c->place.word) {
		c->counts->packets[SHUNT_COUNT_NO_ROOM]++;
		slot_is_full(&c->slot);
		return flags_again(c->svc) & SHUNT_SVC_LEARN ? number : old;
	}
	flow_remember(&c->flow, &c->place, number);
	flow_note_row(&c->place, (c->svc->row + number) * has);
	if (flags_again(c->svc) & SHUNT_SVC_LOADS * has)
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

/* A packet of a flow that is backend @number's, by what is remembered. */
static __always_inline __u32 choice_known(const struct choice *c, __u64 hash, __u32 number)
{
	const __u32 turns = c->svc->flags / SHUNT_SVC_FLOWS,
		    loads = c->svc->flags / SHUNT_SVC_LOADS;
	__u32 needs = ~turns & is_less(0, number ^ c->slot.cur);

	/* Without SHUNT_SVC_KEPT, which goes when all have settled, it would go where its source does. */
	if (c->may_own)
		needs |=
			c->how / HOW_OWN & turns & ~loads & is_less(0, c->slot.word ^ SLOT_SETTLED);
	if (settings.news && c->confirms)
		choice_tell(c, hash, number);
	if (needs & 1)
		slot_use(&c->slot, c->flow.now);
	return number | (c->may_own ? c->stirs & -(c->how / HOW_OWN & 1) : 0);
}

/* A packet of one of which nothing valid is remembered (@memory: FLOW_UNKNOWN or FLOW_ORPHANED). @given: not
 * 0, the backend's number. */
static __always_inline __u32 choice_unknown(struct choice *c, __u64 hash, __u32 memory, __u32 given)
{
	__u32 number, old, gone;

	memory = forget(memory, hash); /* or the verifier would follow what is below for each */
	if (c->may_own) {
		c->how = forget(c->how, hash);
		given = forget(given, hash);
	}
	meet();
	old = forget(choice_old(c), hash);
	meet();
	if (c->may_own && given)
		number = plan_given(c, old = given);
	else if (c->svc->flags & SHUNT_SVC_FLOWS)
		number = plan_by_turn(c, memory, old);
	else
		number = plan_by_slot(c, memory, old);
	number = forget(number, hash);
	meet();
	if (number > PLAN_REMEMBERS && number < PLAN_REMEMBERS + SLOT_BAD_TABLE)
		number = choice_remember(c, number - PLAN_REMEMBERS, old);
	gone = number &= ~PLAN_REMEMBERS;
	if (!(flags_again(c->svc) & SHUNT_SVC_FLOWS))
		gone &= ~FLOW_REMEMBERED;
	if (gone == old && gone != c->slot.cur && (!given || c->slot.word != SLOT_SETTLED))
		slot_use(&c->slot, c->flow.now);
	return (number & ~FLOW_REMEMBERED) | (number / FLOW_REMEMBERED & c->udp) * FLOW_IS_NEW;
}

/* The backend of a packet whose service remembers every flow, or goes by sources, or whose slot is in
 * transition.  @hash is the flow's, @how what is said above, @a and @b the source's address in memory
 * order (IPv4 in @a). */
static __always_inline __u32 flow_backend_of(const struct shunt_service *svc, __u64 hash, __u64 how,
					     __u64 a, __u64 b, int may_own)
{
	struct choice c = {.svc = svc, .how = how, .hash = hash, .may_own = may_own};
	__u32 number, given = how >> HOW_NUMBER_SHIFT;
	int changed, counts;

	if (!svc)
		return SLOT_BAD_TABLE;
	c.syn = tcp_is_syn(how >> HOW_TCP_SHIFT);
	c.udp = how / HOW_UDP & 1;
	if (svc->flags & SHUNT_SVC_SOURCE) {
		c.hash = source_hash(hash, how, a, b, svc->source_bits);
		if (svc->flags & SHUNT_SVC_AFFINE && !(how & HOW_OWN))
			hash = c.hash;
	}
	hash = forget(hash, a);
	c.hash = forget(c.hash, a);
	if (may_own)
		c.how = how = forget(how, a);
	meet();
	c.counts = flow_counts();
	if (!c.counts || flow_locate(&c.flow, hash, svc))
		return SLOT_BAD_TABLE;
	changed = slot_read(&c.slot, svc, shunt_slot_of(c.hash, svc->slot_mask));
	if (changed < 0)
		return SLOT_BAD_TABLE;
	counts = slot_flags(&c.slot) & SHUNT_BASE_SINCE;
	if (!(svc->flags & SHUNT_SVC_FLOWS)) {
		if (!changed && !given)
			return c.slot.cur * (1 - (how / HOW_OWN & 1));
		counts = changed;
	}
	if (counts)
		flow_since(&c.flow, slot_since(&c.slot));
	if (may_own)
		given = forget(given, a);
	meet();
	number = choice_recall(&c);
	if (may_own) /* what is known otherwise is not known */
		number = either(FLOW_UNKNOWN, number,
				is_less(0, given) & is_less(0, given ^ number));
	if (number != FLOW_UNKNOWN && number != FLOW_ORPHANED)
		return choice_known(&c, hash, number);
	if (may_own && c.how & HOW_OWN && !given)
		return 0;
	return choice_unknown(&c, hash, number, given);
}

/* Global functions, so that the verifier checks each once.  This one is of the program that all packets go
 * through, and so without what few need. */
__noinline __u32 flow_backend(const struct shunt_service *svc, __u64 hash, __u64 how, __u64 a,
			      __u64 b)
{
	return flow_backend_of(svc, hash, how & HOW_ALWAYS, a, b, 0);
}

/* The same where @how may say HOW_OWN, and where it may say HOW_NAT besides. */
__noinline __u32 flow_backend_own(const struct shunt_service *svc, __u64 hash, __u64 how, __u64 a,
				  __u64 b)
{
	return flow_backend_of(svc, hash, how & ~HOW_NAT, a, b, 1);
}

__noinline __u32 flow_backend_nat(const struct shunt_service *svc, __u64 hash, __u64 how, __u64 a,
				  __u64 b)
{
	return flow_backend_of(svc, hash, how, a, b, 1);
}

/* Whether the service may have a policy, or SHUNT_SVC_OWN. */
enum sched_policy { SCHED_NO_POLICY, SCHED_POLICY };

/* Whether it is a backend's, of which there is one. */
static __always_inline int is_number(__u32 number)
{
	return number && number <= SHUNT_SLOT_BACKEND;
}

/* By what is remembered of the flow and of its source (SHUNT_SVC_KEEP, SHUNT_SVC_KEPT). A source lives as
 * long as flows do that are known by themselves.  @how says HOW_NAT if @nat. */
static __always_inline __u32 flow_backend_both(const struct shunt_service *svc, __u64 hash,
					       __u64 how, __u64 a, __u64 b, int nat)
{
	__u64 own = (how & ~HOW_ASK) | HOW_OWN;
	__u32 known = 0, number;

	if (!svc)
		return SLOT_BAD_TABLE;
	if (svc->flags & SHUNT_SVC_KEPT)
		known = nat ? flow_backend_nat(svc, hash, own, a, b)
			    : flow_backend_own(svc, hash, own, a, b);
	if (known && !(known / FLOW_STIRS && svc->flags & SHUNT_SVC_KEEP))
		return known % FLOW_STIRS;
	known = forget(known, hash);
	meet();
	number = nat ? flow_backend_nat(svc, hash, how, a, b)
		     : flow_backend_own(svc, hash, how, a, b);
	if (known)
		return known % FLOW_STIRS;
	if (!(svc->flags & SHUNT_SVC_KEEP) || how & HOW_ABOUT || !is_number(number % FLOW_IS_NEW))
		return number;
	own |= (__u64)(number & SHUNT_SLOT_BACKEND) << HOW_NUMBER_SHIFT;
	if (nat)
		flow_backend_nat(svc, hash, own, a, b);
	else
		flow_backend_own(svc, hash, own, a, b);
	return number;
}

__noinline __u32 flow_backend_keep(const struct shunt_service *svc, __u64 hash, __u64 how, __u64 a,
				   __u64 b)
{
	return flow_backend_both(svc, hash, how, a, b, 0);
}

__noinline __u32 flow_backend_keep_nat(const struct shunt_service *svc, __u64 hash, __u64 how,
				       __u64 a, __u64 b)
{
	return flow_backend_both(svc, hash, how, a, b, 1);
}

/* The backend's number by what the packet says in @how, with what stands beside it. */
static __always_inline __u32 flow_backend_by(const struct shunt_service *svc, __u64 hash, __u64 how,
					     __u64 a, __u64 b, enum sched_policy policy)
{
	if (policy == SCHED_NO_POLICY)
		return flow_backend(svc, hash, how, a, b);
	if (how & HOW_NAT)
		return svc->flags & SHUNT_SVC_OWN ? flow_backend_keep_nat(svc, hash, how, a, b)
						  : flow_backend_nat(svc, hash, how, a, b);
	return svc->flags & SHUNT_SVC_OWN ? flow_backend_keep(svc, hash, how, a, b)
					  : flow_backend_own(svc, hash, how, a, b);
}

#endif
