/* SPDX-License-Identifier: BSD-2-Clause */
/* From prefixes to intervals to sets of buckets, one set for each 32 bits. Sorted by address and
 * length, prefixes come in the order of a walk through their tree: a stack of those that the walk is
 * inside of tells the answer at every number where it changes. */
#include "pure/source_list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "pure/source_quick.h"
#include "shunt_abi.h"

#define STEP_BITS 32u
#define STEP_END (1ull << STEP_BITS)
#define NESTED_MAX (STEP_BITS + 3) /* lengths 0 to 32, a deeper set, and what is around all */

/* Buckets, where there are that many numbers: four for each interval, so that most hold one, up to
 * half a megabyte; a deeper set, of which there may be many, has fewer. */
#define BUCKETS_BITS_MAX 16u
#define SPARE_BITS 2u

struct builder {
	uint64_t *words;
	size_t n, room;
};

struct interval {
	uint32_t from; /* to the next one's */
	uint32_t answer;
};

struct sweep {
	struct interval *list;
	size_t n;
	struct {
		uint64_t end;
		uint32_t answer;
	} inside[NESTED_MAX];
	size_t depth;
};

/* ---- words --------------------------------------------------------------------------------------*/

static int reserve(struct builder *b, size_t more)
{
	size_t room = b->room ? b->room : 64;
	uint64_t *grown;

	if (b->n + more <= b->room)
		return 0;
	while (room < b->n + more)
		room *= 2;
	if (room > SHUNT_SOURCE_DEEPER)
		return -E2BIG;
	grown = reallocarray(b->words, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->words = grown;
	b->room = room;
	return 0;
}

static uint64_t word(uint32_t upper, uint32_t lower)
{
	return (uint64_t)upper << 32 | lower;
}

/* ---- sets ---------------------------------------------------------------------------------------*/

static unsigned int bits_for(uint64_t n)
{
	return n <= 1 ? 0 : 64u - (unsigned int)__builtin_clzll(n - 1);
}

/* @bits: of the block. One prefix alone is a block of one answer. */
static unsigned int bucket_bits(const struct sweep *s, unsigned int bits, bool is_root)
{
	bool one = s->n == 3 && s->list[2].from - s->list[1].from == 1ull << bits;
	unsigned int wanted = one ? 0 : bits_for(s->n) + (is_root ? SPARE_BITS : 0);

	if (wanted > BUCKETS_BITS_MAX)
		wanted = BUCKETS_BITS_MAX;
	if (wanted == 0 && bits == STEP_BITS)
		wanted = 1; /* no shift by 32 */
	return wanted < bits ? wanted : bits;
}

/* The smallest aligned block with every number that has another answer than the first. */
static struct shunt_source_set frame_of(const struct sweep *s, bool is_root)
{
	const struct interval *end = &s->list[s->n - 1];
	uint32_t first = s->n > 1 ? s->list[1].from : 0;
	uint32_t last = end->answer != s->list[0].answer ? UINT32_MAX
			: s->n > 1			 ? end->from - 1
							 : 0;
	unsigned int bits =
		first == last ? 0 : STEP_BITS - (unsigned int)__builtin_clz(first ^ last);

	return (struct shunt_source_set){
		.base = (uint32_t)((uint64_t)first >> bits << bits),
		.last = (uint32_t)((1ull << bits) - 1),
		.out = s->list[0].answer,
		.shift = bits - bucket_bits(s, bits, is_root),
	};
}

/* Fills up the line with copies of the last word, which a lookup may meet. */
static void end_line(struct builder *b)
{
	uint64_t last = b->n ? b->words[b->n - 1] : 0;

	while (b->n % SHUNT_SOURCE_LINE)
		b->words[b->n++] = last;
}

/* Appends the @n intervals of a bucket on lines of their own. Returns the bucket. */
static uint64_t put_run(struct builder *b, const struct interval *list, size_t n)
{
	uint32_t at = (uint32_t)b->n;

	for (size_t i = 0; i < n; i++)
		b->words[b->n++] = word(list[i].from, list[i].answer);
	end_line(b);
	return word((uint32_t)n, at);
}

/* Fills the @n buckets from word @buckets_at on, and appends what they refer to. */
static void fill_buckets(struct builder *b, size_t buckets_at, size_t n,
			 const struct shunt_source_set *set, const struct sweep *s)
{
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		uint64_t from = set->base + ((uint64_t)i << set->shift);
		uint64_t end = from + (1ull << set->shift);
		size_t more = 0;

		while (at + 1 < s->n && s->list[at + 1].from <= from)
			at++;
		while (at + more + 1 < s->n && s->list[at + more + 1].from < end)
			more++;
		b->words[buckets_at + i] =
			more ? put_run(b, &s->list[at], more + 1) : word(0, s->list[at].answer);
	}
}

/* Appends the set to the words; *at is where it begins: on a new line. Of the intervals, one may be in
 * the runs of two buckets, and each run may leave the rest of a line. */
