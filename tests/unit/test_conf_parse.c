/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration parser makes of good files. */
#include "pure/conf_parse.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf_good.h"

static void the_ten_lines_of_the_readme_suffice(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "services:\n"
		      "  - name: web\n"
		      "    vip: 203.0.113.10\n"
		      "    port: 80\n"
		      "    protocol: tcp\n"
		      "    scheduler: maglev          # maglev | rr | wrr\n"
		      "    forward: ipip              # dsr | ipip | local\n"
		      "    check: { type: http, path: /healthz, interval: 2s, timeout: 1s, "
		      "rise: 2, fall: 3 }\n"
		      "    backends_file: b\n",
		      "# one a line, ADDRESS[:PORT] [name=NAME] [weight=N]\n"
		      "10.0.0.11 name=web1\r\n"
		      "\n"
		      "  \t10.0.0.12:80 weight=2 name=web2 # twice as much\n"
		      "2001:db8::13 name=web3\n"
		      "[2001:db8::14]:80\n"
		      "10.0.0.15");
	const struct conf_service *s = &c->services[0];

	(void)state;
	assert_int_equal(c->n_interfaces, 1);
	assert_string_equal(c->interfaces[0].name, "eth0");
	assert_int_equal(c->interfaces[0].xdp, CONF_XDP_AUTO);
	assert_int_equal(c->n_services, 1);
	assert_string_equal(s->name, "web");
	assert_int_equal(s->port, 80);
	assert_int_equal(s->check.kind, CONF_CHECK_HTTP);
	assert_string_equal(s->check.texts[CONF_TEXT_PATH].bytes, "/healthz");
	assert_int_equal(s->check.interval_ms, 2000);
	assert_int_equal(s->check.statuses, 1);
	assert_int_equal(s->check.status[0].to, 399);
	assert_string_equal(s->backends_file, "dir/b");
	assert_int_equal(c->n_watched, 1);
	assert_string_equal(c->watched[0], "dir/b");
	assert_int_equal(s->n_backends, 5);
	assert_string_equal(s->backends[1].name, "web2");
	assert_int_equal(s->backends[1].weight, 2);
	assert_int_equal(s->backends[1].pos.line, 4);
	assert_int_equal(s->backends[1].pos.column, 4);
	assert_string_equal(s->backends[1].pos.file, "dir/b");
	assert_int_equal(s->backends[2].addr.family, 6);
	assert_string_equal(s->backends[3].name, "2001:db8::14");
	assert_string_equal(s->backends[4].name, "10.0.0.15");
	assert_int_equal(s->backends[4].port, 80);
	conf_free(c);
}

static void what_is_not_said_has_its_default(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "services:\n"
		      "  - { vip: 203.0.113.10, port: 443, backends: [10.0.0.1] }\n"
		      "  - { vip: 203.0.113.10, port: any, protocol: udp, backends: [10.0.0.1] }\n"
		      "  - { vip: 2001:db8::1, port: 53, protocol: udp, forward: local }\n",
		      "");
	const struct conf_service *s = c->services;

	(void)state;
	assert_string_equal(c->instance, "default");
	assert_string_equal(c->run_dir, "/run/shunt");
	assert_string_equal(c->state_dir, "/var/lib/shunt");
	assert_string_equal(c->probe_user, "nobody");
	assert_int_equal(c->flow_table, 1 << 20);
	assert_int_equal(c->fragments, 64 << 10);
	assert_int_equal(c->icmp_rate, 100);
	assert_int_equal(c->rollback_window_ms, 30000);
	assert_null(c->hash_secret);
	assert_true(addr_is_none(&c->tunnel.source4.addr));
	assert_string_equal(s[0].name, "203.0.113.10:443/tcp");
	assert_int_equal(s[0].protocol, IPPROTO_TCP);
	assert_int_equal(s[0].scheduler, SHUNT_MAGLEV);
	assert_int_equal(s[0].forward, SHUNT_IPIP);
	assert_int_equal(s[0].on_empty, CONF_EMPTY_ALL);
	assert_int_equal(s[0].flow_timeout_ms, 300000);
	assert_int_equal(s[0].slots, 0);
	assert_int_equal(s[0].check.kind, CONF_CHECK_TCP);
	assert_int_equal(s[0].check.interval_ms, 2000);
	assert_int_equal(s[0].check.timeout_ms, 1000);
	assert_int_equal(s[0].check.rise, 2);
	assert_int_equal(s[0].check.fall, 3);
	assert_null(s[0].check.texts[CONF_TEXT_PATH].bytes);
	assert_int_equal(s[0].backends[0].weight, CONF_WEIGHT_DEFAULT);
	assert_string_equal(s[1].name, "203.0.113.10:any/udp");
	assert_int_equal(s[1].port, 0);
	assert_int_equal(s[1].check.kind, CONF_CHECK_NONE);
	assert_string_equal(s[2].name, "[2001:db8::1]:53/udp");
	assert_int_equal(s[2].n_backends, 1);
	assert_string_equal(s[2].backends[0].name, "local");
	assert_int_equal(addr_compare(&s[2].backends[0].addr, &s[2].vip), 0);
	conf_free(c);
}

