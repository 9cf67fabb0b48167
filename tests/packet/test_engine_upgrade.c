/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon that has taken over from another one, and its packet path's errors. */
#include "engine_checks.h"

#include <bpf/bpf.h>

static void restarted(struct bench *b)
{
	int i;

	b->window = "30s";
	b->services[0] = (struct wanted_service){.there = true};
	for (i = 0; i < 4; i++)
		want_backend(&b->services[0], i, true, 1);
	write_config(b);
	start(b);
	assert_false(dp_has_former(b->engine->dp));
	stop(b);
	start(b);
	assert_true(dp_has_former(b->engine->dp));
}

/* As if the packet path had counted them. */
static void add_verdicts(const struct bench *b, enum shunt_verdict v, uint64_t n)
{
	struct shunt_verdict_line line;
	int fd = dp_map_fd(b->engine->dp, "verdicts");
	const uint32_t first = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &first, &line), 0);
	line.packets[v] += n;
	assert_int_equal(bpf_map_update_elem(fd, &first, &line, 0), 0);
}

static void run_for(struct bench *b, int ms)
{
	mono_t end = mono_add_us(mono_now(), ms * 1000);

	while (mono_diff_us(mono_now(), end) > 0) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(2000);
	}
}

static void errors_put_the_former_program_back(void **state)
{
	struct bench *b = *state;
	int ours;

	restarted(b);
	ours = dp_program_fd(b->engine->dp);
	add_verdicts(b, SHUNT_DROP_BAD_TABLE, 1000);
	run_for(b, 1200);
	assert_int_not_equal(dp_program_fd(b->engine->dp), ours);
	assert_non_null(strstr(b->engine->upgrade.why, "ended with an error"));
	want_backend(&b->services[0], 5, true, 1); /* the daemon works with it */
	write_config(b);
	reload_well(b);
	settle(b);
}

static void what_senders_do_does_not(void **state)
{
	struct bench *b = *state;

	restarted(b);
	add_verdicts(b, SHUNT_DROP_BAD_SOURCE, 100000);
	add_verdicts(b, SHUNT_DROP_TRUNCATED, 100000);
	run_for(b, 1200);
	assert_true(dp_has_former(b->engine->dp));
	assert_string_equal(b->engine->upgrade.why, "");
	check_all(b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(errors_put_the_former_program_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_senders_do_does_not, set_up, tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
