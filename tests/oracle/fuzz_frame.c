/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: sound ones for the fixture's services in every shape, then damage. */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

/* ---- sound -------------------------------------------------------------------------------------*/

static const uint8_t ext_protos[] = {0, 43, 51, 60, 135};
static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x9100, 0x0100, 0x8847};
static const uint8_t protos[] = {0, 1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 135, 255};

/* Anybody's; or one that is nobody's, or next to one of those. */
static void source_roll(struct recipe *r, struct dice *d)
{
	static const uint8_t first4[] = {0, 1, 126, 127, 128, 223, 224, 239, 240, 255};
	static const uint8_t last6[] = {0, 1, 2, 255};

	roll_bytes(d, r->src, r->family == 4 ? 4 : 16);
	if (r->family == 4)
		r->src[0] =
			once_in(d, 30) ? first4[roll(d, N(first4))] : (uint8_t)(1 + roll(d, 126));
	if (r->family == 4 || !once_in(d, 30))
		return;
	if (once_in(d, 3)) {
		r->src[0] = (uint8_t)(254 + roll(d, 2));
		return;
	}
	memset(r->src, 0, 15);
	r->src[15] = last6[roll(d, N(last6))];
	if (once_in(d, 3))
		r->src[10] = r->src[11] = 0xff;
	if (once_in(d, 2))
		r->src[roll(d, 16)] ^= (uint8_t)(1 << roll(d, 8));
}

static void flow_roll(struct recipe *r, struct dice *d)
{
	uint8_t family = once_in(d, 2) ? 4 : 6;
	uint8_t proto = once_in(d, 2) ? IPPROTO_TCP : IPPROTO_UDP;

	*r = world_recipe(family, proto, roll(d, WORLD_MAX));
	r->sport = (uint16_t)roll64(d);
	source_roll(r, d);
	if (once_in(d, 3))
		fuzz_some_source(family, d, r->src);