static const char everything[] =

	"interfaces: [{name: eth0, xdp: native}, {name: eth1.7, xdp: generic}, lo]\n"
	"instance: edge-1\n"
	"hash_secret: correct horse\n"
	"tunnel_source: 192.0.2.1\n"
	"tunnel_source6: 2001:db8::99\n"
	"flow_table: 256k\n"
	"fragments: 8k\n"
	"icmp_rate: 0\n"
	"rollback_window: 0s\n"
	"run_dir: /tmp/run\n"
	"state_dir: /tmp/state\n"
	"probe_user: shunt-probe\n"
	"services:\n"
	"  - name: dns/udp:[1]\n"
	"    vip: 203.0.113.1\n"
	"    port: 53\n"
	"    protocol: udp\n"
	"    scheduler: wrr\n"
	"    forward: dsr\n"
	"    on_empty: drop\n"
	"    flow_timeout: 90s\n"
	"    slots: 1024\n"
	"    check: {type: http, interval: 500ms, timeout: 200ms, rise: 1, fall: 5, "
	"fast_interval: 50ms, down_interval: 3s, jitter: 25%, flap: {half_life: 30s}, port: "
	"8080, "
	"path: /x?y=%20, host: a.example:8080, status: [200, 301-302], expect: all is "
	"well}\n"
	"    backends:\n"
	"      - 10.0.0.1:53 name=a weight=0\n"
	"      - {address: '2001:db8::2', port: 53, name: b, weight: 1000}\n"
	"    backends_file: b\n"
	"  - {vip: 203.0.113.2, port: 1, on_empty: pass, check: none, backends_file: b}\n";

static void everything_can_be_said_of_the_host(void **state)
{
	struct conf *c = parse(everything, "10.0.0.9 name=c\n");

	(void)state;
	assert_int_equal(c->interfaces[0].xdp, CONF_XDP_NATIVE);
	assert_int_equal(c->interfaces[1].xdp, CONF_XDP_GENERIC);
	assert_int_equal(c->interfaces[2].xdp, CONF_XDP_AUTO);
	assert_int_equal(c->interfaces[1].pos.line, 1);
	assert_int_equal(c->interfaces[1].pos.column, 41);
	assert_string_equal(c->instance, "edge-1");
	assert_string_equal(c->hash_secret, "correct horse");
	assert_int_equal(c->tunnel.source4.addr.family, 4);
	assert_int_equal(c->tunnel.source6.addr.family, 6);
	assert_int_equal(c->flow_table, 256 << 10);
	assert_int_equal(c->fragments, 8 << 10);
	assert_int_equal(c->icmp_rate, 0);
	assert_int_equal(c->rollback_window_ms, 0);
	assert_string_equal(c->run_dir, "/tmp/run");
	assert_string_equal(c->state_dir, "/tmp/state");
	assert_string_equal(c->probe_user, "shunt-probe");
	conf_free(c);
}

static void everything_can_be_said_of_a_service(void **state)
{
	struct conf *c = parse(everything, "10.0.0.9 name=c\n");
	const struct conf_service *s = c->services;

	(void)state;
	assert_string_equal(s->name, "dns/udp:[1]");
	assert_int_equal(s->protocol, IPPROTO_UDP);
	assert_int_equal(s->scheduler, SHUNT_WRR);
	assert_int_equal(s->forward, SHUNT_DSR);
	assert_int_equal(s->on_empty, CONF_EMPTY_DROP);
	assert_int_equal(s->flow_timeout_ms, 90000);
	assert_int_equal(s->slots, 1024);
	conf_free(c);
}

