/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a service takes packets from a source, and how many new flows: what a service's policy says
 * (shunt_abi_source.h).  Global functions over numbers, which the verifier checks once; a service
 * without a policy calls none of them.
 *
 * New flows are TCP SYNs without ACK; of UDP, whatever comes to a service that remembers no flows, and
 * to one that does what it does not remember.  Other packets of connections are never counted. */
#ifndef SHUNT_SOURCE_H
#define SHUNT_SOURCE_H

#include "flow.h"
#include "maps.h"

/* Beside a list's answers, what the functions below may say. */
#define SOURCE_OVER_OWN_RATE 3u
#define SOURCE_OVER_RATE 4u
#define SOURCE_BAD_TABLE 5u

#define RATE_TRIES 4 /* for others who write the same word meanwhile */

/* ---- lists --------------------------------------------------------------------------------------*/

static __always_inline __u64 source_word(__u32 at)
{
	__u32 line = at / SHUNT_SOURCE_LINE;
	const struct shunt_source_line *l = bpf_map_lookup_elem(&sources, &line);

	return l ? l->word[at % SHUNT_SOURCE_LINE] : SOURCE_BAD_TABLE;
}

/* 1 if @word begins at or before @number.  Without a branch, which could not be foreseen and which the
 * verifier would follow both ways. */
static __always_inline __u32 source_begins(__u64 word, __u32 number)
{
	return 1 - (__u32)is_less(number, word >> 32);
}

/* The answer for @number among the @n words from @at on. */
__noinline __u32 source_search(__u32 at, __u32 n, __u32 number)
{
	const struct shunt_source_line *l;
	__u32 middle, line;

	for (int i = 0; i < SHUNT_SOURCE_SEARCH && n > 1; i++) {
		middle = at + n / 2;
		line = middle / SHUNT_SOURCE_LINE;
		l = bpf_map_lookup_elem(&sources, &line);
		if (!l)
			return SOURCE_BAD_TABLE;
		at += n / 2 * source_begins(l->word[middle % SHUNT_SOURCE_LINE], number);
		n -= n / 2;
	}
	return source_word(at);
}

/* The same for the words of one line. */
static __always_inline __u32 source_in_line(__u32 at, __u32 number)
{
	__u32 line = at / SHUNT_SOURCE_LINE;
	const struct shunt_source_line *l = bpf_map_lookup_elem(&sources, &line);
	__u32 i = 0;

	if (!l)
		return SOURCE_BAD_TABLE;
	for (int k = 1; k < (int)SHUNT_SOURCE_LINE; k++)
		i += source_begins(l->word[k], number);
	return l->word[i % SHUNT_SOURCE_LINE];
}

/* The answer of the set for @number; its buckets begin at @at, the list at @list_at. */
static __always_inline __u32 source_answer(const struct shunt_source_set *set, __u32 at,
					   __u32 list_at, __u32 number)
{
	__u64 bucket;
	__u32 n;

	if (number - set->base > set->last)
		return set->out;
	bucket = source_word(at + ((number - set->base) >> (set->shift & 31)));
	n = bucket >> 32;
	if (likely(!n))
		return bucket;
	at = list_at + (__u32)bucket;
	if (likely(n <= SHUNT_SOURCE_LINE)) /* a call costs more */
		return source_in_line(at, number);
	return source_search(at, n, number);
}

/* Reads the set at @at; 0: there is none. */
static __always_inline int source_set_at(__u32 at, struct shunt_source_set *set)
{
	__u32 line = at / SHUNT_SOURCE_LINE;
	const struct shunt_source_line *l = bpf_map_lookup_elem(&sources, &line);

	if (!l)
		return 0;
	*set = (struct shunt_source_set){l->word[0], l->word[0] >> 32, l->word[1],
					 l->word[1] >> 32};
	return 1;
}

/* The answer for the next 32 bits, @number, to which @answer has led. */
static __always_inline __u32 source_next(__u32 list_at, __u32 answer, __be32 number)
{
	__u32 at = list_at + (answer & ~SHUNT_SOURCE_DEEPER);
	struct shunt_source_set set;

	if (!source_set_at(at, &set))
		return SOURCE_BAD_TABLE;
	return source_answer(&set, at + 2, list_at, bpf_ntohl(number));
}

/* What a list says after the first 64 bits of an IPv6 address, which led to @answer; @b is the rest in
 * memory order.  A global function, since lists seldom tell so much apart. */
__noinline __u32 source_deeper(__u64 b, __u32 list_at, __u32 answer)
{
	answer = source_next(list_at, answer, b);
	if (answer & SHUNT_SOURCE_DEEPER)
		answer = source_next(list_at, answer, b >> 32);
	return answer & SHUNT_SOURCE_DEEPER ? SOURCE_BAD_TABLE : answer;
}

