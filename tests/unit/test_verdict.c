/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether every verdict has a name, words and a class. */
#include "pure/verdict.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void names_are_lower_case_and_whole(void **state)
{
	(void)state;
	assert_string_equal(verdict_name(SHUNT_FORWARD_DSR), "forward_dsr");
	assert_string_equal(verdict_name(SHUNT_PASS_NOT_VIP), "pass_not_vip");
	assert_string_equal(verdict_name(SHUNT_DROP_NO_HEADROOM), "drop_no_headroom");
#define X(name, class_, words)                                                                     \
	assert_int_equal(strlen(verdict_name(SHUNT_##name)), strlen(#name));                       \
	for (const char *c = verdict_name(SHUNT_##name); *c; c++)                                  \
		assert_false(isupper(*c));
	SHUNT_VERDICTS(X)
#undef X
}

static void names_differ_and_begin_with_their_class(void **state)
{
	(void)state;
	for (int v = 1; v < SHUNT_VERDICT_MAX; v++) {
		const char *class = verdict_class_name(verdict_class(v));

		assert_memory_equal(verdict_name(v), class, strlen(class));
		for (int w = 1; w < v; w++)
			assert_string_not_equal(verdict_name(v), verdict_name(w));
	}
}

static void words_are_those_of_the_table(void **state)
{
	(void)state;
	assert_string_equal(verdict_words(SHUNT_DROP_TRUNCATED), "frame ends inside a header");
	for (int v = 1; v < SHUNT_VERDICT_MAX; v++)
		assert_true(strlen(verdict_words(v)) > 5);
}

static void what_is_no_verdict_is_unknown(void **state)
{
	(void)state;
	assert_string_equal(verdict_name(SHUNT_GO_ON), "unknown");
	assert_string_equal(verdict_name(SHUNT_VERDICT_MAX), "unknown");
	assert_non_null(verdict_words(SHUNT_VERDICT_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_lower_case_and_whole),
		cmocka_unit_test(names_differ_and_begin_with_their_class),
		cmocka_unit_test(words_are_those_of_the_table),
		cmocka_unit_test(what_is_no_verdict_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
