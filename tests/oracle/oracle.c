/* SPDX-License-Identifier: BSD-2-Clause */
/* The stages between the frame's two ends: which service, which backend, which verdict. */
#include "oracle.h"

#include <linux/bpf.h>
#include <string.h>

#define PROTO_UDP 17

/* A verdict's name and class, by number. */
static const struct verdict_row {
	const char *name;
	enum shunt_verdict_class class;
} verdict_rows[SHUNT_VERDICT_MAX] = {
#define X(name, class_, words) [SHUNT_##name] = {#name, SHUNT_CLASS_##class_},
	SHUNT_VERDICTS(X)
#undef X
};

const char *oracle_name(enum shunt_verdict verdict)
{
	return verdict > 0 && verdict < SHUNT_VERDICT_MAX ? verdict_rows[verdict].name : "?";
}

/* ---- find --------------------------------------------------------------------------------------*/

static const struct shunt_service *find_port(const struct oracle_tables *t,
					     const struct oracle_parsed *p, uint16_t port)
{
	const struct oracle_service *s;

	for (size_t i = 0; i < t->n_services; i++) {
		s = &t->services[i];
		if (!s->bits && s->port == port && s->proto == p->proto && s->family == p->family &&
		    memcmp(s->addr, p->dst, sizeof(s->addr)) == 0)
			return &s->svc;
	}
	return NULL;
}

static bool is_within(const struct oracle_service *s, const struct oracle_parsed *p)
{
	if (!s->bits || s->proto != p->proto || s->family != p->family)
		return false;
	for (int i = 0; i < s->bits; i++)
		if ((s->addr[i / 8] ^ p->dst[i / 8]) & 128 >> i % 8)
			return false;
	return true;
}

/* The longest prefix decides, also where it has nothing for the port. */
static const struct shunt_service *find_prefix(const struct oracle_tables *t,
					       const struct oracle_parsed *p)
{
	const struct oracle_service *s;
	uint8_t longest = 0;

	for (size_t i = 0; i < t->n_services; i++)
		if (is_within(&t->services[i], p) && t->services[i].bits > longest)
			longest = t->services[i].bits;
	for (size_t i = 0; i < t->n_services; i++) {
		s = &t->services[i];
		if (is_within(s, p) && s->bits == longest && p->dport >= s->port &&
		    p->dport <= s->port_to)
			return s->nobody ? NULL : &s->svc;
	}
	return NULL;
}

/* The exact port before any port, and prefixes last.  A packet to port 0 is for no exact port. */
const struct shunt_service *oracle_find(const struct oracle_tables *t,
					const struct oracle_parsed *p)
{
	const struct shunt_service *svc = find_port(t, p, p->dport);

	if (!svc)
		svc = find_port(t, p, 0);
	return svc ? svc : find_prefix(t, p);
}

/* ---- choose ------------------------------------------------------------------------------------*/

static uint32_t word32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, 4);
	return word;
}

struct oracle_tuple oracle_tuple_of(const struct oracle_parsed *p)
{
	struct oracle_tuple q = {
		.family = p->family,
		.proto = p->proto,
		.sport = p->sport,
		.dport = p->dport,
	};

	memcpy(q.src, p->src, 16);
	memcpy(q.dst, p->dst, 16);
	return q;
}

/* The words that the hash takes, in its key's order, as shunt_abi.h has it. */
uint64_t oracle_hash(const struct oracle_tables *t, const struct oracle_tuple *q)
{
	const uint8_t ports[] = {(uint8_t)(q->sport >> 8), (uint8_t)q->sport,
				 (uint8_t)(q->dport >> 8), (uint8_t)q->dport};
	const uint8_t *s = q->src, *d = q->dst;
	const uint8_t *words[] = {s, ports, d, s + 4, s + 8, s + 12, d + 4, d + 8, d + 12};
	size_t n = q->family == 4 ? 3 : 9;
	uint64_t hash = t->hash_key[0];

	for (size_t i = 0; i < n; i++)
		hash += t->hash_key[i + 1] * word32(words[i]);
	return hash;
}

