/* SPDX-License-Identifier: BSD-2-Clause */
/* The words an operator is shown for the view's enums. */
#include "pure/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void names_are_as_documented(void **state)
{
	(void)state;
	assert_string_equal(view_xdp_name(VIEW_XDP_NONE), "none");
	assert_string_equal(view_xdp_name(VIEW_XDP_NATIVE), "native");
	assert_string_equal(view_xdp_name(VIEW_XDP_GENERIC), "generic");
	assert_string_equal(view_admin_name(VIEW_ADMIN_ENABLED), "enabled");
	assert_string_equal(view_admin_name(VIEW_ADMIN_DRAINED), "drained");
	assert_string_equal(view_nexthop_name(VIEW_NH_RESOLVED), "resolved");
	assert_string_equal(view_nexthop_name(VIEW_NH_NO_ROUTE), "no route");
}

static void every_next_hop_state_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (enum view_nexthop n = VIEW_NH_RESOLVED; n <= VIEW_NH_NOT_NEEDED; n++) {
		assert_string_not_equal(view_nexthop_name(n), "unknown");
		for (enum view_nexthop m = VIEW_NH_RESOLVED; m < n; m++)
			assert_string_not_equal(view_nexthop_name(n), view_nexthop_name(m));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_as_documented),
		cmocka_unit_test(every_next_hop_state_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