/* ---- rates --------------------------------------------------------------------------------------*/

/* Takes a new flow from the bucket in @word; 0: it is empty.  Who meets others there again and again
 * is let pass: they have taken theirs. */
static __always_inline int rate_take(__u64 *word, const struct shunt_rate *rate, __u64 now,
				     __u64 mask)
{
	__u64 cost = rate->cost, limit = rate->limit, was, ahead, next;

	for (int i = 0; i < RATE_TRIES; i++) {
		was = *(volatile __u64 *)word;
		ahead = shunt_rate_ahead(was, now, limit, mask);
		if (ahead + cost > limit)
			return 0;
		next = (was & ~mask) | ((now + ahead + cost) & mask);
		if (settings.dry || likely(__sync_val_compare_and_swap(word, was, next) == was))
			return 1;
	}
	return 1;
}

/* The index of the line's word with this tag, or of that which will be full first.  Without a branch,
 * as is_less() says. */
static __always_inline __u32 rate_place_in(const struct shunt_rate_line *line, __u64 tag, __u64 now)
{
	__u64 best = ~0ull >> 1, score, word;

	for (int i = 0; i < SHUNT_RATE_WAYS; i++) {
		word = line->word[i];
		score = (word - now) & SHUNT_RATE_TIME; /* as shunt_rate_ahead() */
		score = score * is_less(score, SHUNT_RATE_TIME >> 1) + 1;
		score *= 1 - is_less((word ^ tag) >> 44, 1);
		score = score << 3 | i;
		best += (score - best) * is_less(score, best);
	}
	return best & 7;
}

static __always_inline int rate_take_source(__u64 a, const struct shunt_policy *p, __u64 now)
{
	const volatile __u64 *k = settings.hash_key;
	__u64 h = shunt_source_mix(k[0] + k[1] * (__u32)a + k[4] * (a >> 32), p->salt);
	__u32 at = h & settings.rate_mask;
	struct shunt_rate_line *line = bpf_map_lookup_elem(&rates, &at);
	__u64 tag = h & ~SHUNT_RATE_TIME;
	__u64 *word;

	if (!line)
		return 1;
	word = &line->word[rate_place_in(line, tag, now)];
	if ((*word & ~SHUNT_RATE_TIME) == tag)
		return rate_take(word, &p->source, now, SHUNT_RATE_TIME);
	if (!settings.dry)
		*(volatile __u64 *)word = tag | ((now + p->source.cost) & SHUNT_RATE_TIME);
	return 1;
}

/* What to do with a new flow of the source whose address begins with @a.  Its own rate comes first, so
 * that what one source has too many of takes nothing from the others. */
__noinline __u32 source_rate(__u64 a, __u32 policy)
{
	struct shunt_policy *p = bpf_map_lookup_elem(&policies, &policy);
	__u64 now = bpf_jiffies64() << SHUNT_RATE_SHIFT;

	if (!p)
		return SOURCE_BAD_TABLE;
	if (p->flags & SHUNT_POLICY_SOURCE_RATE && !rate_take_source(a, p, now))
		return SOURCE_OVER_OWN_RATE;
	if (p->flags & SHUNT_POLICY_SERVICE_RATE && !rate_take(&p->full, &p->service, now, ~0ull))
		return SOURCE_OVER_RATE;
	return 0;
}

/* ---- a packet -----------------------------------------------------------------------------------*/

/* Whether a packet of @svc counts as a new flow before anything is known of its flow: a SYN; UDP, where
 * nothing is remembered.  Else UDP counts where it is remembered (sched.h, nat.h). */
static __always_inline int source_is_new(const struct pkt *pkt, const struct shunt_service *svc)
{
	return pkt_is_syn(pkt) ||
	       (pkt->l4_proto == IPPROTO_UDP && !(svc->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_NAT)));
}

static __always_inline __u64 source_upper(const struct pkt *pkt)
{
	return pkt->is_v6 ? pkt->saddr[0] | (__u64)pkt->saddr[1] << 32 : pkt->saddr[0];
}

/* Both halves of the source's address in memory order; IPv4 in @a. */
static __always_inline void source_words(const struct pkt *pkt, __u64 *a, __u64 *b)
{
	*a = pkt->saddr[0];
	*b = 0;
	if (pkt->is_v6) {
		*a |= (__u64)pkt->saddr[1] << 32;
		*b = pkt->saddr[2] | (__u64)pkt->saddr[3] << 32;
	}
}

static __always_inline __u64 source_lower(const struct pkt *pkt)
{
	return pkt->is_v6 ? pkt->saddr[2] | (__u64)pkt->saddr[3] << 32 : 0;
}

