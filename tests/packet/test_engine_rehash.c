/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon is killed at each write of the steps by which services come to find their flows otherwise
 * (engine/rehash.h): as it begins to note flows, as it goes over to the other hash, and as it is told to go
 * back to the former one.  Flows that are noted stay where they are whatever is left, those that begin then
 * do, and the next daemon goes on to where the configuration wants to be. */
#include "engine_checks.h"
#include "engine_flows.h"
#include "kills.h"

#if KILLS_CAN

#include "engine/plan.h"

#define N 6 /* services that change, each in another way */

/* Not 4, whose addresses engine_flows.h has in a prefix: no store puts that back. */
static const int numbers[N] = {0, 1, 2, 3, 5, 6};

static const struct {
	enum shunt_scheduler from, to;
	const char *keys, *to_keys;
} changes[N] = {
	{SHUNT_MAGLEV, SHUNT_SH, NULL, NULL},
	{SHUNT_SH, SHUNT_MAGLEV, NULL, NULL},
	{SHUNT_MAGLEV, SHUNT_MAGLEV, NULL, "affinity: source,"},
	{SHUNT_SH, SHUNT_SH, "source_prefix: 32,", "source_prefix: 31,"},
	{SHUNT_WRR, SHUNT_MAGLEV, "affinity: source,", "affinity: source, source_prefix: 31,"},
	{SHUNT_RR, SHUNT_MAGLEV, "affinity: source,", NULL},
};

static void want(struct bench *b, bool changed)
{
	int i, k;

	memset(b->services, 0, sizeof(b->services));
	for (i = 0; i < N; i++) {
		struct wanted_service *s = &b->services[numbers[i]];

		want_service(b, numbers[i], 0, 7);
		s->scheduler = changed ? changes[i].to : changes[i].from;
		s->keys = changed ? changes[i].to_keys : changes[i].keys;
		for (k = 0; k < 3 && changed; k++) /* weights change, too */
			want_backend(s, k, true, 2);
	}
	write_config(b);
}

/* What is not kept in memory by the daemon is to be put back after each kill as well. */
static void map_flows(const struct bench *b)
{
	static const char *const names[] = {"flows", "flow_rows"};
	size_t i;

	for (i = 0; i < 2; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);
		int fd = dp_map_fd(b->engine->dp, names[i]);

		assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
		assert_ptr_not_equal(mmap(NULL, (size_t)info.max_entries * info.value_size,
					  PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
				     MAP_FAILED);
	}
}

static bool scheme_is_of(const struct service *s)
{
	const struct conf_service *c = s->conf;
	const bool by_source = c->affinity || c->scheduler == SHUNT_SH;

	return s->scheme.scheduler == c->scheduler && s->scheme.affinity == c->affinity &&
	       s->scheme.source_bits == (by_source ? c->source_prefix : 0);
}

/* All services have been there, and at it, for long. */
static void let_time_pass(const struct bench *b)
{
	size_t i;

	for (i = 0; i < b->engine->n_services; i++) {
		struct service *s = b->engine->services[i];

		s->born = (mono_t){1};
		if (!mono_is_never(s->keeps_since))
			s->keeps_since = (mono_t){1};
		owner_write(b->engine, s, NULL);
	}
}

static int reload_all(void *arg)
{
	struct engine_error text = {0};
	struct bench *b = arg;

	event_reinit(b->base);
	return reload_now(b->engine, &text);
}

/* As the timer does. */
static int go_on(void *arg)
{
	struct engine_error dropped = {0}, text = {0};
	struct bench *b = arg;

	event_reinit(b->base);
	return apply_conf(b->engine, b->engine->conf, &dropped, &text);
}

static void settled_before(struct bench *b, struct seen *flows)
{
	want(b, false);
	start(b);
	map_flows(b);
	let_time_pass(b);
	open_flows(b, flows);
}

/* Flows are being noted, and that for long enough. */
static void noting_before(struct bench *b, struct seen *flows)
{
	size_t i;

	settled_before(b, flows);
	want(b, true);
	reload_well(b);
	settle(b);
	for (i = 0; i < N; i++) {
		assert_true(b->engine->services[i]->flags & SHUNT_SVC_KEEP);
		assert_false(scheme_is_of(b->engine->services[i]));
	}
	see(b, flows);
	let_time_pass(b);
}

