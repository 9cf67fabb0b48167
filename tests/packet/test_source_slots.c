/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots found by the source (sh), sources that stay where they are (affinity), and new flows for the
 * backend that has less to do (lc). */
#include "fixture_transit.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

#define A 1
#define B 2
#define C 3
#define SOURCES 60

/* Slots that lead to all backends, in turn. */
static struct shunt_service *service_by(struct fixture *f, uint16_t flags, uint8_t bits)
{
	struct shunt_service *svc = transit_service(f);

	svc->flags |= flags;
	svc->source_bits = bits;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, svc, slot) = (uint16_t)(1 + slot % TRANSIT_BACKENDS);
	return svc;
}

/* A packet of source number @source from port @port. */
static struct recipe from(uint32_t source, uint16_t port, uint8_t tcp_flags)
{
	struct recipe r = world_recipe(transit_family, transit_proto, WORLD_DSR);

	memcpy(r.src + (transit_family == 4 ? 2 : 4), (uint8_t[]){(uint8_t)source, 9}, 2);
	r.sport = port;
	r.tcp_flags = tcp_flags;
	return r;
}

static uint32_t comes(struct fixture *f, uint32_t source, uint16_t port, uint8_t tcp_flags)
{
	struct recipe r = from(source, port, tcp_flags);

	return transit_arrive(f, &r, &transit_outcome);
}

/* The source's hash as the ABI has it, from the words of a masked address. */
static uint64_t source_hash(struct fixture *f, const struct recipe *r, uint32_t bits)
{
	uint32_t src[4], dst[4];
	uint8_t masked[16];

	memcpy(masked, r->src, 16);
	for (uint32_t bit = bits; bit < 128; bit++)
		masked[bit / 8] &= (uint8_t) ~(128 >> bit % 8);
	memcpy(src, masked, 16);
	memcpy(dst, r->dst, 16);
	return r->family == 4 ? hashkey_flow4(f->hash_key, src[0], dst[0], 0)
			      : hashkey_flow6(f->hash_key, src, dst, 0);
}

static uint32_t number_of(struct fixture *f, uint64_t hash)
{
	return *world_slot(f, transit_service(f), shunt_slot_of(hash, WORLD_SLOTS - 1)) &
	       SHUNT_SLOT_BACKEND;
}

/* ---- sh -----------------------------------------------------------------------------------------*/

static void a_source_goes_to_one_backend_from_all_its_ports(void **state)
{
	struct fixture *f = *state;
	uint32_t seen = 0;

	service_by(f, SHUNT_SVC_SOURCE, 128);
	for (uint32_t source = 0; source < SOURCES; source++) {
		struct recipe r = from(source, 0, ACK);
		uint32_t number = number_of(f, source_hash(f, &r, 128));

		seen |= 1u << number;
		for (uint16_t port = 1000; port < 1020; port++) {
			assert_int_equal(comes(f, source, port, port % 2 ? SYN : ACK), number);
			assert_int_equal(transit_outcome.lookups, 0);
		}
	}
	assert_int_equal(seen, 0xfe);
}

static void only_the_upper_bits_of_a_source_count(void **state)
{
	static const uint8_t bits[] = {1, 7, 8, 20, 24, 31, 32, 33, 48, 56, 63, 64, 65, 96, 127};
	struct fixture *f = *state;
	struct shunt_service *svc = service_by(f, SHUNT_SVC_SOURCE, 32);

	for (size_t i = 0; i < sizeof(bits); i++) {
		if (transit_family == 4 && bits[i] > 32)
			break;
		svc->source_bits = bits[i];
		for (uint32_t n = 0; n < 16; n++) {
			struct recipe r = from(7, (uint16_t)(2000 + n), ACK);
			uint32_t at = n * (transit_family == 4 ? 2 : 8);

			r.src[at / 8] ^= (uint8_t)(128 >> at % 8);
			r.src[1] = 51; /* no group, no loop */
			r.src[0] = transit_family == 4 ? 198 : 0x20;
			assert_int_equal(transit_arrive(f, &r, &transit_outcome),
					 number_of(f, source_hash(f, &r, bits[i])));
		}
	}
}

