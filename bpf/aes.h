/* SPDX-License-Identifier: GPL-2.0-only */
/* AES-128 (FIPS 197), one block at a time, without a table and without a branch on data, so that its time
 * tells nothing of the key.
 *
 * Bit-sliced: a block is eight planes, plane b being the bits b of its sixteen octets, 16 bits in the
 * octets' order.  Four planes are in a word: what moves whole octets (ShiftRows, MixColumns) moves all
 * planes at once, and the S-box takes them apart.  Its inversion goes through GF(((2^2)^2)^2) (Satoh et
 * al., "A compact Rijndael hardware architecture with S-box optimization", 2001), with w^2 = w + 1,
 * y^2 = y + w, z^2 = z + 9, and the image of AES's x chosen so that the changes of basis are short.  Its
 * constant is in the round keys.
 *
 * The kernel's own AES (bpf_crypto_encrypt) would be quicker, but there is none before Linux 6.10. */
#ifndef SHUNT_AES_H
#define SHUNT_AES_H

#include "pkt.h"
#include "shunt_abi_quic.h"

struct aes_state {
	__u64 lower, upper; /* planes 0 to 3, planes 4 to 7 */
};

#define AES_LANES(x) ((x)*0x0001000100010001ull)

/* ---- octets and planes ---------------------------------------------------------------------------*/

/* Bit b of octet i becomes bit i of octet b. */
static __always_inline __u64 aes_transpose(__u64 x)
{
	__u64 t = (x ^ x >> 7) & 0x00aa00aa00aa00aaull;

	x ^= t ^ t << 7;
	t = (x ^ x >> 14) & 0x0000cccc0000ccccull;
	x ^= t ^ t << 14;
	t = (x ^ x >> 28) & 0x00000000f0f0f0f0ull;
	return x ^ t ^ t << 28;
}

/* Four octets to the lower halves of four lanes, and back. */
static __always_inline __u64 aes_spread(__u64 x)
{
	x = (x | x << 16) & 0x0000ffff0000ffffull;
	return (x | x << 8) & 0x00ff00ff00ff00ffull;
}

static __always_inline __u64 aes_gather(__u64 x)
{
	x &= 0x00ff00ff00ff00ffull;
	x = (x | x >> 8) & 0x0000ffff0000ffffull;
	return (x | x >> 16) & 0xffffffff;
}

/* From the block's two halves, in network order as numbers. */
static __always_inline struct aes_state aes_load(__u64 a, __u64 b)
{
	a = aes_transpose(__builtin_bswap64(a));
	b = aes_transpose(__builtin_bswap64(b));
	return (struct aes_state){
		aes_spread(a & 0xffffffff) | aes_spread(b & 0xffffffff) << 8,
		aes_spread(a >> 32) | aes_spread(b >> 32) << 8,
	};
}

static __always_inline void aes_store(struct aes_state s, __u64 *a, __u64 *b)
{
	*a = aes_gather(s.lower) | aes_gather(s.upper) << 32;
	*b = aes_gather(s.lower >> 8) | aes_gather(s.upper >> 8) << 32;
	*a = __builtin_bswap64(aes_transpose(*a));
	*b = __builtin_bswap64(aes_transpose(*b));
}

/* ---- the S-box -----------------------------------------------------------------------------------*/

/* An element of GF(4) in each bit: [1] w + [0]; of GF(16): [3] and [2] are before y. */
static __always_inline void gf4_multiply(const __u64 a[2], const __u64 b[2], __u64 out[2])
{
	__u64 low = a[0] & b[0];

	out[1] = ((a[1] ^ a[0]) & (b[1] ^ b[0])) ^ low;
	out[0] = low ^ (a[1] & b[1]);
}

static __always_inline void gf16_multiply(const __u64 a[4], const __u64 b[4], __u64 out[4])
{
	__u64 sum_a[2] = {a[2] ^ a[0], a[3] ^ a[1]}, sum_b[2] = {b[2] ^ b[0], b[3] ^ b[1]};
	__u64 high[2], low[2], both[2];

	gf4_multiply(&a[2], &b[2], high);
	gf4_multiply(a, b, low);
	gf4_multiply(sum_a, sum_b, both);
	out[3] = both[1] ^ low[1];
	out[2] = both[0] ^ low[0];
	out[1] = low[1] ^ high[1] ^ high[0]; /* w times high */
	out[0] = low[0] ^ high[1];
}

