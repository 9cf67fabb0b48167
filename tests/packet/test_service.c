/* SPDX-License-Identifier: BSD-2-Clause */
/* Which service and which slot a packet finds. */
#include "fixture.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

static const uint8_t families[] = {4, 6};
static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};

static void run_recipe(struct fixture *f, const struct recipe *r, struct outcome *o)
{
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, o);
}

static void assert_not_vip(struct fixture *f, const struct recipe *r)
{
	struct outcome o;

	run_recipe(f, r, &o);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.verdict, SHUNT_PASS_NOT_VIP);
	assert_int_equal(o.action, XDP_PASS);
}

static void assert_row(struct fixture *f, const struct recipe *r, uint32_t row)
{
	struct outcome o;

	run_recipe(f, r, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.row, row);
}

static void any_port_takes_every_port_of_its_protocol(void **state)
{
	for (int i = 0; i < 4; i++) {
		uint8_t family = families[i / 2], proto = protos[i % 2];
		struct recipe r = world_recipe(family, proto, WORLD_ANY);

		for (uint32_t port = 1; port < 65536; port += 4369) {
			r.dport = (uint16_t)port;
			assert_row(*state, &r, world_row(family, proto, WORLD_ANY) + 1);
		}
	}
}

static void families_are_looked_up_as_their_index_says(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		struct shunt_index *x = i ? &f->ctl->v6[0] : &f->ctl->v4[0];
		struct recipe any = world_recipe(families[i], IPPROTO_TCP, WORLD_ANY);
		struct recipe exact = world_recipe(families[i], IPPROTO_TCP, WORLD_DSR);

		x->flags = SHUNT_INDEX_EXACT;
		assert_not_vip(f, &any);
		assert_row(f, &exact, world_row(families[i], IPPROTO_TCP, WORLD_DSR) + 1);
		x->flags = SHUNT_INDEX_ANY_PORT;
		assert_not_vip(f, &exact);
		assert_row(f, &any, world_row(families[i], IPPROTO_TCP, WORLD_ANY) + 1);
		x->flags = 0;
		assert_not_vip(f, &exact);
		assert_not_vip(f, &any);
	}
}

/* An address that has both. */
static void the_exact_port_comes_first(void **state)
{
	for (int i = 0; i < 4; i++) {
		uint8_t family = families[i / 2], proto = protos[i % 2];
		struct recipe r = world_recipe(family, proto, WORLD_EXACT);

		assert_row(*state, &r, world_row(family, proto, WORLD_EXACT) + 1);
		r.dport++;
		assert_row(*state, &r, world_row(family, proto, WORLD_ANY) + 1);
	}
}

static void protocols_are_services_of_their_own(void **state)
{
	for (int i = 0; i < 2; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
			struct recipe tcp = world_recipe(families[i], IPPROTO_TCP, kind);
			struct recipe udp = world_recipe(families[i], IPPROTO_UDP, kind);

			assert_row(*state, &tcp, world_row(families[i], IPPROTO_TCP, kind) + 1);
			assert_row(*state, &udp, world_row(families[i], IPPROTO_UDP, kind) + 1);
		}
}

/* An IPv6 entry whose word is equal but whose address is not must not match: the entry decides. */
static void an_ipv6_entry_matches_by_all_of_its_key(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(6, IPPROTO_TCP, WORLD_DSR);

	for (int word = 0; word < 5; word++) {
		for (uint32_t i = 0; i < 8 * WORLD_SERVICES; i++) {
			struct shunt_service6 *s = &f->services6[i];

			if (word < 4)
				s->addr[word] ^= htonl(1);
			else
				s->port_proto ^= 1u << 16;
		}
		assert_not_vip(f, &r);
		fixture_reset(state);
	}
	assert_row(f, &r, world_row(6, IPPROTO_TCP, WORLD_DSR) + 1);
}

static void the_active_half_holds(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_TCP, WORLD_DSR);

	f->ctl->active = 1;
	assert_not_vip(f, &r);
	world_build(f);
	memset(&f->ctl->v4[0], 0, sizeof(f->ctl->v4[0]));
	assert_row(f, &r, world_row(4, IPPROTO_TCP, WORLD_DSR) + 1);
}

static uint32_t slot_of(const struct fixture *f, const struct recipe *r)
{
	uint32_t src[4], dst[4], ports = htons(r->sport) | (uint32_t)htons(r->dport) << 16;

	memcpy(src, r->src, 16);
	memcpy(dst, r->dst, 16);
	return shunt_slot_of(r->family == 4 ? hashkey_flow4(f->hash_key, src[0], dst[0], ports)
					    : hashkey_flow6(f->hash_key, src, dst, ports),
			     WORLD_SLOTS - 1);
}

static void maglev_takes_the_slot_of_the_hash(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc;

	for (int i = 0; i < 4; i++) {
		struct recipe r = world_recipe(families[i / 2], protos[i % 2], WORLD_DSR);

		svc = world_service(f, r.family, r.proto, WORLD_DSR);
		svc->backends = WORLD_ROWS_EACH - 1;
		for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
			*world_slot(f, svc, slot) = (uint16_t)(1 + slot * 5 / 3 % 7);
		for (int n = 0; n < 300; n++) {
			r.sport = (uint16_t)(1024 + n * 199);
			r.src[n % (r.family == 4 ? 3 : 15) + 1] ^= (uint8_t)n;
			assert_row(f, &r, svc->row + *world_slot(f, svc, slot_of(f, &r)));
		}
	}
}

static void the_changed_bit_is_no_part_of_the_number(void **state)
{
	struct fixture *f = *state;
	struct recipe r = world_recipe(4, IPPROTO_UDP, WORLD_DSR);
	struct shunt_service *svc = world_service(f, 4, IPPROTO_UDP, WORLD_DSR);

	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, svc, slot) = SHUNT_SLOT_CHANGED | 3;
	assert_row(f, &r, svc->row + 3);
}

static void maglev_writes_nothing_down(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	for (int n = 0; n < 200; n++) {
		struct recipe r = world_recipe(4, protos[n % 2], WORLD_DSR);

		r.sport = (uint16_t)(2000 + n);
		r.tcp_flags = n % 3 ? TCP_FLAG_ACK : TCP_FLAG_SYN;
		run_recipe(f, &r, &o);
		assert_int_equal(o.packets, 1);
	}
	for (size_t i = 0; i < WORLD_FLOW_BUCKETS * SHUNT_FLOWS_PER_BUCKET; i++)
		assert_int_equal(
			f->flows[i / SHUNT_FLOWS_PER_BUCKET].word[i % SHUNT_FLOWS_PER_BUCKET], 0);
	for (size_t i = 0; i < f->cpus * WORLD_ROWS; i++)
		assert_int_equal(f->counters[i].cursor, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_port_takes_every_port_of_its_protocol),
		TEST(families_are_looked_up_as_their_index_says),
		TEST(the_exact_port_comes_first),
		TEST(protocols_are_services_of_their_own),
		TEST(an_ipv6_entry_matches_by_all_of_its_key),
		TEST(the_active_half_holds),
		TEST(maglev_takes_the_slot_of_the_hash),
		TEST(the_changed_bit_is_no_part_of_the_number),
		TEST(maglev_writes_nothing_down),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
