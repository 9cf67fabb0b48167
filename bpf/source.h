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
	const __u64 *word = bpf_map_lookup_elem(&sources, &at);

	return word ? *word : SOURCE_BAD_TABLE;
}

/* The answer for @number among the @n words from @at on.  Half of them go each time without a branch,
 * which could not be foreseen and which the verifier would follow both ways. */
__noinline __u32 source_search(__u32 at, __u32 n, __u32 number)
{
	const __u64 *word;
	__u32 middle;

	for (int i = 0; i < SHUNT_SOURCE_SEARCH && n > 1; i++) {
		middle = at + n / 2;
		word = bpf_map_lookup_elem(&sources, &middle);
		if (!word)
			return SOURCE_BAD_TABLE;
		at += n / 2 * (1 - (__u32)is_less(number, *word >> 32));
		n -= n / 2;
	}
	return source_word(at);
}

/* The answer of the set for @number; its buckets begin at @at, the list at @list_at. */
static __always_inline __u32 source_answer(const struct shunt_source_set *set, __u32 at,
					   __u32 list_at, __u32 number)
{
	__u64 bucket;

	if (number - set->base > set->last)
		return set->out;
	bucket = source_word(at + ((number - set->base) >> (set->shift & 31)));
	if (likely(!(bucket >> 32)))
		return bucket;
	return source_search(list_at + (__u32)bucket, bucket >> 32, number);
}

/* Reads the set at @at; 0: there is none. */
static __always_inline int source_set_at(__u32 at, struct shunt_source_set *set)
{
	const __u64 *first = bpf_map_lookup_elem(&sources, &at), *second;

	at++;
	second = bpf_map_lookup_elem(&sources, &at);
	if (!first || !second)
		return 0;
	*set = (struct shunt_source_set){*first, *first >> 32, *second, *second >> 32};
	return 1;
}

/* The answer of @p's list on the source whose address is @a, @b in memory order (IPv4 in the lower half
 * of @a). */
static __always_inline __u32 source_list(const struct shunt_policy *p, __u64 a, __u64 b)
{
	struct shunt_source_set set = p->root;
	__u32 buckets_at = p->root_at, answer, at;

	for (int step = 0; step < 4; step++) {
		answer = source_answer(&set, buckets_at, p->list_at, bpf_ntohl((__u32)a));
		if (likely(!(answer & SHUNT_SOURCE_DEEPER)))
			return answer;
		at = p->list_at + (answer & ~SHUNT_SOURCE_DEEPER);
		if (!source_set_at(at, &set))
			break;
		buckets_at = at + 2;
		a = a >> 32 | b << 32;
		b >>= 32;
	}
	return SOURCE_BAD_TABLE;
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
		if (likely(__sync_val_compare_and_swap(word, was, next) == was))
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
static __always_inline int source_is_new(const struct shunt_service *svc, __u32 is_syn, __u32 proto)
{
	if (is_syn)
		return 1;
	return proto == IPPROTO_UDP && !(svc->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_NAT));
}

/* What the policy of @svc has to say of a packet: its list's answer, or that of source_rate(). */
__noinline __u32 source_answer_for(__u64 a, __u64 b, struct shunt_service *svc, __u32 is_syn,
				   __u32 proto)
{
	const struct shunt_policy *p;
	__u32 policy, answer;

	if (!svc)
		return SOURCE_BAD_TABLE;
	policy = svc->policy;
	p = bpf_map_lookup_elem(&policies, &policy);
	if (!p)
		return SOURCE_BAD_TABLE;
	if (p->flags & SHUNT_POLICY_LIST) {
		answer = source_list(p, a, b);
		if (answer)
			return answer;
	}
	if (!(p->flags & (SHUNT_POLICY_SERVICE_RATE | SHUNT_POLICY_SOURCE_RATE)) ||
	    !source_is_new(svc, is_syn, proto))
		return 0;
	return source_rate(a, policy);
}

static __always_inline __u64 source_upper(const struct pkt *pkt)
{
	return pkt->is_v6 ? pkt->saddr[0] | (__u64)pkt->saddr[1] << 32 : pkt->saddr[0];
}

static __always_inline __u64 source_lower(const struct pkt *pkt)
{
	return pkt->is_v6 ? pkt->saddr[2] | (__u64)pkt->saddr[3] << 32 : 0;
}

/* A constant for the verifier, which would else follow every verdict to its end. */
static __always_inline enum shunt_verdict known(enum shunt_verdict verdict)
{
	barrier_var(verdict);
	return verdict;
}

static __always_inline enum shunt_verdict source_verdict(__u32 answer)
{
	if (answer == SHUNT_SOURCE_DENIED)
		return known(SHUNT_DROP_DENIED);
	if (answer == SHUNT_SOURCE_NOT_ALLOWED)
		return known(SHUNT_DROP_NOT_ALLOWED);
	if (answer == SOURCE_OVER_OWN_RATE)
		return known(SHUNT_DROP_RATE_SOURCE);
	if (answer == SOURCE_OVER_RATE)
		return known(SHUNT_DROP_RATE_SERVICE);
	return known(SHUNT_DROP_BAD_TABLE);
}

/* Whether the packet may open a flow, as far as the policy's rates are concerned. */
static __always_inline enum shunt_verdict source_opens(const struct pkt *pkt,
						       const struct shunt_service *svc)
{
	__u32 answer = source_rate(source_upper(pkt), svc->policy);

	return likely(!answer) ? SHUNT_GO_ON : source_verdict(answer);
}

/* What the service's policy, of which there is one, has to say of the packet. */
static __always_inline enum shunt_verdict source_check(const struct pkt *pkt,
						       const struct shunt_service *svc)
{
	__u32 answer = source_answer_for(source_upper(pkt), source_lower(pkt),
					 (struct shunt_service *)svc, pkt->is_syn, pkt->l4_proto);

	return likely(!answer) ? SHUNT_GO_ON : source_verdict(answer);
}

#endif
