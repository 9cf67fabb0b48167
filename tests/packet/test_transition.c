/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP in slots in transition: who follows whom while a slot changes, by the rules at struct
 * shunt_slot_line.  Ages and ticks are written by hand, since no test waits for them. */
#include "fixture_transit.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define A 1
#define B 2
#define C 3
#define FLOWS 40
#define FLOOD 200000

/* A tick of which every entry counts that is fresh. */
static uint16_t long_ago(struct fixture *f)
{
	return (uint16_t)(transit_tick(f) - 100);
}

static void begin(struct fixture *f, uint32_t base, uint32_t cur)
{
	transit_begin(f, base, cur, long_ago(f));
}

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

/* ---- the rules, one by one ----------------------------------------------------------------------*/

static void a_settled_slot_is_never_searched_for(void **state)
{
	struct fixture *f = *state;

	transit_end(f, A);
	for (uint32_t n = 0; n < FLOWS; n++)
		for (int flags = 0; flags < 2; flags++) {
			expect(f, n, flags ? SYN : ACK, A);
			counted(0, 0, 0);
		}
	assert_int_equal(transit_words(f), 0);
}

static void a_flow_older_than_the_change_stays_and_is_not_remembered(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	for (uint32_t n = 0; n < FLOWS; n++) {
		expect(f, n, ACK, A);
		counted(1, 0, 0);
		expect(f, n, TCP_FLAG_FIN | ACK, A);
		expect(f, n, SYN_ACK, A);
	}
	assert_int_equal(transit_words(f), 0);
}

static void a_flow_that_begins_goes_to_cur_and_stays_there(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	for (uint32_t n = 0; n < FLOWS; n++) {
		expect(f, n, SYN, B);
		counted(1, 1, 0);
		assert_int_equal(transit_outcome.flows, 1);
		expect(f, n, ACK, B);
		counted(1, 0, 0);
		assert_int_equal(transit_outcome.flows, 0);
	}
	assert_int_equal(transit_words(f), FLOWS);
}

static void the_second_packet_confirms_and_a_repeated_syn_does_not(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	expect(f, 1, SYN, B);
	assert_int_equal(transit_number_in(*transit_only_word(f)), B);
	assert_false(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
	expect(f, 1, SYN, B);
	counted(1, 0, 0);
	assert_false(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
	expect(f, 1, ACK, B);
	assert_true(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
	expect(f, 1, SYN, B);
	assert_true(*transit_only_word(f) & SHUNT_FLOW_CONFIRMED);
}

static void what_goes_elsewhere_than_to_cur_is_noted(void **state)
{
	struct fixture *f = *state;
	const uint16_t never = (uint16_t)(transit_tick(f) - 1000);

	begin(f, A, B);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, transit_service(f), slot)->used = never;
	expect(f, 1, SYN, B);
	expect(f, 1, ACK, B);
	assert_int_equal(transit_base(f, 1)->used, never);
	expect(f, 2, ACK, A);
	assert_in_range((uint16_t)(transit_tick(f) - transit_base(f, 2)->used), 0, 1);
	/* an entry leads elsewhere too, once cur is another */
	transit_cur(f, C);
	assert_int_equal(transit_base(f, 1)->used, never);
	expect(f, 1, ACK, B);
	assert_in_range((uint16_t)(transit_tick(f) - transit_base(f, 1)->used), 0, 1);
	assert_int_equal(transit_base(f, 1)->base, A);
	assert_int_equal(transit_base(f, 1)->flags, 0);
}

static void each_slot_changes_by_itself(void **state)
{
	struct fixture *f = *state;
	uint32_t settled = 0, changed = 0;

	begin(f, A, B);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot += 2)
		*world_slot(f, transit_service(f), slot) = C;
	for (uint32_t n = 0; n < FLOWS; n++) {
		bool is_changed = *transit_slot(f, n) & SHUNT_SLOT_CHANGED;

		expect(f, n, ACK, is_changed ? A : C);
		counted(is_changed, 0, 0);
		settled += !is_changed;
		changed += is_changed;
	}
	assert_true(settled && changed);
}

/* ---- longer stories ------------------------------------------------------------------------------*/

static void a_chain_of_changes_keeps_everybody(void **state)
{
	struct fixture *f = *state;

	transit_end(f, A);
	expect(f, 1, SYN, A);
	begin(f, A, B);
	expect(f, 1, ACK, A);
	expect(f, 2, SYN, B);
	expect(f, 2, ACK, B);
	transit_cur(f, C);
	expect(f, 3, SYN, C);
	for (int i = 0; i < 3; i++) {
		expect(f, 1, ACK, A);
		expect(f, 2, ACK, B);
		expect(f, 3, ACK, C);
	}
	transit_end(f, C);
	expect(f, 3, ACK, C);
}

static void a_change_that_is_taken_back_keeps_what_came_meanwhile(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	expect(f, 1, ACK, A);
	expect(f, 2, SYN, B);
	expect(f, 2, ACK, B);
	transit_cur(f, A); /* base and cur are one */
	for (int i = 0; i < 3; i++) {
		expect(f, 1, ACK, A);
		expect(f, 2, ACK, B);
	}
	assert_in_range((uint16_t)(transit_tick(f) - transit_base(f, 2)->used), 0, 1);
	expect(f, 3, SYN, A);
	expect(f, 3, ACK, A);
}

static void when_base_is_dead_its_flows_go_to_cur(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	expect(f, 1, ACK, A);
	transit_backend(f, A)->flags = 0;
	expect(f, 1, ACK, B);
	assert_int_equal(transit_words(f), 0);
	expect(f, 2, SYN, B);
	expect(f, 2, ACK, B);
	/* and so they do when the daemon has taken it out */
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, transit_service(f), slot)->base = 0;
	transit_backend(f, A)->flags = SHUNT_BE_USABLE;
	expect(f, 1, ACK, B);
	expect(f, 2, ACK, B);
}

