/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "pure/maglev.h"
#include "shunt_abi.h"

#define ROWS 100
#define PARTS 4
#define TIMEOUT 10

static struct tally t;

static int setup(void **state)
{
	static const struct tally_row two[] = {{.row = 5, .timeout = TIMEOUT},
					       {.row = 7, .timeout = TIMEOUT}};

	(void)state;
	return tally_choose(&t, two, 2, ROWS, PARTS);
}

static int teardown(void **state)
{
	(void)state;
	tally_fini(&t);
	return 0;
}

/* One part, in which row 5 has @five flows and row 7 @seven. */
static void count(uint32_t five, uint32_t seven)
{
	tally_begin(&t);
	while (five--)
		tally_flow(&t, 5, 0);
	while (seven--)
		tally_flow(&t, 7, TIMEOUT);
	tally_end(&t);
}

static uint64_t flows_of(uint32_t row)
{
	uint64_t flows = 0;

	assert_true(tally_flows(&t, row, &flows));
	return flows;
}

static void nothing_is_known_before_all_parts_have_been_counted(void **state)
{
	uint64_t flows;

	(void)state;
	for (int i = 0; i < PARTS; i++) {
		assert_false(tally_flows(&t, 5, &flows));
		count(1, 2);
	}
	assert_int_equal(flows_of(5), PARTS);
	assert_int_equal(flows_of(7), 2 * PARTS);
	assert_false(tally_flows(&t, 6, &flows));
	assert_false(tally_flows(&t, ROWS, &flows));
}

static void a_part_that_is_counted_again_takes_the_place_of_what_it_had(void **state)
{
	(void)state;
	for (int i = 0; i < PARTS; i++)
		count(10, 0);
	count(1, 3);
	assert_int_equal(flows_of(5), 31);
	assert_int_equal(flows_of(7), 3);
}

static void flows_that_are_quiet_for_too_long_and_those_of_others_are_not_counted(void **state)
{
	(void)state;
	for (int i = 0; i < PARTS; i++) {
		tally_begin(&t);
		tally_flow(&t, 5, TIMEOUT + 1);
		tally_flow(&t, 6, 0);
		tally_flow(&t, 0, 0);
		tally_flow(&t, ROWS, 0);
		tally_flow(&t, UINT32_MAX, 0);
		tally_end(&t);
	}
	assert_int_equal(flows_of(5), 0);
	assert_int_equal(flows_of(7), 0);
}

static void another_choice_keeps_what_is_known_of_rows_that_stay(void **state)
{
	static const struct tally_row fewer[] = {{.row = 7, .timeout = TIMEOUT}};
	static const struct tally_row others[] = {{.row = 7, .timeout = TIMEOUT},
						  {.row = 110, .timeout = TIMEOUT}};
	uint64_t flows;

	(void)state;
	for (int i = 0; i < PARTS; i++)
		count(1, 2 + (uint32_t)i);
	assert_int_equal(tally_choose(&t, fewer, 1, ROWS, PARTS), 0);
	assert_int_equal(flows_of(7), 2 + 3 + 4 + 5);
	assert_false(tally_flows(&t, 5, &flows));
	count(9, 1);
	assert_int_equal(flows_of(7), 1 + 3 + 4 + 5);
	/* one that is new is not known before a whole count */
	assert_int_equal(tally_choose(&t, others, 2, 2 * ROWS, PARTS), 0);
	assert_int_equal(t.row[0].total, 13);
	assert_false(tally_flows(&t, 110, &flows));
	for (int i = 0; i < PARTS; i++)
		count(0, 2);
	assert_int_equal(flows_of(7), 2 * PARTS);
	assert_int_equal(flows_of(110), 0);
}

static void a_table_of_other_parts_is_counted_anew(void **state)
{
	static const struct tally_row one[] = {{.row = 5, .timeout = TIMEOUT}};
	uint64_t flows;

	(void)state;
	for (int i = 0; i < PARTS; i++)
		count(1, 1);
	assert_int_equal(tally_choose(&t, one, 1, ROWS, PARTS + 1), 0);
	assert_false(tally_flows(&t, 5, &flows));
	assert_int_equal(t.row[0].total, 0);
}

static void flows_given_away_count_until_they_are_found(void **state)
{
	struct tally_row *r = &t.row[0];
	uint64_t load = tally_load(&t, r, 12345, TALLY_UNIT); /* what stood there is nobody's */

	(void)state;
	assert_int_equal(load, 0);
	load = tally_load(&t, r, load + 40 * TALLY_UNIT, TALLY_UNIT);
	assert_in_range(load / TALLY_UNIT, 40, 40);
	for (int i = 0; i < PARTS; i++)
		count(10, 0);
	for (int i = 0; i < 20 * PARTS; i++)
		load = tally_load(&t, r, load, TALLY_UNIT);
	assert_in_range(load / TALLY_UNIT, 40, 41);
}

