/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies: lists of sources and rates of new flows. */
#include "fuzz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/source_list.h"

/* Policies of odd numbers are for IPv4. */
static uint8_t family_of(uint32_t policy)
{
	return policy % 2 ? 4 : 6;
}

void fuzz_some_source(uint8_t family, struct dice *d, uint8_t out[static 16])
{
	memset(out, 0, 16);
	if (family == 4)
		memcpy(out, (uint8_t[]){198, 51, (uint8_t)(100 + roll(d, 2)), (uint8_t)roll(d, 4)},
		       4);
	else
		memcpy(out,
		       (uint8_t[]){0x20, 1, 0xd, 0xb8, 0, 7, 0,
				   (uint8_t)roll(d, 4), [15] = (uint8_t)roll(d, 4)},
		       16);
}

static void prefix_roll(uint8_t family, struct dice *d, struct oracle_source *s)
{
	uint8_t addr[16] = {0}, most = family == 4 ? 32 : 128;

	*s = (struct oracle_source){.answer = once_in(d, 2) ? SHUNT_SOURCE_DENIED
							    : SHUNT_SOURCE_TAKEN};
	if (once_in(d, 2)) {
		roll_bytes(d, addr, most / 8);
		s->bits = (uint8_t)roll(d, 6);
	} else {
		fuzz_some_source(family, d, addr);
		s->bits = (uint8_t)(once_in(d, 4) ? most : roll(d, most + 1u));
	}
	for (int i = 0; i < s->bits; i++)
		s->addr[i / 8] |= addr[i / 8] & (128 >> i % 8);
}

/* Writes policy @number's list behind @at of the map `sources`; returns where it ends. */
static uint32_t list_write(struct fuzz_world *w, uint32_t number, uint32_t at)
{
	const struct oracle_policy *p = &w->policies[number];
	struct source_prefix prefixes[FUZZ_SOURCES];
	struct source_rule rules[FUZZ_SOURCES];
	struct shunt_policy *row = &w->f->policies[number];
	struct source_list list;

	for (size_t i = 0; i < p->n_sources; i++) {
		prefixes[i] = (struct source_prefix){.addr.family = family_of(number),
						     .bits = p->sources[i].bits};
		memcpy(prefixes[i].addr.bytes, p->sources[i].addr, 16);
		rules[i] = (struct source_rule){&prefixes[i], p->sources[i].answer};
	}
	assert_int_equal(
		source_list_build(rules, p->n_sources, family_of(number), p->otherwise, &list), 0);
	assert_true(at + list.n <= WORLD_SOURCE_WORDS);
	memcpy(w->f->sources + at, list.words, list.n * 8);
	source_list_place(&list, at, row);
	if (!(row->flags & SHUNT_POLICY_LIST))
		row->quick = (struct shunt_source_quick){0};
	at += (uint32_t)list.n;
	source_list_fini(&list);
	return at;
}

static struct shunt_rate rate_roll(struct dice *d, uint32_t most)
{
	uint64_t cost = 1ull << (20 + roll(d, 16));

	return (struct shunt_rate){cost, cost * roll(d, most + 1) + roll(d, 2)};
}

void fuzz_source_fill(struct fuzz_world *w, struct dice *d)
{
	uint32_t at = SHUNT_SOURCE_LINE;

	for (uint32_t i = 1; i < WORLD_POLICIES; i++) {
		struct oracle_policy *p = &w->policies[i];

		*p = (struct oracle_policy){
			.row = {.flags = roll(d, 8),
				.salt = (uint32_t)roll64(d),
				.service = rate_roll(d, 40),
				.source = rate_roll(d, 3)},
			.sources = w->sources[i],
			.n_sources = roll(d, FUZZ_SOURCES + 1),
			.otherwise = once_in(d, 3) ? SHUNT_SOURCE_NOT_ALLOWED : SHUNT_SOURCE_TAKEN,
		};
		for (size_t k = 0; k < p->n_sources; k++)
			prefix_roll(family_of(i), d, &w->sources[i][k]);
		w->f->policies[i] = p->row;
		at = list_write(w, i, at);
	}
}

void fuzz_source_service(struct shunt_service *svc, uint8_t family, struct dice *d)
{
	svc->policy = (uint16_t)(1 + 2 * roll(d, (WORLD_POLICIES - 1) / 2) + (family == 6));
	if (once_in(d, 30))
		svc->policy = (uint16_t)(WORLD_POLICIES + roll(d, 3));
}

void fuzz_source_disturb(struct fuzz_world *w, struct dice *d)
{
	uint32_t policy = roll(d, WORLD_POLICIES), line = roll(d, WORLD_RATE_LINES);
	__u64 *word = &w->rates[line].word[roll(d, SHUNT_RATE_WAYS)];
	uint64_t units = 1ull << (18 + roll(d, 22));

	if (once_in(d, 2))
		w->full[policy] -= units;
	else
		*word = (*word & ~SHUNT_RATE_TIME) | ((*word - units) & SHUNT_RATE_TIME);
	fuzz_source_to_maps(w);
}

void fuzz_source_from_maps(struct fuzz_world *w)
{
	memcpy(w->rates, w->f->rates, sizeof(w->rates));
	for (uint32_t i = 0; i < WORLD_POLICIES; i++)
		w->full[i] = w->f->policies[i].full;
}

void fuzz_source_to_maps(const struct fuzz_world *w)
{
	memcpy(w->f->rates, w->rates, sizeof(w->rates));
	for (uint32_t i = 0; i < WORLD_POLICIES; i++)
		w->f->policies[i].full = w->full[i];
}

bool fuzz_source_is_same(const struct fuzz_world *w)
{
	for (uint32_t i = 0; i < WORLD_POLICIES; i++)
		if (w->f->policies[i].full != w->full[i])
			return false;
	return memcmp(w->rates, w->f->rates, sizeof(w->rates)) == 0;
}