static void when_cur_is_dead_its_flows_begin_anew(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	expect(f, 1, SYN, B);
	expect(f, 1, ACK, B);
	transit_backend(f, B)->flags = 0;
	expect(f, 2, ACK, A);
	expect(f, 3, SYN, 0);
	assert_int_equal(transit_outcome.verdict, SHUNT_DROP_NO_BACKEND);
	transit_cur(f, C);
	expect(f, 1, ACK, C);
	counted(1, 1, 0);
	expect(f, 2, ACK, A);
	transit_backend(f, B)->flags = SHUNT_BE_USABLE;
	expect(f, 1, ACK, C); /* for good */
}

static void a_slot_without_a_backend_drops_what_begins(void **state)
{
	struct fixture *f = *state;

	begin(f, A, 0);
	expect(f, 1, ACK, A);
	expect(f, 2, SYN, 0);
	assert_int_equal(transit_outcome.verdict, SHUNT_DROP_NO_BACKEND);
	counted(1, 0, 0);
	assert_int_equal(transit_words(f), 0);
}

static void a_number_that_is_gone_says_nothing(void **state)
{
	struct fixture *f = *state;

	begin(f, A, 7);
	expect(f, 1, SYN, 7);
	transit_cur(f, B);
	expect(f, 1, ACK, 7);
	transit_service(f)->backends = 6;
	expect(f, 1, ACK, A);
}

/* ---- since --------------------------------------------------------------------------------------*/

static void what_an_earlier_transition_has_left_says_nothing(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	expect(f, 1, SYN, B);
	expect(f, 1, ACK, B);
	transit_begin(f, C, A, (uint16_t)(transit_tick(f) + 1));
	expect(f, 1, ACK, C);
	/* nor does it when its flow begins anew: that one is remembered in its place */
	expect(f, 1, SYN, A);
	expect(f, 1, ACK, A);
	assert_int_equal(transit_words(f), 1);
}

static void what_this_transition_remembers_holds_in_the_same_tick(void **state)
{
	struct fixture *f = *state;
	uint16_t since;

	for (int ahead = 0; ahead < 4; ahead++) {
		memset(f->flows, 0, WORLD_FLOW_BUCKETS * sizeof(*f->flows));
		since = (uint16_t)(transit_tick(f) + ahead);
		transit_begin(f, A, B, since);
		expect(f, 1, SYN, B);
		assert_in_range((uint16_t)(*transit_only_word(f) - since), 0, 1);
		expect(f, 1, ACK, B);
		assert_in_range((uint16_t)(*transit_only_word(f) - since), 0, 1);
	}
}

