/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/pool.h"

#include <stdio.h>

/* The backends of a pool. */
struct tally {
	uint32_t size; /* that have a weight */
	uint32_t ready; /* of them those that can take new flows */
	uint32_t settled; /* of them those that do not climb */
};

static bool wants_flows(const struct pool_backend *b)
{
	return b->weight > 0 && !b->drained && !b->expired;
}

static bool is_ready(const struct pool_backend *b)
{
	return b->usable && wants_flows(b);
}

/* ---- climbing ----------------------------------------------------------------------------------*/

/* How long it climbs until it is at its step number @step, from 1 on. */
static int64_t climb_us(const struct pool_policy *p, uint32_t step)
{
	return (int64_t)p->slow_start_ms * 1000 * (step - 1) / (POOL_STEPS - 1);
}

static uint32_t step_of(const struct pool_policy *p, const struct pool_backend *b, mono_t now)
{
	uint32_t step = 1;

	if (mono_is_never(b->climbs_since))
		return POOL_STEPS;
	while (step < POOL_STEPS && mono_diff_us(b->climbs_since, now) >= climb_us(p, step + 1))
		step++;
	return step;
}

static mono_t latest_climb(const struct pool_backend *b, size_t n)
{
	mono_t latest = mono_never();

	for (size_t i = 0; i < n; i++)
		if (b[i].climbs_since.us > latest.us)
			latest = b[i].climbs_since;
	return latest;
}

/* Who serves anew begins to climb, with who began a moment ago; who is up there is done. */
static void climb(struct pool_backend *b, size_t n, const struct pool_policy *p, mono_t now)
{
	mono_t latest = latest_climb(b, n);

	for (size_t i = 0; i < n; i++) {
		if (!is_ready(&b[i])) {
			b[i].climbs_since = mono_never();
		} else if (!b[i].warm && p->slow_start_ms && !p->starting) {
			if (mono_is_never(latest) || mono_diff_us(latest, now) >= climb_us(p, 2))
				latest = now;
			b[i].climbs_since = latest;
		}
		if (step_of(p, &b[i], now) == POOL_STEPS)
			b[i].climbs_since = mono_never();
		b[i].warm = b[i].usable && b[i].weight > 0 && !b[i].idle;
	}
}

/* When all who take flows climb from one moment, a step ago, so that nobody joins them any more, they have
 * their shares, which are equal anyway. If they went on, whoever comes next would be measured by shares that
 * move themselves, and his would fall at times. */
static void end_common_climb(struct pool_backend *b, size_t n, const struct pool_policy *p,
			     mono_t now)
{
	mono_t since = mono_never();
	size_t i;

	for (i = 0; i < n; i++) {
		if (!b[i].takes)
			continue;
		if (mono_is_never(b[i].climbs_since) ||
		    (!mono_is_never(since) && b[i].climbs_since.us != since.us))
			return;
		since = b[i].climbs_since;
	}
	if (mono_is_never(since) || mono_diff_us(since, now) < climb_us(p, 2))
		return;
	for (i = 0; i < n; i++)
		if (b[i].takes)
			b[i].climbs_since = mono_never();
}

static void hold_back(struct pool_backend *b, size_t n, const struct pool_policy *p, mono_t now,
		      struct pool_answer *answer)
{
	uint32_t furthest = 1;

	answer->again = mono_never();
	end_common_climb(b, n, p, now);
	for (size_t i = 0; i < n; i++)
		if (b[i].takes && step_of(p, &b[i], now) > furthest)
			furthest = step_of(p, &b[i], now);
	for (size_t i = 0; i < n; i++) {
		uint32_t step = step_of(p, &b[i], now);
		mono_t next;

		b[i].held_back = 0;
		if (!b[i].takes || mono_is_never(b[i].climbs_since))
			continue;
		b[i].held_back = (uint8_t)(POOL_STEPS - step * POOL_STEPS / furthest);
		next = mono_add_us(b[i].climbs_since, climb_us(p, step + 1));
		if (mono_is_never(answer->again) || next.us < answer->again.us)
			answer->again = next;
	}
}

/* ---- pools -------------------------------------------------------------------------------------*/

static void count(const struct pool_backend *b, size_t n, struct tally tally[static POOL_MAX])
{
	for (size_t i = 0; i < n; i++) {
		struct tally *t = &tally[b[i].pool];
		bool ready = is_ready(&b[i]);

		t->size += b[i].weight > 0;
		t->ready += ready;
		t->settled += ready && mono_is_never(b[i].climbs_since);
	}
}

static uint32_t wanted(const struct tally tally[static POOL_MAX], const struct pool_policy *p)
{
	uint32_t pool = 0, need = p->min_healthy;

	while (pool < POOL_BACKUP && tally[pool].size == 0)
		pool++;
	if (p->percent)
		need = (tally[pool].size * p->min_healthy + 99) / 100;
	return need ? need : 1;
}

/* The last pool of those that are in force, @former until now. */
static uint8_t last_of(const struct tally tally[static POOL_MAX], const struct pool_policy *p,
		       uint8_t former)
{
	const uint32_t need = wanted(tally, p);
	uint32_t size = 0, ready = 0, settled = 0;
	uint8_t last = 0;

	for (uint8_t pool = 0; pool < POOL_MAX; pool++) {
		uint32_t calm = need;

		if (tally[pool].size == 0)
			continue;
		last = pool;
		size += tally[pool].size;
		ready += tally[pool].ready;
		settled += tally[pool].settled;
		if (need > 1 && need < size)
			calm++;
		if (pool < former ? settled >= calm : ready >= need)
			break;
	}
	return last;
}

