/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys that say who gets flows when others do not, and what becomes of those that go. */
#include "pure/conf_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "conf_memory.h"

static struct conf *parse(const char *text)
{
	struct file files[] = {
		{.path = "x.yaml", .data = text},
		{.path = "b", .data = "10.0.0.7 pool=2\n10.0.0.8 backup weight=3\n"},
		{0},
	};
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("x.yaml", read_memory, files, &conf, &err) != 0)
		fail_msg("%s", err.text);
	return conf;
}

#define SERVICE "interfaces: [eth0]\nservices:\n  - vip: 192.0.2.1\n    port: 80\n"

static void without_the_keys_backends_drain_for_an_hour_and_start_at_once(void **state)
{
	struct conf *conf = parse(SERVICE "    backends: [10.0.0.1]\n");
	const struct conf_service *s = &conf->services[0];

	(void)state;
	assert_int_equal(s->min_healthy.n, 0);
	assert_int_equal(s->panic, 0);
	assert_int_equal(s->slow_start_ms, 0);
	assert_int_equal(s->remove, CONF_REMOVE_DRAIN);
	assert_int_equal(s->drain_deadline_ms, 3600000);
	assert_int_equal(s->backends[0].pool, 0);
	conf_free(conf);
}

static void the_keys_are_read_and_services_take_them_from_the_defaults(void **state)
{
	struct conf *conf = parse(
		"interfaces: [eth0]\n"
		"defaults: { min_healthy: 3, panic: 100%, slow_start: 5m, remove: now, "
		"drain_deadline: "
		"90s }\n"
		"services:\n  - vip: 192.0.2.1\n    port: 80\n    backends: [10.0.0.1]\n"
		"  - vip: 192.0.2.2\n    port: 80\n    backends_file: b\n"
		"    min_healthy: 50%\n    panic: 20%\n    slow_start: 0s\n    remove: drain\n");
	const struct conf_service *s = conf->services;

	(void)state;
	assert_int_equal(s[0].panic, 100);
	assert_int_equal(s[1].panic, 20);
	assert_int_equal(s[0].min_healthy.n, 3);
	assert_false(s[0].min_healthy.percent);
	assert_int_equal(s[0].slow_start_ms, 300000);
	assert_int_equal(s[0].remove, CONF_REMOVE_NOW);
	assert_int_equal(s[0].drain_deadline_ms, 90000);
	assert_int_equal(s[1].min_healthy.n, 50);
	assert_true(s[1].min_healthy.percent);
	assert_int_equal(s[1].slow_start_ms, 0);
	assert_int_equal(s[1].remove, CONF_REMOVE_DRAIN);
	assert_int_equal(s[1].drain_deadline_ms, 90000);
	assert_int_equal(s[1].backends[0].pool, 2);
	assert_int_equal(s[1].backends[1].pool, POOL_BACKUP);
	assert_int_equal(s[1].backends[1].weight, 3);
	conf_free(conf);
}

static void backups_and_pools_are_said_in_lines_and_mappings(void **state)
{
	struct conf *conf = parse(SERVICE "    min_healthy: 100%\n    backends:\n"
					  "      - 10.0.0.1 pool=0\n"
					  "      - 10.0.0.2 pool=15\n"
					  "      - 10.0.0.3 backup name=c\n"
					  "      - { address: 10.0.0.4, pool: 1 }\n"
					  "      - { address: 10.0.0.5, backup: yes }\n"
					  "      - { address: 10.0.0.6, backup: no }\n");
	static const uint16_t pools[] = {0, 15, POOL_BACKUP, 1, POOL_BACKUP, 0};

	(void)state;
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(conf->services[0].backends[i].pool, pools[i]);
	assert_string_equal(conf->services[0].backends[2].name, "c");
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_the_keys_backends_drain_for_an_hour_and_start_at_once),
		cmocka_unit_test(the_keys_are_read_and_services_take_them_from_the_defaults),
		cmocka_unit_test(backups_and_pools_are_said_in_lines_and_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
