/* SPDX-License-Identifier: BSD-2-Clause */
/* A mismatch: made small, and described. */
#ifndef FUZZ_REPORT_H
#define FUZZ_REPORT_H

#include <sched.h>

#include "fuzz.h"

/* A packet on its way through both. */
struct fuzz_bench {
	struct fuzz_world world;
	struct fuzz_frames frames;
	struct dice dice;
	struct tick_bpf *tick_program; /* that tells the time */
	uint64_t jiffies; /* when it was last told */
	struct fuzz_nat before; /* the last packet */
	cpu_set_t cpus; /* that may be used */
	uint32_t cpu; /* that is used */
	uint8_t poison; /* what stands in the headroom */
	struct outcome outcome; /* of the packet path: action and frame */
	struct oracle_result result;
};

/* Makes @b run packets of @f on the first CPU that may be used.  Its tables are those of whichever of
 * fuzz_world_fill() and fuzz_world_copy() is called.  Returns 0 or -errno. */
int fuzz_bench_open(struct fuzz_bench *b, struct fixture *f);
void fuzz_bench_close(struct fuzz_bench *b);
/* From now on on the @n-th of the CPUs that may be used, round and round. */
int fuzz_bench_stay(struct fuzz_bench *b, uint64_t n);

/* Runs @in through both; the maps and the oracle's state are those after it.  Says whether both came
 * to the same. */
bool fuzz_agree(struct fuzz_bench *b, const struct frame *in);
/* The oracle's state before the last packet again. */
void fuzz_take_back(struct fuzz_bench *b);

/* Prints, after fuzz_agree() said no to @in: which packet, what both made of it, and the same for
 * the smallest frame found that they differ about.  The maps are then those after @in. */
void fuzz_report(struct fuzz_bench *b, uint64_t seed, uint64_t number, const struct frame *in);

#endif
