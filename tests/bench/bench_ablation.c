/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench ABLATION=1: what each part of the packet path costs a packet.  Each file named on the
 * command line is an object like bench.bpf.c's, made with one part left out or done in another way; it
 * is measured in turns with the path as it is.  Every round measures each object in an order of its own;
 * a difference is of the least ones, and the median of the differences within the rounds.  Where the
 * kernel happens to put a program makes a nanosecond or two of difference, so each is loaded a few
 * times, and what is shown is the mean over these copies.
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
#define REPEAT 100000
#define COPIES 3
#define CASES_MOST 8
#define FLOWS 1024
#define VARIANTS_MAX 64
#define CASES_DEFAULT "dsr-v4-tcp-maglev ipip-v4-tcp-maglev ipip-v6-tcp-maglev pass-not-vip-v4"

struct variant {
	char name[40];
	struct programs *p[COPIES];
	uint32_t verified; /* instructions, of the first case's program */
	bool unable[CASES_MOST]; /* to do the case without the part */
	double ns[CASES_MOST][COPIES][BENCH_ROUNDS_MAX];
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
		if (*name && a->cases.n < CASES_MOST)
			a->cases.c[a->cases.n++] = *bench_case_find(&a->all, name);
	return a->cases.n ? 0 : -EINVAL;
}

/* Its copies, of the @object, or of the path as it is if NULL. */
static int load_one(struct ablation *a, struct variant *v, const char *object)
{
	int rc = 0;

	name_after(v, object ? object : "(the path as it is)");
	for (size_t i = 0; i < COPIES && !rc; i++)
		rc = world_load(a->w, &a->cases, object, &v->p[i]);
	if (rc)
		fprintf(stderr, "bench_ablation: %s: %s\n", v->name, strerror(-rc));
	else
		v->verified = programs_verified(v->p[0], a->cases.c[0].program);
	return rc;
}

static int load(struct ablation *a, char *const objects[])
{
	int rc = load_one(a, &a->v[0], NULL);

	for (size_t i = 1; i < a->n && !rc; i++)
		rc = load_one(a, &a->v[i], objects[i - 1]);
	return rc;
}

static int measure(struct ablation *a, struct variant *v, size_t copy, size_t c, int round)
{
	const struct bench_case *of = &a->cases.c[c];
	struct world_result result;
	struct frame sent;
	int rc;

	world_use(a->w, v->p[copy]);
	rc = world_prepare(a->w, of, FLOWS, &sent);
	if (!rc)
		rc = world_run(a->w, of, &sent, REPEAT, &result);
	if (rc)
		fprintf(stderr, "bench_ablation: %s, %s: %s\n", v->name, of->name, strerror(-rc));
	else if (result.run.action != (uint32_t)of->action)
		v->unable[c] = true;
	v->ns[c][copy][round] = result.run.ns;
	return rc;
}

static int measure_rounds(struct ablation *a, int rounds)
{
	size_t order[VARIANTS_MAX * COPIES], n = a->n * COPIES;

	for (int round = 0; round < rounds; round++)
		for (size_t c = 0; c < a->cases.n; c++) {
			shuffle(order, n);
			for (size_t i = 0; i < n; i++) {
				size_t at = order[i];
				int rc = measure(a, &a->v[at / COPIES], at % COPIES, c, round);

				if (rc)
					return rc;
			}
		}
	return 0;
}

/* What the path costs more than @v, in every round and of any two copies. */
static double median_difference(const struct ablation *a, const struct variant *v, size_t c,
				int rounds)
{
	static double d[COPIES * COPIES * BENCH_ROUNDS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < COPIES * COPIES; i++)
		for (int k = 0; k < rounds; k++)
			d[n++] = a->v[0].ns[c][i / COPIES][k] - v->ns[c][i % COPIES][k];
	sort_ns(d, n);
	return d[n / 2];
}

static double least(const struct variant *v, size_t c, int rounds)
{
	double sum = 0;

	for (size_t i = 0; i < COPIES; i++) {
		double min = v->ns[c][i][0];

		for (int k = 1; k < rounds; k++)
			min = v->ns[c][i][k] < min ? v->ns[c][i][k] : min;
		sum += min;
	}
	return sum / COPIES;
}

static void print_saved(const struct ablation *a, const struct variant *v, size_t c, int rounds)
{
	double whole = least(a->v, c, rounds), now = least(v, c, rounds);

	if (v->unable[c])
		printf(" %22s", "-");
	else if (v == a->v)
		printf(" %7.1f %14s", whole, "");
	else
		printf(" %7.1f %7.1f %5.1f%%", whole - now, median_difference(a, v, c, rounds),
		       100 * (whole - now) / whole);
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
		printf("%-28s", a->v[i].name);
		for (size_t c = 0; c < a->cases.n; c++)
			print_saved(a, &a->v[i], c, rounds);
		printf(" %9u\n", a->v[i].verified);
	}
}

static void close_all(struct ablation *a)
{
	for (size_t i = 0; i < a->n * COPIES; i++)
		programs_close(a->v[i / COPIES].p[i % COPIES]);
	world_close(a->w);
}

int main(int argc, char *argv[])
{
	auto_free struct variant *v = calloc(VARIANTS_MAX, sizeof(*v));
	auto_free struct ablation *a = calloc(1, sizeof(*a));
	int rounds = rounds_wanted(ROUNDS_DEFAULT), rc;

	if (!v || !a || argc > VARIANTS_MAX || pin_to_cpu() || choose_cases(a))
		return 1;
	a->v = v;
	a->n = argc;
	a->w = world_open(&a->all, BENCH_PLAIN, WORLD_LOOPBACK);
	rc = !a->w || load(a, argv + 1) || measure_rounds(a, rounds);
	if (!rc)
		report(a, rounds);
	close_all(a);
	return rc;
}
