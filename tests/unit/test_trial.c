/* SPDX-License-Identifier: BSD-2-Clause */
/* When a new packet path is given up. */
#include "pure/trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static bool failed(uint64_t packets_before, uint64_t errors_before, uint64_t packets,
		   uint64_t errors)
{
	const struct trial_count before = {packets_before, errors_before},
				 since = {packets, errors};

	return trial_failed(&before, &since);
}

static void errors_that_there_were_not_before_fail(void **state)
{
	(void)state;
	assert_true(failed(1000000, 0, 1000, 16));
	assert_true(failed(0, 0, 16, 16));
	assert_true(failed(1000000, 1000, 10000, 31));
}

static void a_few_do_not(void **state)
{
	(void)state;
	assert_false(failed(1000000, 0, 1000, 15));
	assert_false(failed(1000000, 0, 1000000, 900));
	assert_false(failed(0, 0, 0, 0));
}

static void as_many_as_before_do_not(void **state)
{
	(void)state;
	assert_false(failed(1000000, 100000, 1000, 100));
	assert_false(failed(1000000, 100000, 1000, 200));
	assert_true(failed(1000000, 100000, 1000, 202));
}

static void what_a_sender_can_bring_about_is_no_error(void **state)
{
	(void)state;
	assert_true(trial_is_error(SHUNT_DROP_BAD_TABLE));
	assert_true(trial_is_error(SHUNT_DROP_NO_EGRESS));
	assert_false(trial_is_error(SHUNT_DROP_TRUNCATED));
	assert_false(trial_is_error(SHUNT_DROP_BAD_SOURCE));
	assert_false(trial_is_error(SHUNT_FORWARD_DSR));
	assert_false(trial_is_error(SHUNT_PASS_NOT_VIP));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_that_there_were_not_before_fail),
		cmocka_unit_test(a_few_do_not),
		cmocka_unit_test(as_many_as_before_do_not),
		cmocka_unit_test(what_a_sender_can_bring_about_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