/* Counts a packet that is over a rate as a flow of its service's own row, @row, which has no others: so it
 * shows which service it is.  Not for those that a list refuses, whom this would cost a tenth more. */
__noinline int source_count_over(__u32 row)
{
	__u32 at = bpf_get_smp_processor_id() * settings.rows + row;
	struct shunt_counter *c = bpf_map_lookup_elem(&counters, &at);

	if (c && !WITHOUT(counters))
		c->flows++;
	return 0;
}

/* What is not to be taken, as its verdict.  A range is all that the verifier is to know of it, or it
 * would follow each. */
static __always_inline enum shunt_verdict source_verdict(__u32 answer)
{
	_Static_assert(SHUNT_DROP_NOT_ALLOWED - SHUNT_DROP_DENIED ==
				       SHUNT_SOURCE_NOT_ALLOWED - SHUNT_SOURCE_DENIED &&
			       SHUNT_DROP_RATE_SOURCE - SHUNT_DROP_DENIED ==
				       SOURCE_OVER_OWN_RATE - SHUNT_SOURCE_DENIED &&
			       SHUNT_DROP_RATE_SERVICE - SHUNT_DROP_DENIED ==
				       SOURCE_OVER_RATE - SHUNT_SOURCE_DENIED,
		       "in the same order");
	if (answer > SOURCE_OVER_RATE)
		return SHUNT_DROP_BAD_TABLE;
	return SHUNT_DROP_DENIED + (answer - SHUNT_SOURCE_DENIED);
}

/* The same for one that may not open a flow. */
static __always_inline enum shunt_verdict source_over(const struct shunt_service *svc, __u32 answer)
{
	source_count_over(svc->row);
	return source_verdict(answer);
}

/* Whether the packet may open a flow, as far as the policy's rates are concerned. */
static __always_inline enum shunt_verdict source_opens(const struct pkt *pkt,
						       const struct shunt_service *svc)
{
	__u32 answer = source_rate(source_upper(pkt), svc->policy);

	return likely(!answer) ? SHUNT_GO_ON : source_over(svc, answer);
}

/* What the list has to say of the packet's source: nearly always known by its first 32 bits, and without
 * a call. */
static __always_inline __u32 source_list(const struct pkt *pkt, const struct shunt_policy *p)
{
	__u32 answer = source_answer(&p->root, p->root_at, p->list_at, bpf_ntohl(pkt->saddr[0]));

	if (answer & SHUNT_SOURCE_DEEPER)
		answer = source_next(p->list_at, answer, pkt->saddr[1]);
	if (unlikely(answer & SHUNT_SOURCE_DEEPER))
		answer = source_deeper(source_lower(pkt), p->list_at, answer);
	return answer;
}

/* What one word has to say of the packet's source: SHUNT_QUICK_*. */
static __always_inline __u32 source_quickly(const struct pkt *pkt, const struct shunt_policy *p)
{
	__u64 number =
		pkt->is_v6_word ? bpf_be64_to_cpu(source_upper(pkt)) : bpf_ntohl(pkt->saddr[0]);
	const struct shunt_source_line *line;
	__u64 at, word;

	number -= p->quick.base;
	at = number >> (p->quick.shift & 63);
	if (at >= p->quick.n)
		return p->quick.out;
	at += p->quick.at;
	line = element(sources, at / SHUNT_SOURCE_LINE);
	if (!line)
		return SHUNT_QUICK_ASK;
	word = line->word[at % SHUNT_SOURCE_LINE];
	number >>= word >> SHUNT_QUICK_SIZE;
	if ((number ^ word) << (64 - SHUNT_QUICK_IN))
		return word >> SHUNT_QUICK_OUT & 3;
	return word >> SHUNT_QUICK_IN & 3;
}

/* What the service's policy, of which there is one, has to say of the packet.  *rates is its number if it
 * has rates, which flows that turn out to be new count for; else 0. */
static __always_inline enum shunt_verdict
source_check(const struct pkt *pkt, const struct shunt_service *svc, __u32 *rates)
{
	__u32 policy = svc->policy, answer = 0;
	const struct shunt_policy *p = bpf_map_lookup_elem(&policies, &policy);

	if (!p)
		return SHUNT_DROP_BAD_TABLE;
	*rates = p->flags & SHUNT_POLICY_RATES ? policy : 0;
	if (p->flags & SHUNT_POLICY_LIST)
		answer = source_list(pkt, p);
	if (answer)
		return source_verdict(answer);
	if (*rates && source_is_new(pkt, svc))
		return source_opens(pkt, svc);
	return SHUNT_GO_ON;
}

#endif
