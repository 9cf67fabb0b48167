/* SPDX-License-Identifier: BSD-2-Clause */
/* What agents ask for, and how fast that comes into force. */
#include "pure/agent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "io/probe_agent.h"

/* What is wanted after @lines, of which the last is NULL, beginning with nothing. */
static struct agent_wish after(const char *const lines[])
{
	struct agent_wish w = AGENT_NO_WISH;

	for (; *lines; lines++) {
		struct check_result r;

		probe_agent_judge(*lines, strlen(*lines), &r);
		agent_hear(&w, &r);
	}
	return w;
}
#define AFTER(...) after((const char *const[]){__VA_ARGS__, NULL})

static void assert_wish(struct agent_wish w, enum agent_admin admin, int percent)
{
	assert_int_equal(w.admin, admin);
	assert_int_equal(w.percent, percent);
}

static void a_line_asks_for_what_it_says(void **state)
{
	(void)state;
	assert_wish(AFTER("drain"), AGENT_DRAIN, 100);
	assert_wish(AFTER("DRAIN 20%"), AGENT_DRAIN, 20);
	assert_wish(AFTER("up 50% drain"), AGENT_DRAIN, 50);
	assert_wish(AFTER("maint drain"), AGENT_MAINT, 100);
	assert_wish(AFTER("down #drain"), AGENT_READY, 100);
	assert_wish(AFTER("maxconn:30 250%"), AGENT_READY, 250);
}

static void what_a_line_does_not_say_stays(void **state)
{
	(void)state;
	assert_wish(AFTER("drain", "50%"), AGENT_DRAIN, 50);
	assert_wish(AFTER("50%", "down #ill"), AGENT_READY, 50);
	assert_wish(AFTER("50%", "maint", "drain"), AGENT_DRAIN, 50);
}

static void up_and_ready_take_it_back(void **state)
{
	(void)state;
	assert_wish(AFTER("drain 50%", "up"), AGENT_READY, 100);
	assert_wish(AFTER("maint", "ready"), AGENT_READY, 100);
	assert_wish(AFTER("drain 50%", "ready 70%"), AGENT_READY, 70);
	assert_wish(AFTER("50%", "100%"), AGENT_READY, 100);
}

static void of_several_agents_the_stricter_counts(void **state)
{
	const struct agent_wish a = {AGENT_DRAIN, 80}, b = {AGENT_READY, 30};

	(void)state;
	assert_wish(agent_join(a, b), AGENT_DRAIN, 30);
	assert_wish(agent_join(b, a), AGENT_DRAIN, 30);
}

static void a_weight_goes_by_steps(void **state)
{
	static const int down[] = {75, 50, 25, 10}, up[] = {35, 60, 85, 100};
	struct agent_wish w = AGENT_NO_WISH;
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_true(agent_step(&w, (struct agent_wish){AGENT_READY, 10}));
		assert_int_equal(w.percent, down[i]);
	}
	assert_false(agent_step(&w, (struct agent_wish){AGENT_READY, 10}));
	for (i = 0; i < 4; i++) {
		assert_true(agent_step(&w, AGENT_NO_WISH));
		assert_int_equal(w.percent, up[i]);
	}
	for (i = 0; i < 100 && agent_step(&w, (struct agent_wish){AGENT_READY, 10000}); i++)
		;
	assert_int_equal(w.percent, 10000);
	assert_true(i < 30);
}

static void draining_and_none_at_all_come_at_once(void **state)
{
	struct agent_wish w = AGENT_NO_WISH;

	(void)state;
	assert_true(agent_step(&w, (struct agent_wish){AGENT_DRAIN, 0}));
	assert_wish(w, AGENT_DRAIN, 0);
	assert_true(agent_step(&w, AGENT_NO_WISH));
	assert_wish(w, AGENT_READY, 25);
}

/* Two that are up and down with each step never get further than a step. */
static void one_that_changes_its_mind_moves_one_step(void **state)
{
	struct agent_wish w = AGENT_NO_WISH;

	(void)state;
	for (int i = 0; i < 100; i++) {
		const uint16_t before = w.percent;

		agent_step(&w, (struct agent_wish){AGENT_READY, i % 2 ? 100 : 10});
		assert_true(w.percent >= 75);
		assert_true(before - w.percent <= AGENT_STEP);
	}
}

static void a_part_of_a_weight_is_none_only_where_none_is_asked_for(void **state)
{
	(void)state;
	assert_int_equal(agent_weight(10, 50, 1000), 5);
	assert_int_equal(agent_weight(10, 1, 1000), 1);
	assert_int_equal(agent_weight(10, 0, 1000), 0);
	assert_int_equal(agent_weight(0, 50, 1000), 0);
	assert_int_equal(agent_weight(800, 200, 1000), 1000);
	assert_int_equal(agent_weight(1000, 10000, 1000), 1000);
}

static void a_line_of_the_file_is_read_as_it_is_written(void **state)
{
	static const char *const bad[] = {"",
					  "\n",
					  "web web1 drain 50",
					  "web web1 drain\n",
					  "web web1 gone 50\n",
					  "web web1 drain 10001\n",
					  "web web1 drain  50\n",
					  "web web1 drain 50 x\n"};
	struct agent_line l = {.service = "web", .backend = "web1", .wish = {AGENT_MAINT, 33}}, in;
	char text[AGENT_LINE_MAX];

	(void)state;
	agent_line_format(&l, text);
	assert_string_equal(text, "web web1 maint 33\n");
	assert_int_equal(agent_line_read(text, strlen(text), &in), strlen(text));
	assert_string_equal(in.service, "web");
	assert_string_equal(in.backend, "web1");
	assert_wish(in.wish, AGENT_MAINT, 33);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(agent_line_read(bad[i], strlen(bad[i]), &in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_asks_for_what_it_says),
		cmocka_unit_test(what_a_line_does_not_say_stays),
		cmocka_unit_test(up_and_ready_take_it_back),
		cmocka_unit_test(of_several_agents_the_stricter_counts),
		cmocka_unit_test(a_weight_goes_by_steps),
		cmocka_unit_test(draining_and_none_at_all_come_at_once),
		cmocka_unit_test(one_that_changes_its_mind_moves_one_step),
		cmocka_unit_test(a_part_of_a_weight_is_none_only_where_none_is_asked_for),
		cmocka_unit_test(a_line_of_the_file_is_read_as_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
