/* SPDX-License-Identifier: BSD-2-Clause */
/* From sorted prefixes to intervals of numbers, as in source_list.c but 64 bits at once, to one word for
 * each of as many buckets as it takes to tell them apart, within bounds. */
#include "pure/source_quick.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/own.h"

#define NESTED_MAX (64u + 3) /* lengths 0 to 64, what is deeper, and what is around all */

/* Buckets: four for each interval, where fewer leave more to ask for; up to two megabytes. Up to BITS_LEAST
 * always, so that a block of any size can be told in a word. */
#define SPARE_BITS 2u
#define BITS_LEAST (64u - SHUNT_QUICK_IN)
#define BITS_MOST 18u
#define VALUE_BITS SHUNT_QUICK_IN

struct interval {
	uint64_t from; /* to the next one's */
	uint32_t answer; /* SHUNT_QUICK_* */
};

struct sweep {
	struct interval *list;
	size_t n;
	uint64_t last; /* number of the family */
	struct {
		uint64_t last;
		uint32_t answer;
	} inside[NESTED_MAX];
	size_t depth;
};

static uint32_t code_of(uint32_t answer)
{
	if (answer == SHUNT_SOURCE_TAKEN)
		return SHUNT_QUICK_TAKEN;
	return answer == SHUNT_SOURCE_DENIED || answer == SHUNT_SOURCE_NOT_ALLOWED
		       ? answer
		       : SHUNT_QUICK_ASK;
}

static uint64_t number_of(const struct addr *a)
{
	uint64_t number = 0;

	for (int i = 0; i < (a->family == 4 ? 4 : 8); i++)
		number = number << 8 | a->bytes[i];
	return number;
}

static uint64_t ones(unsigned int bits)
{
	return bits ? ~0ull >> (64 - bits) : 0;
}

/* ---- intervals ----------------------------------------------------------------------------------*/

/* From the number @from on the answer is @answer, until the next call. */
static void emit(struct sweep *s, uint64_t from, uint32_t answer)
{
	if (s->n && s->list[s->n - 1].from == from)
		s->n--;
	if (s->n && s->list[s->n - 1].answer == answer)
		return;
	s->list[s->n++] = (struct interval){from, answer};
}

static void leave_one(struct sweep *s)
{
	uint64_t last = s->inside[--s->depth].last;

	if (last != s->last)
		emit(s, last + 1, s->inside[s->depth - 1].answer);
}

static void enter(struct sweep *s, uint64_t from, uint64_t last, uint32_t answer)
{
	while (s->depth > 1 && s->inside[s->depth - 1].last < from)
		leave_one(s);
	emit(s, from, answer);
	s->inside[s->depth].last = last;
	s->inside[s->depth++].answer = answer;
}

static void sweep_rules(struct sweep *s, const struct source_rule *rules, size_t n,
			uint32_t otherwise)
{
	const unsigned int all = s->last == UINT32_MAX ? 32 : 64;
	bool was_deeper = false;

	enter(s, 0, s->last, code_of(otherwise));
	for (size_t i = 0; i < n; i++) {
		const struct source_prefix *p = rules[i].prefix;
		uint64_t from = number_of(&p->addr);
		bool deeper = p->bits > all;

		if (deeper && was_deeper && number_of(&rules[i - 1].prefix->addr) == from)
			continue;
		was_deeper = deeper;
		if (deeper)
			enter(s, from, from, SHUNT_QUICK_ASK);
		else
			enter(s, from, from | ones(all - p->bits), code_of(rules[i].answer));
	}
	while (s->depth > 1)
		leave_one(s);
}

/* ---- words --------------------------------------------------------------------------------------*/

static unsigned int bits_for(uint64_t n)
{
	return n <= 1 ? 0 : 64u - (unsigned int)__builtin_clzll(n - 1);
}

/* Of the smallest aligned block with both. */
static unsigned int block_bits(uint64_t first, uint64_t last)
{
	return first == last ? 0 : 64u - (unsigned int)__builtin_clzll(first ^ last);
}

/* Numbers with one answer, or not known with which, among others that all have another. */
struct island {
	uint64_t first, last;
	uint32_t out;
	size_t intervals;
	uint32_t in; /* if it is one interval */
};

/* What is not as the first, or as the last, of @n intervals that end at @last. */
static struct island island_of(const struct interval *list, size_t n, uint64_t last, bool as_last)
{
	uint32_t out = list[as_last ? n - 1 : 0].answer;
	size_t from = list[0].answer == out, to = list[n - 1].answer == out ? n - 1 : n;

	if (n == 1)
		return (struct island){list[0].from, last, out, 1, out};
	return (struct island){
		.first = list[from].from,
		.last = to == n ? last : list[to].from - 1,
		.out = out,
		.intervals = to - from,
		.in = list[from].answer,
	};
}

