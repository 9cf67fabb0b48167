/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/ranges.h"

static void takes_the_first_that_fits(void **state)
{
	struct ranges r;
	uint32_t at;

	(void)state;
	assert_int_equal(ranges_init(&r, 100), 0);
	assert_int_equal(ranges_take(&r, 10, &at), 0);
	assert_int_equal(at, 0);
	assert_int_equal(ranges_take(&r, 90, &at), 0);
	assert_int_equal(at, 10);
	assert_int_equal(ranges_take(&r, 1, &at), -ENOSPC);
	assert_int_equal(ranges_give(&r, 20, 5), 0);
	assert_int_equal(ranges_take(&r, 6, &at), -ENOSPC);
	assert_int_equal(ranges_take(&r, 5, &at), 0);
	assert_int_equal(at, 20);
	ranges_fini(&r);
}

static void joins_what_is_given_back(void **state)
{
	struct ranges r;
	uint32_t at;

	(void)state;
	assert_int_equal(ranges_init(&r, 30), 0);
	assert_int_equal(ranges_take(&r, 30, &at), 0);
	assert_int_equal(ranges_give(&r, 0, 10), 0);
	assert_int_equal(ranges_give(&r, 20, 10), 0);
	assert_int_equal(r.count, 2);
	assert_int_equal(ranges_longest(&r), 10);
	assert_int_equal(ranges_give(&r, 10, 10), 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(ranges_longest(&r), 30);
	ranges_fini(&r);
}

static void claims_only_what_is_free(void **state)
{
	struct ranges r;
	uint32_t at;

	(void)state;
	assert_int_equal(ranges_init(&r, 64), 0);
	assert_int_equal(ranges_claim(&r, 8, 8), 0);
	assert_int_equal(ranges_claim(&r, 15, 2), -EBUSY);
	assert_int_equal(ranges_claim(&r, 60, 5), -EBUSY);
	assert_int_equal(ranges_claim(&r, UINT32_MAX, 2), -EBUSY);
	assert_int_equal(ranges_claim(&r, 0, 0), -EBUSY);
	assert_int_equal(ranges_take(&r, 9, &at), 0);
	assert_int_equal(at, 16);
	ranges_fini(&r);
}

static void grows_at_the_end(void **state)
{
	struct ranges r;
	uint32_t at;

	(void)state;
	assert_int_equal(ranges_init(&r, 10), 0);
	assert_int_equal(ranges_claim(&r, 0, 5), 0);
	assert_int_equal(ranges_grow(&r, 20), 0);
	assert_int_equal(ranges_take(&r, 15, &at), 0);
	assert_int_equal(at, 5);
	ranges_fini(&r);
}

/* Against a plain map of who holds each number. */
static void agrees_with_a_bitmap_over_random_use(void **state)
{
	enum { SIZE = 200, HELD = 40 };
	struct ranges r;
	struct range held[HELD] = {0};
	unsigned char used[SIZE] = {0};
	int step, i;

	(void)state;
	srand(1);
	assert_int_equal(ranges_init(&r, SIZE), 0);
	for (step = 0; step < 20000; step++) {
		struct range *h = &held[rand() % HELD];
		uint32_t n = 1 + rand() % 9, total = 0;
		size_t k;

		if (h->n) {
			assert_int_equal(ranges_give(&r, h->at, h->n), 0);
			memset(used + h->at, 0, h->n);
			h->n = 0;
		} else if (ranges_take(&r, n, &h->at) == 0) {
			for (i = 0; i < (int)n; i++)
				assert_int_equal(used[h->at + i]++, 0);
			h->n = n;
		}
		for (k = 0; k < r.count; k++)
			total += r.free[k].n;
		for (i = 0; i < SIZE; i++)
			total += used[i];
		assert_int_equal(total, SIZE);
	}
	ranges_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_first_that_fits),
		cmocka_unit_test(joins_what_is_given_back),
		cmocka_unit_test(claims_only_what_is_free),
		cmocka_unit_test(grows_at_the_end),
		cmocka_unit_test(agrees_with_a_bitmap_over_random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
