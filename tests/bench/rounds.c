/* SPDX-License-Identifier: BSD-2-Clause */
#include "rounds.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

int rounds_wanted(int otherwise)
{
	int rounds = atoi(setting("ROUNDS", "0"));

	return rounds < 1 || rounds > BENCH_ROUNDS_MAX ? otherwise : rounds;
}

int pin_to_cpu(void)
{
	long last = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	const char *cpu = setting("CPU", NULL);
	cpu_set_t set;
	int rc;

	CPU_ZERO(&set);
	CPU_SET(cpu ? atoi(cpu) : last, &set);
	rc = sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
	if (rc)
		fprintf(stderr, "bench: no such CPU: %s\n", strerror(-rc));
	return rc;
}

void shuffle(size_t order[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t j = rand() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void sort_ns(double ns[], size_t n)
{
	qsort(ns, n, sizeof(*ns), compare);
}
