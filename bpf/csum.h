/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksum arithmetic (RFC 1071): sums of 16-bit words in memory order, which byte order leaves
 * alone. */
#ifndef SHUNT_CSUM_H
#define SHUNT_CSUM_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* A sum of words, or of 32-bit words, as one word. */
static __always_inline __u16 csum_add_up(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

/* The checksum field @csum after a change of what it covers: @delta is the sum of the new 32-bit
 * words and of the inverted old ones (RFC 1624, equation 3). */
static __always_inline __u16 csum_change(__u16 csum, __u64 delta)
{
	return ~csum_add_up(delta + (__u16)~csum);
}

/* The checksum field from an unfolded sum of words. */
static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

#endif