static void entries_count_from_since_on(void **state)
{
	struct fixture *f = *state;
	uint64_t w;

	begin(f, A, B);
	expect(f, 1, SYN, B);
	w = *transit_only_word(f);
	for (int age = 20; age < 60; age++) {
		*transit_only_word(f) = transit_aged(w, age);
		transit_begin(f, A, B, (uint16_t)(w - 40));
		expect(f, 1, ACK, age <= 40 ? B : A);
		*transit_only_word(f) = w;
	}
	/* a slot may stay in transition for long; then all that is fresh counts */
	for (int age = 30000; age < 65000; age += 1000) {
		transit_begin(f, A, B, (uint16_t)(w - (uint64_t)age));
		*transit_only_word(f) = transit_aged(w, 200);
		expect(f, 1, ACK, B);
	}
}

static void an_entry_is_void_after_the_timeout(void **state)
{
	struct fixture *f = *state;
	uint64_t w;

	transit_begin(f, A, B, (uint16_t)(transit_tick(f) - 1000));
	expect(f, 1, SYN, B);
	w = *transit_only_word(f);
	*transit_only_word(f) = transit_aged(w, WORLD_TIMEOUT - 2);
	expect(f, 1, ACK, B);
	*transit_only_word(f) = transit_aged(w, WORLD_TIMEOUT + 1);
	expect(f, 1, ACK, A);
}

/* ---- room ---------------------------------------------------------------------------------------*/

static void where_there_is_no_room_a_new_flow_goes_to_base(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	transit_fill(f);
	expect(f, 1, ACK, A);
	assert_int_equal(transit_base(f, 1)->flags, 0);
	for (uint32_t n = 1; n < FLOWS; n++) {
		expect(f, n, SYN, A);
		counted(1, 0, 1);
		assert_int_equal(transit_base(f, n)->flags, SHUNT_BASE_FULL);
		expect(f, n, ACK, A);
		counted(1, 0, 0);
		assert_int_equal(transit_base(f, n)->base, A);
	}
	transit_backend(f, A)->flags = 0;
	expect(f, 1, SYN, B);
	expect(f, 1, ACK, B);
}

static void a_flood_of_syns_takes_nothing_from_who_is_connected(void **state)
{
	struct fixture *f = *state;
	uint32_t at[FLOOD / 5000];

	begin(f, A, B);
	for (uint32_t n = 0; n < FLOWS; n++) {
		expect(f, n, SYN, B);
		expect(f, n, ACK, B);
	}
	transit_cur(f, C);
	for (uint32_t n = 0; n < FLOOD; n++) {
		transit_send(f, 1000 + n, SYN);
		if (n % 5000)
			continue;
		/* somebody connects meanwhile, and in time: remembered or at the base */
		at[n / 5000] = transit_send(f, 300000 + n, SYN);
		for (uint32_t k = 0; k < FLOWS; k++)
			transit_send(f, 600000 + FLOWS * n + k, SYN);
		expect(f, 300000 + n, ACK, at[n / 5000]);
	}
	for (uint32_t n = 0; n < FLOWS; n++)
		expect(f, n, ACK, B);
	for (uint32_t n = 0; n < FLOOD; n += 5000)
		expect(f, 300000 + n, ACK, at[n / 5000]);
}

/* ---- what is only about a flow ------------------------------------------------------------------*/

static void swap(uint8_t *a, uint8_t *b)
{
	uint8_t x[16];

	memcpy(x, a, 16);
	memcpy(a, b, 16);
	memcpy(b, x, 16);
}

/* An error about what the backend has sent to client @n, from a router; where it goes. */
static uint32_t error_about(struct fixture *f, uint32_t n)
{
	struct recipe flow = transit_recipe(n, ACK), sent = flow, outer = flow;
	struct icmp m = {.type = transit_family == 4 ? 3 : 2, .code = transit_family == 4 ? 4 : 0};
	struct frame quoted, in;

	swap(sent.src, sent.dst);
	sent.sport = flow.dport;
	sent.dport = flow.sport;
	outer.src[transit_family == 4 ? 3 : 15] ^= 64;
	frame_build(&sent, &quoted);
	m.rest = 1400;
	m.body = quoted.bytes + quoted.l3;
	m.len = quoted.l3_len;
	rare_icmp(&outer, &m, &in);
	fixture_run(f, &in, &transit_outcome);
	return transit_outcome.verdicts ? 0 : transit_outcome.row - transit_service(f)->row;
}