/* 0 stays 0. */
static __always_inline void gf16_invert(const __u64 a[4], __u64 out[4])
{
	__u64 norm[2], sum[2] = {a[2] ^ a[0], a[3] ^ a[1]}, inverse[2];

	gf4_multiply(&a[2], a, norm);
	norm[1] ^= a[2] ^ a[1]; /* w a1^2 is [a2, a3], a0^2 is [a1, a1 + a0] */
	norm[0] ^= a[3] ^ a[1] ^ a[0];
	inverse[1] = norm[1]; /* in GF(4) the inverse is the square */
	inverse[0] = norm[1] ^ norm[0];
	gf4_multiply(&a[2], inverse, &out[2]);
	gf4_multiply(sum, inverse, out);
}

static __always_inline void gf256_invert(__u64 p[8])
{
	__u64 sum[4], norm[4], inverse[4], low[4], high[4];

	for (int i = 0; i < 4; i++) {
		low[i] = p[i];
		high[i] = p[4 + i];
		sum[i] = low[i] ^ high[i];
	}
	gf16_multiply(high, low, norm);
	norm[0] ^= high[0] ^ high[1] ^ high[2] ^ high[3] ^ low[0] ^ low[1] ^ low[3];
	norm[1] ^= high[1] ^ high[3] ^ low[1] ^ low[2];
	norm[2] ^= high[1] ^ low[2] ^ low[3];
	norm[3] ^= high[0] ^ low[3];
	gf16_invert(norm, inverse);
	gf16_multiply(high, inverse, &p[4]);
	gf16_multiply(sum, inverse, p);
}

static __always_inline void aes_planes(struct aes_state s, __u64 p[8])
{
	for (int i = 0; i < 4; i++) {
		p[i] = s.lower >> 16 * i;
		p[4 + i] = s.upper >> 16 * i;
	}
}

static __always_inline __u64 aes_lanes(__u64 a, __u64 b, __u64 c, __u64 d)
{
	return (a & 0xffff) | (b & 0xffff) << 16 | (c & 0xffff) << 32 | d << 48;
}

/* SubBytes without its constant. */
static __always_inline struct aes_state aes_sub(struct aes_state s)
{
	__u64 b[8], t[8];

	aes_planes(s, b);
	t[0] = b[0] ^ b[1] ^ b[2] ^ b[3] ^ b[7];
	t[1] = b[1] ^ b[3];
	t[2] = b[3] ^ b[4] ^ b[6];
	t[3] = b[1] ^ b[2] ^ b[6] ^ b[7];
	t[4] = b[2] ^ b[7] ^ t[2];
	t[5] = b[1] ^ b[4] ^ b[6] ^ b[7];
	t[6] = b[1] ^ b[2] ^ b[5] ^ t[2];
	t[7] = b[5] ^ b[7];
	gf256_invert(t);
	s.lower = aes_lanes(t[0] ^ t[6], t[0] ^ t[1] ^ t[3] ^ t[7],
			    t[0] ^ t[1] ^ t[2] ^ t[3] ^ t[4], t[0]);
	s.upper = aes_lanes(t[0] ^ t[2] ^ t[3] ^ t[4] ^ t[5], t[2] ^ t[3] ^ t[7], t[4] ^ t[7],
			    t[2] ^ t[7]);
	return s;
}

/* InvSubBytes of what has lost its constant. */
static __always_inline struct aes_state aes_unsub(struct aes_state s)
{
	__u64 b[8], t[8];

	aes_planes(s, b);
	t[0] = b[3];
	t[1] = b[2] ^ b[3] ^ b[5] ^ b[6];
	t[2] = b[1] ^ b[2] ^ b[6];
	t[3] = b[5] ^ b[7];
	t[4] = b[1] ^ b[2] ^ b[7];
	t[5] = b[3] ^ b[4] ^ b[5] ^ b[6];
	t[6] = b[0] ^ b[3];
	t[7] = b[1] ^ b[2] ^ b[6] ^ b[7];
	gf256_invert(t);
	s.lower = aes_lanes(t[0] ^ t[1] ^ t[2] ^ t[4], t[4] ^ t[6] ^ t[7], t[1] ^ t[4] ^ t[5],
			    t[1] ^ t[4] ^ t[6] ^ t[7]);
	s.upper = aes_lanes(t[1] ^ t[3] ^ t[4], t[1] ^ t[2] ^ t[5] ^ t[7],
			    t[2] ^ t[3] ^ t[6] ^ t[7], t[1] ^ t[2] ^ t[5]);
	return s;
}

/* ---- rows and columns ----------------------------------------------------------------------------
 * Octet i is in row i % 4 and column i / 4. */

