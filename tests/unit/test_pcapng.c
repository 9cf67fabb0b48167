/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures are read by libpcap as they were written. */
#include "pure/pcapng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>
#include <pcap/pcap.h>

static uint8_t block[PCAPNG_MAX];

static void write_block(FILE *f, size_t len)
{
	uint32_t first, last;

	assert_int_equal(len % 4, 0);
	memcpy(&first, block + 4, 4);
	memcpy(&last, block + len - 4, 4);
	assert_int_equal(first, len);
	assert_int_equal(last, len);
	assert_int_equal(fwrite(block, len, 1, f), 1);
}

static void what_is_written_is_read(void **state)
{
	uint8_t frame[PCAPNG_FRAME_MAX];
	struct pcapng_packet p = {
		.time_us = 1700000000123456, .frame = frame, .comment = "drop_denied, web"};
	char path[] = "/tmp/shunt-test.XXXXXX", why[PCAP_ERRBUF_SIZE];
	FILE *f = fdopen(mkstemp(path), "w");
	struct pcap_pkthdr *h;
	const uint8_t *data;
	uint32_t n;
	pcap_t *in;

	(void)state;
	memset(frame, 0x5a, sizeof(frame));
	assert_non_null(f);
	write_block(f, pcapng_begin("shunt", block));
	write_block(f, pcapng_interface("before", "as packets come", block));
	write_block(f, pcapng_interface("after", "", block));
	for (n = 1; n <= PCAPNG_FRAME_MAX; n += n < 70 ? 1 : 997) {
		p.interface = n % 2;
		p.have = n;
		p.len = n + 7;
		write_block(f, pcapng_packet(&p, block));
	}
	fclose(f);
	in = pcap_open_offline(path, why);
	assert_non_null(in);
	assert_int_equal(pcap_datalink(in), DLT_EN10MB);
	for (n = 1; n <= PCAPNG_FRAME_MAX; n += n < 70 ? 1 : 997) {
		assert_int_equal(pcap_next_ex(in, &h, &data), 1);
		assert_int_equal(h->caplen, n);
		assert_int_equal(h->len, n + 7);
		assert_int_equal(h->ts.tv_sec, 1700000000);
		assert_int_equal(h->ts.tv_usec, 123456);
		assert_memory_equal(data, frame, n);
	}
	assert_int_equal(pcap_next_ex(in, &h, &data), PCAP_ERROR_BREAK);
	pcap_close(in);
	unlink(path);
}

static void the_largest_block_has_room(void **state)
{
	uint8_t frame[PCAPNG_FRAME_MAX] = {0};
	char comment[600];
	const struct pcapng_packet p = {
		.frame = frame, .have = UINT32_MAX, .len = 9000, .comment = comment};

	(void)state;
	memset(comment, 'c', sizeof(comment));
	comment[sizeof(comment) - 1] = '\0';
	assert_in_range(pcapng_packet(&p, block), PCAPNG_FRAME_MAX, PCAPNG_MAX);
	assert_in_range(pcapng_interface(comment, comment, block), 500, PCAPNG_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_largest_block_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
