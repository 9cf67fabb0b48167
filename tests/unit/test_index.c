/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/index.h"

static void finds_every_node_of_a_key(void **state)
{
	struct index x = {0};
	struct index_node nodes[300];
	struct index_node *node;
	int i, found = 0;

	(void)state;
	assert_null(index_first(&x, 1));
	for (i = 0; i < 300; i++)
		assert_int_equal(index_add(&x, &nodes[i], i % 3 ? 1000 + i : 7), 0);
	for (node = index_first(&x, 7); node; node = index_next(node))
		found++;
	assert_int_equal(found, 100);
	assert_ptr_equal(index_first(&x, 1100), &nodes[100]);
	index_fini(&x);
}

static void forgets_what_is_removed(void **state)
{
	struct index x = {0};
	struct index_node a, b;

	(void)state;
	assert_int_equal(index_add(&x, &a, 5), 0);
	assert_int_equal(index_add(&x, &b, 5), 0);
	index_remove(&x, &a);
	assert_ptr_equal(index_first(&x, 5), &b);
	assert_null(index_next(&b));
	index_remove(&x, &b);
	assert_null(index_first(&x, 5));
	assert_int_equal(x.count, 0);
	index_fini(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_node_of_a_key),
		cmocka_unit_test(forgets_what_is_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
