/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the packet path (bpf/) and the daemon share: the maps' keys and values, the hash that both
 * compute, and the verdict table.  Any change of a struct, a map or the meaning of a field is a new
 * SHUNT_ABI_VERSION, with a pin directory of its own and a step in user/io/dp_former.c that makes of the
 * former version's tables those of the new one; what has not been released yet may change without.
 *
 * Byte order: __be16 and __be32 are as on the wire; everything else is the host's.
 *
 * How a packet walks through it:
 *   ctl.active -> index -> seeds -> services4|services6 -> slots (or flows) -> backends, counters
 * and, for what those do not know, ... index -> prefixes -> spans -> slots ...
 */
#ifndef SHUNT_ABI_H
#define SHUNT_ABI_H

#include <linux/types.h>

#include "shunt_abi_flow.h"
#include "shunt_abi_nat.h"
#include "shunt_abi_source.h"
#include "shunt_abi_news.h"
#include "shunt_abi_passive.h"
#include "shunt_abi_rare.h"
#include "shunt_abi_quic.h"
#include "shunt_abi_trace.h"
#include "shunt_abi_verdict.h"

#define SHUNT_ABI_VERSION 2

/* ---- services ----------------------------------------------------------------------------------*/

enum shunt_scheduler {
	SHUNT_MAGLEV,
	SHUNT_RR,
	SHUNT_WRR,
	SHUNT_SH,
	SHUNT_LC,
	SHUNT_WLC,
	SHUNT_SCHEDULER_MAX
};
enum shunt_forward {
	SHUNT_DSR,
	SHUNT_IPIP,
	SHUNT_LOCAL,
	SHUNT_NAT,
	SHUNT_MASQ,
	SHUNT_GUE,
	SHUNT_GRE,
	SHUNT_FORWARD_MAX,
};

/* Flags of a service. */
#define SHUNT_SVC_ON_EMPTY_PASS 1u /* no backend: PASS_NO_BACKEND instead of DROP_NO_BACKEND */
#define SHUNT_SVC_FLOWS 2u /* every flow is remembered; a new one by per-CPU cursor (rr, wrr) */
#define SHUNT_SVC_NAT 4u /* nat or masq is the method of some of its backends */
#define SHUNT_SVC_TURNS 8u /* NAT: a new connection's backend by per-CPU cursor (rr, wrr) */
#define SHUNT_SVC_QUIC 16u /* UDP: a connection id may name the backend; never together with NAT */
#define SHUNT_SVC_LOADS 32u /* with FLOWS: a new one by two hashes and the lesser load (lc, wlc) */
#define SHUNT_SVC_SOURCE 64u /* slots are found by the source's hash (sh, affinity) */
#define SHUNT_SVC_AFFINE 128u /* with SOURCE: what is remembered are sources, not flows */
#define SHUNT_SVC_LEARN                                                                            \
	256u /* no packet says that it begins a flow: slots learn before they change */
#define SHUNT_SVC_KEEP 512u /* of every flow is remembered where it goes, whatever else is */
#define SHUNT_SVC_KEPT 1024u /* with AFFINE: and that comes before what its source has */
#define SHUNT_SVC_OWN (SHUNT_SVC_KEEP | SHUNT_SVC_KEPT)

/* A service's part that does not depend on the address family.  Read only after its key matched. */
struct shunt_service {
	__u32 slots_at; /* first element in `slots` and `bases`, of 32 slots each */
	__u32 row; /* row of the service itself; backend number b stands at row + b */
	__u32 salt; /* mixed into the tags of the service's flows; stays when its row moves */
	__u16 slot_mask; /* 2^k - 1, k in [5, 16]: number of slots less one */
	__u16 backends; /* highest number that a backend may have; a flow with a higher one is void */
	__u16 flags; /* SHUNT_SVC_* */
	__u16 flow_timeout; /* in flow ticks (SHUNT_FLOW_TICK_SHIFT): an older entry is void */
	__u16 policy; /* which of `policies`; 0: none */
	__u8 scheduler; /* enum shunt_scheduler, for display; the packet path reads flags */
	__u8 source_bits; /* with SOURCE: how many upper bits of its address count, 1 to 128 */
};

/* Every address that has a service has an entry of its own besides, under the protocol IPPROTO_ICMP
 * or IPPROTO_ICMPV6 and port 0: what a packet without ports is looked for by.  Of its struct
 * shunt_service only flags hold, and they are these. */
