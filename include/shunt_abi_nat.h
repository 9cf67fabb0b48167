/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of shunt_abi.h about translated connections. */
#ifndef SHUNT_ABI_NAT_H
#define SHUNT_ABI_NAT_H

#include <linux/types.h>

/* ---- NAT ---------------------------------------------------------------------------------------
 * A translated connection is a record in nat_conns, found from both sides:
 *   nat_requests  by what the client sends. Word i of bucket b stands for record b * 8 + i:
 *                 bits 63..32 tag of the flow's hash, bit 63 set; bits 31..0 NAT tick before which
 *                 the record is not void, as far as the client's side knows. 0: free.
 *                 SHUNT_NAT_BUSY: somebody fills the record. SHUNT_NAT_GONE in place of the tag:
 *                 new packets of the client do not find it any more.
 *   nat_replies   by what the backend sends. bits 63..32 tag, bit 63 set; bits 31..0 the record.
 * Each is looked for in two buckets of its own hash (shunt_nat_mix), and put into the first one until
 * that is nearly full.  There are twice as many records as connections to make room for, and as many
 * words of replies: when both of a connection's buckets of replies are full, another port is tried.
 *
 * A record is written by whoever has made its request word SHUNT_NAT_BUSY by compare-and-swap; that
 * takes a free word; or one whose record has been void for SHUNT_NAT_GRACE ticks; or, when there is
 * neither, one whose record is half open: TCP that is not established, UDP that nobody has answered.
 * `until` is written last.  Who translates by a record first copies what he needs of it and then looks
 * at the word that led him to it once more: if somebody has taken the record meanwhile, the word has
 * changed before the record has. */
#define SHUNT_NAT_WAYS 8
#define SHUNT_NAT_TAG 0x80000000u /* set in every tag */
#define SHUNT_NAT_BUSY (1ull << 32)
#define SHUNT_NAT_GONE (2ull << 32)
#define SHUNT_NAT_GRACE 2u /* NAT ticks */
#define SHUNT_NAT_TICK_SHIFT 8 /* a NAT tick is 2^8 jiffies, in 32 bits */

/* state of a record */
#define SHUNT_NAT_REPLIED 1u /* the backend has answered */
#define SHUNT_NAT_ESTABLISHED 2u /* TCP: and the client has then */
#define SHUNT_NAT_FIN_CLIENT 4u
#define SHUNT_NAT_FIN_BACKEND 8u
#define SHUNT_NAT_RESET 16u /* the last packet was a RST */
#define SHUNT_NAT_PROTO(state) ((state) >> 8 & 0xff)
#define SHUNT_NAT_CLIENT6 0x10000u /* the client's and the service's addresses are in nat_addrs */
#define SHUNT_NAT_BACKEND6 0x20000u /* the backend's and the pool's are */

struct shunt_nat_bucket {
	__u64 word[SHUNT_NAT_WAYS];
};

struct shunt_nat_conn {
	__be32 client, vip; /* IPv4 */
	__u32 client_ports; /* the client's and the service's port, in memory order */
	__u32 until; /* NAT tick after which the record is void: timeout and lag after `seen` */
	__be32 backend, pool; /* IPv4 */
	__u32 backend_ports; /* the backend's and the pool address's port, in memory order */
	__u32 state;
	__u32 ifindex; /* where the client's last packet came in, and its layer 2: */
	__u16 number; /* of the backend in the service */
	__u8 tags;
	__u8 method; /* enum shunt_forward */
	__u16 mac[6]; /* destination and source, as the client's frame had them */
	__be16 vlan_tci[2]; /* outermost first; 0 where there is none */
	__u32 reply_at; /* the word of nat_replies that names this record */
	__u32 seen; /* NAT tick of the last packet that was noted */
};

/* Of the record of the same number; only where IPv6 is. */
struct shunt_nat_addrs {
	__be32 client[4], vip[4], backend[4], pool[4];
};

/* ---- the way back, beside the records ------------------------------------------------------------
 * What a backend's packet is found by and made to, copied from its record to where its hash alone says:
 * element SHUNT_NAT_BACKS * b + (tag modulo SHUNT_NAT_BACKS) of nat_backs (IPv4 on both sides, two
 * connections to an element), or the same with SHUNT_NAT_BACKS6 of nat_backs6 (IPv6 on both), b being the
 * first of the tuple's two buckets of replies.  A cache: what is not there, or is another connection's, is looked for in nat_replies as
 * if there were none.
 *
 * Packets that are sent by it are not noted in the record.  So an element holds for shunt_nat_lag() of
 * the record's timeout, in NAT ticks, after a packet of the backend was noted, and every packet that is
 * noted lets the record live for as much longer; and it holds only for packets that change nothing
 * else of the record: not if they begin or end something, nor if its state is such that any of the
 * backend's would change it.
 *
 * Whoever changes what is copied, or sees a FIN or a RST, sets `tag` to 0 afterwards; and so does who
 * takes a record that may have an element, after its word of nat_replies is gone.  Whoever writes an
 * element makes `turn` odd by compare-and-swap and even again, and then looks whether word and record
 * still say what he has copied. */
