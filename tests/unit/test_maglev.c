/* SPDX-License-Identifier: BSD-2-Clause */
/* Properties of the slot tables: balance, what a failure moves, what a recovery gives back, and that
 * nothing depends on the order in a file. */
#include "pure/maglev.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define SLOTS 65536u
#define MOST 2000

static struct slot_backend pool[MOST], shuffled[MOST];
static uint16_t healthy[SLOTS], one_down[SLOTS], two_down[SLOTS], again[SLOTS];
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

static void fill(size_t n, uint16_t slots[], uint32_t n_slots)
{
	assert_int_equal(maglev_fill(pool, n, slots, n_slots), 0);
}

static void count(size_t n, const uint16_t slots[], uint32_t n_slots)
{
	memset(owned, 0, sizeof(owned));
	for (uint32_t s = 0; s < n_slots; s++) {
		assert_in_range(slots[s], 1, n);
		owned[slots[s]]++;
	}
}

/* The largest of (slots owned / share by weight) among those that are up. */
static double imbalance(size_t n, const uint16_t slots[], uint32_t n_slots)
{
	double weights = 0, worst = 0;

	count(n, slots, n_slots);
	for (size_t i = 0; i < n; i++)
		weights += pool[i].up ? pool[i].weight : 0;
	for (size_t i = 0; i < n; i++) {
		double share = n_slots * (pool[i].weight / weights);

		if (!pool[i].up || pool[i].weight == 0)
			assert_int_equal(owned[i + 1], 0);
		else if (owned[i + 1] / share > worst)
			worst = owned[i + 1] / share;
	}
	return worst;
}

static void a_hundred_backends_are_within_two_per_mille(void **state)
{
	(void)state;
	make_pool(100);
	fill(100, healthy, SLOTS);
	print_message("# imbalance at 100: %.4f\n", imbalance(100, healthy, SLOTS));
	assert_true(imbalance(100, healthy, SLOTS) <= 1.002);
}

static void a_thousand_backends_are_within_25_per_mille(void **state)
{
	(void)state;
	make_pool(1000);
	fill(1000, healthy, SLOTS);
	print_message("# imbalance at 1000: %.4f\n", imbalance(1000, healthy, SLOTS));
	assert_true(imbalance(1000, healthy, SLOTS) <= 1.025);
}

/* Up to @most of @n backends down, one after the other. */
static void assert_even_with_failures(size_t n, size_t most, double limit)
{
	make_pool(n);
	for (size_t down = 0; down < most; down++) {
		pool[down * 7919 % n].up = false;
		fill(n, one_down, SLOTS);
		assert_true(imbalance(n, one_down, SLOTS) <= limit);
	}
}

static void the_rest_stays_as_even_when_many_are_down(void **state)
{
	(void)state;
	assert_even_with_failures(100, 40, 1.002);
	assert_even_with_failures(1000, 20, 1.025);
}

static void weights_are_followed(void **state)
{
	static const uint16_t weights[] = {1, 2, 3, 5, 10, 100};

	(void)state;
	make_pool(102);
	for (size_t i = 0; i < 102; i++)
		pool[i].weight = weights[i % 6];
	fill(102, healthy, SLOTS);
	count(102, healthy, SLOTS);
	for (size_t i = 0; i < 102; i++) {
		double share = SLOTS * (pool[i].weight / (17.0 * 121));

		assert_true(owned[i + 1] >= share - 1 && owned[i + 1] <= share + 1);
	}
	pool[5].up = false;
	fill(102, one_down, SLOTS);
	count(102, one_down, SLOTS);
	for (size_t i = 0; i < 102; i++) {
		double share = SLOTS * (pool[i].weight / (17.0 * 121 - 100));

		assert_true(!pool[i].up || owned[i + 1] <= share + 2);
		assert_true(!pool[i].up || owned[i + 1] >= 0.94 * share - 1);
	}
}

static void weight_zero_takes_no_slot(void **state)
{
	(void)state;
	make_pool(10);
	pool[3].weight = 0;
	fill(10, healthy, 1024);
	count(10, healthy, 1024);
	assert_int_equal(owned[4], 0);
	assert_true(imbalance(10, healthy, 1024) < 1.01);
}

