/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet path loaded over tables filled by hand, and one packet run through it.
 *
 * There is a service for every combination of family, TCP or UDP, and kind (enum world_kind: what its
 * one backend is like), at the family's VIP and port WORLD_PORT + kind; and one for any port at the
 * family's second VIP.  Each has rows and slots of its own that a test may change. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fixture_frame.h"
#include "shunt_abi.h"

enum world_kind {
	WORLD_DSR,
	WORLD_DSR_TAG, /* one VLAN tag on the way out */
	WORLD_DSR_TAGS, /* two */
	WORLD_IPIP4, /* tunnel to an IPv4 backend */
	WORLD_IPIP4_TAGS,
	WORLD_IPIP6, /* tunnel to an IPv6 backend */
	WORLD_IPIP6_TAG,
	WORLD_SPREAD4, /* IPIP whose source varies by flow */
	WORLD_SPREAD6,
	WORLD_GRE4,
	WORLD_GRE4_TAG,
	WORLD_GRE6,
	WORLD_GRE6_TAGS,
	WORLD_GRE4_SPREAD,
	WORLD_GUE4,
	WORLD_GUE4_TAGS,
	WORLD_GUE6, /* with a UDP checksum */
	WORLD_GUE6_TAG,
	WORLD_GUE6_ZERO, /* without */
	WORLD_LOCAL,
	WORLD_EMPTY_DROP, /* all slots are 0 */
	WORLD_EMPTY_PASS,
	WORLD_UNUSABLE, /* the slots' backend is not usable */
	WORLD_REDIRECT, /* behind another interface that is managed */
	WORLD_NO_EGRESS, /* behind one that is not */
	WORLD_BAD_METHOD,
	WORLD_BAD_SLOTS, /* slots_at points beyond the table */
	WORLD_BAD_ROW, /* the slots' backend is beyond the table */
	WORLD_EXACT, /* at the second VIP, DSR */
	WORLD_ANY, /* any other port there, DSR */
	WORLD_MAX,
};

/* How the packets of a kind leave. */
struct world_way {
	uint8_t method; /* enum shunt_forward */
	uint8_t family; /* of the tunnel; 0: none */
	uint8_t tags;
	uint8_t source_bits;
	bool udp_csum;
};
const struct world_way *world_way(enum world_kind kind);
/* The source of the kind's packets: a tunnel's, or NAT's; with 0 for what varies by flow. */
void world_source(enum world_kind kind, uint8_t out[static 16]);
#define WORLD_TUNNEL_FIRST WORLD_IPIP4
#define WORLD_TUNNEL_LAST WORLD_GUE6_ZERO

#define WORLD_PORT 8000
#define WORLD_SERVICES (WORLD_MAX * 4)
#define WORLD_SLOTS 256
#define WORLD_ROWS_EACH 8 /* a service's own row and seven backends */
#define WORLD_ROWS (WORLD_SERVICES * WORLD_ROWS_EACH)
#define WORLD_FLOW_BUCKETS 64
#define WORLD_NAT_BUCKETS 4 /* of requests; twice as many of replies */
#define WORLD_NAT_RECORDS (WORLD_NAT_BUCKETS * SHUNT_NAT_WAYS)
#define WORLD_NAT_BACKS (2 * WORLD_NAT_BUCKETS * SHUNT_NAT_BACKS)
#define WORLD_NAT_BACKS6 (2 * WORLD_NAT_BUCKETS * SHUNT_NAT_BACKS6)
#define WORLD_POLICIES 8
#define WORLD_SOURCE_WORDS (1u << 19)
#define WORLD_RATE_LINES 4
#define WORLD_FRAG_BUCKETS 16
#define WORLD_QUIC_RECORDS 2
#define WORLD_QUIC_PLACES 64
#define WORLD_IFINDEX_IN 1 /* what the test runner says a packet came in by */
#define WORLD_IFINDEX_MANAGED 77
#define WORLD_IFINDEX_UNMANAGED 78
#define WORLD_MTU 1500
#define WORLD_TIMEOUT 300 /* of flows, in ticks */