#define SHUNT_VIP_LIVE 1u /* one of its services has a live backend; kept true in place */

/* Exact IPv4 service.  key is shunt_key4(); 0 is an empty entry. */
struct shunt_service4 {
	__u64 key;
	struct shunt_service svc;
};

/* Exact IPv6 service.  An entry whose port_proto is 0 is empty. */
struct shunt_service6 {
	__be32 addr[4];
	__u32 port_proto; /* shunt_port_proto() */
	__u32 pad;
	struct shunt_service svc;
};

/* Port 0 stands for any port; the protocol is IPPROTO_TCP or IPPROTO_UDP, or as said above. */
static inline __attribute__((always_inline)) __u32 shunt_port_proto(__be16 port, __u8 proto)
{
	return (__u32)port | (__u32)proto << 16;
}

static inline __attribute__((always_inline)) __u64 shunt_key4(__be32 addr, __u32 port_proto)
{
	return (__u64)addr | (__u64)port_proto << 32;
}

/* The word under which an IPv6 service is looked for; equal keys give equal words, and the entry's
 * own address and port decide.  a and b are the address's two halves as 64-bit words in memory
 * order. */
static inline __attribute__((always_inline)) __u64 shunt_key6(__u64 a, __u64 b, __u32 port_proto)
{
	return a * 0x9e3779b97f4a7c15ull + b * 0xc2b2ae3d27d4eb4full +
	       port_proto * 0xd6e8feb86659fd93ull;
}

/* A perfect hash over the exact services of one family (Fredman, Komlos and Szemeredi's two levels
 * with multiplicative hashing, after Dietzfelbinger et al. 1997):
 *   seed  = seeds[seeds_at + ((key * bucket_mul) >> bucket_shift)]
 *   entry = servicesN[entries_at + ((key * seed) >> shift)]
 * Both take the product's upper bits, which every bit of the key reaches: ports that differ in one
 * byte would not reach the lower ones.  bucket_mul and the seeds are odd.  A family without
 * services has flags 0 and is not looked up. */
struct shunt_index {
	__u64 bucket_mul;
	__u32 bucket_shift; /* 64 - log2(buckets), buckets >= 2 */
	__u32 shift; /* 64 - log2(entries), entries >= 2 */
	__u32 seeds_at;
	__u32 entries_at;
	__u32 flags; /* SHUNT_INDEX_* */
	__u32 pad;
};
#define SHUNT_INDEX_EXACT 1u /* there are services with a port */
#define SHUNT_INDEX_ANY_PORT 2u /* there are services for any port: look again with port 0 */
#define SHUNT_INDEX_VIPS 4u /* there are entries of addresses */
#define SHUNT_INDEX_PREFIXES 8u /* there are prefixes: look there last */

/* The one element of `ctl`.  The daemon writes the half that is not active, then flips `active`. */
struct shunt_ctl {
	__u32 active; /* 0 or 1: which of the two indexes of each family holds */
	__u32 pad;
	struct shunt_index v4[2];
	struct shunt_index v6[2];
};

/* ---- prefixes ----------------------------------------------------------------------------------
 * Services for whole prefixes, and those of one address for more ports than are written out (in
 * prefixes of full length).  The longest prefix that contains the address has spans, in the order of
 * their ports, of which the first begins at port 0; the last that does not begin behind the packet's
 * port decides.  Both halves of ctl stand in one trie, kept apart by the key.  The services stand in
 * entries of servicesN that the perfect hash leaves empty: their keys are 0. */
struct shunt_prefix_key {
	__u32 prefixlen; /* in bits: SHUNT_PREFIX_BITS and the prefix's own */
	__u8 half; /* of ctl's indexes */
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u8 pad;
	__be32 addr[4]; /* IPv4 in addr[0], the rest 0 */
};
#define SHUNT_PREFIX_BITS 32 /* of the key before addr */

struct shunt_prefix {
	__u32 spans_at;
	__u32 spans; /* how many, 1 to 65536 */
};

struct shunt_span {
	__u32 from_port;
	__u32 entry; /* of servicesN, from the index's entries_at on; or SHUNT_SPAN_NOBODY */
};
#define SHUNT_SPAN_NOBODY 0xffffffffu

