/* SPDX-License-Identifier: BSD-2-Clause */
/* Random tables and random frames, through the packet path and through the oracle, and the two
 * compared in everything: verdict, action, frame, all counters, all that the packet path writes.
 *
 * Packets come in rounds of FUZZ_ROUND, each with tables of its own and an empty flow table, so that
 * a packet is repeated by the seed and its number alone, on a machine with as many CPUs.  (But for
 * time: a tick that ends in the middle of a round makes what is remembered one tick older, and rates
 * let a flow more through.)
 *
 * What the packet path learns goes into the oracle's stage of that name, into service_vary() or
 * backend_vary() so that tables have it, into packet_roll() so that frames come for it, and, if it
 * has fields of its own, into the damages.  test_oracle.c fails as long as a verdict is never seen.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stdint.h>

#include "../packet/fixture.h"
#include "oracle.h"

#define FUZZ_ROUND 8192
#define FUZZ_FRAME_MAX 3400 /* what the kernel's test runner takes in one piece, and a bit less */
#define FUZZ_SPANS 64 /* of ports, under prefixes: the last ones are of addresses without ports */
#define FUZZ_CIDS 8 /* connection ids */
#define FUZZ_CID_LEN 20
#define FUZZ_VIPS 12 /* addresses and prefixes */
#define FUZZ_SOURCES 12 /* prefixes in a list */
#define FUZZ_LINES (WORLD_SERVICES * WORLD_SLOTS / SHUNT_SLOTS_PER_LINE)

/* ---- dice (splitmix64, Steele et al. 2014) -----------------------------------------------------*/

struct dice {
	uint64_t x;
};

uint64_t roll64(struct dice *d);
/* 0 to @below - 1. */
uint32_t roll(struct dice *d, uint32_t below);
/* True once in @n times. */
bool once_in(struct dice *d, uint32_t n);
void roll_bytes(struct dice *d, void *out, size_t len);

/* ---- tables ------------------------------------------------------------------------------------*/

/* What the oracle knows of: a copy of everything in the fixture's maps. */
struct fuzz_nat {
	struct shunt_nat_bucket requests[WORLD_NAT_BUCKETS], replies[2 * WORLD_NAT_BUCKETS];
	struct shunt_nat_conn conns[WORLD_NAT_RECORDS];
	struct shunt_nat_addrs addrs[WORLD_NAT_RECORDS];
};

struct fuzz_world {
	struct fixture *f;
	struct oracle_tables tables;
	struct oracle_state state;
	struct oracle_service services[WORLD_SERVICES + FUZZ_SPANS];
	struct shunt_slot_line slots[FUZZ_LINES];
	struct shunt_base_line bases[FUZZ_LINES];
	uint16_t tick; /* about now */
	struct shunt_backend backends[WORLD_ROWS];
	struct shunt_nat_ctl nat_ctl;
	struct fuzz_nat nat; /* what state.nat points at */
	struct oracle_policy policies[WORLD_POLICIES];
	struct oracle_source sources[WORLD_POLICIES][FUZZ_SOURCES];
	struct shunt_rate_line rates[WORLD_RATE_LINES];
	uint64_t full[WORLD_POLICIES];
	struct oracle_vip vips[FUZZ_VIPS];
	struct shunt_frag_bucket frags[WORLD_FRAG_BUCKETS];
	struct shunt_answer *answers; /* of each CPU */
	struct oracle_quic quics[WORLD_QUIC_RECORDS];
	uint8_t cids[FUZZ_CIDS][FUZZ_CID_LEN]; /* of servers that there are */
};

/* Makes @w stand over @f, whose tables are filled later. */
void fuzz_world_open(struct fuzz_world *w, struct fixture *f);
void fuzz_world_close(struct fuzz_world *w);
/* Fills the maps and @w with new tables. */
void fuzz_world_fill(struct fuzz_world *w, struct dice *d);
/* Copies the fixture's own services as they stand into @w. */
void fuzz_world_copy(struct fuzz_world *w);
/* Puts @svc into an entry that the family's hash leaves empty; the entry's number. */
uint32_t fuzz_entry_take(struct fixture *f, uint8_t family, const struct shunt_service *svc);
/* Changes a backend or what is remembered of a flow, in both alike. */
void fuzz_world_disturb(struct fuzz_world *w, struct dice *d);
/* Copies what the packet path writes between maps and @w. */
void fuzz_world_from_maps(struct fuzz_world *w);
void fuzz_world_to_maps(const struct fuzz_world *w);

