/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table as include/shunt_abi.h describes it: a flow's sixteen words in a row, the first
 * bucket's before the second's, looked through one by one. */
#include "oracle.h"

#define WORDS (2 * SHUNT_FLOWS_PER_BUCKET)

/* Where a flow may stand. */
struct candidates {
	uint32_t tag;
	size_t word[WORDS];
};

static void candidates_of(const struct oracle_tables *t, const struct oracle_flow *flow,
			  struct candidates *c)
{
	uint64_t a = (flow->hash ^ flow->hash >> 32 ^ flow->svc->salt) * 0x9e3779b97f4a7c15ull;
	uint64_t b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;
	size_t first = (a >> 32) % t->flow_buckets;
	size_t second = b % t->flow_buckets;

	c->tag = (uint32_t)(b >> 33);
	for (size_t i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++) {
		c->word[i] = first * SHUNT_FLOWS_PER_BUCKET + i;
		c->word[SHUNT_FLOWS_PER_BUCKET + i] = second * SHUNT_FLOWS_PER_BUCKET + i;
	}
}

/* As it stands, with what the packet has written already. */
static uint64_t word_at(const struct oracle_state *s, const struct oracle_result *r, size_t at)
{
	for (size_t i = r->n_flow_writes; i > 0; i--)
		if (r->flow_write[i - 1].word == at)
			return r->flow_write[i - 1].is;
	return s->flows[at / SHUNT_FLOWS_PER_BUCKET].word[at % SHUNT_FLOWS_PER_BUCKET];
}

static uint32_t tag_in(uint64_t word)
{
	return (uint32_t)(word >> 33);
}

static uint32_t number_in(uint64_t word)
{
	return (uint32_t)(word >> 16) & 0x7fff;
}

/* Ticks since a word was written, from the first of those on that may still be to come.  A free word is
 * older than all. */
static uint32_t age_of(const struct oracle_flow *flow, uint64_t word)
{
	if (word == 0)
		return 0xffff;
	return (uint16_t)(flow->tick + SHUNT_FLOW_AHEAD - (uint16_t)word);
}

static bool is_expired(const struct oracle_flow *flow, uint64_t word)
{
	return age_of(flow, word) > flow->svc->flow_timeout + SHUNT_FLOW_AHEAD;
}

/* The first of the flow's words that has its tag; WORDS when none has. */
static size_t find(const struct oracle_state *s, const struct oracle_result *r,
		   const struct candidates *c)
{
	for (size_t i = 0; i < WORDS; i++)
		if (tag_in(word_at(s, r, c->word[i])) == c->tag)
			return i;
	return WORDS;
}

static void write_down(const struct oracle_state *s, size_t at, uint64_t word,
		       struct oracle_result *r)
{
	const uint64_t was = word_at(s, r, at);

	r->flow_write[r->n_flow_writes++] =
		(struct oracle_flow_write){.word = at, .was = was, .is = word};
}

static uint16_t mark_of(const struct oracle_flow *flow)
{
	return flow->has_since ? flow->mark : flow->tick;
}

enum oracle_memory oracle_recall(const struct oracle_tables *t, const struct oracle_state *s,
				 const struct oracle_flow *flow, uint32_t *number,
				 struct oracle_result *r)
{
	struct candidates c;
	uint64_t w;
	size_t i;

	r->lookups++;
	candidates_of(t, flow, &c);
	i = find(s, r, &c);
	if (i == WORDS)
		return ORACLE_UNKNOWN;
	w = word_at(s, r, c.word[i]);
	if (flow->has_since && age_of(flow, w) > flow->oldest)
		return ORACLE_UNKNOWN;
	if (number_in(w) == 0 || is_expired(flow, w) || number_in(w) > flow->svc->backends)
		return ORACLE_UNKNOWN;
	if (!oracle_may_have(t, flow->svc, number_in(w)))
		return ORACLE_ORPHANED;
	*number = number_in(w);
	if (flow->is_about)
		return ORACLE_KNOWN;
	w = w >> 16 << 16 | mark_of(flow);
	if (flow->confirms)
		w |= SHUNT_FLOW_CONFIRMED;
	write_down(s, c.word[i], w, r);
	return ORACLE_KNOWN;
}

/* How readily a word gives its place to a new flow. */
enum readiness { NEVER, UNCONFIRMED, EXPIRED, EXPIRED_UNCONFIRMED };

static enum readiness readiness_of(const struct oracle_flow *flow, uint64_t word)
{
	bool waits = age_of(flow, word) < SHUNT_FLOW_PROBATION + SHUNT_FLOW_AHEAD;
	bool unconfirmed = !(word & SHUNT_FLOW_CONFIRMED) && !waits;

	if (is_expired(flow, word))
		return unconfirmed ? EXPIRED_UNCONFIRMED : EXPIRED;
	return unconfirmed ? UNCONFIRMED : NEVER;
}

/* Whether @a gives its place before @b does. */
static bool is_readier(const struct oracle_flow *flow, uint64_t a, uint64_t b)
{
	if (readiness_of(flow, a) != readiness_of(flow, b))
		return readiness_of(flow, a) > readiness_of(flow, b);
	return age_of(flow, a) > age_of(flow, b);
}

/* The readiest word of a bucket; of equal ones the last. */
static size_t readiest(const struct oracle_state *s, const struct oracle_result *r,
		       const struct oracle_flow *flow,
		       const size_t words[static SHUNT_FLOWS_PER_BUCKET])
{
	size_t best = words[0];

	for (size_t i = 1; i < SHUNT_FLOWS_PER_BUCKET; i++)
		if (!is_readier(flow, word_at(s, r, best), word_at(s, r, words[i])))
			best = words[i];
	return best;
}

bool oracle_remember(const struct oracle_tables *t, const struct oracle_state *s,
		     const struct oracle_flow *flow, uint32_t number, struct oracle_result *r)
{
	struct candidates c;
	size_t i, at, second;

	candidates_of(t, flow, &c);
	i = find(s, r, &c);
	if (i < WORDS) {
		at = c.word[i];
	} else {
		at = readiest(s, r, flow, c.word);
		second = readiest(s, r, flow, c.word + SHUNT_FLOWS_PER_BUCKET);
		if (is_readier(flow, word_at(s, r, second), word_at(s, r, at)))
			at = second;
		if (readiness_of(flow, word_at(s, r, at)) == NEVER)
			return false;
	}
	write_down(s, at, (uint64_t)c.tag << 33 | (uint64_t)number << 16 | mark_of(flow), r);
	return true;
}
