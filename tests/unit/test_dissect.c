/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames in words, addresses and ports of packets, captures as frames, and ends of flows as operators write
 * them. */
#include "pure/dissect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include <netinet/in.h>

#include "pure/endpoint.h"
#include "pure/refit.h"
#include "pure/synth.h"

static const struct synth flow = {.kind = SYNTH_TCP,
				  .client = {4, {192, 0, 2, 7}},
				  .vip = {4, {203, 0, 113, 10}},
				  .client_port = 40000,
				  .port = 80,
				  .syn = true};
#define L2 "02:00:00:00:00:02 > 02:00:00:00:00:01"

/* ---- frames -----------------------------------------------------------------------------------*/

/* Puts @n bytes of @header behind the Ethernet header, with @type in it. */
static size_t wrap(uint8_t *frame, size_t len, const void *header, size_t n, uint16_t type)
{
	memmove(frame + 14 + n, frame + 14, len - 14);
	memcpy(frame + 14, header, n);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	return len + n;
}

static void headers_are_told_from_the_outermost_on(void **state)
{
	static const uint8_t outer[20] = {0x45, [9] = 4, [12] = 10, 0, 0, 2, 10, 0, 0, 11};
	static const uint8_t gue[32] = {0x45, [9] = 17, [12] = 10, 0,	 0, 2, 10, 0, 0,       11,
					0xc0, 0,	0x17,	   0xc0, 0, 0, 0,  0, [29] = 4};
	static const uint8_t gre[24] = {0x45, [9] = 47, [12] = 10, 0, 0, 2, 10, 0, 0, 11, [22] = 8};
	static const uint8_t tag[4] = {0, 10, 8, 0};
	char words[DISSECT_WORDS_MAX];
	uint8_t f[SYNTH_FRAME_MAX + 64];
	size_t len = synth_frame(&flow, f);
	const char *inner = ", IPv4 192.0.2.7 > 203.0.113.10, TCP 40000 > 80 SYN";

	(void)state;
	assert_string_equal(dissect_words(f, len, words),
			    L2 ", IPv4 192.0.2.7 > 203.0.113.10, TCP 40000 > 80 SYN");
	len = wrap(f, len, outer, sizeof(outer), 0x0800);
	dissect_words(f, len, words);
	assert_memory_equal(words, L2 ", IPv4 10.0.0.2 > 10.0.0.11, IPv4", 70);
	assert_non_null(strstr(words, inner));
	len = wrap(f, synth_frame(&flow, f), gue, sizeof(gue), 0x0800);
	assert_non_null(strstr(dissect_words(f, len, words), ", GUE 49152 > 6080"));
	assert_non_null(strstr(words, inner));
	len = wrap(f, synth_frame(&flow, f), gre, sizeof(gre), 0x0800);
	assert_non_null(strstr(dissect_words(f, len, words), ", GRE, IPv4 192.0.2.7"));
	len = wrap(f, synth_frame(&flow, f), tag, sizeof(tag), 0x8100);
	assert_non_null(strstr(dissect_words(f, len, words), ", VLAN 10, IPv4 192.0.2.7"));
}

static void a_packet_is_a_line(void **state)
{
	struct synth s = flow;
	char line[DISSECT_LINE_MAX];
	uint8_t f[SYNTH_FRAME_MAX] = {0};
	struct dissect d;

	(void)state;
	dissect_frame(f, synth_frame(&s, f), &d);
	assert_string_equal(dissect_line(&d, line), "TCP SYN 192.0.2.7:40000 > 203.0.113.10:80");
	assert_int_equal(d.l3_len, 40);
	assert_int_equal(d.ip_at, 14);
	s.kind = SYNTH_UDP;
	s.client = s.vip = (struct addr){6, {0x20, 1, 0xd, 0xb8, [15] = 1}};
	dissect_frame(f, synth_frame(&s, f), &d);
	assert_string_equal(dissect_line(&d, line), "UDP [2001:db8::1]:40000 > [2001:db8::1]:80");
	s.kind = SYNTH_ICMP_UDP;
	dissect_frame(f, synth_frame(&s, f), &d);
	assert_string_equal(dissect_line(&d, line), "ICMPv6 2001:db8::1 > 2001:db8::1");
	f[12] = 0;
	dissect_frame(f, 60, &d);
	assert_string_equal(dissect_line(&d, line), "not IP");
}

static void cut_at_any_length_nothing_is_read_beyond(void **state)
{
	static const enum synth_kind kinds[] = {SYNTH_TCP, SYNTH_UDP, SYNTH_ICMP_TCP};
	char words[DISSECT_WORDS_MAX];
	uint8_t f[SYNTH_FRAME_MAX];
	struct synth s = flow;
	struct dissect d;
	size_t len, n, k;

	(void)state;
	for (k = 0; k < 3; k++) {
		s.kind = kinds[k];
		len = synth_frame(&s, f);
		for (n = 0; n <= len; n++) {
			uint8_t *cut = malloc(n + 1);

			memcpy(cut, f, n);
			cut = realloc(cut, n ? n : 1);
			dissect_frame(cut, n, &d);
			dissect_words(cut, n, words);
			free(cut);
		}
	}
}

