/* SPDX-License-Identifier: BSD-2-Clause */
/* AES-128 and connection ids once more, octet by octet as FIPS 197 and draft-ietf-quic-load-balancers-21
 * tell them, and with no line of what is tested against them. */
#ifndef QUIC_REFERENCE_H
#define QUIC_REFERENCE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <stdbool.h>

#define REF_CID_MAX 20

/* A configuration as the draft has it. */
struct ref_config {
	unsigned int id;
	uint8_t server_id_len, nonce_len;
	bool encrypted;
	uint8_t key[16];
};

/* ---- AES-128 ------------------------------------------------------------------------------------*/

struct ref_aes {
	uint8_t sbox[256], key[176];
};

static inline uint8_t ref_times(uint8_t a, uint8_t b)
{
	uint8_t sum = 0;

	for (; b; b >>= 1, a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0)))
		sum ^= b & 1 ? a : 0;
	return sum;
}

static inline void ref_sbox(struct ref_aes *r)
{
	for (unsigned int x = 0; x < 256; x++) {
		uint8_t inverse = 0, s = 0x63;

		for (unsigned int y = 1; y < 256 && !inverse; y++)
			inverse = ref_times((uint8_t)x, (uint8_t)y) == 1 ? (uint8_t)y : 0;
		for (unsigned int i = 0; i < 5; i++)
			s ^= (uint8_t)(inverse << i | inverse >> (8 - i));
		r->sbox[x] = s;
	}
}

static inline void ref_key(struct ref_aes *r, const uint8_t key[static 16])
{
	uint8_t constant = 1;

	ref_sbox(r);
	memcpy(r->key, key, 16);
	for (unsigned int i = 16; i < 176; i++) {
		uint8_t in = r->key[i - 4];

		if (i % 16 < 4)
			in = r->sbox[r->key[i % 16 == 3 ? i - 7 : i - 3]];
		if (i % 16 == 0)
			in ^= constant;
		if (i % 16 == 15)
			constant = ref_times(constant, 2);
		r->key[i] = in ^ r->key[i - 16];
	}
}

static inline void ref_add(const struct ref_aes *r, int round, uint8_t b[static 16])
{
	for (int i = 0; i < 16; i++)
		b[i] ^= r->key[16 * round + i];
}

static inline void ref_mix(uint8_t b[static 16])
{
	static const uint8_t row[4] = {2, 3, 1, 1};
	uint8_t from[16];

	memcpy(from, b, 16);
	for (int i = 0; i < 16; i++) {
		b[i] = 0;
		for (int k = 0; k < 4; k++)
			b[i] ^= ref_times(from[i / 4 * 4 + k], row[(k - i % 4 + 4) % 4]);
	}
}

static inline void ref_encrypt(const struct ref_aes *r, uint8_t b[static 16])
{
	uint8_t from[16];

	ref_add(r, 0, b);
	for (int round = 1; round <= 10; round++) {
		memcpy(from, b, 16);
		for (int i = 0; i < 16; i++)
			b[i] = r->sbox[from[(i + i % 4 * 4) % 16]];
		if (round < 10)
			ref_mix(b);
		ref_add(r, round, b);
	}
}

/* ---- connection ids -----------------------------------------------------------------------------*/

/* Section 5.4.2.2. */
static inline void ref_expand(uint8_t out[static 16], uint8_t len, uint8_t pass, const uint8_t *in,
			      size_t n)
{
	memset(out, 0, 16);
	memcpy(out, in, n);
	out[14] = len;
	out[15] = pass;
}

/* Section 5.4.2.3, on the @len octets of @text. */
static inline void ref_four_pass(const struct ref_aes *r, uint8_t *text, size_t len)
{
	uint8_t left[10], right[10], block[16];
	size_t half = (len + 1) / 2;

	memcpy(left, text, half);
	memcpy(right, text + len - half, half);
	if (len % 2) {
		left[half - 1] &= 0xf0;
		right[0] &= 0x0f;
	}
	for (uint8_t pass = 1; pass <= 4; pass++) {
		uint8_t *to = pass % 2 ? right : left;

		ref_expand(block, (uint8_t)len, pass, pass % 2 ? left : right, half);
		ref_encrypt(r, block);
		for (size_t i = 0; i < half; i++)
			to[i] ^= block[i];
		if (len % 2 && pass % 2)
			right[0] &= 0x0f;
		else if (len % 2)
			left[half - 1] &= 0xf0;
	}
	memcpy(text, left, half);
	if (len % 2)
		text[half - 1] |= right[0];
	memcpy(text + half, right + len % 2, half - len % 2);
}

/* Section 5.3 and 5.4: writes the id and returns its length. */
static inline size_t ref_cid(const struct ref_config *c, const uint8_t *server_id,
			     const uint8_t *nonce, uint8_t cid[static REF_CID_MAX])
{
	size_t len = (size_t)c->server_id_len + c->nonce_len;
	struct ref_aes r;

	cid[0] = (uint8_t)(c->id << 5 | len);
	memcpy(cid + 1, server_id, c->server_id_len);
	memcpy(cid + 1 + c->server_id_len, nonce, c->nonce_len);
	if (!c->encrypted)
		return len + 1;
	ref_key(&r, c->key);
	if (len == 16)
		ref_encrypt(&r, cid + 1);
	else
		ref_four_pass(&r, cid + 1, len);
	return len + 1;
}

#endif