/* ---- slots -------------------------------------------------------------------------------------
 * 16 bits a slot: bit 15 is `changed`, the rest the number in the service of the backend to which new
 * flows go, 1 and up; 0 means no backend.  A cache line an element.
 *
 * A slot without `changed` is settled: all its flows are that backend's, here called cur, and nothing is
 * looked up.  One with it is in transition: it had another backend not long ago, whose flows stay with
 * it.  `bases` has more of such a slot, at the same place; base 0 stands for cur.  In transition
 *   a flow with a valid entry in the flow table        follows it
 *   else a packet that begins a flow (TCP: SYN)        goes to cur and is remembered; where there is
 *                                                      no room, to base
 *   else (the flow is older than the change)           goes to base
 * A packet that goes elsewhere than to cur writes the tick into `used`.  Of services with
 * SHUNT_SVC_LEARN no packet tells whether its flow is new; their slots first have
 * SHUNT_BASE_LEARNING: what has no entry goes to base and is remembered so; then not: what has no
 * entry goes to cur and is remembered so, if there is room.  A base that is not usable counts as cur.  A
 * flow whose entry names a backend that is not usable begins anew: it goes to cur.
 * Of slots of services with SHUNT_SVC_FLOWS only flows that had no room to be remembered are concerned;
 * and, with SHUNT_BASE_LEARNING, all that have no entry: until lately the service did not remember any.
 *
 * Entries are valid in a slot in transition from tick `since` on (by shunt_flow_age(), so that a slot may
 * stay so for long), and those made there are as old as that at most: what an earlier transition has left
 * behind does not count.  With SHUNT_SVC_FLOWS that holds of slots with SHUNT_BASE_SINCE, which had it already
 * when the service began to remember every flow or have had it since then; all other entries are valid.
 *
 * A service comes to find its slots or entries by another hash in two steps.  With SHUNT_SVC_KEEP it goes
 * on as it is, and besides, of every packet's flow, an entry under the flow's own hash is made to say where
 * the packet went.  Then all slots are in transition, base 0, with a `since` from which on all flows have been
 * kept; with SHUNT_SVC_AFFINE the service has SHUNT_SVC_KEPT until they have settled: in a slot in transition,
 * or if it has SHUNT_SVC_FLOWS, a flow's own entry comes before its source's.  With SHUNT_SVC_AFFINE and
 * SHUNT_SVC_LOADS a service always has both, since its loads are of flows; a kept flow's first packet in
 * a tick then is its source's as well.
 *
 * The daemon begins a transition by writing the base and then the slot, and settles a slot that has
 * not been `used` for the flow timeout, or when the hard cap has passed since it began.  While it lasts
 * base stays what it was at the beginning, however often cur changes: whatever came to flows since
 * then has entries. */
#define SHUNT_SLOTS_PER_LINE 32
#define SHUNT_SLOT_CHANGED 0x8000u
#define SHUNT_SLOT_BACKEND 0x7fffu
#define SHUNT_BACKENDS_PER_SERVICE 32767

struct shunt_slot_line {
	__u16 slot[SHUNT_SLOTS_PER_LINE];
};

/* Read as one word.  The packet path writes `used` and, once, SHUNT_BASE_FULL. */
#define SHUNT_BASE_LEARNING 1u
#define SHUNT_BASE_FULL 2u /* a flow that should have been remembered was not: no room */
#define SHUNT_BASE_SINCE 4u /* `since` counts with SHUNT_SVC_FLOWS, too */
struct shunt_base {
	__u16 base; /* the backend's number; 0: cur */
	__u16 used; /* flow tick */
	__u16 since; /* flow tick: the one after that in which the transition began, or later */
	__u16 flags; /* SHUNT_BASE_* */
};

struct shunt_base_line {
	struct shunt_base slot[SHUNT_SLOTS_PER_LINE];
};

/* ---- backends ----------------------------------------------------------------------------------
 * One row for each (service, backend) pair; the service's own row (number 0) has no address and
 * counts what found no backend.  64 bytes, a cache line, written so that the packet path copies
 * whole words. */
#define SHUNT_BE_USABLE 1u /* may get packets: has a next hop and is not down */
#define SHUNT_BE_ADDR6 2u /* addr and source are IPv6 */
#define SHUNT_BE_NO_NEW 4u /* draining: flows that are remembered stay, new ones go elsewhere */
#define SHUNT_BE_UDP_CSUM 8u /* GUE over IPv6: the UDP checksum is computed, else it is 0 */
#define SHUNT_BE_PASSIVE 16u /* what its packets tell of it is counted: shunt_abi_passive.h */

