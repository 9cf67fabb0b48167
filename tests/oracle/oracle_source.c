/* SPDX-License-Identifier: BSD-2-Clause */
/* The stage between find and choose: whether the service takes packets from this source, and more new
 * flows. */
#include "oracle.h"

#include <string.h>

#define PROTO_UDP 17

/* ---- lists --------------------------------------------------------------------------------------*/

static bool is_within(const struct oracle_source *s, const uint8_t *addr)
{
	for (int i = 0; i < s->bits; i++)
		if ((s->addr[i / 8] ^ addr[i / 8]) & 128 >> i % 8)
			return false;
	return true;
}

/* The longest prefix decides; of equal ones the one that denies. */
static uint32_t answer_for(const struct oracle_policy *p, const uint8_t *addr)
{
	const struct oracle_source *best = NULL, *s;

	for (size_t i = 0; i < p->n_sources; i++) {
		s = &p->sources[i];
		if (!is_within(s, addr) || (best && s->bits < best->bits))
			continue;
		if (!best || s->bits > best->bits || s->answer > best->answer)
			best = s;
	}
	return best ? best->answer : p->otherwise;
}

/* ---- rates --------------------------------------------------------------------------------------*/

static uint64_t now_of(const struct oracle_case *c)
{
	return c->in->jiffies << SHUNT_RATE_SHIFT;
}

/* When the bucket is full again after another flow; false when that is too many. */
static bool takes(uint64_t full, const struct shunt_rate *rate, uint64_t now, uint64_t mask,
		  uint64_t *next)
{
	uint64_t ahead = shunt_rate_ahead(full, now, rate->limit, mask);

	*next = (now + ahead + rate->cost) & mask;
	return ahead + rate->cost <= rate->limit;
}

/* Where in its line the source's word is, or the one that it gets: the first to be full. */
static size_t source_way(const struct shunt_rate_line *line, uint64_t tag, uint64_t now)
{
	uint64_t best_ahead = 0, ahead;
	size_t best = SHUNT_RATE_WAYS;

	for (size_t i = 0; i < SHUNT_RATE_WAYS; i++) {
		if ((line->word[i] & ~SHUNT_RATE_TIME) == tag)
			return i;
		ahead = (line->word[i] - now) & SHUNT_RATE_TIME;
		if (ahead >= SHUNT_RATE_TIME >> 1)
			ahead = 0;
		if (best == SHUNT_RATE_WAYS || ahead < best_ahead) {
			best = i;
			best_ahead = ahead;
		}
	}
	return best;
}

static uint32_t word32(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, 4);
	return word;
}

/* Of an IPv6 source the first half counts. */
static bool source_takes(const struct oracle_case *c, const struct oracle_policy *p,
			 struct oracle_result *r)
{
	const uint64_t *k = c->t->hash_key;
	uint64_t upper = c->p.family == 6 ? k[4] * word32(c->p.src + 4) : 0, h, tag, was, next;
	size_t at, way;

	h = shunt_source_mix(k[0] + k[1] * word32(c->p.src) + upper, p->row.salt);
	at = h & (c->t->rate_lines - 1);
	tag = h & ~SHUNT_RATE_TIME;
	way = source_way(&c->s->rates[at], tag, now_of(c));
	was = c->s->rates[at].word[way];
	if ((was & ~SHUNT_RATE_TIME) != tag)
		next = (now_of(c) + p->row.source.cost) & SHUNT_RATE_TIME;
	else if (!takes(was, &p->row.source, now_of(c), SHUNT_RATE_TIME, &next))
		return false;
	r->source_written = true;
	r->source_word = at * SHUNT_RATE_WAYS + way;
	r->source_was = was;
	r->source_is = tag | next;
	return true;
}

static bool service_takes(const struct oracle_case *c, uint32_t number, struct oracle_result *r)
{
	const struct oracle_policy *p = &c->t->policies[number];
	uint64_t next;

	if (!takes(c->s->full[number], &p->row.service, now_of(c), UINT64_MAX, &next))
		return false;
	r->full_written = true;
	r->full_policy = number;
	r->full_was = c->s->full[number];
	r->full_is = next;
	return true;
}

enum shunt_verdict oracle_new_flow(const struct oracle_case *c, const struct shunt_service *svc,
				   struct oracle_result *r)
{
	const struct oracle_policy *p = &c->t->policies[svc->policy];

	if (!svc->policy)
		return SHUNT_GO_ON;
	if (svc->policy >= c->t->n_policies)
		return SHUNT_DROP_BAD_TABLE;
	if (p->row.flags & SHUNT_POLICY_SOURCE_RATE && !source_takes(c, p, r)) {
		r->row = svc->row;
		return SHUNT_DROP_RATE_SOURCE;
	}
	if (p->row.flags & SHUNT_POLICY_SERVICE_RATE && !service_takes(c, svc->policy, r)) {
		r->row = svc->row;
		return SHUNT_DROP_RATE_SERVICE;
	}
	return SHUNT_GO_ON;
}

enum shunt_verdict oracle_source(const struct oracle_case *c, const struct shunt_service *svc,
				 struct oracle_result *r)
{
	const struct oracle_policy *p = &c->t->policies[svc->policy];
	bool remembers = svc->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_NAT);
	uint32_t answer = SHUNT_SOURCE_TAKEN;

	if (!svc->policy)
		return SHUNT_GO_ON;
	if (svc->policy >= c->t->n_policies)
		return SHUNT_DROP_BAD_TABLE;
	if (p->row.flags & SHUNT_POLICY_LIST)
		answer = answer_for(p, c->p.src);
	if (answer == SHUNT_SOURCE_DENIED)
		return SHUNT_DROP_DENIED;
	if (answer == SHUNT_SOURCE_NOT_ALLOWED)
		return SHUNT_DROP_NOT_ALLOWED;
	if (!c->p.is_syn && (c->p.proto != PROTO_UDP || remembers))
		return SHUNT_GO_ON;
	return oracle_new_flow(c, svc, r);
}
