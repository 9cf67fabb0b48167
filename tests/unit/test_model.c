/* SPDX-License-Identifier: BSD-2-Clause */
/* The exhaustive model of slots in transition (tests/model/model.h), with pools that are searched in
 * seconds; `make prove` has larger ones. */
#include "../model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void say(const struct model_world *w, const struct model_result *r)
{
	printf("# %s: %llu states, %llu steps%s%s\n", w->says, (unsigned long long)r->states,
	       (unsigned long long)r->steps, r->broken ? ": " : "", r->broken ? r->broken : "");
}

static void no_order_of_events_breaks_a_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < model_shorts; i++) {
		struct model_result r;

		assert_int_equal(model_search(&model_short[i], &r), 0);
		say(&model_short[i], &r);
		if (r.broken)
			model_print_trace(stdout, &model_short[i], &r);
		free(r.trace);
		assert_null(r.broken);
		assert_true(r.complete);
	}
}

static void without_any_one_of_the_rules_one_breaks(void **state)
{
	bool tried[WITHOUT_MAX] = {true};

	(void)state;
	for (size_t i = 0; i < model_mutant_count; i++) {
		struct model_result r;

		assert_int_equal(model_search(&model_mutants[i], &r), 0);
		say(&model_mutants[i], &r);
		free(r.trace);
		assert_non_null(r.broken);
		tried[model_mutants[i].without] = true;
	}
	for (size_t i = 0; i < WITHOUT_MAX; i++)
		assert_true(tried[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_order_of_events_breaks_a_connection),
		cmocka_unit_test(without_any_one_of_the_rules_one_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
