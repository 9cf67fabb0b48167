/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/lookup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define DEPTH_MAX 129 /* prefixes that contain each other */

struct rule {
	const struct lookup_rule *r;
	bool wide; /* belongs into spans */
};

/* Rules of one prefix and protocol. */
struct group {
	const struct rule *rules;
	size_t n;
};

struct builder {
	const struct lookup_rule *given;
	struct rule *sorted;
	size_t n;
	struct lookup out;
	size_t exact_room, prefix_room, span_room;
	size_t stack[DEPTH_MAX]; /* prefixes of out that contain the one at hand */
	size_t depth;
};

static bool is_any(const struct lookup_rule *r)
{
	return r->from == 0 && r->to == 0;
}

static uint32_t ports_of(const struct lookup_rule *r)
{
	return is_any(r) ? 1 : r->to - r->from + 1u;
}

/* ---- order --------------------------------------------------------------------------------------*/

static int by_prefix(const struct lookup_rule *x, const struct lookup_rule *y)
{
	int order = x->protocol - y->protocol;

	if (order == 0)
		order = addr_compare(&x->vip, &y->vip);
	return order ? order : x->vip_bits - y->vip_bits;
}

/* Prefixes after those that contain them; of one prefix any port first. */
static int compare_rules(const void *a, const void *b)
{
	const struct lookup_rule *x = ((const struct rule *)a)->r, *y = ((const struct rule *)b)->r;
	int order = by_prefix(x, y);

	if (order == 0)
		order = (int)is_any(y) - (int)is_any(x);
	if (order == 0)
		order = x->from - y->from;
	return order ? order : (x > y) - (x < y);
}

/* How many from @i on are of one service. */
static size_t same_service(const struct lookup_rule rules[], size_t n, size_t i)
{
	size_t k = i;

	while (k < n && rules[k].service == rules[i].service)
		k++;
	return k - i;
}

static void sort_rules(struct builder *b)
{
	size_t i, k, same;

	for (i = 0; i < b->n; i += same) {
		uint64_t ports = 0;

		same = same_service(b->given, b->n, i);
		for (k = i; k < i + same; k++)
			ports += ports_of(&b->given[k]);
		for (k = i; k < i + same; k++) {
			const struct lookup_rule *r = &b->given[k];
			bool large = ports > LOOKUP_WRITTEN_OUT && ports_of(r) > 1;

			b->sorted[k] = (struct rule){r, large || r->vip_bits < addr_bits(&r->vip)};
		}
	}
	qsort(b->sorted, b->n, sizeof(*b->sorted), compare_rules);
}

/* Sorted rules of one prefix that overlap are neighbours. */
static int check_clashes(const struct builder *b, size_t clash[static 2])
{
	size_t i;

	for (i = 1; i < b->n; i++) {
		const struct lookup_rule *x = b->sorted[i - 1].r, *y = b->sorted[i].r;

		if (by_prefix(x, y) != 0 || is_any(x) != is_any(y) || y->from > x->to)
			continue;
		clash[0] = (size_t)((x < y ? x : y) - b->given);
		clash[1] = (size_t)((x < y ? y : x) - b->given);
		return -EEXIST;
	}
	return 0;
}

/* ---- exact --------------------------------------------------------------------------------------*/