static void a_source_in_transition_is_as_any_other(void **state)
{
	struct fixture *f = *state;

	service_by(f, SHUNT_SVC_SOURCE, 128);
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 5));
	assert_int_equal(comes(f, 1, 1000, ACK), A);
	assert_int_equal(comes(f, 1, 1001, SYN), B);
	assert_int_equal(comes(f, 1, 1001, ACK), B);
	assert_int_equal(comes(f, 1, 1000, ACK), A); /* entries are of flows */
	assert_int_equal(transit_words(f), 1);
}

/* ---- affinity -----------------------------------------------------------------------------------*/

static void a_source_with_affinity_stays_with_its_new_flows_too(void **state)
{
	struct fixture *f = *state;

	service_by(f, SHUNT_SVC_SOURCE | SHUNT_SVC_AFFINE | SHUNT_SVC_LEARN, 128);
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 5));
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, transit_service(f), slot)->flags = SHUNT_BASE_LEARNING;
	assert_int_equal(comes(f, 1, 1000, ACK), A);
	assert_int_equal(comes(f, 1, 1001, SYN), A);
	assert_int_equal(comes(f, 2, 1001, SYN), A); /* perhaps it has been here before */
	assert_int_equal(transit_words(f), 2);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, transit_service(f), slot)->flags = 0;
	for (uint16_t port = 1000; port < 1010; port++) {
		assert_int_equal(comes(f, 1, port, SYN), A);
		assert_int_equal(comes(f, 3, port, SYN), B);
		assert_int_equal(comes(f, 4, port, ACK), B);
	}
	assert_int_equal(transit_words(f), 4);
}

static void with_every_flow_remembered_a_source_keeps_its_backend(void **state)
{
	struct fixture *f = *state;
	uint32_t began[SOURCES], moved = 0;

	service_by(f, SHUNT_SVC_SOURCE | SHUNT_SVC_AFFINE | SHUNT_SVC_FLOWS, 128);
	for (uint32_t source = 0; source < SOURCES; source++) {
		struct recipe r = from(source, 0, ACK);

		began[source] = comes(f, source, 1000, SYN);
		moved += began[source] != number_of(f, source_hash(f, &r, 128));
	}
	assert_true(moved > SOURCES / 2); /* by turn, not by hash */
	for (uint32_t source = 0; source < SOURCES; source++)
		for (uint16_t port = 1000; port < 1005; port++) {
			assert_int_equal(comes(f, source, port, SYN), began[source]);
			assert_int_equal(comes(f, source, port, ACK), began[source]);
		}
	assert_int_equal(transit_words(f), SOURCES);
}

/* ---- lc -----------------------------------------------------------------------------------------*/

static struct shunt_load *load_of(struct fixture *f, uint32_t number)
{
	return &f->loads[transit_service(f)->row + number];
}

/* Both backends that the flow from @port may get. */
static void choices_of(struct fixture *f, uint16_t port, uint32_t two[static 2])
{
	struct recipe r = from(1, port, SYN);
	uint64_t hash = transit_hash(f, &r);

	two[0] = number_of(f, hash);
	two[1] = number_of(f, shunt_second_of(hash));
}

static void a_new_flow_goes_to_the_less_loaded_of_two(void **state)
{
	struct fixture *f = *state;
	uint32_t two[2], less, seconds = 0;

	service_by(f, SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS, 0);
	for (uint32_t n = 1; n <= TRANSIT_BACKENDS; n++)
		*load_of(f, n) = (struct shunt_load){.load = n * 37 % 100, .step = 10 + n};
	for (uint16_t port = 1000; port < 1100; port++) {
		struct shunt_load before[TRANSIT_BACKENDS + 1];

		memcpy(before, load_of(f, 0), sizeof(before));
		choices_of(f, port, two);
		less = before[two[1]].load < before[two[0]].load ? two[1] : two[0];
		seconds += less != two[0];
		assert_int_equal(comes(f, 1, port, SYN), less);
		before[less].load += before[less].step;
		assert_memory_equal(before, load_of(f, 0), sizeof(before));
		assert_int_equal(comes(f, 1, port, ACK), less);
		assert_memory_equal(before, load_of(f, 0), sizeof(before));
	}
	assert_in_range(seconds, 20, 80);
}

