/* SPDX-License-Identifier: BSD-2-Clause */
/* The last hundred changes of a backend. */
#include "pure/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* With texts whose lengths differ from one to the next. */
static struct history_event event_of(uint32_t i)
{
	struct history_event e = {
		.time_ms = 1700000000000ull + i,
		.from = i % 2 ? STANDING_UP : STANDING_DOWN,
		.to = i % 2 ? STANDING_DOWN : STANDING_UP,
		.latency_us = i * 3,
	};

	snprintf(e.code, sizeof(e.code), "L7STS %u", i);
	snprintf(e.check, sizeof(e.check), "%.*s", (int)(i % 7), "deeply");
	snprintf(e.by, sizeof(e.by), "%.*s", (int)(i % 5), "alice");
	snprintf(e.reason, sizeof(e.reason), "reason %0*u", (int)(i % 40) + 1, i);
	return e;
}

static void assert_same(const struct history_event *a, const struct history_event *b)
{
	assert_int_equal(a->time_ms, b->time_ms);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->to, b->to);
	assert_int_equal(a->latency_us, b->latency_us);
	assert_string_equal(a->code, b->code);
	assert_string_equal(a->check, b->check);
	assert_string_equal(a->by, b->by);
	assert_string_equal(a->reason, b->reason);
}

static void the_newest_come_first_and_a_hundred_are_kept(void **state)
{
	struct history h = {0};
	struct history_event e, wanted;

	(void)state;
	assert_false(history_read(&h, 0, &e));
	for (uint32_t i = 0; i < 250; i++) {
		uint32_t kept = i + 1 < HISTORY_MAX ? i + 1 : HISTORY_MAX;

		wanted = event_of(i);
		history_add(&h, &wanted);
		assert_int_equal(h.n, kept);
		for (uint32_t k = 0; k < kept; k++) {
			wanted = event_of(i - k);
			assert_true(history_read(&h, k, &e));
			assert_same(&e, &wanted);
		}
		assert_false(history_read(&h, kept, &e));
	}
	history_fini(&h);
	assert_int_equal(h.n, 0);
}

static void texts_without_an_end_are_cut(void **state)
{
	struct history h = {0};
	struct history_event e = {0}, got;

	(void)state;
	memset(e.code, 'c', sizeof(e.code));
	memset(e.check, 'k', sizeof(e.check));
	memset(e.by, 'b', sizeof(e.by));
	memset(e.reason, 'r', sizeof(e.reason));
	history_add(&h, &e);
	assert_true(history_read(&h, 0, &got));
	assert_int_equal(strlen(got.code), sizeof(e.code) - 1);
	assert_int_equal(strlen(got.check), sizeof(e.check) - 1);
	assert_int_equal(strlen(got.by), sizeof(e.by) - 1);
	assert_int_equal(strlen(got.reason), sizeof(e.reason) - 1);
	history_fini(&h);
}

/* 10,000 backends that flap without end have to fit beside everything else. */
static void a_hundred_ordinary_changes_take_less_than_64_bytes_each(void **state)
{
	struct history h = {0};
	struct history_event e = {.code = "L7STS 503", .reason = "HTTP status 503, wanted 200-399"};

	(void)state;
	for (int i = 0; i < 1000; i++)
		history_add(&h, &e);
	assert_true(h.used <= 64 * HISTORY_MAX);
	assert_true(h.room <= 80 * HISTORY_MAX);
	history_fini(&h);
	assert_int_equal(sizeof(h), 24);
}

static void standings_have_names(void **state)
{
	(void)state;
	assert_string_equal(standing_name(STANDING_STARTING), "starting");
	assert_string_equal(standing_name((enum standing)HEALTH_UP), "up");
	assert_string_equal(standing_name((enum standing)HEALTH_DOWN), "down");
	assert_string_equal(standing_name((enum standing)HEALTH_UNCHECKED), "unchecked");
	assert_string_equal(standing_name(STANDING_MAINTENANCE), "maintenance");
	assert_string_equal(standing_name(STANDING_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_come_first_and_a_hundred_are_kept),
		cmocka_unit_test(texts_without_an_end_are_cut),
		cmocka_unit_test(a_hundred_ordinary_changes_take_less_than_64_bytes_each),
		cmocka_unit_test(standings_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
