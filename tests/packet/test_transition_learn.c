/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots in transition of services whose packets do not say whether they begin a flow (UDP, affinity), of
 * services that remember every flow, and of services that translate. */
#include "fixture_nat.h"
#include "fixture_transit.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define A 1
#define B 2
#define C 3
#define FLOWS 40

static void expect(struct fixture *f, uint32_t n, uint8_t flags, uint32_t number)
{
	assert_int_equal(transit_send(f, n, flags), number);
}

static void counted(uint64_t lookups, uint64_t remembered, uint64_t no_room)
{
	assert_int_equal(transit_outcome.lookups, lookups);
	assert_int_equal(transit_outcome.remembered, remembered);
	assert_int_equal(transit_outcome.no_room, no_room);
}

static void flags_set(struct fixture *f, uint16_t flags)
{
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, transit_service(f), slot)->flags = flags;
}

/* UDP from base to cur, or TCP if transit_proto says so; it has learning to do. */
static void begin_learning(struct fixture *f, uint32_t base, uint32_t cur)
{
	transit_service(f)->flags |= SHUNT_SVC_LEARN;
	transit_begin(f, base, cur, (uint16_t)(transit_tick(f) - 100));
	flags_set(f, SHUNT_BASE_LEARNING);
}

static void what_is_learned_stays_and_what_comes_later_goes_to_cur(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	begin_learning(f, A, B);
	for (uint32_t n = 0; n < FLOWS; n++) {
		expect(f, n, 0, A);
		counted(1, 1, 0);
		assert_in_range((uint16_t)(transit_tick(f) - transit_base(f, n)->used), 0, 1);
	}
	flags_set(f, 0);
	for (uint32_t n = 0; n < 2 * FLOWS; n++) {
		expect(f, n, 0, n < FLOWS ? A : B);
		counted(1, n >= FLOWS, 0);
		expect(f, n, 0, n < FLOWS ? A : B);
	}
	assert_int_equal(transit_words(f), 2 * FLOWS);
	transit_cur(f, C); /* needs no learning: all have entries */
	for (uint32_t n = 0; n < 3 * FLOWS; n++)
		expect(f, n, 0, n < FLOWS ? A : n < 2 * FLOWS ? B : C);
}

static void the_second_datagram_confirms_what_is_learned(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	begin_learning(f, A, B);
	expect(f, 1, 0, A);
	assert_int_equal(transit_number_in(*transit_only_word(f)), A);
	assert_false(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
	assert_int_equal(transit_outcome.flows, 1);
	expect(f, 1, 0, A);
	assert_true(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
	assert_int_equal(transit_outcome.flows, 0);
}

static void learning_without_room_says_so(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	begin_learning(f, A, B);
	transit_fill(f);
	expect(f, 1, 0, A);
	counted(1, 0, 1);
	assert_int_equal(transit_base(f, 1)->flags, SHUNT_BASE_LEARNING | SHUNT_BASE_FULL);
	flags_set(f, 0);
	expect(f, 1, 0, B);
	counted(1, 0, 1);
	assert_int_equal(transit_base(f, 1)->flags, SHUNT_BASE_FULL);
}

static void what_was_learned_of_a_dead_backend_goes_to_cur(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	begin_learning(f, A, B);
	expect(f, 1, 0, A);
	transit_backend(f, A)->flags = 0;
	expect(f, 1, 0, B);
	assert_int_equal(transit_number_in(*transit_only_word(f)), B);
	expect(f, 2, 0, B); /* base counts as cur */
	transit_backend(f, A)->flags = SHUNT_BE_USABLE;
	expect(f, 1, 0, B);
	expect(f, 2, 0, B);
}

static void datagrams_of_a_service_that_does_not_learn_go_to_base(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 100));
	expect(f, 1, 0, A);
	assert_int_equal(transit_words(f), 0);
}

/* ---- services that remember every flow -----------------------------------------------------------*/