static __always_inline __u64 aes_shift(__u64 x)
{
	return (x & AES_LANES(0x1111)) | (x >> 4 & AES_LANES(0x0222)) |
	       (x << 12 & AES_LANES(0x2000)) | (x >> 8 & AES_LANES(0x0044)) |
	       (x << 8 & AES_LANES(0x4400)) | (x >> 12 & AES_LANES(0x0008)) |
	       (x << 4 & AES_LANES(0x8880));
}

static __always_inline __u64 aes_unshift(__u64 x)
{
	return (x & AES_LANES(0x1111)) | (x >> 12 & AES_LANES(0x0002)) |
	       (x << 4 & AES_LANES(0x2220)) | (x >> 8 & AES_LANES(0x0044)) |
	       (x << 8 & AES_LANES(0x4400)) | (x >> 4 & AES_LANES(0x0888)) |
	       (x << 12 & AES_LANES(0x8000));
}

/* Each octet becomes the one below it in its column; the one two below. */
static __always_inline __u64 aes_below(__u64 x)
{
	return (x >> 1 & AES_LANES(0x7777)) | (x & AES_LANES(0x1111)) << 3;
}

static __always_inline __u64 aes_two_below(__u64 x)
{
	return (x >> 2 & AES_LANES(0x3333)) | (x & AES_LANES(0x3333)) << 2;
}

/* Each octet times x: planes move up by one, and x^8 is x^4 + x^3 + x + 1. */
static __always_inline struct aes_state aes_double(struct aes_state s)
{
	__u64 top = s.upper >> 48;

	return (struct aes_state){
		s.lower << 16 ^ (top | top << 16 | top << 48),
		(s.upper << 16 | s.lower >> 48) ^ top,
	};
}

static __always_inline struct aes_state aes_mix(struct aes_state s)
{
	__u64 lower = aes_below(s.lower), upper = aes_below(s.upper);
	struct aes_state sum = {s.lower ^ lower, s.upper ^ upper}, twice = aes_double(sum);

	s.lower = twice.lower ^ lower ^ aes_two_below(sum.lower);
	s.upper = twice.upper ^ upper ^ aes_two_below(sum.upper);
	return s;
}

/* InvMixColumns is MixColumns after the columns' product with (5, 0, 4, 0). */
static __always_inline struct aes_state aes_unmix(struct aes_state s)
{
	struct aes_state sum = {s.lower ^ aes_two_below(s.lower), s.upper ^ aes_two_below(s.upper)};

	sum = aes_double(aes_double(sum));
	s.lower ^= sum.lower;
	s.upper ^= sum.upper;
	return aes_mix(s);
}

/* ---- blocks -------------------------------------------------------------------------------------*/

struct aes_block {
	__u64 a, b; /* its halves, in network order as numbers */
};

#define AES_ROUNDS (SHUNT_AES_ROUND_KEYS - 1)

/* In place.  Global functions, so that the verifier checks them once; a NULL never comes. */
__noinline int aes_encrypt(struct aes_block *block, const struct shunt_quic_config *c)
{
	struct aes_state s;

	if (!block || !c)
		return -1;
	s = aes_load(block->a, block->b);
	s.lower ^= c->round_key[0][0];
	s.upper ^= c->round_key[0][1];
#pragma clang loop unroll(disable)
	for (__u32 i = 1; i <= AES_ROUNDS; i++) {
		s = aes_sub(s);
		s.lower = aes_shift(s.lower);
		s.upper = aes_shift(s.upper);
		if (i < AES_ROUNDS)
			s = aes_mix(s);
		s.lower ^= c->round_key[i][0];
		s.upper ^= c->round_key[i][1];
	}
	aes_store(s, &block->a, &block->b);
	return 0;
}

__noinline int aes_decrypt(struct aes_block *block, const struct shunt_quic_config *c)
{
	struct aes_state s;

	if (!block || !c)
		return -1;
	s = aes_load(block->a, block->b);
	s.lower ^= c->round_key[AES_ROUNDS][0];
	s.upper ^= c->round_key[AES_ROUNDS][1];
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < AES_ROUNDS; i++) {
		__u32 key = AES_ROUNDS - 1 - i;

		barrier_var(key); /* or clang counts an offset down, which newer verifiers lose */
		if (key > AES_ROUNDS)
			return -1;
		s.lower = aes_unshift(s.lower);
		s.upper = aes_unshift(s.upper);
		s = aes_unsub(s);
		s.lower ^= c->round_key[key][0];
		s.upper ^= c->round_key[key][1];
		if (i < AES_ROUNDS - 1)
			s = aes_unmix(s);
	}
	aes_store(s, &block->a, &block->b);
	return 0;
}

#endif
