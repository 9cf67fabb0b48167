/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_abi.h about connection ids of QUIC, which name the server that issued them.
 *
 * Two formats.  QUIC-LB (draft-ietf-quic-load-balancers-21): the first octet's upper three bits choose
 * one of a service's configurations, which says how long the server's id is, how long the nonce behind it,
 * and with which key, if any, both are encrypted.  Katran (katran/lib/bpf/pckt_parsing.h): the upper two
 * bits are a version, 1 to 3, and 16 bits behind them, or the 24 or 32 bits behind the first octet, are
 * the server's id; long headers of Initial and 0-RTT packets, and ids of less than eight octets in any long
 * header, have none.
 *
 * The record of a service with SHUNT_SVC_QUIC is the one that addr[0] of the service's own row names; 0:
 * none.  A record in force never changes: another one is written beside it. */
#ifndef SHUNT_ABI_QUIC_H
#define SHUNT_ABI_QUIC_H

#include <linux/types.h>

#define SHUNT_QUIC_CONFIGS 7 /* 0b111 is of no configuration */
#define SHUNT_QUIC_ID_MAX 15 /* octets of a server's id */
#define SHUNT_QUIC_NONCE_MIN 4
#define SHUNT_QUIC_BLOCK_MAX 19 /* octets of id and nonce: QUIC has 20 for a connection id */
#define SHUNT_AES_ROUND_KEYS 11 /* AES-128 */

enum shunt_quic_mode {
	SHUNT_QUIC_UNUSED, /* no such configuration */
	SHUNT_QUIC_PLAIN,
	SHUNT_QUIC_ONE_PASS, /* id and nonce are 16 octets */
	SHUNT_QUIC_FOUR_PASS,
};

enum shunt_quic_format { SHUNT_QUIC_LB, SHUNT_QUIC_KATRAN };

/* Round keys are bit-sliced, as bpf/aes.h wants them: [0] has the bits 0 to 3 of the sixteen octets, [1]
 * the bits 4 to 7, 16 bits of each, of which number i is that of octet i.  The S-box's constant, 0x63,
 * is in all but the first. */
struct shunt_quic_config {
	__u64 round_key[SHUNT_AES_ROUND_KEYS][2];
	__u8 mode; /* enum shunt_quic_mode */
	__u8 id_len, nonce_len; /* octets */
	__u8 pad[5];
};

struct shunt_quic {
	__u32 format; /* enum shunt_quic_format */
	__u32 servers_at; /* first of its places in `quic_servers` */
	__u32 servers_mask; /* their number less one, a power of two less one */
	__u32 pad;
	struct shunt_quic_config config[SHUNT_QUIC_CONFIGS + 1]; /* the last one is unused */
};

/* Which backend a server's id is of.  id[0] is its first eight octets, in network order as a number, those
 * that it does not have 0; id[1] the rest, and in its last octet how many there are.  number 0: free. */
struct shunt_quic_server {
	__u64 id[2];
	__u32 number; /* of the backend in the service */
	__u32 pad;
};

/* An id stands in one of so many places from shunt_quic_place() on, within its record's places. */
#define SHUNT_QUIC_PROBES 8

static inline __attribute__((always_inline)) __u32 shunt_quic_place(__u64 a, __u64 b, __u32 mask)
{
	__u64 x = (a ^ a >> 32) * 0x9e3779b97f4a7c15ull + b * 0xd6e8feb86659fd93ull;

	return (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull >> 40 & mask;
}

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_quic) % 8 == 0, "map elements are rounded up to 8 bytes");
_Static_assert(sizeof(struct shunt_quic_server) == 24, "no holes");
#endif

#endif