static void stay_on_cpu(size_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void a_remembered_flow_does_not_mind_transitions(void **state)
{
	struct fixture *f = *state;
	uint16_t used;

	transit_service(f)->flags |= SHUNT_SVC_FLOWS;
	transit_end(f, A);
	expect(f, 1, SYN, A);
	assert_int_equal(transit_outcome.remembered, 1);
	/* `since` is later than the entry */
	transit_begin(f, B, C, (uint16_t)(transit_tick(f) + 1));
	used = transit_base(f, 1)->used;
	for (int i = 0; i < 3; i++)
		expect(f, 1, ACK, A);
	assert_int_equal(transit_base(f, 1)->used, used);
	expect(f, 2, SYN, C);
	expect(f, 2, ACK, C);
}

static void a_service_that_has_begun_to_remember_believes_no_entry_of_before(void **state)
{
	struct fixture *f = *state;

	transit_service(f)->flags |= SHUNT_SVC_FLOWS;
	stay_on_cpu(0);
	transit_end(f, A);
	expect(f, 1, SYN, A);
	expect(f, 2, SYN, A);
	transit_begin(f, B, C, (uint16_t)(transit_tick(f) + 2));
	flags_set(f, SHUNT_BASE_SINCE);
	expect(f, 1, ACK, B);
	expect(f, 2, SYN, C);
	/* as old as `since`, and so valid */
	expect(f, 2, ACK, C);
	flags_set(f, 0);
	expect(f, 1, ACK, A);
	/* of a settled slot it means nothing */
	transit_end(f, B);
	flags_set(f, SHUNT_BASE_SINCE);
	expect(f, 1, ACK, A);
	expect(f, 3, ACK, B);
}

static void what_had_no_room_goes_by_hash_and_to_base(void **state)
{
	struct fixture *f = *state;

	transit_service(f)->flags |= SHUNT_SVC_FLOWS;
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 5));
	expect(f, 1, ACK, A);
	counted(1, 0, 0);
	assert_in_range((uint16_t)(transit_tick(f) - transit_base(f, 1)->used), 0, 1);
	transit_fill(f);
	expect(f, 2, SYN, A);
	counted(1, 0, 1);
	assert_int_equal(transit_base(f, 2)->flags, SHUNT_BASE_FULL);
	expect(f, 2, ACK, A);
	transit_backend(f, A)->flags = 0;
	expect(f, 2, ACK, B);
	transit_end(f, B);
	expect(f, 3, SYN, B);
	assert_int_equal(transit_base(f, 3)->flags, 0);
}

static void whose_flow_it_is_stands_beside_the_word(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = transit_service(f);
	uint32_t noted = 0;

	svc->flags |= SHUNT_SVC_FLOWS;
	stay_on_cpu(0);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, svc, slot) = (uint16_t)(1 + slot % TRANSIT_BACKENDS);
	for (uint32_t n = 0; n < FLOWS; n++)
		expect(f, n, SYN, 1 + n % TRANSIT_BACKENDS);
	for (size_t i = 0; i < TRANSIT_WORDS; i++) {
		uint32_t row =
			f->flow_rows[i / SHUNT_FLOWS_PER_BUCKET].row[i % SHUNT_FLOWS_PER_BUCKET];

		noted += row != 0;
		assert_int_equal(row, *transit_word(f, i)
					      ? svc->row + transit_number_in(*transit_word(f, i))
					      : 0);
	}
	assert_int_equal(noted, FLOWS);
}

static void slots_in_transition_note_rows_too(void **state)
{
	struct fixture *f = *state;
	uint32_t row = transit_service(f)->row + B;

	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		f->flow_rows[i / SHUNT_FLOWS_PER_BUCKET].row[i % SHUNT_FLOWS_PER_BUCKET] = 9;
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 5));
	for (uint32_t n = 0; n < FLOWS; n++)
		expect(f, n, SYN, B);
	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		assert_int_equal(
			f->flow_rows[i / SHUNT_FLOWS_PER_BUCKET].row[i % SHUNT_FLOWS_PER_BUCKET],
			*transit_word(f, i) ? row : 9);
}

static void a_service_that_begins_to_remember_learns_what_it_has(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	transit_service(f)->flags |= SHUNT_SVC_FLOWS;
	stay_on_cpu(0);
	begin_learning(f, A, B);
	transit_service(f)->flags &= ~SHUNT_SVC_LEARN;
	for (uint32_t n = 0; n < FLOWS; n++)
		expect(f, n, 0, A);
	counted(1, 1, 0);
	assert_int_equal(transit_words(f), FLOWS);
	flags_set(f, 0);
	for (uint32_t n = 0; n < FLOWS; n++)
		expect(f, n, 0, A);
	expect(f, FLOWS, 0, B);
	expect(f, FLOWS, 0, B);
}