/* The same of translation: its part of new tables, of a new service's, and of what changes. */
void fuzz_nat_open(struct fuzz_world *w);
void fuzz_nat_fill(struct fuzz_world *w, struct dice *d);
void fuzz_nat_service(struct shunt_service *svc, struct dice *d);
void fuzz_nat_backend(struct shunt_backend *be, uint8_t family, struct dice *d);
void fuzz_nat_disturb(struct fuzz_world *w, struct dice *d);
void fuzz_nat_from_maps(struct fuzz_world *w);
void fuzz_nat_to_maps(const struct fuzz_world *w);
/* The maps themselves. */
struct oracle_nat fuzz_nat_maps(const struct fixture *f);
/* Makes @r a packet of a backend to one of the connections that there are; false when there is none. */
bool fuzz_nat_reply(const struct fuzz_world *w, struct dice *d, struct recipe *r);

/* The same of addresses, fragments and answers; the first before any prefix takes an entry. */
void fuzz_rare_open(struct fuzz_world *w);
void fuzz_rare_vips(struct fuzz_world *w, struct dice *d);
void fuzz_rare_fill(struct fuzz_world *w, struct dice *d);
void fuzz_rare_disturb(struct fuzz_world *w, struct dice *d);
void fuzz_rare_from_maps(struct fuzz_world *w);
void fuzz_rare_to_maps(const struct fuzz_world *w);
bool fuzz_rare_is_same(const struct fuzz_world *w);
/* Copies the addresses that the fixture knows exactly. */
void fuzz_rare_copy(struct fuzz_world *w);

/* The same of connection ids. */
void fuzz_quic_fill(struct fuzz_world *w, struct dice *d);
void fuzz_quic_service(struct fixture *f, struct shunt_service *svc, struct dice *d);
/* Writes a QUIC header into the datagram in @f. */
void fuzz_quic_payload(const struct fuzz_world *w, struct dice *d, struct frame *f);

/* The same of policies. */
void fuzz_source_fill(struct fuzz_world *w, struct dice *d);
void fuzz_source_service(struct shunt_service *svc, uint8_t family, struct dice *d);
void fuzz_source_disturb(struct fuzz_world *w, struct dice *d);
void fuzz_source_from_maps(struct fuzz_world *w);
void fuzz_source_to_maps(const struct fuzz_world *w);
bool fuzz_source_is_same(const struct fuzz_world *w);
/* One of a few sources, which lists name. */
void fuzz_some_source(uint8_t family, struct dice *d, uint8_t out[static 16]);

/* ---- frames ------------------------------------------------------------------------------------*/

#define FUZZ_FLOWS 1024

/* The flows of a round, of which packets keep coming. */
struct fuzz_frames {
	struct recipe flows[FUZZ_FLOWS];
};

void fuzz_frames_fill(struct fuzz_frames *g, struct dice *d);
/* The next frame: sound, or damaged in one to four ways. */
void fuzz_frame(const struct fuzz_world *w, const struct fuzz_frames *g, struct dice *d,
		struct frame *out);
/* Makes @f, which is @r's, a piece of itself. */
void fuzz_fragment(const struct recipe *r, struct dice *d, struct frame *f);
/* Makes @out what ICMP may say about the flow of @r, to its destination. */
void fuzz_icmp(const struct recipe *r, struct dice *d, struct frame *out);
/* Damages a frame; part of the above. */
void fuzz_damage(struct dice *d, struct frame *f);

/* ---- a run -------------------------------------------------------------------------------------*/

struct fuzz_run {
	uint64_t seed;
	uint64_t from, count; /* of packets; @from is rounded down to the start of its round */
	uint32_t mismatches_max; /* stops after as many */
	bool quiet; /* does not describe mismatches */
	/* Spoils what the oracle knows, so that there must be mismatches; or NULL. */
	void (*spoil)(struct fuzz_world *w);
	/* what was seen */
	uint64_t packets;
	uint32_t mismatches;
	uint64_t first_mismatch; /* number of the packet */
	uint64_t seen[SHUNT_VERDICT_MAX]; /* the oracle's verdicts */
	uint64_t remembered; /* packets that wrote to the flow table */
};

/* Returns 0, or -errno when the machine cannot run it.  Mismatches go to stdout. */
int fuzz_run(struct fixture *f, struct fuzz_run *run);

#endif