struct fixture {
	struct shunt_bpf *shunt;
	struct poison_bpf *poison;
	uint32_t cpus;
	uint64_t hash_key[SHUNT_HASH_WORDS];
	/* the maps */
	struct shunt_ctl *ctl;
	uint64_t *seeds;
	struct shunt_service4 *services4;
	struct shunt_service6 *services6;
	struct shunt_slot_line *slots;
	struct shunt_base_line *bases;
	struct shunt_backend *backends;
	struct shunt_counter *counters;
	struct shunt_verdict_line *verdicts;
	struct shunt_flow_bucket *flows;
	struct shunt_flow_rows *flow_rows;
	struct shunt_syns *syns; /* [cpu] */
	struct shunt_signs *signs; /* [row] */
	struct shunt_load *loads;
	struct shunt_nat_bucket *nat_requests, *nat_replies;
	struct shunt_nat_conn *nat_conns;
	struct shunt_nat_addrs *nat_addrs;
	struct shunt_nat_backs *nat_backs;
	struct shunt_nat_back6 *nat_backs6;
	struct shunt_nat_ctl *nat_ctl;
	struct shunt_policy *policies;
	uint64_t *sources;
	struct shunt_rate_line *rates;
	struct shunt_quic *quic_records;
	struct shunt_quic_server *quic_servers;
	struct shunt_handover *handover;
	struct shunt_frag_bucket *frags;
	struct shunt_answer *answers;
};

/* What became of a packet: from the action and from all the counters, which are 0 before each. */
struct outcome {
	int action; /* XDP_* */
	uint32_t verdicts; /* how many verdicts were counted, and the last of them */
	enum shunt_verdict verdict;
	uint32_t rows; /* how many rows were counted in, and the last of them */
	uint32_t row;
	uint64_t packets, bytes, flows; /* sums over the rows */
	uint64_t lookups, remembered, no_room; /* SHUNT_COUNT_* */
	struct frame out;
};

/* cmocka group fixtures; the state is the struct fixture. */
int fixture_open(void **state);
int fixture_close(void **state);
/* cmocka test fixture: the tables as described above, counters and flows 0. */
int fixture_reset(void **state);

/* Runs @in through the program as it is shipped. */
void fixture_run(struct fixture *f, const struct frame *in, struct outcome *o);
/* The same with a headroom full of @poison; only action and frame out are filled in. */
void fixture_run_poisoned(struct fixture *f, const struct frame *in, uint8_t poison,
			  struct outcome *o);
/* As it is shipped, but the counters are left alone; only action and frame out are filled in. */
void fixture_run_uncounted(struct fixture *f, const struct frame *in, struct outcome *o);
/* The same without headroom; false when the kernel cannot do it. */
bool fixture_run_cramped(struct fixture *f, const struct frame *in, struct outcome *o);

/* A packet for the service of that kind: a TCP segment with ACK and payload, or a datagram. */
struct recipe world_recipe(uint8_t family, uint8_t proto, enum world_kind kind);
/* The services' entry, first row and slots. */
struct shunt_service *world_service(struct fixture *f, uint8_t family, uint8_t proto,
				    enum world_kind kind);
uint32_t world_row(uint8_t family, uint8_t proto, enum world_kind kind);
uint16_t *world_slot(struct fixture *f, const struct shunt_service *svc, uint32_t slot);
struct shunt_base *world_base(struct fixture *f, const struct shunt_service *svc, uint32_t slot);
/* Fills the services' tables; fixture_reset() does. */
void world_build(struct fixture *f);
/* Makes the address that services of the kind have known as one with services, whether or not with a
 * live backend: fixture_reset() does not, so that all fragments and ICMP are the stack's then. */
void world_vip(struct fixture *f, uint8_t family, enum world_kind kind, bool live);
/* Where the flags of that entry are; NULL when there is none. */
const uint16_t *world_vip_flags(const struct fixture *f, uint8_t family, enum world_kind kind);
/* What stands in a tunnel's outer_csum, for a service of that family. */
uint32_t world_outer_csum(uint8_t family, const struct shunt_backend *be);

#endif
