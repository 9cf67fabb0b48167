/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from recipes. */
#include "fixture_frame.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t sum16(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(bytes + i);
	if (len % 2)
		sum += (uint32_t)bytes[len - 1] << 8;
	return sum;
}

uint16_t fold16(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void frame_put(struct frame *f, const void *bytes, size_t len)
{
	assert(f->len + len <= FRAME_MAX);
	if (bytes)
		memcpy(f->bytes + f->len, bytes, len);
	else
		memset(f->bytes + f->len, 0, len);
	f->len += len;
}

void frame_put_l2(struct frame *f, const struct recipe *r, uint8_t family)
{
	uint8_t word[2];

	frame_put(f, r->dmac, 6);
	frame_put(f, r->smac, 6);
	for (int i = 0; i < r->tags; i++) {
		put16(word, r->tags == 2 && i == 0 ? 0x88a8 : 0x8100);
		frame_put(f, word, 2);
		put16(word, r->tci[i]);
		frame_put(f, word, 2);
	}
	put16(word, family == 4 ? 0x0800 : 0x86dd);
	frame_put(f, word, 2);
}

static void put_ipv4(struct frame *f, const struct recipe *r, uint8_t proto, size_t len)
{
	size_t header_len = 20 + 4 * (size_t)r->option_words;
	uint8_t *ip = f->bytes + f->len;

	frame_put(f, NULL, header_len);
	ip[0] = (uint8_t)(0x40 | header_len / 4);
	ip[1] = r->tos;
	put16(ip + 2, (uint16_t)(header_len + len));
	put16(ip + 6, r->frag);
	ip[8] = r->ttl;
	ip[9] = proto;
	memcpy(ip + 12, r->src, 4);
	memcpy(ip + 16, r->dst, 4);
	memset(ip + 20, 1, header_len - 20); /* no operation */
	put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, header_len)));
}

/* The next-header chain's bytes: type i stands in what is in front of it. */
static size_t ext_len(const struct recipe *r)
{
	size_t len = 0;

	for (int i = 0; i < r->n_ext; i++)
		len += 8 * (size_t)r->ext_units[i];
	return len;
}

static void put_ipv6(struct frame *f, const struct recipe *r, uint8_t proto, size_t len)
{
	uint8_t *ip = f->bytes + f->len;

	frame_put(f, NULL, 40);
	put32(ip, 6u << 28 | (uint32_t)r->tos << 20);
	put16(ip + 4, (uint16_t)(ext_len(r) + len));
	ip[6] = r->n_ext ? r->ext[0] : proto;
	ip[7] = r->ttl;
	memcpy(ip + 8, r->src, 16);
	memcpy(ip + 24, r->dst, 16);
	for (int i = 0; i < r->n_ext; i++) {
		uint8_t *ext = f->bytes + f->len;
		int units = r->ext_units[i];

		frame_put(f, NULL, 8 * (size_t)units);
		ext[0] = i + 1 < r->n_ext ? r->ext[i + 1] : proto;
		/* an authentication header counts words and starts from two of them */
		ext[1] = (uint8_t)(r->ext[i] == IPPROTO_AH ? 2 * units - 2 : units - 1);
	}
}

void frame_put_ip(struct frame *f, const struct recipe *r, uint8_t proto, size_t len)
{
	if (r->family == 4)
		put_ipv4(f, r, proto, len);
	else
		put_ipv6(f, r, proto, len);
}

static uint16_t l4_csum(const struct recipe *r, const uint8_t *l4, size_t len)
{
	size_t addr_len = r->family == 4 ? 4 : 16;
	uint32_t sum = sum16(r->proto + (uint32_t)len, l4, len);

	return (uint16_t)~fold16(sum16(sum16(sum, r->src, addr_len), r->dst, addr_len));
}

static void put_l4(struct frame *f, const struct recipe *r)
{
	size_t header_len = r->proto == IPPROTO_TCP ? 20 : 8;
	uint8_t *l4 = f->bytes + f->len;

	f->l4 = f->len;
	frame_put(f, NULL, header_len);
	for (int i = 0; i < r->payload; i++)
		frame_put(f, &(uint8_t){(uint8_t)(i * 7 + 1)}, 1);
	put16(l4, r->sport);
	put16(l4 + 2, r->dport);
	if (r->proto == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = r->tcp_flags;
		put16(l4 + 16, l4_csum(r, l4, header_len + r->payload));
	} else if (r->proto == IPPROTO_UDP) {
		put16(l4 + 4, (uint16_t)(header_len + r->payload));
		put16(l4 + 6, l4_csum(r, l4, header_len + r->payload));
	}
}

void frame_build(const struct recipe *r, struct frame *out)
{
	size_t l4_len = (r->proto == IPPROTO_TCP ? 20u : 8u) + r->payload;

	*out = (struct frame){0};
	frame_put_l2(out, r, r->family);
	out->l3 = out->len;
	frame_put_ip(out, r, r->proto, l4_len);
	put_l4(out, r);
	out->l3_len = out->len - out->l3;
	for (int i = 0; i < r->padding; i++)
		frame_put(out, &(uint8_t){0xee}, 1);
}
