/* SPDX-License-Identifier: BSD-2-Clause */
/* FIPS 197, with the S-box worked out from its definition. */
#include "oracle_quic.h"

#include <string.h>

#define ROUNDS 10

/* Section 4.2: a product in GF(2^8). */
static uint8_t times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1) {
		product ^= b & 1 ? a : 0;
		a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
	}
	return product;
}

/* Section 5.1.1. */
static uint8_t substitute(uint8_t x)
{
	uint8_t inverse = 1, out = 0x63;

	for (int i = 0; i < 254; i++) /* x^254 is the inverse, and 0 for 0 */
		inverse = times(inverse, x);
	for (int i = 0; i < 5; i++)
		out ^= (uint8_t)(inverse << i | inverse >> (8 - i));
	return out;
}

static struct {
	uint8_t to[256], from[256];
	bool done;
} box;

static void box_fill(void)
{
	for (int i = 0; i < 256 && !box.done; i++) {
		box.to[i] = substitute((uint8_t)i);
		box.from[box.to[i]] = (uint8_t)i;
	}
	box.done = true;
}

/* Section 5.2. */
static void expand(const uint8_t key[static 16], uint8_t words[static 16 * (ROUNDS + 1)])
{
	uint8_t rcon = 1;

	box_fill();
	memcpy(words, key, 16);
	for (int i = 16; i < 16 * (ROUNDS + 1); i += 4) {
		uint8_t word[4];

		memcpy(word, words + i - 4, 4);
		if (i % 16 == 0) {
			uint8_t first = word[0];

			for (int k = 0; k < 4; k++)
				word[k] = box.to[k < 3 ? word[k + 1] : first];
			word[0] ^= rcon;
			rcon = times(rcon, 2);
		}
		for (int k = 0; k < 4; k++)
			words[i + k] = words[i + k - 16] ^ word[k];
	}
}

static void add(uint8_t block[static 16], const uint8_t *key)
{
	for (int i = 0; i < 16; i++)
		block[i] ^= key[i];
}

/* Octet i stands in row i % 4 and column i / 4; row r moves by r columns. */
static void shift_rows(uint8_t block[static 16], int by)
{
	uint8_t was[16];

	memcpy(was, block, 16);
	for (int i = 0; i < 16; i++)
		block[i] = was[(i + by * 4 * (i % 4) + 64) % 16];
}

static void mix_columns(uint8_t block[static 16], const uint8_t by[static 4])
{
	uint8_t was[16];

	memcpy(was, block, 16);
	for (int i = 0; i < 16; i++) {
		block[i] = 0;
		for (int k = 0; k < 4; k++)
			block[i] ^= times(was[i / 4 * 4 + (i + k) % 4], by[k]);
	}
}

void oracle_aes_encrypt(const uint8_t key[static 16], uint8_t block[static 16])
{
	uint8_t words[16 * (ROUNDS + 1)];

	expand(key, words);
	add(block, words);
	for (int round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < 16; i++)
			block[i] = box.to[block[i]];
		shift_rows(block, 1);
		if (round < ROUNDS)
			mix_columns(block, (uint8_t[]){2, 3, 1, 1});
		add(block, words + 16 * round);
	}
}

void oracle_aes_decrypt(const uint8_t key[static 16], uint8_t block[static 16])
{
	uint8_t words[16 * (ROUNDS + 1)];

	expand(key, words);
	for (int round = ROUNDS; round > 0; round--) {
		add(block, words + 16 * round);
		if (round < ROUNDS)
			mix_columns(block, (uint8_t[]){14, 11, 13, 9});
		shift_rows(block, -1);
		for (int i = 0; i < 16; i++)
			block[i] = box.from[block[i]];
	}
	add(block, words);
}
