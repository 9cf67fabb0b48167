/* SPDX-License-Identifier: BSD-2-Clause */
/* How many flows each of some rows has, by a count of the flow table that goes on part by part, and what
 * that makes their loads (struct shunt_load): the packet path has given flows away that no count has found
 * yet. No clock and no maps. */
#ifndef SHUNT_TALLY_H
#define SHUNT_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a flow weighs at weight 1: any weight divides it well. */
#define TALLY_UNIT 1000000u

struct tally_row {
	uint32_t row;
	uint16_t timeout; /* ticks: of flows that are quiet for longer none is counted */
	bool is_new; /* no load has been told of it */
	uint32_t total; /* by the latest count of each part */
	uint32_t unseen; /* sixteenths of flows given away and not counted yet, by estimate */
	uint64_t told; /* the load, as it was told last */
};

struct tally {
	struct tally_row *row; /* in the order of their rows */
	size_t n;
	uint32_t *index; /* [rows]: 1 + where it stands above; 0: it is not counted */
	uint32_t rows;
	uint32_t *counted; /* [parts * n] by part */
	uint32_t parts, part; /* the next one to be counted */
	uint32_t
		passes; /* parts counted, up to parts: since a row was added that is not among them */
};

/* Has @t count @n rows, all below @rows, of which only row and timeout need be set, in ascending order and
 * each once; what it knows of those that it has counted so far stays. 0, or -ENOMEM with @t as it was. */
int tally_choose(struct tally *t, const struct tally_row *chosen, size_t n, uint32_t rows,
		 uint32_t parts);
void tally_fini(struct tally *t);

/* Between these two, each flow of part t->part that is alive. */
void tally_begin(struct tally *t);
void tally_flow(struct tally *t, uint32_t row, uint16_t age);
void tally_end(struct tally *t);

/* The row's number of flows; false when it is not counted, or not all parts have been yet. */
bool tally_flows(const struct tally *t, uint32_t row, uint64_t *flows);

/* The load of @r, of which now @there is told, of flows that weigh @step each. What has been added to it
 * since the last time is flows given away. */
uint64_t tally_load(const struct tally *t, struct tally_row *r, uint64_t there, uint64_t step);

#endif
