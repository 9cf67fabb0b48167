/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksum arithmetic (RFC 1071): sums of 16-bit words in memory order, which byte order leaves
 * alone. */
#ifndef SHUNT_CSUM_H
#define SHUNT_CSUM_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* The checksum field from an unfolded sum of words. */
static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

#endif
