/* SPDX-License-Identifier: BSD-2-Clause */
/* Services for prefixes and for many ports in dp's tables: what packets find, before and after tables
 * grow, while they change, and what is read back. */
#include "dp_tables.h"

#include <pthread.h>

#include "io/dp_impl.h"

#define ROW(i) (2 * (i) + 1) /* of the one backend of test_service(i) */

/* Service number @i of the fixture, found by @vip/@bits and the ports @from to @to. */
static struct dp_service service(uint32_t i, const char *vip, uint8_t bits, uint16_t from,
				 uint16_t to)
{
	struct dp_service s = test_service(i);

	assert_int_equal(addr_parse(vip, strlen(vip), &s.vip), 0);
	s.vip_bits = bits;
	s.port = from;
	s.port_to = to;
	return s;
}

/* The row that counts a packet to @text and @port, 0 when it is for nobody. */
static uint32_t row_of(const struct dp *dp, const char *text, uint16_t port)
{
	uint64_t before[16];
	struct addr a;
	struct frame f;
	uint32_t i;

	assert_int_equal(addr_parse(text, strlen(text), &a), 0);
	for (i = 0; i < 16; i++)
		before[i] = row_packets(dp, i);
	f = udp_frame(&a, port, 4000);
	run_frame(dp, &f, NULL);
	for (i = 1; i < 16; i++)
		if (row_packets(dp, i) != before[i])
			return i;
	return 0;
}

static void sizes_need(struct dp *dp, const struct dp_service *s, size_t n)
{
	struct dp_sizes sizes = *dp_sizes(dp);
	struct dp_error err = {""};

	assert_int_equal(dp_services_need(s, n, &sizes), 0);
	if (dp_grow(dp, &sizes, &err))
		fail_msg("%s", err.text);
}

static void put(struct dp *dp, const struct dp_service *s, size_t n)
{
	sizes_need(dp, s, n);
	switch_to(dp, s, n);
}

static const char *const nested[][2] = {
	{"198.51.100.1", "2001:db8:1:2::1"}, /* one address */
	{"198.51.100.0", "2001:db8:1:2::"}, /* 24 and 64 */
	{"198.51.0.0", "2001:db8::"}, /* 16 and 32 */
};

static void the_longest_prefix_holds(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	int v6;

	(void)state;
	fill(dp, 8);
	for (v6 = 0; v6 < 2; v6++) {
		struct dp_service s[] = {
			service(0, nested[0][v6], 0, 53, 0),
			service(1, nested[1][v6], v6 ? 64 : 24, 0, 0),
			service(2, nested[2][v6], v6 ? 32 : 16, 0, 0),
			service(3, nested[1][v6], v6 ? 64 : 24, 80, 80),
		};

		put(dp, s, 4);
		assert_int_equal(row_of(dp, nested[0][v6], 53), ROW(0));
		assert_int_equal(row_of(dp, nested[0][v6], 54), ROW(1));
		assert_int_equal(row_of(dp, nested[0][v6], 80), ROW(3));
		assert_int_equal(
			row_of(dp, v6 ? "2001:db8:1:2:ffff:ffff:ffff:ffff" : "198.51.100.255", 81),
			ROW(1));
		assert_int_equal(row_of(dp, v6 ? "2001:db8:1:3::" : "198.51.101.0", 80), ROW(2));
		assert_int_equal(row_of(dp, v6 ? "2001:db8:ffff::" : "198.51.255.255", 80), ROW(2));
		assert_int_equal(row_of(dp, v6 ? "2001:db9::" : "198.52.0.0", 80), 0);
		assert_int_equal(row_of(dp, v6 ? "2001:db7::" : "198.50.255.255", 80), 0);
		put(dp, s, 1);
		assert_int_equal(row_of(dp, nested[0][v6], 53), ROW(0));
		assert_int_equal(row_of(dp, nested[0][v6], 54), 0);
	}
	dp_close(dp);
}

static void one_service_has_many_ports(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	/* the second is too wide to be written out */
	struct dp_service s[] = {
		service(0, "192.0.2.1", 0, 80, 0),	  service(0, "192.0.2.1", 0, 8000, 8099),
		service(1, "192.0.2.1", 0, 10000, 20000), service(1, "192.0.2.1", 0, 65535, 0),
		service(2, "2001:db8::1", 0, 1, 65535),
	};

	(void)state;
	fill(dp, 8);
	put(dp, s, 5);
	assert_int_equal(row_of(dp, "192.0.2.1", 80), ROW(0));
	assert_int_equal(row_of(dp, "192.0.2.1", 81), 0);
	assert_int_equal(row_of(dp, "192.0.2.1", 7999), 0);
	assert_int_equal(row_of(dp, "192.0.2.1", 8000), ROW(0));
	assert_int_equal(row_of(dp, "192.0.2.1", 8099), ROW(0));
	assert_int_equal(row_of(dp, "192.0.2.1", 8100), 0);
	assert_int_equal(row_of(dp, "192.0.2.1", 9999), 0);
	assert_int_equal(row_of(dp, "192.0.2.1", 10000), ROW(1));
	assert_int_equal(row_of(dp, "192.0.2.1", 20000), ROW(1));
	assert_int_equal(row_of(dp, "192.0.2.1", 20001), 0);
	assert_int_equal(row_of(dp, "192.0.2.1", 65535), ROW(1));
	assert_int_equal(row_of(dp, "2001:db8::1", 0), 0);
	assert_int_equal(row_of(dp, "2001:db8::1", 1), ROW(2));
	assert_int_equal(row_of(dp, "2001:db8::1", 65535), ROW(2));
	dp_close(dp);
}

