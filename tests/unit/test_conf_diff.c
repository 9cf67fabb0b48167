/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two configurations is told by the keys that an operator would change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_diff.h"
#include "pure/conf_parse.h"

#define HEAD "interfaces: [eth0]\n"
#define SERVICE                                                                                    \
	"services:\n"                                                                              \
	"  - name: web\n"                                                                          \
	"    vip: 203.0.113.10\n"

static int give_text(void *arg, const char *path, char **data, size_t *len)
{
	*data = strdup(strcmp(path, "shunt.yaml") == 0 ? (const char *)arg : "");
	*len = strlen(*data);
	return 0;
}

static struct conf *parse(const char *text)
{
	struct conf_error err = {""};
	struct conf *c = NULL;

	if (conf_parse("shunt.yaml", give_text, (void *)text, &c, &err) < 0)
		fail_msg("%s in:\n%s", err.text, text);
	return c;
}

static char told[4096];

static void note(void *arg, const char *key, const char *from, const char *to)
{
	const size_t used = strlen(told);

	(void)arg;
	snprintf(told + used, sizeof(told) - used, "%s%s=%s>%s", used ? " | " : "", key, from, to);
}

static const char *differences(const char *from, const char *to)
{
	struct conf *a = parse(from), *b = parse(to);

	told[0] = '\0';
	conf_diff_top(a, b, note, NULL);
	conf_diff_service(&a->services[0], &b->services[0], note, NULL);
	conf_diff_backend(&a->services[0].backends[0], &b->services[0].backends[0], note, NULL);
	conf_free(a);
	conf_free(b);
	return told;
}

#define BACKENDS "    backends: [10.0.0.11]\n"
#define BASE HEAD SERVICE "    port: 80\n" BACKENDS

static void what_is_written_otherwise_but_means_the_same_is_no_difference(void **state)
{
	(void)state;
	assert_string_equal(differences(BASE, BASE), "");
	assert_string_equal(differences(BASE,
					"icmp_rate: 100\n" HEAD
					"defaults: { scheduler: maglev }\n" SERVICE
					"    port: [80]\n    flow_timeout: 300s\n"
					"    check: { type: tcp, interval: 2000ms }\n"
					"    backends: [{ address: 10.0.0.11, weight: 1 }]\n"),
			    "");
}

/* Each line: a key of a service, one that is told, from what and to what. */
static void every_key_of_a_service_is_told(void **state)
{
	static const struct {
		const char *from, *to, *expected;
	} rows[] = {
		{"port: 80", "port: 81", "port=80>81"},
		{"port: 80", "port: [80, 90-99]", "port=80>80,90-99"},
		{"port: 80", "port: 80\n    scheduler: lc", "scheduler=maglev>lc"},
		{"port: 80", "port: 80\n    forward: dsr", "forward=ipip>dsr"},
		{"port: 80", "port: 80\n    protocol: udp", "protocol=tcp>udp"},
		{"port: 80", "port: 80\n    on_empty: drop", "on_empty=all>drop"},
		{"port: 80", "port: 80\n    flow_timeout: 9s", "flow_timeout=5m>9s"},
		{"port: 80", "port: 80\n    settle_within: 90m", "settle_within=1h>90m"},
		{"port: 80", "port: 80\n    slots: 4096", "slots=>4096"},
		{"port: 80", "port: 80\n    panic: 20%", "panic=0%>20%"},
		{"port: 80", "port: 80\n    min_healthy: 50%\n    backends_file: f",
		 "min_healthy=>50%"},
		{"port: 80", "port: 80\n    slow_start: 30s", "slow_start=0s>30s"},
		{"port: 80", "port: 80\n    remove: now", "remove=drain>now"},
		{"port: 80", "port: 80\n    drain_deadline: 10m", "drain_deadline=1h>10m"},
		{"port: 80", "port: 80\n    tunnel_source: 192.0.2.64/26",
		 "tunnel_source=>192.0.2.64/26"},
		{"port: 80", "port: 80\n    gue_checksum: zero\n    forward: gue",
		 "forward=ipip>gue | gue_checksum=full>zero"},
		{"forward: nat\n    port: 80",
		 "forward: nat\n    port: 80\n    nat_pool: [192.0.2.1]", "nat_pool=>192.0.2.1"},
		{"port: 80", "port: 80\n    allow: [10.0.0.0/8, 192.0.2.0/24]",
		 "allow=>2 prefixes"},
		{"port: 80\n    deny: [10.0.0.0/8]", "port: 80\n    deny: [10.0.0.0/9]",
		 "deny=1 prefix>1 prefix"},
		{"port: 80", "port: 80\n    passive: { action: down, min: 60, hold: 10s }",
		 "passive.min=50>60 | passive.action=off>down"},
		{"port: 80", "port: 80\n    rate: { new_flows: 100 }",
		 "rate.new_flows=>100 | rate.burst=>100"},
		{"port: 80", "port: 80\n    check: { interval: 5s }", "check.interval=2s>5s"},
		{"port: 80\n    check: { type: http, path: /a }",
		 "port: 80\n    check: { type: http, path: /b, status: 204, expect: ok }",
		 "check.path=/a>/b | check.status=200-399>204 | check.expect=>"},
		{"port: 80\n    check: { flap: off }", "port: 80\n    check: { flap: on }",
		 "check.flap=>"},
		{"port: 80\n    check: { type: exec, command: [/bin/a, secret] }",
		 "port: 80\n    check: { type: exec, command: [/bin/a, other] }",
		 "check.command=>"},
	};
	char from[1024], to[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(from, sizeof(from), HEAD SERVICE "    %s\n" BACKENDS, rows[i].from);
		snprintf(to, sizeof(to), HEAD SERVICE "    %s\n" BACKENDS, rows[i].to);
		differences(from, to);
		/* What a backend or a check inherits is told of it as well. */
		if (strncmp(told, rows[i].expected, strlen(rows[i].expected)) != 0)
			fail_msg("%s to %s: told \"%s\", not \"%s\"", rows[i].from, rows[i].to,
				 told, rows[i].expected);
	}
}