/* Sets the number that stands in a slot; false when the slot is beyond the table. */
static bool read_slot(const struct oracle_tables *t, const struct shunt_service *svc, uint32_t slot,
		      uint32_t *number)
{
	size_t line = (size_t)svc->slots_at + slot / SHUNT_SLOTS_PER_LINE;

	if (line >= t->n_lines)
		return false;
	*number = t->slots[line].slot[slot % SHUNT_SLOTS_PER_LINE] & SHUNT_SLOT_BACKEND;
	return true;
}

/* The slot whose turn it is on this CPU; the CPUs start evenly spread over the slots. */
static uint32_t take_turn(const struct oracle_case *c, const struct shunt_service *svc,
			  struct oracle_result *r)
{
	uint64_t n_slots = (uint64_t)svc->slot_mask + 1;
	uint32_t cpu = c->in->cpu;
	uint64_t cursor = c->s->counters[(size_t)cpu * c->t->rows + svc->row].cursor;

	r->turn_row = svc->row;
	r->turns = 1;
	return (uint32_t)((cursor + cpu * n_slots / c->t->cpus) % n_slots);
}

bool oracle_slot(const struct oracle_case *c, const struct shunt_service *svc, bool by_turn,
		 uint64_t hash, uint32_t *number, struct oracle_result *r)
{
	uint32_t slot = by_turn ? take_turn(c, svc, r) : shunt_slot_of(hash, svc->slot_mask);

	return read_slot(c->t, svc, slot, number);
}

enum shunt_verdict oracle_backend(const struct oracle_case *c, const struct shunt_service *svc,
				  uint32_t number, struct oracle_result *r)
{
	if (svc->row + number >= c->t->rows)
		return SHUNT_DROP_BAD_TABLE;
	r->row = svc->row + number;
	if (number != 0 && c->t->backends[r->row].flags & SHUNT_BE_USABLE)
		return SHUNT_GO_ON;
	r->row = svc->row;
	return svc->flags & SHUNT_SVC_ON_EMPTY_PASS ? SHUNT_PASS_NO_BACKEND : SHUNT_DROP_NO_BACKEND;
}

enum shunt_verdict oracle_forward_to_row(const struct oracle_case *c, struct oracle_result *r)
{
	struct oracle_tuple tuple = oracle_tuple_of(&c->p);
	const struct shunt_backend *be = &c->t->backends[r->row];

	r->egress = be->ifindex;
	return oracle_forward(c->in, &c->p, oracle_hash(c->t, &tuple), be, r);
}

/* ---- finish ------------------------------------------------------------------------------------*/

static bool is_managed(const struct oracle_tables *t, uint32_t ifindex)
{
	for (size_t i = 0; i < t->n_managed; i++)
		if (t->managed[i] == ifindex)
			return true;
	return false;
}

/* What leaves goes out by the interface that it came in by, or by another that is managed. */
static void leave(const struct oracle_case *c, struct oracle_result *r)
{
	if (r->egress == c->in->ifindex)
		r->action = XDP_TX;
	else if (is_managed(c->t, r->egress))
		r->action = XDP_REDIRECT;
	else
		r->verdict = SHUNT_DROP_NO_EGRESS;
}

static bool leaves(enum shunt_verdict verdict)
{
	enum shunt_verdict_class class = verdict_rows[verdict].class;

	return (class == SHUNT_CLASS_FORWARD && verdict != SHUNT_FORWARD_LOCAL) ||
	       class == SHUNT_CLASS_RETURN;
}

/* Sets the action and what is counted, from the verdict. */
static void finish(const struct oracle_case *c, struct oracle_result *r)
{
	enum shunt_verdict_class class;
	bool counts_in_row;

	r->action = XDP_PASS;
	if (leaves(r->verdict))
		leave(c, r);
	class = verdict_rows[r->verdict].class;
	if (class == SHUNT_CLASS_DROP)
		r->action = XDP_DROP;
	if (class == SHUNT_CLASS_REPLY)
		r->action = XDP_TX;
	if (class == SHUNT_CLASS_PASS) {
		r->len = c->in->len;
		memcpy(r->frame, c->in->frame, c->in->len);
	}
	counts_in_row = class == SHUNT_CLASS_FORWARD || r->verdict == SHUNT_PASS_NO_BACKEND ||
			r->verdict == SHUNT_DROP_NO_BACKEND;
	r->packets = counts_in_row;
	r->bytes = counts_in_row ? c->p.l3_len : 0;
	if (class != SHUNT_CLASS_FORWARD)
		r->flows = r->verdict == SHUNT_DROP_RATE_SOURCE ||
			   r->verdict == SHUNT_DROP_RATE_SERVICE;
}