struct shunt_backend {
	__be32 addr[4]; /* tunnel destination; IPv4 in addr[0], the rest 0 */
	__be32 source[4]; /* tunnel source, same family */
	__u8 dmac[6]; /* next hop's */
	__u8 smac[6]; /* egress interface's */
	__u32 ifindex; /* egress interface, the physical one below VLAN devices */
	union {
		__u32 nat_pool; /* nat: which of nat_ctl's pools; 0: `source` alone */
		/* Tunnels: ones' complement sum, in memory order and unfolded, of what does not
		 * change from packet to packet. Over IPv4: of the outer header with tos, length and
		 * checksum as 0: id 0, DF, TTL 64, and as protocol 17 (GUE), 47 (GRE), or 4 or 41
		 * by the family of the service's address. GUE over IPv6: of the pseudo header
		 * without its length, the destination port and the GUE header. Else 0. */
		__u32 outer_csum;
	};
	__be16 vlan_tci[2]; /* tags to put in front, outermost first */
	__u16 mtu; /* largest IP packet, with the tunnel header, that the path takes */
	__be16 port; /* nat, masq: the destination port; 0: stays as it is */
	__u8 method; /* enum shunt_forward */
	__u8 flags; /* SHUNT_BE_* */
	__u8 tags; /* VLAN tags to put in front, 0 to 2; with two the outer one is 802.1ad,
			   * else 802.1Q */
	__u8 source_bits; /* IPIP, GRE: shunt_source_host() is added to source's last word */
};

/* GUE (draft-ietf-intarea-gue-09): variant 0, a header of 4 bytes without flags. */
#define SHUNT_GUE_PORT 6080
#define SHUNT_GUE_SOURCE_PORTS 0xc000 /* and up: dynamic ports (RFC 6335), as RFC 7605 asks */

/* 32 bits that differ from flow to flow, also among those that one slot or one backend gets: what
 * tells a backend's flows apart for its receive queues. */
static inline __attribute__((always_inline)) __u32 shunt_entropy_of(__u64 hash)
{
	return ((hash ^ hash >> 29) * 0xbf58476d1ce4e5b9ull) >> 32;
}

/* Source port of GUE. */
static inline __attribute__((always_inline)) __u16 shunt_gue_port_of(__u64 hash)
{
	return SHUNT_GUE_SOURCE_PORTS | shunt_entropy_of(hash) >> 18;
}

/* What a flow adds to the last word, in host order, of a source address of which @bits bits may vary:
 * 0, or 4 to 32.  The last two stay as they are, so that no source is its network's address or its
 * broadcast address, from which hosts take nothing. */
static inline __attribute__((always_inline)) __u32 shunt_source_host(__u64 hash, __u8 bits)
{
	return shunt_entropy_of(hash) & ((1ull << (bits & 63)) - 1) & ~3u;
}

/* One record for each CPU and row, at [cpu * rows + row], written once a packet by that CPU alone,
 * never reset: the daemon keeps offsets (struct shunt_owner). */
struct shunt_counter {
	__u64 packets;
	__u64 bytes; /* of the IP packets as they came in, layer 2 and tunnel headers not counted */
	__u64 flows; /* TCP SYNs without ACK; for UDP, flows newly remembered; in a service's own
		      * row: packets over its rates */
	union {
		__u64 cursor; /* in a service's own row: its round-robin cursor on this CPU */
		__u64 repeats; /* in a backend's: SYNs that came again, as shunt_abi_passive.h says */
	};
};

/* Who a row belongs to.  Read and written by the daemon only; what makes adoption after a restart
 * possible.  Names are as configured, NUL-terminated. A row whose service name is empty is free. */
#define SHUNT_NAME_MAX 64
struct shunt_owner {
	char service[SHUNT_NAME_MAX];
	char backend[SHUNT_NAME_MAX]; /* empty in the service's own row */
	__u32 number; /* the backend's number in the service; 0 in its own row */
	__u32 slots_at; /* own row: as in struct shunt_service */
	__u32 slots; /* own row: number of slots, a power of two */
	__u32 rows; /* own row: rows reserved for the service, itself included */
	union {
		__be32 addr[4]; /* the backend's address */
		struct { /* own row */
			__u64 keeps_since; /* with SHUNT_SVC_KEEP: since when, in microseconds of
					    * CLOCK_MONOTONIC; 0: not known */
			__u32 knows_all; /* with SHUNT_SVC_FLOWS: 1 if that has been so since before
					  * any flow that is open began; 0: not known */
			__u32 none; /* 0 */
		};
	};
	__u32 addr6; /* 1 if addr is IPv6 */
	__u32 leaves_by; /* no longer configured: seconds since 1970 when its flows have to go; else 0 */
	/* Subtracted from the counters' sums (mod 2^64): what the row had counted for an earlier
	 * owner; or, after tables have grown, a negative number. */
	__u64 base_packets;
	__u64 base_bytes;
	__u64 base_flows;
};