static void of_equal_loads_the_first_slot_counts(void **state)
{
	struct fixture *f = *state;
	uint32_t two[2];

	service_by(f, SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS, 0);
	for (uint16_t port = 1000; port < 1040; port++) {
		choices_of(f, port, two);
		assert_int_equal(comes(f, 1, port, SYN), two[0]);
	}
}

static void a_slot_without_a_backend_leaves_the_choice_to_the_other(void **state)
{
	struct fixture *f = *state;
	uint32_t two[2];

	service_by(f, SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS, 0);
	for (uint32_t n = 1; n <= TRANSIT_BACKENDS; n++)
		load_of(f, n)->load = 1000;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot += 2)
		*world_slot(f, transit_service(f), slot) = 0;
	for (uint16_t port = 1000; port < 1060; port++) {
		choices_of(f, port, two);
		assert_int_equal(comes(f, 1, port, SYN), two[0] ? two[0] : two[1]);
	}
}

static void the_first_end_of_a_flow_is_noted(void **state)
{
	static const uint8_t ends[] = {TCP_FLAG_FIN | ACK, TCP_FLAG_RST, TCP_FLAG_RST | ACK};
	struct fixture *f = *state;
	uint32_t number;

	service_by(f, SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS, 0);
	for (size_t i = 0; i < sizeof(ends); i++) {
		memset(f->flows, 0, WORLD_FLOW_BUCKETS * sizeof(*f->flows));
		number = comes(f, 1, 1000, SYN);
		assert_int_equal(comes(f, 1, 1000, ACK), number);
		assert_false(*transit_only_word(f) & SHUNT_FLOW_ENDED);
		assert_int_equal(comes(f, 1, 1000, ends[i]), number);
		assert_true(*transit_only_word(f) & SHUNT_FLOW_ENDED);
		assert_int_equal(comes(f, 1, 1000, ACK), number); /* the rest of it */
		assert_true(*transit_only_word(f) & SHUNT_FLOW_ENDED);
	}
}

static void a_flow_that_has_ended_begins_anew_with_a_syn(void **state)
{
	struct fixture *f = *state;
	uint32_t two[2], number;

	service_by(f, SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS, 0);
	for (uint16_t port = 1000;; port++) {
		choices_of(f, port, two);
		if (two[0] == two[1])
			continue;
		number = comes(f, 1, port, SYN);
		assert_int_equal(number, two[0]);
		load_of(f, two[0])->load = 1000;
		assert_int_equal(comes(f, 1, port, SYN), two[0]); /* it has not ended */
		assert_int_equal(comes(f, 1, port, TCP_FLAG_FIN | ACK), two[0]);
		assert_int_equal(comes(f, 1, port, SYN), two[1]);
		assert_int_equal(transit_outcome.remembered, 1);
		assert_false(*transit_only_word(f) & SHUNT_FLOW_ENDED);
		assert_false(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
		return;
	}
}

static void other_services_note_no_end(void **state)
{
	struct fixture *f = *state;

	service_by(f, SHUNT_SVC_FLOWS, 0);
	comes(f, 1, 1000, SYN);
	comes(f, 1, 1000, TCP_FLAG_FIN | ACK);
	assert_false(*transit_only_word(f) & SHUNT_FLOW_ENDED);
}

#define BOTH(name)                                                                                 \
	cmocka_unit_test_setup(name, transit_setup4), cmocka_unit_test_setup(name, transit_setup6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_source_goes_to_one_backend_from_all_its_ports),
		BOTH(only_the_upper_bits_of_a_source_count),
		BOTH(a_source_in_transition_is_as_any_other),
		BOTH(a_source_with_affinity_stays_with_its_new_flows_too),
		BOTH(with_every_flow_remembered_a_source_keeps_its_backend),
		BOTH(a_new_flow_goes_to_the_less_loaded_of_two),
		BOTH(of_equal_loads_the_first_slot_counts),
		BOTH(a_slot_without_a_backend_leaves_the_choice_to_the_other),
		BOTH(the_first_end_of_a_flow_is_noted),
		BOTH(a_flow_that_has_ended_begins_anew_with_a_syn),
		BOTH(other_services_note_no_end),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
