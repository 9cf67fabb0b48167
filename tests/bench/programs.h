/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs of bench.bpf.c, or of another object with the same ones, over the tables of a dp. */
#ifndef BENCH_PROGRAMS_H
#define BENCH_PROGRAMS_H

#include <stdint.h>

#include "bench.h"
#include "cases.h"
#include "frame.h"
#include "io/dp.h"

struct programs;

/* Loads @object, a file, or what is built in if NULL, with the settings that @dp gives its own
 * program. Only the programs that @cases name are loaded. @dp stays the caller's, and open until
 * programs_close(). Returns 0 or -errno. */
int programs_open(const struct dp *dp, const uint64_t hash_key[static SHUNT_HASH_WORDS],
		  enum bench_world kind, const struct bench_cases *cases, const char *object,
		  struct programs **out);
void programs_close(struct programs *p); /* NULL is fine */

/* Mapped: what is written here holds for the next run. */
struct bench_state *programs_state(const struct programs *p);

struct programs_result {
	double ns; /* a run, of this thread's CPU time */
	uint32_t action; /* of the last run */
	struct frame out; /* what that left */
};

/* Runs the program called @name @repeat times on @f in one call. Returns 0 or -errno. */
int programs_run(const struct programs *p, const char *name, const struct frame *f, uint32_t repeat,
		 struct programs_result *out);

/* How many instructions the verifier followed in @name; 0: unknown. */
uint32_t programs_verified(const struct programs *p, const char *name);

#endif
