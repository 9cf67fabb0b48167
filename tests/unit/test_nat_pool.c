/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools by number, and what the configuration says of NAT. */
#include "pure/nat_pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/conf_parse.h"

static struct conf_nat_pool pool_of(size_t n, const char *const *texts)
{
	struct conf_nat_pool pool = {0};

	for (size_t i = 0; i < n; i++)
		assert_int_equal(addr_parse(texts[i], strlen(texts[i]), &pool.addrs[pool.n++]), 0);
	return pool;
}

#define POOL(...)                                                                                  \
	pool_of(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                            \
		(const char *[]){__VA_ARGS__})

static void families_are_counted_apart(void **state)
{
	struct conf_nat_pool pool = POOL("10.0.0.1", "2001:db8::1", "10.0.0.2");

	(void)state;
	assert_int_equal(nat_pool_count(&pool, 4), 2);
	assert_int_equal(nat_pool_count(&pool, 6), 1);
}

static void each_list_has_one_number(void **state)
{
	struct conf_nat_pool a = POOL("10.0.0.1", "2001:db8::1"), b = POOL("10.0.0.2");
	struct conf_nat_pool same4 = POOL("10.0.0.1"), none = {0};
	struct nat_pools pools = {0};
	uint32_t a4, a6, b4;

	(void)state;
	assert_int_equal(nat_pools_find(&pools, &a, 4), 0);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(nat_pools_add(&pools, &a), 0);
		assert_int_equal(nat_pools_add(&pools, &b), 0);
		assert_int_equal(nat_pools_add(&pools, &none), 0);
	}
	a4 = nat_pools_find(&pools, &a, 4);
	a6 = nat_pools_find(&pools, &a, 6);
	b4 = nat_pools_find(&pools, &b, 4);
	assert_true(a4 && a6 && b4 && a4 != b4 && a4 != a6 && a6 != b4);
	assert_int_equal(nat_pools_find(&pools, &same4, 4), a4);
	assert_int_equal(nat_pools_find(&pools, &b, 6), 0);
	assert_int_equal(nat_pools_find(&pools, &none, 4), 0);
	assert_int_equal(pools.pool[a4].n, 1);
	assert_memory_equal(pools.pool[a4].addr[0], a.addrs[0].bytes, 16);
	assert_memory_equal(pools.pool[a6].addr[0], a.addrs[1].bytes, 16);
	assert_int_equal(pools.pool[0].n, 0);
}

static void a_family_never_gets_the_others_numbers(void **state)
{
	struct nat_pools pools = {0};
	struct conf_nat_pool four = {.n = 1, .addrs[0].family = 4};
	struct conf_nat_pool six = {.n = 1, .addrs[0].family = 6};
	int added4 = 0, added6 = 0;

	(void)state;
	for (uint8_t i = 1; i <= SHUNT_NAT_POOLS; i++) {
		four.addrs[0].bytes[3] = six.addrs[0].bytes[15] = i;
		added4 += nat_pools_add(&pools, &four) == 0;
		added6 += nat_pools_add(&pools, &six) == 0;
		assert_true(nat_pools_find(&pools, &four, 4) < SHUNT_NAT_POOLS / 2);
		assert_true(!nat_pools_find(&pools, &six, 6) ||
			    nat_pools_find(&pools, &six, 6) >= SHUNT_NAT_POOLS / 2);
	}
	assert_int_equal(added4, SHUNT_NAT_POOLS / 2 - 1);
	assert_int_equal(added6, SHUNT_NAT_POOLS / 2);
	assert_int_equal(nat_pools_add(&pools, &four), -ENOSPC);
}

static int read_text(void *arg, const char *path, char **data, size_t *len)
{
	(void)path;
	*data = strdup(arg);
	*len = strlen(arg);
	return *data ? 0 : -ENOMEM;
}

static struct conf *parsed(const char *text)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("x", read_text, (void *)(uintptr_t)text, &conf, &err))
		fail_msg("%s", err.text);
	return conf;
}

static void a_configuration_says_all_of_it(void **state)
{
	struct conf *c = parsed(
		"interfaces: [eth0]\n"
		"nat_pool: [10.0.0.9, 2001:db8::9]\n"
		"nat_ports: 1024-65535\n"
		"nat_connections: 4M\n"
		"nat_timeouts: { udp: 2m, established: 1h }\n"
		"services:\n"
		"  - { vip: 192.0.2.1, port: 80, forward: nat,\n"
		"      backends: [10.0.0.1:8080, 10.0.0.1:8081, 10.0.0.2] }\n"
		"  - { vip: 192.0.2.2, port: 80, forward: nat, nat_pool: [10.0.0.8],\n"
		"      backends: [10.0.0.1] }\n"
		"  - { vip: 192.0.2.3, port: 80, forward: masq, backends: [10.0.0.1:81] }\n");
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(c->nat_ports.first, 1024);
	assert_int_equal(c->nat_ports.last, 65535);
	assert_int_equal(c->nat_connections, 4 << 20);
	assert_int_equal(c->nat_timeout_ms[SHUNT_NAT_T_UDP], 120000);
	assert_int_equal(c->nat_timeout_ms[SHUNT_NAT_T_ESTABLISHED], 3600000);
	assert_int_equal(c->nat_timeout_ms[SHUNT_NAT_T_SYN], 60000);
	assert_int_equal(s[0].nat_pool.n, 2);
	assert_int_equal(s[1].nat_pool.n, 1);
	assert_int_equal(s[0].backends[0].port, 8080);
	assert_string_equal(s[0].backends[0].name, "10.0.0.1:8080");
	assert_string_equal(s[0].backends[1].name, "10.0.0.1:8081");
	assert_int_equal(s[0].backends[2].port, 80);
	assert_string_equal(s[0].backends[2].name, "10.0.0.2");
	assert_int_equal(s[2].forward, SHUNT_MASQ);
	assert_int_equal(s[2].backends[0].port, 81);
	conf_free(c);
}

static void without_a_word_there_are_defaults(void **state)
{
	struct conf *c = parsed("interfaces: [eth0]\nservices: []\n");

	(void)state;
	assert_int_equal(c->nat_pool.n, 0);
	assert_int_equal(c->nat_ports.first, 10000);
	assert_int_equal(c->nat_ports.last, 29999);
	assert_int_equal(c->nat_connections, 1 << 20);
	assert_int_equal(c->nat_timeout_ms[SHUNT_NAT_T_ESTABLISHED], 7500000);
	assert_int_equal(c->nat_timeout_ms[SHUNT_NAT_T_RESET], 10000);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_are_counted_apart),
		cmocka_unit_test(each_list_has_one_number),
		cmocka_unit_test(a_family_never_gets_the_others_numbers),
		cmocka_unit_test(a_configuration_says_all_of_it),
		cmocka_unit_test(without_a_word_there_are_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
