/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon is killed at each single store of a reload into the maps' memory, and at each system call that
 * changes a map, one after the other: whatever it leaves forwards every packet to its flow's backend, and
 * the next daemon brings it to what is configured. */
#include "engine_checks.h"
#include "engine_flows.h"
#include "kills.h"

#if KILLS_CAN

/* ---- configurations ---------------------------------------------------------------------------*/

/* As large as it ever becomes. */
static void want_all(struct bench *b)
{
	int i;

	for (i = 0; i < 6; i++)
		want_service(b, i, 0, 10);
	b->services[1].policy = POLICY_KEEPS_OUT;
	b->services[1].policy_seed = 99;
	b->services[4].ports = PORTS_PREFIX;
	write_config(b);
}

static void want_before(struct bench *b)
{
	memset(b->services, 0, sizeof(b->services));
	want_service(b, 0, 0, 4);
	want_service(b, 1, 0, 4);
	b->services[1].policy = POLICY_KEEPS_OUT;
	want_service(b, 2, 0, 4);
	b->services[2].scheduler = SHUNT_WRR;
	want_service(b, 3, 2, 3);
	want_service(b, 5, 0, 10);
	write_config(b);
}

/* Adds, drains, reweights, removes; a service goes and one comes; a policy and a scheduler change. */
static void want_after(struct bench *b)
{
	want_backend(&b->services[0], 4, true, 1);
	want_backend(&b->services[0], 5, true, 2);
	want_backend(&b->services[1], 3, false, 0);
	want_backend(&b->services[1], 0, true, 3);
	b->services[1].policy_seed = 99;
	want_backend(&b->services[2], 1, true, 0);
	want_backend(&b->services[2], 2, true, 3);
	b->services[3] = (struct wanted_service){0};
	want_service(b, 4, 3, 4);
	b->services[4].ports = PORTS_PREFIX;
	b->services[5].scheduler = SHUNT_SH; /* which begins with noting flows */
	write_config(b);
}

/* Each flow is where it was or where it is to be. */
static void check_flows(const struct bench *b, const struct seen *before, const struct seen *after,
			long at)
{
	struct seen now;
	int number, flow;

	see(b, &now);
	for (number = 0; number < SERVICES; number++)
		for (flow = 0; flow < FLOWS; flow++) {
			uint8_t there = now.backend[number][flow];

			if (there != before->backend[number][flow] &&
			    there != after->backend[number][flow])
				fail_msg("killed at write %ld: service %d, flow %d went to %d, "
					 "not %d or %d",
					 at, number, flow, there, before->backend[number][flow],
					 after->backend[number][flow]);
		}
	assert_int_equal(now.bad, before->bad);
}

/* ---- the tests --------------------------------------------------------------------------------*/

static int reload_all(void *arg)
{
	struct engine_error text = {0};
	struct bench *b = arg;
	const int program = dp_program_fd(b->engine->dp);

	event_reinit(b->base);
	if (reload_now(b->engine, &text))
		return 9;
	slots_flush(b->engine);
	return dp_program_fd(b->engine->dp) != program; /* or these were not the tables in force */
}

static bool reload_killed_at(struct bench *b, long at)
{
	return kills_run(reload_all, b, at, NULL);
}

static long all_writes(struct bench *b)
{
	struct kills_log *log = kills_log_make();

	assert_false(kills_run(reload_all, b, 0, log));
	return log->writes;
}

static void begin(struct bench *b)
{
	want_all(b);
	start(b);
	want_before(b);
	reload_well(b);
	settle(b);
}

static void flows_stay_wherever_a_reload_is_killed(void **state)
{
	struct seen before = {0}, after = {0}, young;
	struct bench *b = *state;
	long all, at, kills = 0;

	begin(b);
	see(b, &before);
	kills_save();
	want_after(b);
	all = all_writes(b);
	see(b, &after);
	assert_true(all > 40); /* a list, however long, is one: a string instruction's */
	assert_int_equal(moved(&before, &after, 0), 0); /* their backends live */
	assert_int_equal(moved(&before, &after, 5), 0);
	assert_in_range(moved(&before, &after, 1), 1, FLOWS - 1); /* its fourth is gone */
	assert_int_equal(moved(&before, &after, 3), FLOWS);
	assert_int_equal(moved(&before, &after, 4), FLOWS);
	for (at = 1; at <= all; at += kills_takes_all() || at < 64 ? 1 : 1 + all / 150) {
		kills_restore();
		kills += reload_killed_at(b, at); /* a tick may save writes */
		check_flows(b, &before, &after, at);
		begin_young(dp_program_fd(b->engine->dp), SERVICES, &young, at);
	}
	assert_true(kills > 40);
	print_message("# killed at %ld of %ld writes\n", kills, all);
}

/* Who is gone from service 1. */
#define GONE 13

static void begin_young_of_living(const struct bench *b, struct seen *young, long at)
{
	int flow;

	begin_young(dp_program_fd(b->engine->dp), 3, young, at);
	for (flow = 0; flow < YOUNG; flow++)
		if (young->backend[1][flow] == GONE)
			young->backend[1][flow] = 0;
}

static void the_next_daemon_brings_about_what_is_configured(void **state)
{
	struct bench *b = *state;
	long all, at, kills = 0, starts;
	struct seen young;

	begin(b);
	kills_save();
	want_after(b);
	all = all_writes(b);
	kills_restore();
	starts = kills_takes_all() ? 200 : 8;
	for (at = 1; at <= all; at += 1 + all / starts) {
		want_after(b);
		if (!reload_killed_at(b, at))
			break; /* tables that were other ones before need fewer */
		begin_young_of_living(b, &young, at);
		stop(b);
		start(b);
		check_all(b);
		check_young(dp_program_fd(b->engine->dp), 3, &young, at);
		want_before(b);
		reload_well(b);
		settle(b);
		kills++;
	}
	assert_true(kills > 5);
	print_message("# %ld starts\n", kills);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flows_stay_wherever_a_reload_is_killed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_next_daemon_brings_about_what_is_configured,
						set_up, tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77;
}

#endif
