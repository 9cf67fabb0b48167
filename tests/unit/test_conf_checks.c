/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks with names, and which of them services have. */
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
	struct file files[] = {{.path = "x.yaml", .data = text}, {0}};
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("x.yaml", read_memory, files, &conf, &err) != 0)
		fail_msg("%s", err.text);
	return conf;
}

#define CHECKS                                                                                     \
	"interfaces: [eth0]\n"                                                                     \
	"defaults: { check: { interval: 3s, fall: 7 } }\n"                                         \
	"checks:\n"                                                                                \
	"  page: { type: http, rise: 4 }\n"                                                        \
	"  port: { type: tcp, port: 99 }\n"                                                        \
	"  gw: { type: tcp, address: 192.0.2.254, port: 179, interval: 1s }\n"                     \
	"services:\n"

static void a_service_without_names_has_one_check_of_its_own(void **state)
{
	struct conf *c = parse(CHECKS "  - { vip: 192.0.2.1, port: 80, backends: [10.0.0.1] }\n");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(conf_service_checks(s), 1);
	assert_ptr_equal(conf_service_check(s, 0), &s->check);
	assert_string_equal(s->check.name, "");
	assert_null(s->needs[0]);
	conf_free(c);
}

static void a_named_check_has_the_defaults_and_its_own_keys(void **state)
{
	struct conf *c =
		parse(CHECKS "  - { vip: 192.0.2.1, port: 80, backends: [10.0.0.1], check: "
			     "page }\n"
			     "  - { vip: 192.0.2.2, port: 81, backends: [10.0.0.1], check: "
			     "page }\n");
	const struct conf_service *s = c->services;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(conf_service_checks(&s[i]), 1);
		assert_string_equal(s[i].check.name, "page");
		assert_int_equal(s[i].check.kind, CONF_CHECK_HTTP);
		assert_int_equal(s[i].check.interval_ms, 3000);
		assert_int_equal(s[i].check.rise, 4);
		assert_int_equal(s[i].check.fall, 7);
		assert_int_equal(s[i].check.port, 0); /* the backend's */
	}
	conf_free(c);
}

static void several_are_joined(void **state)
{
	struct conf *c =
		parse(CHECKS "  - { vip: 192.0.2.1, port: 80, backends: [10.0.0.1], checks: { "
			     "all: [page, port] } }\n"
			     "  - { vip: 192.0.2.2, port: 80, backends: [10.0.0.1], checks: { "
			     "any: [port, page] } }\n");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(conf_service_checks(&s[0]), 2);
	assert_int_equal(s[0].join, HEALTH_ALL);
	assert_string_equal(conf_service_check(&s[0], 0)->name, "page");
	assert_string_equal(conf_service_check(&s[0], 1)->name, "port");
	assert_int_equal(s[1].join, HEALTH_ANY);
	assert_string_equal(conf_service_check(&s[1], 0)->name, "port");
	assert_int_equal(conf_service_check(&s[1], 0)->port, 99);
	assert_int_equal(conf_service_check(&s[1], 1)->kind, CONF_CHECK_HTTP);
	conf_free(c);
}

static void what_services_need_has_an_address(void **state)
{
	struct conf *c =
		parse(CHECKS "  - { vip: 192.0.2.1, port: 80, backends: [10.0.0.1], needs: gw "
			     "}\n");

	(void)state;
	assert_ptr_equal(c->services[0].needs[0], &c->checks[2]);
	assert_null(c->services[0].needs[1]);
	assert_int_equal(c->checks[2].target.bytes[3], 254);
	assert_int_equal(c->checks[2].interval_ms, 1000);
	assert_true(addr_is_none(&c->checks[0].target));
	conf_free(c);
}

static void a_service_may_need_several(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "checks:\n"
		      "  a: { type: tcp, address: 192.0.2.254, port: 1 }\n"
		      "  b: { type: icmp, address: 192.0.2.253 }\n"
		      "services:\n"
		      "  - { vip: 192.0.2.1, port: 80, backends: [10.0.0.1], needs: [b, a] }\n");

	(void)state;
	assert_string_equal(c->services[0].needs[0]->name, "b");
	assert_string_equal(c->services[0].needs[1]->name, "a");
	assert_null(c->services[0].needs[2]);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_without_names_has_one_check_of_its_own),
		cmocka_unit_test(a_named_check_has_the_defaults_and_its_own_keys),
		cmocka_unit_test(several_are_joined),
		cmocka_unit_test(what_services_need_has_an_address),
		cmocka_unit_test(a_service_may_need_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
