/* SPDX-License-Identifier: BSD-2-Clause */
/* Reloads that go wrong half-way, come all at once, or meet interfaces and files that come and go. */
#include "engine_checks.h"

#include <errno.h>
#include <sys/prctl.h>

static void want_service(struct bench *b, int number, int first, int n)
{
	int i;

	b->services[number] = (struct wanted_service){.there = true};
	for (i = first; i < first + n; i++)
		want_backend(&b->services[number], i, true, 1);
}

/* Further lines at the end of the configuration. */
static void append(const struct bench *b, const char *text)
{
	FILE *f = fopen(b->config, "a");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Two services that the parser takes and the tables cannot: their keys have the same hash. */
static void append_twins(const struct bench *b)
{
	append(b, "  - {name: s7, vip: \"2001:db8::1\", port: 80, check: none, "
		  "backends: [10.9.0.20]}\n"
		  "  - {name: s8, vip: \"202e:7e4e:18b9:f526:1::1\", port: 80, check: none, "
		  "backends: [10.9.0.21]}\n");
}

static void edit_weight(struct bench *b, int number, int host, uint16_t weight)
{
	struct edit x = {.has_weight = true, .weight = weight, .configured = 1};

	snprintf(x.service, sizeof(x.service), "s%d", number);
	snprintf(x.backend, sizeof(x.backend), "b%d", host);
	assert_int_equal(edits_put(b->engine->edits, &x), 0);
	b->services[number].backends[host].has_weight = true;
	b->services[number].backends[host].edited_weight = weight;
}

static void what_cannot_be_applied_changes_nothing(void **state)
{
	struct bench *b = *state;
	struct engine_error text = {0};
	struct wanted_service kept;

	want_service(b, 0, 0, 5);
	want_service(b, 1, 5, 5);
	b->services[1].checked = true;
	write_config(b);
	start(b);
	edit_weight(b, 1, 6, 3);
	reload_well(b);
	settle(b);
	check_all(b);

	kept = b->services[1];
	b->services[1].there = false; /* with its backends and their edit */
	write_config(b);
	append_twins(b);
	b->services[1] = kept;
	assert_int_not_equal(reload_now(b->engine, &text), 0);
	assert_non_null(strstr(text.text, "hash"));
	assert_non_null(strstr(b->engine->config_error, "hash"));
	check_all(b);
	b->answers[7] = 0; /* what goes on concerns the configuration in force */
	settle(b);
	check_all(b);
	assert_int_equal(b->engine->services[1]->backends[1]->weight, 3); /* the edit holds */
	assert_int_equal(edits_count(b->engine->edits), 1);
	write_config(b);
	reload_well(b);
	settle(b);
	check_all(b);
}

/* As a reload does: the configuration that speaks of the weight again wins, and what is gone takes
 * its edits along. */
static void a_restart_drops_the_edits_that_the_configuration_overrules(void **state)
{
	struct bench *b = *state;

	want_service(b, 0, 0, 3);
	write_config(b);
	start(b);
	edit_weight(b, 0, 0, 7);
	edit_weight(b, 0, 1, 7);
	edit_weight(b, 0, 2, 7);
	assert_int_equal(edits_save(b->engine), 0);
	stop(b);
	want_backend(&b->services[0], 0, true, 2);
	want_backend(&b->services[0], 1, false, 0);
	write_config(b);
	start(b);
	assert_int_equal(b->engine->services[0]->backends[0]->weight, 2);
	assert_int_equal(b->engine->services[0]->backends[1]->weight, 7);
	assert_int_equal(edits_count(b->engine->edits), 1);
	check_all(b);
}

/* ---- when ---------------------------------------------------------------------------------------*/

static void turn(struct bench *b, int ms)
{
	mono_t end = mono_add_us(mono_now(), ms * 1000);

	while (mono_diff_us(mono_now(), end) > 0) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(500);
	}
}

static void a_storm_of_signals_is_few_reloads(void **state)
{
	struct bench *b = *state;
	uint64_t before;
	int i;

	want_service(b, 0, 0, 3);
	write_config(b);
	start(b);
	before = b->engine->generation;
	for (i = 0; i < 200; i++)
		engine_reload(b->engine);
	turn(b, 20);
	assert_in_range(b->engine->generation - before, 1, 2);
	check_all(b);
}

/* A service with its backends in a file, by whatever name. */
static void write_config_with_file(struct bench *b, const char *path)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "  - {name: s0, vip: 203.0.113.1, port: 1000, check: none, backends_file: %s}\n",
		 path);
	b->services[0] = (struct wanted_service){.there = false};
	write_config(b);
	append(b, line);
	b->services[0].there = true;
}

/* A file that is being written anew may be read while it is empty. */
static bool has_weight(const struct bench *b, uint16_t weight)
{
	const struct service *s = b->engine->services[0];

	return s->n_backends > 0 && s->backends[0]->weight == weight;
}

static void wait_for_weight(struct bench *b, uint16_t weight)
{
	mono_t end = mono_add_us(mono_now(), 20000000);

	while (mono_diff_us(mono_now(), end) > 0) {
		turn(b, 5);
		if (has_weight(b, weight))
			return;
	}
	fail_msg("weight %u is not in force", weight);
}

