/* SPDX-License-Identifier: BSD-2-Clause */
/* What is measured: floors, the shell around the measured code, and a case for each way through the
 * packet path. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt_abi.h"

enum bench_kind { BENCH_FLOOR, BENCH_SHELL, BENCH_CASE };

struct bench_case {
	char name[32];
	enum bench_kind kind;
	const char *program; /* in bench.bpf.c */
	const char *floor; /* name of the floor it is compared with */
	const char *shell; /* name of the row that measures its shell; NULL: it has none */
	uint32_t pushed; /* bytes that it puts in front of the frame */
	bool is_v6;
	/* Of cases: */
	uint32_t service; /* index, from 0 */
	uint8_t protocol;
	enum shunt_forward method;
	enum shunt_scheduler scheduler;
};

#define BENCH_CASES 28 /* floors and shells included */
#define BENCH_SERVICES 20 /* cases proper */

/* Fills @c in the order in which they are shown. */
void bench_cases_fill(struct bench_case c[static BENCH_CASES]);

/* By name; there is one. */
const struct bench_case *bench_case_find(const struct bench_case c[static BENCH_CASES],
					 const char *name);

#endif