static void everything_can_be_said_of_a_check(void **state)
{
	struct conf *c = parse(everything, "10.0.0.9 name=c\n");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(s->check.interval_ms, 500);
	assert_int_equal(s->check.timeout_ms, 200);
	assert_int_equal(s->check.rise, 1);
	assert_int_equal(s->check.fall, 5);
	assert_int_equal(s->check.fast_interval_ms, 50);
	assert_int_equal(s->check.down_interval_ms, 3000);
	assert_int_equal(s->check.jitter, 25);
	assert_int_equal(s->check.flap.half_life_ms, 30000);
	assert_int_equal(s->check.flap.suppress, 3000);
	assert_int_equal(s->check.flap.reuse, 1000);
	assert_int_equal(s->check.flap.max_ms, 600000);
	assert_int_equal(s->check.port, 8080);
	assert_string_equal(s->check.texts[CONF_TEXT_PATH].bytes, "/x?y=%20");
	assert_string_equal(s->check.texts[CONF_TEXT_HOST].bytes, "a.example:8080");
	assert_string_equal(s->check.texts[CONF_TEXT_EXPECT].bytes, "all is well");
	assert_int_equal(s->check.statuses, 2);
	assert_int_equal(s->check.status[0].from, 200);
	assert_int_equal(s->check.status[0].to, 200);
	assert_int_equal(s->check.status[1].from, 301);
	assert_int_equal(s->check.status[1].to, 302);
	conf_free(c);
}

static void everything_can_be_said_of_backends(void **state)
{
	struct conf *c = parse(everything, "10.0.0.9 name=c\n");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(s->n_backends, 3);
	assert_string_equal(s->backends[0].name, "a");
	assert_int_equal(s->backends[0].weight, 0);
	assert_string_equal(s->backends[1].name, "b");
	assert_int_equal(s->backends[1].weight, 1000);
	assert_string_equal(s->backends[2].name, "c");
	assert_int_equal(c->services[1].on_empty, CONF_EMPTY_PASS);
	assert_int_equal(c->services[1].check.kind, CONF_CHECK_NONE);
	assert_int_equal(c->n_watched, 1);
	conf_free(c);
}

static void services_take_what_defaults_say_and_override_it(void **state)
{
	struct conf *c =
		parse("services:\n"
		      "  - {vip: 192.0.2.1, port: 80, backends: [10.0.0.1]}\n"
		      "  - {vip: 192.0.2.2, port: 80, backends: [10.0.0.1], scheduler: maglev,\n"
		      "     forward: dsr, on_empty: all, check: {interval: 100ms}}\n"
		      "  - {vip: 192.0.2.3, port: 80, backends: [10.0.0.1], check: tcp}\n"
		      "interfaces: [eth0]\n"
		      "defaults:\n"
		      "  scheduler: rr\n"
		      "  forward: ipip\n"
		      "  on_empty: drop\n"
		      "  flow_timeout: 1m\n"
		      "  check: {type: http, path: /up, interval: 5s, host: a, expect: b}\n",
		      "");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(s[0].scheduler, SHUNT_RR);
	assert_int_equal(s[0].on_empty, CONF_EMPTY_DROP);
	assert_int_equal(s[0].flow_timeout_ms, 60000);
	assert_int_equal(s[0].check.kind, CONF_CHECK_HTTP);
	assert_string_equal(s[0].check.texts[CONF_TEXT_PATH].bytes, "/up");
	assert_int_equal(s[0].check.interval_ms, 5000);
	assert_int_equal(s[1].scheduler, SHUNT_MAGLEV);
	assert_int_equal(s[1].forward, SHUNT_DSR);
	assert_int_equal(s[1].on_empty, CONF_EMPTY_ALL);
	assert_string_equal(s[1].check.texts[CONF_TEXT_PATH].bytes, "/up");
	assert_int_equal(s[1].check.interval_ms, 100);
	assert_int_equal(s[1].check.timeout_ms, 100);
	assert_int_equal(s[2].check.kind, CONF_CHECK_TCP);
	assert_int_equal(s[2].check.interval_ms, 5000);
	assert_null(s[2].check.texts[CONF_TEXT_PATH].bytes);
	assert_null(s[2].check.texts[CONF_TEXT_HOST].bytes);
	assert_null(s[2].check.texts[CONF_TEXT_EXPECT].bytes);
	conf_free(c);
}