static void a_folder_of_files_can_be_swapped(void **state)
{
	struct bench *b = *state;

	shell("cd %s && mkdir 1 2 && echo 10.9.0.10 weight=1 >1/f && echo 10.9.0.10 weight=2 >2/f "
	      "&&"
	      " ln -s 1 now",
	      b->dir);
	write_config_with_file(b, "now/f");
	start(b);
	wait_for_weight(b, 1);
	shell("ln -sfn 2 %s/now", b->dir);
	wait_for_weight(b, 2);
	shell("echo 10.9.0.10 weight=3 >%s/2/f", b->dir);
	wait_for_weight(b, 3);
	shell("rm -r %s/2", b->dir);
	turn(b, 200);
	wait_for_weight(b, 3); /* refused: what was in force stays */
	shell("mkdir %s/2", b->dir);
	turn(b, 200);
	shell("echo 10.9.0.10 weight=4 >%s/2/f", b->dir);
	wait_for_weight(b, 4);
}

/* Also what is written between the reading and the first turn of the loop. */
static void no_change_of_a_file_is_missed_at_the_start(void **state)
{
	struct bench *b = *state;
	int i, status;
	pid_t pid;

	write_config_with_file(b, "f");
	for (i = 1; i <= 10; i++) {
		shell("echo 10.9.0.10 weight=%d >%s/f", i, b->dir);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			usleep((useconds_t)i * 2500);
			execl("/bin/sh", "sh", "-c", "echo 10.9.0.10 weight=100 >\"$0\"/f", b->dir,
			      NULL);
			_exit(1);
		}
		open_engine(b);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		wait_for_weight(b, 100);
		stop(b);
	}
}

static void a_file_that_never_rests_is_read_all_the_same(void **state)
{
	struct bench *b = *state;
	pid_t pid;

	shell("echo 10.9.0.10 weight=1 >%s/f", b->dir);
	write_config_with_file(b, "f");
	start(b);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char path[128];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(path, sizeof(path), "%s/f", b->dir);
		for (;;) {
			FILE *f = fopen(path, "w");

			fprintf(f, "10.9.0.10 weight=2\n");
			fclose(f);
			usleep(10000);
		}
	}
	b->other = pid;
	wait_for_weight(b, 2);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	b->other = 0;
}

/* By what another file, or a signal, sets off. */
static void half_a_file_is_not_read(void **state)
{
	struct bench *b = *state;
	char path[128];
	FILE *f;
	int i;

	shell("echo 10.9.0.10 weight=1 >%s/f; echo 10.9.0.11 >>%s/f", b->dir, b->dir);
	write_config_with_file(b, "f");
	start(b);
	snprintf(path, sizeof(path), "%s/f", b->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	for (i = 0; i < 40; i++) {
		fprintf(f, "# as if it took long to make\n");
		fflush(f);
		turn(b, 10);
		engine_reload(b->engine);
		assert_int_equal(b->engine->services[0]->n_backends, 2);
	}
	fprintf(f, "10.9.0.10 weight=7\n");
	assert_int_equal(fclose(f), 0);
	wait_for_weight(b, 7);
}

/* ---- interfaces and floods ----------------------------------------------------------------------*/

/* Backends have to be taken out and put in also while an interface is gone. */
static void a_reload_goes_on_without_an_interface_that_is_gone(void **state)
{
	struct bench *b = *state;
	int i;

	want_service(b, 0, 0, 3);
	write_config(b);
	start(b);
	shell("ip link del te0");
	turn(b, 50);
	assert_int_equal(b->engine->interfaces[0].ifindex, 0);
	want_backend(&b->services[0], 5, true, 1);
	write_config(b);
	reload_well(b);
	assert_int_equal(b->engine->services[0]->n_backends, 4);
	shell("ip link add te0 type veth peer name te1; ip address add 10.9.0.1/24 dev te0;"
	      "ip link set te0 up; ip link set te1 up");
	for (i = 0; i < 6; i++)
		shell("ip neigh add 10.9.0.%d lladdr 02:00:00:00:09:%02x nud permanent dev te0",
		      10 + i, 10 + i);
	settle(b);
	assert_int_equal(b->engine->interfaces[0].mode, DP_GENERIC);
	check_all(b);
}

static void a_flood_of_changes_is_not_a_flood_of_lines(void **state)
{
	struct bench *b = *state;
	size_t i;

	want_service(b, 0, 0, HOSTS);
	write_config(b);
	start(b);
	b->engine->lines_said = 0;
	b->engine->lines_since = mono_now();
	for (i = 0; i < 10 * ENGINE_LINES_A_SECOND; i++)
		engine_tell(b->engine, SHUNT_EVENT_NEXTHOP, NULL, NULL, "flood");
	assert_in_range(b->engine->lines_left_out, 8 * ENGINE_LINES_A_SECOND,
			9 * ENGINE_LINES_A_SECOND);
	engine_lines_end(b->engine);
	assert_int_equal(b->engine->lines_left_out, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_cannot_be_applied_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_restart_drops_the_edits_that_the_configuration_overrules, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_storm_of_signals_is_few_reloads, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_folder_of_files_can_be_swapped, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(no_change_of_a_file_is_missed_at_the_start, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_never_rests_is_read_all_the_same,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_a_file_is_not_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reload_goes_on_without_an_interface_that_is_gone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_of_changes_is_not_a_flood_of_lines, set_up,
						tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
