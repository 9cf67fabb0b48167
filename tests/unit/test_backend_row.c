/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "pure/backend_row.h"

static struct backend_row_spec spec_of(const char *addr, const char *source, uint8_t vip_family)
{
	struct backend_row_spec s = {
		.dmac = {2, 0, 0, 0, 0, 1},
		.smac = {2, 0, 0, 0, 0, 2},
		.ifindex = 7,
		.mtu = 1500,
		.method = SHUNT_IPIP,
		.vip_family = vip_family,
		.usable = true,
	};

	assert_int_equal(addr_parse(addr, strlen(addr), &s.addr), 0);
	assert_int_equal(addr_parse(source, strlen(source), &s.source), 0);
	return s;
}

/* A header as the packet path would write it, checksummed from the row's sum, must sum to 0xffff. */
static void check_header(uint8_t vip_family, uint8_t protocol)
{
	struct backend_row_spec s = spec_of("10.0.0.11", "10.0.0.1", vip_family);
	struct shunt_backend b;
	uint16_t header[10] = {htons(0x4500 | 0xb8), htons(1234), 0, htons(0x4000),
			       htons(0x4000 | protocol)};
	uint32_t sum;
	int i;

	backend_row_build(&s, &b);
	sum = b.outer_csum + htons(0xb8) + header[1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	header[5] = (uint16_t)~sum;
	memcpy(&header[6], b.source, 4);
	memcpy(&header[8], b.addr, 4);
	for (sum = 0, i = 0; i < 10; i++)
		sum += ntohs(header[i]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
}

static void precomputes_the_outer_checksum(void **state)
{
	(void)state;
	check_header(4, 4);
	check_header(6, 41);
}

static void copies_addresses_and_macs(void **state)
{
	struct backend_row_spec s = spec_of("2001:db8::b", "2001:db8::1", 4);
	struct shunt_backend b;

	(void)state;
	s.no_new = true;
	s.tags = 1;
	s.vlan_tci[0] = 100;
	backend_row_build(&s, &b);
	assert_memory_equal(b.addr, s.addr.bytes, 16);
	assert_memory_equal(b.source, s.source.bytes, 16);
	assert_memory_equal(b.dmac, s.dmac, 6);
	assert_memory_equal(b.smac, s.smac, 6);
	assert_int_equal(b.flags, SHUNT_BE_USABLE | SHUNT_BE_ADDR6 | SHUNT_BE_NO_NEW);
	assert_int_equal(b.vlan_tci[0], htons(100));
	assert_int_equal(b.outer_csum, 0);
	assert_int_equal(b.method, SHUNT_IPIP);
}

static void bounds_the_mtu(void **state)
{
	struct backend_row_spec s = spec_of("10.0.0.11", "10.0.0.1", 4);
	struct shunt_backend b;

	(void)state;
	s.mtu = 65536;
	backend_row_build(&s, &b);
	assert_int_equal(b.mtu, 65535);
}

static void reads_back_what_it_built(void **state)
{
	struct backend_row_spec s = spec_of("10.0.0.11", "10.0.0.1", 4), back;
	struct shunt_backend b, again;

	(void)state;
	s.tags = 2;
	s.vlan_tci[0] = 300;
	s.vlan_tci[1] = 5;
	backend_row_build(&s, &b);
	backend_row_read(&b, &back);
	assert_int_equal(back.vlan_tci[0], 300);
	assert_int_equal(addr_compare(&back.source, &s.source), 0);
	back.vip_family = 4;
	backend_row_build(&back, &again);
	assert_memory_equal(&again, &b, sizeof(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(precomputes_the_outer_checksum),
		cmocka_unit_test(copies_addresses_and_macs),
		cmocka_unit_test(bounds_the_mtu),
		cmocka_unit_test(reads_back_what_it_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
