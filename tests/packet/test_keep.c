/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows that are remembered by themselves whatever else is (SHUNT_SVC_KEEP), and that this comes before what
 * their sources have (SHUNT_SVC_KEPT): how a service gets from one hash to another. */
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
#define AFFINE (SHUNT_SVC_SOURCE | SHUNT_SVC_AFFINE)

/* Slots that lead to all backends, in turn, from that of @first on. */
static struct shunt_service *service_with(struct fixture *f, uint16_t flags, uint32_t first)
{
	struct shunt_service *svc = transit_service(f);

	svc->flags = flags;
	svc->source_bits = 128;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, svc, slot) = (uint16_t)(1 + (slot + first) % TRANSIT_BACKENDS);
	return svc;
}

/* All slots change to those of @first, what stands in the table since @ticks ago counts. */
static void switch_to(struct fixture *f, uint16_t flags, uint32_t first, uint16_t ticks)
{
	struct shunt_service *svc = service_with(f, flags, first);
	uint16_t now = transit_tick(f);

	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
		*world_base(f, svc, slot) = (struct shunt_base){.since = (uint16_t)(now - ticks)};
		*world_slot(f, svc, slot) |= SHUNT_SLOT_CHANGED;
	}
}

static uint32_t comes(struct fixture *f, uint32_t source, uint16_t port, uint8_t tcp_flags)
{
	struct recipe r = world_recipe(transit_family, transit_proto, WORLD_DSR);

	memcpy(r.src + (transit_family == 4 ? 2 : 4), (uint8_t[]){(uint8_t)source, 9}, 2);
	r.sport = port;
	r.tcp_flags = tcp_flags;
	return transit_arrive(f, &r, &transit_outcome);
}

#define PORT(n) ((uint16_t)(2000 + (n)))

static void what_is_kept_stays_when_its_service_finds_it_otherwise(void **state)
{
	struct fixture *f = *state;
	uint32_t at[FLOWS], moved = 0;

	service_with(f, SHUNT_SVC_KEEP, 0);
	for (uint32_t n = 0; n < FLOWS; n++) {
		at[n] = comes(f, n % 4, PORT(n), ACK);
		assert_int_equal(transit_outcome.lookups, 1);
		assert_int_equal(transit_outcome.remembered, 1);
		assert_int_equal(comes(f, n % 4, PORT(n), ACK), at[n]);
		assert_int_equal(transit_outcome.remembered, 0);
	}
	assert_int_equal(transit_words(f), FLOWS);
	switch_to(f, SHUNT_SVC_SOURCE, 3, 5);
	for (uint32_t n = 0; n < FLOWS; n++) {
		assert_int_equal(comes(f, n % 4, PORT(n), ACK), at[n]);
		moved += comes(f, n % 4, PORT(n + FLOWS), SYN) != at[n];
	}
	assert_true(moved > FLOWS / 2); /* or it had not been needed */
	service_with(f, SHUNT_SVC_SOURCE, 3);
	for (uint32_t n = 0; n < FLOWS; n++) /* nothing has its own way in a settled slot */
		assert_int_equal(comes(f, n % 4, PORT(n), ACK), comes(f, n % 4, PORT(0), ACK));
}

static void where_a_flow_goes_counts_not_what_stood_there(void **state)
{
	struct fixture *f = *state;
	uint32_t at, other;

	service_with(f, SHUNT_SVC_KEEP, 0);
	at = comes(f, 1, PORT(1), ACK);
	service_with(f, SHUNT_SVC_KEEP, 1);
	other = comes(f, 1, PORT(1), ACK);
	assert_int_not_equal(at, other);
	assert_int_equal(transit_number_in(*transit_only_word(f)), other);
}

static void slots_in_transition_go_on_beside(void **state)
{
	struct fixture *f = *state;
	uint16_t since;

	service_with(f, SHUNT_SVC_KEEP, 0);
	since = (uint16_t)(transit_tick(f) + 3);
	transit_begin(f, A, B, since);
	assert_int_equal(comes(f, 1, PORT(1), ACK), A);
	assert_int_equal(comes(f, 1, PORT(2), SYN), B);
	assert_int_equal(comes(f, 1, PORT(2), ACK), B); /* it has not become older than `since` */
	assert_int_equal(comes(f, 1, PORT(1), ACK), A);
	assert_int_equal(transit_words(f), 2);
}

