/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys that say what is remembered of flows and sources, and for how long. */
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

#define HEAD "interfaces: [eth0]\n"
#define SERVICE(n, more)                                                                           \
	"  - { vip: 192.0.2." #n ", port: 80, backends: [10.0.0.1], name: s" #n more " }\n"

static void an_idle_flow_of_udp_has_ended_after_a_minute_one_of_tcp_after_five(void **state)
{
	struct conf *conf = parse(HEAD "services:\n" SERVICE(1, "") SERVICE(2, ", protocol: udp")
					  SERVICE(3, ", protocol: udp, flow_timeout: 7s"));

	(void)state;
	assert_int_equal(conf_flow_timeout_ms(&conf->services[0]), 300000);
	assert_int_equal(conf_flow_timeout_ms(&conf->services[1]), 60000);
	assert_int_equal(conf_flow_timeout_ms(&conf->services[2]), 7000);
	conf_free(conf);
}

static void a_flow_timeout_among_the_defaults_is_that_of_both_protocols(void **state)
{
	struct conf *conf = parse(HEAD "defaults: { flow_timeout: 100s }\nservices:\n" SERVICE(
		1, "") SERVICE(2, ", protocol: udp"));

	(void)state;
	assert_int_equal(conf_flow_timeout_ms(&conf->services[0]), 100000);
	assert_int_equal(conf_flow_timeout_ms(&conf->services[1]), 100000);
	conf_free(conf);
}

static void a_source_is_never_forgotten_before_its_flows(void **state)
{
	struct conf *conf =
		parse(HEAD "services:\n" SERVICE(1, ", affinity: source")
			      SERVICE(2, ", affinity: source, flow_timeout: 20m")
				      SERVICE(3, ", affinity: source, affinity_timeout: 5m")
					      SERVICE(4, ", affinity: source, flow_timeout: 2s, "
							 "affinity_timeout: 2s"));

	(void)state;
	assert_int_equal(conf_flow_timeout_ms(&conf->services[0]), 600000);
	assert_int_equal(conf_flow_timeout_ms(&conf->services[1]), 1200000);
	assert_int_equal(conf_flow_timeout_ms(&conf->services[2]), 300000);
	assert_int_equal(conf_flow_timeout_ms(&conf->services[3]), 2000);
	conf_free(conf);
}

static void affinity_is_taken_from_the_defaults(void **state)
{
	struct conf *conf = parse(
		HEAD "defaults: { affinity: source, affinity_timeout: 6m, source_prefix: 24 }\n"
		     "services:\n" SERVICE(1, "") SERVICE(2, ", affinity: none")
			     SERVICE(3, ", source_prefix: 16"));
	const struct conf_service *s = conf->services;

	(void)state;
	assert_int_equal(s[0].affinity, CONF_AFFINITY_SOURCE);
	assert_int_equal(conf_flow_timeout_ms(&s[0]), 360000);
	assert_int_equal(s[0].source_prefix, 24);
	assert_int_equal(s[1].affinity, CONF_AFFINITY_NONE);
	assert_int_equal(conf_flow_timeout_ms(&s[1]), 300000);
	assert_int_equal(s[1].source_prefix, 32); /* as if nothing had been said */
	assert_int_equal(s[2].source_prefix, 16);
	conf_free(conf);
}

static void stateless_among_the_defaults_is_for_those_that_can(void **state)
{
	struct conf *conf = parse(HEAD "defaults: { udp_flows: stateless }\nservices:\n" SERVICE(
		1, "") SERVICE(2, ", protocol: udp") SERVICE(3, ", protocol: udp, scheduler: rr")
					  SERVICE(4, ", protocol: udp, udp_flows: tracked"));
	const struct conf_service *s = conf->services;

	(void)state;
	assert_int_equal(s[0].udp_flows, CONF_UDP_TRACKED);
	assert_int_equal(s[1].udp_flows, CONF_UDP_STATELESS);
	assert_int_equal(s[2].udp_flows, CONF_UDP_TRACKED);
	assert_int_equal(s[3].udp_flows, CONF_UDP_TRACKED);
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_idle_flow_of_udp_has_ended_after_a_minute_one_of_tcp_after_five),
		cmocka_unit_test(a_flow_timeout_among_the_defaults_is_that_of_both_protocols),
		cmocka_unit_test(a_source_is_never_forgotten_before_its_flows),
		cmocka_unit_test(affinity_is_taken_from_the_defaults),
		cmocka_unit_test(stateless_among_the_defaults_is_for_those_that_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