/* What @before and @after differ in, split into slots of @backend and those of others. */
static void diff(const uint16_t before[], const uint16_t after[], uint32_t n_slots,
		 uint16_t backend, uint32_t *own, uint32_t *others)
{
	*own = *others = 0;
	for (uint32_t s = 0; s < n_slots; s++) {
		if (before[s] == after[s])
			continue;
		if (before[s] == backend)
			++*own;
		else
			++*others;
	}
}

static void a_failure_moves_exactly_the_failed_ones_slots(void **state)
{
	uint32_t own, others;

	(void)state;
	make_pool(100);
	for (uint16_t i = 0; i < 100; i += 9)
		pool[i].weight = i + 1;
	fill(100, healthy, SLOTS);
	for (uint16_t i = 0; i < 100; i++) {
		pool[i].up = false;
		fill(100, one_down, SLOTS);
		diff(healthy, one_down, SLOTS, i + 1, &own, &others);
		count(100, healthy, SLOTS);
		assert_int_equal(own, owned[i + 1]);
		assert_int_equal(others, 0);
		pool[i].up = true;
	}
}

static void a_recovery_gives_exactly_those_back(void **state)
{
	(void)state;
	make_pool(100);
	fill(100, healthy, SLOTS);
	pool[7].up = pool[50].up = false;
	fill(100, two_down, SLOTS);
	assert_memory_not_equal(healthy, two_down, sizeof(healthy));
	pool[7].up = true;
	fill(100, one_down, SLOTS);
	pool[50].up = true;
	fill(100, again, SLOTS);
	assert_memory_equal(healthy, again, sizeof(healthy));
}

static void a_second_failure_moves_few_other_slots(void **state)
{
	uint32_t own, others, worst = 0;

	(void)state;
	make_pool(100);
	for (uint16_t i = 0; i < 30; i++) {
		uint16_t a = i * 37 % 100, b = (i * 61 + 13) % 100;

		pool[a].up = false;
		fill(100, one_down, SLOTS);
		pool[b].up = false;
		fill(100, two_down, SLOTS);
		diff(one_down, two_down, SLOTS, b + 1, &own, &others);
		worst = others > worst ? others : worst;
		pool[a].up = pool[b].up = true;
	}
	assert_true(worst > 0);
	assert_true(worst <= SLOTS * 3 / 1000);
	print_message("# a second failure moves %.3f%% more at worst\n", 100.0 * worst / SLOTS);
}

static void shuffle(size_t n)
{
	srand(42);
	memcpy(shuffled, pool, n * sizeof(*pool));
	for (size_t i = n - 1; i > 0; i--) {
		size_t j = rand() % (i + 1);
		struct slot_backend swap = shuffled[i];

		shuffled[i] = shuffled[j];
		shuffled[j] = swap;
	}
}

static void the_order_in_the_file_does_not_matter(void **state)
{
	(void)state;
	make_pool(300);
	for (uint16_t i = 0; i < 300; i++) {
		pool[i].weight = i % 5;
		pool[i].up = i % 11 != 0;
	}
	shuffle(300);
	fill(300, healthy, SLOTS);
	assert_int_equal(maglev_fill(shuffled, 300, again, SLOTS), 0);
	assert_memory_equal(healthy, again, sizeof(healthy));
}

static void equal_ids_go_by_number(void **state)
{
	(void)state;
	make_pool(20);
	for (size_t i = 0; i < 20; i++)
		pool[i].id = 99;
	shuffle(20);
	fill(20, healthy, 2048);
	assert_int_equal(maglev_fill(shuffled, 20, again, 2048), 0);
	assert_memory_equal(healthy, again, 2048 * sizeof(*again));
	assert_true(imbalance(20, healthy, 2048) < 1.01);
}

/* The contract, step by step: pool in canonical order. */
struct naive {
	size_t n;
	uint32_t credit[64], position[64], room[64];
	bool in_ring[64];
};