/* The first pool of which somebody can be reached; POOL_MAX: none. */
static uint8_t first_reachable(const struct pool_backend *b, size_t n)
{
	uint8_t first = POOL_MAX;

	for (size_t i = 0; i < n; i++)
		if (b[i].reachable && wants_flows(&b[i]) && b[i].pool < first)
			first = b[i].pool;
	return first;
}

static void fail_open(struct pool_backend *b, size_t n, struct pool_answer *answer)
{
	const uint8_t first = first_reachable(b, n);

	answer->failing_open = true;
	answer->last_pool = first < POOL_MAX ? first : 0;
	for (size_t i = 0; i < n; i++) {
		b[i].usable = b[i].reachable && !b[i].expired;
		b[i].takes = is_ready(&b[i]) && b[i].pool == first;
	}
}

/* ---- panic -------------------------------------------------------------------------------------*/

static bool panics(const struct pool_policy *p, const struct pool_answer *a)
{
	const uint32_t calm = a->panicking && a->up < a->wanted ? 1 : 0;

	if (!p->panic || !a->wanted)
		return false;
	if (a->up < calm)
		return true;
	return (uint64_t)(a->up - calm) * 100 < (uint64_t)p->panic * a->wanted;
}

static void use_all(struct pool_backend *b, size_t n, const struct pool_answer *answer)
{
	for (size_t i = 0; i < n; i++) {
		b[i].usable = b[i].reachable && !b[i].expired;
		b[i].takes = is_ready(&b[i]) && b[i].pool <= answer->last_pool;
	}
}

void pool_decide(struct pool_backend *b, size_t n, const struct pool_policy *policy, mono_t now,
		 struct pool_answer *answer)
{
	struct tally tally[POOL_MAX] = {0};

	for (size_t i = 0; i < n; i++)
		b[i].usable = b[i].up && b[i].reachable && !b[i].expired;
	climb(b, n, policy, now);
	count(b, n, tally);
	answer->last_pool = last_of(tally, policy, answer->last_pool);
	answer->enough = wanted(tally, policy);
	answer->takers = answer->wanted = answer->up = 0;
	answer->failing_open = false;
	for (size_t i = 0; i < n; i++) {
		b[i].takes = is_ready(&b[i]) && b[i].pool <= answer->last_pool;
		answer->takers += b[i].takes;
		answer->wanted += wants_flows(&b[i]);
		answer->up += is_ready(&b[i]);
	}
	answer->panicking = panics(policy, answer);
	if (answer->panicking)
		use_all(b, n, answer);
	else if (answer->takers == 0 && policy->open_when_empty)
		fail_open(b, n, answer);
	hold_back(b, n, policy, now, answer);
}

/* ---- words -------------------------------------------------------------------------------------*/

/* Why @b gets flows although it is not well; empty: it is. */
static const char *all_the_same(const struct pool_backend *b, const struct pool_policy *p,
				const struct pool_answer *a, char out[static POOL_WORDS_MAX])
{
	const char *check = b->taken_out ? "passive check has taken it out" : "check says down";

	out[0] = '\0';
	if (b->up)
		return out;
	if (a->panicking)
		snprintf(out, POOL_WORDS_MAX,
			 ", though its %s: %u of %u are up, less than panic: %u%%", check, a->up,
			 a->wanted, p->panic);
	else
		snprintf(out, POOL_WORDS_MAX, ", though its %s: nobody is up (on_empty: all)",
			 check);
	return out;
}

static const char *why_nothing(const struct pool_backend *b)
{
	if (b->expired)
		return "no packets: in maintenance, or the deadline of its drain has passed";
	if (!b->reachable)
		return "no packets: no next hop";
	if (!b->usable)
		return b->taken_out ? "no packets: its passive check has taken it out"
				    : "no packets: its check says down";
	if (b->drained)
		return "no new flows: drained";
	return b->weight ? NULL : "no new flows: weight 0";
}

const char *pool_words(const struct pool_backend *b, const struct pool_policy *policy,
		       const struct pool_answer *answer, char out[static POOL_WORDS_MAX])
{
	const char *nothing = why_nothing(b);
	char more[POOL_WORDS_MAX], share[32] = "";

	if (nothing) {
		snprintf(out, POOL_WORDS_MAX, "%s", nothing);
		return out;
	}
	if (!b->takes) {
		if (b->pool == POOL_BACKUP)
			snprintf(share, sizeof(share), "a backup");
		else
			snprintf(share, sizeof(share), "of pool %u", b->pool);
		snprintf(out, POOL_WORDS_MAX,
			 "stands by: %s, and of those before it as many are up as are wanted (%u)",
			 share, answer->enough);
		return out;
	}
	if (b->held_back)
		snprintf(share, sizeof(share), ", %u/%u of its share yet",
			 POOL_STEPS - b->held_back, POOL_STEPS);
	snprintf(out, POOL_WORDS_MAX, "weight %u%s%.100s", b->weight, share,
		 all_the_same(b, policy, answer, more));
	return out;
}
