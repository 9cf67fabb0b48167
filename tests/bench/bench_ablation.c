/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench ABLATION=1: what each part of the packet path costs a packet.  Each file named on the
 * command line is an object like bench.bpf.c's, made with one part left out or done in another way; it
 * is measured in turns with the path as it is.  Every round measures each object once, in an order of
 * its own; a difference is of the least ones, and the median of the differences within the rounds.
 * One part's share is not what the path would gain without it and all others: what one instruction
 * waits for, another has done meanwhile.  Environment: ROUNDS, CPU, CASES (names, with spaces). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "rounds.h"
#include "world.h"

#define ROUNDS_DEFAULT 15
#define REPEAT 200000
#define FLOWS 1024
#define VARIANTS_MAX 64
#define CASES_DEFAULT "dsr-v4-tcp-maglev ipip-v4-tcp-maglev ipip-v6-tcp-maglev"

struct variant {
	char name[40];
	struct programs *p; /* NULL: the path as it is */
	uint32_t verified; /* instructions, of the first case's program */
	double ns[BENCH_CASES_MAX][BENCH_ROUNDS_MAX];
};

struct ablation {
	struct bench_cases all, cases; /* all of them, and those measured */
	struct world *w;
	struct variant *v;
	size_t n;
};

/* The object's name without directory and endings. */
static void name_after(struct variant *v, const char *object)
{
	const char *slash = strrchr(object, '/'), *base = slash ? slash + 1 : object;

	snprintf(v->name, sizeof(v->name), "%.*s", (int)strcspn(base, "."), base);
}

static int choose_cases(struct ablation *a)
{
	char names[512], *name, *rest = names;

	bench_cases_fill(&a->all);
	snprintf(names, sizeof(names), "%s", setting("CASES", CASES_DEFAULT));
	while ((name = strsep(&rest, " ")))
		if (*name)
			a->cases.c[a->cases.n++] = *bench_case_find(&a->all, name);
	return a->cases.n ? 0 : -EINVAL;
}

static int load(struct ablation *a, char *const objects[])
{
	for (size_t i = 1; i < a->n; i++) {
		struct variant *v = &a->v[i];
		int rc = world_load(a->w, &a->cases, objects[i - 1], &v->p);

		if (rc) {
			fprintf(stderr, "bench_ablation: %s: %s\n", objects[i - 1], strerror(-rc));
			return rc;
		}
		name_after(v, objects[i - 1]);
		v->verified = programs_verified(v->p, a->cases.c[0].program);
	}
	return 0;
}

static int measure(struct ablation *a, struct variant *v, size_t c, int round)
{
	const struct bench_case *of = &a->cases.c[c];
	struct world_result result;
	struct frame sent;
	int rc;

	world_use(a->w, v->p);
	rc = world_prepare(a->w, of, FLOWS, &sent);
	if (!rc)
		rc = world_run(a->w, of, &sent, REPEAT, &result);
	if (!rc && result.run.action != (uint32_t)of->action)
		rc = -EBADMSG;
	if (rc)
		fprintf(stderr, "bench_ablation: %s, %s: %s\n", v->name, of->name, strerror(-rc));
	v->ns[c][round] = result.run.ns;
	return rc;
}

static int measure_rounds(struct ablation *a, int rounds)
{
	size_t order[VARIANTS_MAX];

	for (int round = 0; round < rounds; round++)
		for (size_t c = 0; c < a->cases.n; c++) {
			shuffle(order, a->n);
			for (size_t i = 0; i < a->n; i++) {
				int rc = measure(a, &a->v[order[i]], c, round);

				if (rc)
					return rc;
			}
		}
	return 0;
}

/* What the path costs more than @v, in every round. */
static double median_difference(const struct ablation *a, const struct variant *v, size_t c,
				int rounds)
{
	double d[BENCH_ROUNDS_MAX];

	for (int i = 0; i < rounds; i++)
		d[i] = a->v[0].ns[c][i] - v->ns[c][i];
	sort_ns(d, rounds);
	return d[rounds / 2];
}

static double least(const double *ns, int rounds)
{
	double min = ns[0];

	for (int i = 1; i < rounds; i++)
		min = ns[i] < min ? ns[i] : min;
	return min;
}

static void report(const struct ablation *a, int rounds)
{
	printf("what a packet saves without a part of the path, or with it done in another way: ns "
	       "of the least\nrounds, median ns, percent of the whole; %d rounds, %d "
	       "flows\n\n%-28s",
	       rounds, FLOWS, "");
	for (size_t c = 0; c < a->cases.n; c++)
		printf(" %22s", a->cases.c[c].name);
	printf(" %9s\n", "verified");
	for (size_t i = 0; i < a->n; i++) {
		const struct variant *v = &a->v[i];

		printf("%-28s", i ? v->name : "(the path as it is)");
		for (size_t c = 0; c < a->cases.n; c++) {
			double whole = least(a->v[0].ns[c], rounds), now = least(v->ns[c], rounds);

			if (i)
				printf(" %7.1f %7.1f %5.1f%%", whole - now,
				       median_difference(a, v, c, rounds),
				       100 * (whole - now) / whole);
			else
				printf(" %7.1f %15s", whole, "");
		}
		if (i)
			printf(" %9u", v->verified);
		putchar('\n');
	}
}

int main(int argc, char *argv[])
{
	auto_free struct variant *v = calloc(VARIANTS_MAX, sizeof(*v));
	auto_free struct ablation *a = calloc(1, sizeof(*a));
	int rounds = rounds_wanted(ROUNDS_DEFAULT);

	if (!v || !a || argc > VARIANTS_MAX || pin_to_cpu() || choose_cases(a))
		return 1;
	a->v = v;
	a->n = argc;
	a->w = world_open(&a->all, BENCH_PLAIN, WORLD_LOOPBACK);
	if (!a->w || load(a, argv + 1) || measure_rounds(a, rounds))
		return 1;
	report(a, rounds);
	return 0;
}