static bool is_block(const struct island *x)
{
	return x->intervals == 1 && x->last - x->first == ones(block_bits(x->first, x->last));
}

/* The word for a bucket of 2^@shift numbers with these intervals, of which *left are counted that are left to
 * be asked for. */
static uint64_t word_for(const struct island *x, unsigned int shift, uint64_t base, size_t *left)
{
	unsigned int size = block_bits(x->first, x->last);
	uint32_t in = is_block(x) ? x->in : SHUNT_QUICK_ASK, out = x->out;

	if (size == 64) /* all there is */
		size--;
	if (shift > size + VALUE_BITS)
		in = out = SHUNT_QUICK_ASK;
	if (in == SHUNT_QUICK_ASK)
		*left += x->intervals;
	return (uint64_t)size << SHUNT_QUICK_SIZE | (uint64_t)out << SHUNT_QUICK_OUT |
	       (uint64_t)in << SHUNT_QUICK_IN | (((x->first - base) >> size) & ones(VALUE_BITS));
}

/* The words of all buckets into @words, unless that is NULL. Returns how many intervals are left to be asked
 * for. */
static size_t fill(const struct sweep *s, const struct shunt_source_quick *head, uint64_t *words)
{
	size_t at = 0, left = 0;

	for (uint64_t i = 0; i < head->n; i++) {
		uint64_t from = head->base + (i << head->shift), word;
		uint64_t last = from + ones(head->shift);
		struct interval first;
		struct island x;
		size_t n = 1;

		while (at + 1 < s->n && s->list[at + 1].from <= from)
			at++;
		while (at + n < s->n && s->list[at + n].from <= last)
			n++;
		first = s->list[at];
		s->list[at].from = from;
		x = island_of(&s->list[at], n, last, false);
		if (!is_block(&x))
			x = island_of(&s->list[at], n, last, true);
		s->list[at] = first;
		word = word_for(&x, head->shift, head->base, &left);
		if (words)
			words[i] = word;
	}
	return left;
}

/* ---- the whole ----------------------------------------------------------------------------------*/

/* The block of 2^bits numbers outside of which all is the same. */
static struct shunt_source_quick head_of(const struct sweep *s, unsigned int *bits)
{
	struct island x = island_of(s->list, s->n, s->last, false);
	struct island y = island_of(s->list, s->n, s->last, true);

	if (block_bits(y.first, y.last) < block_bits(x.first, x.last))
		x = y;
	*bits = block_bits(x.first, x.last);
	return (struct shunt_source_quick){.base = x.first & ~ones(*bits), .out = x.out};
}

static void cut(struct shunt_source_quick *head, unsigned int bits, unsigned int into)
{
	head->n = 1u << into;
	head->shift = bits - into;
}

/* Cuts the block into the fewest buckets that leave as little to be asked for as the most would. */
static void choose(const struct sweep *s, struct shunt_source_quick *head, unsigned int bits)
{
	unsigned int few = bits == 64, many = bits_for(s->n) + SPARE_BITS;
	size_t least;

	if (many < BITS_LEAST)
		many = BITS_LEAST;
	if (many > BITS_MOST)
		many = BITS_MOST;
	if (many > bits)
		many = bits;
	cut(head, bits, many);
	least = fill(s, head, NULL);
	while (few < many) {
		unsigned int middle = (few + many) / 2;

		cut(head, bits, middle);
		if (fill(s, head, NULL) > least)
			few = middle + 1;
		else
			many = middle;
	}
	cut(head, bits, many);
}

int source_quick_build(const struct source_rule *rules, size_t n, uint8_t family,
		       uint32_t otherwise, struct source_quick *out)
{
	auto_free struct interval *list = calloc(2 * n + 1, sizeof(*list));
	struct sweep s = {.list = list, .last = family == 4 ? UINT32_MAX : UINT64_MAX};
	unsigned int bits;

	*out = (struct source_quick){0};
	if (!list)
		return -ENOMEM;
	sweep_rules(&s, rules, n, otherwise);
	out->head = head_of(&s, &bits);
	if (s.n == 1)
		return 0;
	choose(&s, &out->head, bits);
	out->words = calloc(out->head.n, sizeof(*out->words));
	if (!out->words)
		return -ENOMEM;
	fill(&s, &out->head, out->words);
	return 0;
}

uint32_t source_quick_find(const struct shunt_source_quick *head, const uint64_t *words,
			   const struct addr *addr)
{
	uint64_t number = number_of(addr) - head->base, at = number >> head->shift, word;

	if (at >= head->n)
		return head->out;
	word = words[at];
	number >>= word >> SHUNT_QUICK_SIZE;
	if ((number ^ word) & ones(VALUE_BITS))
		return word >> SHUNT_QUICK_OUT & 3;
	return word >> SHUNT_QUICK_IN & 3;
}
