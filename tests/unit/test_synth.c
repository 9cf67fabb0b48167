/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up packets have the lengths and fields that a parser wants. */
#include "pure/synth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct synth of(enum synth_kind kind, uint8_t family)
{
	struct synth s = {.kind = kind,
			  .client = {.family = family, .bytes = {198, 51, 100, 7}},
			  .vip = {.family = family, .bytes = {203, 0, 113, 1}},
			  .client_port = 0x1234,
			  .port = 80};

	return s;
}

static uint32_t word16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t sum20(const uint8_t *ip)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < 20; i += 2)
		sum += word16(ip + i);
	return (sum & 0xffff) + (sum >> 16);
}

static void tcp_is_an_ack_in_a_right_ip_header(void **state)
{
	struct synth s = of(SYNTH_TCP, 4);
	uint8_t f[SYNTH_FRAME_MAX];
	size_t len = synth_frame(&s, f);

	(void)state;
	assert_int_equal(len, 14 + 20 + 20);
	assert_int_equal(synth_l3_len(len), 40);
	assert_int_equal(word16(f + 12), 0x0800);
	assert_int_equal(word16(f + 16), 40);
	assert_int_equal(sum20(f + 14), 0xffff);
	assert_memory_equal(f + 26, s.client.bytes, 4);
	assert_memory_equal(f + 30, s.vip.bytes, 4);
	assert_int_equal(word16(f + 34), 0x1234);
	assert_int_equal(word16(f + 36), 80);
	assert_int_equal(f[14 + 20 + 12] >> 4, 5);
	assert_int_equal(f[14 + 20 + 13], 0x10);
}

static void udp_over_ipv6_says_its_length(void **state)
{
	struct synth s = of(SYNTH_UDP, 6);
	uint8_t f[SYNTH_FRAME_MAX];

	(void)state;
	assert_int_equal(synth_frame(&s, f), 14 + 40 + 9);
	assert_int_equal(word16(f + 12), 0x86dd);
	assert_int_equal(f[20], 17);
	assert_int_equal(word16(f + 18), 9);
	assert_int_equal(word16(f + 54 + 4), 9);
}

static void an_error_quotes_what_the_service_has_sent(void **state)
{
	struct synth s = of(SYNTH_ICMP_TCP, 4);
	uint8_t f[SYNTH_FRAME_MAX];
	const uint8_t *quoted = f + 14 + 20 + 8;

	(void)state;
	assert_int_equal(synth_frame(&s, f), 14 + 20 + 8 + 20 + 20);
	assert_int_equal(f[23], 1);
	assert_int_equal(f[34], 3);
	assert_int_equal(sum20(quoted), 0xffff);
	assert_memory_equal(quoted + 12, s.vip.bytes, 4);
	assert_memory_equal(quoted + 16, s.client.bytes, 4);
	assert_int_equal(word16(quoted + 20), 80);
	assert_int_equal(word16(quoted + 22), 0x1234);
	s = of(SYNTH_ICMP_UDP, 6);
	assert_int_equal(synth_frame(&s, f), 14 + 40 + 8 + 40 + 9);
	assert_int_equal(f[20], 58);
	assert_int_equal(f[54], 1);
}

static void the_first_packet_is_a_syn_when_it_is_wanted(void **state)
{
	struct synth s = of(SYNTH_TCP, 4);
	uint8_t f[SYNTH_FRAME_MAX];

	(void)state;
	s.syn = true;
	assert_int_equal(synth_frame(&s, f), 14 + 20 + 20);
	assert_int_equal(f[14 + 20 + 13], 0x02);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_an_ack_in_a_right_ip_header),
		cmocka_unit_test(the_first_packet_is_a_syn_when_it_is_wanted),
		cmocka_unit_test(udp_over_ipv6_says_its_length),
		cmocka_unit_test(an_error_quotes_what_the_service_has_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