/* Makes room for one more of @size bytes in *@array. */
static int more(void **array, size_t n, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown;

	if (n < *room)
		return 0;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

static int add_exact(struct builder *b, const struct lookup_rule *r)
{
	uint32_t port;

	for (port = r->from; port <= r->to; port++) {
		if (more((void **)&b->out.exact, b->out.n_exact, &b->exact_room,
			 sizeof(*b->out.exact)))
			return -ENOMEM;
		b->out.exact[b->out.n_exact++] = (struct lookup_exact){
			.vip = &r->vip,
			.port = (uint16_t)port,
			.protocol = r->protocol,
			.service = r->service,
		};
	}
	return 0;
}

/* ---- spans --------------------------------------------------------------------------------------*/

static int add_span(struct builder *b, uint32_t from, uint32_t service)
{
	struct lookup_prefix *p = &b->out.prefixes[b->out.n_prefixes - 1];

	if (p->n_spans && b->out.spans[b->out.n_spans - 1].service == service)
		return 0;
	if (more((void **)&b->out.spans, b->out.n_spans, &b->span_room, sizeof(*b->out.spans)))
		return -ENOMEM;
	b->out.spans[b->out.n_spans++] = (struct lookup_span){(uint16_t)from, service};
	p->n_spans++;
	return 0;
}

/* Fills the ports @from to @to, about which the prefix says nothing. @any: its rule for any port, or
 * LOOKUP_NOBODY; then what contains it decides. */
static int add_gap(struct builder *b, uint32_t from, uint32_t to, uint32_t any)
{
	const struct lookup_prefix *outer;
	uint32_t i;
	int err = 0;

	if (from > to)
		return 0;
	if (any != LOOKUP_NOBODY || b->depth == 0)
		return add_span(b, from, any);
	outer = &b->out.prefixes[b->stack[b->depth - 1]];
	for (i = 0; i < outer->n_spans && !err; i++) {
		const struct lookup_span s = b->out.spans[outer->spans_at + i];
		uint32_t end = i + 1 < outer->n_spans
				       ? b->out.spans[outer->spans_at + i + 1].from - 1u
				       : UINT16_MAX;

		if (end >= from && s.from <= to)
			err = add_span(b, s.from > from ? s.from : from, s.service);
	}
	return err;
}

static bool contains(const struct lookup_prefix *p, const struct lookup_rule *r)
{
	return p->protocol == r->protocol && p->vip_bits < r->vip_bits &&
	       addr_is_within(&r->vip, p->vip, p->vip_bits);
}

static int add_prefix(struct builder *b, const struct group *g)
{
	const struct lookup_rule *first = g->rules[0].r;
	uint32_t next = 0, any = is_any(first) ? first->service : LOOKUP_NOBODY;
	size_t i;

	while (b->depth && !contains(&b->out.prefixes[b->stack[b->depth - 1]], first))
		b->depth--;
	if (more((void **)&b->out.prefixes, b->out.n_prefixes, &b->prefix_room,
		 sizeof(*b->out.prefixes)))
		return -ENOMEM;
	b->out.prefixes[b->out.n_prefixes++] = (struct lookup_prefix){
		.vip = &first->vip,
		.vip_bits = first->vip_bits,
		.protocol = first->protocol,
		.spans_at = (uint32_t)b->out.n_spans,
	};
	for (i = 0; i < g->n; i++) {
		const struct lookup_rule *r = g->rules[i].r;

		if (is_any(r) || !g->rules[i].wide)
			continue;
		if (add_gap(b, next, r->from - 1u, any) || add_span(b, r->from, r->service))
			return -ENOMEM;
		next = r->to + 1u;
	}
	if (add_gap(b, next, UINT16_MAX, any))
		return -ENOMEM;
	b->stack[b->depth++] = b->out.n_prefixes - 1;
	return 0;
}

/* A rule for any port of an address that has spans stands in those: the exact table, asked first,
 * would hide the ranges behind it. */
static int add_group(struct builder *b, const struct group *g)
{
	bool wide = false;
	size_t i;

	for (i = 0; i < g->n; i++)
		wide |= g->rules[i].wide;
	for (i = 0; i < g->n; i++)
		if (!g->rules[i].wide && !(wide && is_any(g->rules[i].r)) &&
		    add_exact(b, g->rules[i].r))
			return -ENOMEM;
	return wide ? add_prefix(b, g) : 0;
}

static int add_groups(struct builder *b)
{
	size_t i, k;
	int err = 0;

	for (i = 0; i < b->n && !err; i = k) {
		for (k = i + 1; k < b->n; k++)
			if (by_prefix(b->sorted[i].r, b->sorted[k].r) != 0)
				break;
		err = add_group(b, &(struct group){b->sorted + i, k - i});
	}
	return err;
}

int lookup_check(const struct lookup_rule rules[], size_t n, size_t clash[static 2])
{
	auto_free struct rule *sorted = calloc(n + 1, sizeof(*sorted));
	struct builder b = {.given = rules, .sorted = sorted, .n = n};

	if (!sorted)
		return -ENOMEM;
	sort_rules(&b);
	return check_clashes(&b, clash);
}

int lookup_build(const struct lookup_rule rules[], size_t n, struct lookup *out,
		 size_t clash[static 2])
{
	auto_free struct rule *sorted = calloc(n + 1, sizeof(*sorted));
	struct builder b = {.given = rules, .sorted = sorted, .n = n};
	int err;

	if (!sorted)
		return -ENOMEM;
	sort_rules(&b);
	err = check_clashes(&b, clash);
	if (!err)
		err = add_groups(&b);
	if (err) {
		lookup_fini(&b.out);
		return err;
	}
	*out = b.out;
	return 0;
}

void lookup_fini(struct lookup *l)
{
	free(l->exact);
	free(l->prefixes);
	free(l->spans);
	*l = (struct lookup){0};
}