static int lay_out(struct builder *b, const struct sweep *s, bool is_root,
		   struct shunt_source_set *set, uint32_t *at)
{
	size_t buckets;
	int err;

	*set = frame_of(s, is_root);
	buckets = ((size_t)set->last >> set->shift) + 1;
	err = reserve(b, 2 + buckets + (1 + SHUNT_SOURCE_LINE) * s->n + 2 * SHUNT_SOURCE_LINE);
	if (err)
		return err;
	*at = (uint32_t)b->n;
	memcpy(b->words + b->n, set, sizeof(*set));
	memset(b->words + b->n + 2, 0, buckets * sizeof(*b->words));
	b->n += 2 + buckets;
	end_line(b);
	fill_buckets(b, *at + 2, buckets, set, s);
	return 0;
}

/* ---- intervals ----------------------------------------------------------------------------------*/

/* From the number @from on the answer is @answer, until the next call. */
static void emit(struct sweep *s, uint64_t from, uint32_t answer)
{
	if (from >= STEP_END)
		return;
	if (s->n && s->list[s->n - 1].from == from)
		s->n--;
	if (s->n && s->list[s->n - 1].answer == answer)
		return;
	s->list[s->n++] = (struct interval){(uint32_t)from, answer};
}

/* Leaves what ends at or before @at. */
static void leave(struct sweep *s, uint64_t at)
{
	while (s->depth > 1 && s->inside[s->depth - 1].end <= at) {
		uint64_t end = s->inside[--s->depth].end;

		emit(s, end, s->inside[s->depth - 1].answer);
	}
}

static void enter(struct sweep *s, uint64_t from, uint64_t end, uint32_t answer)
{
	emit(s, from, answer);
	s->inside[s->depth].end = end;
	s->inside[s->depth++].answer = answer;
}

/* ---- steps --------------------------------------------------------------------------------------*/

static uint32_t number_of(const struct addr *a, unsigned int step)
{
	const uint8_t *b = a->bytes + 4 * step;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* How many of the rules from the first on are deeper than this step and go on under its number. */
static size_t group_of(const struct source_rule *rules, size_t n, unsigned int step)
{
	uint32_t number = number_of(&rules[0].prefix->addr, step);
	size_t i = 1;

	while (i < n && number_of(&rules[i].prefix->addr, step) == number)
		i++;
	return i;
}

struct level {
	const struct source_rule *rules; /* sorted */
	size_t n;
	unsigned int step;
	uint32_t around; /* the answer where there are none */
};

static int build_level(struct builder *b, const struct level *l, struct shunt_source_set *set,
		       uint32_t *at);

/* What is deeper under one number: *used rules are. */
static int go_deeper(struct builder *b, const struct level *l, size_t i, struct sweep *s,
		     size_t *used)
{
	struct level next = {l->rules + i, group_of(l->rules + i, l->n - i, l->step), l->step + 1,
			     s->inside[s->depth - 1].answer};
	uint32_t number = number_of(&l->rules[i].prefix->addr, l->step), at;
	struct shunt_source_set set;
	int err = build_level(b, &next, &set, &at);

	if (err)
		return err;
	enter(s, number, (uint64_t)number + 1, SHUNT_SOURCE_DEEPER | at);
	*used = next.n;
	return 0;
}

static int sweep_level(struct builder *b, const struct level *l, struct sweep *s)
{
	size_t i = 0, used;
	int err = 0;

	emit(s, 0, l->around);
	s->inside[0].end = STEP_END;
	s->inside[s->depth++].answer = l->around;
	while (i < l->n && !err) {
		const struct source_rule *r = &l->rules[i];
		uint64_t from = number_of(&r->prefix->addr, l->step);
		unsigned int bits = r->prefix->bits - STEP_BITS * l->step;

		used = 1;
		leave(s, from);
		if (bits > STEP_BITS)
			err = go_deeper(b, l, i, s, &used);
		else
			enter(s, from, from + (STEP_END >> bits), r->answer);
		i += used;
	}
	leave(s, STEP_END);
	return err;
}

static int build_level(struct builder *b, const struct level *l, struct shunt_source_set *set,
		       uint32_t *at)
{
	struct sweep s = {.list = calloc(2 * l->n + 1, sizeof(*s.list))};
	int err = -ENOMEM;

	if (s.list)
		err = sweep_level(b, l, &s);
	if (!err)
		err = lay_out(b, &s, l->step == 0, set, at);
	free(s.list);
	return err;
}

/* ---- the whole ----------------------------------------------------------------------------------*/

static int by_address(const void *a, const void *b)
{
	const struct source_rule *x = a, *y = b;
	int order =
		memcmp(x->prefix->addr.bytes, y->prefix->addr.bytes, sizeof(x->prefix->addr.bytes));

	if (!order)
		order = x->prefix->bits - y->prefix->bits;
	return order ? order : (x->answer < y->answer) - (x->answer > y->answer);
}

static bool same_prefix(const struct source_rule *a, const struct source_rule *b)
{
	return a->prefix->bits == b->prefix->bits &&
	       addr_compare(&a->prefix->addr, &b->prefix->addr) == 0;
}

/* Sorted, of one family, each prefix once. Returns how many are left. */
static size_t arrange(struct source_rule *rules, size_t n, uint8_t family)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++)
		if (rules[i].prefix->addr.family == family)
			rules[kept++] = rules[i];
	qsort(rules, kept, sizeof(*rules), by_address);
	n = kept;
	kept = 0;
	for (i = 0; i < n; i++)
		if (!kept || !same_prefix(&rules[kept - 1], &rules[i]))
			rules[kept++] = rules[i];
	return kept;
}

