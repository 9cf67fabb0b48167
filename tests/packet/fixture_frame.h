/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds frames for the packet tests, byte by byte and without a line of the packet path. */
#ifndef FIXTURE_FRAME_H
#define FIXTURE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 4096
#define RECIPE_EXT_MAX 8

/* What a frame is to be.  Numbers are in host order. */
struct recipe {
	uint8_t family; /* 4 or 6 */
	uint8_t proto;
	uint8_t src[16], dst[16]; /* IPv4 in the first four */
	uint16_t sport, dport;
	uint8_t smac[6], dmac[6];
	uint8_t tags; /* VLAN tags; the outer of two is 802.1ad */
	uint16_t tci[3];
	uint8_t tos;
	uint8_t ttl;
	uint16_t frag; /* IPv4: flags and offset */
	uint8_t tcp_flags;
	uint8_t option_words; /* IPv4 options, in 32-bit words */
	uint8_t n_ext; /* IPv6 extension headers: their types, and lengths in units of 8 bytes */
	uint8_t ext[RECIPE_EXT_MAX];
	uint8_t ext_units[RECIPE_EXT_MAX];
	uint16_t payload; /* bytes behind the TCP or UDP header */
	uint16_t padding; /* bytes behind the IP packet */
};

struct frame {
	size_t len;
	size_t l3, l4; /* where the headers start */
	size_t l3_len; /* of the IP packet */
	uint8_t bytes[FRAME_MAX];
};

#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_ACK 0x10

void put16(uint8_t *at, uint16_t value);
void put32(uint8_t *at, uint32_t value);
uint16_t get16(const uint8_t *at);

/* The ones' complement sum (not inverted) of @len bytes, added to @sum. */
uint32_t sum16(uint32_t sum, const uint8_t *bytes, size_t len);
uint16_t fold16(uint32_t sum);

/* Fills @out with the frame, all checksums right. */
void frame_build(const struct recipe *r, struct frame *out);

/* Appends an Ethernet header with the recipe's MACs and tags and the type for @family. */
void frame_put_l2(struct frame *f, const struct recipe *r, uint8_t family);
/* Appends an IP header that carries @len bytes of @proto: the recipe's addresses, tos, ttl, frag. */
void frame_put_ip(struct frame *f, const struct recipe *r, uint8_t proto, size_t len);
void frame_put(struct frame *f, const void *bytes, size_t len);

#endif
