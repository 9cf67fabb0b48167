/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether rr and wrr take turns evenly in every stretch of the table. */
#include "pure/maglev.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define SLOTS 65536u
#define MOST 1000

static struct slot_backend pool[MOST], reversed[MOST];
static uint16_t slots[SLOTS], again[SLOTS];
static uint32_t owned[MOST + 1];

static void make_pool(size_t n)
{
	char name[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "web%zu", i + 1);
		pool[i] = (struct slot_backend){
			.id = slot_backend_id(name), .number = i + 1, .weight = 1, .up = true};
	}
}

/* Every stretch from the table's beginning is within one slot of the share by weight. */
static void assert_smooth(size_t n, bool equal, uint32_t n_slots)
{
	double weights = 0;

	for (size_t i = 0; i < n; i++)
		weights += pool[i].up && pool[i].weight ? (equal ? 1 : pool[i].weight) : 0;
	memset(owned, 0, sizeof(owned));
	for (uint32_t s = 0; s < n_slots; s++) {
		assert_in_range(slots[s], 1, n);
		owned[slots[s]]++;
		for (size_t i = 0; i < n && (n < 200 || s % 97 == 0); i++) {
			double weight =
				pool[i].up && pool[i].weight ? (equal ? 1 : pool[i].weight) : 0;
			double lag = (s + 1) * weight / weights - owned[i + 1];

			if (lag >= 1 || lag <= -1)
				fail_msg("backend %zu is %f slots behind at %u", i + 1, lag, s);
		}
	}
}

static void rr_takes_turns_in_one_order(void **state)
{
	(void)state;
	make_pool(7);
	pool[2].weight = 900;
	pool[4].up = false;
	pool[5].weight = 0;
	assert_int_equal(interleave_fill(pool, 7, true, slots, 256), 0);
	for (uint32_t s = 1; s < 5; s++)
		assert_true(pool[slots[s] - 1].id > pool[slots[s - 1] - 1].id);
	for (uint32_t s = 5; s < 256; s++)
		assert_int_equal(slots[s], slots[s - 5]);
	assert_smooth(7, true, 256);
}

static void wrr_is_smooth(void **state)
{
	static const uint16_t weights[][5] = {
		{5, 1, 1, 0, 0}, {1000, 1, 1, 1, 1}, {3, 5, 7, 11, 13}};

	(void)state;
	make_pool(5);
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < 5; i++)
			pool[i].weight = weights[k][i];
		assert_int_equal(interleave_fill(pool, 5, false, slots, 4096), 0);
		assert_smooth(5, false, 4096);
	}
}

static void wrr_of_many_backends_is_smooth(void **state)
{
	(void)state;
	make_pool(1000);
	for (uint16_t i = 0; i < 1000; i++)
		pool[i].weight = i % 10 ? 1 + i % 7 : 100 + i;
	assert_int_equal(interleave_fill(pool, 1000, false, slots, SLOTS), 0);
	assert_smooth(1000, false, SLOTS);
	assert_int_equal(interleave_fill(pool, 1000, true, slots, SLOTS), 0);
	assert_smooth(1000, true, SLOTS);
}

static void the_order_in_the_file_does_not_matter(void **state)
{
	(void)state;
	make_pool(300);
	for (uint16_t i = 0; i < 300; i++) {
		pool[i].weight = i % 5;
		pool[i].up = i % 11 != 0;
		pool[i].id = i % 7 ? pool[i].id : 99; /* equal ids go by number */
	}
	for (size_t i = 0; i < 300; i++)
		reversed[i] = pool[299 - i];
	for (int equal = 0; equal < 2; equal++) {
		assert_int_equal(interleave_fill(pool, 300, equal, slots, SLOTS), 0);
		assert_int_equal(interleave_fill(reversed, 300, equal, again, SLOTS), 0);
		assert_memory_equal(slots, again, sizeof(slots));
	}
}

static void without_a_usable_backend_the_slots_are_zero(void **state)
{
	(void)state;
	make_pool(3);
	pool[0].weight = 0;
	pool[1].up = pool[2].up = false;
	for (size_t n = 0; n <= 3; n += 3) {
		memset(slots, 0xff, sizeof(slots));
		assert_int_equal(interleave_fill(pool, n, true, slots, 256), -ENOENT);
		for (uint32_t s = 0; s < 256; s++)
			assert_int_equal(slots[s], 0);
		assert_int_equal(slots[256], 0xffff);
	}
}

static void one_backend_takes_every_slot(void **state)
{
	(void)state;
	make_pool(1);
	assert_int_equal(interleave_fill(pool, 1, false, slots, 32), 0);
	for (uint32_t s = 0; s < 32; s++)
		assert_int_equal(slots[s], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rr_takes_turns_in_one_order),
		cmocka_unit_test(wrr_is_smooth),
		cmocka_unit_test(wrr_of_many_backends_is_smooth),
		cmocka_unit_test(the_order_in_the_file_does_not_matter),
		cmocka_unit_test(without_a_usable_backend_the_slots_are_zero),
		cmocka_unit_test(one_backend_takes_every_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