/* Appends the quick words of the sorted rules. */
static int add_quick(struct builder *b, const struct level *top, uint8_t family,
		     struct shunt_source_quick *head)
{
	struct source_quick quick;
	int err = source_quick_build(top->rules, top->n, family, top->around, &quick);

	if (err)
		return err;
	err = reserve(b, quick.head.n + SHUNT_SOURCE_LINE);
	if (!err) {
		*head = quick.head;
		head->at = (uint32_t)b->n;
		for (uint32_t i = 0; i < head->n; i++)
			b->words[b->n++] = quick.words[i];
		end_line(b);
	}
	free(quick.words);
	return err;
}

int source_list_build(struct source_rule *rules, size_t n, uint8_t family, uint32_t otherwise,
		      struct source_list *out)
{
	struct level top = {.rules = rules, .around = otherwise};
	struct source_list list = {0};
	struct builder b = {0};
	int err;

	if (n > SOURCE_RULES_MAX)
		return -E2BIG;
	top.n = arrange(rules, n, family);
	err = build_level(&b, &top, &list.root, &list.root_at);
	if (!err)
		err = add_quick(&b, &top, family, &list.quick);
	if (err) {
		free(b.words);
		return err;
	}
	list.root_at += 2;
	list.words = b.words;
	list.n = b.n;
	*out = list;
	return 0;
}

void source_list_fini(struct source_list *list)
{
	free(list->words);
	*list = (struct source_list){0};
}

void source_list_place(const struct source_list *list, uint32_t at, struct shunt_policy *policy)
{
	policy->root = list->root;
	policy->list_at = at;
	policy->root_at = at + list->root_at;
	policy->list_words = (uint32_t)list->n;
	policy->quick = list->quick;
	policy->quick.at += at;
}

static uint32_t search(const struct source_list *list, uint64_t bucket, uint32_t number)
{
	uint32_t at = (uint32_t)bucket, n = (uint32_t)(bucket >> 32);

	if (!n)
		return at;
	while (n > 1) {
		if (list->words[at + n / 2] >> 32 <= number)
			at += n / 2;
		n -= n / 2;
	}
	return (uint32_t)list->words[at];
}

uint32_t source_list_find(const struct source_list *list, const struct addr *addr)
{
	struct shunt_source_set set = list->root;
	uint32_t buckets = list->root_at, answer = 0, number;
	unsigned int step;

	for (step = 0; step < 4; step++) {
		number = number_of(addr, step);
		answer = set.out;
		if (number - set.base <= set.last)
			answer = search(list,
					list->words[buckets + ((number - set.base) >> set.shift)],
					number);
		if (!(answer & SHUNT_SOURCE_DEEPER))
			break;
		buckets = (answer & ~SHUNT_SOURCE_DEEPER) + 2;
		memcpy(&set, &list->words[buckets - 2], sizeof(set));
	}
	return answer;
}

/* ---- rates --------------------------------------------------------------------------------------*/

struct shunt_rate source_rate_of(uint32_t per_second, uint64_t burst, uint32_t hz)
{
	const uint64_t jiffy = 1ull << SHUNT_RATE_SHIFT;
	struct shunt_rate rate = {.cost = (hz * jiffy + per_second / 2) / per_second};

	if (!rate.cost)
		rate.cost = 1;
	rate.limit = burst * rate.cost;
	if (rate.limit < jiffy + rate.cost) /* what is left of a jiffy's is for the next */
		rate.limit = jiffy + rate.cost;
	return rate;
}

/* No rate lets a bucket be further from full: source_rate_of() and SOURCE_BURST_SECONDS. */
#define FURTHEST (1ull << 42)
/* What has been full for less may stay as it is: half an hour at HZ 250. */
#define RECENT (1ull << 39)

void source_rates_refresh(struct shunt_rate_line *lines, size_t n, uint16_t now)
{
	const uint64_t time = (uint64_t)now << (SHUNT_FLOW_TICK_SHIFT + SHUNT_RATE_SHIFT);
	size_t i;

	for (i = 0; i < n * SHUNT_RATE_WAYS; i++) {
		uint64_t *at = (uint64_t *)&lines[i / SHUNT_RATE_WAYS].word[i % SHUNT_RATE_WAYS];
		uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);

		if (!word || ((word - time + RECENT) & SHUNT_RATE_TIME) > FURTHEST + RECENT)
			__atomic_compare_exchange_n(at, &word, time, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED);
	}
}