/* ---- captures ---------------------------------------------------------------------------------*/

static void captures_become_frames(void **state)
{
	static struct refit r;
	uint8_t f[SYNTH_FRAME_MAX], cooked[SYNTH_FRAME_MAX + 20] = {0};
	size_t len = synth_frame(&flow, f);
	struct dissect d;

	(void)state;
	assert_true(refit_packet(REFIT_ETHERNET, f, len, len, &r));
	assert_int_equal(r.len, len);
	assert_memory_equal(r.frame, f, len);
	assert_true(refit_packet(REFIT_RAW, f + 14, len - 14, len - 14, &r));
	assert_int_equal(r.len, len);
	assert_memory_equal(r.frame + 12, f + 12, len - 12);
	cooked[14] = 8;
	memcpy(cooked + 16, f + 14, len - 14);
	assert_true(refit_packet(REFIT_SLL, cooked, len + 2, len + 2, &r));
	assert_memory_equal(r.frame + 12, f + 12, len - 12);
	assert_true(refit_packet(REFIT_ETHERNET, f, 40, len + 100, &r));
	assert_true(r.padded);
	assert_int_equal(r.len, len + 100);
	dissect_frame(r.frame, r.len, &d);
	assert_true(d.is_ip);
	f[12] = f[13] = 6;
	assert_false(refit_packet(REFIT_ETHERNET, f, len, len, &r));
	assert_false(refit_knows(105)); /* 802.11 */
	assert_false(refit_packet(105, f, len, len, &r));
}

static void what_is_too_long_says_that_it_is_shorter(void **state)
{
	static uint8_t long_one[9000];
	static struct refit r;
	struct synth s = flow;
	struct dissect d;
	uint32_t sum = 0, i;

	(void)state;
	s.kind = SYNTH_UDP;
	synth_frame(&s, long_one);
	assert_true(refit_packet(REFIT_ETHERNET, long_one, sizeof(long_one), sizeof(long_one), &r));
	assert_true(r.shortened);
	assert_int_equal(r.len, 1514);
	dissect_frame(r.frame, r.len, &d);
	assert_int_equal(d.l3_len, 1500);
	assert_int_equal(r.frame[14 + 24] << 8 | r.frame[14 + 25], 1480);
	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)r.frame[14 + i] << 8 | r.frame[15 + i];
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	s.client = s.vip = (struct addr){6, {0x20, 1, 0xd, 0xb8, [15] = 1}};
	synth_frame(&s, long_one);
	assert_true(refit_packet(REFIT_ETHERNET, long_one, sizeof(long_one), sizeof(long_one), &r));
	dissect_frame(r.frame, r.len, &d);
	assert_int_equal(d.l3_len, 1500);
}

/* ---- ends of flows ----------------------------------------------------------------------------*/

static void ends_of_flows_are_read(void **state)
{
	struct endpoint e;

	(void)state;
	assert_null(endpoint_parse("192.0.2.7:40000", &e));
	assert_int_equal(e.addr.family, 4);
	assert_int_equal(e.port, 40000);
	assert_int_equal(e.protocol, 0);
	assert_null(endpoint_parse("[2001:db8::53]:53/udp", &e));
	assert_int_equal(e.addr.family, 6);
	assert_int_equal(e.port, 53);
	assert_int_equal(e.protocol, IPPROTO_UDP);
	assert_null(endpoint_parse("203.0.113.10:65535/tcp", &e));
	assert_int_equal(e.protocol, IPPROTO_TCP);
}

static void what_is_wrong_with_others_is_told(void **state)
{
	static const char *const wrong[][2] = {
		{"", "follow the address"},	   {"192.0.2.7", "follow the address"},
		{"192.0.2.7:", "1 to 65535"},	   {"192.0.2.7:0", "1 to 65535"},
		{"192.0.2.7:65536", "1 to 65535"}, {"192.0.2.7:-1", "1 to 65535"},
		{"192.0.2.7:80x", "1 to 65535"},   {"192.0.2.7:99999999999999999999", "1 to 65535"},
		{"192.0.2.7:80/", "tcp or udp"},   {"192.0.2.7:80/sctp", "tcp or udp"},
		{"192.0.2.700:80", "no address"},  {"name:80", "no address"},
		{"2001:db8::1:80", "brackets"},	   {"[2001:db8::1]", "brackets"},
		{"[2001:db8::1:80", "brackets"},   {"[192.0.2.7]:80", "no IPv6"},
	};
	struct endpoint e;
	const char *said;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		said = endpoint_parse(wrong[i][0], &e);
		assert_non_null(said);
		assert_non_null(strstr(said, wrong[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_told_from_the_outermost_on),
		cmocka_unit_test(a_packet_is_a_line),
		cmocka_unit_test(cut_at_any_length_nothing_is_read_beyond),
		cmocka_unit_test(captures_become_frames),
		cmocka_unit_test(what_is_too_long_says_that_it_is_shorter),
		cmocka_unit_test(ends_of_flows_are_read),
		cmocka_unit_test(what_is_wrong_with_others_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