static void a_load_is_the_flows_times_their_step(void **state)
{
	(void)state;
	for (int i = 0; i < PARTS; i++)
		count(3, 3);
	assert_int_equal(tally_load(&t, &t.row[0], 0, TALLY_UNIT), 3 * PARTS * TALLY_UNIT);
	assert_int_equal(tally_load(&t, &t.row[1], 0, TALLY_UNIT / 4), 3 * PARTS * TALLY_UNIT / 4);
}

static void nothing_to_count_is_a_choice_too(void **state)
{
	(void)state;
	assert_int_equal(tally_choose(&t, NULL, 0, 0, PARTS), 0);
	tally_begin(&t);
	tally_flow(&t, 0, 0);
	tally_end(&t);
}

/* ---- the less loaded of two ----------------------------------------------------------------------*/

#define BACKENDS 10
#define FLOWS 10000
#define SLOTS 1024

/* As the packet path does it (bpf/load.h), with loads that are told anew after every @each flows, while a
 * count takes PARTS times as long. */
static void give(const uint16_t *slots, const uint32_t *weights, uint32_t each, uint32_t *had)
{
	struct tally_row rows[BACKENDS];
	uint64_t load[BACKENDS] = {0}, hash = 88172645463325252ull;
	uint32_t found[PARTS][BACKENDS] = {{0}};

	for (uint32_t b = 0; b < BACKENDS; b++)
		rows[b] = (struct tally_row){.row = b, .timeout = TIMEOUT};
	assert_int_equal(tally_choose(&t, rows, BACKENDS, BACKENDS, PARTS), 0);
	for (uint32_t n = 0; n < FLOWS; n++) {
		uint32_t a, b;

		for (uint32_t k = 0; n % each == 0 && k < BACKENDS; k++) {
			if (k == 0) {
				uint32_t part = t.part;

				tally_begin(&t);
				for (uint32_t i = 0; i < BACKENDS; i++)
					for (uint32_t x = 0; x < found[part][i]; x++)
						tally_flow(&t, i, 0);
				tally_end(&t);
			}
			load[k] = tally_load(&t, &t.row[k], load[k], TALLY_UNIT / weights[k]);
		}
		hash ^= hash << 13, hash ^= hash >> 7, hash ^= hash << 17; /* xorshift64 */
		a = slots[shunt_slot_of(hash, SLOTS - 1)] - 1u;
		b = slots[shunt_slot_of(shunt_second_of(hash), SLOTS - 1)] - 1u;
		a = load[b] < load[a] ? b : a;
		load[a] += TALLY_UNIT / weights[a];
		had[a]++;
		found[hash % PARTS][a]++;
	}
}

static void fill(uint16_t *slots, const uint32_t *weights)
{
	struct slot_backend in[BACKENDS];

	for (uint32_t b = 0; b < BACKENDS; b++)
		in[b] = (struct slot_backend){.id = 1000003u * (b + 1),
					      .number = (uint16_t)(b + 1),
					      .weight = (uint16_t)weights[b],
					      .up = true};
	assert_int_equal(maglev_fill(in, BACKENDS, slots, SLOTS), 0);
}

/* By hash alone the fullest of ten would have about 1.05 of the mean; two choices keep within a few flows
 * (Mitzenmacher), and what is told late and by estimate within a hundredth. */
static void of_ten_thousand_flows_ten_backends_get_equal_parts(void **state)
{
	static const uint32_t equal[BACKENDS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	uint16_t slots[SLOTS];
	uint32_t had[BACKENDS] = {0};

	(void)state;
	fill(slots, equal);
	give(slots, equal, 100, had);
	for (uint32_t b = 0; b < BACKENDS; b++)
		assert_in_range(had[b], FLOWS / BACKENDS * 97 / 100, FLOWS / BACKENDS * 103 / 100);
}

static void flows_go_by_weight(void **state)
{
	static const uint32_t weights[BACKENDS] = {1, 2, 3, 4, 5, 1, 2, 3, 4, 5};
	uint16_t slots[SLOTS];
	uint32_t had[BACKENDS] = {0};

	(void)state;
	fill(slots, weights);
	give(slots, weights, 100, had);
	for (uint32_t b = 0; b < BACKENDS; b++) {
		uint32_t share = FLOWS * weights[b] / 30;

		assert_in_range(had[b], share * 90 / 100, share * 110 / 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(nothing_is_known_before_all_parts_have_been_counted),
		T(a_part_that_is_counted_again_takes_the_place_of_what_it_had),
		T(flows_that_are_quiet_for_too_long_and_those_of_others_are_not_counted),
		T(another_choice_keeps_what_is_known_of_rows_that_stay),
		T(a_table_of_other_parts_is_counted_anew),
		T(flows_given_away_count_until_they_are_found),
		T(a_load_is_the_flows_times_their_step),
		T(nothing_to_count_is_a_choice_too),
		T(of_ten_thousand_flows_ten_backends_get_equal_parts),
		T(flows_go_by_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
