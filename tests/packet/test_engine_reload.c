/* SPDX-License-Identifier: BSD-2-Clause */
/* Reloads that go wrong half-way, come all at once, or meet interfaces and files that come and go. */
#include "engine_checks.h"

#include <errno.h>

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

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_cannot_be_applied_changes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_restart_drops_the_edits_that_the_configuration_overrules, set_up,
			tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
