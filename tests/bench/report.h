/* SPDX-License-Identifier: BSD-2-Clause */
/* What was measured, as a table, as JSON, and against the figures to reach. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "cases.h"
#include "rounds.h"

struct bench_row {
	const struct bench_case *c;
	uint32_t flows;
	uint32_t rounds; /* measured so far */
	double ns[BENCH_ROUNDS_MAX]; /* a packet, in each round */
	double min, median; /* report_finish() */
};

struct bench_report {
	struct bench_row *rows;
	size_t n;
	uint32_t services;
	double fill_ms; /* maglev, 65536 slots, 100 backends: the least */
};

/* Computes min and median. */
void report_finish(struct bench_report *r);

void report_table(const struct bench_report *r);
void report_figures(const struct bench_report *r);

/* Array of {name, flows, ns_min, ns_median, floor_ns}. Returns 0 or -errno. */
int report_json(const struct bench_report *r, const char *path);

#endif