/* Gives those in the ring room for their share, less what they have. */
static void naive_ring(struct naive *v, size_t n, bool all, uint32_t n_slots)
{
	uint32_t weights = 0;

	v->n = n;
	for (size_t i = 0; i < n; i++) {
		v->in_ring[i] = all || pool[i].up;
		weights += v->in_ring[i] ? pool[i].weight : 0;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t share = (n_slots * pool[i].weight + weights - 1) / weights;

		v->room[i] = share > owned[i] ? share - owned[i] : 0;
	}
}

/* Takes @left slots that are 0, by turns from @i on. */
static void naive_turns(struct naive *v, size_t i, uint16_t slots[], uint32_t n_slots,
			uint32_t left)
{
	uint32_t largest = 0;

	for (size_t k = 0; k < v->n; k++) {
		v->credit[k] = 0;
		v->position[k] = pool[k].id;
		if (v->in_ring[k] && pool[k].weight > largest)
			largest = pool[k].weight;
	}
	for (; left > 0; i++) {
		size_t k = i % v->n;

		if (!v->in_ring[k] || v->room[k] == 0)
			continue;
		v->credit[k] += pool[k].weight;
		if (v->credit[k] < largest)
			continue;
		v->credit[k] -= largest;
		while (slots[v->position[k] % n_slots])
			v->position[k] += pool[k].id >> 32 | 1;
		slots[v->position[k] % n_slots] = k + 1;
		v->room[k]--;
		left--;
	}
}

static void fill_naively(size_t n, uint16_t slots[], uint32_t n_slots)
{
	struct naive v;

	memset(slots, 0, n_slots * sizeof(*slots));
	memset(owned, 0, sizeof(owned));
	naive_ring(&v, n, true, n_slots);
	naive_turns(&v, 0, slots, n_slots, n_slots);
	for (uint32_t s = 0; s < n_slots; s++)
		owned[slots[s] - 1]++;
	memcpy(one_down, slots, n_slots * sizeof(*slots)); /* the first level */
	naive_ring(&v, n, false, n_slots);
	for (size_t down = 0; down < n; down++) {
		if (pool[down].up)
			continue;
		for (uint32_t s = 0; s < n_slots; s++)
			slots[s] = one_down[s] == down + 1 ? 0 : slots[s];
		naive_turns(&v, down, slots, n_slots, owned[down]);
	}
	for (uint32_t s = 0; s < n_slots; s++)
		slots[s] = pool[slots[s] - 1].number;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct slot_backend *)a)->id, y = ((const struct slot_backend *)b)->id;

	return (x > y) - (x < y);
}

static void assert_as_naive(size_t n, const uint16_t weights[static 4], int every)
{
	make_pool(n);
	qsort(pool, n, sizeof(*pool), by_id);
	for (size_t i = 0; i < n; i++) {
		pool[i].weight = weights[i == n / 2 ? 3 : i % 3];
		pool[i].up = i == 0 || i % every != 1;
	}
	for (uint32_t n_slots = 32; n_slots <= 4096; n_slots *= 4) {
		fill_naively(n, healthy, n_slots);
		fill(n, again, n_slots);
		assert_memory_equal(healthy, again, n_slots * sizeof(*again));
	}
}

static void the_table_is_what_the_contract_says(void **state)
{
	static const uint16_t weights[][4] = {
		{1, 1, 1, 1}, {1, 2, 3, 4}, {1, 1, 1, 1000}, {1, 5, 30, 1000}, {1, 30, 1000, 7}};

	(void)state;
	for (size_t k = 0; k < sizeof(weights) / sizeof(*weights); k++)
		for (size_t n = 1; n <= 64; n += 7)
			for (int every = 2; every <= 128; every *= 4)
				assert_as_naive(n, weights[k], every);
}

static void one_backend_takes_every_slot(void **state)
{
	(void)state;
	make_pool(2);
	for (uint32_t n_slots = 32; n_slots <= SLOTS; n_slots *= 2) {
		pool[1].up = true;
		fill(1, healthy, n_slots);
		pool[1].up = false;
		fill(2, one_down, n_slots);
		for (uint32_t s = 0; s < n_slots; s++)
			assert_true(healthy[s] == 1 && one_down[s] == 1);
	}
}