static void what_lost_its_backend_while_all_is_learned_takes_a_turn(void **state)
{
	struct fixture *f = *state;

	transit_proto = IPPROTO_UDP;
	transit_service(f)->flags |= SHUNT_SVC_FLOWS;
	begin_learning(f, A, B);
	expect(f, 1, 0, A);
	transit_backend(f, A)->flags = 0;
	expect(f, 1, 0, B);
	transit_backend(f, A)->flags = SHUNT_BE_USABLE;
	expect(f, 1, 0, B);
}

/* ---- with translation ----------------------------------------------------------------------------*/

/* The DSR service of TCP translates for all backends but @dsr. */
static void nat_world(void **state, uint32_t dsr)
{
	struct fixture *f = *state;

	transit_family == 4 ? nat_setup(state) : nat_setup6(state);
	nat_service(f, IPPROTO_TCP, SHUNT_NAT);
	transit_service(f)->backends = TRANSIT_BACKENDS;
	if (dsr)
		transit_backend(f, dsr)->method = SHUNT_DSR;
}

static uint32_t nat_send(struct fixture *f, uint16_t n, uint8_t flags)
{
	struct recipe r = nat_request(IPPROTO_TCP, (uint16_t)(5000 + n));

	r.tcp_flags = flags;
	nat_arrive(f, &r, &transit_outcome);
	assert_int_equal(transit_outcome.verdicts, 0);
	return transit_outcome.row - transit_service(f)->row;
}

static void what_is_translated_begins_at_cur_and_has_its_record(void **state)
{
	struct fixture *f = *state;

	nat_world(state, 0);
	transit_end(f, A);
	assert_int_equal(nat_send(f, 1, SYN), A);
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 5));
	memset(f->flows, 0, WORLD_FLOW_BUCKETS * sizeof(*f->flows));
	assert_int_equal(nat_send(f, 1, ACK), A);
	assert_int_equal(nat_send(f, 2, SYN), B);
	assert_int_equal(nat_send(f, 2, ACK), B);
	assert_int_equal(nat_send(f, 3, ACK), B); /* nobody knows it: it is not base's */
	assert_int_equal(transit_words(f), 0);
	assert_int_equal(nat_records(f), 3);
}

static void what_is_not_translated_follows_its_slot(void **state)
{
	struct fixture *f = *state;

	nat_world(state, A);
	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 5));
	assert_int_equal(nat_send(f, 1, ACK), A);
	assert_int_equal(nat_send(f, 2, SYN), B);
	assert_int_equal(nat_records(f), 1);
	assert_int_equal(transit_words(f), 0);
	transit_begin(f, B, A, (uint16_t)(transit_tick(f) - 5));
	assert_int_equal(nat_send(f, 2, ACK), B);
	assert_int_equal(nat_send(f, 3, SYN), A);
	assert_int_equal(transit_words(f), 1);
	transit_cur(f, C);
	assert_int_equal(nat_send(f, 3, ACK), A);
	assert_int_equal(nat_send(f, 2, ACK), B);
	assert_int_equal(nat_send(f, 4, SYN), C);
	assert_int_equal(nat_records(f), 2);
}

#define BOTH(name)                                                                                 \
	cmocka_unit_test_setup(name, transit_setup4), cmocka_unit_test_setup(name, transit_setup6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_learned_stays_and_what_comes_later_goes_to_cur),
		BOTH(the_second_datagram_confirms_what_is_learned),
		BOTH(learning_without_room_says_so),
		BOTH(what_was_learned_of_a_dead_backend_goes_to_cur),
		BOTH(datagrams_of_a_service_that_does_not_learn_go_to_base),
		BOTH(a_remembered_flow_does_not_mind_transitions),
		BOTH(a_service_that_has_begun_to_remember_believes_no_entry_of_before),
		BOTH(what_had_no_room_goes_by_hash_and_to_base),
		BOTH(whose_flow_it_is_stands_beside_the_word),
		BOTH(slots_in_transition_note_rows_too),
		BOTH(a_service_that_begins_to_remember_learns_what_it_has),
		BOTH(what_lost_its_backend_while_all_is_learned_takes_a_turn),
		BOTH(what_is_translated_begins_at_cur_and_has_its_record),
		BOTH(what_is_not_translated_follows_its_slot),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