static void an_error_goes_where_its_flow_is(void **state)
{
	struct fixture *f = *state;
	uint64_t w;

	begin(f, A, B);
	assert_int_equal(error_about(f, 1), A);
	counted(1, 0, 0);
	expect(f, 2, SYN, B);
	w = *transit_only_word(f) = transit_aged(*transit_only_word(f), 5);
	assert_int_equal(error_about(f, 2), B);
	assert_true(*transit_only_word(f) == w); /* neither confirmed nor younger */
	assert_int_equal(error_about(f, 1), A);
	transit_backend(f, B)->flags = 0;
	transit_cur(f, C);
	assert_int_equal(error_about(f, 2), C);
	assert_true(*transit_only_word(f) == w);
}

static void fragments_go_where_their_flow_is(void **state)
{
	struct fixture *f = *state;
	struct piece first = {.id = 4711, .len = 512, .more = true};
	struct piece second = {.id = 4711, .from = 512, .len = 20 + 1101 - 512};
	struct recipe r;
	struct frame whole, piece;
	uint32_t row;

	begin(f, A, B);
	expect(f, 1, SYN, B);
	expect(f, 1, ACK, B);
	for (uint32_t n = 1; n <= 2; n++) {
		row = transit_service(f)->row + (n == 1 ? B : A);
		r = transit_recipe(n, ACK);
		r.payload = 1101;
		first.id = second.id = 4711 + n;
		frame_build(&r, &whole);
		rare_piece(&r, &whole, &first, &piece);
		fixture_run(f, &piece, &transit_outcome);
		assert_int_equal(transit_outcome.verdicts, 0);
		assert_int_equal(transit_outcome.row, row);
		rare_piece(&r, &whole, &second, &piece);
		fixture_run(f, &piece, &transit_outcome);
		assert_int_equal(transit_outcome.verdicts, 0);
		assert_int_equal(transit_outcome.row, row);
	}
}

/* ---- broken tables -------------------------------------------------------------------------------*/

static void slots_beyond_the_table_are_a_bad_table(void **state)
{
	struct fixture *f = *state;

	begin(f, A, B);
	transit_service(f)->slots_at = 1u << 24;
	expect(f, 1, SYN, 0);
	assert_int_equal(transit_outcome.verdict, SHUNT_DROP_BAD_TABLE);
	counted(0, 0, 0);
}

#define BOTH(name)                                                                                 \
	cmocka_unit_test_setup(name, transit_setup4), cmocka_unit_test_setup(name, transit_setup6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_settled_slot_is_never_searched_for),
		BOTH(a_flow_older_than_the_change_stays_and_is_not_remembered),
		BOTH(a_flow_that_begins_goes_to_cur_and_stays_there),
		BOTH(the_second_packet_confirms_and_a_repeated_syn_does_not),
		BOTH(what_goes_elsewhere_than_to_cur_is_noted),
		BOTH(each_slot_changes_by_itself),
		BOTH(a_chain_of_changes_keeps_everybody),
		BOTH(a_change_that_is_taken_back_keeps_what_came_meanwhile),
		BOTH(when_base_is_dead_its_flows_go_to_cur),
		BOTH(when_cur_is_dead_its_flows_begin_anew),
		BOTH(a_slot_without_a_backend_drops_what_begins),
		BOTH(a_number_that_is_gone_says_nothing),
		BOTH(what_an_earlier_transition_has_left_says_nothing),
		BOTH(what_this_transition_remembers_holds_in_the_same_tick),
		BOTH(entries_count_from_since_on),
		BOTH(an_entry_is_void_after_the_timeout),
		BOTH(where_there_is_no_room_a_new_flow_goes_to_base),
		BOTH(a_flood_of_syns_takes_nothing_from_who_is_connected),
		BOTH(an_error_goes_where_its_flow_is),
		BOTH(fragments_go_where_their_flow_is),
		BOTH(slots_beyond_the_table_are_a_bad_table),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
