/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs once for each key that a configuration has: the plain way is quick enough, and the octets of the
 * S-box are computed, not looked up. */
#include "pure/aes.h"

#include <string.h>

#define S_BOX_CONSTANT 0x63

/* Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t multiply(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (int i = 0; i < 8; i++) {
		product ^= (uint8_t)(-(b >> i & 1) & a);
		a = (uint8_t)(a << 1 ^ (-(a >> 7) & 0x1b));
	}
	return product;
}

static uint8_t rotate(uint8_t x, int by)
{
	return (uint8_t)(x << by | x >> (8 - by));
}

/* FIPS 197 section 5.1.1; the inverse is the 254th power. */
static uint8_t substitute(uint8_t x)
{
	uint8_t inverse = x;

	for (int i = 0; i < 6; i++)
		inverse = multiply(multiply(inverse, inverse), x);
	inverse = multiply(inverse, inverse);
	return inverse ^ rotate(inverse, 1) ^ rotate(inverse, 2) ^ rotate(inverse, 3) ^
	       rotate(inverse, 4) ^ S_BOX_CONSTANT;
}

/* From one round's key to the next one's. */
static void next_key(uint8_t key[static AES_KEY_LEN], uint8_t round_constant)
{
	for (int i = 0; i < 4; i++)
		key[i] ^= substitute(key[12 + (i + 1) % 4]);
	key[0] ^= round_constant;
	for (int i = 4; i < AES_KEY_LEN; i++)
		key[i] ^= key[i - 4];
}

static void slice(const uint8_t key[static AES_KEY_LEN], uint8_t constant, __u64 out[2])
{
	out[0] = out[1] = 0;
	for (unsigned int i = 0; i < AES_KEY_LEN; i++) {
		uint8_t octet = key[i] ^ constant;

		for (unsigned int bit = 0; bit < 8; bit++)
			out[bit / 4] |= (__u64)(octet >> bit & 1) << (bit % 4 * 16 + i);
	}
}

void aes_round_keys(const uint8_t key[static AES_KEY_LEN],
		    __u64 out[static SHUNT_AES_ROUND_KEYS][2])
{
	uint8_t round_key[AES_KEY_LEN], round_constant = 1;

	memcpy(round_key, key, sizeof(round_key));
	slice(round_key, 0, out[0]);
	for (int i = 1; i < SHUNT_AES_ROUND_KEYS; i++) {
		next_key(round_key, round_constant);
		round_constant = multiply(round_constant, 2);
		slice(round_key, S_BOX_CONSTANT, out[i]);
	}
}
