/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet path's programs: how much the verifier has to follow in each, and what becomes of a
 * packet whose stage is not there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fixture.h"
#include "fixture_nat.h"
#include "io/dp_stage.h"
#include "shunt.skel.h"

#define MAIN_AT_MOST 12000 /* verified instructions */
#define STAGE_AT_MOST 200000 /* a fifth of what the kernel takes */

/* Verifiers before Linux 6.12 tell fewer states apart as equal: 6.1 follows 2 to 2.5 times as many. */
static uint32_t at_most(bool is_main)
{
	struct utsname on;
	int major = 0, minor = 0;

	assert_int_equal(uname(&on), 0);
	assert_int_equal(sscanf(on.release, "%d.%d", &major, &minor), 2);
	return (is_main ? MAIN_AT_MOST : STAGE_AT_MOST) *
	       (major < 6 || (major == 6 && minor < 12) ? 3 : 1);
}

static void programs_stay_within_what_the_verifier_is_to_follow(void **state)
{
	struct fixture *f = *state;
	struct bpf_program *p;

	bpf_object__for_each_program(p, f->shunt->obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len), 0);
		printf("# %s: %u instructions, %u verified\n", bpf_program__name(p),
		       info.xlated_prog_len / 8, info.verified_insns);
		assert_int_not_equal(info.verified_insns, 0);
		assert_true(info.verified_insns <= at_most(p == f->shunt->progs.shunt_xdp));
	}
}

static void take_out(struct fixture *f, uint32_t stage)
{
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(f->shunt->maps.stages), &stage), 0);
}

static void without_its_stage_a_packet_keeps_its_verdict(void **state)
{
	struct fixture *f = *state;
	struct recipe request, elsewhere;

	nat_setup(state);
	nat_service(f, IPPROTO_UDP, SHUNT_NAT);
	request = nat_request(IPPROTO_UDP, 4000);
	elsewhere = request;
	elsewhere.dport = 1;
	take_out(f, SHUNT_STAGE_NAT);
	nat_assert_verdict(f, &request, SHUNT_DROP_BAD_TABLE);
	nat_assert_verdict(f, &elsewhere, SHUNT_PASS_NOT_VIP);
	assert_int_equal(dp_stages_fill(f->shunt->obj), 0);
	nat_assert_verdict(f, &elsewhere, SHUNT_PASS_NOT_VIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(programs_stay_within_what_the_verifier_is_to_follow,
				       fixture_reset),
		cmocka_unit_test_setup(without_its_stage_a_packet_keeps_its_verdict, fixture_reset),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