/* As many spans as a prefix can have: every second port is somebody's. */
static void a_prefix_may_have_every_second_port(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	struct dp_service *s = calloc(32768, sizeof(*s));
	uint32_t i;

	(void)state;
	assert_non_null(s);
	fill(dp, 8);
	for (i = 0; i < 32768; i++)
		s[i] = service(i / 8192, "198.51.100.0", 24, (uint16_t)(2 * i + 1), 0);
	put(dp, s, 32768);
	assert_true(dp_sizes(dp)->spans >= 65536);
	for (i = 1; i < 65536; i += 2) {
		if (i % 1001 < 2)
			assert_int_equal(row_of(dp, "198.51.100.9", (uint16_t)i),
					 ROW(i / 2 / 8192));
		if (i % 999 < 2)
			assert_int_equal(row_of(dp, "198.51.100.9", (uint16_t)(i - 1)), 0);
	}
	assert_int_equal(row_of(dp, "198.51.100.9", 65535), ROW(3));
	free(s);
	dp_close(dp);
}

static void clashes_and_too_many_change_nothing(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	struct dp_service s[] = {
		service(0, "198.51.100.0", 24, 80, 90),
		service(1, "198.51.100.0", 24, 90, 0),
	};
	struct dp_service many_ports[100];
	struct dp_error err = {""};
	uint16_t i;

	(void)state;
	fill(dp, 8);
	put(dp, s, 1);
	assert_int_equal(dp_services_switch(dp, s, 2, &err), -EEXIST);
	assert_non_null(
		strstr(err.text, "two services have the address 198.51.100.0:90, protocol udp"));
	for (i = 0; i < 100; i++)
		many_ports[i] = service(0, "198.51.100.0", 24, (uint16_t)(2 * i + 1), 0);
	assert_int_equal(dp_services_switch(dp, many_ports, 100, &err), -ENOSPC);
	assert_non_null(strstr(err.text, " stretches of ports do not fit into tables made for "));
	assert_int_equal(row_of(dp, "198.51.100.9", 80), ROW(0));
	dp_close(dp);
}

struct seen {
	uint32_t n, ports[4], bits;
};

static void note(void *arg, const struct dp_service *s)
{
	struct seen *seen = arg;
	uint32_t i = s->svc.row / 2;

	assert_in_range(i, 0, 3);
	seen->n++;
	seen->ports[i] += s->port == 0 ? 65536u : s->port_to ? s->port_to - s->port + 1u : 1u;
	seen->bits += s->vip_bits;
}

static void check_read_back(const struct dp *dp)
{
	struct seen seen = {0};

	dp_services_each(dp, note, &seen);
	assert_int_equal(seen.ports[0], 3);
	assert_int_equal(seen.ports[1], 5001);
	assert_int_equal(seen.ports[2], 65536);
	assert_int_equal(seen.ports[3], 65536);
	assert_int_equal(seen.n, 6);
	assert_int_equal(seen.bits, 32 + 24 + 48);
}

/* By both families at once, and from either half into the first one of larger tables. */
static void growing_and_reading_back_keep_prefixes(void **state)
{
	struct dp_service s[] = {
		service(0, "192.0.2.1", 0, 80, 82),
		service(1, "192.0.2.1", 0, 1000, 6000),
		service(2, "198.51.100.0", 24, 0, 0),
		service(3, "2001:db8::", 48, 0, 0),
	};
	int round;

	(void)state;
	for (round = 0; round < 3; round++) {
		struct dp *dp = open_dp(16, 64, 16);
		struct dp_sizes more = {.services = 5000, .spans = 3000};
		int i;

		fill(dp, 8);
		for (i = 0; i <= round; i++)
			put(dp, s, 4);
		check_read_back(dp);
		assert_int_equal(dp_grow(dp, &more, NULL), 0);
		check_read_back(dp);
		assert_int_equal(row_of(dp, "192.0.2.1", 81), ROW(0));
		assert_int_equal(row_of(dp, "192.0.2.1", 6000), ROW(1));
		assert_int_equal(row_of(dp, "198.51.100.77", 9), ROW(2));
		assert_int_equal(row_of(dp, "2001:db8:0:7::", 9), ROW(3));
		assert_int_equal(row_of(dp, "2001:db8:1::", 9), 0);
		put(dp, s, 3);
		assert_int_equal(row_of(dp, "198.51.100.77", 9), ROW(2));
		assert_int_equal(row_of(dp, "2001:db8:0:7::", 9), 0);
		dp_close(dp);
	}
}