static void flows_of_a_source_are_kept_apart(void **state)
{
	const uint16_t flags = AFFINE | SHUNT_SVC_LEARN | SHUNT_SVC_KEEP | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	uint32_t at[4];

	service_with(f, flags, 0);
	for (uint32_t n = 0; n < FLOWS; n++) {
		uint32_t number = comes(f, n % 4, PORT(n), n % 2 ? SYN : ACK);

		if (n < 4)
			at[n] = number;
		assert_int_equal(number, at[n % 4]);
	}
	assert_int_equal(transit_words(f), FLOWS); /* of flows: slots are settled */
	switch_to(f, 0, 3, 5);
	for (uint32_t n = 0; n < FLOWS; n++)
		assert_int_equal(comes(f, n % 4, PORT(n), ACK), at[n % 4]);
}

static void a_kept_flow_comes_before_its_source(void **state)
{
	const uint16_t flags = AFFINE | SHUNT_SVC_LEARN | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	uint32_t at[FLOWS], source[4];

	service_with(f, SHUNT_SVC_KEEP, 0);
	for (uint32_t n = 0; n < FLOWS; n++)
		at[n] = comes(f, n % 4, PORT(n), ACK);
	switch_to(f, flags, 3, 5);
	for (uint32_t n = 0; n < FLOWS; n++) {
		assert_int_equal(comes(f, n % 4, PORT(n), ACK), at[n]);
		assert_int_equal(transit_outcome.lookups, 1);
	}
	assert_int_equal(transit_words(f), FLOWS); /* nothing is known of sources */
	for (uint32_t n = 0; n < 4; n++)
		source[n] = comes(f, n, PORT(100), SYN);
	for (uint32_t n = 0; n < FLOWS; n++) {
		assert_int_equal(comes(f, n % 4, PORT(200 + n), SYN), source[n % 4]);
		assert_int_equal(comes(f, n % 4, PORT(n), ACK), at[n]);
	}
	assert_int_equal(transit_words(f), FLOWS + 4);
}

static void a_kept_flow_that_is_elsewhere_keeps_its_slot_in_transition(void **state)
{
	const uint16_t flags = AFFINE | SHUNT_SVC_LEARN | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	struct shunt_base *base;
	uint32_t used = 0;

	service_with(f, SHUNT_SVC_KEEP, 0);
	comes(f, 1, PORT(1), ACK);
	switch_to(f, flags, 1, 5);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, transit_service(f), slot)->used = 77;
	for (uint32_t n = 2; n < 2 + TRANSIT_BACKENDS; n++) { /* one of which is where it is */
		switch_to(f, flags, n, 5);
		for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
			world_base(f, transit_service(f), slot)->used = 77;
		comes(f, 1, PORT(1), ACK);
		for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
			base = world_base(f, transit_service(f), slot);
			used += base->used != 77;
		}
	}
	assert_int_equal(used, TRANSIT_BACKENDS - 1);
}

/* Where sources take turns a flow that was kept may be anywhere: that it comes ends when the slots settle. */
static void where_sources_take_turns_any_kept_flow_does(void **state)
{
	const uint16_t turns = SHUNT_SVC_FLOWS | AFFINE | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	struct shunt_service *svc;
	uint32_t at[4], used = 0;

	service_with(f, SHUNT_SVC_FLOWS, 0);
	for (uint32_t n = 0; n < 4; n++)
		at[n] = comes(f, 1, PORT(n), SYN);
	switch_to(f, turns, 0, 5);
	for (uint32_t n = 0; n < 4; n++)
		assert_int_equal(comes(f, 1, PORT(n), ACK), at[n]);
	svc = transit_service(f);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		used += world_base(f, svc, slot)->used == transit_tick(f);
	assert_int_equal(used, 1);
	service_with(f, turns, 0); /* in a settled slot nothing is noted */
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		world_base(f, svc, slot)->used = (uint16_t)(transit_tick(f) - 9);
	assert_int_equal(comes(f, 1, PORT(0), ACK), at[0]);
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		assert_int_not_equal(world_base(f, svc, slot)->used, transit_tick(f));
}

