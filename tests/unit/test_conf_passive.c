/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is judged by the packets that go by, as it is configured. */
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
		{.path = "b", .data = ""},
		{0},
	};
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("x.yaml", read_memory, files, &conf, &err) != 0)
		fail_msg("%s", err.text);
	return conf;
}

#define SERVICE "services:\n  - vip: 192.0.2.1\n    port: 80\n"
#define BACKEND "    backends: [10.0.0.1]\n"

static void assert_defaults(const struct passive_policy *p)
{
	assert_int_equal(p->syn_retry, 20);
	assert_int_equal(p->reset, 50);
	assert_int_equal(p->unreachable, 3);
	assert_int_equal(p->min, 50);
	assert_int_equal(p->window_ms, 5000);
	assert_int_equal(p->max_out, 25);
	assert_int_equal(p->hold_ms, 10000);
}

static void who_does_not_ask_for_it_has_none(void **state)
{
	struct conf *conf = parse("interfaces: [eth0]\n" SERVICE BACKEND);

	(void)state;
	assert_int_equal(conf->services[0].passive.action, PASSIVE_OFF);
	conf_free(conf);
}

static void its_action_alone_takes_all_defaults(void **state)
{
	struct conf *conf = parse("interfaces: [eth0]\n" SERVICE "    passive: down\n" BACKEND);

	(void)state;
	assert_int_equal(conf->services[0].passive.action, PASSIVE_DOWN);
	assert_defaults(&conf->services[0].passive);
	conf_free(conf);
}

static void a_mapping_marks_unless_it_says_otherwise(void **state)
{
	struct conf *conf =
		parse("interfaces: [eth0]\n" SERVICE "    passive: { min: 10 }\n" BACKEND);

	(void)state;
	assert_int_equal(conf->services[0].passive.action, PASSIVE_MARK);
	assert_int_equal(conf->services[0].passive.min, 10);
	assert_int_equal(conf->services[0].passive.syn_retry, 20);
	conf_free(conf);
}

static void services_take_the_defaults_key_by_key(void **state)
{
	struct conf *conf = parse(
		"interfaces: [eth0]\n"
		"defaults: { passive: { action: down, syn_retry: 30%, reset: 0%, unreachable: 9, "
		"min: 7, window: 1s, max_out: 100%, hold: 1h } }\n" SERVICE BACKEND
		"  - {vip: 192.0.2.2, port: 1, passive: {window: 10m}, backends: [10.0.0.1]}\n"
		"  - {vip: 192.0.2.3, port: 1, passive: off, backends: [10.0.0.1]}\n"
		"  - {vip: 192.0.2.4, port: 1, protocol: udp, forward: dsr, backends: [10.0.0.1], "
		"check: none}\n");
	const struct passive_policy *p = &conf->services[1].passive;

	(void)state;
	assert_memory_equal(
		&conf->services[0].passive,
		(&(struct passive_policy){PASSIVE_DOWN, 30, 0, 9, 7, 1000, 100, 3600000}),
		sizeof(*p));
	assert_int_equal(p->action, PASSIVE_DOWN);
	assert_int_equal(p->window_ms, 600000);
	assert_int_equal(p->syn_retry, 30);
	assert_int_equal(conf->services[2].passive.action, PASSIVE_OFF);
	assert_int_equal(conf->services[3].passive.action, PASSIVE_DOWN); /* and sees nothing */
	conf_free(conf);
}

static void a_backends_file_may_come_to_name_whom_errors_come_from(void **state)
{
	struct conf *conf =
		parse("interfaces: [eth0]\n" SERVICE "    protocol: udp\n    forward: dsr\n"
		      "    check: none\n    passive: mark\n    backends_file: b\n");

	(void)state;
	assert_int_equal(conf->services[0].passive.action, PASSIVE_MARK);
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_ask_for_it_has_none),
		cmocka_unit_test(its_action_alone_takes_all_defaults),
		cmocka_unit_test(a_mapping_marks_unless_it_says_otherwise),
		cmocka_unit_test(services_take_the_defaults_key_by_key),
		cmocka_unit_test(a_backends_file_may_come_to_name_whom_errors_come_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
