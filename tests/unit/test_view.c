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

static void a_services_address_has_its_prefix_and_ports(void **state)
{
	struct view_service s = {.vip = {4, {198, 51, 100}}, .vip_bits = 24, .protocol = 6};
	char text[VIEW_ADDRESS_MAX];

	(void)state;
	assert_string_equal(view_service_address(&s, text), "198.51.100.0/24:any/tcp");
	strcpy(s.ports, "80,8000-8099");
	assert_string_equal(view_service_address(&s, text), "198.51.100.0/24:80,8000-8099/tcp");
	s = (struct view_service){
		.vip = {6, {0x20, 1}}, .vip_bits = 16, .port = 53, .protocol = 17};
	assert_string_equal(view_service_address(&s, text), "[2001::]/16:53/udp");
	s.vip_bits = 128;
	assert_string_equal(view_service_address(&s, text), "[2001::]:53/udp");
	s.vip_bits = 0; /* of a daemon that does not say */
	assert_string_equal(view_service_address(&s, text), "[2001::]:53/udp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_as_documented),
		cmocka_unit_test(every_next_hop_state_has_a_name_of_its_own),
		cmocka_unit_test(a_services_address_has_its_prefix_and_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
