/* SPDX-License-Identifier: BSD-2-Clause */
#include "lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "bench.h"
#include "pure/source_list.h"

#define PREFIXES 100000
#define POLICIES 4 /* each family listed, each family denied */
#define WORDS (4u << 20)

void lists_sizes(struct dp_sizes *sizes)
{
	sizes->policies = POLICIES + 1;
	sizes->source_words = WORDS;
}

uint16_t lists_policy(const struct bench_case *c)
{
	return c->policy == BENCH_NO_POLICY ? 0 : (uint16_t)(2 * c->policy - 1 + c->is_v6);
}

/* IPv4: addresses, but none of the clients', 10.0.0.0/12. IPv6: prefixes of 64 bits beside theirs. */
static void pick(struct source_prefix *p, bool is_v6)
{
	*p = (struct source_prefix){.addr.family = is_v6 ? 6 : 4, .bits = is_v6 ? 64 : 32};
	for (int i = 0; i < (is_v6 ? 8 : 4); i++)
		p->addr.bytes[i] = (uint8_t)(rand() >> 7);
	if (is_v6)
		memcpy(p->addr.bytes, "\x20\x01\x0d\xb8\x01", 5);
	else if (p->addr.bytes[0] == 10)
		p->addr.bytes[1] |= 16;
}

static void pick_client(struct source_prefix *p, bool is_v6)
{
	uint32_t addr = bench_saddr4(0);

	if (is_v6)
		memcpy(p->addr.bytes, "\x20\x01\x0d\xb8\x00\x00\x00\x07", 8);
	else
		memcpy(p->addr.bytes, &addr, sizeof(addr));
}

static int write_policy(struct dp *dp, uint16_t number, bool is_v6, bool denied, uint32_t *at)
{
	auto_free struct source_prefix *prefixes = calloc(PREFIXES, sizeof(*prefixes));
	auto_free struct source_rule *rules = calloc(PREFIXES, sizeof(*rules));
	struct shunt_policy policy = {.flags = SHUNT_POLICY_LIST};
	struct source_list list;
	int err;

	if (!prefixes || !rules)
		return -1;
	srand(1);
	for (size_t i = 0; i < PREFIXES; i++) {
		pick(&prefixes[i], is_v6);
		rules[i] = (struct source_rule){&prefixes[i], SHUNT_SOURCE_DENIED};
	}
	if (denied)
		pick_client(&prefixes[0], is_v6);
	err = source_list_build(rules, PREFIXES, is_v6 ? 6 : 4, SHUNT_SOURCE_TAKEN, &list);
	if (err)
		return err;
	source_list_place(&list, *at, &policy);
	dp_sources_write(dp, *at, list.words, list.n);
	dp_policy_write(dp, number, &policy);
	*at += (uint32_t)list.n;
	source_list_fini(&list);
	return 0;
}

int lists_write(struct dp *dp)
{
	uint32_t at = 0;
	int err = 0;

	for (uint16_t n = 1; n <= POLICIES && !err; n++)
		err = write_policy(dp, n, n % 2 == 0, n > 2, &at);
	return err;
}
