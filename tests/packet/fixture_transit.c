/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots in transition, written by hand (fixture_transit.h). */
#include "fixture_transit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

uint8_t transit_family, transit_proto;
struct outcome transit_outcome;

static int setup(void **state, uint8_t family)
{
	struct fixture *f = *state;

	transit_family = family;
	transit_proto = IPPROTO_TCP;
	rare_setup(state);
	transit_service(f)->backends = TRANSIT_BACKENDS;
	transit_proto = IPPROTO_UDP;
	transit_service(f)->backends = TRANSIT_BACKENDS;
	transit_proto = IPPROTO_TCP;
	return 0;
}

int transit_setup4(void **state)
{
	return setup(state, 4);
}

int transit_setup6(void **state)
{
	return setup(state, 6);
}

struct shunt_service *transit_service(struct fixture *f)
{
	return world_service(f, transit_family, transit_proto, WORLD_DSR);
}

struct shunt_backend *transit_backend(struct fixture *f, uint32_t number)
{
	return &f->backends[transit_service(f)->row + number];
}

void transit_begin(struct fixture *f, uint32_t base, uint32_t cur, uint16_t since)
{
	struct shunt_service *svc = transit_service(f);

	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
		*world_base(f, svc, slot) =
			(struct shunt_base){.base = (uint16_t)base, .since = since};
		*world_slot(f, svc, slot) = (uint16_t)(cur | SHUNT_SLOT_CHANGED);
	}
}

void transit_end(struct fixture *f, uint32_t cur)
{
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, transit_service(f), slot) = (uint16_t)cur;
}

void transit_cur(struct fixture *f, uint32_t cur)
{
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, transit_service(f), slot) = (uint16_t)(cur | SHUNT_SLOT_CHANGED);
}

/* By what another service notes of a packet that goes to its base. */
uint16_t transit_tick(struct fixture *f)
{
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_IPIP4);
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_IPIP4);
	const uint16_t unset = 0x7b3d;
	struct outcome o;
	struct frame in;

	svc->backends = 2;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
		*world_base(f, svc, slot) = (struct shunt_base){.base = 2, .used = unset};
		*world_slot(f, svc, slot) = 1 | SHUNT_SLOT_CHANGED;
	}
	frame_build(&r, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.row, svc->row + 2);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		if (world_base(f, svc, slot)->used != unset)
			return world_base(f, svc, slot)->used;
	return unset;
}

struct recipe transit_recipe(uint32_t n, uint8_t tcp_flags)
{
	struct recipe r = world_recipe(transit_family, transit_proto, WORLD_DSR);

	r.sport = (uint16_t)(1024 + n % 60000);
	r.src[transit_family == 4 ? 2 : 6] = (uint8_t)(100 + n / 60000);
	r.tcp_flags = tcp_flags;
	return r;
}

uint32_t transit_arrive(struct fixture *f, const struct recipe *r, struct outcome *o)
{
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, o);
	return o->verdicts ? 0 : o->row - transit_service(f)->row;
}

uint32_t transit_send(struct fixture *f, uint32_t n, uint8_t tcp_flags)
{
	struct recipe r = transit_recipe(n, tcp_flags);

	return transit_arrive(f, &r, &transit_outcome);
}

uint64_t transit_hash(struct fixture *f, const struct recipe *r)
{
	uint32_t src[4], dst[4], ports = htons(r->sport) | (uint32_t)htons(r->dport) << 16;

	if (transit_service(f)->flags & SHUNT_SVC_SOURCE)
		ports = 0;
	memcpy(src, r->src, 16);
	memcpy(dst, r->dst, 16);
	return r->family == 4 ? hashkey_flow4(f->hash_key, src[0], dst[0], ports)
			      : hashkey_flow6(f->hash_key, src, dst, ports);
}

static uint32_t slot_of(struct fixture *f, uint32_t n)
{
	struct recipe r = transit_recipe(n, 0);

	return shunt_slot_of(transit_hash(f, &r), WORLD_SLOTS - 1);
}

struct shunt_base *transit_base(struct fixture *f, uint32_t n)
{
	return world_base(f, transit_service(f), slot_of(f, n));
}

uint16_t *transit_slot(struct fixture *f, uint32_t n)
{
	return world_slot(f, transit_service(f), slot_of(f, n));
}

__u64 *transit_word(struct fixture *f, size_t i)
{
	return &f->flows[i / SHUNT_FLOWS_PER_BUCKET].word[i % SHUNT_FLOWS_PER_BUCKET];
}

size_t transit_words(struct fixture *f)
{
	size_t n = 0;

	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		n += *transit_word(f, i) != 0;
	return n;
}

__u64 *transit_only_word(struct fixture *f)
{
	assert_int_equal(transit_words(f), 1);
	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		if (*transit_word(f, i))
			return transit_word(f, i);
	return NULL;
}

void transit_fill(struct fixture *f)
{
	uint64_t now = transit_tick(f);

	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		*transit_word(f, i) = (0x70000000ull + i) << SHUNT_FLOW_TAG_SHIFT |
				      SHUNT_FLOW_CONFIRMED | 1u << 16 | now;
}

uint32_t transit_number_in(uint64_t word)
{
	return word >> 16 & SHUNT_SLOT_BACKEND;
}

uint64_t transit_aged(uint64_t word, int ticks)
{
	return (word & ~0xffffull) | (uint16_t)(word - (uint64_t)ticks);
}
