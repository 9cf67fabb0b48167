/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics in both formats: which one a client gets, and what each asks of names, labels and numbers. */
#include "web/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "web/metrics_out.h"

static void who_likes_openmetrics_at_least_as_well_gets_it(void **state)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} rows[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/html,application/xhtml+xml,*/*;q=0.8", METRICS_TEXT},
		{"application/openmetrics-text", METRICS_OPENMETRICS},
		{"Application/OpenMetrics-Text ; version=1.0.0", METRICS_OPENMETRICS},
		/* Prometheus 2.42's */
		{"application/openmetrics-text;version=1.0.0,application/"
		 "openmetrics-text;version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_OPENMETRICS},
		{"text/plain, application/openmetrics-text;q=0.9", METRICS_TEXT},
		{"application/openmetrics-text;q=0", METRICS_TEXT},
		{"application/openmetrics-textual", METRICS_TEXT},
		/* of those who mean ill */
		{",,,;;;q=,q=q=", METRICS_TEXT},
		{"  ,  ", METRICS_TEXT},
		{"application/openmetrics-text;q=", METRICS_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (metrics_choose(rows[i].accept) != rows[i].format)
			fail_msg("%s", rows[i].accept ? rows[i].accept : "(none)");
}

static const struct metric counter = {"things", METRIC_COUNTER, "Things.", METRIC_ONE};
static const struct metric latency = {"late_seconds", METRIC_GAUGE, "Late.", METRIC_MICRO};
static const struct metric info = {"thing", METRIC_INFO, "A thing.", METRIC_ONE};

/* The caller's. */
static char *written(enum metrics_format format)
{
	const struct metric_label odd[] = {{"name", "a\"b\\c\nd"}, {"of", ""}};
	char *text = NULL;
	size_t len;
	struct metrics m = {.out = open_memstream(&text, &len), .format = format};

	assert_non_null(m.out);
	metrics_family(&m, &counter);
	metrics_sample(&m, UINT64_MAX, odd, 2);
	metrics_single(&m, &latency, 1000042);
	metrics_single(&m, &info, 1);
	metrics_end(&m);
	fclose(m.out);
	return text;
}

static void text_names_families_as_their_samples(void **state)
{
	char *text = written(METRICS_TEXT);

	(void)state;
	assert_string_equal(text, "# HELP shunt_things_total Things.\n"
				  "# TYPE shunt_things_total counter\n"
				  "shunt_things_total{name=\"a\\\"b\\\\c\\nd\",of=\"\"} "
				  "18446744073709551615\n"
				  "# HELP shunt_late_seconds Late.\n"
				  "# TYPE shunt_late_seconds gauge\n"
				  "shunt_late_seconds 1.000042\n"
				  "# HELP shunt_thing_info A thing.\n"
				  "# TYPE shunt_thing_info gauge\n"
				  "shunt_thing_info 1\n");
	free(text);
}

static void openmetrics_names_families_without_endings_and_ends(void **state)
{
	char *text = written(METRICS_OPENMETRICS);

	(void)state;
	assert_string_equal(text, "# HELP shunt_things Things.\n"
				  "# TYPE shunt_things counter\n"
				  "shunt_things_total{name=\"a\\\"b\\\\c\\nd\",of=\"\"} "
				  "18446744073709551615\n"
				  "# HELP shunt_late_seconds Late.\n"
				  "# TYPE shunt_late_seconds gauge\n"
				  "shunt_late_seconds 1.000042\n"
				  "# HELP shunt_thing A thing.\n"
				  "# TYPE shunt_thing info\n"
				  "shunt_thing_info 1\n"
				  "# EOF\n");
	free(text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void what_is_beyond_the_limit_is_counted_and_left_out(void **state)
{
	static struct view_service services[3];
	static struct view_backend backends[5];
	struct snapshot s = {
		.services = services, .backends = backends, .n_services = 3, .n_backends = 5};
	const struct metrics_own own = {.limit = 2};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	metrics_write(out, METRICS_TEXT, &s, &own);
	fclose(out);
	assert_int_equal(count(text, "\nshunt_service_info{"), 2);
	assert_int_equal(count(text, "\nshunt_backend_up{"), 2);
	assert_int_equal(count(text, "shunt_metrics_left_out{of=\"services\"} 1\n"), 1);
	assert_int_equal(count(text, "shunt_metrics_left_out{of=\"backends\"} 3\n"), 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_likes_openmetrics_at_least_as_well_gets_it),
		cmocka_unit_test(text_names_families_as_their_samples),
		cmocka_unit_test(openmetrics_names_families_without_endings_and_ends),
		cmocka_unit_test(what_is_beyond_the_limit_is_counted_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