static uint32_t keys_in(const struct dp *dp)
{
	struct shunt_prefix_key key, *from = NULL;
	uint32_t n = 0;

	for (; bpf_map_get_next_key(dp_map_fd(dp, "prefixes"), from, &key) == 0; n++)
		from = &key;
	return n;
}

/* A daemon killed between writing prefixes and the switch leaves them behind. */
static void what_a_killed_daemon_left_goes_with_the_next_switch(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	struct dp_service s[] = {service(0, "198.51.100.0", 24, 0, 0),
				 service(1, "2001:db8::", 32, 0, 0)};
	struct shunt_prefix_key left = {.prefixlen = SHUNT_PREFIX_BITS + 32,
					.family = 4,
					.protocol = IPPROTO_UDP,
					.addr = {inet_addr("198.51.100.9")}};
	const struct shunt_prefix value = {0, 1};

	(void)state;
	fill(dp, 8);
	put(dp, s, 2);
	assert_int_equal(keys_in(dp), 2);
	left.half = !dp_ctl(dp)->active;
	assert_int_equal(bpf_map_update_elem(dp_map_fd(dp, "prefixes"), &left, &value, 0), 0);
	put(dp, s, 2);
	assert_int_equal(keys_in(dp), 2);
	assert_int_equal(row_of(dp, "198.51.100.9", 7), ROW(0));
	put(dp, NULL, 0);
	assert_int_equal(keys_in(dp), 0);
	dp_close(dp);
}

static void what_is_prepared_and_dropped_leaves_nothing(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	struct dp_service s = service(0, "198.51.100.0", 24, 0, 0);
	struct dp_services *prepared = NULL;

	(void)state;
	fill(dp, 8);
	sizes_need(dp, &s, 1);
	assert_int_equal(dp_services_prepare(dp, &s, 1, &prepared, NULL), 0);
	assert_int_equal(keys_in(dp), 1);
	assert_int_equal(row_of(dp, "198.51.100.9", 7), 0);
	dp_services_drop(prepared);
	assert_int_equal(keys_in(dp), 0);
	dp_close(dp);
}

/* ---- while services change ----------------------------------------------------------------------*/

struct sender {
	const struct dp *dp;
	bool stop;
	uint32_t sent;
};

static void *send_packets(void *arg)
{
	struct sender *s = arg;
	struct addr a = {4, {198, 51, 100, 9}};
	struct frame f = udp_frame(&a, 80, 4000);

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		run_frame(s->dp, &f, NULL);
		s->sent++;
	}
	return NULL;
}

/* Every packet finds one of the two that the prefix has in turn. */
static void no_packet_falls_between_two_switches_of_a_prefix(void **state)
{
	struct dp *dp = open_dp(16, 64, 16);
	struct dp_service s[2] = {service(0, "198.51.100.0", 24, 0, 0),
				  service(1, "198.51.100.0", 24, 0, 0)};
	struct sender sender = {.dp = dp};
	uint64_t verdicts[SHUNT_VERDICT_MAX];
	pthread_t thread;
	int i;

	(void)state;
	fill(dp, 8);
	put(dp, s, 1);
	assert_int_equal(pthread_create(&thread, NULL, send_packets, &sender), 0);
	for (i = 0; i < 300; i++)
		switch_to(dp, &s[i % 2], 1);
	__atomic_store_n(&sender.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	dp_verdicts_read(dp, verdicts);
	assert_int_equal(verdicts[SHUNT_PASS_NOT_VIP], 0);
	assert_int_equal(row_packets(dp, ROW(0)) + row_packets(dp, ROW(1)), sender.sent);
	assert_true(sender.sent > 1000 && row_packets(dp, ROW(0)) && row_packets(dp, ROW(1)));
	dp_close(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_holds),
		cmocka_unit_test(one_service_has_many_ports),
		cmocka_unit_test(a_prefix_may_have_every_second_port),
		cmocka_unit_test(clashes_and_too_many_change_nothing),
		cmocka_unit_test(growing_and_reading_back_keep_prefixes),
		cmocka_unit_test(what_a_killed_daemon_left_goes_with_the_next_switch),
		cmocka_unit_test(what_is_prepared_and_dropped_leaves_nothing),
		cmocka_unit_test(no_packet_falls_between_two_switches_of_a_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
