/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of lists for their tests, and the slow way to ask them. Included once a program. */
#ifndef SOURCE_RULES_H
#define SOURCE_RULES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/source_list.h"

#define DENIED SHUNT_SOURCE_DENIED
#define OTHERWISE SHUNT_SOURCE_NOT_ALLOWED
#define RULES_MAX 100000

static struct source_prefix prefixes[RULES_MAX];
static struct source_rule rules[RULES_MAX];
static size_t n_rules;

static inline void clear_beyond(struct source_prefix *p)
{
	for (unsigned int i = p->bits; i < 128; i++)
		p->addr.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

static inline void add(const char *text, uint32_t answer)
{
	struct source_prefix *p = &prefixes[n_rules];
	const char *slash = strchr(text, '/');

	assert_non_null(slash);
	assert_int_equal(addr_parse(text, (size_t)(slash - text), &p->addr), 0);
	p->bits = (uint8_t)atoi(slash + 1);
	rules[n_rules++] = (struct source_rule){p, answer};
}

static inline void build(uint8_t family, uint32_t otherwise, struct source_list *list)
{
	assert_int_equal(source_list_build(rules, n_rules, family, otherwise, list), 0);
}

static inline int none(void **state)
{
	(void)state;
	n_rules = 0;
	memset(prefixes, 0, sizeof(prefixes));
	return 0;
}

static inline uint32_t slowly(const struct addr *a, uint32_t otherwise)
{
	int longest = -1;
	uint32_t answer = otherwise;

	for (size_t i = 0; i < n_rules; i++) {
		const struct source_prefix *p = rules[i].prefix;

		if (p->addr.family != a->family || !addr_is_within(a, &p->addr, p->bits))
			continue;
		if (p->bits > longest || (p->bits == longest && rules[i].answer > answer))
			answer = rules[i].answer;
		if (p->bits > longest)
			longest = p->bits;
	}
	return answer;
}

/* Few values for each byte, so that prefixes nest. */
static inline void random_address(struct addr *a, uint8_t family, int values)
{
	*a = (struct addr){.family = family};
	for (int i = 0; i < (family == 4 ? 4 : 16); i++) {
		int v = rand() % (2 * values);

		a->bytes[i] = (uint8_t)(v < values ? v : 255 - (v - values));
	}
}

static inline void random_rules(uint8_t family, size_t n, int values)
{
	for (n_rules = 0; n_rules < n; n_rules++) {
		struct source_prefix *p = &prefixes[n_rules];

		random_address(&p->addr, family, values);
		p->bits = (uint8_t)(rand() % (family == 4 ? 33 : 129));
		clear_beyond(p);
		rules[n_rules] = (struct source_rule){p, rand() % 2 ? DENIED : 0};
	}
}

/* Just inside and outside of a prefix, where mistakes are. */
static inline void to_an_edge(struct addr *a, const struct source_prefix *p, int which)
{
	int last = p->addr.family == 4 ? 3 : 15, i;

	*a = p->addr;
	if (which < 2) /* the last address */
		for (i = p->bits; i <= last * 8 + 7; i++)
			a->bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
	for (i = last; which == 1 && i >= 0; i--) /* the next one */
		if (++a->bytes[i])
			return;
	for (i = last; which == 2 && i >= 0; i--) /* the one before the first */
		if (a->bytes[i]--)
			return;
}
#endif