static void aliases_stand_for_what_they_name(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "services:\n"
		      "  - {vip: 192.0.2.1, port: 80, backends: &pool [10.0.0.1, 10.0.0.2],\n"
		      "     check: &up {type: http, path: /up}}\n"
		      "  - {vip: 192.0.2.2, port: 80, backends: *pool, check: *up}\n",
		      "");

	(void)state;
	assert_int_equal(c->services[1].n_backends, 2);
	assert_string_equal(c->services[1].check.texts[CONF_TEXT_PATH].bytes, "/up");
	conf_free(c);
}

static void an_empty_backends_file_and_no_services_are_fine(void **state)
{
	struct conf *c = parse("\xef\xbb\xbfinterfaces: [eth0]\n"
			       "services: [{vip: 192.0.2.1, port: 80, backends_file: b}]\n",
			       "# none yet\n");

	(void)state;
	assert_int_equal(c->services[0].n_backends, 0);
	conf_free(c);
	c = parse("interfaces: [eth0]\nservices: []\n", "");
	assert_int_equal(c->n_services, 0);
	conf_free(c);
}

static void tcp_and_udp_and_ports_of_one_vip_are_services_of_their_own(void **state)
{
	struct conf *c = parse("interfaces: [eth0]\n"
			       "services:\n"
			       "- {vip: 192.0.2.1, port: 53, backends: [10.0.0.1]}\n"
			       "- {vip: 192.0.2.1, port: 53, backends: [10.0.0.1], protocol: udp}\n"
			       "- {vip: 192.0.2.1, port: any, backends: [10.0.0.1]}\n"
			       "- {vip: 192.0.2.2, port: any, backends: [10.0.0.1]}\n",
			       "");

	(void)state;
	assert_int_equal(c->n_services, 4);
	conf_free(c);
}

static void ports_are_lists_and_ranges(void **state)
{
	struct conf *c = parse(
		"interfaces: [eth0]\n"
		"services:\n"
		"- {vip: 192.0.2.1, port: [443, 8000-8099, 80], backends: [10.0.0.1]}\n"
		"- {vip: 192.0.2.1, port: 1000-1000, backends: [10.0.0.1]}\n"
		"- {vip: 192.0.2.1, port: [7], backends: [10.0.0.1]}\n"
		"- {vip: 192.0.2.1, port: 10000-65535, protocol: udp, backends: [10.0.0.1]}\n",
		"");
	const struct conf_service *s = c->services;
	char text[CONF_PORTS_TEXT_MAX];

	(void)state;
	assert_int_equal(s[0].port, 0);
	assert_int_equal(s[0].n_ports, 3);
	assert_int_equal(s[0].ports[1].from, 8000);
	assert_int_equal(s[0].ports[1].to, 8099);
	assert_int_equal(s[0].ports[1].pos.column, 32);
	assert_string_equal(s[0].name, "192.0.2.1:443.../tcp");
	assert_string_equal(conf_ports_format(&s[0], text), "443,8000-8099,80");
	assert_int_equal(s[0].check.kind, CONF_CHECK_TCP);
	assert_int_equal(s[0].check.port, 443); /* the first */
	assert_int_equal(s[0].backends[0].port, 0); /* the packet's own */
	assert_int_equal(s[1].port, 1000);
	assert_int_equal(s[1].check.port, 0);
	assert_string_equal(s[1].name, "192.0.2.1:1000/tcp");
	assert_int_equal(s[2].port, 7);
	assert_int_equal(s[3].n_ports, 1);
	assert_int_equal(s[3].check.kind, CONF_CHECK_NONE);
	conf_free(c);
}

