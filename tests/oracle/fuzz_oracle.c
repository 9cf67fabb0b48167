/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares the packet path with the oracle: fuzz_oracle [COUNT [SEED [FROM]]].
 *
 * A mismatch names its seed and its packet: COUNT 1, that seed and FROM that packet show it again.
 * Exit status 0: all the same, 1: mismatches, 2: could not run. */
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MISMATCHES_MAX 10

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
	char *end = NULL;
	uint64_t value;

	if (i >= argc)
		return otherwise;
	value = strtoull(argv[i], &end, 0);
	if (!argv[i][0] || *end) {
		fprintf(stderr, "fuzz_oracle [COUNT [SEED [FROM]]]: not a number: %s\n", argv[i]);
		exit(2);
	}
	return value;
}

static void print_seen(const struct fuzz_run *run, double took)
{
	for (int v = 1; v < SHUNT_VERDICT_MAX; v++)
		printf("  %-18s %12" PRIu64 "\n", oracle_name(v), run->seen[v]);
	printf("  %-18s %12" PRIu64 "\n", "flow table written", run->remembered);
	printf("%" PRIu64 " packets, seed %" PRIu64 ", %.1f s, %.0f a second, %u mismatches\n",
	       run->packets, run->seed, took, (double)run->packets / took, run->mismatches);
}

int main(int argc, char **argv)
{
	struct fuzz_run run = {
		.count = argument(argc, argv, 1, 200000),
		.seed = argument(argc, argv, 2, 1),
		.from = argument(argc, argv, 3, 0),
		.mismatches_max = MISMATCHES_MAX,
	};
	void *state = NULL;
	double start;
	int err;

	fixture_open(&state);
	start = seconds();
	err = fuzz_run(state, &run);
	fixture_close(&state);
	if (err) {
		fprintf(stderr, "fuzz_oracle: %s\n", strerror(-err));
		return 2;
	}
	print_seen(&run, seconds() - start);
	return run.mismatches ? 1 : 0;
}