/* ---- all together ------------------------------------------------------------------------------*/

static enum shunt_verdict steer_to(const struct oracle_case *c, const struct shunt_service *svc,
				   struct oracle_result *r)
{
	enum shunt_verdict verdict;
	uint32_t number;

	if (svc->flags & SHUNT_SVC_QUIC && oracle_quic_row(c, svc, r)) {
		oracle_nat_untouched(c, r);
		return oracle_forward_to_row(c, r);
	}
	verdict = oracle_number(c, svc, &number, r);
	if (verdict == SHUNT_GO_ON)
		verdict = oracle_backend(c, svc, number, r);
	if (verdict == SHUNT_GO_ON && oracle_translates(&c->t->backends[r->row]))
		return oracle_nat_request(c, svc, r);
	oracle_nat_untouched(c, r);
	return verdict == SHUNT_GO_ON ? oracle_forward_to_row(c, r) : verdict;
}

static bool is_for_a_group(const struct oracle_parsed *p)
{
	if (p->family == 6)
		return p->dst[0] == 255;
	return (p->dst[0] >= 224 && p->dst[0] < 240) || memcmp(p->dst, "\xff\xff\xff\xff", 4) == 0;
}

bool oracle_is_martian(const struct oracle_parsed *p)
{
	static const uint8_t zero[16], mapped[12] = {[10] = 0xff, 0xff};

	if (p->family == 6)
		return p->src[0] == 255 || memcmp(p->src, mapped, 12) == 0 ||
		       (memcmp(p->src, zero, 15) == 0 && p->src[15] <= 1) ||
		       memcmp(p->src, p->dst, 16) == 0;
	return p->src[0] == 0 || p->src[0] == 127 || p->src[0] == 255 ||
	       (p->src[0] >= 224 && p->src[0] < 240) || memcmp(p->src, p->dst, 4) == 0;
}

enum shunt_verdict oracle_martian(const struct oracle_parsed *p)
{
	if (!oracle_is_martian(p))
		return SHUNT_GO_ON;
	return is_for_a_group(p) ? SHUNT_PASS_NOT_VIP : SHUNT_DROP_BAD_SOURCE;
}

/* What has a service, or may be a backend's answer. */
static enum shunt_verdict steer_sound(const struct oracle_case *c, struct oracle_result *r)
{
	const struct shunt_service *svc = oracle_find(c->t, &c->p);
	enum shunt_verdict verdict = oracle_martian(&c->p);

	r->may_be_told = true;
	if (verdict == SHUNT_PASS_NOT_VIP || (verdict == SHUNT_GO_ON && !svc))
		return oracle_nat_reply(c, r);
	if (verdict == SHUNT_GO_ON)
		verdict = oracle_source(c, svc, r);
	if (verdict != SHUNT_GO_ON) {
		oracle_nat_untouched(c, r);
		return verdict;
	}
	return svc->flags & SHUNT_SVC_NAT ? oracle_nat_request(c, svc, r) : steer_to(c, svc, r);
}

/* What is of a translated connection, or else of a service. */
static enum shunt_verdict steer_rare(struct oracle_case *c, enum shunt_verdict what,
				     struct oracle_result *r)
{
	bool is_piece = what == SHUNT_PASS_FRAGMENT;
	enum shunt_verdict verdict = is_piece ? oracle_nat_fragment(c, r) : oracle_nat_icmp(c, r);

	if (verdict != SHUNT_GO_ON || r->wrong)
		return verdict;
	return is_piece ? oracle_fragment(c, r) : oracle_icmp(c, r);
}

static enum shunt_verdict steer(struct oracle_case *c, struct oracle_result *r)
{
	enum shunt_verdict verdict = oracle_parse(c->in->frame, c->in->len, &c->p);

