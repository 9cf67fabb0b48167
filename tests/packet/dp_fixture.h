/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of dp share: sizes, a service with one backend, frames, and running one through the
 * program. Rows and lines are laid out in order: service i has rows 2i (its own) and 2i+1, line i. */
#ifndef DP_FIXTURE_H
#define DP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>

#include "io/dp.h"

#define FRAME_MAX 128
#define OUT_MAX 512

struct frame {
	uint8_t pad[2]; /* the IP header is aligned as the sanitizer wants it */
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
};

static inline void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline uint16_t ip_checksum(const uint8_t *header)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A UDP packet of 20 bytes of payload to @vip and @port. */
static inline struct frame udp_frame(const struct addr *vip, uint16_t port, uint16_t source_port)
{
	struct frame f = {.len = 0};
	size_t ip_len = vip->family == 6 ? 40 : 20, udp_len = 28;
	uint8_t *ip = f.bytes + 14, *udp = ip + ip_len;

	memcpy(f.bytes, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
	put16(f.bytes + 12, vip->family == 6 ? ETH_P_IPV6 : ETH_P_IP);
	if (vip->family == 6) {
		ip[0] = 0x60;
		put16(ip + 4, (uint16_t)udp_len);
		ip[6] = IPPROTO_UDP;
		ip[7] = 64;
		memcpy(ip + 8, "\x20\x01\x0d\xb8\x09\0\0\0\0\0\0\0\0\0\0\x99", 16);
		memcpy(ip + 24, vip->bytes, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, (uint16_t)(ip_len + udp_len));
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, "\x64\x40\x09\x09", 4);
		memcpy(ip + 16, vip->bytes, 4);
		put16(ip + 10, ip_checksum(ip));
	}
	put16(udp, source_port);
	put16(udp + 2, port);
	put16(udp + 4, (uint16_t)udp_len);
	f.len = (uint32_t)(14 + ip_len + udp_len);
	return f;
}

/* Returns the XDP action; the frame that came out in @out, if that is not NULL. */
static inline uint32_t run_frame(const struct dp *dp, const struct frame *f, uint8_t *out)
{
	uint8_t other[OUT_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->len,
		    .data_out = out ? out : other, .data_size_out = OUT_MAX, .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(dp_program_fd(dp), &opts), 0);
	return opts.retval;
}

static inline struct addr test_vip(bool v6, uint32_t i)
{
	struct addr a = {.family = v6 ? 6 : 4, .bytes = {203, 0, (uint8_t)(i >> 8), (uint8_t)i}};

	if (v6)
		memcpy(a.bytes, "\x20\x01\x0d\xb8", 4);
	if (v6)
		put16(a.bytes + 14, (uint16_t)i);
	return a;
}

/* Service number @i with one backend: half of them IPv6, all UDP, port 1000 + i. */
static inline struct dp_service test_service(uint32_t i)
{
	return (struct dp_service){
		.vip = test_vip(i % 2, i),
		.port = (uint16_t)(1000 + i),
		.protocol = IPPROTO_UDP,
		.svc = {.slots_at = i,
			.slot_mask = SHUNT_SLOTS_PER_LINE - 1,
			.row = 2 * i,
			.backends = 1},
	};
}

static inline struct shunt_backend local_backend(void)
{
	return (struct shunt_backend){.mtu = 1500, .method = SHUNT_LOCAL, .flags = SHUNT_BE_USABLE};
}

/* Fills what service @i points at, with an owner of its name. */
static inline void fill_rows(struct dp *dp, uint32_t i, const struct shunt_backend *b)
{
	uint16_t slots[SHUNT_SLOTS_PER_LINE];
	struct shunt_owner o = {.number = 1};
	size_t k;

	for (k = 0; k < SHUNT_SLOTS_PER_LINE; k++)
		slots[k] = 1;
	dp_slots_write(dp, i, slots, SHUNT_SLOTS_PER_LINE);
	dp_backend_write(dp, 2 * i + 1, b);
	snprintf(o.service, sizeof(o.service), "service%u", i);
	snprintf(o.backend, sizeof(o.backend), "backend%u", i);
	dp_owner_write(dp, 2 * i + 1, &o);
}

static inline uint64_t row_packets(const struct dp *dp, uint32_t row)
{
	struct dp_counter c;

	dp_counter_read(dp, row, &c);
	return c.packets;
}

/* Sends one packet to service @i; true when its backend's row counted exactly that. */
static inline bool finds_service(const struct dp *dp, uint32_t i)
{
	struct dp_service s = test_service(i);
	struct frame f = udp_frame(&s.vip, s.port, 4000);
	uint64_t before = row_packets(dp, 2 * i + 1);

	run_frame(dp, &f, NULL);
	return row_packets(dp, 2 * i + 1) == before + 1;
}

#endif
