/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables while a backend climbs to its share: what moves at each step, and to whom. */
#include "pure/maglev.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define SLOTS 16384u
#define MOST 100

static struct slot_backend pool[MOST];
static uint16_t down[SLOTS], before[SLOTS], now[SLOTS], plain[SLOTS];

static void make_pool(size_t n)
{
	char name[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "web%zu", i + 1);
		pool[i] = (struct slot_backend){.id = slot_backend_id(name),
						.number = (uint16_t)(i + 1),
						.weight = (uint16_t)(1 + i % 3),
						.up = true};
	}
}

static void fill(size_t n, uint16_t slots[])
{
	assert_int_equal(maglev_fill(pool, n, slots, SLOTS), 0);
}

static uint32_t owned_by(const uint16_t slots[], uint16_t number)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < SLOTS; s++)
		n += slots[s] == number;
	return n;
}

/* Every slot that differs between the two is @number's in the second. */
static uint32_t moved_to(const uint16_t from[], const uint16_t to[], uint16_t number)
{
	uint32_t moved = 0;

	for (uint32_t s = 0; s < SLOTS; s++) {
		if (from[s] == to[s])
			continue;
		assert_int_equal(to[s], number);
		moved++;
	}
	return moved;
}

/* From down to all of its share: each of its slots moves once, and nothing else ever does. */
static void assert_climbs(size_t n, size_t who)
{
	const uint16_t number = pool[who].number;
	uint32_t moved = 0, share;

	fill(n, plain);
	share = owned_by(plain, number);
	pool[who].up = false;
	fill(n, down);
	memcpy(before, down, sizeof(before));
	pool[who].up = true;
	for (int held = SLOT_SHARES - 1; held >= 0; held--) {
		pool[who].held_back = (uint8_t)held;
		fill(n, now);
		moved += moved_to(before, now, number);
		assert_int_equal(moved, owned_by(now, number));
		assert_int_equal(moved,
				 (share * (SLOT_SHARES - held) + SLOT_SHARES - 1) / SLOT_SHARES);
		memcpy(before, now, sizeof(before));
	}
	assert_int_equal(moved, share);
	assert_memory_equal(now, plain, sizeof(plain));
}

static void who_climbs_gets_each_of_its_slots_once_and_moves_no_other(void **state)
{
	(void)state;
	make_pool(MOST);
	for (size_t who = 0; who < MOST; who += 33)
		assert_climbs(MOST, who);
	make_pool(2);
	assert_climbs(2, 1);
}

static void it_moves_no_other_while_others_are_down_either(void **state)
{
	uint32_t moved = 0;

	(void)state;
	make_pool(MOST);
	pool[3].up = pool[70].up = false;
	pool[40].held_back = SLOT_SHARES - 1;
	fill(MOST, before);
	for (int held = SLOT_SHARES - 2; held > 0; held--) {
		pool[40].held_back = (uint8_t)held;
		fill(MOST, now);
		moved += moved_to(before, now, 41);
		memcpy(before, now, sizeof(before));
	}
	assert_true(moved > 0);
}

static void two_that_climb_together_do_not_take_each_others_slots(void **state)
{
	(void)state;
	make_pool(MOST);
	fill(MOST, plain);
	for (int held = SLOT_SHARES - 1; held > 0; held--) {
		pool[5].held_back = pool[6].held_back = (uint8_t)held;
		fill(MOST, now);
		for (uint32_t s = 0; s < SLOTS; s++)
			if (now[s] == 6 || now[s] == 7)
				assert_int_equal(plain[s], now[s]);
	}
}

static void all_held_back_are_as_none(void **state)
{
	(void)state;
	make_pool(5);
	pool[2].up = false;
	fill(5, plain);
	for (size_t i = 0; i < 5; i++)
		pool[i].held_back = 9;
	fill(5, now);
	assert_memory_equal(now, plain, sizeof(plain));
}

static void turns_are_fewer_for_who_is_held_back(void **state)
{
	uint32_t own;

	(void)state;
	make_pool(4);
	pool[1].held_back = 12; /* of weight 2: 4 sixteenths; with 1, 3 and 1 beside it */
	assert_int_equal(interleave_fill(pool, 4, false, now, SLOTS), 0);
	own = owned_by(now, 2);
	assert_in_range(own, SLOTS * 8 / 88 - 1, SLOTS * 8 / 88 + 1);
	assert_int_equal(interleave_fill(pool, 4, true, now, SLOTS), 0);
	own = owned_by(now, 2);
	assert_in_range(own, SLOTS * 4 / 52 - 1, SLOTS * 4 / 52 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_climbs_gets_each_of_its_slots_once_and_moves_no_other),
		cmocka_unit_test(it_moves_no_other_while_others_are_down_either),
		cmocka_unit_test(two_that_climb_together_do_not_take_each_others_slots),
		cmocka_unit_test(all_held_back_are_as_none),
		cmocka_unit_test(turns_are_fewer_for_who_is_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
