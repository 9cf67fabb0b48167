/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/hashkey.h"

#include <string.h>

/* What tells the two halves of the generator's key apart. */
static const uint64_t halves[2][2] = {{0x73687566, 0x6b657930}, {0x73687566, 0x6b657931}};

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_rounds(struct sip *s, int n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static void sip_take(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_rounds(s, 2);
	s->v0 ^= word;
}

uint64_t siphash24(const void *data, uint64_t len, const uint64_t key[static 2])
{
	const uint8_t *bytes = data;
	uint64_t word, last = len << 56, tail = len % 8;
	struct sip s = {
		.v0 = key[0] ^ 0x736f6d6570736575ull,
		.v1 = key[1] ^ 0x646f72616e646f6dull,
		.v2 = key[0] ^ 0x6c7967656e657261ull,
		.v3 = key[1] ^ 0x7465646279746573ull,
	};

	for (uint64_t at = 0; at + 8 <= len; at += 8) {
		memcpy(&word, bytes + at, 8); /* little-endian hosts only, as the ABI says */
		sip_take(&s, word);
	}
	for (uint64_t i = 0; i < tail; i++)
		last |= (uint64_t)bytes[len - tail + i] << (8 * i);
	sip_take(&s, last);
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void hashkey_derive(const char *secret, uint64_t key[static SHUNT_HASH_WORDS])
{
	const char *text = secret ? secret : "";
	uint64_t generator[2];

	for (int i = 0; i < 2; i++)
		generator[i] = siphash24(text, strlen(text), halves[i]);
	for (uint64_t i = 0; i < SHUNT_HASH_WORDS; i++)
		key[i] = siphash24(&i, sizeof(i), generator) | (i > 0);
}

uint64_t hashkey_flow4(const uint64_t key[static SHUNT_HASH_WORDS], uint32_t saddr, uint32_t daddr,
		       uint32_t ports)
{
	return key[0] + key[1] * saddr + key[2] * ports + key[3] * daddr;
}

uint64_t hashkey_flow6(const uint64_t key[static SHUNT_HASH_WORDS], const uint32_t saddr[static 4],
		       const uint32_t daddr[static 4], uint32_t ports)
{
	return key[0] + key[1] * saddr[0] + key[2] * ports + key[3] * daddr[0] + key[4] * saddr[1] +
	       key[5] * saddr[2] + key[6] * saddr[3] + key[7] * daddr[1] + key[8] * daddr[2] +
	       key[9] * daddr[3];
}
