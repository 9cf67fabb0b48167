/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that look random and come again with the seed. */
#include "fuzz.h"

uint64_t roll64(struct dice *d)
{
	uint64_t z = d->x += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t roll(struct dice *d, uint32_t below)
{
	return (uint32_t)((roll64(d) >> 32) * below >> 32);
}

bool once_in(struct dice *d, uint32_t n)
{
	return roll(d, n) == 0;
}

void roll_bytes(struct dice *d, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] =
			once_in(d, 4) ? (uint8_t)(0 - roll(d, 2)) : (uint8_t)roll64(d);
}