#define SHUNT_NAT_BACKS 4 /* elements of nat_backs to a bucket */
#define SHUNT_NAT_BACKS6 8 /* of nat_backs6 */
#define SHUNT_NAT_LAG 8u /* NAT ticks, at most */

struct shunt_nat_back {
	__u32 turn; /* odd: somebody writes */
	__u32 until; /* last NAT tick in which it holds */
	__u32 tag; /* as in the word of nat_replies; 0: none */
	__u32 rec;
	__be32 backend, pool; /* IPv4 */
	__be32 vip, client; /* IPv4 */
	__u32 ports; /* the backend's and the pool address's, in memory order */
	__u32 to_ports; /* the service's and the client's */
	__u32 ifindex; /* where it leaves */
	__u8 proto, tags;
	__u16 mac[6]; /* destination and source */
	__be16 vlan_tci[2];
	__u16 pad;
};

struct shunt_nat_backs {
	struct shunt_nat_back way[2];
};

struct shunt_nat_back6 {
	struct shunt_nat_back b;
	struct shunt_nat_addrs addrs;
};

/* By how much a record may live longer than its timeout. */
static inline __attribute__((always_inline)) __u32 shunt_nat_lag(__u32 timeout)
{
	__u32 lag = timeout / 8;

	return lag < SHUNT_NAT_LAG ? lag : SHUNT_NAT_LAG;
}

enum shunt_nat_timeout {
	SHUNT_NAT_T_UDP,
	SHUNT_NAT_T_SYN, /* TCP that is not established */
	SHUNT_NAT_T_ESTABLISHED,
	SHUNT_NAT_T_CLOSING, /* both sides have sent FIN */
	SHUNT_NAT_T_RESET,
	SHUNT_NAT_T_MAX,
};

#define SHUNT_NAT_POOLS 64
#define SHUNT_NAT_POOL_ADDRS 16

/* Addresses of one family. [0] is unused. */
struct shunt_nat_pool {
	__u32 n; /* 1 to SHUNT_NAT_POOL_ADDRS */
	__u32 pad;
	__be32 addr[SHUNT_NAT_POOL_ADDRS][4]; /* IPv4 in [i][0] */
};

/* The one element of nat_ctl. */
struct shunt_nat_ctl {
	__u32 timeout[SHUNT_NAT_T_MAX]; /* NAT ticks */
	__u16 first_port, ports; /* host order: the ports taken at the pools' addresses */
	struct shunt_nat_pool pool[SHUNT_NAT_POOLS];
};

/* Number of the record of a connection that a dry run would open; no other is so large. */
#define SHUNT_NAT_DRY 0x80000000u

/* Where a packet's words are: two buckets and the tag. @hash is the packet's, as struct
 * shunt_settings says. */
struct shunt_nat_place {
	__u32 first, second, tag;
};

static inline __attribute__((always_inline)) struct shunt_nat_place
shunt_nat_mix(__u64 hash, __u8 proto, __u32 mask)
{
	__u64 a = (hash ^ hash >> 32 ^ (__u64)proto << 40) * 0x9e3779b97f4a7c15ull;
	__u64 b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;

	b ^= b >> 32;
	return (struct shunt_nat_place){b & mask, b >> 20 & mask, b >> 32 | SHUNT_NAT_TAG};
}

/* Which timeout a record in this state has. */
static inline __attribute__((always_inline)) enum shunt_nat_timeout
shunt_nat_timeout_of(__u32 state)
{
	const __u32 fins = SHUNT_NAT_FIN_CLIENT | SHUNT_NAT_FIN_BACKEND;

	if (SHUNT_NAT_PROTO(state) != 6)
		return SHUNT_NAT_T_UDP;
	if (state & SHUNT_NAT_RESET)
		return SHUNT_NAT_T_RESET;
	if ((state & fins) == fins)
		return SHUNT_NAT_T_CLOSING;
	return state & SHUNT_NAT_ESTABLISHED ? SHUNT_NAT_T_ESTABLISHED : SHUNT_NAT_T_SYN;
}

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_nat_bucket) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_nat_conn) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_nat_addrs) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_nat_back) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_nat_backs) == 128, "two, in one page");
_Static_assert(sizeof(struct shunt_nat_back6) == 128, "two, in one page");
#endif

#endif /* SHUNT_ABI_NAT_H */