static void a_vip_may_be_a_prefix(void **state)
{
	struct conf *c = parse("interfaces: [eth0]\n"
			       "services:\n"
			       "- {vip: 198.51.100.0/24, port: any, backends: [10.0.0.1]}\n"
			       "- {vip: 198.51.100.0/25, port: any, backends: [10.0.0.1]}\n"
			       "- {vip: 198.51.100.0, port: any, backends: [10.0.0.1]}\n"
			       "- {vip: 198.51.100.9/32, port: 80, backends: [10.0.0.1]}\n"
			       "- {vip: '2001:db8::/32', port: [53, 54], backends: [10.0.0.1]}\n",
			       "");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(s[0].vip_bits, 24);
	assert_int_equal(s[1].vip_bits, 25);
	assert_int_equal(s[2].vip_bits, 32);
	assert_int_equal(s[3].vip_bits, 32);
	assert_int_equal(s[4].vip_bits, 32);
	assert_string_equal(s[0].name, "198.51.100.0/24:any/tcp");
	assert_string_equal(s[3].name, "198.51.100.9:80/tcp");
	assert_string_equal(s[4].name, "[2001:db8::]/32:53.../tcp");
	conf_free(c);
}

static void ports_that_are_too_many_to_print_end_in_dots(void **state)
{
	struct conf_ports ports[60];
	struct conf_service s = {.ports = ports, .n_ports = 0};
	char text[CONF_PORTS_TEXT_MAX];
	size_t n;

	(void)state;
	assert_string_equal(conf_ports_format(&s, text), "any");
	for (n = 0; n < 60; n++)
		ports[n] = (struct conf_ports){.from = (uint16_t)(1000 + n),
					       .to = (uint16_t)(1000 + n)};
	for (s.n_ports = 1; s.n_ports < 60; s.n_ports++) {
		size_t len = strlen(conf_ports_format(&s, text));
		size_t whole = s.n_ports * 5 - 1;

		assert_true(len < sizeof(text));
		if (whole < sizeof(text))
			assert_int_equal(len, whole);
		else
			assert_string_equal(text + len - 4, ",...");
	}
}

static void a_udp_service_is_checked_where_the_check_has_a_port(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "services: [{vip: 192.0.2.1, port: 53, protocol: udp, check: {port: 80},\n"
		      "            backends: [10.0.0.1]}]\n",
		      "");

	(void)state;
	assert_int_equal(c->services[0].check.kind, CONF_CHECK_TCP);
	assert_int_equal(c->services[0].check.port, 80);
	conf_free(c);
}

static void lookups_find_by_name(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "services: [{name: a, vip: 192.0.2.1, port: 80, backends: [10.0.0.1]}]\n",
		      "");
	struct conf_service *s = conf_find_service(c, "a");

	(void)state;
	assert_ptr_equal(s, c->services);
	assert_null(conf_find_service(c, "b"));
	assert_ptr_equal(conf_find_backend(s, "10.0.0.1"), s->backends);
	assert_null(conf_find_backend(s, "a"));
	assert_string_equal(conf_scheduler_name(SHUNT_WRR), "wrr");
	assert_string_equal(conf_scheduler_name(SHUNT_SCHEDULER_MAX), "?");
	assert_string_equal(conf_xdp_name(CONF_XDP_GENERIC), "generic");
	assert_string_equal(conf_protocol_name(IPPROTO_UDP), "udp");
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ten_lines_of_the_readme_suffice),
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(everything_can_be_said_of_the_host),
		cmocka_unit_test(everything_can_be_said_of_a_service),
		cmocka_unit_test(everything_can_be_said_of_a_check),
		cmocka_unit_test(everything_can_be_said_of_backends),
		cmocka_unit_test(services_take_what_defaults_say_and_override_it),
		cmocka_unit_test(aliases_stand_for_what_they_name),
		cmocka_unit_test(an_empty_backends_file_and_no_services_are_fine),
		cmocka_unit_test(tcp_and_udp_and_ports_of_one_vip_are_services_of_their_own),
		cmocka_unit_test(ports_are_lists_and_ranges),
		cmocka_unit_test(a_vip_may_be_a_prefix),
		cmocka_unit_test(ports_that_are_too_many_to_print_end_in_dots),
		cmocka_unit_test(a_udp_service_is_checked_where_the_check_has_a_port),
		cmocka_unit_test(lookups_find_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