	if (verdict == SHUNT_GO_ON)
		return steer_sound(c, r);
	if (verdict == SHUNT_PASS_FRAGMENT || verdict == SHUNT_PASS_ICMP)
		return steer_rare(c, verdict, r);
	oracle_nat_untouched(c, r);
	return verdict;
}

void oracle_run(struct oracle_case *c, struct oracle_result *r)
{
	memset(r, 0, offsetof(struct oracle_result, frame));
	r->verdict = steer(c, r);
	if (r->may_be_told && (r->verdict == SHUNT_DROP_TTL || r->verdict == SHUNT_DROP_TOO_BIG))
		r->verdict = oracle_answer(c, r->verdict, r);
	finish(c, r);
}

static uint64_t *flow_word(struct oracle_state *s, size_t at)
{
	return (uint64_t *)&s->flows[at / SHUNT_FLOWS_PER_BUCKET].word[at % SHUNT_FLOWS_PER_BUCKET];
}

static __u64 *frag_word(struct oracle_state *s, size_t at)
{
	return &s->frags[at / SHUNT_FRAGS_PER_BUCKET].word[at % SHUNT_FRAGS_PER_BUCKET];
}

static __u64 *rate_word(struct oracle_state *s, size_t at)
{
	return &s->rates[at / SHUNT_RATE_WAYS].word[at % SHUNT_RATE_WAYS];
}

/* Adds to the counters, or takes off when @sign is -1. */
static void count(const struct oracle_tables *t, struct oracle_state *s, uint32_t cpu,
		  const struct oracle_result *r, uint64_t sign)
{
	struct shunt_counter *own = s->counters + (size_t)cpu * t->rows;

	own[r->row].packets += sign * r->packets;
	own[r->row].bytes += sign * r->bytes;
	own[r->row].flows += sign * r->flows;
	own[r->turn_row].cursor += sign * r->turns;
	s->verdicts[cpu].packets[SHUNT_COUNT_LOOKUPS] += sign * r->lookups;
	s->verdicts[cpu].packets[SHUNT_COUNT_REMEMBERED] += sign * r->remembered;
	s->verdicts[cpu].packets[SHUNT_COUNT_NO_ROOM] += sign * r->no_room;
	if (verdict_rows[r->verdict].class != SHUNT_CLASS_FORWARD)
		s->verdicts[cpu].packets[r->verdict] += sign;
}

static struct shunt_base *base_of(const struct oracle_state *s, size_t at)
{
	return &s->bases[at / SHUNT_SLOTS_PER_LINE].slot[at % SHUNT_SLOTS_PER_LINE];
}

void oracle_apply(const struct oracle_tables *t, struct oracle_state *s, uint32_t cpu,
		  const struct oracle_result *r)
{
	count(t, s, cpu, r, 1);
	for (size_t i = 0; i < r->n_flow_writes; i++)
		*flow_word(s, r->flow_write[i].word) = r->flow_write[i].is;
	if (r->base_written)
		*base_of(s, r->base_at) = r->base_is;
	if (r->source_written)
		*rate_word(s, r->source_word) = r->source_is;
	if (r->full_written)
		s->full[r->full_policy] = r->full_is;
	if (r->frag_written)
		*frag_word(s, r->frag_word) = r->frag_is;
	if (r->answer_written)
		s->answers[cpu] = r->answer_is;
}

void oracle_undo(const struct oracle_tables *t, struct oracle_state *s, uint32_t cpu,
		 const struct oracle_result *r)
{
	count(t, s, cpu, r, (uint64_t)-1);
	for (size_t i = r->n_flow_writes; i > 0; i--)
		*flow_word(s, r->flow_write[i - 1].word) = r->flow_write[i - 1].was;
	if (r->base_written)
		*base_of(s, r->base_at) = r->base_was;
	if (r->source_written)
		*rate_word(s, r->source_word) = r->source_was;
	if (r->full_written)
		s->full[r->full_policy] = r->full_was;
	if (r->frag_written)
		*frag_word(s, r->frag_word) = r->frag_was;
	if (r->answer_written)
		s->answers[cpu] = r->answer_was;
}