static void a_kept_flow_of_a_dead_backend_goes_with_its_source(void **state)
{
	const uint16_t flags = AFFINE | SHUNT_SVC_LEARN | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	uint32_t at, now;

	service_with(f, SHUNT_SVC_KEEP, 0);
	at = comes(f, 1, PORT(1), ACK);
	switch_to(f, flags, 3, 5);
	now = comes(f, 1, PORT(2), SYN);
	transit_backend(f, at)->flags = 0;
	if (now == at)
		return; /* both are dead */
	assert_int_equal(comes(f, 1, PORT(1), ACK), now);
}

static void loads_are_of_flows_where_sources_stay(void **state)
{
	const uint16_t flags =
		AFFINE | SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS | SHUNT_SVC_KEEP | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	uint64_t load = 0;
	uint32_t at, rows = 0;

	service_with(f, flags, 0);
	for (uint32_t n = 1; n <= TRANSIT_BACKENDS; n++)
		f->loads[transit_service(f)->row + n] = (struct shunt_load){.step = 1000};
	at = comes(f, 1, PORT(0), SYN);
	for (uint32_t n = 0; n < FLOWS; n++) {
		assert_int_equal(comes(f, 1, PORT(n), n ? SYN : ACK), at);
		assert_int_equal(comes(f, 1, PORT(n), ACK), at);
	}
	assert_int_equal(transit_words(f), FLOWS + 1);
	for (uint32_t n = 1; n <= TRANSIT_BACKENDS; n++)
		load += f->loads[transit_service(f)->row + n].load;
	assert_int_equal(load, FLOWS * 1000);
	assert_int_equal(f->loads[transit_service(f)->row + at].load, load);
	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		rows += f->flow_rows[i / SHUNT_FLOWS_PER_BUCKET].row[i % SHUNT_FLOWS_PER_BUCKET] !=
			0;
	assert_int_equal(rows, FLOWS);
	for (size_t i = 0; i < TRANSIT_WORDS; i++) /* so that the source is to hear of it */
		if (*transit_word(f, i))
			*transit_word(f, i) = transit_aged(*transit_word(f, i), 5);
	comes(f, 1, PORT(1), TCP_FLAG_FIN | ACK);
	assert_int_equal(transit_outcome.lookups, 2);
	rows = 0;
	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		rows += (*transit_word(f, i) & SHUNT_FLOW_ENDED) != 0;
	assert_int_equal(rows, 1);
	assert_int_equal(comes(f, 1, PORT(300), SYN), at); /* the source has not ended */
}

static void a_source_is_as_young_as_its_flows(void **state)
{
	const uint16_t flags =
		AFFINE | SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS | SHUNT_SVC_KEEP | SHUNT_SVC_KEPT;
	struct fixture *f = *state;
	uint16_t now;

	service_with(f, flags, 0);
	comes(f, 1, PORT(0), SYN);
	comes(f, 1, PORT(0), ACK);
	assert_int_equal(transit_words(f), 2);
	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		if (*transit_word(f, i))
			*transit_word(f, i) = transit_aged(*transit_word(f, i), 50);
	comes(f, 1, PORT(0), ACK);
	assert_int_equal(transit_outcome.lookups, 2);
	now = transit_tick(f);
	for (size_t i = 0; i < TRANSIT_WORDS; i++)
		if (*transit_word(f, i))
			assert_in_range((uint16_t)(now - *transit_word(f, i)), 0, 1);
}

#define BOTH(name)                                                                                 \
	cmocka_unit_test_setup(name, transit_setup4), cmocka_unit_test_setup(name, transit_setup6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(what_is_kept_stays_when_its_service_finds_it_otherwise),
		BOTH(where_a_flow_goes_counts_not_what_stood_there),
		BOTH(slots_in_transition_go_on_beside),
		BOTH(flows_of_a_source_are_kept_apart),
		BOTH(a_kept_flow_comes_before_its_source),
		BOTH(a_kept_flow_that_is_elsewhere_keeps_its_slot_in_transition),
		BOTH(where_sources_take_turns_any_kept_flow_does),
		BOTH(a_kept_flow_of_a_dead_backend_goes_with_its_source),
		BOTH(loads_are_of_flows_where_sources_stay),
		BOTH(a_source_is_as_young_as_its_flows),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
