/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies in the fixture's tables: one, POLICY, which a test fills and has services name. Included once
 * a program. */
#ifndef SOURCE_WORLD_H
#define SOURCE_WORLD_H

#include "fixture_nat.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mono.h"
#include "pure/source_list.h"

#define POLICY 3
#define SECOND ((uint64_t)mono_kernel_hz() << SHUNT_RATE_SHIFT)

static const uint8_t families[] = {4, 6};
static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

/* ---- set-up -------------------------------------------------------------------------------------*/

static struct source_prefix prefixes[100000];
static struct source_rule rules[100000];
static size_t n_rules;

static inline void add_bytes(uint8_t family, const uint8_t *bytes, uint8_t bits, uint32_t answer)
{
	struct source_prefix *p = &prefixes[n_rules];

	*p = (struct source_prefix){.addr.family = family, .bits = bits};
	memcpy(p->addr.bytes, bytes, family == 4 ? 4 : 16);
	for (unsigned int i = bits; i < 128; i++)
		p->addr.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	rules[n_rules++] = (struct source_rule){p, answer};
}

static inline void add(const char *text, uint8_t bits, uint32_t answer)
{
	struct addr a;

	assert_int_equal(addr_parse(text, strlen(text), &a), 0);
	add_bytes(a.family, a.bytes, bits, answer);
}

static inline int reset(void **state)
{
	n_rules = 0;
	return fixture_reset(state);
}

static inline void write_list(struct fixture *f, const struct source_list *list, uint32_t at)
{
	struct shunt_policy *p = &f->policies[POLICY];

	assert_true(at + list->n <= WORLD_SOURCE_WORDS);
	memcpy(f->sources + at, list->words, list->n * 8);
	source_list_place(list, at, p);
	p->flags |= SHUNT_POLICY_LIST;
}

/* What has been added, as the list of POLICY. */
static inline void use_list(struct fixture *f, uint8_t family, uint32_t otherwise)
{
	struct source_list list;

	assert_int_equal(source_list_build(rules, n_rules, family, otherwise, &list), 0);
	write_list(f, &list, 1000);
	source_list_fini(&list);
}

static inline void use_rates(struct fixture *f, uint32_t service, uint32_t burst, uint32_t source,
			     uint32_t source_burst)
{
	struct shunt_policy *p = &f->policies[POLICY];

	p->salt = 77;
	if (service) {
		p->service = source_rate_of(service, burst, mono_kernel_hz());
		p->flags |= SHUNT_POLICY_SERVICE_RATE;
	}
	if (source) {
		p->source = source_rate_of(source, source_burst, mono_kernel_hz());
		p->flags |= SHUNT_POLICY_SOURCE_RATE;
	}
}

static inline void time_passes(struct fixture *f, uint64_t units)
{
	for (int i = 0; i < WORLD_POLICIES; i++)
		f->policies[i].full -= units;
	for (int i = 0; i < WORLD_RATE_LINES * SHUNT_RATE_WAYS; i++) {
		__u64 *w = &f->rates[i / SHUNT_RATE_WAYS].word[i % SHUNT_RATE_WAYS];

		*w = (*w & ~SHUNT_RATE_TIME) | ((*w - units) & SHUNT_RATE_TIME);
	}
}

static inline bool is_over(enum shunt_verdict v)
{
	return v == SHUNT_DROP_RATE_SOURCE || v == SHUNT_DROP_RATE_SERVICE;
}

/* The verdict on the packet; 0: it was forwarded. */
static inline enum shunt_verdict verdict_on(struct fixture *f, const struct recipe *r)
{
	struct outcome o;
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, &o);
	if (!o.verdicts) {
		assert_int_equal(o.packets, 1);
		return SHUNT_GO_ON;
	}
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.rows, is_over(o.verdict)); /* in the service's own: test_rate.c */
	assert_int_equal(o.flows, is_over(o.verdict));
	assert_int_equal(o.packets, 0);
	assert_int_equal(o.action, XDP_DROP);
	assert_int_equal(o.out.len, in.len);
	assert_memory_equal(o.out.bytes, in.bytes, in.len);
	return o.verdict;
}

static inline void assert_verdict(struct fixture *f, const struct recipe *r,
				  enum shunt_verdict wanted)
{
	assert_int_equal(verdict_on(f, r), wanted);
}

/* How many of @n new flows pass, each from a port of its own. */
static inline int passing(struct fixture *f, struct recipe r, int n)
{
	int passed = 0;

	if (r.proto == IPPROTO_TCP)
		r.tcp_flags = TCP_FLAG_SYN;
	while (n-- > 0) {
		r.sport++;
		passed += verdict_on(f, &r) == SHUNT_GO_ON;
	}
	return passed;
}

static inline struct recipe packet_of(uint8_t family, uint8_t proto, enum world_kind kind,
				      const char *src)
{
	struct recipe r = world_recipe(family, proto, kind);
	struct addr a;

	assert_int_equal(addr_parse(src, strlen(src), &a), 0);
	memcpy(r.src, a.bytes, 16);
	return r;
}

#endif