/* ---- stages ------------------------------------------------------------------------------------
 * What not every packet needs is in programs of their own, which the first one, shunt_xdp, goes on to
 * by a tail call through `stages` and which come to the verdict in its stead.  The daemon puts in
 * what its config needs; where there is nothing, the verdict that the packet had before holds.  The
 * kernel empties the map when no descriptor and no pin refer to it any more.
 * `handover` is what one program tells the next of the packet in hand: theirs alone. */
enum shunt_stage {
	SHUNT_STAGE_NAT, /* shunt_nat: requests and replies of services that translate */
	SHUNT_STAGE_RARE, /* shunt_rare: fragments, ICMP, answers to the sender */
	SHUNT_STAGE_NAT_RARE, /* shunt_nat_rare: fragments and ICMP of translated connections */
	SHUNT_STAGE_QUIC, /* shunt_quic: connection ids */
	SHUNT_STAGE_POLICY, /* shunt_policy: what a service's policy says of sources */
	SHUNT_STAGE_MAX,
};

struct shunt_handover {
	__u64 word[16];
};

/* ---- settings, written to .rodata before the program is loaded ---------------------------------*/

/* Keyed multilinear (NH) hash over 32-bit words, strongly universal in its upper 32 bits
 * (Lemire and Kaser, "Strongly universal string hashing is fast", 2014):
 *   IPv4: hash = k[0] + k[1]*saddr + k[2]*ports + k[3]*daddr
 *   IPv6: hash = k[0] + k[1]*s0 + k[2]*ports + k[3]*d0 + k[4]*s1 + k[5]*s2 + k[6]*s3
 *                + k[7]*d1 + k[8]*d2 + k[9]*d3
 * over the words as they stand on the wire (loaded in memory order), ports = the 32 bits of source
 * and destination port.  The slot is shunt_slot_of(hash, slot_mask); with SHUNT_SVC_SOURCE of the source's
 * hash, which is the same with ports 0 and only the upper source_bits of the source's address, the
 * others being 0.  Hosts with the same key, and so the same secret, choose the same slot.
 * Little-endian hosts only. */
#define SHUNT_HASH_WORDS 10

/* The hash is linear, so that sequential ports or addresses walk through its bits in equal steps, and
 * for one secret in twenty or so the steps meet a few slots again and again.  Folding and one more
 * multiplication make every pattern as even as SipHash does (tests/unit/test_hashkey.c). */
static inline __attribute__((always_inline)) __u32 shunt_slot_of(__u64 hash, __u32 slot_mask)
{
	return ((hash ^ hash >> 32) * 0x9e3779b97f4a7c15ull) >> 48 & slot_mask;
}

/* The hash of the second slot that a new flow of a service with SHUNT_SVC_LOADS may take its backend
 * from. */