/* Kills @act at each of its writes, from what stands in the tables now. */
static void kill_everywhere(struct bench *b, int (*act)(void *), const struct seen *flows)
{
	struct kills_log *log = kills_log_make();
	int program = dp_program_fd(b->engine->dp);
	struct seen now = {0}, young = {0};
	long at, kills = 0;

	kills_save();
	assert_false(kills_run(act, b, 0, log));
	see_by(program, &now);
	check_kept(flows, &now, "after all", log->writes);
	for (at = 1; at <= log->writes; at++) {
		if (!kills_tries(log, at, 200, 200))
			continue;
		kills_restore();
		kills += kills_run(act, b, at, NULL); /* a tick may save writes */
		see_by(program, &now);
		check_kept(flows, &now, "killed at", at);
		begin_young(program, 7, &young, at);
		see_by(program, &now);
		check_kept(flows, &now, "with new flows beside, killed at", at);
	}
	kills_restore();
	assert_true(kills > 50);
	print_message("# killed at %ld of %ld writes\n", kills, log->writes);
}

/* The same with another daemon after it, that goes on.  Its start is a change of programs, too. */
static void kill_and_start(struct bench *b, void (*before)(struct bench *, struct seen *),
			   int (*act)(void *), bool changed)
{
	struct kills_log *log = kills_log_make();
	struct seen flows = {0}, now = {0}, young = {0};
	long at, kills = 0;
	size_t i;

	before(b, &flows);
	want(b, changed);
	assert_false(kills_run(act, b, 0, log));
	for (at = 1; at <= log->writes; at++) {
		if (!kills_tries(log, at, 2, 5))
			continue;
		stop(b);
		shell("rm -rf /sys/fs/bpf/shunt/%s", b->instance);
		before(b, &flows);
		want(b, changed);
		kills += kills_run(act, b, at, NULL); /* a tick may save writes */
		begin_young(dp_program_fd(b->engine->dp), 7, &young, at);
		stop(b);
		start(b);
		check_all(b);
		see(b, &now);
		check_kept(&flows, &now, "started after", at);
		check_young(dp_program_fd(b->engine->dp), 7, &young, at);
		let_time_pass(b);
		assert_int_equal(go_on(b), 0);
		settle(b);
		check_all(b);
		for (i = 0; i < N; i++)
			assert_true(scheme_is_of(b->engine->services[i]));
		see(b, &now);
		check_kept(&flows, &now, "done after", at);
		check_young(dp_program_fd(b->engine->dp), 7, &young, at);
	}
	assert_true(kills > 3);
	print_message("# %ld starts\n", kills);
}

static void flows_stay_wherever_noting_them_begins(void **state)
{
	struct seen flows = {0};
	struct bench *b = *state;

	settled_before(b, &flows);
	want(b, true);
	kill_everywhere(b, reload_all, &flows);
}

static void flows_stay_wherever_the_other_hash_is_cut_off(void **state)
{
	struct seen flows = {0};
	struct bench *b = *state;

	noting_before(b, &flows);
	kill_everywhere(b, go_on, &flows);
}

static void flows_stay_wherever_a_change_is_taken_back(void **state)
{
	struct seen flows = {0};
	struct bench *b = *state;

	noting_before(b, &flows);
	want(b, false);
	kill_everywhere(b, reload_all, &flows);
}

static void the_next_daemon_notes_flows(void **state)
{
	kill_and_start(*state, settled_before, reload_all, true);
}

static void the_next_daemon_goes_over_to_the_other_hash(void **state)
{
	kill_and_start(*state, noting_before, go_on, true);
}

static void the_next_daemon_takes_it_back(void **state)
{
	kill_and_start(*state, noting_before, reload_all, false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flows_stay_wherever_noting_them_begins, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(flows_stay_wherever_the_other_hash_is_cut_off,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(flows_stay_wherever_a_change_is_taken_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_next_daemon_notes_flows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_daemon_goes_over_to_the_other_hash, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_next_daemon_takes_it_back, set_up, tear_down),
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
