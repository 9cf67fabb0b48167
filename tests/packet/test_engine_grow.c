/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon is killed at each write of a reload that needs larger tables, the calls that pin, rename and
 * exchange included: the interfaces go on with a program that forwards every flow to its backend, and the
 * next daemon brings about what is configured, of which no flow takes notice. */
#include "engine_checks.h"
#include "engine_flows.h"
#include "kills.h"

#if KILLS_CAN

#include "base/own.h"

/* Each has flows of another kind: by hash in slots that change hands, of a policy's, remembered, and of the
 * service that ends up in the middle of the larger tables. */
static void want_before(struct bench *b)
{
	memset(b->services, 0, sizeof(b->services));
	want_service(b, 0, 0, 4);
	want_service(b, 1, 0, 4);
	b->services[1].policy = POLICY_KEEPS_OUT;
	want_service(b, 2, 0, 4);
	b->services[2].scheduler = SHUNT_WRR;
	want_service(b, 5, 0, 10);
	b->flows = "4k";
	b->window = "1h";
	write_config(b);
}

/* More addresses, stretches of ports, rows, slots, sources and flows than there is room for. */
static void want_after(struct bench *b)
{
	want_backend(&b->services[0], 5, true, 2);
	b->services[0].slots = 128;
	b->services[1].policy_seed = 99;
	want_backend(&b->services[2], 7, true, 3);
	want_service(b, 3, 0, 40);
	b->services[3].slots = 1024;
	want_service(b, 4, 3, 30);
	b->services[4].ports = PORTS_PREFIX;
	want_service(b, 7, 0, 50);
	b->services[7].slots = 64;
	b->services[7].ports = PORTS_WIDE;
	b->services[5].scheduler = SHUNT_SH;
	b->flows = "16k";
	write_config(b);
}

/* A daemon that has another one's program beside its own, and a change under way. */
static void begin(struct bench *b, struct seen *flows)
{
	want_before(b);
	start(b);
	open_flows(b, flows);
	stop(b);
	start(b);
	assert_true(dp_has_former(b->engine->dp));
	want_backend(&b->services[0], 4, true, 1);
	want_backend(&b->services[0], 3, true, 2);
	write_config(b);
	reload_well(b);
	settle(b);
	see(b, flows);
}

static void end(struct bench *b)
{
	stop(b);
	shell("rm -rf /sys/fs/bpf/shunt/%s %s/edits*", b->instance, b->dir);
}

static int reload_all(void *arg)
{
	struct engine_error text = {0};
	struct bench *b = arg;
	const int program = dp_program_fd(b->engine->dp);

	event_reinit(b->base);
	if (reload_now(b->engine, &text))
		return 9;
	slots_flush(b->engine);
	return dp_program_fd(b->engine->dp) == program; /* or nothing has grown */
}

/* What the interface runs, whoever loaded it. */
static int program_in_force(const struct bench *b)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	auto_close int link = -1;
	char path[128];
	int program;

	snprintf(path, sizeof(path), "/sys/fs/bpf/shunt/%s/v%d/link-te0", b->instance,
		 SHUNT_ABI_VERSION);
	link = bpf_obj_get(path);
	assert_true(link >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(link, &info, &len), 0);
	program = bpf_prog_get_fd_by_id(info.prog_id);
	assert_true(program >= 0);
	return program;
}

static void see_in_force(const struct bench *b, struct seen *s)
{
	auto_close int program = program_in_force(b);

	see_by(program, s);
}

/* While no daemon runs. */
static void begin_in_force(const struct bench *b, struct seen *s, long at)
{
	auto_close int program = program_in_force(b);

	begin_young(program, 3, s, at);
}

static bool has_new_pins(const struct bench *b)
{
	char line[128];

	snprintf(line, sizeof(line), "ls /sys/fs/bpf/shunt/%s/v* | grep -q ^new-", b->instance);
	return system(line) == 0;
}

static bool kill_at(struct bench *b, long at)
{
	struct seen flows = {0}, now = {0}, young = {0};
	bool killed;

	begin(b, &flows);
	want_after(b);
	killed = kills_run(reload_all, b, at, NULL); /* a tick may save writes */
	see_in_force(b, &now);
	check_kept(&flows, &now, "killed at", at);
	stop(b);
	begin_in_force(b, &young, at);
	see_in_force(b, &now); /* with no descriptor left that a daemon had */
	check_kept(&flows, &now, "without a daemon, after", at);
	start(b);
	check_all(b);
	assert_false(has_new_pins(b));
	see(b, &now);
	check_kept(&flows, &now, "started after", at);
	see_in_force(b, &now);
	check_kept(&flows, &now, "in force after", at);
	check_young(dp_program_fd(b->engine->dp), 3, &young, at);
	end(b);
	return killed;
}

static void a_kill_at_any_write_of_a_growing_reload_moves_nobody(void **state)
{
	struct kills_log *log = kills_log_make();
	struct seen flows = {0};
	struct bench *b = *state;
	long at, kills = 0, calls = 0;

	begin(b, &flows);
	want_after(b);
	assert_false(kills_run(reload_all, b, 0, log));
	end(b);
	for (at = 1; at <= log->writes; at++)
		calls += log->is_call[at];
	assert_true(calls > 40); /* pins and names of the tables that are made anew */
	for (at = 1; at <= log->writes; at++)
		if (kills_tries(log, at, 16, 8))
			kills += kill_at(b, at);
	assert_true(kills > 10);
	print_message("# killed at %ld of %ld writes, of which %ld are calls\n", kills, log->writes,
		      calls);
	want_before(b);
	start(b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_kill_at_any_write_of_a_growing_reload_moves_nobody, set_up, tear_down),
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