static void all_but_one_down_leaves_the_one(void **state)
{
	(void)state;
	make_pool(1000);
	for (size_t i = 0; i < 1000; i++)
		pool[i].up = i == 123;
	fill(1000, healthy, SLOTS);
	for (uint32_t s = 0; s < SLOTS; s++)
		assert_int_equal(healthy[s], 124);
}

static void assert_empty(size_t n)
{
	memset(healthy, 0xff, sizeof(healthy));
	assert_int_equal(maglev_fill(pool, n, healthy, 256), -ENOENT);
	for (uint32_t s = 0; s < 256; s++)
		assert_int_equal(healthy[s], 0);
	assert_int_equal(healthy[256], 0xffff);
}

static void without_a_usable_backend_the_slots_are_zero(void **state)
{
	(void)state;
	make_pool(3);
	assert_empty(0);
	pool[0].weight = 0;
	pool[1].up = pool[2].up = false;
	assert_empty(3);
}

static void more_backends_than_slots_is_no_harm(void **state)
{
	(void)state;
	make_pool(500);
	fill(500, healthy, 256);
	count(500, healthy, 256);
	for (size_t i = 1; i <= 500; i++)
		assert_true(owned[i] <= 1);
	pool[9].up = false;
	fill(500, healthy, 256);
	count(500, healthy, 256);
	assert_int_equal(owned[10], 0);
}

static void names_that_differ_by_a_character_have_unlike_ids(void **state)
{
	static const char *const names[] = {"web1",  "web2", "web3", "veb1",
					    "web11", "1web", "web",  ""};
	size_t n = sizeof(names) / sizeof(*names);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			uint64_t x = slot_backend_id(names[i]) ^ slot_backend_id(names[j]);

			assert_in_range(__builtin_popcountll(x), 16, 48);
		}
	make_pool(2);
	pool[0].id = slot_backend_id("web1");
	pool[1].id = slot_backend_id("web2");
	fill(2, healthy, SLOTS);
	count(2, healthy, SLOTS);
	assert_int_equal(owned[1], SLOTS / 2);
}

static void ids_do_not_change_between_versions(void **state)
{
	(void)state;
	/* Another value here would move connections when a fleet is upgraded host by host. */
	assert_true(slot_backend_id("web1") == 0x9195de63269ef863ull);
}

static void slots_follow_the_number_of_backends(void **state)
{
	(void)state;
	assert_int_equal(slots_for(0), 1024);
	assert_int_equal(slots_for(10), 1024);
	assert_int_equal(slots_for(11), 2048);
	assert_int_equal(slots_for(100), 16384);
	assert_int_equal(slots_for(655), 65536);
	assert_int_equal(slots_for(32767), 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_backends_are_within_two_per_mille),
		cmocka_unit_test(a_thousand_backends_are_within_25_per_mille),
		cmocka_unit_test(the_rest_stays_as_even_when_many_are_down),
		cmocka_unit_test(weights_are_followed),
		cmocka_unit_test(weight_zero_takes_no_slot),
		cmocka_unit_test(a_failure_moves_exactly_the_failed_ones_slots),
		cmocka_unit_test(a_recovery_gives_exactly_those_back),
		cmocka_unit_test(a_second_failure_moves_few_other_slots),
		cmocka_unit_test(the_order_in_the_file_does_not_matter),
		cmocka_unit_test(equal_ids_go_by_number),
		cmocka_unit_test(the_table_is_what_the_contract_says),
		cmocka_unit_test(one_backend_takes_every_slot),
		cmocka_unit_test(all_but_one_down_leaves_the_one),
		cmocka_unit_test(without_a_usable_backend_the_slots_are_zero),
		cmocka_unit_test(more_backends_than_slots_is_no_harm),
		cmocka_unit_test(names_that_differ_by_a_character_have_unlike_ids),
		cmocka_unit_test(ids_do_not_change_between_versions),
		cmocka_unit_test(slots_follow_the_number_of_backends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