static void every_key_of_a_backend_is_told(void **state)
{
	(void)state;
	assert_string_equal(
		differences(HEAD SERVICE
			    "    port: 80\n"
			    "    backends: [{ address: 10.0.0.11, name: a }, 10.0.0.12]\n",
			    HEAD SERVICE "    port: 80\n    backends:\n"
					 "      - { address: 10.0.0.11, name: a, weight: 5, "
					 "forward: nat, port: 8080,\n"
					 "          pool: 2 }\n      - 10.0.0.12\n"),
		"port=80>8080 | weight=1>5 | forward=ipip>nat | pool=0>2");
	assert_string_equal(differences(BASE, HEAD SERVICE
					"    port: 80\n    backends: [{ address: 10.0.0.11, "
					"backup: yes }, 10.0.0.12]\n"),
			    "pool=0>backup");
}

static void checks_with_names_are_told(void **state)
{
#define CHECKS                                                                                     \
	"checks: { a: { type: tcp }, b: { type: tcp, port: 22 },\n"                                \
	"  gw: { type: tcp, address: 192.0.2.254, port: 179 } }\n"
	(void)state;
	assert_string_equal(
		differences(HEAD CHECKS SERVICE
			    "    port: 80\n    checks: { all: [a, b] }\n" BACKENDS,
			    HEAD CHECKS SERVICE
			    "    port: 80\n    checks: { any: [a, b] }\n    needs: gw\n" BACKENDS),
		"checks=all: a, b>any: a, b | needs=>gw");
}

static void other_settings_are_told_and_secrets_not(void **state)
{
	(void)state;
	assert_string_equal(
		differences("nat_timeouts: { udp: 10s }\n" BASE,
			    "nat_timeouts: { udp: 20s }\nflow_table: 2M\nfragments: 3000\n"
			    "interfaces: [eth0, { name: eth1, xdp: generic }]\n"
			    "hash_secret: 0123456789abcdef\npeers: [\"192.0.2.1:6082\"]\n"
			    "peer_listen: 192.0.2.2:6082\npeer_secret: abcdefghijklmnopqrstuvw\n"
			    "notify: { webhook: \"https://example.com/secret\" }\n"
			    "web: { listen: \"[::1]:80\" }\n" SERVICE "    port: 80\n" BACKENDS),
		"interfaces=eth0>eth0, eth1:generic | hash_secret=> | flow_table=1M>2M | "
		"fragments=64k>3000 | peers=>192.0.2.1:6082 | "
		"peer_listen=>192.0.2.2:6082 | peer_secret=> | notify=> | "
		"web=>[::1]:80, metrics_limit 2000 | "
		"nat_timeouts.udp=10s>20s");
}

static void count(void *arg, const char *key, const char *from, const char *to)
{
	(void)key, (void)from, (void)to;
	++*(size_t *)arg;
}

/* A key that the tables gain is either one member, or stands among those that are told by hand: one that
 * were neither would change without being told. */
static void no_key_of_the_tables_is_forgotten(void **state)
{
	static const struct {
		const struct conf_mapping *mapping;
		const char *without; /* keys that are not one member, in order */
	} tables[] = {
		{&conf_service_mapping,
		 "vip port check checks needs passive nat_pool allow deny rate quic_lb "
		 "backends "},
		{&conf_check_mapping, "flap headers status expect send command shell environment "},
		{&conf_top_mapping, "nat_pool nat_timeouts peers notify web defaults checks "},
		{&conf_backend_mapping, ""},
	};
	size_t i, k, n = 0;

	(void)state;
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char names[512] = "";

		for (k = 0; k < tables[i].mapping->n; k++)
			if (!tables[i].mapping->keys[k].size) {
				strcat(names, tables[i].mapping->keys[k].name);
				strcat(names, " ");
			}
		if (strcmp(names, tables[i].without) != 0)
			fail_msg("%s: keys that are not one member are \"%s\"; tell the new one in "
				 "conf_diff.c and here",
				 tables[i].mapping->what, names);
	}
	struct conf *c = parse(BASE);
	conf_diff_top(c, c, count, &n);
	conf_free(c);
	assert_int_equal(n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_otherwise_but_means_the_same_is_no_difference),
		cmocka_unit_test(every_key_of_a_service_is_told),
		cmocka_unit_test(every_key_of_a_backend_is_told),
		cmocka_unit_test(checks_with_names_are_told),
		cmocka_unit_test(other_settings_are_told_and_secrets_not),
		cmocka_unit_test(no_key_of_the_tables_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