static inline __attribute__((always_inline)) __u64 shunt_second_of(__u64 hash)
{
	return (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9ull;
}

struct shunt_settings {
	__u64 hash_key[SHUNT_HASH_WORDS]; /* from the config's hash_secret */
	__u32 rows; /* capacity of `backends` and stride of `counters` */
	__u32 flow_mask; /* number of flow buckets less one, a power of two less one */
	__u32 cpus; /* possible CPUs: the cursors are staggered by 2^k / cpus */
	__u32 nat_mask; /* number of request buckets less one, a power of two less one; 0: no NAT */
	__u32 nat_reply_mask; /* the same of reply buckets */
	__u32 rate_mask; /* number of `rates` lines less one, a power of two less one */
	__u32 frag_mask; /* number of fragment buckets less one, a power of two less one */
	__u32 hz; /* jiffies a second */
	__u32 staged; /* SHUNT_SVC_NAT, SHUNT_SVC_QUIC: there are services with it */
	__u32 flow_shift; /* SHUNT_FLOW_TICK_SHIFT, or less in tests whose time is to pass faster */
	__u32 news; /* 1: `news` is written */
	__u32 dry; /* 1: only to say what would become of a packet: bpf/maps.h */
	__u32 passive; /* 1: there are backends with SHUNT_BE_PASSIVE */
	__u32 pad;
};

/* ---- maps --------------------------------------------------------------------------------------
 * All are arrays with BPF_F_MMAPABLE (prefixes, tx_ports and stages apart), sized at load, pinned
 * under their names in /sys/fs/bpf/shunt/<instance>/v<SHUNT_ABI_VERSION>/.
 *
 *   ctl         1 x struct shunt_ctl
 *   seeds       2 x S x __u64               halves belong to ctl's index 0 and 1; within a half
 *   services4   2 x E x struct shunt_service4    each family has its own stretch (seeds_at)
 *   services6   2 x E x struct shunt_service6
 *   prefixes    LPM_TRIE, BPF_F_NO_PREALLOC, struct shunt_prefix_key -> struct shunt_prefix
 *   spans       2 x P x struct shunt_span
 *   slots       L x struct shunt_slot_line
 *   bases       L x struct shunt_base_line
 *   backends    rows x struct shunt_backend
 *   counters    cpus * rows x struct shunt_counter
 *   verdicts    cpus x { __u64 [64] }        [verdict] of that CPU: packets; [SHUNT_COUNT_*]
 *   flows       buckets x struct shunt_flow_bucket
 *   flow_rows   buckets x struct shunt_flow_rows; of one without services that remember every flow
 *   loads       rows x struct shunt_load
 *   news        cpus x struct shunt_news; 1 where it is not written
 *   syns        cpus x struct shunt_syns; 1 where nobody has passive checks
 *   signs       rows x struct shunt_signs
 *   nat_requests, nat_replies   buckets x struct shunt_nat_bucket; of one bucket without NAT
 *   nat_conns, nat_addrs   8 * request buckets x struct shunt_nat_conn, shunt_nat_addrs
 *   nat_backs, nat_backs6   4, 8 * reply buckets x struct shunt_nat_backs, shunt_nat_back6
 *   nat_ctl     1 x struct shunt_nat_ctl
 *   policies    P x struct shunt_policy      by number; [0] is unused
 *   sources     W x struct shunt_source_line words of the policies' lists
 *   rates       lines x struct shunt_rate_line
 *   frags       buckets x struct shunt_frag_bucket
 *   answers     cpus x struct shunt_answer
 *   stages      PROG_ARRAY, enum shunt_stage -> program; made anew with each shunt_xdp
 *   handover    cpus x struct shunt_handover
 *   quic_records   Q x struct shunt_quic       by number; [0] is unused
 *   quic_servers   places x struct shunt_quic_server
 *   owners      rows x struct shunt_owner    daemon only (the program does not use it)
 *   tx_ports    DEVMAP_HASH, ifindex -> ifindex of the interfaces that shunt manages
 */
#define SHUNT_VERDICTS_PER_CPU 64
/* Behind the verdicts, of the flow table: */
#define SHUNT_COUNT_LOOKUPS 63 /* how often it was searched */
#define SHUNT_COUNT_REMEMBERED 62 /* flows newly remembered */
#define SHUNT_COUNT_NO_ROOM 61 /* flows that were not, as there was no room */
#define SHUNT_COUNT_FIRST 61
struct shunt_verdict_line {
	__u64 packets[SHUNT_VERDICTS_PER_CPU];
};

#ifndef __cplusplus
_Static_assert(sizeof(struct shunt_service) == 24, "map elements are rounded up to 8 bytes");
_Static_assert(sizeof(struct shunt_service4) == 32, "two to a cache line");
_Static_assert(sizeof(struct shunt_service6) == 48, "map elements are rounded up to 8 bytes");
_Static_assert(sizeof(struct shunt_prefix_key) == 24, "no holes");
_Static_assert(sizeof(struct shunt_slot_line) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_backend) == 64, "a cache line");
_Static_assert(sizeof(struct shunt_counter) == 32, "half a cache line");
_Static_assert(sizeof(struct shunt_handover) == 128, "two cache lines");
_Static_assert(sizeof(struct shunt_base) == 8, "a word");
_Static_assert(SHUNT_VERDICT_MAX <= SHUNT_COUNT_FIRST, "verdicts fit their line");
#endif

#endif /* SHUNT_ABI_H */
