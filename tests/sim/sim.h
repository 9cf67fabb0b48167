/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulation of a large pool that changes: which connections break with a table alone, with an LRU of
 * flows, and with slots in transition.  The last run through the packet path itself, over tables
 * that the daemon's own functions (maglev_fill, transit_change, transit_settle) fill. */
#ifndef SHUNT_SIM_H
#define SHUNT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"

enum sim_way { SIM_TABLE, SIM_LRU, SIM_OURS, SIM_WAYS };

struct sim_options {
	uint32_t connections; /* that live at any time */
	uint32_t buckets; /* of the flow table, a power of two */
	uint32_t lru; /* entries of the other */
	uint32_t flood; /* SYNs a second */
	uint32_t changes; /* backends that come, and as many that go */
	uint32_t every; /* seconds between two of them */
	uint32_t timeout; /* of flows, in flow ticks */
	bool without_lru;
};

struct sim_result {
	uint64_t begun[SIM_WAYS], broken[SIM_WAYS]; /* connections */
	uint64_t packets, floods; /* connections' packets; the flood's */
	uint64_t lookups, remembered, no_room; /* in the flow table */
	uint64_t first_lookups, first_packets; /* while there was one change alone */
	uint64_t lru_misses;
	uint32_t changed, changed_most; /* slots in transition at the end, and at most */
	uint32_t entries_most; /* words of the flow table in use */
	uint32_t slots;
	double seconds; /* simulated */
};

/* 0 or -errno, with words on stderr. */
int sim_run(const struct sim_options *opt, struct sim_result *r);

/* ---- sim_path.c: the packet path and its tables --------------------------------------------------*/
struct sim_path;
struct sim_path *sim_path_open(const struct sim_options *opt);
void sim_path_close(struct sim_path *p);
uint32_t sim_path_slots(const struct sim_path *p);
/* The slot and the words of a new flow. */
uint16_t sim_path_slot_of(const struct sim_path *p, uint32_t saddr, uint32_t ports);
uint16_t sim_path_table(const struct sim_path *p, uint16_t slot);
struct sim_packet *sim_path_batch(struct sim_path *p);
/* Sets the time, in seconds since the beginning; with each second come a new rate for the LRU, and the
 * daemon's look for slots to settle. */
void sim_path_time(struct sim_path *p, double now);
/* The pool: bit by bit who takes new flows. */
void sim_path_change(struct sim_path *p, const bool wants[static SIM_BACKENDS + 1]);
/* Sends the first @n packets of the batch. */
int sim_path_run(struct sim_path *p, enum sim_way way, uint32_t n);
void sim_path_count(const struct sim_path *p, struct sim_result *r);

#endif
