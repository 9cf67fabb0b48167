/* SPDX-License-Identifier: BSD-2-Clause */
/* What veth's other end computes, in network namespaces of this process alone. */
#include "io/dp_offload.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	run("ip link add va type veth peer name vb");
	run("ip link add vc type bridge");
	return 0;
}

static void the_other_end_counts(void **state)
{
	struct dp_offload_peer peer;

	(void)state;
	run("ethtool -K va tx off >/dev/null");
	assert_int_equal(dp_offload_ask("va", &peer), DP_OFFLOAD_YES);
	assert_string_equal(peer.ifname, "vb");
	assert_int_equal(peer.ifindex, if_nametoindex("vb"));
	assert_int_equal(dp_offload_ask("vb", &peer), DP_OFFLOAD_NO);
	run("ethtool -K vb tx off >/dev/null");
	assert_int_equal(dp_offload_ask("va", &peer), DP_OFFLOAD_NO);
}

static void another_namespace_is_out_of_sight(void **state)
{
	struct dp_offload_peer peer;

	(void)state;
	run("unshare -n sleep 3 & p=$!; sleep 0.2; ip link set vb netns $p");
	assert_int_equal(dp_offload_ask("va", &peer), DP_OFFLOAD_UNKNOWN);
}

static void others_are_left_alone(void **state)
{
	struct dp_offload_peer peer;

	(void)state;
	assert_int_equal(dp_offload_ask("vc", &peer), DP_OFFLOAD_NO);
	assert_int_equal(dp_offload_ask("lo", &peer), DP_OFFLOAD_NO);
	assert_int_equal(dp_offload_ask("nothing", &peer), DP_OFFLOAD_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_other_end_counts, setup),
		cmocka_unit_test_setup(another_namespace_is_out_of_sight, setup),
		cmocka_unit_test_setup(others_are_left_alone, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
